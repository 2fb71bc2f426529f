/**
 * What a real host knows of a step: a report, and the log of Xen.
 *
 * Xen logs what it grants only while a policy with auditing is in force. Its log comes in its own time, can lose text, and
 * tells labels and domains, not who asked. Where it cannot tell, that is said, and nothing is held against what must come.
 *
 * Start reading at `RealReports`.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CheckRecord, DomainState, Domid, Host, OperationReport } from '@dewar/toolstack';
import type { CheckPattern } from './check-patterns.ts';
import { compareDenied, compareGranted } from './expectations.ts';
import type { Expectations } from './scenario.ts';
import type { SettleReport } from './scenario-world.ts';

/** Where a host logs what it grants. */
export interface GrantedLog {
  /** What was logged since this was asked last; undefined where nobody can read it. */
  readonly next: () => Promise<{ readonly checks: readonly CheckRecord[]; readonly lost: number } | undefined>;
  /** Whether the host still logs what it grants. */
  readonly isKept: () => Promise<boolean>;
  /** How long a check is waited for that others make when a step has ended, in milliseconds: daemons, a guest's kernel. */
  readonly patienceMs: number;
}

/** Xen numbers domains; that of dom0 is 0. */
const DOM0 = 0 as Domid;
const POLL_MS = 50;
const LOG_LOST = 'guest/log-lost';
const RING_HINT = 'boot Xen with a larger `conring_size=`';

/** What a log cannot say while text is missing from it: that something was not denied, or was not granted. */
function lostText(what: string): string {
  return `text was gone from Xen's console before it could be read, so that nobody knows what was ${what}: ${RING_HINT}`;
}

/** Checks out of a log as a step of a report. */
function logStep(checks: readonly CheckRecord[]): OperationReport<unknown>['timeline'][number] {
  const process = 'some program';
  return {
    title: 'what Xen logged',
    process,
    outcome: 'done',
    hypercalls: checks.map((check) => ({
      domid: check.sourceDomid ?? DOM0,
      process,
      name: 'hypercall',
      targetDomid: check.targetDomid,
      result: 'ok',
      count: 1,
      checks: [check],
    })),
  };
}

type Settled = ReturnType<SettleReport>;

/** Holds the reports of a scenario on a real host to what its log can tell. */
export class RealReports {
  readonly #host: Host;
  /** Those of the scenario's own guests. */
  readonly #uuids: ReadonlySet<string>;
  readonly #log: GrantedLog | undefined;
  /** Domains that are not of the scenario, now or before. */
  readonly #others = new Set<number>();

  constructor(host: Host, uuids: ReadonlySet<string>, log: GrantedLog | undefined) {
    this.#host = host;
    this.#uuids = uuids;
    this.#log = log;
  }

  async #noteOthers(): Promise<void> {
    const { value: domains = [] }: OperationReport<readonly DomainState[]> = await this.#host.list();
    for (const { domid, uuid } of domains) if (domid !== DOM0 && !this.#uuids.has(uuid)) this.#others.add(domid);
  }

  /** What was logged before a step is not of that step. */
  async beginStep(): Promise<SettleReport> {
    if (this.#log !== undefined) await this.#noteOthers();
    await this.#log?.next();
    return (expect, report) => this.#settle(expect, report);
  }

  #isOthers({ sourceDomid = DOM0, targetDomid = DOM0 }: CheckRecord): boolean {
    return this.#others.has(sourceDomid) || this.#others.has(targetDomid);
  }

  /** A report with what was granted as the log has it, but for what domains of others have to do with. */
  #withLog(report: OperationReport<unknown>, logged: readonly CheckRecord[]): OperationReport<unknown> {
    const granted = logged.filter((check) => check.outcome === 'granted' && !this.#isOthers(check));
    const timeline = report.timeline.map((step) => ({
      ...step,
      hypercalls: step.hypercalls.map((one) => ({
        ...one,
        checks: one.checks.filter(({ outcome }) => outcome !== 'granted'),
      })),
    }));
    return { ...report, timeline: [...timeline, logStep(granted)] };
  }

  async #settle({ outcome, denied, granted }: Expectations, report: OperationReport<unknown>): Settled {
    const isTorn = report.diagnostics.some(({ code }) => code === LOG_LOST);
    const isDenialTold =
      denied === undefined || compareDenied(denied, report).some(({ unexpected = [] }) => unexpected.length > 0);
    if (isTorn && !isDenialTold) return { unknown: lostText('denied') };
    if (granted === undefined || this.#log === undefined) return report;
    // What an operation has not come to, nobody does when it has ended.
    const patience = report.outcome === outcome ? this.#log.patienceMs : 0;
    return this.#awaitGranted(granted, report, this.#log, patience);
  }

  async #awaitGranted(
    granted: readonly CheckPattern[],
    report: OperationReport<unknown>,
    log: GrantedLog,
    patienceMs: number,
  ): Settled {
    const logged: CheckRecord[] = [];
    let isTorn = false;
    for (const end = performance.now() + patienceMs; ; await delay(POLL_MS)) {
      const isOver = performance.now() >= end;
      const piece = await log.next();
      if (piece === undefined) return { unknown: 'dom0 may no longer read the console of Xen' };
      logged.push(...piece.checks);
      isTorn ||= piece.lost > 0;
      const isSeen = (): boolean => compareGranted(granted, this.#withLog(report, logged)).length === 0;
      if (!(isSeen() || isOver)) continue;
      // Domains may have come meanwhile that are not of the scenario.
      await this.#noteOthers();
      if (!(isSeen() || isOver)) continue;
      if (isSeen()) return this.#withLog(report, logged);
      if (isTorn) return { unknown: lostText('granted') };
      if (await log.isKept()) return this.#withLog(report, logged);
      return { unknown: 'another policy was loaded meanwhile, under which Xen does not log what it grants' };
    }
  }
}
