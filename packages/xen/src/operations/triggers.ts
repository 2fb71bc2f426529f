/**
 * What can be triggered in a guest: the buttons and interrupts of a machine.
 *
 * @module
 */
import type { OperationReport } from '@dewar/toolstack';
import type { RealOperation } from './real-operation.ts';

/** XEN: `libxl_trigger`. */
export const TRIGGERS: Readonly<Record<string, number>> = { power: 1, sleep: 2, nmi: 3, init: 4, reset: 5 };

/** One that there is not. */
export function refuseTrigger(operation: RealOperation, domid: number, name: string): Promise<OperationReport> {
  operation.messages.push(`Invalid trigger "${name}"`);
  const names = Object.keys(TRIGGERS).map((one) => `\`${one}\``);
  const reason = `the triggers are ${names.join(', ')}`;
  return operation.refused(domid, 'trigger', { kind: 'refused', reason }, 1);
}
