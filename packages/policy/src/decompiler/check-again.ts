/**
 * Whether a decompiled policy, compiled again, is the policy that it was. This is the last word: a binary can hold flags
 * that the reader does not keep, so that the decompiler cannot know of them.
 *
 * @module
 */
import type { Diagnostic } from '../text/index.ts';
import { decompile } from './diagnostics.ts';

/** What the compiler made of the text. */
interface Recompiled {
  readonly bytes: Uint8Array | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** What is wrong with a decompiled text, now that it was compiled again; undefined where the bytes are the same. */
export function checkRecompiled(original: Uint8Array, { bytes, diagnostics }: Recompiled): Diagnostic | undefined {
  if (bytes === undefined) {
    const first = diagnostics.find(({ severity }) => severity === 'error');
    return decompile['not-compiled'](undefined, { why: first?.message ?? 'no reason is given' });
  }
  const length = Math.max(bytes.length, original.length);
  for (let offset = 0; offset < length; offset++)
    if (bytes[offset] !== original[offset]) return decompile['other-bytes'](undefined, { offset });
  return undefined;
}
