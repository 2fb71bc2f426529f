/**
 * `flask-label-pci`: a PCI device gets a label, with its ports, frames and interrupt line.
 *
 * Follows Xen `tools/flask/utils/label-pci.c`, and `xc_flask_add` of `tools/libs/ctrl/xc_flask.c`. Since 4.18 the tool
 * takes a label for the interrupt line beside.
 *
 * @module
 */
import type { PciDevice, Sbdf } from '../device-hypercalls.ts';
import type { OperationReport } from '../host.ts';
import type { ResourceRange } from '../hypercalls.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { type Operation, report } from './operation.ts';
import { parseSbdf } from './pci.ts';

/** Where a device is, as a person wrote it and as a number, and the label that it is to have. */
export interface PciLabel {
  readonly text: string;
  readonly sbdf: Sbdf;
  readonly label: string;
  /** That of the interrupt line, if it is another. */
  readonly irqLabel?: string | undefined;
}

/** A part of a device, and the label that it gets. */
export interface LabelledPart extends ResourceRange {
  readonly label: string;
}

/** The parts of a device, in the order in which they are labelled. */
export function labelledParts(
  { sbdf, ports, frames, irq }: Omit<PciDevice, 'owner'>,
  { label, irqLabel = label }: PciLabel,
): LabelledPart[] {
  const range = ({ first, count }: { readonly first: number; readonly count: number }) =>
    ({ low: BigInt(first), high: BigInt(first + count - 1), label }) as const;
  const one = (number: number) => ({ low: BigInt(number), high: BigInt(number) }) as const;
  return [
    { kind: 'pcidevice', ...one(sbdf), label },
    ...ports.map((part) => ({ kind: 'ioport', ...range(part) }) as const),
    ...frames.map((part) => ({ kind: 'iomem', ...range(part) }) as const),
    ...(irq === undefined ? [] : [{ kind: 'pirq', ...one(irq), label: irqLabel } as const]),
  ];
}

/** What the tool says of a part that Xen gives no label. XEN: libxenctrl loses the errno: it is always -1. */
export function labelRefusal({ kind, low, high }: ResourceRange, { text, sbdf, label }: PciLabel): string {
  if (kind === 'pcidevice')
    return `xc_flask_add_device: Unable to set context of PCI device ${text} (0x${sbdf.toString(16)}) to ${label}: -1`;
  const range = kind === 'pirq' ? String(low) : `${low.toString(16)}-${high.toString(16)}`;
  return `xc_flask_add_${kind} ${range} failed: -1`;
}

/** What is said beside where Xen has a label already. XEN: `security_ocontext_add`. */
export const LABELLED_ALREADY =
  'Xen has another label for it, or for a part of it, and keeps that until a policy is loaded';

/** `flask-label-pci`. */
export function labelPci(operation: Operation, text: string, label: string, irqLabel?: string): OperationReport {
  const { recorder } = operation;
  const sbdf = parseSbdf(text);
  const device = recorder.hypercalls.pciDevices().find((one) => one.sbdf === sbdf);
  if (device === undefined) {
    operation.messages.push(`Unable to find device ${text}: No such file or directory`);
    operation.diagnostics.push(guest['no-device'](undefined, { device: text }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  }
  const wanted: PciLabel = { text, sbdf: device.sbdf, label, irqLabel };
  const outcome = recorder.step(`flask-label-pci labels ${text}`, 'flask tools', () => {
    let failures = 0;
    for (const { label: context, ...part } of labelledParts(device, wanted)) {
      const named = recorder.ask('flask tools', 'xsm_op.context_to_sid', { context });
      const answer =
        named.kind === 'ok'
          ? recorder.ask('flask tools', 'xsm_op.add_ocontext', { ...part, sid: named.value.sid })
          : named;
      if (answer.kind === 'ok') continue;
      failures++;
      if (answer.errno === 'EACCES') operation.messages.push('XSM operation failed!');
      operation.messages.push(labelRefusal(part, wanted));
      // XEN: without the label of the device itself it stops; what of its parts fails is said, and passed over.
      if (part.kind === 'pcidevice') break;
    }
    return failures === 0 ? 'done' : 'failed';
  });
  if (outcome === 'done') return report(operation, { isDone: true, xlExitCode: 0 });
  const { refusal } = recorder;
  const notes = refusalNotes(refusal);
  if (refusal?.errno === 'EEXIST') notes.push({ message: LABELLED_ALREADY });
  operation.diagnostics.push(guest['request-failed'](undefined, { operation: `label ${text}` }, { notes }));
  return report(operation, { isDone: false, xlExitCode: 2 });
}
