/**
 * Reads Xen's own account of its decisions out of the console ring.
 *
 * Follows: Xen `xen/xsm/flask/avc.c`, `avc_audit`.
 *
 * @module
 */
import { readLog } from '@dewar/policy/explain';
import type { CheckRecord, Domid } from '@dewar/toolstack';
import type { LogSource } from './log-follower.ts';

/** One avc line. */
export interface AvcEntry {
  readonly outcome: 'denied' | 'granted';
  readonly permissions: readonly string[];
  readonly source: string;
  readonly target: string;
  readonly class: string;
  readonly sourceDomid: number | undefined;
  readonly targetDomid: number | undefined;
  /** The line without what the console puts before it. */
  readonly line: string;
}

/** A domain by its number; Xen's own domains have names. */
function domidOf(text: string | undefined): number | undefined {
  return text === undefined || !/^\d{1,5}$/.test(text) ? undefined : Number(text);
}

/** The avc lines in a piece of the console ring, in order. */
export function parseAvcLines(text: string): AvcEntry[] {
  const raw = text.split('\n');
  return readLog(text).lines.flatMap((one): AvcEntry[] => {
    if (one.kind !== 'avc') return [];
    const whole = raw[one.line - 1] ?? '';
    const sourceDomid = domidOf(one.sourceDomain) ?? domidOf(one.currentDomain);
    return [
      {
        outcome: one.outcome,
        permissions: one.permissions,
        source: String(one.source),
        target: String(one.target),
        class: one.class,
        sourceDomid,
        // XEN: a check of a domain on itself names it once.
        targetDomid: domidOf(one.targetDomain) ?? sourceDomid,
        line: whole.slice(Math.max(0, whole.indexOf('avc:'))).trimEnd(),
      },
    ];
  });
}

/** The entry as a check of a report. Whether it was enforced is not in the line. */
export function checkOf(entry: AvcEntry, isEnforcing: boolean): CheckRecord {
  const isDenied = entry.outcome === 'denied';
  // Xen prints domain numbers.
  const domid = (number: number | undefined): Domid | undefined => number as Domid | undefined;
  return {
    class: entry.class,
    permissions: entry.permissions,
    source: entry.source,
    target: entry.target,
    outcome: entry.outcome,
    denied: isDenied ? entry.permissions : [],
    isEnforced: isDenied && isEnforcing,
    sourceDomid: domid(entry.sourceDomid),
    targetDomid: domid(entry.targetDomid),
    avcLine: entry.line,
    isContinuation: false,
    count: 1,
  };
}

/**
 * The checks that Xen has logged since somebody read this log last, and how many characters of it were gone by then;
 * undefined where dom0 may not read the console. Denials are told as if Xen were enforcing.
 */
export async function loggedChecks(
  log: LogSource,
): Promise<{ readonly checks: readonly CheckRecord[]; readonly lost: number } | undefined> {
  const piece = await log.read();
  return piece && { checks: parseAvcLines(piece.text).map((entry) => checkOf(entry, true)), lost: piece.lost };
}
