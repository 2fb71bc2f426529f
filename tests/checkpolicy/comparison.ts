/**
 * One policy, compiled by both: what came of it.
 *
 * @module
 */
import { compileText } from '@dewar/policy/compiler';
import { renderDiagnostic, SourceText } from '@dewar/policy/text';
import type { ReferenceTool } from '@dewar/testkit';
import { askCheckpolicy, type Settings } from './checkpolicy.ts';
import type { GeneratedPolicy } from './generator/generate.ts';

/** What came of a policy. */
export type Comparison =
  | { readonly kind: 'equal' }
  | { readonly kind: 'refused'; readonly why: string }
  /** checkpolicy crashed or did not end: there is nothing to compare with. */
  | { readonly kind: 'broken' }
  | { readonly kind: 'different'; readonly what: string; readonly ours: string; readonly theirs: string };

function firstDifference(a: Uint8Array, b: Uint8Array): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return `bytes differ from 0x${at.toString(16)} on; lengths ${a.length} and ${b.length}`;
}

/** What a seed is compiled with: every third at version 24, every fourth optimized. */
export function settingsOf(seed: number, { isMls }: GeneratedPolicy): Settings {
  return { version: seed % 3 === 0 ? 24 : 30, isMls, isOptimized: seed % 4 === 1 };
}

/** The first line of checkpolicy's complaint, without the names in it. */
function complaint(errors: string): string {
  const line = errors.split('\n').find((text) => /ERROR|libsepol\.|Error/.test(text) && !text.includes('WARNING'));
  return (line ?? '').replace(/^.*ERROR/, 'ERROR').replaceAll(/ at token.*$/g, '');
}

/** Compiles a policy with both. */
export function comparePolicy(tool: ReferenceTool, { text }: GeneratedPolicy, settings: Settings): Comparison {
  const { outcome, bytes: theirs, errors } = askCheckpolicy(tool, text, settings);
  const { bytes: ours, diagnostics } = compileText(new SourceText('policy.conf', text), settings);
  if (outcome === 'broken') return { kind: 'broken' };
  const found = diagnostics.filter(({ severity }) => severity === 'error');
  if (ours === undefined && theirs === undefined) return { kind: 'refused', why: complaint(errors) };
  if (ours !== undefined && theirs !== undefined) {
    if (Buffer.from(ours).equals(theirs)) return { kind: 'equal' };
    return { kind: 'different', what: firstDifference(ours, theirs), ours: '', theirs: '' };
  }
  return {
    kind: 'different',
    what: ours === undefined ? 'refused by Dewar only' : 'refused by checkpolicy only',
    ours: found
      .slice(0, 3)
      .map((one) => renderDiagnostic(one))
      .join('\n'),
    theirs: errors.slice(0, 600),
  };
}
