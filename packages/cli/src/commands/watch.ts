/**
 * `dewar watch`: follows the console ring of a real Xen, and prints each denial once, with what it means.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { commandsAsking, hypercallsAsking } from '@dewar/hypervisor';
import type { XenReleaseName } from '@dewar/policy/releases';
import { denialNotes } from '@dewar/toolstack';
import { type AvcEntry, checkOf, parseAvcLines } from '@dewar/xen';
import { EXIT, RequestError } from '../failures.ts';
import { tablesOf, useRealHost } from '../host-session.ts';
import { byteText, coloursFor, printLine, safeLine, type Terminal } from '../terminal.ts';

/** How long to wait between two looks at the ring. */
const POLL_MS = 1000;
/** So many different denials are remembered; then the oldest may be told again. */
const REMEMBERED = 10_000;
/** So many commands are named. */
const COMMANDS_SHOWN = 6;

/** Tells of one denial. */
function tell(entry: AvcEntry, isEnforcing: boolean, release: XenReleaseName, { out }: Terminal): void {
  const colours = coloursFor(out);
  printLine(out, colours.strong(safeLine(byteText(entry.line))));
  if (!isEnforcing) printLine(out, '  FLASK is permissive: what was denied was done nevertheless');
  for (const { message } of denialNotes(checkOf(entry, isEnforcing)))
    if (message !== entry.line) printLine(out, `  ${safeLine(byteText(message))}`);
  for (const permission of entry.permissions) {
    const asking = hypercallsAsking(entry.class, permission, release).map(({ hypercall }) => hypercall);
    const commands = commandsAsking(entry.class, permission, release).map(({ command }) => command);
    if (asking.length > 0) printLine(out, `  \`${permission}\` is asked for by ${[...new Set(asking)].join(', ')}`);
    const rest = commands.length - COMMANDS_SHOWN;
    const shown = commands.slice(0, COMMANDS_SHOWN).join(', ');
    if (commands.length > 0) printLine(out, `  in ${shown}${rest > 0 ? `, and ${rest} more commands` : ''}`);
  }
}

/** Follows the ring until it is interrupted, or for some seconds. */
export function runWatch(seconds: number | undefined, terminal: Terminal): Promise<number> {
  return useRealHost(terminal, async (host) => {
    const { err } = terminal;
    const log = host.followLog();
    if (!(await log.skip()))
      throw new RequestError(
        'dom0 may not read the console of Xen (`xen { readconsole }`), so there is nothing to watch',
      );
    printLine(err, `watching the console of Xen ${host.release}; Ctrl-C ends it`);
    const release = tablesOf(host.version);
    const seen = new Set<string>();
    const end = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000;
    for (let isLast = false; !isLast; ) {
      await delay(Math.min(POLL_MS, Math.max(0, end - Date.now())));
      isLast = Date.now() >= end;
      const { text = '', lost = 0 } = (await log.next()) ?? {};
      if (lost > 0)
        printLine(
          err,
          `note: ${lost} characters of the console were gone before they could be read, and denials perhaps`,
        );
      const fresh = parseAvcLines(text).filter((entry) => {
        // Domain numbers change with each guest; what is denied does not.
        const key = [entry.source, entry.target, entry.class, ...entry.permissions].join(' ');
        if (entry.outcome !== 'denied' || seen.has(key)) return false;
        if (seen.size >= REMEMBERED) seen.delete([...seen][0] ?? '');
        seen.add(key);
        return true;
      });
      if (fresh.length === 0) continue;
      const isEnforcing = (await host.getenforce()).value !== false;
      for (const entry of fresh) tell(entry, isEnforcing, release, terminal);
    }
    return EXIT.done;
  });
}
