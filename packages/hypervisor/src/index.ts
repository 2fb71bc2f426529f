/**
 * A simulated Xen 4.17 with FLASK: domains, memory, grants, event channels, and every check in one table.
 *
 * Imports: `@dewar/policy`, `@dewar/toolstack`.
 * Start reading at `Hypervisor` and `CHECKS`.
 *
 * @module
 */
export { CHECKS, type CheckRow, type Condition, type Endpoint } from './checks.ts';
export { FLASK_MODES, type FlaskMode, type FlaskSnapshot } from './flask.ts';
export { type BootOptions, type BootOutcome, type FlaskState, Hypervisor } from './hypervisor.ts';
export type { HypervisorSnapshot } from './snapshot.ts';
