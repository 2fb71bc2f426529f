/**
 * Facts that are not the same on both sides.
 *
 * @module
 */
import { compareText } from './access-changes.ts';
import { FACT_KINDS, type Fact, type FactKind } from './policy-facts.ts';

/** What changed about a fact: words that came or went, or a word that became another. */
export type FactDetail =
  | { readonly what: string; readonly added: readonly string[]; readonly removed: readonly string[] }
  | { readonly what: string; readonly before: string | undefined; readonly after: string | undefined };

/** A fact of one side only, or one that is another on the other side. */
export interface FactChange {
  readonly change: 'added' | 'removed' | 'modified';
  readonly kind: FactKind;
  readonly name: string;
  /** Of a fact that was added or removed, all that there is about it. */
  readonly details: readonly FactDetail[];
}

const keyOf = ({ kind, name }: Fact): string => `${kind} ${name}`;

/** Facts by key; of several with one key, which constraints may be, the sets together. */
function byKey(facts: readonly Fact[]): Map<string, Fact> {
  const found = new Map<string, Fact>();
  for (const fact of facts) {
    const known = found.get(keyOf(fact));
    if (known === undefined) found.set(keyOf(fact), fact);
    else {
      const sets = Object.fromEntries(
        Object.entries(fact.sets).map(([what, words]) => [what, [...(known.sets[what] ?? []), ...words]]),
      );
      found.set(keyOf(fact), { ...known, sets: { ...known.sets, ...sets } });
    }
  }
  return found;
}

function detailsOf(old: Fact | undefined, next: Fact | undefined): FactDetail[] {
  const details: FactDetail[] = [];
  for (const what of new Set([...Object.keys(old?.sets ?? {}), ...Object.keys(next?.sets ?? {})])) {
    const [before, after] = [new Set(old?.sets[what] ?? []), new Set(next?.sets[what] ?? [])];
    const added = [...after].filter((word) => !before.has(word)).sort();
    const removed = [...before].filter((word) => !after.has(word)).sort();
    if (added.length > 0 || removed.length > 0) details.push({ what, added, removed });
  }
  for (const what of new Set([...Object.keys(old?.values ?? {}), ...Object.keys(next?.values ?? {})])) {
    const [before, after] = [old?.values[what], next?.values[what]];
    if (before !== after) details.push({ what, before, after });
  }
  return details;
}

/** The facts that differ, in the order of their kinds, then of their names. */
export function compareFacts(old: readonly Fact[], next: readonly Fact[]): FactChange[] {
  const [before, after] = [byKey(old), byKey(next)];
  const changes: FactChange[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [a, b] = [before.get(key), after.get(key)];
    const fact = b ?? a;
    if (fact === undefined) continue;
    const details = detailsOf(a, b);
    const change = a === undefined ? 'added' : b === undefined ? 'removed' : 'modified';
    if (change !== 'modified' || details.length > 0)
      changes.push({ change, kind: fact.kind, name: fact.name, details });
  }
  const rank = new Map(FACT_KINDS.map((kind, i) => [kind, i]));
  return changes.sort((a, b) => (rank.get(a.kind) ?? 0) - (rank.get(b.kind) ?? 0) || compareText(a.name, b.name));
}
