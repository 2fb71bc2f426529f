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

const keyOf = ({ source, start }: Span): string => `${source.name}:${start}`;

class Repeated {
  readonly #subject: LintSubject;
  readonly #sets: TypeSets;
  readonly #places = new Map<string, Place>();
  /** Rows by class, kind and source set. */
  readonly #rows = new Map<string, Row[]>();
  /** The source sets of rows, by a type in them. */
  readonly #setsWith = new Map<number, Set<number>>();
  readonly #supersets = new Map<number, readonly number[]>();
  readonly #members = new Map<number, ReadonlySet<number>>();

  constructor(subject: LintSubject, sets: TypeSets) {
    this.#subject = subject;
    this.#sets = sets;
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
      const bucket = this.#bucket(rules, row, source);
      const rows = this.#rows.get(bucket);
      if (rows === undefined) this.#rows.set(bucket, [found]);
      else rows.push(found);
      for (const type of this.#sets.members(source)) {
        const known = this.#setsWith.get(type) ?? new Set();
        this.#setsWith.set(type, known.add(source));
      }
    }
  }

  #bucket({ kind, tclass }: RuleTable, row: number, source: number): string {
    return `${kind[row]}/${tclass[row]}/${source}`;
  }

  /** A place has something beside its rules. */
  addOther(span: Span): void {
    const place = this.#places.get(keyOf(span));
    if (place !== undefined) place.hasMore = true;
  }

  #membersOf(set: number): ReadonlySet<number> {
    let members = this.#members.get(set);
    if (members === undefined) {
      members = new Set(this.#sets.members(set));
      this.#members.set(set, members);
    }
    return members;
  }

  #contains(outer: number, inner: Iterable<number>): boolean {
    const members = this.#membersOf(outer);
    for (const one of inner) if (!members.has(one)) return false;
    return true;
  }

  /** Source sets of rows that contain a source set. */
  #supersetsOf(set: number): readonly number[] {
    let found = this.#supersets.get(set);
    if (found === undefined) {
      const members = this.#sets.members(set);
      const [first] = members;
      const candidates = first === undefined ? [] : [...(this.#setsWith.get(first) ?? [])];
      found = candidates.filter((outer) => outer === set || this.#contains(outer, members));
      this.#supersets.set(set, found);
    }
    return found;
  }

  /** The places whose rows together give all that this one gives; undefined where they do not. */
  #giversOf({ rules, row, branch, place }: Row, isWanted: (other: Place) => boolean): readonly Place[] | undefined {
    let left = rules.data[row] ?? 0;
    const source = rules.source[row] ?? 0;
    const sources = this.#sets.members(source);
    const targets = rules.target[row] === 0 ? [] : this.#sets.members(rules.target[row] ?? 0);
    const isSelf = rules.self[row] === 1;
    if (sources.length === 0 || (targets.length === 0 && !isSelf)) return undefined;
    const givers = new Set<Place>();
    for (const outer of this.#supersetsOf(source)) {
      for (const other of this.#rows.get(this.#bucket(rules, row, outer)) ?? []) {
        if (other.place === place || other.place.isTakenOut || !isWanted(other.place)) continue;
        if (other.branch !== -1 && other.branch !== branch) continue;
        const given = (other.rules.data[other.row] ?? 0) & left;
        if (given === 0) continue;
        const otherTarget = other.rules.target[other.row] ?? 0;
        if (otherTarget === 0 ? targets.length > 0 : !this.#contains(otherTarget, targets)) continue;
        const hasSelf =
          other.rules.self[other.row] === 1 || (otherTarget !== 0 && this.#contains(otherTarget, sources));
        if (isSelf && !hasSelf) continue;
        givers.add(other.place);
        left &= ~given;
        if (left === 0) return [...givers];
      }
    }
    return undefined;
  }

  /** The places that give all that one gives: any for a statement, a single one for the call of a macro. */
  #givers(place: Place): readonly Place[] | undefined {
    const [first, ...others] = place.rows;
    if (first === undefined || !place.rows.every(({ rules, row }) => GRANTING.has(rules.kind[row] ?? 0)))
      return undefined;
    if (place.origin.kind === 'expanded') {
      const tried = new Set<Place>();
      for (;;) {
        const [one] = this.#giversOf(first, (other) => !tried.has(other)) ?? [];
        if (one === undefined) return undefined;
        tried.add(one);
        if ([first, ...others].every((row) => this.#giversOf(row, (other) => other === one) !== undefined))
          return [one];
      }
    }
    const givers = new Set<Place>();
    for (const row of place.rows) {
      const found = this.#giversOf(row, () => true);
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
