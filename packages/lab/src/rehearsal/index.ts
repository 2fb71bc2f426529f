/**
 * Rehearsals on hosts of their own: scenarios that say what must come, coverage of a policy, and a guest's whole life.
 *
 * Imports: `@dewar/policy`, `@dewar/toolstack`, `@dewar/hypervisor`, and `yaml`.
 * Start reading at `readScenarios` and `runScenario`.
 *
 * @module
 */
export type { CheckPattern } from './check-patterns.ts';
export {
  type Coverage,
  CoverageRecorder,
  type CoveredFile,
  type CoveredLine,
  type CoveredPart,
  lineCount,
  simulatedPermissions,
} from './coverage.ts';
export type { Mismatch } from './expectations.ts';
export { compareLives, type LifeChange, type LifeOperation, rehearseLife } from './guest-life.ts';
export { junitText } from './junit.ts';
export { lcovText } from './lcov.ts';
export { readScenarios } from './read-scenario.ts';
export {
  destroyLeftovers,
  grantedPatterns,
  hindranceNow,
  hindrancesOnRealHost,
  type RealHostUse,
  runOnRealHost,
  type WhyNotTold,
} from './real-host.ts';
export type { GrantedLog } from './real-reports.ts';
export { mismatchLines, stepPlaceText } from './result-text.ts';
export { runScenario, type ScenarioResult, type StepFailure, type StepPlace } from './run-scenario.ts';
export type { Expectations, MemoryPhase, Scenario, ScenarioGuest, ScenarioStep } from './scenario.ts';
export {
  bootSimulatedHost,
  type HostBoot,
  type PolicyImage,
  type ScenarioHost,
  type ScenarioWorld,
  type SettleReport,
} from './scenario-world.ts';
