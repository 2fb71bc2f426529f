/**
 * Transitions kept outside the access vector table: by file name, and of MLS ranges.
 *
 * Format: libsepol `policydb.c` (`filenametr_hash`, `rangetr_hash`), `expand.c` (`expand_filename_trans`, `copy_and_expand_range_trans`).
 *
 * @module
 */
import type { Statement, Token } from '../language/index.ts';
import { type FilenameTransition, type RangeTransition, tableSizeFor } from '../policydb/index.ts';
import { mls, policy } from './diagnostics.ts';
import { InParts } from './in-parts.ts';
import { mlsRange, readRange } from './mls.ts';
import { className, transitionClasses, typeName } from './roles-users.ts';
import type { RuleCompiler } from './rules.ts';
import type { Scope } from './scope.ts';

const FILENAME_BUCKETS = 1024;
const RANGE_BUCKETS = 256;

interface FilenameKey {
  readonly target: number;
  readonly tclass: number;
  readonly name: string;
  /** Sources by result type, in the order of first appearance. */
  readonly results: { readonly result: number; readonly sources: number[] }[];
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

export class FilenameTransitions {
  readonly #scope: Scope;
  readonly #rules: RuleCompiler;
  /** The statement that gave each transition. */
  readonly #known = new Map<string, Token>();
  /** For each statement and class; a statement's classes ascending. */
  readonly #rows: InParts<FilenameTransition[]> = new InParts();

  constructor(scope: Scope, rules: RuleCompiler) {
    this.#scope = scope;
    this.#rules = rules;
  }

  /** Takes a rule. One that does not count is forgotten, but must not be repeated either. */
  add(node: Extract<Statement, { kind: 'filename-transition' }>, counts: boolean): void {
    const scope = this.#scope;
    const sets = this.#rules.transitionSets(node.source, node.target, 'type_transition', true);
    const classes = this.#rules.classes(node.classes, 'type_transition');
    const result = this.#rules.filenameResult(node.result);
    const name = scope.word(node.name);
    if (sets === undefined || result === undefined) return;
    for (const { value: tclass } of classes) {
      const rows: FilenameTransition[] = [];
      const pair = (source: number, target: number): boolean => {
        const key = `${source}:${target}:${tclass}:${name}`;
        if (this.#known.has(key)) {
          const names = {
            source: typeName(scope, source),
            target: typeName(scope, target),
            class: className(scope, tclass),
            name,
          };
          const extra = scope.earlier(this.#known.get(key), 'the earlier one is here');
          scope.report(policy['duplicate-filename-transition'](scope.origin(node.at), names, extra));
          return false;
        }
        this.#known.set(key, node.at);
        rows.push({ source, target, tclass, name, result });
        return true;
      };
      for (const source of sets.sources) {
        for (const target of sets.targets) if (!pair(source, target)) return;
        // XEN: `self` beside a set that holds the source already counts as a repetition.
        if (sets.hasSelf && !pair(source, source)) return;
      }
      if (counts) this.#rows.add(rows);
    }
  }

  /** Ends the rules of one part of the policy: what is outside of optional blocks, or one block. */
  endPart(): void {
    this.#rows.endPart();
  }

  finish(): FilenameTransition[] {
    const byKey = new Map<string, FilenameKey>();
    for (const rows of this.#rows.inOrder()) {
      for (const { source, target, tclass, name, result } of rows) {
        const text = `${target}:${tclass}:${name}`;
        let key = byKey.get(text);
        if (key === undefined) {
          key = { target, tclass, name, results: [] };
          byKey.set(text, key);
        }
        const known = key.results.find((one) => one.result === result);
        if (known === undefined) key.results.push({ result, sources: [source] });
        else known.sources.push(source);
      }
    }
    const mask = BigInt(tableSizeFor(FILENAME_BUCKETS, byKey.size) - 1);
    const ordered = [...byKey.values()]
      .map((key) => ({ key, bucket: Number(filenameHash(key) & mask) }))
      .sort(
        (a, b) =>
          a.bucket - b.bucket ||
          a.key.target - b.key.target ||
          a.key.tclass - b.key.tclass ||
          (a.key.name < b.key.name ? -1 : a.key.name > b.key.name ? 1 : 0),
      );
    return ordered.flatMap(({ key: { target, tclass, name, results } }) =>
      results.flatMap(({ result, sources }) =>
        sources.sort((a, b) => a - b).map((source) => ({ source, target, tclass, name, result })),
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
    const value = mlsRange(range.low, range.high);
    for (const source of sets.sources) {
      for (const target of sets.targets) {
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
