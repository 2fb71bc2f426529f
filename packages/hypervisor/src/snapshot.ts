/**
 * The whole state of a simulated host as JSON, and back. What is read is checked: a snapshot may be old or broken.
 *
 * @module
 */
import { accessVector } from '@dewar/policy/policydb';
import { BASELINE_RELEASE, XEN_RELEASES } from '@dewar/policy/releases';
import type { AvcNode, AvcSnapshot, SecurityServerSnapshot } from '@dewar/policy/security-server';
import { type KeptPage, KeptPageError } from '@dewar/toolstack';
import { behaviourOf } from './behaviour.ts';
import { domidOf, keptTables, ownerOf, readFrames, readTables, SID_LIMIT, type Tables } from './domain-records.ts';
import { FLASK_MODES, type Flask, type FlaskSnapshot } from './flask.ts';
import { flag, type Json, list, object, oneOf, ShapeError, text, whole } from './json-shapes.ts';
import { DOMID_LIMIT, type HostDevice, IOMMU_KINDS, type IommuKind, type MachineState } from './machine.ts';

/** A host at rest. Plain JSON. */
export interface HypervisorSnapshot {
  readonly version: 2;
  readonly flask: FlaskSnapshot;
  readonly tables: Readonly<Record<keyof Tables, readonly KeptPage[]>>;
  readonly console: readonly string[];
  readonly hostPages: number;
  readonly nextDomid: number;
  readonly domainExceptions: number;
  /** Left out where there are none. */
  readonly changedDomains?: readonly number[];
  readonly isDom0Created: boolean;
  /** Left out where it is as with the release. */
  readonly hasShadowPaging?: boolean;
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
const POLICY_DIGITS_LIMIT = 2 * 0x0400_0000;

/** The whole state, or with those pages of its tables alone that may have changed since they were read. */
export function snapshotState(state: MachineState, flask: Flask, which: 'all' | 'changed'): HypervisorSnapshot {
  return {
    version: 2,
    flask: flask.snapshot(),
    tables: keptTables(state, which),
    console: [...state.console],
    hostPages: state.hostPages,
    nextDomid: state.nextDomid,
    domainExceptions: state.domainExceptions,
    ...(state.changedDomains.length === 0 ? {} : { changedDomains: [...state.changedDomains] }),
    isDom0Created: state.isDom0Created,
    ...(state.hasShadowPaging === behaviourOf(flask.server.release.name).hasShadowPaging
      ? {}
      : { hasShadowPaging: state.hasShadowPaging }),
    iommu: state.iommu,
    devices: [...state.devices.values()].map((device) => ({ ...device })),
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

/** Reads a snapshot; undefined when it is none. */
export function restoreState(value: unknown): ReadSnapshot | undefined {
  try {
    const { version, flask, tables, console, isDom0Created, ...counts } = object(value);
    const { hostPages, nextDomid, domainExceptions, changedDomains: changed } = counts;
    if (version !== 2) return undefined;
    const booted = readFlask(flask);
    const { hasShadowPaging } = counts;
    const state: MachineState = {
      ...readTables(tables),
      hasShadowPaging:
        hasShadowPaging === undefined ? behaviourOf(booted.flask.release).hasShadowPaging : flag(hasShadowPaging),
      console: list(console).map((line) => text(line)),
      hostPages: whole(hostPages),
      nextDomid: whole(nextDomid, DOMID_LIMIT - 1),
      domainExceptions: whole(domainExceptions),
      changedDomains: [...new Set(list(changed ?? []).map(domidOf))].sort((a, b) => a - b),
      isDom0Created: flag(isDom0Created),
      iommu: oneOf(counts['iommu'], IOMMU_KINDS),
      devices: new Map(
        list(counts['devices'])
          .map(readDevice)
          .map((device) => [device.sbdf, device]),
      ),
    };
    return state.domains.look(domidOf(0))?.life === 'alive' ? { state, ...booted } : undefined;
  } catch (error) {
    if (error instanceof ShapeError || error instanceof KeptPageError) return undefined;
    throw error;
  }
}
