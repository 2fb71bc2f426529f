/**
 * The tables of checks, read backwards: who asks for a permission.
 *
 * Start reading at `hypercallsAsking` and `commandsAsking`.
 *
 * @module
 */
import { BASELINE_RELEASE, type XenReleaseName } from '@dewar/policy/releases';
import type { HypercallName } from '@dewar/toolstack';
import type { CheckRow, Endpoint } from './checks.ts';
import { checksOf } from './checks-by-release.ts';
import { XL_CHECK_CHANGES } from './xl-check-changes.ts';
import { XL_CHECKS } from './xl-checks.ts';

/** A hypercall that asks for a permission. */
export interface AskingHypercall {
  readonly hypercall: HypercallName;
  /** Whose label its checks of the permission have as their target, each once. */
  readonly targets: readonly Endpoint[];
  /** What a denial does to it. */
  readonly denial: CheckRow['denial'];
}

/** A check that a command of xl makes. */
export interface CommandCheck {
  /**
   * Whose label is the source: `dom0`, `guest`, `build-label` (the guest while it is built under another label), or a
   * channel of one of them.
   */
  readonly source: string;
  /** Whose label is the target: as for the source, or `guest-itself`, `xen`, `domxen`, `security`. */
  readonly target: string;
  readonly class: string;
  readonly permissions: readonly string[];
  readonly hypercall: string;
}

/** The hypercalls that ask for a permission in a release, in the order of the table. */
export function hypercallsAsking(
  className: string,
  permission: string,
  release: XenReleaseName = BASELINE_RELEASE,
): AskingHypercall[] {
  const found: AskingHypercall[] = [];
  // The keys of the table are the names of hypercalls.
  for (const [hypercall, rows] of Object.entries(checksOf(release)) as [HypercallName, readonly CheckRow[]][]) {
    const asking = rows.filter((one) => one.class === className && one.permissions.includes(permission));
    const [row] = asking;
    if (row === undefined) continue;
    found.push({ hypercall, targets: [...new Set(asking.map(({ target }) => target))], denial: row.denial });
  }
  return found;
}

function readCheck(text: string): CommandCheck {
  const [source = '', target = '', className = '', permissions = '', hypercall = ''] = text.split(' ');
  return { source, target, class: className, permissions: permissions.split('+'), hypercall };
}

/** What each command of xl asks for. */
type CommandTable = ReadonlyMap<string, readonly CommandCheck[]>;

const tables = new Map<XenReleaseName, CommandTable>();

/** The checks of each command in a release, read. */
function tableOf(release: XenReleaseName): CommandTable {
  const known = tables.get(release);
  if (known !== undefined) return known;
  const texts = new Map(Object.entries(XL_CHECKS).map(([command, checks]) => [command, new Set(checks)]));
  for (const { change, releases, commands } of XL_CHECK_CHANGES) {
    if (!releases.includes(release)) continue;
    const check = change.slice(2);
    for (const command of commands) {
      if (change.startsWith('+')) texts.get(command)?.add(check);
      else texts.get(command)?.delete(check);
    }
  }
  const table = new Map(Array.from(texts, ([command, checks]) => [command, Array.from(checks, readCheck)]));
  tables.set(release, table);
  return table;
}

/** All that a command of xl asks for in a release. */
export function checksOfCommand(command: string, release: XenReleaseName = BASELINE_RELEASE): readonly CommandCheck[] {
  return tableOf(release).get(command) ?? [];
}

/** The commands of xl that ask for a permission in a release, with those of their checks that do. */
export function commandsAsking(
  className: string,
  permission: string,
  release: XenReleaseName = BASELINE_RELEASE,
): { readonly command: string; readonly checks: readonly CommandCheck[] }[] {
  return Array.from(tableOf(release), ([command, all]) => {
    const checks = all.filter((one) => one.class === className && one.permissions.includes(permission));
    return { command, checks };
  }).filter(({ checks }) => checks.length > 0);
}
