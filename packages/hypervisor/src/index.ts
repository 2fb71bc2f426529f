/**
 * A simulated Xen with FLASK: domains, memory, grants, event channels, every check in one table for 4.17, and what other
 * releases check otherwise in another.
 *
 * Imports: `@dewar/policy`, `@dewar/toolstack`.
 * Start reading at `Hypervisor` and `CHECKS`.
 *
 * @module
 */
export {
  type AskingHypercall,
  type CommandCheck,
  checksOfCommand,
  commandsAsking,
  hypercallsAsking,
} from './asked-by.ts';
export { CHECKS, type CheckRow, type Condition, type Endpoint } from './checks.ts';
export { CHECK_DIFFERENCES, type CheckDifference, type CheckTable, checksOf } from './checks-by-release.ts';
export { FLASK_MODES, type FlaskMode, type FlaskSnapshot, type ObservedTransition } from './flask.ts';
export { type BootOptions, type BootOutcome, type FlaskState, Hypervisor, type PolicyInForce } from './hypervisor.ts';
export type { HypervisorSnapshot } from './snapshot.ts';
