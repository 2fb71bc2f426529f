/**
 * Disks, network cards and debug keys on a real host: read as xl reads them, done by libxl, told as xl tells them.
 *
 * Follows Xen `tools/xl/xl_block.c`, `tools/xl/xl_nic.c` and `tools/xl/xl_misc.c`.
 *
 * @module
 */
import { type Domid, type GuestDisk, type GuestNic, guestDiagnostics, type OperationReport } from '@dewar/toolstack';
import { deviceJson, readDiskWords, readNicWords, type SpecReading } from '@dewar/toolstack/xl-cfg';
import type { HelperCallName, HelperCalls, LibxlDisk, LibxlNic } from '../protocol.ts';
import { makeOneCall } from './flask-operations.ts';
import type { RealOperation } from './real-operation.ts';

/** What xl and libxl call the two kinds. */
const WORDS = {
  disk: { add: 'libxl_device_disk_add', adding: 'attach a disk to', removing: 'detach a disk from' },
  nic: { add: 'libxl_device_nic_add', adding: 'attach a network card to', removing: 'detach a network card from' },
} as const;

type Kind = keyof typeof WORDS;

/** What libxl says of a device that the guest has not got comes from the functions that look for it. */
const LOOKS: readonly string[] = [
  'libxl_vdev_to_device_disk',
  'libxl_devid_to_device_nic',
  'libxl_mac_to_device_nic',
] satisfies readonly `libxl_${string}`[];

/** Gives a guest a device that the words of a command line describe. */
async function attach(
  operation: RealOperation,
  kind: Kind,
  domid: number,
  { device, messages, diagnostics, exitCode }: SpecReading,
): Promise<OperationReport> {
  const { add, adding } = WORDS[kind];
  operation.messages.push(...messages);
  operation.diagnostics.push(...diagnostics);
  if (device === undefined) {
    const reason = 'xl stops at what it does not understand, and attaches nothing';
    return operation.refused(domid, adding, { kind: 'refused', reason }, exitCode);
  }
  const outcome = await operation.callStep(`libxl is to ${adding} domain ${domid}`, `${kind}.attach`, {
    domid,
    json: deviceJson(device),
  });
  if (outcome.kind === 'ok')
    return operation.report({ isDone: true, xlExitCode: 0, domain: await operation.stateOf(domid) });
  operation.messages.push(`${add} failed.`);
  return operation.refused(domid, adding, outcome.failure, 1);
}

/** `xl block-attach`. */
export function attachDisk(
  operation: RealOperation,
  domid: number,
  words: readonly string[],
): Promise<OperationReport> {
  return attach(operation, 'disk', domid, readDiskWords(words));
}

/** `xl network-attach`. */
export function attachNic(operation: RealOperation, domid: number, words: readonly string[]): Promise<OperationReport> {
  return attach(operation, 'nic', domid, readNicWords(words));
}

/** Takes a device from a guest; `unknown` and `failed` are what xl says where there is no such device, and where it stays. */
async function detach<N extends 'disk.detach' | 'nic.detach'>(
  operation: RealOperation,
  domid: number,
  call: N,
  params: HelperCalls[N]['params'],
  { unknown, failed }: { readonly unknown: string; readonly failed: string },
): Promise<OperationReport> {
  const { removing } = WORDS[call === 'disk.detach' ? 'disk' : 'nic'];
  const outcome = await operation.callStep(`libxl is to ${removing} domain ${domid}`, call, params);
  if (outcome.kind === 'ok')
    return operation.report({ isDone: true, xlExitCode: 0, domain: await operation.stateOf(domid) });
  const { failure } = outcome;
  if (failure.kind === 'refused') operation.messages.push(failure.reason);
  else operation.messages.push(failure.kind !== 'world' && LOOKS.includes(failure.call) ? unknown : failed);
  return operation.refused(domid, removing, failure, 1);
}

/** `xl block-detach`. */
export function detachDisk(
  operation: RealOperation,
  domid: number,
  disk: string,
  isForced: boolean,
): Promise<OperationReport> {
  return detach(
    operation,
    domid,
    'disk.detach',
    { domid, disk, isForced },
    {
      unknown: `Error: Device ${disk} not connected.`,
      failed: `libxl_device_disk_${isForced ? 'destroy' : 'safe_remove'} failed.`,
    },
  );
}

/** `xl network-detach`. XEN: what has a colon is an address, all else goes through atoi(). */
export function detachNic(operation: RealOperation, domid: number, card: string): Promise<OperationReport> {
  const number = Number(/^\s*[+-]?[0-9]{1,9}/.exec(card)?.[0] ?? 0);
  const params = { domid, card: card.includes(':') ? card : number };
  const words = { unknown: `Unknown device ${card}.`, failed: 'libxl_device_nic_del failed.' };
  return detach(operation, domid, 'nic.detach', params, words);
}

/** How the devices of one kind are listed. */
interface Listing<N extends HelperCallName, T> {
  readonly call: N;
  readonly what: string;
  /** xl ends at the first domain that it does not find. */
  readonly isStrict: boolean;
  readonly describe: (domid: Domid, value: HelperCalls[N]['result']) => readonly T[];
}

async function list<N extends 'disk.list' | 'nic.list', T>(
  operation: RealOperation,
  domains: readonly string[],
  { call, what, isStrict, describe }: Listing<N, T>,
): Promise<OperationReport<readonly T[]>> {
  const value: T[] = [];
  let isMissing = false;
  for (const text of domains) {
    const found = await operation.call('domain.find', { text });
    if (found.kind === 'failed') {
      const rc = found.failure.kind === 'libxl' ? ` (rc=${found.failure.rc})` : '';
      operation.messages.push(`${text} is an invalid domain identifier${isStrict ? rc : ''}`);
      operation.diagnostics.push(guestDiagnostics['unknown-domain'](undefined, { domain: text }));
      isMissing = true;
      if (isStrict) break;
      continue;
    }
    const { domid } = found.value;
    const outcome = await operation.callStep(`libxl lists the ${what} of domain ${domid}`, call, { domid });
    // Xen numbers domains.
    if (outcome.kind === 'ok') value.push(...describe(domid as Domid, outcome.value));
    else await operation.refused(domid, `list the ${what} of`, outcome.failure, 0);
  }
  // XEN: xl is content whatever it finds in a domain, and `xl block-list` with domains that there are not.
  const hasFailed = isMissing && isStrict;
  const isDone = !hasFailed && operation.diagnostics.every(({ code }) => code !== 'guest/operation-failed');
  return operation.report({ isDone, xlExitCode: hasFailed ? 1 : 0, value });
}

/** `xl block-list`. */
export function listDisks(
  operation: RealOperation,
  domains: readonly string[],
): Promise<OperationReport<readonly GuestDisk[]>> {
  const describe = (_: Domid, disks: readonly LibxlDisk[]): readonly GuestDisk[] =>
    disks.map(({ frontend, backend, ...disk }) => ({
      ...disk,
      // XEN: xl prints the domain that the backend names. Xen numbers domains.
      domid: frontend as Domid,
      backend: backend as Domid,
    }));
  return list(operation, domains, { call: 'disk.list', what: 'disks', isStrict: false, describe });
}

/** `xl network-list`. */
export function listNics(
  operation: RealOperation,
  domains: readonly string[],
): Promise<OperationReport<readonly GuestNic[]>> {
  const describe = (domid: Domid, cards: readonly LibxlNic[]): readonly GuestNic[] =>
    // As above.
    cards.map(({ backend, ...card }) => ({ ...card, domid, backend: backend as Domid }));
  return list(operation, domains, { call: 'nic.list', what: 'network cards', isStrict: true, describe });
}

/** `xl debug-keys`. */
export function sendDebugKeys(operation: RealOperation, keys: string): Promise<OperationReport> {
  return makeOneCall<'host.debugKeys', undefined>(
    operation,
    'send debug keys to Xen',
    'host.debugKeys',
    { keys },
    { done: () => ({}), failed: () => ({ message: `cannot send debug keys: ${keys}`, xlExitCode: 1 }) },
  );
}
