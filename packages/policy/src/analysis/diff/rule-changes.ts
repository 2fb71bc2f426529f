/**
 * The same comparison rule by rule, as `sediff` gives it: of each kind, condition, source, target and class what the two
 * sides have. Rules in a conditional block say nothing that a rule outside of them says too.
 *
 * @module
 */

import { compareText } from './access-changes.ts';
import type { AccessRow } from './access-rows.ts';
import { ALWAYS } from './conditions.ts';
import type { EntryKind } from './entry-table.ts';
import type { SharedNames } from './shared-names.ts';

/** One rule that is not the same on both sides. */
export interface RuleChange {
  readonly change: 'added' | 'removed' | 'modified';
  readonly kind: EntryKind;
  readonly source: string;
  readonly target: string;
  readonly class: string;
  /** Undefined outside of conditional blocks. */
  readonly condition: string | undefined;
  /** Permissions, or the one type that a type rule gives, that both sides have; then those of one side only. */
  readonly both: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Gathers rules that differ. */
export class RuleCollector {
  readonly found: RuleChange[] = [];
  readonly #shared: SharedNames;

  constructor(shared: SharedNames) {
    this.#shared = shared;
  }

  visit({ source, kind, tclass, targets, width, layers }: AccessRow): void {
    const [base] = layers;
    for (const layer of layers) {
      for (let i = 0; i < targets.length; i++) {
        let old: string[] = [];
        let next: string[] = [];
        for (let page = 0; page < width; page++) {
          const word = i * width + page;
          const hidden = layer.condition !== ALWAYS;
          const before = ((layer.old[word] ?? 0) & ~(hidden ? (base?.old[word] ?? 0) : 0)) >>> 0;
          const after = ((layer.new[word] ?? 0) & ~(hidden ? (base?.new[word] ?? 0) : 0)) >>> 0;
          old = old.concat(this.#shared.permissions(tclass, page, before));
          next = next.concat(this.#shared.permissions(tclass, page, after));
        }
        this.add({ kind, source, target: targets[i] ?? 0, tclass, condition: layer.condition }, old, next);
      }
    }
  }

  /** Adds a rule, if its sides differ. */
  add(
    rule: {
      readonly kind: EntryKind;
      readonly source: number;
      readonly target: number;
      readonly tclass: number;
      readonly condition: number;
    },
    old: readonly string[],
    next: readonly string[],
  ): void {
    const added = next.filter((name) => !old.includes(name)).sort();
    const removed = old.filter((name) => !next.includes(name)).sort();
    if (added.length === 0 && removed.length === 0) return;
    const { types, classes, conditions } = this.#shared;
    this.found.push({
      change: old.length === 0 ? 'added' : next.length === 0 ? 'removed' : 'modified',
      kind: rule.kind,
      source: types[rule.source]?.name ?? '',
      target: types[rule.target]?.name ?? '',
      class: classes[rule.tclass]?.name ?? '',
      condition: rule.condition === ALWAYS ? undefined : conditions.text(rule.condition),
      both: next.filter((name) => old.includes(name)).sort(),
      added,
      removed,
    });
  }

  /** The rules, those of a kind together. */
  result(): RuleChange[] {
    const key = (rule: RuleChange): string =>
      `${rule.kind} ${rule.change} ${rule.source} ${rule.target} ${rule.class} ${rule.condition ?? ''}`;
    return this.found
      .map((rule) => ({ rule, key: key(rule) }))
      .sort((a, b) => compareText(a.key, b.key))
      .map(({ rule }) => rule);
  }
}
