/**
 * Labels of PCI devices that go when another policy is loaded: those that were given at run time.
 *
 * XEN: `security_load_policy` takes all labels of resources from the new policy.
 *
 * @module
 */
import { parseSbdf, sbdfText } from '@dewar/toolstack';
import type { JournalEntry } from '@dewar/xen';
import { coloursFor, printLine, safeLine, type Terminal } from './terminal.ts';

/** A device with the label that it was given. */
export interface GivenLabel {
  /** `0000:03:00.0` */
  readonly device: string;
  readonly label: string;
}

/** The labels that Dewar has given on a real host since it booted and since the last policy was loaded. */
export function givenSince(entries: readonly JournalEntry[], boot: string): GivenLabel[] {
  const given = new Map<string, GivenLabel>();
  for (const { boot: of, operation, outcome, details } of entries) {
    if (of !== boot || outcome !== 'done') continue;
    if (operation === 'load-policy') given.clear();
    const { device, label } = details;
    const sbdf = parseSbdf(String(device));
    if (operation !== 'label-pci' || sbdf === undefined || typeof label !== 'string') continue;
    given.set(sbdfText(sbdf), { device: sbdfText(sbdf), label });
  }
  return [...given.values()];
}

/** Says which labels are gone, and how they are given again. */
export function tellLostLabels(lost: readonly GivenLabel[], { err }: Terminal): void {
  if (lost.length === 0) return;
  const colours = coloursFor(err);
  const devices = lost.length === 1 ? 'a PCI device' : `${lost.length} PCI devices`;
  printLine(err, `${colours.warning('warning:')} the label of ${devices} went with the old policy; give it again:`);
  for (const { device, label } of lost) printLine(err, `  dewar label-pci ${safeLine(device)} ${safeLine(label)}`);
}
