/**
 * What must hold of every binary, however hostile: it is read or refused with a place, and what was read can be used.
 *
 * @module
 */
import { searchRules } from '@dewar/policy/analysis';
import { decompilePolicy, policyInfo } from '@dewar/policy/decompiler';
import { readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { SecurityServer } from '@dewar/policy/security-server';

/** What became of a binary. */
export interface Examination {
  readonly isRead: boolean;
  readonly isLoaded: boolean;
  /** What must not be: undefined where all is well. */
  readonly fault: string | undefined;
}

/** No binary of the size of these may keep a reader busy longer; the machine may be a slow one. */
const MAX_MILLISECONDS = 20_000;

/** Puts a binary through everything that takes binaries. */
export function examine(bytes: Uint8Array): Examination {
  let isRead = false;
  let isLoaded = false;
  const start = performance.now();
  const faults: string[] = [];
  let step = 'reading';
  try {
    const read = readPolicydb(bytes);
    if ('diagnostic' in read) {
      const place = /, at byte (\d+)$/.exec(read.diagnostic.message)?.[1];
      if (place === undefined) faults.push(`a diagnostic without a place: ${read.diagnostic.message}`);
      else if (Number(place) > bytes.length) faults.push(`a place behind the end: ${read.diagnostic.message}`);
      if (/[^\x20-\x7e…]/.test(read.diagnostic.message)) faults.push('a diagnostic that is not safe to print');
    } else {
      isRead = true;
      const { policy, version } = read;
      step = 'decompiling';
      const { text, diagnostics } = decompilePolicy(policy, { version });
      // Every entry and symbol gives a bounded number of words, however the entries are put together.
      if (text.length > 2_000_000 + 400 * bytes.length) faults.push(`a text of ${text.length} characters`);
      if (diagnostics.some(({ message }) => /[^\x20-\x7e]/.test(message)))
        faults.push('a diagnostic of the decompiler that is not safe to print');
      step = 'describing';
      policyInfo(policy, version);
      step = 'searching';
      searchRules(policy, { kinds: ['allow', 'type_transition', 'role_allow', 'range_transition'] });
      step = 'loading';
      isLoaded = new SecurityServer({ release: xenRelease('4.17') }).loadPolicy(bytes).kind === 'loaded';
    }
  } catch (error) {
    faults.push(`${step}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  const spent = performance.now() - start;
  if (spent > MAX_MILLISECONDS) faults.push(`${step} took ${Math.round(spent)} ms`);
  return { isRead, isLoaded, fault: faults[0] };
}
