/**
 * Labels of PCI devices that Dewar has given, and that Xen holds as long as no policy is loaded. Xen lists them to nobody.
 *
 * @module
 */
import type { JournalEntry } from './journal.ts';

/** The devices that were labelled in a boot and since a policy was loaded last, as the journal has it. */
export function givenLabels(entries: readonly JournalEntry[], boot: string): string[] {
  const given = new Map<string, string>();
  for (const { boot: own, operation, outcome, details } of entries) {
    if (own !== boot) continue;
    // What failed may have labelled a part, or loaded the policy for a moment: a trace, or a test, does that twice.
    if (operation === 'trace' || operation === 'test' || (operation === 'load-policy' && outcome !== 'failed'))
      given.clear();
    if (operation === 'label-pci') given.set(String(details['device']), String(details['label']));
  }
  return [...given].map(([device, label]) => `${device} (${label})`);
}
