/**
 * A scenario: a policy, hosts, guests, steps, and what must come of each step.
 *
 * @module
 */
import type { FlaskMode, IommuKind } from '@dewar/hypervisor';
import type { XenReleaseName } from '@dewar/policy/releases';
import type { Origin, SourceText } from '@dewar/policy/text';
import type { CheckPattern } from './check-patterns.ts';
import type { StepKind } from './step-kinds.ts';

/** A guest: the path of its configuration, or the text of it. */
export interface ScenarioGuest {
  readonly name: string;
  readonly config: { readonly kind: 'path' | 'text'; readonly text: string; readonly origin: Origin | undefined };
}

/** Phases of a guest's life in which its memory may be looked at. */
export const MEMORY_PHASES = ['building', 'running', 'saving'] as const;

/** A phase of a guest's life in which its memory may be looked at. */
export type MemoryPhase = (typeof MEMORY_PHASES)[number];

/** What must come of a step. What is left out may be anything, but for the outcome. */
export interface Expectations {
  /** `done` where nothing is said. */
  readonly outcome: 'done' | 'failed';
  /** xl's exit status. */
  readonly exit?: number | undefined;
  /** All that is denied, and nothing else. */
  readonly denied?: readonly CheckPattern[] | undefined;
  /** Some of what is granted. */
  readonly granted?: readonly CheckPattern[] | undefined;
  /** How the guest stands afterwards; `gone` when it is not there. */
  readonly state?: 'running' | 'paused' | 'shutdown' | 'dying' | 'gone' | undefined;
  readonly stranded?: boolean | undefined;
  /** The whole label, or the type. */
  readonly label?: string | undefined;
  /** Whether dom0 maps the guest's memory, in each phase that is named. */
  readonly readable?: Partial<Record<MemoryPhase, boolean>> | undefined;
  readonly writable?: Partial<Record<MemoryPhase, boolean>> | undefined;
  /** Whether other guests of the scenario, by name, map the guest's memory now. */
  readonly readableBy?: Readonly<Record<string, boolean>> | undefined;
  readonly writableBy?: Readonly<Record<string, boolean>> | undefined;
  /** Pages that others still have mapped when the label changes. */
  readonly openPages?: number | undefined;
  /** Parts of what xl says. */
  readonly messages?: readonly string[] | undefined;
  /** Codes that the report has. */
  readonly diagnostics?: readonly string[] | undefined;
}

/** One step. */
export interface ScenarioStep {
  readonly kind: StepKind;
  /** The guest, boolean, mode or file that it is about. */
  readonly subject: string | undefined;
  readonly host: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly expect: Expectations;
  readonly origin: Origin | undefined;
}

/** A scenario as it was read. */
export interface Scenario {
  readonly source: SourceText;
  readonly name: string;
  /** As it was written, seen from the scenario's file; undefined for the example policy. */
  readonly policy: string | undefined;
  readonly isMls: boolean;
  /** The Xen of its hosts, with whose classes its policy is compiled; undefined for the one that whoever runs it means. */
  readonly xen: XenReleaseName | undefined;
  readonly flask: FlaskMode;
  /** What its hosts have between devices and memory; undefined for one that remaps interrupts. */
  readonly iommu: IommuKind | undefined;
  /** A file of their PCI devices, as it was written; undefined for those of a host of which nothing is said. */
  readonly devices: string | undefined;
  readonly hosts: readonly string[];
  readonly guests: readonly ScenarioGuest[];
  readonly steps: readonly ScenarioStep[];
}
