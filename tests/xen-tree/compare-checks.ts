/**
 * Holds the checks of a release against the hooks of its sources.
 *
 * Run it on any tree: `npx tsx tests/xen-tree/compare-checks.ts RELEASE TREE [RELEASE TREE …]`.
 *
 * @module
 */
import { CHECK_DIFFERENCES, checksOf } from '@dewar/hypervisor';
import { isXenRelease, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import type { HypercallName } from '@dewar/toolstack';
import { hookChecks } from './hook-checks.ts';

/** What the table says and the sources say, where they are not at one. */
export interface CheckMismatch {
  readonly hypercall: string;
  readonly ours: string;
  readonly theirs: string;
}

/** Every domctl and sysctl of the table that FLASK's own switch answers, and how often they agreed. */
export function compareChecks(
  name: XenReleaseName,
  tree: string,
): { readonly compared: number; readonly mismatches: readonly CheckMismatch[] } {
  const { domctl, sysctl, shadow } = hookChecks(tree, xenRelease(name));
  const mismatches: CheckMismatch[] = [];
  let compared = 0;
  for (const [hypercall, rows] of Object.entries(checksOf(name))) {
    const difference = CHECK_DIFFERENCES.find((one) => one.hypercall === hypercall && one.releases.includes(name));
    const isAbsent = difference?.instead === 'nothing';
    const called =
      difference === undefined || isAbsent || difference.instead === 'the same' ? hypercall : difference.instead;
    const [kind = '', request = '', operation] = called.split('.');
    if (kind !== 'domctl' && kind !== 'sysctl') continue;
    // The operations of the scheduler have a hook of their own.
    if (request === 'scheduler_op') continue;
    const table = request === 'shadow_op' ? shadow : kind === 'domctl' ? domctl : sysctl;
    const label = request === 'shadow_op' ? (operation ?? '') : request;
    const theirs = table.has(label) ? (table.get(label) ?? 'a hook of its own') : 'unknown';
    if (theirs === 'a hook of its own') continue;
    compared++;
    const ours = isAbsent ? 'unknown' : `${rows[0]?.class} ${rows[0]?.permissions.join(' ')}`;
    if (ours !== theirs) mismatches.push({ hypercall, ours, theirs });
  }
  return { compared, mismatches };
}

/** The hypercalls that `compareChecks` can look up; the others are checked where they are carried out. */
export type ComparedName = Extract<HypercallName, `domctl.${string}` | `sysctl.${string}`>;

if (process.argv[1]?.endsWith('compare-checks.ts') === true) {
  const words = process.argv.slice(2);
  for (let i = 0; i + 1 < words.length; i += 2) {
    const [name = '', tree = ''] = words.slice(i, i + 2);
    if (!isXenRelease(name)) throw new Error(`${name} is no release`);
    const { compared, mismatches } = compareChecks(name, tree);
    console.log(`Xen ${name}: ${compared} compared, ${mismatches.length} different`);
    for (const { hypercall, ours, theirs } of mismatches) console.log(`  ${hypercall}: ${ours}, and Xen ${theirs}`);
  }
}
