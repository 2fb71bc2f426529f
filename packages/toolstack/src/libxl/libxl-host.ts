/**
 * Our libxl as a `Host`, over any `Hypercalls`.
 *
 * @module
 */
import { hasEarlyChecks, isSince } from '@dewar/policy/releases';
import type {
  AssignableDevice,
  ConsoleChoice,
  CoreDump,
  CreateOptions,
  DomainConfiguration,
  DomainState,
  ForeignMapProbe,
  GuestConsole,
  GuestDisk,
  GuestNic,
  GuestPciSlot,
  Host,
  HostInfo,
  ListOptions,
  MigrateOptions,
  Migration,
  OperationName,
  OperationReport,
  RestoreOptions,
  SavedGuest,
  SaveOptions,
  SchedulerState,
  StopOptions,
  VcpuState,
  XenstoreDomainOptions,
} from '../host.ts';
import type {
  BooleanState,
  Domid,
  Errno,
  HypercallArgs,
  HypercallName,
  HypercallResult,
  Hypercalls,
} from '../hypercalls.ts';
import type { DomainConfig } from '../xl-cfg/index.ts';
import { findConsole } from './console.ts';
import { createGuest } from './create.ts';
import { DOM0, startXenstored } from './daemons.ts';
import { destroyDomain, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { attachDisk, attachNic, detachDisk, detachNic, listDisks, listNics } from './device-operations.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { stopGuest } from './guest-control.ts';
import { setMaxMemory, setMemory } from './guest-memory.ts';
import { unpauseGuest } from './guest-run.ts';
import { domidOf, domnameOf, hostInfo, sendDebugKeys, sendSysrq, sendTrigger } from './inspect.ts';
import { labelPci } from './label-pci.ts';
import { listConfigurations, listGuests } from './list-domains.ts';
import { migrateGuest } from './migrate.ts';
import { finalState, findDomain, type Operation, report, startXl } from './operation.ts';
import { addAssignable, attachPci, detachPci, listAssignable, listPci, removeAssignable } from './pci-operations.ts';
import { Recorder } from './recorder.ts';
import { restoreGuest } from './restore.ts';
import { dumpCore, pauseGuest, renameGuest, reportRefusal } from './run-state.ts';
import { logLibxl, sayXsmDenied } from './said.ts';
import { saveGuest } from './save.ts';
import { setScheduler, showScheduler } from './scheduler.ts';
import { emptyToolstackState, snapshotToolstack, type ToolstackSnapshot } from './toolstack-records.ts';
import type { ToolstackState } from './toolstack-state.ts';
import { listVcpus, pinVcpu, setVcpus } from './vcpus.ts';
import { initXenstoreDomain } from './xenstore-domain.ts';

/** xenstored starts as the host boots; false where it ends as it started. */
function bootXenstored(hypercalls: Hypercalls): boolean {
  const xenstored = { domid: DOM0, process: 'xenstored' } as const;
  if (!startXenstored(hypercalls, (args) => hypercalls.call(xenstored, 'domctl.get_domain_state', args))) return false;
  // It keeps in mind what it has entries of.
  if (isSince(hypercalls.release, '4.21')) hypercalls.call(xenstored, 'domctl.get_domain_state', { domid: DOM0 });
  return true;
}

/**
 * What stands in xenstore of a host that has just booted. XEN: `xen-init-dom0` looks at dom0 before it writes its name and
 * that of the pool of CPUs; a policy keeps it from that only where Xen refuses the look itself. Since 4.18 it asks after
 * dom0 alone.
 */
function bootedState(hypercalls: Hypercalls): ToolstackState {
  const state = emptyToolstackState();
  const helper = { domid: DOM0, process: 'xen-init-dom0' } as const;
  if (isSince(hypercalls.release, '4.18')) {
    const look = hypercalls.call(helper, 'domctl.getdomaininfo', { domid: DOM0 });
    return { ...state, isDom0Bare: look.kind === 'error' };
  }
  if (!hasEarlyChecks(hypercalls.release)) return state;
  const look = hypercalls.call(helper, 'sysctl.getdomaininfolist', { first: DOM0, max: 1 });
  return { ...state, isDom0Bare: look.kind === 'error' };
}

/** The toolstack of one host. Its state lasts as long as the host does: keep `snapshot()` next to that of Xen. */
export class LibxlHost implements Host {
  readonly #hypercalls: Hypercalls;
  readonly #state: ToolstackState;
  /** False where xenstored ended as it started: then dom0 has no toolstack, and every command of xl waits for ever. */
  readonly hasXenstored: boolean;

  /** Without a state the host has just booted. */
  constructor(hypercalls: Hypercalls, state?: ToolstackState) {
    this.#hypercalls = hypercalls;
    this.hasXenstored = state !== undefined || bootXenstored(hypercalls);
    // Without it nothing gets as far as to a look at dom0.
    this.#state = state ?? (this.hasXenstored ? bootedState(hypercalls) : emptyToolstackState());
  }

  /** What the toolstack knows of its guests, as plain data. */
  snapshot(): ToolstackSnapshot {
    return snapshotToolstack(this.#state, 'all');
  }

  /** What to put over the snapshot that this one goes on from: its tables have those pages that may be others now. */
  changes(): ToolstackSnapshot {
    return snapshotToolstack(this.#state, 'changed');
  }

  async create(config: DomainConfig, options: CreateOptions): Promise<OperationReport> {
    return createGuest(this.#begin('create'), config, options);
  }

  async list(options: ListOptions = {}): Promise<OperationReport<readonly DomainState[]>> {
    return listGuests(this.#begin('list'), options);
  }

  async listLong(domain?: string): Promise<OperationReport<readonly DomainConfiguration[]>> {
    return listConfigurations(this.#begin('list'), domain);
  }

  async pause(domain: string): Promise<OperationReport> {
    return pauseGuest(this.#begin('pause'), domain);
  }

  async unpause(domain: string): Promise<OperationReport> {
    return unpauseGuest(this.#begin('unpause'), domain);
  }

  async destroy(domain: string): Promise<OperationReport> {
    const operation = this.#begin('destroy');
    const domid = findDomain(operation, domain);
    if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
    if (domid === DOM0) {
      operation.messages.push('Not destroying domain 0; use -f to force.');
      operation.diagnostics.push(guest['is-dom0'](undefined, { operation: 'destroy' }));
      return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
    }
    const destruction = destroyDomain(operation, domid);
    if (destruction.rc !== 0) {
      logDestroyFailed(operation, domid);
      operation.messages.push(`destroy failed (rc=${destruction.rc})`);
      if (destruction.rc === -21 && finalState(operation, domid) === undefined)
        operation.diagnostics.push(guest['unknown-domain'](undefined, { domain }));
    }
    const isDone = reportLeftovers(operation, domid, destruction);
    // XEN: xl is content with a domain that is dead, whoever keeps its pages.
    return report(operation, {
      isDone,
      xlExitCode: destruction.rc === 0 ? 0 : 1,
      domain: finalState(operation, domid),
    });
  }

  async dumpCore(domain: string, file = 'core'): Promise<OperationReport<CoreDump>> {
    return dumpCore(this.#begin('dump-core'), domain, file);
  }

  async rename(domain: string, newName: string): Promise<OperationReport> {
    return renameGuest(this.#begin('rename'), domain, newName);
  }

  async shutdown(domain: string, options: StopOptions = {}): Promise<OperationReport> {
    return stopGuest(this.#begin('shutdown'), domain, 'poweroff', options);
  }

  async reboot(domain: string, options: StopOptions = {}): Promise<OperationReport> {
    return stopGuest(this.#begin('reboot'), domain, 'reboot', options);
  }

  async save(domain: string, options: SaveOptions = {}): Promise<OperationReport<SavedGuest>> {
    return saveGuest(this.#begin('save'), domain, options);
  }

  async restore(saved: unknown, options: RestoreOptions): Promise<OperationReport> {
    return restoreGuest(this.#begin('restore'), saved, options);
  }

  /**
   * Has a guest go to another host. Labels travel as text and are resolved there; where that host does not know one,
   * the guest goes on here. Both hosts change.
   */
  async migrate(domain: string, target: LibxlHost, options: MigrateOptions): Promise<Migration> {
    const sides = { source: this.#begin('migrate'), target: target.#begin('migrate-receive') };
    return migrateGuest(sides, domain, options);
  }

  async vcpuList(domain?: string): Promise<OperationReport<readonly VcpuState[]>> {
    return listVcpus(this.#begin('vcpu-list'), domain);
  }

  async vcpuPin(domain: string, vcpu: string, hard: string, soft?: string): Promise<OperationReport> {
    return pinVcpu(this.#begin('vcpu-pin'), domain, vcpu, hard, soft);
  }

  async vcpuSet(
    domain: string,
    count: number,
    options: { readonly ignoreHost?: boolean } = {},
  ): Promise<OperationReport> {
    return setVcpus(this.#begin('vcpu-set'), domain, count, options.ignoreHost === true);
  }

  async memSet(domain: string, kib: number, text = `${kib}k`): Promise<OperationReport> {
    return setMemory(this.#begin('mem-set'), domain, kib, text);
  }

  async memMax(domain: string, kib: number, text = `${kib}k`): Promise<OperationReport> {
    return setMaxMemory(this.#begin('mem-max'), domain, kib, text);
  }

  async schedCredit2(
    domain?: string,
    change: { readonly weight?: number; readonly cap?: number } = {},
  ): Promise<OperationReport<readonly SchedulerState[]>> {
    const operation = this.#begin('sched-credit2');
    const isChange = change.weight !== undefined || change.cap !== undefined;
    return domain !== undefined && isChange
      ? setScheduler(operation, domain, change)
      : showScheduler(operation, domain);
  }

  async trigger(domain: string, name: string, vcpu = 0): Promise<OperationReport> {
    return sendTrigger(this.#begin('trigger'), domain, name, vcpu);
  }

  async sysrq(domain: string, key: string): Promise<OperationReport> {
    return sendSysrq(this.#begin('sysrq'), domain, key);
  }

  async vmList(): Promise<OperationReport<readonly DomainState[]>> {
    return listGuests(this.#begin('vm-list'), {});
  }

  async domid(name: string): Promise<OperationReport<Domid>> {
    return domidOf(this.#begin('domid'), name);
  }

  async domname(domid: string): Promise<OperationReport<string>> {
    return domnameOf(this.#begin('domname'), domid);
  }

  async info(): Promise<OperationReport<HostInfo>> {
    return hostInfo(this.#begin('info'));
  }

  async blockAttach(domain: string, words: readonly string[]): Promise<OperationReport> {
    return attachDisk(this.#begin('block-attach'), domain, words);
  }

  async blockDetach(
    domain: string,
    disk: string,
    options: { readonly force?: boolean } = {},
  ): Promise<OperationReport> {
    return detachDisk(this.#begin('block-detach'), domain, disk, options.force === true);
  }

  async blockList(domains: readonly string[]): Promise<OperationReport<readonly GuestDisk[]>> {
    return listDisks(this.#begin('block-list'), domains);
  }

  async networkAttach(domain: string, words: readonly string[]): Promise<OperationReport> {
    return attachNic(this.#begin('network-attach'), domain, words);
  }

  async networkDetach(domain: string, card: string): Promise<OperationReport> {
    return detachNic(this.#begin('network-detach'), domain, card);
  }

  async networkList(domains: readonly string[]): Promise<OperationReport<readonly GuestNic[]>> {
    return listNics(this.#begin('network-list'), domains);
  }

  async console(domain: string, choice: ConsoleChoice = {}): Promise<OperationReport<GuestConsole>> {
    return findConsole(this.#begin('console'), domain, choice);
  }

  async debugKeys(keys: string): Promise<OperationReport> {
    return sendDebugKeys(this.#begin('debug-keys'), keys);
  }

  async pciAttach(domain: string, spec: string): Promise<OperationReport> {
    return attachPci(this.#begin('pci-attach'), domain, spec);
  }

  async pciDetach(domain: string, spec: string, options: { readonly force?: boolean } = {}): Promise<OperationReport> {
    return detachPci(this.#begin('pci-detach'), domain, spec, options.force === true);
  }

  async pciList(domain: string): Promise<OperationReport<readonly GuestPciSlot[]>> {
    return listPci(this.#begin('pci-list'), domain);
  }

  async pciAssignableAdd(device: string, name?: string): Promise<OperationReport> {
    return addAssignable(this.#begin('pci-assignable-add'), device, name);
  }

  async pciAssignableRemove(device: string): Promise<OperationReport> {
    return removeAssignable(this.#begin('pci-assignable-remove'), device);
  }

  async pciAssignableList(): Promise<OperationReport<readonly AssignableDevice[]>> {
    return listAssignable(this.#begin('pci-assignable-list'));
  }

  async labelPci(device: string, label: string, irqLabel?: string): Promise<OperationReport> {
    return labelPci(this.#begin('label-pci'), device, label, irqLabel);
  }

  async initXenstoreDomain(options: XenstoreDomainOptions): Promise<OperationReport> {
    return initXenstoreDomain(this.#begin('init-xenstore-domain'), options);
  }

  async dmesg(options: { readonly clear?: boolean } = {}): Promise<OperationReport<string>> {
    const operation = this.#begin('dmesg');
    const answer = this.#single(operation, 'read the console ring', 'sysctl.readconsole', {
      clear: options.clear === true,
    });
    if (answer.kind === 'error') {
      const place = 'libxl_console.c:772:libxl_xen_console_read_line';
      logLibxl(operation, place, 'reading console ring buffer', answer.errno);
      return report(operation, { isDone: false, xlExitCode: 1 });
    }
    return report(operation, { isDone: true, xlExitCode: 0, value: answer.value.text });
  }

  async getenforce(): Promise<OperationReport<boolean>> {
    const operation = this.#begin('getenforce');
    const answer = this.#single(operation, 'ask for the mode', 'xsm_op.getenforce', {});
    if (answer.kind === 'error') {
      // XEN: that FLASK is disabled is an answer to xl, on its standard output.
      if (answer.errno !== 'ENOSYS') operation.messages.push('Failed to get enforcing mode');
      return report(operation, { isDone: false, xlExitCode: 255 });
    }
    const { isEnforcing } = answer.value;
    // XEN: `xl getenforce` makes the mode its exit status.
    return report(operation, { isDone: true, xlExitCode: isEnforcing ? 1 : 0, value: isEnforcing });
  }

  async setenforce(isEnforcing: boolean): Promise<OperationReport> {
    const operation = this.#begin('setenforce');
    const answer = this.#single(operation, 'set the mode', 'xsm_op.setenforce', { isEnforcing });
    if (answer.kind === 'ok') return report(operation, { isDone: true, xlExitCode: 0 });
    operation.messages.push(
      answer.errno === 'ENOSYS' ? 'Flask XSM disabled' : 'error occurred while setting enforcing mode (-1)',
    );
    return report(operation, { isDone: false, xlExitCode: 255 });
  }

  async booleans(): Promise<OperationReport<readonly BooleanState[]>> {
    const operation = this.#begin('booleans');
    const { recorder } = operation;
    const value: BooleanState[] = [];
    let errno: Errno | undefined;
    recorder.step('flask-get-bool asks for the booleans', 'flask tools', () => {
      // XEN: flask-get-bool goes from number to number until there is none.
      while (errno === undefined) {
        const answer = recorder.ask('flask tools', 'xsm_op.getbool', { id: value.length });
        if (answer.kind === 'ok') value.push(answer.value);
        else errno = answer.errno;
      }
      return errno === 'ENOENT' ? 'done' : 'failed';
    });
    if (errno === 'ENOENT') return report(operation, { isDone: true, xlExitCode: 0, value });
    const notes = refusalNotes(recorder.refusal);
    operation.diagnostics.push(guest['request-failed'](undefined, { operation: 'ask for the booleans' }, { notes }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  }

  async setBoolean(name: string, value: boolean): Promise<OperationReport> {
    const operation = this.#begin('set-boolean');
    const answer = this.#single(operation, 'set a boolean', 'xsm_op.setbool', { name, value, commit: true });
    return report(operation, { isDone: answer.kind === 'ok', xlExitCode: answer.kind === 'ok' ? 0 : 1 });
  }

  async loadPolicy(bytes: Uint8Array): Promise<OperationReport> {
    const operation = this.#begin('load-policy');
    const answer = this.#single(operation, 'load a policy', 'xsm_op.load_policy', { bytes });
    if (answer.kind === 'ok') return report(operation, { isDone: true, xlExitCode: 0 });
    // XEN: xl loses the errno on the way and says this whatever the cause.
    operation.messages.push(
      answer.errno === 'ENOSYS' ? 'Flask XSM disabled' : 'Unable to load new Flask policy: Operation not permitted',
    );
    return report(operation, { isDone: false, xlExitCode: 255 });
  }

  async probeForeignMap(
    domain: string,
    access: 'read' | 'read-write' = 'read',
    by?: string,
  ): Promise<OperationReport<ForeignMapProbe>> {
    const asked = this.#begin('probe-foreign-map');
    const domid = findDomain(asked, domain);
    const actor = by === undefined ? DOM0 : findDomain(asked, by);
    if (domid === undefined || actor === undefined) return report(asked, { isDone: false, xlExitCode: 1 });
    const operation = actor === DOM0 ? asked : { ...asked, recorder: new Recorder(this.#hypercalls, actor) };
    const { recorder } = operation;
    let outcome: ForeignMapProbe['outcome'] | undefined;
    recorder.step(
      `${actor === DOM0 ? 'dom0' : `domain ${actor}`} tries to map a page of domain ${domid}`,
      'probe',
      () => {
        const frames = { first: 0, count: 1 };
        const isWritable = access === 'read-write';
        const mapped = recorder.ask('probe', 'mmu_update.map_foreign', { domid, frames, isWritable });
        if (mapped.kind === 'ok') {
          recorder.ask('probe', 'mmu_update.unmap_foreign', { mapping: mapped.value.mapping });
          outcome = 'mapped';
          return 'done';
        }
        if (mapped.errno === 'EACCES') outcome = 'denied';
        return outcome === 'denied' ? 'ignored-failure' : 'failed';
      },
    );
    if (outcome === undefined) {
      reportRefusal(operation, 'map a page of', domid);
      return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
    }
    const avcLine = recorder.timeline
      .flatMap((step) => step.hypercalls)
      .find((call) => call.name === 'mmu_update.map_foreign')
      ?.checks.at(-1)?.avcLine;
    const value: ForeignMapProbe = { domid, access, outcome, avcLine };
    return report(operation, { isDone: true, xlExitCode: 0, value, domain: finalState(operation, domid) });
  }

  #begin(name: OperationName): Operation {
    return {
      name,
      recorder: new Recorder(this.#hypercalls, DOM0),
      state: this.#state,
      messages: [],
      diagnostics: [],
      labelChanges: [],
      host: { cpus: 0, hasIommu: false },
    };
  }

  /** An operation that is one hypercall. */
  #single<N extends HypercallName>(
    operation: Operation,
    verb: string,
    name: N,
    args: HypercallArgs<N>,
  ): HypercallResult<N> {
    const { recorder } = operation;
    // The step runs at once; until it has, there is no answer to give back.
    const answers: HypercallResult<N>[] = [];
    recorder.step(`xl starts, to ${verb}`, 'xl', () => {
      startXl(operation);
      const answer = recorder.ask('xl', name, args);
      answers.push(answer);
      return answer.kind === 'ok' ? 'done' : 'failed';
    });
    const [answer] = answers;
    if (answer === undefined) return { kind: 'error', errno: 'EAGAIN' };
    if (answer.kind === 'error') {
      if (name.startsWith('xsm_op.')) sayXsmDenied(operation, answer.errno);
      if (answer.errno === 'ENOENT' && 'name' in args) {
        operation.diagnostics.push(guest['unknown-boolean'](undefined, { name: String(args.name) }));
      } else {
        const notes = refusalNotes(recorder.refusal);
        operation.diagnostics.push(guest['request-failed'](undefined, { operation: verb }, { notes }));
      }
    }
    return answer;
  }
}
