/**
 * What scenarios need of the world around them: policies, files, and hosts to run on.
 *
 * @module
 */
import type { BootOptions, FlaskMode } from '@dewar/hypervisor';
import { Hypervisor, type ObservedLabel, type ObservedTransition } from '@dewar/hypervisor';
import type { CompiledPolicy } from '@dewar/policy/compiler';
import type { XenReleaseName } from '@dewar/policy/releases';
import { type Host, LibxlHost, type OperationReport } from '@dewar/toolstack';
import type { Expectations } from './scenario.ts';

/** A policy to boot a host with. */
export interface PolicyImage {
  /** How the user would name it. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** What the compiler made of it; undefined for a binary, of which no rule has a place. */
  readonly compiled: CompiledPolicy | undefined;
}

/**
 * Makes of a report, before it is held against what must come, what a host with a log knows of it; or says why nobody can
 * tell.
 */
export type SettleReport = (
  expect: Expectations,
  report: OperationReport<unknown>,
) => Promise<OperationReport<unknown> | { readonly unknown: string }>;

/** A host of a scenario. Only `host` is needed; a host that can tell more gives coverage of more. */
export interface ScenarioHost {
  readonly host: Host;
  /** Tells of each label that something new gets; answers how to stop. */
  readonly observeTransitions?: (listener: (transition: ObservedTransition) => void) => () => void;
  /** Tells of each label that a statement of the policy gave and that is now used; answers how to stop. */
  readonly observeLabels?: (listener: (label: ObservedLabel) => void) => () => void;
  /** Is told before each step; answers what takes its report. */
  readonly beginStep?: () => Promise<SettleReport>;
}

/** A host that was booted, or why it was not. */
export type HostBoot =
  | { readonly kind: 'booted'; readonly host: ScenarioHost }
  | { readonly kind: 'refused'; readonly reason: string };

/** The world of scenarios. Paths are those in the scenario, seen from its file. */
export interface ScenarioWorld {
  /** A policy, compiled where needed; a text says why there is none. Undefined names the example policy. */
  readonly policy: (
    path: string | undefined,
    scenarioFile: string,
    isMls: boolean,
    release?: XenReleaseName,
  ) => Promise<PolicyImage | { readonly refused: string }>;
  /** A file as text with one character per byte, or why it cannot be read. */
  readonly readText: (path: string, scenarioFile: string) => { readonly text: string } | { readonly refused: string };
  /** A host of its own for each call. */
  readonly boot: (policy: PolicyImage, flask: FlaskMode, makeup: ScenarioMakeup) => Promise<HostBoot>;
  /** A UUID for a new guest; without it, the same ones are given out each time. */
  readonly uuid?: () => string;
  /** The path of a file that a step writes or reads; without it the step's word for it, which a simulated host does not use. */
  readonly fileFor?: (name: string) => string;
  /** Whether the scenario is to end before its next step. */
  readonly isStopped?: () => boolean;
}

/** Which Xen the hosts of a scenario run, and what they have; what is left out is as on a host of which nothing is said. */
export type ScenarioMakeup = Pick<BootOptions, 'release' | 'iommu' | 'devices'>;

/** Boots a simulated host. */
export function bootSimulatedHost(policy: PolicyImage, flask: FlaskMode, makeup: ScenarioMakeup = {}): HostBoot {
  const outcome = Hypervisor.boot({ ...makeup, policy: policy.bytes, flask });
  if (outcome.kind === 'refused') return outcome;
  const { hypervisor } = outcome;
  return {
    kind: 'booted',
    host: {
      host: new LibxlHost(hypervisor),
      observeTransitions: (listener) => hypervisor.observeTransitions(listener),
      observeLabels: (listener) => hypervisor.observeLabels(listener),
    },
  };
}
