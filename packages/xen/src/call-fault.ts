/**
 * How a call of the helper ends without a result.
 *
 * @module
 */
import type { HelperFailure } from './protocol.ts';

/** A call that came to nothing; the failure goes to the command as data. */
export class CallFault extends Error {
  override readonly name = 'CallFault';
  readonly failure: HelperFailure;

  constructor(failure: HelperFailure) {
    super(failure.kind === 'refused' || failure.kind === 'world' ? failure.reason : failure.call);
    this.failure = failure;
  }
}
