/**
 * A real Xen host: `Host` over its own libxenlight and libxenctrl, in a process of their own.
 *
 * Imports: `@dewar/policy/text`, `@dewar/toolstack`.
 * Start reading at `openXenHost`.
 *
 * @module
 */

export {
  type AuditChoice,
  type AuditedCheck,
  type AuditedPolicy,
  auditPolicy,
  NOT_AUDITED,
  whyNotTold,
} from './auditing/audit-policy.ts';
export { auditWitnesses } from './auditing/audit-witnesses.ts';
export {
  type AuditEnd,
  type Auditing,
  type AuditPlan,
  type AuditPurpose,
  beginAuditing,
  hasAuditRecord,
  type Settlement,
  settleAuditing,
} from './auditing/auditing.ts';
export { hindrance, runningRelease } from './availability.ts';
export { type AvcEntry, checkOf, loggedChecks, parseAvcLines } from './avc-log.ts';
export { givenLabels } from './given-labels.ts';
export type { ExtraStreams } from './helper-process.ts';
export { Journal, type JournalEntry } from './journal.ts';
export { type LogFollower, LogListener, type LogPiece, type LogSource } from './log-follower.ts';
export { MigrationChannel } from './migration/channel.ts';
export type { RealMigrateOptions } from './migration/migrate-guest.ts';
export type { Arrival, RealReceiveOptions } from './migration/receive-guest.ts';
export { MigrationReceiver, type ReceiverActs } from './migration/receiver.ts';
export { MigrationSender, type SenderActs } from './migration/sender.ts';
export { openXenHost } from './open-host.ts';
export type { WaitOptions } from './operations/await-ends.ts';
export type { RealCreateOptions } from './operations/create-guest.ts';
export { type LoadedPolicy, PolicyStore } from './policy-store.ts';
export { isAlive, isMark, markOf, type ProcessMark } from './process-mark.ts';
export type {
  AuditBooleans,
  HelperAnswer,
  HelperCallName,
  HelperCalls,
  HelperFailure,
  HelperRequest,
  LibxlDomain,
} from './protocol.ts';
export { XenError, type XenErrorCode } from './xen-error.ts';
export { XenHost, type XenHostOptions } from './xen-host.ts';
