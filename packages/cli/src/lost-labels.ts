/**
 * Labels of PCI devices that go when another policy is loaded into a simulated host: those that were given at run time. On a
 * real host the journal has them, and `loadpolicy` tells of them before it asks.
 *
 * XEN: `security_load_policy` takes all labels of resources from the new policy.
 *
 * @module
 */
import { coloursFor, printLine, safeLine, type Terminal } from './terminal.ts';

/** A device with the label that it was given. */
export interface GivenLabel {
  /** `0000:03:00.0` */
  readonly device: string;
  readonly label: string;
}

/** Says which labels are gone, and how they are given again. */
export function tellLostLabels(lost: readonly GivenLabel[], { err }: Terminal): void {
  if (lost.length === 0) return;
  const colours = coloursFor(err);
  const devices = lost.length === 1 ? 'a PCI device' : `${lost.length} PCI devices`;
  printLine(err, `${colours.warning('warning:')} the label of ${devices} went with the old policy; give it again:`);
  for (const { device, label } of lost) printLine(err, `  dewar label-pci ${safeLine(device)} ${safeLine(label)}`);
}
