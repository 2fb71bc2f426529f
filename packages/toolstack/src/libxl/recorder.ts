/**
 * Writes down what an operation does: steps, hypercalls, checks.
 *
 * @module
 */
import type { HypercallRecord, TimelineStep } from '../host.ts';
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
  readonly hypercalls: OpenRecord[];
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((one, i) => one === b[i]);
}

/** Whether two checks are the same, but for the domains whose labels had the role of the target. */
function isLike(a: ObservedCheck, b: ObservedCheck): boolean {
  return (
    a.class === b.class &&
    a.source === b.source &&
    a.target === b.target &&
    a.outcome === b.outcome &&
    a.avcLine === b.avcLine &&
    a.isContinuation === b.isContinuation &&
    a.sourceDomid === b.sourceDomid &&
    sameList(a.permissions, b.permissions)
  );
}

interface OpenCheck extends ObservedCheck {
  count: number;
  targetDomid: Domid | undefined;
}

type OpenRecord = HypercallRecord & {
  count: number;
  targetDomid: Domid | undefined;
  readonly checks: readonly OpenCheck[];
};

/** Written out, because ten thousand of them are made for a list of ten thousand domains. */
function counted(check: ObservedCheck): OpenCheck {
  return {
    class: check.class,
    permissions: check.permissions,
    source: check.source,
    target: check.target,
    outcome: check.outcome,
    denied: check.denied,
    isEnforced: check.isEnforced,
    sourceDomid: check.sourceDomid,
    targetDomid: check.targetDomid,
    avcLine: check.avcLine,
    isContinuation: check.isContinuation,
    count: 1,
  };
}

/** Like checks in a row are one; those that were denied only where they are about one domain. */
function collapse(checks: readonly ObservedCheck[]): OpenCheck[] {
  const records: OpenCheck[] = [];
  for (const check of checks) {
    const last = records.at(-1);
    const isSame = last?.targetDomid === check.targetDomid;
    if (last === undefined || !(isSame || check.outcome === 'granted') || !isLike(last, check)) {
      records.push(counted(check));
      continue;
    }
    last.count++;
    if (!isSame) last.targetDomid = undefined;
  }
  return records;
}

/** Whether a program that looks at guest after guest may have seen both; dom0 is told of for itself. */
function isRoundOfLooks({ name, result }: OpenRecord, dom0: Domid, ...targets: (Domid | undefined)[]): boolean {
  return name === 'domctl.getdomaininfo' && result === 'ok' && !targets.includes(dom0);
}

/** A hypercall that was just made. */
interface Made {
  readonly actor: Actor;
  readonly name: HypercallName;
  readonly targetDomid: Domid | undefined;
  readonly result: 'ok' | Errno;
}

/**
 * Takes a hypercall into the record of the one before it, where there is nothing new in it. A list of ten thousand domains
 * is asked for the label of each, so nothing is made to find that out.
 */
function isTakenInto(
  last: OpenRecord,
  { actor, name, targetDomid, result }: Made,
  checks: readonly ObservedCheck[] | readonly OpenCheck[],
  dom0: Domid,
): boolean {
  if (last.name !== name || last.process !== actor.process || last.domid !== actor.domid) return false;
  if (last.result !== result || last.checks.length !== checks.length) return false;
  const isSame = last.targetDomid === targetDomid;
  if (!isSame && !isRoundOfLooks(last, dom0, last.targetDomid, targetDomid)) return false;
  for (let i = 0; i < checks.length; i++) {
    const check = last.checks[i];
    const other = checks[i];
    if (check === undefined || other === undefined || !isLike(check, other)) return false;
    if (check.count !== ('count' in other ? other.count : 1)) return false;
    if (isSame && check.targetDomid !== other.targetDomid) return false;
  }
  last.count++;
  if (isSame) return true;
  last.targetDomid = undefined;
  for (const check of last.checks) check.targetDomid = undefined;
  return true;
}

function targetOf(args: object): Domid | undefined {
  const named = args as { readonly domid?: Domid; readonly granter?: Domid; readonly remote?: Domid };
  return named.domid ?? named.granter ?? named.remote;
}

/** Passes hypercalls on, and keeps the record of one operation. */
export class Recorder {
  readonly hypercalls: Hypercalls;
  readonly #dom0: Domid;
  /** Programs in dom0. */
  readonly #actors = new Map<Process, Actor>();
  readonly #steps: TimelineStep[] = [];
  #open: OpenStep | undefined;
  #refusal: Refusal | undefined;
  /** The checks of the hypercall that is being made. */
  #heard: ObservedCheck[] | undefined;
  readonly #listener = (check: ObservedCheck): void => {
    this.#heard?.push(check);
  };

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
    const stop = this.hypercalls.observe(this.#listener);
    const outcome = work();
    stop();
    this.#steps.push({ ...open, outcome });
    this.#open = undefined;
    return outcome;
  }

  /** Makes a hypercall as a program in dom0. */
  ask<N extends HypercallName>(process: Process, name: N, args: HypercallArgs<N>): HypercallResult<N> {
    let actor = this.#actors.get(process);
    if (actor === undefined) {
      actor = { domid: this.#dom0, process };
      this.#actors.set(process, actor);
    }
    return this.askAs(actor, name, args);
  }

  askAs<N extends HypercallName>(actor: Actor, name: N, args: HypercallArgs<N>): HypercallResult<N> {
    const without = answerWithout(name, this.hypercalls.release);
    // Only requests that give nothing back are left out: see `QuietName`.
    if (without === 'ok') return { kind: 'ok', value: {} } as HypercallResult<N>;
    if (without !== undefined) return { kind: 'error', errno: without };
    const checks: ObservedCheck[] = [];
    const around = this.#heard;
    this.#heard = checks;
    // A step listens all along: to begin and end that for each hypercall would cost more than the hypercall.
    const stop = this.#open === undefined ? this.hypercalls.observe(this.#listener) : undefined;
    const result = this.hypercalls.call(actor, name, args);
    stop?.();
    around?.push(...checks);
    this.#heard = around;
    const check = checks.findLast((one) => one.isEnforced);
    if (result.kind === 'error') {
      this.#refusal = { hypercall: name, errno: result.errno, reason: result.reason, check };
    } else if (checks[0]?.isEnforced === true) {
      // Some denials have no errno: the domain is left out of a list, no page is given. Who needed that finds the reason here.
      this.#refusal = { hypercall: name, errno: 'EACCES', reason: undefined, check: checks[0] };
    }
    const list = this.#open?.hypercalls;
    if (list === undefined) return result;
    const made: Made = { actor, name, targetDomid: targetOf(args), result: result.kind === 'ok' ? 'ok' : result.errno };
    const last = list.at(-1);
    // Most hypercalls make one check, of which nothing is to be collapsed.
    const like = checks.length < 2 ? checks : collapse(checks);
    if (last !== undefined && isTakenInto(last, made, like, this.#dom0)) return result;
    list.push({
      domid: actor.domid,
      process: actor.process,
      name,
      targetDomid: made.targetDomid,
      result: made.result,
      count: 1,
      checks: collapse(checks),
    });
    return result;
  }
}

/** Makes hypercalls one after the other, up to the first that fails. */
export function inOrder(calls: readonly (() => AnyResult)[]): TimelineStep['outcome'] {
  for (const call of calls) if (call().kind === 'error') return 'failed';
  return 'done';
}
