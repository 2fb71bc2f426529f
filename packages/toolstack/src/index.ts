/**
 * What a person may ask of a Xen host, what a toolstack may ask of Xen, and our libxl between the two.
 *
 * Imports: `@dewar/policy/text`, `@dewar/policy/releases`.
 * Start reading at `Host`, `Hypercalls` and `LibxlHost`.
 *
 * @module
 */
export * from './device-hypercalls.ts';
export * from './host.ts';
export * from './hypercalls.ts';
export { parseCpuRange, showCpus } from './libxl/cpu-range.ts';
export { isPool } from './libxl/cpupools.ts';
export { DOM0 } from './libxl/daemons.ts';
export { denialNotes, guest as guestDiagnostics } from './libxl/diagnostics.ts';
export { endLines } from './libxl/guest-control.ts';
export { adviseLabelGrants, type MissingGrants } from './libxl/label-grants.ts';
export { LABELLED_ALREADY, labelledParts, labelRefusal, type PciLabel } from './libxl/label-pci.ts';
export { LibxlHost } from './libxl/libxl-host.ts';
export { HANDSHAKE_FAILED } from './libxl/migrate.ts';
export { parseSbdf, sbdfText } from './libxl/pci.ts';
export { stillListed } from './libxl/pci-operations.ts';
export { emptyToolstackState, restoreToolstack, type ToolstackSnapshot } from './libxl/toolstack-records.ts';
export type { Attachment, GuestRecord, ToolstackState } from './libxl/toolstack-state.ts';
export { type KeptPage, KeptPageError, MapSlice, PagedMap, type RecordForm, readKeptPages } from './paged-map.ts';
