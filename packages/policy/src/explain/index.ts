/**
 * What a log of Xen means for a policy: the cause of each line that denies, and what to do about it.
 *
 * Imports: `text`, `language`, `policydb`, `releases`, `compiler`, `decompiler`, `security-server`, `analysis`.
 * Start reading at `readLog`, then `explainLog`.
 *
 * @module
 */
export type { ChosenFix, Need, Proposal } from './choose-fix.ts';
export { ConstraintPlaces } from './constraint-places.ts';
export { explainLog } from './explain-log.ts';
export type { FailedConstraint, FailedTerm } from './failed-constraints.ts';
export type {
  Cause,
  ConditionPlace,
  ExplainedLines,
  Finding,
  LogExplanation,
  RulePlace,
  Successor,
} from './findings.ts';
export type { LineGroup } from './group-lines.ts';
export { type Insertion, insertionDiff } from './insertion-diff.ts';
export type { UnlabeledThing } from './label-faults.ts';
export type {
  AvcLine,
  DetailName,
  DomainName,
  LabelLine,
  LogLimits,
  LogLine,
  LogReading,
  ModeLine,
  UnknownOperationLine,
} from './log-lines.ts';
export type { MacroCall, PairBits } from './macro-calls.ts';
export type { BrokenNeverallow } from './neverallows.ts';
export type { Opening } from './openings.ts';
export type { Placement } from './place-statement.ts';
export { readLog } from './read-log.ts';
export type { PolicySource, Subject } from './subject.ts';
export { type ChangedFile, type FixTrial, tryInsertions } from './try-fix.ts';
export type { UnknownName } from './unknown-names.ts';
