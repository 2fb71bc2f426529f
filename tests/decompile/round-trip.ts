/**
 * One round trip: a policy's bytes, its text, and the bytes of the text.
 *
 * @module
 */
import { compileText } from '@dewar/policy/compiler';
import { checkRecompiled, decompilePolicy } from '@dewar/policy/decompiler';
import { readPolicydb } from '@dewar/policy/policydb';
import { renderDiagnostic, SourceText } from '@dewar/policy/text';

/** What is wrong with the round trip of a binary; empty where the bytes came back. */
export function roundTripFaults(bytes: Uint8Array): string[] {
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) return [renderDiagnostic(read.diagnostic)];
  const { policy, version } = read;
  const { text, diagnostics } = decompilePolicy(policy, { version });
  const { isMls, handleUnknown } = policy;
  const again = compileText(new SourceText('policy.conf', text), { version, isMls, handleUnknown });
  const changed = checkRecompiled(bytes, again);
  return [...diagnostics, ...(changed === undefined ? [] : [changed])].map((one) => renderDiagnostic(one));
}
