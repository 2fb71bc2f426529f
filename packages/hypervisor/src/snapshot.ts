/**
 * The whole state of a simulated host as JSON, and back. What is read is checked: a snapshot may be old or broken.
 *
 * @module
 */
import type {
  Actor,
  Domid,
  HvmParam,
  MappingHandle,
  Port,
  PortStatus,
  Process,
  ShutdownReason,
} from '@dewar/toolstack';
import type { Affinity, Domain, EventChannel, Grant, Mapping } from './domain.ts';
import type { Flask, FlaskSnapshot } from './flask.ts';
import { DOMID_LIMIT, type MachineState } from './machine.ts';

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
}

/** What a snapshot says, before its policy is loaded. */
export interface ReadSnapshot {
  readonly state: MachineState;
  readonly flask: FlaskSnapshot;
  readonly policy: Uint8Array;
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
        grants: [...domain.grants.values()].map((grant) => ({ ...grant })),
        eventChannels: [...domain.eventChannels.values()].map((channel) => ({ ...channel })),
      })),
    mappings: [...state.mappings.values()].map((mapping) => ({ ...mapping })),
    console: [...state.console],
    hostPages: state.hostPages,
    nextDomid: state.nextDomid,
    nextMapping: state.nextMapping,
    domainExceptions: state.domainExceptions,
    isDom0Created: state.isDom0Created,
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

function readVcpus(value: unknown): Set<number> {
  return new Set(list(value).map((vcpu) => whole(vcpu, VCPU_LIMIT - 1)));
}

function readAffinity(value: unknown): readonly [vcpu: number, affinity: Affinity] {
  const { vcpu, hard, soft } = object(value);
  const cpus = (one: unknown): number[] => list(one).map((cpu) => whole(cpu, VCPU_LIMIT - 1));
  return [whole(vcpu, VCPU_LIMIT - 1), { hard: cpus(hard), soft: cpus(soft) }];
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
    totalPages: whole(totalPages),
    maxPages: whole(maxPages),
    claimedPages: whole(claimedPages),
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
    nextPort: whole(counts['nextPort'], 0x20000),
  };
}

function readFlask(value: unknown): { readonly flask: FlaskSnapshot; readonly policy: Uint8Array } {
  const { policy, isEnforcing, server } = object(value);
  const digits = text(policy, POLICY_DIGITS_LIMIT);
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/.test(digits)) throw new ShapeError();
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  const { sids, nextSid, booleans, seqno } = object(server);
  return {
    policy: bytes,
    flask: {
      policy: digits,
      isEnforcing: flag(isEnforcing),
      server: {
        sids: list(sids).map((entry) => {
          const { sid, context } = object(entry);
          return { sid: whole(sid, 0xffff_ffff), context: text(context) };
        }),
        nextSid: whole(nextSid, 0xffff_ffff),
        booleans: Object.fromEntries(Object.entries(object(booleans)).map(([name, state]) => [name, flag(state)])),
        seqno: whole(seqno),
      },
    },
  };
}

/** What must hold between the parts, or the simulation would go astray. */
function isConsistent(state: MachineState): boolean {
  const dom0 = state.domains.get(domidOf(0));
  if (dom0?.life !== 'alive') return false;
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
    };
    return isConsistent(state) ? { state, ...readFlask(flask) } : undefined;
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}
