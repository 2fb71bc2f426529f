/**
 * Holds the build of a guest on a real host before the relabel, and shows what dom0 can see of it meanwhile.
 *
 * @module
 */
import { createInterface } from 'node:readline';
import type { ForeignMapProbe, OperationReport } from '@dewar/toolstack';
import type { XenHost } from '@dewar/xen';
import { printLine, type Terminal } from '../terminal.ts';

/** Waits until a line comes in, or the input ends. */
function enterPressed(): Promise<void> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin });
    lines.once('line', () => lines.close());
    lines.once('close', () => resolve());
  });
}

/** What happens while a build is held: dom0 tries to map a page, and then waits. */
export function holdBuild(
  host: XenHost,
  hold: number | 'enter',
  probes: OperationReport<ForeignMapProbe>[],
  terminal: Terminal,
): (domid: number) => Promise<void> {
  return async (domid) => {
    probes.push(await host.probeForeignMap(String(domid), 'read'));
    const until = hold === 'enter' ? 'until Enter is pressed' : `for ${hold} s`;
    printLine(terminal.err, `held: domain ${domid} is built, and keeps the label that it was built under ${until}`);
    if (hold === 'enter') await enterPressed();
    else await new Promise((resolve) => setTimeout(resolve, hold * 1000));
  };
}
