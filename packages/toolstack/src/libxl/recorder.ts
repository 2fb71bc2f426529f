/**
 * Writes down what an operation does: steps, hypercalls, checks.
 *
 * @module
 */
import type { CheckRecord, HypercallRecord, TimelineStep } from '../host.ts';
import type {
  Actor,
  Domid,
  Errno,
  HypercallArgs,
  HypercallName,
  HypercallResult,
  Hypercalls,
  ObservedCheck,
  Process,
} from '../hypercalls.ts';
import { answerWithout } from './requests-by-release.ts';

/** Why a step came to nothing. */
export interface Refusal {
  readonly hypercall: HypercallName;
  readonly errno: Errno;
  readonly reason: string | undefined;
  /** The check that was denied, when it was FLASK that refused. */
  readonly check: ObservedCheck | undefined;
}

/** Any hypercall's result, as far as one asks only whether it worked. */
export type AnyResult = HypercallResult<HypercallName>;

interface OpenStep {
  readonly title: string;
  readonly process: Process;
  readonly hypercalls: (HypercallRecord & { count: number })[];
}

function sameCheck(a: ObservedCheck, b: ObservedCheck): boolean {
  return (
    a.class === b.class &&
    a.source === b.source &&
    a.target === b.target &&
    a.outcome === b.outcome &&
    a.avcLine === b.avcLine &&
    a.isContinuation === b.isContinuation &&
    a.sourceDomid === b.sourceDomid &&
    a.targetDomid === b.targetDomid &&
    a.permissions.length === b.permissions.length &&
    a.permissions.every((one, i) => one === b.permissions[i])
  );
}

function collapse(checks: readonly ObservedCheck[]): CheckRecord[] {
  const records: (CheckRecord & { count: number })[] = [];
  for (const check of checks) {
    const last = records.at(-1);
    if (last !== undefined && sameCheck(last, check)) last.count++;
    else records.push({ ...check, count: 1 });
  }
  return records;
}

function sameHypercall(a: HypercallRecord, b: HypercallRecord): boolean {
  return (
    a.name === b.name &&
    a.process === b.process &&
    a.domid === b.domid &&
    a.targetDomid === b.targetDomid &&
    a.result === b.result &&
    a.checks.length === b.checks.length &&
    a.checks.every((check, i) => {
      const other = b.checks[i];
      return other !== undefined && check.count === other.count && sameCheck(check, other);
    })
  );
}

function targetOf(args: object): Domid | undefined {
  const named = args as { readonly domid?: Domid; readonly granter?: Domid; readonly remote?: Domid };
  return named.domid ?? named.granter ?? named.remote;
}

/** Passes hypercalls on, and keeps the record of one operation. */
export class Recorder {
  readonly hypercalls: Hypercalls;
  readonly #dom0: Domid;
  readonly #steps: TimelineStep[] = [];
  #open: OpenStep | undefined;
  #refusal: Refusal | undefined;

  constructor(hypercalls: Hypercalls, dom0: Domid) {
    this.hypercalls = hypercalls;
    this.#dom0 = dom0;
  }

  get timeline(): readonly TimelineStep[] {
    return this.#steps;
  }

  /** Why the last hypercall of this step, or of the step just done, that failed did so. */
  get refusal(): Refusal | undefined {
    return this.#refusal;
  }

  /** What was done since to clean up is not why the step failed. */
  blame(refusal: Refusal | undefined): void {
    this.#refusal = refusal;
  }

  /** Says why a step failed where Xen gave no errno. */
  explain(hypercall: HypercallName, errno: Errno, reason: string): void {
    this.#refusal ??= { hypercall, errno, reason, check: undefined };
  }

  /** Does some work as one step; the work says how it came out. */
  step(title: string, process: Process, work: () => TimelineStep['outcome']): TimelineStep['outcome'] {
    const open: OpenStep = { title, process, hypercalls: [] };
    this.#open = open;
    this.#refusal = undefined;
    const outcome = work();
    this.#steps.push({ ...open, outcome });
    this.#open = undefined;
    return outcome;
  }

  /** Makes a hypercall as a program in dom0. */
  ask<N extends HypercallName>(process: Process, name: N, args: HypercallArgs<N>): HypercallResult<N> {
    return this.askAs({ domid: this.#dom0, process }, name, args);
  }

  askAs<N extends HypercallName>(actor: Actor, name: N, args: HypercallArgs<N>): HypercallResult<N> {
    const without = answerWithout(name, this.hypercalls.release);
    // Only requests that give nothing back are left out: see `QuietName`.
    if (without === 'ok') return { kind: 'ok', value: {} } as HypercallResult<N>;
    if (without !== undefined) return { kind: 'error', errno: without };
    const checks: ObservedCheck[] = [];
    const stop = this.hypercalls.observe((check) => checks.push(check));
    const result = this.hypercalls.call(actor, name, args);
    stop();
    const check = checks.findLast((one) => one.isEnforced);
    if (result.kind === 'error') {
      this.#refusal = { hypercall: name, errno: result.errno, reason: result.reason, check };
    } else if (checks[0]?.isEnforced === true) {
      // Some denials have no errno: the domain is left out of a list, no page is given. Who needed that finds the reason here.
      this.#refusal = { hypercall: name, errno: 'EACCES', reason: undefined, check: checks[0] };
    }
    const record: HypercallRecord & { count: number } = {
      ...actor,
      name,
      targetDomid: targetOf(args),
      result: result.kind === 'ok' ? 'ok' : result.errno,
      count: 1,
      checks: collapse(checks),
    };
    const list = this.#open?.hypercalls;
    const last = list?.at(-1);
    if (last !== undefined && sameHypercall(last, record)) last.count++;
    else list?.push(record);
    return result;
  }
}

/** Makes hypercalls one after the other, up to the first that fails. */
export function inOrder(calls: readonly (() => AnyResult)[]): TimelineStep['outcome'] {
  for (const call of calls) if (call().kind === 'error') return 'failed';
  return 'done';
}
