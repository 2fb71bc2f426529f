/**
 * The rules about rules that a fix would break.
 *
 * @module
 */

import { isAbout } from '../analysis/index.ts';
import { ruleOrigin } from '../compiler/index.ts';
import { AVRULE_NEVERALLOW } from '../policydb/index.ts';
import type { Origin } from '../text/index.ts';
import type { PairBits } from './macro-calls.ts';
import type { Subject } from './subject.ts';

/** A `neverallow` rule that forbids what a fix would give. */
export interface BrokenNeverallow {
  readonly origin: Origin;
  readonly pair: PairBits;
}

/** The `neverallow` rules that forbid some of the permissions, each once. A binary has none. */
export function brokenNeverallows({ source }: Subject, gives: readonly PairBits[]): BrokenNeverallow[] {
  const policy = source?.compiled.policy;
  if (source === undefined || policy === undefined) return [];
  const { rules } = policy;
  const found = new Map<number, BrokenNeverallow>();
  for (let row = 0; row < rules.length; row++) {
    if (rules.kind[row] !== AVRULE_NEVERALLOW) continue;
    const statement = rules.statement[row] ?? 0;
    if (found.has(statement)) continue;
    for (const pair of gives) {
      const bits = (pair.bits & (rules.data[row] ?? 0)) >>> 0;
      if (bits === 0 || rules.tclass[row] !== pair.tclass) continue;
      if (!isAbout(policy, rules, row, pair.source, pair.target)) continue;
      found.set(statement, { origin: ruleOrigin(source.compiled, statement), pair: { ...pair, bits } });
      break;
    }
  }
  return [...found.values()];
}
