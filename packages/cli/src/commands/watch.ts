/**
 * `dewar watch`: follows the console ring of a real Xen, and prints each denial once, with what it means.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { commandsAsking, hypercallsAsking } from '@dewar/hypervisor';
import { denialNotes } from '@dewar/toolstack';
import { checkOf, parseAvcLines } from '@dewar/xen';
import { EXIT, RequestError } from '../failures.ts';
import { tablesOf, useRealHost } from '../host-session.ts';
import { byteText, coloursFor, printLine, safeLine, type Terminal } from '../terminal.ts';

/** How long to wait between two looks at the ring. */
const POLL_MS = 1000;
/** So many different denials are remembered; then the oldest may be told again. */
const REMEMBERED = 10_000;
/** So many commands are named. */
const COMMANDS_SHOWN = 6;

/** Follows the ring until it is interrupted, or for some seconds. */
export function runWatch(seconds: number | undefined, terminal: Terminal): Promise<number> {
  return useRealHost(terminal, async (host) => {
    const { out, err } = terminal;
    const colours = coloursFor(out);
    if ((await host.newLog()) === undefined)
      throw new RequestError(
        'dom0 may not read the console of Xen (`xen { readconsole }`), so there is nothing to watch',
      );
    printLine(err, `watching the console of Xen ${host.release}; Ctrl-C ends it`);
    const release = tablesOf(host.release);
    const seen = new Set<string>();
    const end = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000;
    while (Date.now() < end) {
      await delay(Math.min(POLL_MS, Math.max(0, end - Date.now())));
      for (const entry of parseAvcLines((await host.newLog()) ?? '')) {
        // Domain numbers change with each guest; what is denied does not.
        const key = [entry.source, entry.target, entry.class, ...entry.permissions].join(' ');
        if (entry.outcome !== 'denied' || seen.has(key)) continue;
        if (seen.size >= REMEMBERED) seen.delete([...seen][0] ?? '');
        seen.add(key);
        printLine(out, colours.strong(safeLine(byteText(entry.line))));
        for (const { message } of denialNotes(checkOf(entry, true)))
          if (message !== entry.line) printLine(out, `  ${safeLine(byteText(message))}`);
        for (const permission of entry.permissions) {
          const asking = hypercallsAsking(entry.class, permission, release).map(({ hypercall }) => hypercall);
          const commands = commandsAsking(entry.class, permission).map(({ command }) => command);
          if (asking.length > 0)
            printLine(out, `  \`${permission}\` is asked for by ${[...new Set(asking)].join(', ')}`);
          const rest = commands.length - COMMANDS_SHOWN;
          const shown = commands.slice(0, COMMANDS_SHOWN).join(', ');
          if (commands.length > 0) printLine(out, `  in ${shown}${rest > 0 ? `, and ${rest} more commands` : ''}`);
        }
      }
    }
    return EXIT.done;
  });
}
