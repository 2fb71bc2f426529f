/**
 * The state of the simulated Xen, and the one place where checks are made.
 *
 * Start reading at `Machine.check`.
 *
 * @module
 */
import type { XenReleaseName } from '@dewar/policy/releases';
import type { AuditData } from '@dewar/policy/security-server';
import { InvariantError } from '@dewar/policy/text';
import type {
  Actor,
  Domid,
  Errno,
  HypercallArgs,
  HypercallName,
  HypercallResult,
  MappingHandle,
  ObservedCheck,
  OpenMapping,
  PagedMap,
  PciDevice,
  Sbdf,
  SidNumber,
} from '@dewar/toolstack';
import { type Behaviour, behaviourOf } from './behaviour.ts';
import type { CheckRow, Endpoint } from './checks.ts';
import { type CheckTable, checksOf } from './checks-by-release.ts';
import { isAllowedWithoutFlask } from './classic-rules.ts';
import { type Domain, type DomainTables, mappingsOf } from './domain.ts';
import type { Flask } from './flask.ts';

/** Lines of the console ring that are kept; Xen keeps a fixed number of bytes. */
const CONSOLE_LINES = 4096;

/** The domain ids that Xen gives to guests end before this. XEN: `DOMID_FIRST_RESERVED`. */
export const DOMID_LIMIT = 0x7ff0;

/** The domain that owns Xen's own pages; it has a number and a label, and never runs. */
// A reserved number of Xen's.
export const DOMID_XEN: Domid = 0x7ff2 as Domid;

/** Physical CPUs of a simulated host. */
export const HOST_CPUS = 2;

/** NUMA nodes of a simulated host. */
export const HOST_NODES = 1;

/** What a hypercall knows when it makes its checks. */
export interface Binding {
  /** The domain that the hypercall is about. */
  readonly domain?: Readonly<Domain>;
  /** Labels that the hypercall itself computed or was given. */
  readonly sids?: Partial<Record<Endpoint, SidNumber>>;
  readonly when?: CheckRow['when'] | readonly CheckRow['when'][];
  readonly stage?: CheckRow['stage'];
  readonly isContinuation?: boolean;
  /** What the avc line names as the target when that is none of the domains of `MachineState`. */
  readonly auditTarget?: Domid;
  /** What the avc line names of a resource. */
  readonly resource?: Pick<AuditData, 'device' | 'irq' | 'range'>;
}

/** A check came out badly: what the hypercall returns, or that it goes on with less. */
export type Denial = Errno | 'does less';

/** How one kind of hypercall is carried out. */
type Handler<N extends HypercallName> = (
  machine: Machine,
  caller: Domain,
  args: HypercallArgs<N>,
  actor: Actor,
) => HypercallResult<N>;

export type Handlers<N extends HypercallName> = { readonly [K in N]: Handler<K> };

/** A hypercall that did what it was asked. */
export function ok<T>(value: T): { readonly kind: 'ok'; readonly value: T } {
  return { kind: 'ok', value };
}

/** A hypercall that was refused. */
export function failed(
  errno: Errno,
  reason?: string,
): { readonly kind: 'error'; readonly errno: Errno; readonly reason?: string } {
  return reason === undefined ? { kind: 'error', errno } : { kind: 'error', errno, reason };
}

/** What decides when nothing is denied: the state that `Machine` starts from. */
export interface MachineState extends DomainTables {
  readonly domains: PagedMap<Domid, Domain>;
  readonly console: string[];
  readonly hostPages: number;
  nextDomid: number;
  domainExceptions: number;
  /** Whose state changed since it was last told of, ascending; empty where Xen does not keep that in mind. */
  readonly changedDomains: Domid[];
  isDom0Created: boolean;
  /** Without, nobody sees what a PV guest writes. */
  readonly hasShadowPaging: boolean;
  /** What keeps devices of guests within bounds. */
  readonly iommu: IommuKind;
  readonly devices: Map<Sbdf, HostDevice>;
}

/** The IOMMU of a host, if there is one. */
export const IOMMU_KINDS = ['none', 'without-remapping', 'with-remapping'] as const;

/** Whether there is an IOMMU, and whether it remaps interrupts too. */
export type IommuKind = (typeof IOMMU_KINDS)[number];

/** A PCI device of the host. */
export interface HostDevice extends Omit<PciDevice, 'owner'> {
  owner: Domid;
  /** It was set aside for guests, and goes back there when one has had it. */
  isQuarantined: boolean;
}

function isAmong(whens: Binding['when'], when: CheckRow['when']): boolean {
  return Array.isArray(whens) && whens.includes(when);
}

/** What the line about a check names beside the labels. Made for each check, so no more than there has to be. */
function auditData(row: CheckRow, current: Domid, target: Domid | undefined, { resource }: Binding): AuditData {
  if (row.audit === 'resource') return { current, ...resource };
  if (row.audit !== 'domains') return { current };
  return target === undefined ? { current, source: current } : { current, source: current, target };
}

/** The machine that all handlers work on. */
export class Machine {
  readonly flask: Flask;
  readonly state: MachineState;
  readonly release: XenReleaseName;
  readonly behaviour: Behaviour;
  readonly #checks: CheckTable;
  /** Told at each continuation of a long hypercall, when the rest of the host has its turn. */
  onContinuation: ((domid: Domid, done: number) => void) | undefined;
  readonly #listeners = new Set<(check: ObservedCheck) => void>();

  constructor(flask: Flask, state: MachineState) {
    this.flask = flask;
    this.state = state;
    this.release = flask.server.release.name;
    this.behaviour = behaviourOf(this.release);
    this.#checks = checksOf(this.release);
  }

  observe(listener: (check: ObservedCheck) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Writes a line to the console ring. */
  log(line: string): void {
    const { console } = this.state;
    console.push(line);
    if (console.length > CONSOLE_LINES) console.splice(0, console.length - CONSOLE_LINES);
  }

  /** A domain that the caller may change. */
  domain(domid: Domid): Domain | undefined {
    return this.state.domains.get(domid);
  }

  /** Domains in the order of their numbers, from `first` on, for callers who leave them as they are. */
  domainsFrom(first: Domid): Iterable<Readonly<Domain>> {
    return this.state.domains.within(first);
  }

  /** The first domain from a number on. */
  domainFrom(first: Domid): Readonly<Domain> | undefined {
    const found = this.state.domains.look(first);
    return found ?? this.state.domains.within(first).next().value ?? undefined;
  }

  /** How many pages of the host belong to nobody. */
  freePages(): number {
    let used = 0;
    for (const domain of this.state.domains.values()) used += domain.totalPages + domain.claimedPages;
    return Math.max(0, this.state.hostPages - used);
  }

  openMappings(owner: Domid): OpenMapping[] {
    return [...mappingsOf(this.state, owner)]
      .filter((mapping) => mapping.mapper.domid !== owner)
      .map(({ handle, ...rest }) => ({ mapping: handle, ...rest }));
  }

  /** The label of `b` in the eyes of `a`. XEN: `domain_target_sid`. */
  targetSid(a: Readonly<Domain>, b: Readonly<Domain>): SidNumber {
    if (a.domid === b.domid) return a.selfSid;
    return a.target === b.domid ? a.targetSid : b.sid;
  }

  /** Makes the checks of one stage of a hypercall, in order; stops at the first that refuses it. */
  check(name: HypercallName, caller: Domain, binding: Binding = {}): Denial | undefined {
    const stage = binding.stage ?? 'entry';
    if (this.flask.isDisabled) return this.#checkWithoutFlask(name, caller, binding);
    for (const row of this.#checks[name]) {
      if (row.stage !== stage) continue;
      if (row.when !== 'always' && row.when !== binding.when && !isAmong(binding.when, row.when)) continue;
      if (binding.isContinuation === true && !row.isRepeated) continue;
      const denial = this.#checkRow(row, caller, binding);
      if (denial !== undefined) return denial;
    }
    return undefined;
  }

  /** What stands in the places of FLASK's checks when it is disabled. */
  #checkWithoutFlask(name: HypercallName, caller: Domain, { domain }: Binding): Denial | undefined {
    if (isAllowedWithoutFlask(name, caller, domain)) return undefined;
    return this.#checks[name].some(({ denial }) => denial === 'does less') ? 'does less' : 'EPERM';
  }

  #checkRow(row: CheckRow, caller: Domain, binding: Binding): Denial | undefined {
    const source = this.#resolve(row.source, caller, binding);
    const target = this.#resolve(row.target, caller, binding);
    const namesDomains = row.audit === 'domains';
    const subject = namesDomains ? (binding.domain?.domid ?? binding.auditTarget) : undefined;
    const data = auditData(row, caller.domid, subject, binding);
    const answer = this.flask.hasPerm(source, target, row.class, row.permissions, data);
    const check: ObservedCheck = {
      class: row.class,
      permissions: row.permissions,
      source: this.flask.sidToContext(source),
      target: this.flask.sidToContext(target),
      outcome: answer.denied.length === 0 ? 'granted' : 'denied',
      denied: answer.denied,
      isEnforced: answer.isRefused,
      sourceDomid: namesDomains ? caller.domid : undefined,
      targetDomid: subject,
      avcLine: answer.logged,
      isContinuation: binding.isContinuation === true,
    };
    for (const listener of this.#listeners) listener(check);
    return answer.isRefused ? row.denial : undefined;
  }

  #resolve(endpoint: Endpoint, caller: Domain, binding: Binding): SidNumber {
    const given = binding.sids?.[endpoint];
    if (given !== undefined) return given;
    switch (endpoint) {
      case 'caller':
        return caller.sid;
      case 'xen':
        return this.flask.initialSid('xen');
      case 'security':
        return this.flask.initialSid('security');
      case 'domxen':
        return this.flask.initialSid('domxen');
      case 'target':
        if (binding.domain !== undefined) return this.targetSid(caller, binding.domain);
        break;
      case 'label':
        if (binding.domain !== undefined) return binding.domain.sid;
        break;
      case 'new label':
      case 'port':
      case 'new port':
      case 'remote port':
      case 'remote':
      case 'owner as seen by remote':
      case 'device model':
      case 'resource':
        break;
    }
    throw new InvariantError(`the hypercall bound no label for \`${endpoint}\``);
  }

  /** The state of a domain is another one. XEN: `domain_changed_state`. */
  markChanged(domid: Domid): void {
    if (!this.behaviour.tellsOfChanges) return;
    const { changedDomains } = this.state;
    // Most are the newest domain.
    let at = changedDomains.length;
    while ((changedDomains[at - 1] ?? -1) > domid) at--;
    if (changedDomains[at - 1] !== domid) changedDomains.splice(at, 0, domid);
  }

  /** The same, and whoever waits for the end of some domain is to look. XEN: `VIRQ_DOM_EXC`. */
  tellOfChange(domid: Domid): void {
    this.markChanged(domid);
    this.state.domainExceptions++;
  }

  /** Gives back a mapping; when it was the last of a dead domain, that domain is gone. */
  dropMapping(handle: MappingHandle): void {
    const mapping = this.state.mappings.look(handle);
    if (mapping === undefined) return;
    this.state.mappings.delete(handle);
    const owner = this.domain(mapping.owner);
    if (owner?.life === 'dead') this.releaseIfUnused(owner);
  }

  /** XEN: `complete_domain_destroy`, which tells again that a domain died. */
  releaseIfUnused(domain: Domain): void {
    const open = this.openMappings(domain.domid);
    domain.totalPages = open.reduce((pages, mapping) => pages + mapping.frames.count, 0);
    // XEN: a device model keeps a reference to its target for as long as it is there itself.
    const isHeld = [...this.state.domains.values()].some(({ target }) => target === domain.domid);
    if (open.length > 0 || isHeld) return;
    this.state.domains.delete(domain.domid);
    this.state.parts.delete(domain.domid);
    this.tellOfChange(domain.domid);
    const target = domain.target === undefined ? undefined : this.domain(domain.target);
    if (target?.life === 'dead') this.releaseIfUnused(target);
  }
}
