/** What `lint/repeated-rule` tells of can be taken out, all together, and the policy decides the same. */
import { comparePolicies } from '@dewar/policy/analysis';
import { type CompileOptions, compileText } from '@dewar/policy/compiler';
import { lintPolicy } from '@dewar/policy/linter';
import { type PolicyDb, readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { type Diagnostic, hasErrors, SourceText } from '@dewar/policy/text';
import { expect, test } from 'vitest';
import { generatePolicy } from '../checkpolicy/generator/generate.ts';

const release = xenRelease('4.17');

/** Seeds whose policies together have a few dozen repeated rules. */
const SEEDS = Array.from({ length: 40 }, (_, i) => 100 + i);

function read(bytes: Uint8Array): PolicyDb {
  const found = readPolicydb(bytes);
  if ('diagnostic' in found) throw new Error(found.diagnostic.message);
  return found.policy;
}

/** A text without what the findings take away from it. */
function withoutThem({ text }: SourceText, found: readonly Diagnostic[]): string {
  return found
    .flatMap(({ fixes }) => fixes[0]?.edits ?? [])
    .toSorted((a, b) => b.span.start - a.span.start)
    .reduce((left, { span, newText }) => left.slice(0, span.start) + newText + left.slice(span.end), text);
}

test('generated policies mean the same without them', () => {
  let taken = 0;
  for (const seed of SEEDS) {
    const { text, isMls } = generatePolicy(seed);
    const source = new SourceText('policy.conf', text);
    const options: CompileOptions = { isMls };
    const before = compileText(source, options);
    if (before.bytes === undefined || hasErrors(before.diagnostics)) continue;
    const old = read(before.bytes);
    const found = lintPolicy({ policy: old, compiled: before, release }, { only: ['repeated-rule'] });
    if (found.length === 0) continue;
    taken += found.length;
    const after = compileText(new SourceText('policy.conf', withoutThem(source, found)), options);
    const told = after.diagnostics.map(({ message }) => message);
    expect({ seed, told: after.bytes === undefined ? told : [] }).toEqual({ seed, told: [] });
    const next = read(after.bytes ?? new Uint8Array());
    const { isSame } = comparePolicies({ policy: old, version: 30 }, { policy: next, version: 30 });
    expect({ seed, isSame }).toEqual({ seed, isSame: true });
    const again = lintPolicy({ policy: next, compiled: after, release }, { only: ['repeated-rule'] });
    expect({ seed, left: again.map(({ message }) => message) }).toEqual({ seed, left: [] });
  }
  expect(taken).toBeGreaterThan(20);
}, 120_000);
