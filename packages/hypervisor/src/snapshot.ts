/**
 * The whole state of a simulated host as JSON, and back. What is read is checked: a snapshot may be old or broken.
 *
 * @module
 */
import { accessVector } from '@dewar/policy/policydb';
import { BASELINE_RELEASE, XEN_RELEASES } from '@dewar/policy/releases';
import type { AvcNode, AvcSnapshot, SecurityServerSnapshot } from '@dewar/policy/security-server';
import {
  type Actor,
  DOMID_IO,
  type Domid,
  type HvmParam,
  type MappingHandle,
  type Port,
  type PortStatus,
  type Process,
  type ShutdownReason,
} from '@dewar/toolstack';
import type { Affinity, Domain, EventChannel, Grant, IoreqServer, Mapping } from './domain.ts';
import { FLASK_MODES, type Flask, type FlaskSnapshot } from './flask.ts';
import { DOMID_LIMIT, type HostDevice, IOMMU_KINDS, type IommuKind, type MachineState } from './machine.ts';

type Json = Readonly<Record<string, unknown>>;

/** A host at rest. Plain JSON. */
export interface HypervisorSnapshot {
  readonly version: 1;
  readonly flask: FlaskSnapshot;
  readonly domains: readonly Json[];
  readonly mappings: readonly Json[];
  readonly console: readonly string[];
  readonly hostPages: number;
  readonly nextDomid: number;
  readonly nextMapping: number;
  readonly domainExceptions: number;
  readonly isDom0Created: boolean;
  readonly iommu: IommuKind;
  readonly devices: readonly Json[];
}

/** What a snapshot says, before its policy is loaded. */
export interface ReadSnapshot {
  readonly state: MachineState;
  readonly flask: FlaskSnapshot;
  /** Undefined where none was loaded. */
  readonly policy: Uint8Array | undefined;
}

const LIST_LIMIT = 0x20000;
const TEXT_LIMIT = 0x4000;
const POLICY_DIGITS_LIMIT = 2 * 0x0400_0000;
const PROCESSES: readonly string[] = [
  'xl',
  'xl daemon',
  'libxl',
  'libxc',
  'libxl-save-helper',
  'xenstored',
  'xenconsoled',
  'init-xenstore-domain',
  'device model',
  'driver',
  'guest kernel',
  'flask tools',
  'probe',
] satisfies readonly Process[];

export function snapshotState(state: MachineState, flask: Flask): HypervisorSnapshot {
  return {
    version: 1,
    flask: flask.snapshot(),
    domains: [...state.domains.values()]
      .sort((a, b) => a.domid - b.domid)
      .map((domain) => ({
        ...domain,
        onlineVcpus: [...domain.onlineVcpus],
        initialisedVcpus: [...domain.initialisedVcpus],
        affinities: [...domain.affinities].map(([vcpu, affinity]) => ({ vcpu, ...affinity })),
        hvmParams: Object.fromEntries(domain.hvmParams),
        islands: domain.islands.map((island) => ({ ...island })),
        ioreqServers: domain.ioreqServers.map((server) => ({ ...server, ports: [...server.ports] })),
        grants: [...domain.grants.values()].map((grant) => ({ ...grant })),
        eventChannels: [...domain.eventChannels.values()].map((channel) => ({ ...channel })),
        pirqs: domain.pirqs.size === 0 ? undefined : [...domain.pirqs],
      })),
    mappings: [...state.mappings.values()].map((mapping) => ({ ...mapping })),
    console: [...state.console],
    hostPages: state.hostPages,
    nextDomid: state.nextDomid,
    nextMapping: state.nextMapping,
    domainExceptions: state.domainExceptions,
    isDom0Created: state.isDom0Created,
    iommu: state.iommu,
    devices: [...state.devices.values()].map((device) => ({ ...device })),
  };
}

/** Thrown inside of this file only, where the shape is wrong. */
class ShapeError extends Error {}

function object(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ShapeError();
  // An object that is neither null nor a list has string keys.
  return value as Json;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length > LIST_LIMIT) throw new ShapeError();
  return value;
}

function whole(value: unknown, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) throw new ShapeError();
  return value;
}

function text(value: unknown, limit: number = TEXT_LIMIT): string {
  if (typeof value !== 'string' || value.length > limit) throw new ShapeError();
  return value;
}

function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new ShapeError();
  return value;
}

function oneOf<T extends string>(value: unknown, names: readonly T[]): T {
  const found = names.find((name) => name === value);
  if (found === undefined) throw new ShapeError();
  return found;
}

// Brand constructors: Xen numbers these things, and the snapshot is what Xen numbered before.
const domidOf = (value: unknown): Domid => whole(value, DOMID_LIMIT - 1) as Domid;
const ownerOf = (value: unknown): Domid => (value === DOMID_IO ? DOMID_IO : domidOf(value));
const portOf = (value: unknown): Port => whole(value, 0x20000) as Port;
const handleOf = (value: unknown): MappingHandle => whole(value) as MappingHandle;

function readFrames(value: unknown): Mapping['frames'] {
  const { first, count } = object(value);
  return { first: whole(first), count: whole(count) };
}

function readActor(value: unknown): Actor {
  const { domid, process } = object(value);
  if (!PROCESSES.includes(text(process))) throw new ShapeError();
  // It is in the list, which holds nothing but names of processes.
  return { domid: domidOf(domid), process: process as Process };
}

function readMapping(value: unknown): Mapping {
  const { handle, kind, owner, frames, mapper, isWritable, ref, labelWhenMapped } = object(value);
  return {
    handle: handleOf(handle),
    kind: oneOf(kind, ['foreign', 'grant']),
    owner: domidOf(owner),
    frames: readFrames(frames),
    mapper: readActor(mapper),
    isWritable: flag(isWritable),
    ref: ref === undefined ? undefined : whole(ref),
    labelWhenMapped: text(labelWhenMapped),
  };
}

function readGrant(value: unknown): Grant {
  const { ref, frame, to } = object(value);
  return { ref: whole(ref), frame: whole(frame), to: domidOf(to) };
}

function readChannel(value: unknown): EventChannel {
  const { port, sid, status, remote, remotePort } = object(value);
  return {
    port: portOf(port),
    sid: whole(sid, 0xffff_ffff),
    status: oneOf<PortStatus>(status, ['closed', 'unbound', 'interdomain']),
    remote: remote === undefined ? undefined : domidOf(remote),
    remotePort: remotePort === undefined ? undefined : portOf(remotePort),
  };
}

const SHUTDOWN_REASONS: readonly ShutdownReason[] = [
  'poweroff',
  'reboot',
  'suspend',
  'crash',
  'watchdog',
  'soft-reset',
];

const HVM_PARAMS: readonly HvmParam[] = [
  'CALLBACK_IRQ',
  'ACPI_S_STATE',
  'ACPI_IOPORTS_LOCATION',
  'VM86_TSS_SIZED',
  'VIRIDIAN',
  'VM_GENERATION_ID_ADDR',
  'X87_FIP_WIDTH',
  'MCA_CAP',
  'VPT_ALIGN',
  'HPET_ENABLED',
  'IOREQ_SERVER_PFN',
  'NR_IOREQ_SERVER_PAGES',
  'STORE_PFN',
  'STORE_EVTCHN',
  'IOREQ_PFN',
  'BUFIOREQ_PFN',
  'TIMER_MODE',
  'IDENT_PT',
  'CONSOLE_PFN',
  'CONSOLE_EVTCHN',
  'PAGING_RING_PFN',
  'MONITOR_RING_PFN',
  'SHARING_RING_PFN',
  'ALTP2M',
];

/** The most vCPUs of a domain. XEN: `MAX_VIRT_CPUS`. */
const VCPU_LIMIT = 8192;

const SID_LIMIT = 0xffff_ffff;

function readVcpus(value: unknown): Set<number> {
  return new Set(list(value).map((vcpu) => whole(vcpu, VCPU_LIMIT - 1)));
}

function readAffinity(value: unknown): readonly [vcpu: number, affinity: Affinity] {
  const { vcpu, hard, soft } = object(value);
  const cpus = (one: unknown): number[] => list(one).map((cpu) => whole(cpu, VCPU_LIMIT - 1));
  return [whole(vcpu, VCPU_LIMIT - 1), { hard: cpus(hard), soft: cpus(soft) }];
}

function readServer(value: unknown): IoreqServer {
  const { id, emulator, ports, isEnabled } = object(value);
  return {
    id: whole(id, 7),
    emulator: domidOf(emulator),
    ports: list(ports).map(portOf),
    isEnabled: flag(isEnabled),
  };
}

function readDevice(value: unknown): HostDevice {
  const { sbdf, ports, frames, irq, owner, isQuarantined } = object(value);
  return {
    sbdf: whole(sbdf, SID_LIMIT),
    ports: list(ports).map(readFrames),
    frames: list(frames).map(readFrames),
    irq: irq === undefined ? undefined : whole(irq, 0xffff),
    owner: ownerOf(owner),
    isQuarantined: flag(isQuarantined),
  };
}

function readDomain(value: unknown): Domain {
  const { domid, handle, sid, selfSid, life, addressSize, grants, eventChannels, ...rest } = object(value);
  const { isHvm, shutdownReason, onlineVcpus, initialisedVcpus, affinities, hvmParams, ...counts } = rest;
  const { pauseCount, maxVcpus, vcpuCount, frameCount, totalPages, maxPages, claimedPages } = counts;
  const size = whole(addressSize);
  if (size !== 32 && size !== 64) throw new ShapeError();
  return {
    domid: domidOf(domid),
    handle: text(handle, 64),
    isHvm: flag(isHvm),
    sid: whole(sid, 0xffff_ffff),
    selfSid: whole(selfSid, 0xffff_ffff),
    target: counts['target'] === undefined ? undefined : domidOf(counts['target']),
    targetSid: whole(counts['targetSid'], SID_LIMIT),
    hasIommu: flag(counts['hasIommu']),
    isXenstore: flag(counts['isXenstore']),
    ioreqServers: list(counts['ioreqServers']).map(readServer),
    life: oneOf(life, ['alive', 'dying', 'dead']),
    pauseCount: whole(pauseCount, 255),
    shutdownReason: shutdownReason === undefined ? undefined : oneOf(shutdownReason, SHUTDOWN_REASONS),
    maxVcpus: whole(maxVcpus, VCPU_LIMIT),
    vcpuCount: whole(vcpuCount, VCPU_LIMIT),
    onlineVcpus: readVcpus(onlineVcpus),
    initialisedVcpus: readVcpus(initialisedVcpus),
    affinities: new Map(list(affinities).map(readAffinity)),
    hvmParams: new Map(
      Object.entries(object(hvmParams)).map(([name, param]) => [oneOf(name, HVM_PARAMS), whole(param)]),
    ),
    addressSize: size,
    frameCount: whole(frameCount),
    islands: list(counts['islands']).map(readFrames),
    totalPages: whole(totalPages),
    maxPages: whole(maxPages),
    claimedPages: whole(claimedPages),
    isLogDirty: flag(counts['isLogDirty'] ?? false),
    weight: whole(counts['weight'], 65535),
    cap: whole(counts['cap'], 65535),
    grants: new Map(
      list(grants)
        .map(readGrant)
        .map((grant) => [grant.ref, grant]),
    ),
    eventChannels: new Map(
      list(eventChannels)
        .map(readChannel)
        .map((channel) => [channel.port, channel]),
    ),
    pirqs: new Set(list(counts['pirqs'] ?? []).map((irq) => whole(irq, 0xffff))),
    nextPort: whole(counts['nextPort'], 0x20000),
  };
}

const sidNumber = (value: unknown): number => whole(value, SID_LIMIT);

function readBytes(value: unknown): Uint8Array {
  const digits = text(value, POLICY_DIGITS_LIMIT);
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/.test(digits)) throw new ShapeError();
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** A number as decimal digits, of 64 bits at most. */
function decimal(value: unknown): string {
  const digits = text(value, 20);
  if (!/^[0-9]+$/.test(digits) || BigInt(digits) > 0xffff_ffff_ffff_ffffn) throw new ShapeError();
  return digits;
}

function readFlags(value: unknown): Record<string, boolean> {
  return Object.fromEntries(Object.entries(object(value)).map(([name, state]) => [name, flag(state)]));
}

function readObjectLabels(value: unknown): SecurityServerSnapshot['objectLabels'] {
  const { numbered, paths } = object(value);
  const label = (one: Json): { readonly sid: number; readonly context: string | undefined } => ({
    sid: sidNumber(one['sid']),
    context: one['context'] === undefined ? undefined : text(one['context']),
  });
  return {
    numbered: list(numbered)
      .map(object)
      .map((one) => ({
        kind: oneOf(one['kind'], ['pirq', 'pcidevice', 'ioport', 'iomem']),
        low: decimal(one['low']),
        high: decimal(one['high']),
        ...label(one),
      })),
    paths: list(paths)
      .map(object)
      .map((one) => ({ path: text(one['path']), ...label(one) })),
  };
}

function readSecurityServer(value: unknown): SecurityServerSnapshot {
  const { sids, nextSid, booleans, pending, objectLabels, seqno } = object(value);
  return {
    sids: list(sids).map((entry) => {
      const { sid, context } = object(entry);
      return { sid: sidNumber(sid), context: text(context) };
    }),
    nextSid: sidNumber(nextSid),
    booleans: readFlags(booleans),
    pending: pending === undefined ? undefined : readFlags(pending),
    objectLabels: readObjectLabels(objectLabels),
    seqno: whole(seqno),
  };
}

function readAvcNode(value: unknown): AvcNode {
  const { ssid, tsid, tclass, allowed, decision } = object(value);
  const { allowed: given, auditAllow, auditDeny, seqno, permissive } = object(decision);
  return {
    ssid: sidNumber(ssid),
    tsid: sidNumber(tsid),
    tclass: whole(tclass, 0xffff),
    allowed: whole(allowed, 0xffff_ffff),
    decision: {
      allowed: accessVector(whole(given, 0xffff_ffff)),
      auditAllow: accessVector(whole(auditAllow, 0xffff_ffff)),
      auditDeny: accessVector(whole(auditDeny, 0xffff_ffff)),
      seqno: whole(seqno),
      permissive: flag(permissive),
    },
  };
}

function readAvc(value: unknown): AvcSnapshot {
  const { threshold, hint, stats, active, nodes } = object(value);
  const { lookups, hits, misses, allocations, reclaims, frees } = object(stats);
  return {
    threshold: whole(threshold, 0xffff_ffff),
    hint: whole(hint, 0xffff),
    stats: {
      lookups: whole(lookups),
      hits: whole(hits),
      misses: whole(misses),
      allocations: whole(allocations),
      reclaims: whole(reclaims),
      frees: whole(frees),
    },
    active: whole(active, LIST_LIMIT),
    nodes: list(nodes).map(readAvcNode),
  };
}

function readFlask(value: unknown): { readonly flask: FlaskSnapshot; readonly policy: Uint8Array | undefined } {
  const { mode, release, isSwitchedOff, policy, isEnforcing, server, avc } = object(value);
  const bytes = readBytes(policy);
  return {
    policy: bytes.length === 0 ? undefined : bytes,
    flask: {
      mode: oneOf(mode, FLASK_MODES),
      // Snapshots did not name the release as long as there was but one.
      release: release === undefined ? BASELINE_RELEASE : oneOf(release, XEN_RELEASES),
      isSwitchedOff: isSwitchedOff === undefined ? false : flag(isSwitchedOff),
      policy: text(policy, POLICY_DIGITS_LIMIT),
      isEnforcing: flag(isEnforcing),
      server: readSecurityServer(server),
      avc: readAvc(avc),
    },
  };
}

/** What must hold between the parts, or the simulation would go astray. */
function isConsistent(state: MachineState): boolean {
  const dom0 = state.domains.get(domidOf(0));
  if (dom0?.life !== 'alive') return false;
  const hasTarget = ({ target }: Domain): boolean => target === undefined || state.domains.has(target);
  if (![...state.domains.values()].every(hasTarget)) return false;
  return [...state.mappings.values()].every(
    ({ handle, owner, mapper }) =>
      handle < state.nextMapping && state.domains.has(owner) && state.domains.has(mapper.domid),
  );
}

/** Reads a snapshot; undefined when it is none. */
export function restoreState(value: unknown): ReadSnapshot | undefined {
  try {
    const { version, flask, domains, mappings, console, isDom0Created, ...counts } = object(value);
    const { hostPages, nextDomid, nextMapping, domainExceptions } = counts;
    if (version !== 1) return undefined;
    const state: MachineState = {
      domains: new Map(
        list(domains)
          .map(readDomain)
          .map((domain) => [domain.domid, domain]),
      ),
      mappings: new Map(
        list(mappings)
          .map(readMapping)
          .map((mapping) => [mapping.handle, mapping]),
      ),
      console: list(console).map((line) => text(line)),
      hostPages: whole(hostPages),
      nextDomid: whole(nextDomid, DOMID_LIMIT - 1),
      nextMapping: whole(nextMapping),
      domainExceptions: whole(domainExceptions),
      isDom0Created: flag(isDom0Created),
      iommu: oneOf(counts['iommu'], IOMMU_KINDS),
      devices: new Map(
        list(counts['devices'])
          .map(readDevice)
          .map((device) => [device.sbdf, device]),
      ),
    };
    return isConsistent(state) ? { state, ...readFlask(flask) } : undefined;
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}
