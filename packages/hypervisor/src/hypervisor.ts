/**
 * `Hypervisor`: a simulated Xen 4.17 that makes the checks real Xen makes.
 *
 * Imports: `@dewar/policy`, `@dewar/toolstack`.
 * Start reading at `Hypervisor.boot`.
 *
 * @module
 */
import { BASELINE_RELEASE } from '@dewar/policy/releases';
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
} from '@dewar/toolstack';
import { newDomain } from './domain.ts';
import { DOMCTLS, describeDomain } from './domctl.ts';
import { EVENT_CHANNEL_OPS } from './event-channels.ts';
import { Flask } from './flask.ts';
import { GRANT_OPS } from './grants.ts';
import { HVM_OPS } from './hvm.ts';
import { failed, type Handlers, Machine, type MachineState } from './machine.ts';
import { MEMORY_OPS } from './memory.ts';
import { type HypervisorSnapshot, restoreState, snapshotState } from './snapshot.ts';
import { SYSCTLS } from './sysctl.ts';
import { VCPU_OPS } from './vcpus.ts';
import { XSM_OPS } from './xsm-ops.ts';

/** How a host is booted. */
export interface BootOptions {
  /** The policy that Xen finds at boot. */
  readonly policy: Uint8Array;
  /** Default: enforcing, as in Xen. */
  readonly isEnforcing?: boolean;
  /** Memory of the host in MiB. */
  readonly memoryMib?: number;
  /** Memory and vCPUs of dom0. */
  readonly dom0MemoryMib?: number;
  readonly dom0Vcpus?: number;
}

/** A booted host, or why Xen would stop. */
export type BootOutcome =
  | { readonly kind: 'booted'; readonly hypervisor: Hypervisor }
  | { readonly kind: 'refused'; readonly reason: string };

const PAGES_PER_MIB = 256;
const DEFAULT_MEMORY_MIB = 64 * 1024;
const DEFAULT_DOM0_MIB = 1400;
const DOM0_UUID = '00000000-0000-0000-0000-000000000000';

const HANDLERS: Handlers<HypercallName> = {
  ...SYSCTLS,
  ...DOMCTLS,
  ...VCPU_OPS,
  ...HVM_OPS,
  ...MEMORY_OPS,
  ...EVENT_CHANNEL_OPS,
  ...GRANT_OPS,
  ...XSM_OPS,
};

/** One simulated host. */
export class Hypervisor implements Hypercalls {
  readonly #machine: Machine;

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
    const isEnforcing = options.isEnforcing ?? true;
    const state = emptyState(hostPages);
    const { machine } = makeMachine(state, isEnforcing);
    machine.log(`(XEN) Flask:  Starting in ${isEnforcing ? 'enforcing' : 'permissive'} mode.`);
    const loaded = machine.flask.loadPolicy(options.policy);
    if (loaded.kind === 'refused') return { kind: 'refused', reason: loaded.reason };
    const refused = makeDom0(machine, dom0Pages, dom0Vcpus);
    return refused === undefined
      ? { kind: 'booted', hypervisor: new Hypervisor(machine) }
      : { kind: 'refused', reason: refused };
  }

  /** Goes on from a snapshot; undefined when it is none, or its policy no longer loads. */
  static restore(snapshot: unknown): Hypervisor | undefined {
    const read = restoreState(snapshot);
    if (read === undefined) return undefined;
    const { machine } = makeMachine(read.state, read.flask.isEnforcing);
    const { flask } = machine;
    // The lines about the load were written when it happened.
    const console = [...read.state.console];
    if (flask.loadPolicy(read.policy).kind === 'refused') return undefined;
    flask.server.restore(read.flask.server);
    read.state.console.splice(0, read.state.console.length, ...console);
    return new Hypervisor(machine);
  }

  /** All that `restore` needs, as plain data. */
  snapshot(): HypervisorSnapshot {
    return snapshotState(this.#machine.state, this.#machine.flask);
  }

  call<N extends HypercallName>(actor: Actor, name: N, args: HypercallArgs<N>): HypercallResult<N> {
    const caller = this.#machine.domain(actor.domid);
    if (caller === undefined || caller.life !== 'alive') return failed('ESRCH');
    return HANDLERS[name](this.#machine, caller, args, actor);
  }

  observe(listener: (check: ObservedCheck) => void): () => void {
    return this.#machine.observe(listener);
  }

  takeDomainExceptions(): number {
    const { domainExceptions } = this.#machine.state;
    this.#machine.state.domainExceptions = 0;
    return domainExceptions;
  }

  openMappings(owner: Domid): readonly OpenMapping[] {
    return this.#machine.openMappings(owner);
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

function emptyState(hostPages: number): MachineState {
  return {
    domains: new Map(),
    mappings: new Map(),
    console: [],
    hostPages,
    nextDomid: 1,
    nextMapping: 1,
    domainExceptions: 0,
    isDom0Created: false,
  };
}

function makeMachine(state: MachineState, isEnforcing: boolean): { readonly machine: Machine } {
  const machine: Machine = new Machine(
    new Flask(BASELINE_RELEASE, isEnforcing, (line) => machine.log(`(XEN) ${line}`)),
    state,
  );
  return { machine };
}

/** XEN: `create_dom0`, in which the label of the booting Xen makes the first privileged domain. */
function makeDom0(machine: Machine, pages: number, vcpus: number): string | undefined {
  const { flask, state } = machine;
  const boot = flask.initialSid('xenboot');
  const sid = flask.initialSid('dom0');
  const check = flask.hasPerm(boot, sid, 'domain', ['create'], { current: IDLE_DOMID });
  if (check.isRefused) {
    return `\`${flask.sidToContext(boot)}\` lacks \`domain { create }\` on \`${flask.sidToContext(sid)}\`: Xen makes no dom0`;
  }
  const selfSid = flask.transitionSid(sid, sid, 'domain');
  if (selfSid === undefined) return `the self label of \`${flask.sidToContext(sid)}\` is not valid`;
  const dom0 = newDomain({
    // The first domain has number 0.
    domid: 0 as Domid,
    handle: DOM0_UUID,
    sid,
    selfSid,
    maxVcpus: vcpus,
    isHvm: false,
  });
  dom0.pauseCount = 0;
  dom0.vcpuCount = vcpus;
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    dom0.onlineVcpus.add(vcpu);
    dom0.initialisedVcpus.add(vcpu);
  }
  dom0.totalPages = pages;
  dom0.frameCount = pages;
  dom0.maxPages = pages;
  state.domains.set(dom0.domid, dom0);
  state.isDom0Created = true;
  return undefined;
}

/** XEN: `DOMID_IDLE`, which runs while Xen boots. */
const IDLE_DOMID = 0x7fff;
