/**
 * One operation on a real host while it is under way: what was asked of libxl, what it logged, what Xen logged.
 *
 * @module
 */
import type { Diagnostic, Note } from '@dewar/policy/text';
import {
  type DomainState,
  type Domid,
  denialNotes,
  guestDiagnostics,
  type LabelChange,
  type OperationName,
  type OperationReport,
  type ShutdownReason,
  type TimelineStep,
} from '@dewar/toolstack';
import { type AvcEntry, checkOf, parseAvcLines } from '../avc-log.ts';
import type { CallOutcome, HelperProcess } from '../helper-process.ts';
import type { LogSource } from '../log-follower.ts';
import type { HelperCallName, HelperCalls, HelperFailure, LibxlDomain } from '../protocol.ts';

/** How a record is called when only Xen's log tells of a check, and not which hypercall it belongs to. */
const LOGGED = 'hypercall';

/** More denials than this are counted, not shown, below an error. */
const SHOWN_DENIALS = 6;

const REASONS: Readonly<Record<string, ShutdownReason>> = {
  poweroff: 'poweroff',
  reboot: 'reboot',
  suspend: 'suspend',
  crash: 'crash',
  watchdog: 'watchdog',
  soft_reset: 'soft-reset',
};

/** A domain of libxl's as a report shows it. */
export function domainState(domain: LibxlDomain): DomainState {
  const { domid, name, uuid, label, isDying, isShutdown, isPaused } = domain;
  return {
    // libxl numbers domains as Xen does.
    domid: domid as Domid,
    name,
    uuid,
    label,
    memoryMib: Math.floor(domain.memoryKib / 1024),
    vcpus: domain.vcpusOnline,
    state: isDying ? 'dying' : isShutdown ? 'shutdown' : isPaused ? 'paused' : 'running',
    shutdownReason: domain.shutdownReason === undefined ? undefined : REASONS[domain.shutdownReason],
    // libxl takes the name away before it destroys: who has none and is not dying was given up.
    isStranded: name === undefined && !isDying && domid !== 0,
    isBlocked: domain.isBlocked,
    cpuSeconds: domain.cpuSeconds,
  };
}

/** What a report is made of. */
export class RealOperation {
  readonly name: OperationName;
  readonly messages: string[] = [];
  readonly diagnostics: Diagnostic[] = [];
  readonly labelChanges: LabelChange[] = [];
  readonly #helper: HelperProcess;
  readonly #log: LogSource;
  readonly #steps: TimelineStep[] = [];
  #entries: AvcEntry[] = [];
  #isEnforcing = true;
  /** dom0 may not read the console of Xen. */
  #isDeaf = false;
  /** Characters of it that were gone before they could be read. */
  #lost = 0;

  constructor(name: OperationName, helper: HelperProcess, log: LogSource) {
    this.name = name;
    this.#helper = helper;
    this.#log = log;
  }

  /** How many steps there are so far. */
  get stepCount(): number {
    return this.#steps.length;
  }

  /** Asks a helper for something, and keeps what the libraries logged. */
  async call<N extends HelperCallName>(
    call: N,
    params: HelperCalls[N]['params'],
    by: HelperProcess = this.#helper,
  ): Promise<CallOutcome<N>> {
    const outcome = await by.call(call, params);
    this.messages.push(...outcome.log);
    return outcome;
  }

  /** Passes over what was logged before, and since the last operation: it is not of this one. */
  async markRing(): Promise<void> {
    await this.readRing();
    this.#entries = [];
    this.#lost = 0;
  }

  /** What Xen has logged since the last time; undefined when dom0 may not read its console. */
  async readRing(): Promise<string | undefined> {
    const piece = await this.#log.read();
    this.#isDeaf = piece === undefined;
    this.#lost += piece?.lost ?? 0;
    return piece?.text;
  }

  /** Makes a call as a step of its own, which fails where the call does, or its answer is not `isDone`. */
  callStep<N extends HelperCallName>(
    title: string,
    call: N,
    params: HelperCalls[N]['params'],
    {
      by,
      isDone = () => true,
    }: { readonly by?: HelperProcess; readonly isDone?: (value: HelperCalls[N]['result']) => boolean } = {},
  ): Promise<CallOutcome<N>> {
    return this.step(title, async () => {
      const value = await this.call(call, params, by);
      return { outcome: value.kind === 'ok' && isDone(value.value) ? 'done' : 'failed', value };
    });
  }

  /** Does some work as one step; the checks in it are those that Xen logs meanwhile. */
  async step<T>(
    title: string,
    work: () => Promise<{ readonly outcome: TimelineStep['outcome']; readonly value: T }>,
  ): Promise<T> {
    const { outcome, value } = await work();
    const entries = parseAvcLines((await this.readRing()) ?? '');
    if (entries.some((entry) => entry.outcome === 'denied')) {
      const mode = await this.#helper.call('flask.getenforce', {});
      this.#isEnforcing = mode.kind === 'failed' || mode.value.isEnforcing;
    }
    this.#entries.push(...entries);
    const hypercalls: TimelineStep['hypercalls'][number][] = [];
    for (const entry of entries) {
      const check = checkOf(entry, this.#isEnforcing);
      const last = hypercalls.at(-1);
      if (last?.checks[0]?.avcLine === entry.line) {
        hypercalls.splice(-1, 1, { ...last, count: last.count + 1 });
        continue;
      }
      hypercalls.push({
        // Xen names domains by their numbers.
        domid: (entry.sourceDomid ?? 0) as Domid,
        process: 'some program',
        name: LOGGED,
        targetDomid: entry.targetDomid as Domid | undefined,
        result: check.isEnforced ? 'EACCES' : 'ok',
        count: 1,
        checks: [check],
      });
    }
    this.#steps.push({ title, process: 'libxl', outcome, hypercalls });
    return value;
  }

  /** The denials of this operation. */
  get denials(): readonly AvcEntry[] {
    return this.#entries.filter(({ outcome }) => outcome === 'denied');
  }

  /** What stood in the way: the failure as the libraries gave it, their last words, and what Xen denied. */
  notesOn(failure: HelperFailure): Note[] {
    const notes: Note[] = [{ message: failureText(failure) }];
    const said = this.messages.findLast((line) => /^(?:libxl|xc): error: /.test(line));
    if (said !== undefined) notes.push({ message: said });
    const denials = [...new Map(this.denials.map((entry) => [entry.line, entry])).values()];
    for (const entry of denials.slice(0, SHOWN_DENIALS)) notes.push(...denialNotes(checkOf(entry, true)));
    if (denials.length > SHOWN_DENIALS)
      notes.push({ message: `and ${denials.length - SHOWN_DENIALS} more denials; \`dewar dmesg\` has them all` });
    if (this.#isDeaf) notes.push({ message: 'dom0 may not read the console of Xen, so what Xen denied is not known' });
    return notes;
  }

  /** How a domain stands; undefined when it is gone. */
  async stateOf(domid: number): Promise<DomainState | undefined> {
    const outcome = await this.#helper.call('domain.info', { domid });
    return outcome.kind === 'ok' && outcome.value !== undefined ? domainState(outcome.value) : undefined;
  }

  /** The report. */
  report<T>(result: {
    readonly isDone: boolean;
    readonly xlExitCode: number;
    readonly value?: T | undefined;
    readonly domain?: DomainState | undefined;
  }): OperationReport<T> {
    if (this.#lost > 0) this.diagnostics.push(guestDiagnostics['log-lost'](undefined, { count: this.#lost }));
    return {
      operation: this.name,
      outcome: result.isDone ? 'done' : 'failed',
      xlExitCode: result.xlExitCode,
      xlMessages: this.messages,
      value: result.value,
      timeline: this.#steps,
      labelChanges: this.labelChanges,
      domain: result.domain,
      diagnostics: this.diagnostics,
    };
  }

  /** A report that Xen, libxl or the request itself refused. */
  async refused<T>(
    domid: number,
    verb: string,
    failure: HelperFailure,
    xlExitCode: number,
  ): Promise<OperationReport<T>> {
    const domain = await this.stateOf(domid);
    const isUnknown = failure.kind === 'libxl' && failure.rc === -21;
    if (isUnknown && domain === undefined && this.denials.length === 0) {
      this.diagnostics.push(guestDiagnostics['unknown-domain'](undefined, { domain: String(domid) }));
    } else {
      const notes = this.notesOn(failure);
      this.diagnostics.push(guestDiagnostics['operation-failed'](undefined, { operation: verb, domid }, { notes }));
    }
    return this.report<T>({ isDone: false, xlExitCode, domain });
  }
}

/** XEN: `ERROR_FAIL`. */
const ERROR_FAIL = -3;

/** The return code of libxl that xl tells of. */
export function rcOf(failure: HelperFailure): number {
  return failure.kind === 'libxl' ? failure.rc : ERROR_FAIL;
}

/** Why a call failed, in words. */
export function failureText(failure: HelperFailure): string {
  switch (failure.kind) {
    case 'libxl':
      return `\`${failure.call}\` gave ${failure.rc}`;
    case 'errno':
      return `\`${failure.call}\` gave ${failure.errno}`;
    case 'refused':
    case 'world':
      return failure.reason;
  }
}
