/**
 * Transitions kept outside the access vector table: by file name, and of MLS ranges.
 *
 * Format: libsepol `policydb.c` (`filenametr_hash`, `rangetr_hash`), `expand.c` (`expand_filename_trans`, `copy_and_expand_range_trans`).
 *
 * @module
 */
import type { Statement, Token } from '../language/index.ts';
import { type FilenameTransition, type RangeTransition, tableSizeFor } from '../policydb/index.ts';
import type { TypeDeclaration } from './declarations.ts';
import { mls, policy } from './diagnostics.ts';
import { InParts } from './in-parts.ts';
import { checkRange, mlsRange, readRange } from './mls.ts';
import { className, transitionClasses, typeName } from './role-rules.ts';
import type { RuleCompiler, TransitionSets } from './rules.ts';
import type { Scope } from './scope.ts';

const FILENAME_BUCKETS = 1024;
const RANGE_BUCKETS = 256;

interface FilenameKey {
  readonly target: number;
  readonly tclass: number;
  readonly name: string;
  /** Sources by result type, in the order of first appearance. */
  readonly answers: Answers<number, number>;
}

/** libsepol's 64-bit hash of a file name transition. */
function filenameHash({ target, tclass, name }: FilenameKey): bigint {
  let hash = BigInt(target ^ tclass);
  for (let i = 0; i < name.length; i++) {
    const c = BigInt(name.charCodeAt(i));
    hash = BigInt.asUintN(64, (hash + (c << 4n) + (c >> 4n)) * 11n);
  }
  return hash;
}

/** The transitions of one target, class and name under construction. */
type Answers<Type, Source> = { readonly result: Type; readonly sources: Set<Source> }[];

/**
 * Adds a transition; the result that the source has already, where it has one.
 *
 * XEN: an answer with the same result is looked at no further than itself, so one behind it may have the source as well.
 * As `policydb_filetrans_insert`.
 */
function insertAnswer<Type, Source>(answers: Answers<Type, Source>, source: Source, result: Type): Type | undefined {
  for (const answer of answers) {
    if (answer.sources.has(source)) return answer.result;
    if (answer.result !== result) continue;
    answer.sources.add(source);
    return undefined;
  }
  answers.push({ result, sources: new Set([source]) });
  return undefined;
}

/** A transition rule for one class. */
interface FilenameRule {
  readonly sets: TransitionSets;
  readonly tclass: number;
  readonly name: string;
  readonly result: TypeDeclaration;
  readonly at: Token;
}

/** What a repeated transition is called in a report. */
interface RepeatedNames {
  readonly source: string;
  readonly target: string;
  readonly tclass: number;
  readonly name: string;
}

export class FilenameTransitions {
  readonly #scope: Scope;
  readonly #rules: RuleCompiler;
  /** For each statement and class; a statement's classes ascending. */
  readonly #counted: InParts<FilenameRule> = new InParts();
  readonly #all: FilenameRule[] = [];

  constructor(scope: Scope, rules: RuleCompiler) {
    this.#scope = scope;
    this.#rules = rules;
  }

  /** Takes a rule. One that does not count is forgotten, but must not be repeated either. */
  add(node: Extract<Statement, { kind: 'filename-transition' }>, counts: boolean): void {
    const sets = this.#rules.transitionSets(node.source, node.target, 'type_transition', true);
    const classes = this.#rules.classes(node.classes, 'type_transition');
    const result = this.#rules.filenameResult(node.result);
    const name = this.#scope.word(node.name);
    if (sets === undefined || result === undefined) return;
    for (const { value: tclass } of classes) {
      const rule = { sets, tclass, name, result, at: node.at };
      this.#all.push(rule);
      if (counts) this.#counted.add(rule);
    }
  }

  /** Ends the rules of one part of the policy: what is outside of optional blocks, or one block. */
  endPart(): void {
    this.#counted.endPart();
  }

  readonly #said = new Set<string>();

  #reportRepeated(at: Token, earlier: Token | undefined, { source, target, tclass, name }: RepeatedNames): void {
    const scope = this.#scope;
    const names = { source, target, class: className(scope, tclass), name };
    // What is found among the rules as written is found again when they are joined.
    const said = `${source} ${target} ${tclass} ${name}`;
    if (this.#said.has(said)) return;
    this.#said.add(said);
    const extra = scope.earlier(earlier, 'the earlier one is here');
    scope.report(policy['duplicate-filename-transition'](scope.origin(at), names, extra));
  }

  /** Looks for repeated transitions in the order of the text, whether their blocks count or not. */
  #checkWritten(): void {
    const known = new Map<string, Answers<string, string>>();
    const places = new Map<string, Token>();
    for (const { sets, tclass, name, result, at } of this.#all.sort((a, b) => a.at - b.at || a.tclass - b.tclass)) {
      const isNew = (source: string, target: string): boolean => {
        const key = `${target} ${tclass} ${name}`;
        let answers = known.get(key);
        if (answers === undefined) {
          answers = [];
          known.set(key, answers);
        }
        if (insertAnswer(answers, source, result.name) !== undefined) {
          this.#reportRepeated(at, places.get(`${source} ${key}`), { source, target, tclass, name });
          return false;
        }
        places.set(`${source} ${key}`, at);
        return true;
      };
      for (const source of sets.source.written) {
        if (!sets.target.written.every((target) => isNew(source, target))) return;
        // XEN: `self` beside a set that holds the source already counts as a repetition.
        if (sets.hasSelf && !isNew(source, source)) return;
      }
    }
  }

  /** The transitions that count, by target, class and name. */
  #byKey(): FilenameKey[] {
    const byKey = new Map<string, FilenameKey>();
    for (const { sets, tclass, name, result, at } of this.#counted.inOrder()) {
      const isNew = (source: number, target: number): boolean => {
        const text = `${target}:${tclass}:${name}`;
        let key = byKey.get(text);
        if (key === undefined) {
          key = { target, tclass, name, answers: [] };
          byKey.set(text, key);
        }
        const present = insertAnswer(key.answers, source, result.value);
        if (present === undefined || present === result.value) return true;
        const names = { source: typeName(this.#scope, source), target: typeName(this.#scope, target), tclass, name };
        this.#reportRepeated(at, undefined, names);
        return false;
      };
      for (const source of sets.source.values) {
        for (const target of sets.target.values) if (!isNew(source, target)) return [];
        if (sets.hasSelf && !isNew(source, source)) return [];
      }
    }
    return [...byKey.values()];
  }

  finish(): FilenameTransition[] {
    this.#checkWritten();
    const keys = this.#byKey();
    const mask = BigInt(tableSizeFor(FILENAME_BUCKETS, keys.length) - 1);
    const ordered = keys
      .map((key) => ({ key, bucket: Number(filenameHash(key) & mask) }))
      .sort(
        (a, b) =>
          a.bucket - b.bucket ||
          a.key.target - b.key.target ||
          a.key.tclass - b.key.tclass ||
          (a.key.name < b.key.name ? -1 : a.key.name > b.key.name ? 1 : 0),
      );
    return ordered.flatMap(({ key: { target, tclass, name, answers } }) =>
      answers.flatMap(({ result, sources }) =>
        [...sources].sort((a, b) => a - b).map((source) => ({ source, target, tclass, name, result })),
      ),
    );
  }
}

export class RangeTransitions {
  readonly #scope: Scope;
  readonly #rules: RuleCompiler;
  readonly #known = new Map<string, RangeTransition>();
  /** The statement that gave each transition. */
  readonly #places = new Map<string, Token>();

  constructor(scope: Scope, rules: RuleCompiler) {
    this.#scope = scope;
    this.#rules = rules;
  }

  /** Takes a rule. One that does not count is looked at, and forgotten. */
  add(node: Extract<Statement, { kind: 'range_transition' }>, counts: boolean): void {
    const scope = this.#scope;
    if (!scope.isMls) {
      scope.report(mls['needs-mls'](scope.origin(node.at), { statement: 'range_transition' }));
      return;
    }
    const sets = this.#rules.transitionSets(node.source, node.target, 'range_transition', false);
    const classes = transitionClasses(scope, node.classes, node.at, 'range_transition', this.#rules);
    const range = readRange(scope, node.range);
    if (sets === undefined || classes === undefined || range === undefined || !counts) return;
    checkRange(scope, node.range, range);
    const value = mlsRange(range.low, range.high);
    for (const source of sets.source.values) {
      for (const target of sets.target.values) {
        for (const tclass of classes) if (!this.#put({ source, target, tclass, range: value }, node.at)) return;
      }
    }
  }

  /** Keeps a transition; false, after a report, where another one gives a different range. */
  #put(one: RangeTransition, at: Token): boolean {
    const key = `${one.source}:${one.target}:${one.tclass}`;
    const old = this.#known.get(key);
    if (old === undefined) {
      this.#known.set(key, one);
      this.#places.set(key, at);
    } else if (
      !old.range.low.categories.equals(one.range.low.categories) ||
      old.range.low.sensitivity !== one.range.low.sensitivity ||
      !old.range.high.categories.equals(one.range.high.categories) ||
      old.range.high.sensitivity !== one.range.high.sensitivity
    ) {
      const scope = this.#scope;
      const names = {
        source: typeName(scope, one.source),
        target: typeName(scope, one.target),
        class: className(scope, one.tclass),
      };
      const extra = scope.earlier(this.#places.get(key), 'the earlier one is here');
      scope.report(policy['conflicting-range-transition'](scope.origin(at), names, extra));
      return false;
    }
    return true;
  }

  finish(): RangeTransition[] {
    const byKey = this.#known;
    const mask = tableSizeFor(RANGE_BUCKETS, byKey.size) - 1;
    const bucket = ({ source, target, tclass }: RangeTransition): number =>
      (source + (target << 3) + (tclass << 5)) & mask;
    return [...byKey.values()].sort(
      (a, b) => bucket(a) - bucket(b) || a.source - b.source || a.target - b.target || a.tclass - b.tclass,
    );
  }
}
