/**
 * Devices, consoles and debug keys: printed as xl prints them.
 *
 * @module
 */
import { CONSOLE_TYPES, sbdfText } from '@dewar/toolstack';
import { EXIT, UsageError } from '../failures.ts';
import { print, printLine, type Terminal } from '../terminal.ts';
import { type RequestFlags, request } from './lifecycle.ts';

export function runPciList(domain: string, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.pciList(domain),
    (devices) => {
      // XEN: without a device there is no title.
      if (devices === undefined || devices.length === 0) return;
      printLine(terminal.out, 'Vdev Device');
      for (const { sbdf, slot } of devices) {
        printLine(terminal.out, `${slot.toString(16).padStart(2, '0')}.0 ${sbdfText(sbdf)}`);
      }
    },
  );
}

/** What the command line says of a console. */
export interface ConsoleWords {
  readonly type: string | undefined;
  readonly number: string | undefined;
}

export function runConsole(
  domain: string,
  { type: word, number: digits = '0' }: ConsoleWords,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  const type = CONSOLE_TYPES.find((one) => one === word);
  if (word !== undefined && type === undefined) {
    printLine(terminal.err, `console type supported are: ${CONSOLE_TYPES.join(', ')}`);
    return Promise.resolve(EXIT.problem);
  }
  // XEN: atoi(): what is no number is 0.
  const number = Number(/^\s*[0-9]{1,5}/.exec(digits)?.[0] ?? 0);
  return request(
    flags,
    terminal,
    (host, real) => {
      if (real !== undefined && flags.isJson) throw new UsageError('what a guest writes to its console is no JSON');
      return host.console(domain, { number, ...(type === undefined ? {} : { type }) });
    },
    (found) => {
      // On a real host the console was there, and has ended.
      if (found !== undefined) print(terminal.out, found.text);
    },
  );
}

/** A number in a column. */
const right = (value: number, width: number): string => String(value).padStart(width);
const left = (value: string | number, width: number): string => String(value).padEnd(width);

/** The lines of `xl block-list`. XEN: `tools/xl/xl_block.c`, `main_blocklist`. */
export function runBlockList(domains: readonly string[], flags: RequestFlags, terminal: Terminal): Promise<number> {
  const line = (columns: readonly (string | number)[]): void => {
    const widths = [5, 3, 6, 5, 6, 8, 30];
    printLine(terminal.out, columns.map((column, place) => left(column, widths[place] ?? 0)).join(' '));
  };
  return request(
    flags,
    terminal,
    (host) => host.blockList(domains),
    (disks) => {
      line(['Vdev', 'BE', 'handle', 'state', 'evt-ch', 'ring-ref', 'BE-path']);
      for (const { devid, backend, domid, state, eventChannel, ringRef, backendPath } of disks ?? []) {
        line([devid, backend, domid, state, eventChannel, ringRef, backendPath]);
      }
    },
  );
}

/** The lines of `xl network-list`. XEN: `tools/xl/xl_nic.c`, `main_networklist`. */
export function runNetworkList(domains: readonly string[], flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.networkList(domains),
    (cards) => {
      const title = [
        left('Mac Addr.', 17),
        left('handle', 6),
        left('state', 5),
        left('evt-ch', 6),
        '  tx-/rx-ring-ref',
      ];
      printLine(terminal.out, `Idx BE ${title.join(' ')} ${left('BE-path', 30)}`);
      for (const { devid, backend, mac, state, eventChannel, txRingRef, rxRingRef, backendPath } of cards ?? []) {
        const start = `${left(devid, 3)} ${left(backend, 2)} ${mac}${right(devid, 6)}`;
        const rings = `${right(txRingRef, 5)}/${left(rxRingRef, 11)}`;
        const rest = [right(state, 5), right(eventChannel, 6), rings, left(backendPath, 30)];
        printLine(terminal.out, [start, ...rest].join(' '));
      }
    },
  );
}

export function runAssignableList(withNames: boolean, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.pciAssignableList(),
    (devices) => {
      // XEN: the blank stands there with or without a name.
      for (const { sbdf, name } of devices ?? []) {
        printLine(terminal.out, `${sbdfText(sbdf)} ${withNames ? (name ?? '') : ''}`);
      }
    },
  );
}
