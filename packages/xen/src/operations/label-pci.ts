/**
 * `flask-label-pci` on a real host: what belongs to a PCI device, from what Linux tells in files; the labels, through
 * libxenctrl.
 *
 * Follows Xen `tools/flask/utils/label-pci.c`, and Linux `drivers/pci/pci-sysfs.c`.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import {
  guestDiagnostics,
  LABELLED_ALREADY,
  labelledParts,
  labelRefusal,
  type OperationReport,
  type PciLabel,
  parseSbdf,
  sbdfText,
} from '@dewar/toolstack';
import type { HelperFailure } from '../protocol.ts';
import type { RealOperation } from './real-operation.ts';

/** Linux `include/linux/ioport.h`. */
const IORESOURCE_IO = 0x100n;
const IORESOURCE_MEM = 0x200n;
const PAGE_SHIFT = 12n;

/** What belongs to a device: its ranges of ports and of frames, and its interrupt line. */
interface Resources {
  readonly ports: readonly { readonly first: number; readonly count: number }[];
  readonly frames: readonly { readonly first: number; readonly count: number }[];
  readonly irq: number | undefined;
}

/** A file of a device, which is small. */
type ReadFile = (name: string) => string;

/** Reads what Linux tells of a device. `read` throws where there is no such file. */
export function readResources(read: ReadFile): Resources {
  const ports: { first: number; count: number }[] = [];
  const frames: { first: number; count: number }[] = [];
  for (const line of read('resource').split('\n')) {
    const match = /^\s*0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16})\s*$/i.exec(line);
    if (match === null) break;
    const [start = 0n, end = 0n, flags = 0n] = match.slice(1).map((digits) => BigInt(`0x${digits}`));
    const shift = (flags & IORESOURCE_IO) === 0n ? PAGE_SHIFT : 0n;
    const [first, last] = [Number(start >> shift), Number(end >> shift)];
    const range = { first, count: last - first + 1 };
    if ((flags & IORESOURCE_IO) !== 0n) ports.push(range);
    else if ((flags & IORESOURCE_MEM) !== 0n) frames.push(range);
  }
  return { ports, frames, irq: lineOf(read) };
}

/** 0 stands for none. XEN: without the file, too, there is no line to label. */
function lineOf(read: ReadFile): number | undefined {
  let text = '';
  try {
    text = read('irq');
  } catch {
    return undefined;
  }
  const number = Number(/^\s*(\d{1,10})/.exec(text)?.[1] ?? 0);
  return number === 0 ? undefined : number;
}

/** As strerror() has it. */
function strerror(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return 'No such file or directory';
  const [, words] = [...getSystemErrorMap().values()].find(([name]) => name === code) ?? [];
  return words ?? code;
}

/** Labels a device. `root` is the folder that holds `sys`. */
export async function labelPci(
  operation: RealOperation,
  text: string,
  label: string,
  { irqLabel, root }: { readonly irqLabel: string | undefined; readonly root: string },
): Promise<OperationReport> {
  const sbdf = parseSbdf(text);
  let resources: Resources | undefined;
  let reason = 'No such file or directory';
  if (sbdf !== undefined) {
    const folder = join(root, 'sys/bus/pci/devices', sbdfText(sbdf));
    try {
      resources = readResources((name) => readFileSync(join(folder, name), 'latin1'));
    } catch (error) {
      reason = strerror(error);
    }
  }
  if (sbdf === undefined || resources === undefined) {
    operation.messages.push(`Unable to find device ${text}: ${reason}`);
    operation.diagnostics.push(guestDiagnostics['no-device'](undefined, { device: text }));
    return operation.report({ isDone: false, xlExitCode: 1 });
  }
  const wanted: PciLabel = { text, sbdf, label, irqLabel };
  const refusals = await operation.step<readonly HelperFailure[]>(`libxenctrl labels ${text}`, async () => {
    const value: HelperFailure[] = [];
    for (const { low, high, ...part } of labelledParts({ sbdf, ...resources }, wanted)) {
      const params = { ...part, low: Number(low), high: Number(high) };
      const outcome = await operation.call('flask.label', params);
      if (outcome.kind === 'ok') continue;
      value.push(outcome.failure);
      operation.messages.push(labelRefusal({ ...part, low, high }, wanted));
      if (part.kind === 'pcidevice') break;
    }
    return { outcome: value.length === 0 ? 'done' : 'failed', value };
  });
  const refusal = refusals.at(-1);
  if (refusal === undefined) return operation.report({ isDone: true, xlExitCode: 0 });
  const notes = operation.notesOn(refusal);
  if (refusal.kind === 'errno' && refusal.errno === 'EEXIST') notes.push({ message: LABELLED_ALREADY });
  if (refusal.kind === 'errno' && refusal.errno === 'EINVAL')
    notes.push({ message: 'Xen does not know the label, or it is no label of the policy in force' });
  if (refusal.kind === 'errno' && refusal.errno === 'ENOSYS') notes.push({ message: 'FLASK is disabled on this host' });
  operation.diagnostics.push(guestDiagnostics['request-failed'](undefined, { operation: `label ${text}` }, { notes }));
  return operation.report({ isDone: false, xlExitCode: 2 });
}
