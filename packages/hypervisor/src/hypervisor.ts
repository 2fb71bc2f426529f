/**
 * `Hypervisor`: a simulated Xen, of 4.17 or another release, that makes the checks real Xen makes.
 *
 * Imports: `@dewar/policy`, `@dewar/toolstack`.
 * Start reading at `Hypervisor.boot`.
 *
 * @module
 */
import type { PolicyDb } from '@dewar/policy/policydb';
import { BASELINE_RELEASE, type XenReleaseName } from '@dewar/policy/releases';
import type {
  Actor,
  Domid,
  HypercallArgs,
  HypercallName,
  HypercallResult,
  Hypercalls,
  InspectedDomain,
  ObservedCheck,
  OpenMapping,
  PciDevice,
} from '@dewar/toolstack';
import { behaviourOf } from './behaviour.ts';
import { hasHypercall } from './checks-by-release.ts';
import { DEVICE_MODEL_OPS } from './device-model.ts';
import { DEVICE_OPS } from './devices.ts';
import { Domain } from './domain.ts';
import { readTables } from './domain-records.ts';
import { DOMCTLS, describeDomain } from './domctl.ts';
import { EVENT_CHANNEL_OPS } from './event-channels.ts';
import { Flask, type FlaskMode, type ObservedLabel, type ObservedTransition } from './flask.ts';
import { GRANT_OPS } from './grants.ts';
import { HVM_OPS } from './hvm.ts';
import { failed, type Handlers, type IommuKind, Machine, type MachineState } from './machine.ts';
import { MEMORY_OPS } from './memory.ts';
import { type HypervisorSnapshot, restoreState, snapshotState } from './snapshot.ts';
import { SYSCTLS } from './sysctl.ts';
import { refuseUnknown } from './unknown-requests.ts';
import { VCPU_OPS } from './vcpus.ts';
import { XSM_OPS } from './xsm-ops.ts';

/** How a host is booted. */
export interface BootOptions {
  /** The release of Xen. Default: 4.17. */
  readonly release?: XenReleaseName;
  /** The policy that Xen finds at boot; only an enforcing Xen cannot do without. `late` and `disabled` pass it over. */
  readonly policy?: Uint8Array | undefined;
  /** Default: that of the release, which is enforcing but in 4.3. */
  readonly flask?: FlaskMode;
  /** Memory of the host in MiB. */
  readonly memoryMib?: number;
  /** Memory and vCPUs of dom0. */
  readonly dom0MemoryMib?: number;
  readonly dom0Vcpus?: number;
  /** Default: one that remaps interrupts too. */
  readonly iommu?: IommuKind;
  /** Whether Xen was built with shadow page tables. Default: what the release does where nobody asks for them. */
  readonly hasShadowPaging?: boolean;
  /** PCI devices, all of them dom0's at first. Default: `DEFAULT_DEVICES`. */
  readonly devices?: readonly HostPciDevice[];
}

/** A PCI device that a host is booted with. */
export type HostPciDevice = Omit<PciDevice, 'owner'>;

/** The devices of a host of which nothing else was said: two functions of a network card, and a disk controller. */
export const DEFAULT_DEVICES: readonly HostPciDevice[] = [
  {
    sbdf: 0x300,
    ports: [{ first: 0xecc0, count: 0x20 }],
    frames: [{ first: 0xfebe0, count: 0x20 }],
    irq: 33,
  },
  {
    sbdf: 0x301,
    ports: [{ first: 0xeca0, count: 0x20 }],
    frames: [{ first: 0xfebc0, count: 0x20 }],
    irq: 34,
  },
  { sbdf: 0x400, ports: [], frames: [{ first: 0xfea00, count: 4 }], irq: 35 },
];

/** How FLASK stands on a host. */
export interface FlaskState {
  /** What `flask=` said at boot. */
  readonly mode: FlaskMode;
  readonly isEnforcing: boolean;
  /** Whether there is a policy; without one everything is allowed. */
  readonly isLoaded: boolean;
}

/** A policy as a host has it. */
export interface PolicyInForce {
  readonly policy: PolicyDb;
  /** By the booleans' numbers. */
  readonly booleans: ReadonlyMap<number, boolean>;
  /** Names of the initial SIDs of the host's release; the first is SID 1. */
  readonly initialSids: readonly string[];
}

/** A booted host, or why Xen would stop. */
export type BootOutcome =
  | {
      readonly kind: 'booted';
      readonly hypervisor: Hypervisor;
      /** Why a permissive Xen did not take the policy that it found, and goes on without one. */
      readonly policyRefused: string | undefined;
    }
  | { readonly kind: 'refused'; readonly reason: string };

const PAGES_PER_MIB = 256;
const DEFAULT_MEMORY_MIB = 64 * 1024;
const DEFAULT_DOM0_MIB = 1400;
// The first domain has number 0.
const DOM0 = 0 as Domid;
const DOM0_UUID = '00000000-0000-0000-0000-000000000000';

const HANDLERS: Handlers<HypercallName> = {
  ...SYSCTLS,
  ...DOMCTLS,
  ...VCPU_OPS,
  ...HVM_OPS,
  ...DEVICE_MODEL_OPS,
  ...DEVICE_OPS,
  ...MEMORY_OPS,
  ...EVENT_CHANNEL_OPS,
  ...GRANT_OPS,
  ...XSM_OPS,
};

type CallListener = (actor: Actor, name: HypercallName) => void;

/** One simulated host. */
export class Hypervisor implements Hypercalls {
  readonly #machine: Machine;
  readonly #callListeners = new Set<CallListener>();

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Starts Xen, loads its policy and makes dom0. */
  static boot(options: BootOptions): BootOutcome {
    const hostPages = (options.memoryMib ?? DEFAULT_MEMORY_MIB) * PAGES_PER_MIB;
    const dom0Pages = (options.dom0MemoryMib ?? DEFAULT_DOM0_MIB) * PAGES_PER_MIB;
    const dom0Vcpus = options.dom0Vcpus ?? 2;
    if (!Number.isSafeInteger(hostPages) || !(dom0Pages > 0 && dom0Pages <= hostPages) || !(dom0Vcpus > 0)) {
      return { kind: 'refused', reason: 'the host has too little memory for dom0' };
    }
    const release = options.release ?? BASELINE_RELEASE;
    const { defaultMode, modes, needsPolicy } = behaviourOf(release);
    const mode = options.flask ?? defaultMode;
    if (!modes.includes(mode)) return { kind: 'refused', reason: `Xen ${release} has no \`flask=${mode}\`` };
    const machine = makeMachine(emptyState(hostPages, release, options), mode, release);
    const policyRefused = startFlask(machine, options.policy);
    if (policyRefused !== undefined && mode === 'enforcing' && needsPolicy)
      return { kind: 'refused', reason: policyRefused };
    const refused = makeDom0(machine, dom0Pages, dom0Vcpus);
    return refused === undefined
      ? { kind: 'booted', hypervisor: new Hypervisor(machine), policyRefused }
      : { kind: 'refused', reason: refused };
  }

  /** Goes on from a snapshot; undefined when it is none, or its policy no longer loads. */
  static restore(snapshot: unknown): Hypervisor | undefined {
    const read = restoreState(snapshot);
    if (read === undefined) return undefined;
    const machine = makeMachine(read.state, read.flask.mode, read.flask.release);
    return machine.flask.resume(read.policy, read.flask) ? new Hypervisor(machine) : undefined;
  }

  /** All that `restore` needs, as plain data. */
  snapshot(): HypervisorSnapshot {
    return snapshotState(this.#machine.state, this.#machine.flask, 'all');
  }

  /** What to put over the snapshot that this host was restored from: its tables have those pages that may be others now. */
  changes(): HypervisorSnapshot {
    return snapshotState(this.#machine.state, this.#machine.flask, 'changed');
  }

  get release(): XenReleaseName {
    return this.#machine.release;
  }

  /** Memory of the host, dom0's included. */
  get memoryMib(): number {
    return this.#machine.state.hostPages / PAGES_PER_MIB;
  }

  /** Domains that there are, dom0 and dying ones included. */
  get domainCount(): number {
    return this.#machine.state.domains.size;
  }

  get iommu(): IommuKind {
    return this.#machine.state.iommu;
  }

  /** How FLASK was started, and how it stands. */
  get flask(): FlaskState {
    const { mode, isEnforcing, server } = this.#machine.flask;
    return { mode, isEnforcing, isLoaded: server.isLoaded };
  }

  /** The policy in force, and the values that its booleans have now, by number; undefined where no policy is loaded. */
  get policyInForce(): PolicyInForce | undefined {
    const { server } = this.#machine.flask;
    const { policy } = server;
    if (policy === undefined || this.#machine.flask.isDisabled) return undefined;
    const values = new Map(server.booleans().map(({ name, value }) => [name, value]));
    const booleans = new Map(policy.booleans.entries.map(({ name, value }) => [value, values.get(name) === true]));
    return { policy, booleans, initialSids: server.release.initialSids };
  }

  /** The PCI devices that were labelled at run time, by their machine SBDF. XEN: the labels go with the policy. */
  get addedDeviceLabels(): readonly { readonly device: number; readonly label: string }[] {
    return this.#machine.flask.server.addedDeviceLabels();
  }

  call<N extends HypercallName>(actor: Actor, name: N, args: HypercallArgs<N>): HypercallResult<N> {
    for (const listener of this.#callListeners) listener(actor, name);
    const caller = this.#machine.domain(actor.domid);
    if (caller === undefined || caller.life !== 'alive') return failed('ESRCH');
    if (this.#machine.flask.isDisabled) {
      if (name.startsWith('xsm_op.')) return failed('ENOSYS');
      // XEN: xsm_sysctl() stands before all of them, even before those that FLASK checks in parts.
      if (name.startsWith('sysctl.') && caller.domid !== 0) return failed('EPERM');
    }
    if (!hasHypercall(this.#machine.release, name)) return refuseUnknown(this.#machine, caller, name, args);
    return HANDLERS[name](this.#machine, caller, args, actor);
  }

  observe(listener: (check: ObservedCheck) => void): () => void {
    return this.#machine.observe(listener);
  }

  /** Tells of each hypercall before its checks are made; answers how to stop. */
  observeCalls(listener: CallListener): () => void {
    this.#callListeners.add(listener);
    return () => {
      this.#callListeners.delete(listener);
    };
  }

  /** Tells of each label that something new gets, such as an event channel; answers how to stop. */
  observeTransitions(listener: (transition: ObservedTransition) => void): () => void {
    return this.#machine.flask.observeTransitions(listener);
  }

  /** Tells of each label that a statement of the policy gave and that is now used; answers how to stop. */
  observeLabels(listener: (label: ObservedLabel) => void): () => void {
    return this.#machine.flask.observeLabels(listener);
  }

  takeDomainExceptions(): number {
    const { domainExceptions } = this.#machine.state;
    this.#machine.state.domainExceptions = 0;
    return domainExceptions;
  }

  openMappings(owner: Domid): readonly OpenMapping[] {
    return this.#machine.openMappings(owner);
  }

  pciDevices(): readonly PciDevice[] {
    const { devices } = this.#machine.state;
    return [...devices.values()].map(({ isQuarantined: _, ...device }) => device).sort((a, b) => a.sbdf - b.sbdf);
  }

  inspectDomain(domid: Domid): InspectedDomain | undefined {
    const domain = this.#machine.domain(domid);
    if (domain === undefined) return undefined;
    return { info: describeDomain(domain), label: this.#machine.flask.sidToContext(domain.sid) };
  }

  /** Calls `listener` at each continuation of a long hypercall: there the rest of the host has its turn. */
  onContinuation(listener: (domid: Domid, done: number) => void): void {
    this.#machine.onContinuation = listener;
  }
}

function emptyState(
  hostPages: number,
  release: XenReleaseName,
  {
    iommu = 'with-remapping',
    devices = DEFAULT_DEVICES,
    hasShadowPaging = behaviourOf(release).hasShadowPaging,
  }: BootOptions,
): MachineState {
  return {
    hasShadowPaging,
    iommu,
    devices: new Map(devices.map((one) => [one.sbdf, { ...one, owner: DOM0, isQuarantined: false }])),
    ...readTables({}),
    console: [],
    hostPages,
    nextDomid: 1,
    domainExceptions: 0,
    changedDomains: [],
    isDom0Created: false,
  };
}

function makeMachine(state: MachineState, mode: FlaskMode, release: XenReleaseName): Machine {
  const machine: Machine = new Machine(new Flask(release, mode, (line) => machine.log(`(XEN) ${line}`)), state);
  return machine;
}

/** Loads the policy of the boot, where the mode asks for one. Answers why it was not taken. XEN: `flask_init`. */
function startFlask(machine: Machine, policy: Uint8Array | undefined): string | undefined {
  const { flask } = machine;
  const { tellsOfPolicy } = machine.behaviour;
  if (flask.isDisabled) {
    machine.log(tellsOfPolicy ? '(XEN) Flask: Disabled at boot.' : '(XEN) Flask:  Disabled at boot.');
    return undefined;
  }
  if (!tellsOfPolicy) {
    machine.log('(XEN) Flask:  Initializing.');
    machine.log('(XEN) AVC INITIALIZED');
  }
  let refused: string | undefined;
  if (flask.mode !== 'late') {
    if (policy === undefined) refused = 'Xen found no policy';
    else {
      const loaded = flask.loadPolicy(policy);
      if (loaded.kind === 'refused') refused = loaded.reason;
    }
  }
  // XEN: 4.3 names the mode whether or not there is a policy.
  if (flask.server.isLoaded || !tellsOfPolicy) machine.log(`(XEN) Flask:  Starting in ${flask.mode} mode.`);
  else machine.log('(XEN) Flask:  Access controls disabled until policy is loaded.');
  return refused;
}

/**
 * XEN: `create_dom0`, in which the label of the booting Xen makes the first privileged domain. Before 4.17 the first
 * domain that the idle domain makes has the label of dom0 unasked.
 */
function makeDom0(machine: Machine, pages: number, vcpus: number): string | undefined {
  const { flask, state } = machine;
  const { bootLabel } = machine.behaviour;
  const boot = flask.initialSid(bootLabel ?? 'xen');
  const sid = flask.isDisabled ? 0 : flask.initialSid('dom0');
  const isChecked = bootLabel !== undefined && !flask.isDisabled;
  if (isChecked && flask.hasPerm(boot, sid, 'domain', ['create'], { current: IDLE_DOMID }).isRefused) {
    return `\`${flask.sidToContext(boot)}\` lacks \`domain { create }\` on \`${flask.sidToContext(sid)}\`: Xen makes no dom0`;
  }
  const selfSid = flask.transitionSid(sid, sid, 'domain');
  if (selfSid === undefined) return `the self label of \`${flask.sidToContext(sid)}\` is not valid`;
  const dom0 = new Domain(
    {
      domid: DOM0,
      handle: DOM0_UUID,
      sid,
      selfSid,
      maxVcpus: vcpus,
      isHvm: false,
      // XEN: an IOMMU that is there watches over dom0 too.
      hasIommu: state.iommu !== 'none',
    },
    state,
  );
  dom0.pauseCount = 0;
  dom0.vcpuCount = vcpus;
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    dom0.bringUp(vcpu);
    dom0.initialisedVcpus.add(vcpu);
  }
  dom0.totalPages = pages;
  dom0.frameCount = pages;
  dom0.maxPages = pages;
  state.domains.set(dom0.domid, dom0);
  machine.markChanged(dom0.domid);
  state.isDom0Created = true;
  return undefined;
}

/** XEN: `DOMID_IDLE`, which runs while Xen boots. */
const IDLE_DOMID = 0x7fff;
