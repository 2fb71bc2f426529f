/**
 * Devices of the host, and the xenstore domain: printed as xl prints them.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import {
  type DeviceHost,
  type Host,
  type OperationReport,
  sbdfText,
  type XenstoreDomainOptions,
} from '@dewar/toolstack';
import { UsageError } from '../failures.ts';
import { printLine, type Terminal } from '../terminal.ts';
import { runPlain } from './guest-operations.ts';
import { type RequestFlags, request } from './lifecycle.ts';

function devicesOf(host: Host): DeviceHost {
  const isSimulated = (one: Host): one is DeviceHost => 'pciAttach' in one;
  if (isSimulated(host)) return host;
  throw new UsageError('this is rehearsed on a simulated host only (`--host`); a real one has `xl` for it');
}

/** A request about devices that is answered by nothing but success. */
export function runOnDevices(
  ask: (host: DeviceHost) => Promise<OperationReport>,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return runPlain((host) => ask(devicesOf(host)), flags, terminal);
}

export function runPciList(domain: string, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => devicesOf(host).pciList(domain),
    (devices) => {
      if (devices === undefined) return;
      printLine(terminal.out, 'Vdev Device');
      for (const { sbdf, slot } of devices) {
        printLine(terminal.out, `${slot.toString(16).padStart(2, '0')}.0 ${sbdfText(sbdf)}`);
      }
    },
  );
}

export function runAssignableList(withNames: boolean, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => devicesOf(host).pciAssignableList(),
    (devices) => {
      // XEN: the blank stands there with or without a name.
      for (const { sbdf, name } of devices ?? []) {
        printLine(terminal.out, `${sbdfText(sbdf)} ${withNames ? (name ?? '') : ''}`);
      }
    },
  );
}

export function runXenstoreDomain(
  options: Omit<XenstoreDomainOptions, 'uuid'>,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => devicesOf(host).initXenstoreDomain({ ...options, uuid: randomUUID() }),
    (_value, { domain }) => {
      if (domain !== undefined) printLine(terminal.out, `xenstore is in domain ${domain.domid} now`);
    },
  );
}
