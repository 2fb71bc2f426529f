/**
 * A real Xen host as a `Host`: the host's own libxl does the steps, and Xen's console ring tells what was checked.
 *
 * Start reading at `XenHost.create`.
 *
 * @module
 */
import type {
  AssignableDevice,
  BooleanState,
  ConsoleChoice,
  CoreDump,
  DomainConfiguration,
  DomainState,
  Domid,
  ForeignMapProbe,
  GuestConsole,
  GuestDisk,
  GuestNic,
  GuestPciSlot,
  Host,
  HostInfo,
  ListOptions,
  OperationName,
  OperationReport,
  RestoreOptions,
  SavedGuest,
  SaveOptions,
  SchedulerState,
  StopOptions,
  VcpuState,
  XenstoreDomainOptions,
} from '@dewar/toolstack';
import { guestDiagnostics } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import { runningVersion } from './availability.ts';
import { type CallOutcome, type ExtraStreams, HelperProcess } from './helper-process.ts';
import { bootId, Journal, type JournalDetails } from './journal.ts';
import { LogFollower, type LogSource, RingReader } from './log-follower.ts';
import { migrateDomain, type RealMigrateOptions } from './migration/migrate-guest.ts';
import { type Arrival, type RealReceiveOptions, receiveGuest } from './migration/receive-guest.ts';
import { cleanUpAfter, findXenstoreDomain } from './operations/another-helper.ts';
import { awaitEnds, type WaitOptions } from './operations/await-ends.ts';
import { type ConsoleSession, type ConsoleTarget, openConsole, showConsole } from './operations/console-session.ts';
import { createGuest, type RealCreateOptions, restoreGuest } from './operations/create-guest.ts';
import {
  attachDisk,
  attachNic,
  detachDisk,
  detachNic,
  listDisks,
  listNics,
  sendDebugKeys,
} from './operations/device-operations.ts';
import * as flask from './operations/flask-operations.ts';
import { askHostInfo } from './operations/host-info.ts';
import { labelPci } from './operations/label-pci.ts';
import { listConfigurations, listDomains, nameOfDomain } from './operations/list-domains.ts';
import {
  addAssignable,
  attachPci,
  detachPci,
  listAssignable,
  listPci,
  removeAssignable,
} from './operations/pci-operations.ts';
import { probeMemory } from './operations/probe-memory.ts';
import { listVcpus, pinVcpu, type SchedulerChange, useScheduler } from './operations/processors.ts';
import { RealOperation, rcOf } from './operations/real-operation.ts';
import { destroyDomain, stopDomain } from './operations/stop-domain.ts';
import { refuseTrigger, TRIGGERS } from './operations/triggers.ts';
import { dumpCore, saveDomain } from './operations/write-domain.ts';
import { initXenstoreDomain, type RunningProgram } from './operations/xenstore-domain.ts';
import type { HelperCallName, HelperCalls } from './protocol.ts';

/** How a host is opened. */
export interface XenHostOptions {
  /** The script that the helper process runs. */
  readonly helperFile: string;
  /** Where the journal is kept. */
  readonly stateFolder: string;
  /** Where the files of the kernel are that tell of Xen. Default: `/`. */
  readonly root?: string;
  /** Without libxl, which needs a xenstore: only FLASK, Xen's console and `initXenstoreDomain` can be used. */
  readonly isBare?: boolean;
  /** How long a helper that hangs is waited for when the host is closed, in milliseconds. */
  readonly patienceMs?: number;
}

/** libxl's number for "no such domain", given for a name that xenstore has not. XEN: `ERROR_INVAL`. */
const NOT_FOUND = -6;

type Plain = readonly [verb: string, xlMessage: (rc: number) => string | undefined, failedExit: 0 | 1];

/** An open host. `close` must be called, also after a failure: it undoes what is unfinished. */
export class XenHost implements Host {
  /** The series of Xen that runs, `4.17`: its libraries bear it. */
  readonly release: string;
  /** With the point release, `4.17.5`, where it is known. */
  readonly version: string;
  readonly journal: Journal;
  readonly #helper: HelperProcess;
  readonly #helperFile: string;
  readonly #root: string;
  #console: ConsoleSession | undefined;
  #program: RunningProgram | undefined;
  /** The helper of a migration. */
  #mover: HelperProcess | undefined;
  readonly #patienceMs: number | undefined;
  #undoing: Promise<string> | undefined;
  /** Where operations read what Xen has logged. */
  #log: LogSource;

  /** @internal Use `openXenHost`. */
  constructor(helper: HelperProcess, release: string, options: XenHostOptions) {
    const { helperFile, stateFolder, root = '/' } = options;
    this.#helper = helper;
    this.#patienceMs = options.patienceMs;
    this.#helperFile = helperFile;
    this.#root = root;
    this.#log = new RingReader(helper);
    this.release = release;
    this.version = runningVersion(root) ?? release;
    this.journal = new Journal(stateFolder);
  }

  /** Lets go of the host. A guest that is being built is destroyed first. */
  async close(): Promise<void> {
    this.#console?.close();
    await this.#console?.ended;
    // It undoes what it cannot finish, if it is left to its end; how it ended is told by whoever asked for it.
    await this.#program?.ended.catch(() => undefined);
    await this.#mover?.close();
    await this.#helper.close();
    // A helper that had to be killed has undone nothing: another one is at it, once whoever waited has heard of that.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#undoing?.catch(() => undefined);
  }

  #undo(uuid: string): Promise<string> {
    this.#undoing = cleanUpAfter(this.#helperFile, this.release, uuid);
    return this.#undoing;
  }

  async #begin(name: OperationName): Promise<RealOperation> {
    const operation = new RealOperation(name, this.#helper, this.#log);
    await operation.markRing();
    return operation;
  }

  /** Does something that changes the host, between two entries of the journal. */
  async #changing<T>(
    name: OperationName,
    details: JournalDetails,
    work: (operation: RealOperation) => Promise<OperationReport<T>>,
  ): Promise<OperationReport<T>> {
    const entry = this.journal.begin(name, details);
    const report = await work(await this.#begin(name));
    const { outcome, domain, diagnostics } = report;
    try {
      entry.end(outcome, { domid: domain?.domid, label: domain?.label, problem: diagnostics.at(0)?.message });
      return report;
    } catch (error) {
      // What was done is done, and is to be told.
      const reason = error instanceof Error ? error.message : String(error);
      const words = `the journal does not tell how this ended: ${reason}`;
      return { ...report, xlMessages: [...report.xlMessages, words] };
    }
  }

  /** The number of the domain that a person names; undefined, and said, when there is none. */
  async #find(operation: RealOperation, text: string): Promise<number | undefined> {
    const found = await operation.call('domain.find', { text });
    if (found.kind === 'ok') return found.value.domid;
    const rc = found.failure.kind === 'libxl' ? found.failure.rc : NOT_FOUND;
    operation.messages.push(`${text} is an invalid domain identifier (rc=${rc})`);
    operation.diagnostics.push(guestDiagnostics['unknown-domain'](undefined, { domain: text }));
    return undefined;
  }

  /** Does something to the domain that a person names. */
  #onFound<T = undefined>(
    name: OperationName,
    domain: string,
    details: JournalDetails,
    work: (operation: RealOperation, domid: number) => Promise<OperationReport<T>>,
  ): Promise<OperationReport<T>> {
    return this.#changing<T>(name, { domain, ...details }, async (operation) => {
      const domid = await this.#find(operation, domain);
      if (domid === undefined) return operation.report({ isDone: false, xlExitCode: 1 });
      return work(operation, domid);
    });
  }

  /** Asks about the domain that a person names; nothing changes. */
  async #asking<T>(
    name: OperationName,
    domain: string,
    work: (operation: RealOperation, domid: number) => Promise<OperationReport<T>>,
  ): Promise<OperationReport<T>> {
    const operation = await this.#begin(name);
    const domid = await this.#find(operation, domain);
    return domid === undefined ? operation.report<T>({ isDone: false, xlExitCode: 1 }) : work(operation, domid);
  }

  /** An operation that is one call of libxl on a domain. */
  #plain<N extends HelperCallName>(
    name: OperationName,
    text: string,
    [verb, xlMessage, failedExit]: Plain,
    call: N,
    params: (domid: number) => HelperCalls[N]['params'],
    details: JournalDetails = {},
  ): Promise<OperationReport> {
    return this.#onFound(name, text, details, async (operation, domid) => {
      const outcome = await operation.callStep(`libxl is to ${verb} domain ${domid}`, call, params(domid));
      if (outcome.kind === 'ok') {
        return operation.report({ isDone: true, xlExitCode: 0, domain: await operation.stateOf(domid) });
      }
      const { failure } = outcome;
      const said = xlMessage(rcOf(failure));
      if (said !== undefined) operation.messages.push(said);
      return operation.refused(domid, verb, failure, failedExit);
    });
  }

  /**
   * Builds a guest and, unless asked not to, starts it. With `hold`, the build stops before the relabel until the
   * promise is kept: the guest is whole, and still has the label that it was built under.
   */
  create(config: DomainConfig, options: RealCreateOptions): Promise<OperationReport> {
    const { build, run } = config.labels;
    const details = { name: config.name, file: config.source.name, built: build?.text, runs: (run ?? build)?.text };
    return this.#changing('create', details, (operation) =>
      createGuest(operation, config, options, {
        adviseAfterCrash: () => this.#undo(config.uuid ?? options.uuid),
        attach: (domid) => this.#attachEarly(domid),
      }),
    );
  }

  async list(options: ListOptions = {}): Promise<OperationReport<readonly DomainState[]>> {
    return listDomains(await this.#begin('list'), options);
  }

  async listLong(domain?: string): Promise<OperationReport<readonly DomainConfiguration[]>> {
    return listConfigurations(await this.#begin('list'), domain);
  }

  async vmList(): Promise<OperationReport<readonly DomainState[]>> {
    return listDomains(await this.#begin('vm-list'), {});
  }

  pause(domain: string): Promise<OperationReport> {
    // XEN: xl ends with 0 whatever became of a pause or an unpause.
    const plain: Plain = ['pause', () => undefined, 0];
    return this.#plain('pause', domain, plain, 'domain.pause', (domid) => ({ domid }));
  }

  unpause(domain: string): Promise<OperationReport> {
    const plain: Plain = ['unpause', () => undefined, 0];
    return this.#plain('unpause', domain, plain, 'domain.unpause', (domid) => ({ domid }));
  }

  destroy(domain: string): Promise<OperationReport> {
    return this.#onFound('destroy', domain, {}, destroyDomain);
  }

  dumpCore(domain: string, file = 'core'): Promise<OperationReport<CoreDump>> {
    return this.#onFound('dump-core', domain, { file }, (operation, domid) => dumpCore(operation, domid, file));
  }

  /** `wait` has no limit, and tells nothing before it ends; `awaitEnds` does, and can be ended. */
  shutdown(domain: string, options: StopOptions = {}): Promise<OperationReport> {
    return this.#stop('shutdown', domain, options);
  }

  reboot(domain: string, options: StopOptions = {}): Promise<OperationReport> {
    return this.#stop('reboot', domain, options);
  }

  /** Waits until guests have stopped or are gone, or `signal` ends the waiting. Answers how those stand that are there. */
  async awaitEnds(domids: readonly number[], options: WaitOptions): Promise<ReadonlyMap<number, DomainState>> {
    const operation = await this.#begin('list');
    return awaitEnds((domid) => operation.stateOf(domid), domids, options);
  }

  #stop(name: 'shutdown' | 'reboot', text: string, options: StopOptions): Promise<OperationReport> {
    return this.#onFound(name, text, {}, (operation, domid) => stopDomain(operation, name, domid, options));
  }

  /** Writes a guest to `file`, in the format of xl; without one there is nowhere to write to. */
  save(domain: string, options: SaveOptions = {}): Promise<OperationReport<SavedGuest>> {
    return this.#onFound('save', domain, { file: options.file }, (operation, domid) =>
      saveDomain(operation, domid, options),
    );
  }

  /** Sends a guest to another host, where `options.command` starts the receiver. There is one guest in the end, here or there. */
  migrate(domain: string, options: RealMigrateOptions): Promise<OperationReport> {
    return this.#onFound('migrate', domain, { to: options.to }, (operation, domid) =>
      migrateDomain(operation, domid, options, {
        release: this.release,
        startHelper: (streams) => this.#startMover(streams),
      }),
    );
  }

  /**
   * Takes a guest in from another host: what comes through the first of `streams` is answered through the second. Nothing is
   * built unless `approve` says so.
   */
  receive(
    streams: ExtraStreams,
    options: RealReceiveOptions,
    approve: (arrival: Arrival) => Promise<boolean>,
  ): Promise<OperationReport> {
    return receiveGuest(this.#startMover(streams), this.release, options, approve, {
      begin: () => this.#begin('migrate-receive'),
      changing: (details, work) => this.#changing('migrate-receive', details, work),
    });
  }

  #startMover(streams: ExtraStreams): HelperProcess {
    this.#mover = new HelperProcess(this.#helperFile, this.#patienceMs, streams);
    return this.#mover;
  }

  /** Builds a guest from `options.file`, which `save` or `xl save` has written; `saved` is not looked at. */
  restore(_saved: unknown, options: RestoreOptions): Promise<OperationReport> {
    return this.#changing('restore', { file: options.file }, (operation) =>
      restoreGuest(operation, options, (domid) => this.#attachEarly(domid)),
    );
  }

  async vcpuList(domain?: string): Promise<OperationReport<readonly VcpuState[]>> {
    const operation = await this.#begin('vcpu-list');
    return listVcpus(operation, await this.#domidsOf(operation, domain));
  }

  /** One domain, or all. */
  async #domidsOf(operation: RealOperation, domain: string | undefined): Promise<readonly number[] | undefined> {
    if (domain !== undefined) {
      const domid = await this.#find(operation, domain);
      return domid === undefined ? undefined : [domid];
    }
    const list = await operation.call('domain.list', {});
    return list.kind === 'ok' ? list.value.map(({ domid }) => domid) : undefined;
  }

  vcpuPin(domain: string, vcpu: string, hard: string, soft?: string): Promise<OperationReport> {
    return this.#onFound('vcpu-pin', domain, { vcpu, hard, soft }, (operation, domid) =>
      pinVcpu(operation, domid, { vcpu, hard, soft }),
    );
  }

  vcpuSet(domain: string, count: number): Promise<OperationReport> {
    const plain: Plain = ['set the vCPUs of', (rc) => `libxl_set_vcpuonline failed max_vcpus=${count}, rc: ${rc}`, 1];
    return this.#plain('vcpu-set', domain, plain, 'vcpu.set', (domid) => ({ domid, count }), { count });
  }

  memSet(domain: string, kib: number, text = `${kib}k`): Promise<OperationReport> {
    const plain: Plain = ['set the memory of', () => `cannot set dynamic max memory to : ${text}`, 1];
    return this.#plain('mem-set', domain, plain, 'domain.setMemory', (domid) => ({ domid, kib }), { kib });
  }

  memMax(domain: string, kib: number, text = `${kib}k`): Promise<OperationReport> {
    const plain: Plain = ['set the most memory of', () => `cannot set static max memory to : ${text}`, 1];
    return this.#plain('mem-max', domain, plain, 'domain.setMaxMemory', (domid) => ({ domid, kib }), { kib });
  }

  async schedCredit2(
    domain?: string,
    change: SchedulerChange = {},
  ): Promise<OperationReport<readonly SchedulerState[]>> {
    const work = async (operation: RealOperation): Promise<OperationReport<readonly SchedulerState[]>> =>
      useScheduler(operation, await this.#domidsOf(operation, domain), change, domain === undefined);
    const isChange = change.weight !== undefined || change.cap !== undefined;
    if (isChange) return this.#changing('sched-credit2', { domain, ...change }, work);
    return work(await this.#begin('sched-credit2'));
  }

  trigger(domain: string, name: string, vcpu = 0): Promise<OperationReport> {
    const trigger = TRIGGERS[name];
    if (trigger === undefined)
      return this.#asking('trigger', domain, (operation, domid) => refuseTrigger(operation, domid, name));
    const plain: Plain = ['trigger', () => undefined, 0];
    return this.#plain('trigger', domain, plain, 'domain.trigger', (domid) => ({ domid, trigger, vcpu }), { name });
  }

  sysrq(domain: string, key: string): Promise<OperationReport> {
    const plain: Plain = ['send a magic key to', () => undefined, 1];
    return this.#plain('sysrq', domain, plain, 'domain.sysrq', (domid) => ({ domid, key: key.slice(0, 1) }), { key });
  }

  blockAttach(domain: string, words: readonly string[]): Promise<OperationReport> {
    return this.#onFound('block-attach', domain, { disk: words.join(' ') }, (operation, domid) =>
      attachDisk(operation, domid, words),
    );
  }

  blockDetach(domain: string, disk: string, { force }: { readonly force?: boolean } = {}): Promise<OperationReport> {
    return this.#onFound('block-detach', domain, { disk, isForced: force || undefined }, (operation, domid) =>
      detachDisk(operation, domid, disk, force === true),
    );
  }

  async blockList(domains: readonly string[]): Promise<OperationReport<readonly GuestDisk[]>> {
    return listDisks(await this.#begin('block-list'), domains);
  }

  networkAttach(domain: string, words: readonly string[]): Promise<OperationReport> {
    return this.#onFound('network-attach', domain, { card: words.join(' ') }, (operation, domid) =>
      attachNic(operation, domid, words),
    );
  }

  networkDetach(domain: string, card: string): Promise<OperationReport> {
    return this.#onFound('network-detach', domain, { card }, (operation, domid) => detachNic(operation, domid, card));
  }

  async networkList(domains: readonly string[]): Promise<OperationReport<readonly GuestNic[]>> {
    return listNics(await this.#begin('network-list'), domains);
  }

  pciAttach(domain: string, device: string): Promise<OperationReport> {
    return this.#onFound('pci-attach', domain, { device }, (operation, domid) => attachPci(operation, domid, device));
  }

  pciDetach(domain: string, device: string, { force }: { readonly force?: boolean } = {}): Promise<OperationReport> {
    return this.#onFound('pci-detach', domain, { device, isForced: force || undefined }, (operation, domid) =>
      detachPci(operation, domid, device, force === true),
    );
  }

  pciList(domain: string): Promise<OperationReport<readonly GuestPciSlot[]>> {
    return this.#asking('pci-list', domain, listPci);
  }

  pciAssignableAdd(device: string, name?: string): Promise<OperationReport> {
    return this.#changing('pci-assignable-add', { device, name }, (operation) =>
      addAssignable(operation, device, name),
    );
  }

  pciAssignableRemove(device: string, { rebind }: { readonly rebind?: boolean } = {}): Promise<OperationReport> {
    return this.#changing('pci-assignable-remove', { device }, (operation) =>
      removeAssignable(operation, device, rebind === true),
    );
  }

  async pciAssignableList(): Promise<OperationReport<readonly AssignableDevice[]>> {
    return listAssignable(await this.#begin('pci-assignable-list'));
  }

  initXenstoreDomain(options: XenstoreDomainOptions): Promise<OperationReport> {
    const { label, memoryMib, kernel } = options;
    return this.#changing('init-xenstore-domain', { kernel, memoryMib, label }, (operation) =>
      initXenstoreDomain(operation, options, {
        release: this.release,
        root: this.#root,
        onRun: (program) => {
          this.#program = program;
        },
        findDomain: () => findXenstoreDomain(this.#helperFile, this.release),
      }),
    );
  }

  labelPci(device: string, label: string, irqLabel?: string): Promise<OperationReport> {
    return this.#changing('label-pci', { device, label, irqLabel }, (operation) =>
      labelPci(operation, device, label, { irqLabel, root: this.#root }),
    );
  }

  /** Comes back when the console has ended; its exit status is that of the report. */
  console(domain: string, choice: ConsoleChoice = {}): Promise<OperationReport<GuestConsole>> {
    return this.#asking('console', domain, (operation, domid) =>
      showConsole(operation, domid, choice, (target) => this.#open(target)),
    );
  }

  #open(target: ConsoleTarget): ConsoleSession {
    const session = openConsole(this.#helperFile, this.release, target);
    this.#console = session;
    return session;
  }

  /** XEN: xl waits for the word of its console before it starts the guest. */
  async #attachEarly(domid: number): Promise<ConsoleSession> {
    const session = this.#open({ domid, choice: undefined });
    await session.ready;
    return session;
  }

  debugKeys(keys: string): Promise<OperationReport> {
    return this.#changing('debug-keys', { keys }, (operation) => sendDebugKeys(operation, keys));
  }

  domid(name: string): Promise<OperationReport<Domid>> {
    return this.#asking('domid', name, async (operation, domid) =>
      // Xen numbers domains.
      operation.report({ isDone: true, xlExitCode: 0, value: domid as Domid }),
    );
  }

  async domname(text: string): Promise<OperationReport<string>> {
    return nameOfDomain(await this.#begin('domname'), text);
  }

  async info(): Promise<OperationReport<HostInfo>> {
    return askHostInfo(await this.#begin('info'));
  }

  rename(domain: string, newName: string): Promise<OperationReport> {
    const plain: Plain = ['rename', () => `Can't rename domain '${domain}'.`, 1];
    const details = { to: newName };
    return this.#plain('rename', domain, plain, 'domain.rename', (domid) => ({ domid, name: newName }), details);
  }

  dmesg(options: { readonly clear?: boolean } = {}): Promise<OperationReport<string>> {
    return flask.readLog(
      new RealOperation('dmesg', this.#helper, new RingReader(this.#helper)),
      options.clear === true,
    );
  }

  /** Follows the console of Xen, from the oldest that it has. */
  followLog(): LogFollower {
    return new LogFollower(this.#helper);
  }

  /** Has operations take from `log` what Xen has logged, from now on, instead of reading the ring each for itself. */
  readLogFrom(log: LogSource): void {
    this.#log = log;
  }

  /** @internal Use `beginAuditing`. */
  audit<N extends 'audit.begin' | 'audit.end'>(call: N, params: HelperCalls[N]['params']): Promise<CallOutcome<N>> {
    return this.#helper.call(call, params);
  }

  /** The number of the helper process. */
  get helperPid(): number | undefined {
    return this.#helper.pid;
  }

  async getenforce(): Promise<OperationReport<boolean>> {
    return flask.askMode(await this.#begin('getenforce'));
  }

  /** Whether Xen was booted with `flask=disabled`, or built without FLASK. */
  isFlaskDisabled(): Promise<boolean> {
    return flask.isFlaskDisabled(this.#helper);
  }

  setenforce(isEnforcing: boolean): Promise<OperationReport> {
    return this.#changing('setenforce', { isEnforcing }, (operation) => flask.setMode(operation, isEnforcing));
  }

  async booleans(): Promise<OperationReport<readonly BooleanState[]>> {
    return flask.listBooleans(await this.#begin('booleans'));
  }

  setBoolean(name: string, value: boolean): Promise<OperationReport> {
    return this.#changing('set-boolean', { name, value }, (operation) => flask.setBoolean(operation, name, value));
  }

  /** How a load would end where there is no FLASK; undefined where there is. Nothing is loaded. */
  async loadHindrance(): Promise<OperationReport | undefined> {
    return flask.loadHindrance(await this.#begin('load-policy'));
  }

  loadPolicy(bytes: Uint8Array): Promise<OperationReport> {
    return this.#changing('load-policy', { bytes: bytes.length }, (operation) => flask.loadPolicy(operation, bytes));
  }

  probeForeignMap(domain: string, access: 'read' | 'read-write' = 'read'): Promise<OperationReport<ForeignMapProbe>> {
    return this.#asking('probe-foreign-map', domain, (operation, domid) => probeMemory(operation, domid, access));
  }

  /** What the loaded policy decides on some questions, with its sequence number. */
  async decide(
    questions: HelperCalls['flask.access']['params']['questions'],
  ): Promise<HelperCalls['flask.access']['result'] | undefined> {
    const outcome = await this.#helper.call('flask.access', { questions });
    return outcome.kind === 'ok' ? outcome.value : undefined;
  }

  /** Whether the loaded policy has a label; undefined where dom0 may not ask. */
  knowsLabel(context: string): Promise<boolean | undefined> {
    return flask.knowsLabel(this.#helper, context);
  }

  /** The boot of the machine. */
  get boot(): string {
    return bootId();
  }
}
