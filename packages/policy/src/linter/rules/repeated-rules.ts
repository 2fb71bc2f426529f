/**
 * Rules, and calls of macros, that give nothing that others do not give already.
 *
 * What a person wrote at one place is taken as one: a statement, or the outermost call of a macro. From the end of the
 * policy to its beginning, each is held against those that are left; so all that is told of can be taken out together.
 * A call says what is meant, and its rules are often given in part by others: it is told of only where one other place
 * gives all of them. A `neverallow` that follows from another one is a statement of its own, and stays.
 *
 * @module
 */

import type { Statement } from '../../language/index.ts';
import {
  AVRULE_DONTAUDIT,
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  type RuleTable,
  type TypeSets,
} from '../../policydb/index.ts';
import { type Diagnostic, type Origin, type Span, userSpan } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import { type LintSubject, takeAway } from '../lint-subject.ts';

/** A row of a rule table. */
interface Row {
  readonly rules: RuleTable;
  readonly row: number;
  /** The branch that it is in; -1 outside of conditional blocks. */
  readonly branch: number;
  readonly place: Place;
}

/** What a person wrote at one place. */
interface Place {
  readonly key: string;
  readonly span: Span;
  readonly origin: Origin;
  readonly rows: Row[];
  isTakenOut: boolean;
  /** Declarations and other things that no other rule gives. */
  hasMore: boolean;
}

function push(rows: Map<string, Row[]>, key: string, row: Row): void {
  const known = rows.get(key);
  if (known === undefined) rows.set(key, [row]);
  else known.push(row);
}

/** What rows have in common that one may stand for another: kind, class and a set of sources. */
function bucket({ kind, tclass }: RuleTable, row: number, source: number): string {
  return `${kind[row]}/${tclass[row]}/${source}`;
}

const keyOf = ({ source, start }: Span): string => `${source.name}:${start}`;

/** The type sets of rows, by what they have in them. */
class SetIndex {
  readonly #sets: TypeSets;
  /** The sets, by a type in them. */
  readonly #with = new Map<number, Set<number>>();
  readonly #supersets = new Map<number, readonly number[]>();
  readonly #members = new Map<number, ReadonlySet<number>>();

  constructor(sets: TypeSets) {
    this.#sets = sets;
  }

  add(set: number): void {
    if (this.#members.has(set)) return;
    const members = this.#sets.members(set);
    this.#members.set(set, new Set(members));
    for (const type of members) {
      const known = this.#with.get(type);
      if (known === undefined) this.#with.set(type, new Set([set]));
      else known.add(set);
    }
  }

  /** Whether a set that was added has all these types. */
  contains(outer: number, inner: Iterable<number>): boolean {
    const members = this.#members.get(outer);
    if (members === undefined) return false;
    for (const one of inner) if (!members.has(one)) return false;
    return true;
  }

  /** The sets that were added and that contain a set, which has members. */
  supersetsOf(set: number): readonly number[] {
    let found = this.#supersets.get(set);
    if (found === undefined) {
      const members = this.#sets.members(set);
      const [first] = members;
      const candidates = first === undefined ? [] : [...(this.#with.get(first) ?? [])];
      found = candidates.filter((outer) => outer === set || this.contains(outer, members));
      this.#supersets.set(set, found);
    }
    return found;
  }
}

class Repeated {
  readonly #subject: LintSubject;
  readonly #sets: TypeSets;
  readonly #places = new Map<string, Place>();
  /** Rows by kind, class, source set and target set. */
  readonly #rows = new Map<string, Row[]>();
  /** Rows with `self` among the targets, by kind, class and source set. */
  readonly #selfRows = new Map<string, Row[]>();
  readonly #sources: SetIndex;
  readonly #targets: SetIndex;

  constructor(subject: LintSubject, sets: TypeSets) {
    this.#subject = subject;
    this.#sets = sets;
    this.#sources = new SetIndex(sets);
    this.#targets = new SetIndex(sets);
  }

  add(rules: RuleTable, branch: number): void {
    for (let row = 0; row < rules.length; row++) {
      const origin = this.#subject.statementOrigin(rules.statement[row] ?? 0);
      if (origin === undefined) continue;
      const span = userSpan(origin);
      const key = keyOf(span);
      let place = this.#places.get(key);
      if (place === undefined) {
        place = { key, span, origin, rows: [], isTakenOut: false, hasMore: false };
        this.#places.set(key, place);
      }
      const found: Row = { rules, row, branch, place };
      place.rows.push(found);
      const source = rules.source[row] ?? 0;
      const target = rules.target[row] ?? 0;
      this.#sources.add(source);
      if (rules.self[row] === 1) push(this.#selfRows, bucket(rules, row, source), found);
      if (target === 0) continue;
      this.#targets.add(target);
      push(this.#rows, `${bucket(rules, row, source)}/${target}`, found);
    }
  }

  /** A place has something beside its rules. */
  addOther(span: Span): void {
    const place = this.#places.get(keyOf(span));
    if (place !== undefined) place.hasMore = true;
  }

  /** Lists of rows among which are all that a row may be covered by. */
  #listsFor({ rules, row }: Row): readonly (readonly Row[])[] {
    const source = rules.source[row] ?? 0;
    const target = rules.target[row] ?? 0;
    const lists: (readonly Row[])[] = [];
    for (const outer of this.#sources.supersetsOf(source)) {
      const start = bucket(rules, row, outer);
      if (target === 0) lists.push(this.#selfRows.get(start) ?? []);
      // A row that gives the sources themselves as targets gives `self` too.
      for (const outerTarget of this.#targets.supersetsOf(target === 0 ? source : target)) {
        lists.push(this.#rows.get(`${start}/${outerTarget}`) ?? []);
      }
    }
    return lists;
  }

  /** Whether a row is about all sources and targets, and holds whenever, that another one is and does. */
  #covers(other: Row, { rules, row, branch, place }: Row): boolean {
    if (other.place === place || other.place.isTakenOut) return false;
    if (other.branch !== -1 && other.branch !== branch) return false;
    const { rules: otherRules, row: otherRow } = other;
    if (otherRules.kind[otherRow] !== rules.kind[row] || otherRules.tclass[otherRow] !== rules.tclass[row])
      return false;
    const sources = this.#sets.members(rules.source[row] ?? 0);
    const targets = rules.target[row] === 0 ? [] : this.#sets.members(rules.target[row] ?? 0);
    const isSelf = rules.self[row] === 1;
    if (sources.length === 0 || (targets.length === 0 && !isSelf)) return false;
    if (!this.#sources.contains(otherRules.source[otherRow] ?? 0, sources)) return false;
    const otherTarget = otherRules.target[otherRow] ?? 0;
    if (targets.length > 0 && !this.#targets.contains(otherTarget, targets)) return false;
    return !isSelf || otherRules.self[otherRow] === 1 || this.#targets.contains(otherTarget, sources);
  }

  /** The places whose rows together give all that this row gives; undefined where they do not. */
  #giversOf(given: Row): readonly Place[] | undefined {
    let left = given.rules.data[given.row] ?? 0;
    const givers = new Set<Place>();
    for (const list of this.#listsFor(given)) {
      for (const other of list) {
        const bits = (other.rules.data[other.row] ?? 0) & left;
        if (bits === 0 || !this.#covers(other, given)) continue;
        givers.add(other.place);
        left &= ~bits;
        if (left === 0) return [...givers];
      }
    }
    return undefined;
  }

  /** Whether one place alone gives all that a row gives. */
  #isGivenBy(place: Place, given: Row): boolean {
    let left = given.rules.data[given.row] ?? 0;
    for (const other of place.rows) {
      if (((other.rules.data[other.row] ?? 0) & left) !== 0 && this.#covers(other, given))
        left &= ~(other.rules.data[other.row] ?? 0);
    }
    return left === 0;
  }

  /** The first place that alone gives all that these rows give. */
  #giverOfAll(rows: readonly Row[]): Place | undefined {
    // Whoever gives all gives the row that the fewest others can give.
    let fewest: readonly (readonly Row[])[] | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const row of rows) {
      const lists = this.#listsFor(row);
      const count = lists.reduce((sum, { length }) => sum + length, 0);
      if (count >= least) continue;
      fewest = lists;
      least = count;
    }
    const candidates = new Set((fewest ?? []).flat().map(({ place }) => place));
    return [...candidates].find((one) => rows.every((row) => this.#isGivenBy(one, row)));
  }

  /** The places that give all that one gives: any for a statement, a single one for the call of a macro. */
  #givers({ rows, origin }: Place): readonly Place[] | undefined {
    if (!rows.every(({ rules, row }) => GRANTING.has(rules.kind[row] ?? 0))) return undefined;
    if (origin.kind === 'expanded') {
      const one = this.#giverOfAll(rows);
      return one === undefined ? undefined : [one];
    }
    const givers = new Set<Place>();
    for (const row of rows) {
      const found = this.#giversOf(row);
      if (found === undefined) return undefined;
      for (const one of found) givers.add(one);
    }
    return [...givers];
  }

  run(): Diagnostic[] {
    const found: Diagnostic[] = [];
    for (const place of [...this.#places.values()].toReversed()) {
      const givers = place.hasMore ? undefined : this.#givers(place);
      if (givers === undefined) continue;
      place.isTakenOut = true;
      const origin: Origin = { kind: 'written', span: place.span };
      const notes = givers
        .slice(0, MOST_GIVERS)
        .map(({ span }) => ({ message: 'it is given here', origin: { kind: 'written', span } as const }));
      found.push(lint['repeated-rule'](origin, {}, { notes, fixes: takeAway(origin, 'take it out') }));
    }
    return found.toReversed();
  }
}

/** Places that are named beside a repeated rule. */
const MOST_GIVERS = 4;

/** Kinds of rows whose bits are added to those of others. `auditdeny` takes bits away, and a type rule has one type. */
const GRANTING: ReadonlySet<number> = new Set([AVTAB_ALLOWED, AVTAB_AUDITALLOW, AVRULE_DONTAUDIT]);

/** The kinds of statements that a rule table has rows of. */
const RULES: ReadonlySet<Statement['kind']> = new Set(['av-rule', 'empty', 'if']);

/** Places whose rules others give too, in the order of the policy. */
export function repeatedRules(subject: LintSubject): Diagnostic[] {
  const { compiled, tree } = subject;
  if (compiled?.policy === undefined || tree === undefined) return [];
  const { policy } = compiled;
  const repeated = new Repeated(subject, policy.typeSets);
  repeated.add(policy.rules, -1);
  for (const [i, { whenTrue, whenFalse }] of policy.conditionals.entries()) {
    repeated.add(whenTrue, 2 * i);
    repeated.add(whenFalse, 2 * i + 1);
  }
  const visit = (statements: readonly Statement[]): void => {
    for (const statement of statements) {
      if (statement.kind === 'if') {
        visit([...statement.whenTrue, ...statement.whenFalse]);
        // An `if` that a macro makes belongs to its call; the rules in it are rows.
        continue;
      }
      if (statement.kind === 'optional') {
        // What is in it may be left out as a whole.
        for (const part of [...statement.body, ...statement.otherwise]) markOther(part);
        markOther(statement);
        continue;
      }
      if (!RULES.has(statement.kind)) markOther(statement);
    }
  };
  const markOther = (statement: Statement): void => {
    const origin = subject.tokenOrigin(statement.at);
    if (origin !== undefined) repeated.addOther(userSpan(origin));
  };
  visit(tree.statements);
  return repeated.run();
}
