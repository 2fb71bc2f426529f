/**
 * The security server and its access vector cache.
 *
 * Imports: `text`, `policydb`, `releases`.
 * Start reading at `SecurityServer`.
 *
 * @module
 */
export {
  type AccessOutcome,
  Avc,
  type AvcCacheStats,
  type AvcHashStats,
  type AvcNode,
  type AvcOptions,
  type AvcSnapshot,
} from './avc.ts';
export { type AuditData, type AvcRecord, formatAvcLine } from './avc-line.ts';
export {
  type ConstraintTerm,
  type ConstraintTermStep,
  type ConstraintTree,
  constraintTree,
  decidingTerms,
} from './constraint-trace.ts';
export { evaluateConstraint } from './constraints.ts';
export { type ContextFault, type ContextLookup, contextLookup, parseContext } from './context-text.ts';
export { type AvDecision, type OnBounds, PolicyView, type Vectors } from './decisions.ts';
export type { NumberKind, ObjectKind, ObjectLabelsSnapshot, RangeKind, UsedObjectLabel } from './object-labels.ts';
export {
  type ContextOutcome,
  type LabelledRange,
  type LoadOutcome,
  type PolicyBoolean,
  SecurityServer,
  type SecurityServerOptions,
  type SecurityServerSnapshot,
} from './security-server.ts';
export { type Sid, sidOf } from './sid-table.ts';
