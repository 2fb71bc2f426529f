/**
 * `xl -N block-attach` and `xl -N network-attach`: the device as libxl would get it, and nothing attached.
 *
 * Follows Xen `tools/xl/xl_block.c`, `main_blockattach`, and `tools/xl/xl_nic.c`, `main_networkattach`.
 *
 * @module
 */
import { useAnyHost } from '../host-session.ts';
import { byteText, print, printLine } from '../terminal.ts';
import type { XlCall } from './xl-call.ts';

const FAILURE = 1;

/** What xl calls each kind, and whether it says what came of the search for the domain. */
const KINDS = { disk: { word: 'disk', rc: '' }, nic: { word: 'vif', rc: ' (rc=-6)' } } as const;

/** Prints it; xl looks for the domain first. */
export async function dryAttach(kind: keyof typeof KINDS, { words, flags, terminal }: XlCall): Promise<number> {
  const [domain = '', ...parts] = words;
  const { word, rc } = KINDS[kind];
  const { deviceJson, readDiskWords, readNicWords } = await import('@dewar/toolstack/xl-cfg');
  return useAnyHost(flags, terminal, async ({ host }) => {
    const isKnown = /^[0-9]+$/.test(domain) || (await host.list()).value?.some(({ name }) => name === domain) === true;
    if (!isKnown) {
      printLine(terminal.err, `${domain} is an invalid domain identifier${rc}`);
      return FAILURE;
    }
    const bytes = parts.map(byteText);
    const { device, messages, exitCode } = kind === 'disk' ? readDiskWords(bytes) : readNicWords(bytes);
    for (const message of messages) printLine(terminal.err, message);
    if (device === undefined) return exitCode;
    // XEN: the JSON ends with a line end of its own.
    print(terminal.out, `${word}: ${deviceJson(device)}\n`);
    return 0;
  });
}
