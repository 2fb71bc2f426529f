/**
 * `dewar shutdown` and `dewar reboot` on a real host with `--wait`: guests take their time, or do not follow at all, so
 * what becomes of them is told as it happens, and the waiting can be ended.
 *
 * @module
 */
import type { Domid, OperationReport } from '@dewar/toolstack';
import type { XenHost } from '@dewar/xen';
import { EXIT } from '../failures.ts';
import { INTERRUPTED, useRealHost } from '../host-session.ts';
import { printLine, type Terminal } from '../terminal.ts';
import { answer, type RequestFlags } from './lifecycle.ts';

const nothing = (): void => undefined;

/**
 * Asks a guest, or all without a name, to stop, one after the other, and then waits for all of them. XEN:
 * `main_shutdown_or_reboot` of xl, which ends at the first guest that cannot be asked.
 */
export function stopAndWait(
  verb: 'shutdown' | 'reboot',
  name: string | undefined,
  { isForced, untilDeath }: { readonly isForced: boolean; readonly untilDeath: boolean },
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  const interruption = new AbortController();
  return useRealHost(
    terminal,
    async (host) => {
      const asked = new Map<Domid, OperationReport>();
      for (const { text, domid } of await guestsNamed(host, name)) {
        const report = await host[verb](text, { force: isForced });
        if (report.outcome === 'failed' || domid === undefined) return answer(report, flags, terminal, nothing);
        for (const message of report.xlMessages) printLine(terminal.err, message);
        asked.set(domid, report);
        if (interruption.signal.aborted) break;
      }
      const tell = (line: string): void => printLine(terminal.err, line);
      const left = await host.awaitEnds([...asked.keys()], { tell, signal: interruption.signal, untilDeath });
      // What libxl said has been printed.
      for (const [domid, report] of asked)
        answer({ ...report, xlMessages: [], domain: left.get(domid) }, flags, terminal, nothing);
      return interruption.signal.aborted ? INTERRUPTED : EXIT.done;
    },
    {
      words: 'interrupted: nobody waits any more; what was asked to stop may still do so',
      begin: () => interruption.abort(),
    },
  );
}

/** The guest that is named, by its name or its number, or all; with its number, if there is one. */
async function guestsNamed(
  host: XenHost,
  name: string | undefined,
): Promise<readonly { readonly text: string; readonly domid: Domid | undefined }[]> {
  const { value: domains = [] } = await host.list();
  if (name === undefined)
    return domains.filter(({ domid }) => domid !== 0).map(({ domid }) => ({ text: String(domid), domid }));
  const found = domains.find((one) => one.name === name || String(one.domid) === name);
  return [{ text: name, domid: found?.domid }];
}
