/**
 * A guest on a real host that is asked to power off or to reboot.
 *
 * @module
 */
import type { OperationReport } from '@dewar/toolstack';
import type { RealOperation } from './real-operation.ts';

/** How often a guest that was asked to stop is looked at. */
const POLL_MS = 500;

/** XEN: `SHUTDOWN_*`, the number behind each reason. */
const REASON_NUMBERS = { poweroff: 0, reboot: 1, suspend: 2, crash: 3, watchdog: 4, 'soft-reset': 5 } as const;

/** Asks a guest to stop, and waits until it has, if that is wanted. */
export async function stopDomain(
  operation: RealOperation,
  name: 'shutdown' | 'reboot',
  domid: number,
  isWaiting: boolean,
): Promise<OperationReport> {
  operation.messages.push(`${name === 'reboot' ? 'Rebooting' : 'Shutting down'} domain ${domid}`);
  const outcome = await operation.step(`libxl asks domain ${domid} to ${name}`, async () => {
    const value = await operation.call(`domain.${name}`, { domid });
    return { outcome: value.kind === 'ok' ? 'done' : 'failed', value };
  });
  if (outcome.kind === 'failed') {
    const rc = outcome.failure.kind === 'libxl' ? outcome.failure.rc : -3;
    operation.messages.push(`${name} failed (rc=${rc})`);
    return operation.refused(domid, name, outcome.failure, 1);
  }
  let state = await operation.stateOf(domid);
  if (isWaiting) {
    operation.messages.push('Waiting for 1 domains');
    while (state !== undefined && state.state !== 'shutdown' && state.state !== 'dying') {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      state = await operation.stateOf(domid);
    }
    const reason = state?.shutdownReason;
    const code = reason === undefined ? '' : `, reason code ${REASON_NUMBERS[reason]}`;
    operation.messages.push(`Domain ${domid} has been shut down${code}`);
  }
  return operation.report({ isDone: true, xlExitCode: 0, domain: state });
}
