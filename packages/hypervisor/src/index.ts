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
export type { CheckDifference } from './check-difference.ts';
export { CHECKS, type CheckRow, type Condition, type Endpoint, type IommuUse } from './checks.ts';
export { CHECK_DIFFERENCES, type CheckTable, checksOf } from './checks-by-release.ts';
export {
  FLASK_MODES,
  type FlaskMode,
  type FlaskSnapshot,
  type ObservedLabel,
  type ObservedTransition,
} from './flask.ts';
export {
  type BootOptions,
  type BootOutcome,
  DEFAULT_DEVICES,
  type FlaskState,
  type HostPciDevice,
  Hypervisor,
  type PolicyInForce,
} from './hypervisor.ts';
export { IOMMU_KINDS, type IommuKind } from './machine.ts';
export type { HypervisorSnapshot } from './snapshot.ts';
