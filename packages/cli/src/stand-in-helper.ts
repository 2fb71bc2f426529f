/**
 * A helper process for tests: it answers as the one that works with libxl does, but works with a simulated host, which
 * it keeps in a file from one helper to the next. What it is to do wrong stands in another file.
 *
 * `STAND_IN_HOST` names the first file, `STAND_IN_FAULTS` the second: a list of `Fault`, of which each happens once.
 * What is in `STAND_IN_LOG` stands behind all else in the console ring. With `STAND_IN_CHATTER`, somebody makes a line more
 * appear there each time that it is read.
 *
 * @module
 */
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Hypervisor } from '@dewar/hypervisor';
import { SourceText } from '@dewar/policy/text';
import {
  type BooleanState,
  type DomainState,
  type Domid,
  type HypercallArgs,
  type HypercallName,
  type HypercallResult,
  LibxlHost,
  type OperationReport,
  restoreToolstack,
  sbdfText,
} from '@dewar/toolstack';
import { parseXlCfg, printJson, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import {
  type AuditBooleans,
  type HelperCallName,
  type HelperCalls,
  type HelperFailure,
  type HelperRequest,
  type LibxlDomain,
  MigrationChannel,
  MigrationReceiver,
  MigrationSender,
} from '@dewar/xen';

/** Something that goes wrong at a call. */
export interface Fault {
  readonly call: HelperCallName;
  /** How often the call is passed over before. */
  readonly after?: number;
  readonly how:
    | { readonly kind: 'fails'; readonly failure: HelperFailure }
    /** The helper is killed before it does anything. */
    | { readonly kind: 'dies' }
    /** It does what it is asked for, and is killed before it says so. */
    | { readonly kind: 'dies-late' }
    /** It does what it is asked for, and is killed while it says so. */
    | { readonly kind: 'half' }
    | { readonly kind: 'hangs' };
}

const HOST = process.env['STAND_IN_HOST'] ?? '';
const FAULTS = process.env['STAND_IN_FAULTS'] ?? '';
/** What Xen is said to have written to its console beside what the simulated one writes; it need not exist. */
const LOG = process.env['STAND_IN_LOG'] ?? '';
const CHATTER = process.env['STAND_IN_CHATTER'] ?? '';
/** So much of the console ring is kept. */
const RING_BYTES = Number(process.env['STAND_IN_RING'] ?? 1024 * 1024);
const DOM0 = { domid: 0 as never, process: 'libxl' } as const;

class Failed extends Error {
  readonly failure: HelperFailure;
  constructor(failure: HelperFailure) {
    super('failed');
    this.failure = failure;
  }
}

interface Session {
  readonly hypervisor: Hypervisor;
  readonly host: LibxlHost;
}

/** The host as it was left. */
function load(): Session {
  // The test, or a helper before this one, has written it.
  const stored = JSON.parse(readFileSync(HOST, 'utf8')) as { readonly xen: unknown; readonly tools: unknown };
  const hypervisor = Hypervisor.restore(stored.xen);
  const tools = restoreToolstack(stored.tools);
  if (hypervisor === undefined || tools === undefined) throw new Error('the file holds no host');
  return { hypervisor, host: new LibxlHost(hypervisor, tools) };
}

function keep({ hypervisor, host }: Session): void {
  const draft = `${HOST}.${process.pid}`;
  writeFileSync(draft, JSON.stringify({ xen: hypervisor.snapshot(), tools: host.snapshot() }));
  renameSync(draft, HOST);
}

function value<T>(report: OperationReport<T>, call: string): T {
  const { value: found } = report;
  if (report.outcome === 'failed' || found === undefined) throw new Failed({ kind: 'libxl', call, rc: -3 });
  return found;
}

function done(report: OperationReport<unknown>, call: string): Record<never, never> {
  for (const message of report.xlMessages) console.error(message);
  if (report.outcome === 'failed') throw new Failed({ kind: 'libxl', call, rc: -3 });
  return {};
}

/** Where it is marked that a guest has suspended itself to be sent; the simulated one is paused then. */
const suspendedFile = (domid: number): string => `${HOST}.suspended-${domid}`;

function libxlDomain(domain: DomainState): LibxlDomain {
  const { domid, name, uuid, label } = domain;
  const isSuspended = existsSync(suspendedFile(domid));
  const state = isSuspended ? 'shutdown' : domain.state;
  return {
    domid,
    name,
    uuid,
    label,
    isRunning: state === 'running',
    isBlocked: false,
    isPaused: state === 'paused',
    isShutdown: state === 'shutdown',
    isDying: state === 'dying',
    shutdownReason: isSuspended ? 'suspend' : domain.shutdownReason,
    memoryKib: domain.memoryMib * 1024,
    cpuSeconds: 0,
    vcpusOnline: domain.vcpus,
  };
}

async function domains({ host }: Session): Promise<readonly DomainState[]> {
  return value(await host.list(), 'libxl_list_domain');
}

async function find(session: Session, domid: number): Promise<DomainState | undefined> {
  return (await domains(session)).find((one) => one.domid === domid);
}

/** As much of a configuration as the tests use. */
function readConfig(json: string) {
  // Dewar has written it.
  const { c_info: c, b_info: b } = JSON.parse(json) as Readonly<Record<'c_info' | 'b_info', Record<string, unknown>>>;
  const keys = {
    name: c['name'],
    type: c['type'],
    passthrough: c['passthrough'],
    uuid: c['uuid'],
    kernel: b['kernel'],
    ramdisk: b['ramdisk'],
    init_seclabel: b['exec_ssid_label'] === undefined ? undefined : c['ssid_label'],
    seclabel: b['exec_ssid_label'] ?? c['ssid_label'],
  };
  const lines = Object.entries(keys).flatMap(([key, text]) => (text === undefined ? [] : [`${key} = '${text}'\n`]));
  const memory = `memory = ${Number(b['max_memkb']) / 1024}\n`;
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', `${lines.join('')}${memory}`)));
  if (config === undefined) throw new Failed({ kind: 'refused', reason: 'the configuration is not understood' });
  return config;
}

/** What Dewar has written about a device. */
function membersOf(json: string): Readonly<Record<string, unknown>> {
  // It is an object: libxl reads nothing else.
  return JSON.parse(json) as Readonly<Record<string, unknown>>;
}

/** The address of a PCI device that Dewar has described. */
function addressOf(json: string): string {
  const { domain = 0, bus = 0, dev = 0, func = 0 } = membersOf(json);
  return sbdfText(((Number(domain) << 16) | (Number(bus) << 8) | (Number(dev) << 3) | Number(func)) >>> 0);
}

/** A hypercall that dom0 makes; what is refused is a failure with an errno, as libxenctrl has it. */
function ask<N extends HypercallName>(
  { hypervisor }: Session,
  name: N,
  args: HypercallArgs<N>,
): (HypercallResult<N> & { readonly kind: 'ok' })['value'] {
  const result = hypervisor.call(DOM0, name, args);
  if (result.kind === 'error') throw new Failed({ kind: 'errno', call: name, errno: result.errno });
  return result.value;
}

function booleans(session: Session): BooleanState[] {
  const found: BooleanState[] = [];
  for (let id = 0; ; id++) {
    try {
      found.push(ask(session, 'xsm_op.getbool', { id }));
    } catch (error) {
      if (error instanceof Failed && error.failure.kind === 'errno' && error.failure.errno === 'ENOENT') return found;
      throw error;
    }
  }
}

function decide(session: Session, { questions }: HelperCalls['flask.access']['params']) {
  const sid = (context: string) => ask(session, 'xsm_op.context_to_sid', { context }).sid;
  return questions.map(({ source, target, tclass }) =>
    ask(session, 'xsm_op.access', { source: sid(source), target: sid(target), tclass }),
  );
}

function loadPolicy(session: Session, base64: string): void {
  ask(session, 'xsm_op.load_policy', { bytes: Buffer.from(base64, 'base64') });
}

const NO_BOOLEANS: AuditBooleans = { setAgain: [], noLongerPending: [] };

type Auditing = HelperCalls['audit.end']['params'];
/** What is to be put back when the command is gone. */
const open: { auditing?: Auditing | undefined; guests: Set<number> } = { guests: new Set() };

function endAuditing(session: Session, { original, witnesses }: Auditing): HelperCalls['audit.end']['result'] {
  open.auditing = undefined;
  let answers: ReturnType<typeof decide>;
  try {
    answers = decide(session, { questions: witnesses });
  } catch {
    return { outcome: 'replaced', booleans: NO_BOOLEANS };
  }
  if (!witnesses.every(({ auditAllow }, i) => answers[i]?.auditAllow === auditAllow))
    return { outcome: 'replaced', booleans: NO_BOOLEANS };
  loadPolicy(session, original);
  return { outcome: 'put-back', booleans: NO_BOOLEANS };
}

/** As much of a guest as is sent, in bytes: more than a way that nobody reads takes in. */
const STREAM_BYTES = 1024 * 1024;
/** As the helper has them. */
const [STREAM, ANSWERS] = [4, 5];

async function resume({ host }: Session, domid: number): Promise<void> {
  rmSync(suspendedFile(domid), { force: true });
  done(await host.unpause(String(domid)), 'libxl_domain_resume');
}

/** Each call keeps the host, so that another helper sees what this one has done. */
function makeSender(): MigrationSender {
  const channel = new MigrationChannel(ANSWERS, STREAM, 'receiver');
  const within = async <T>(work: (session: Session) => Promise<T>): Promise<T> => {
    const session = load();
    const found = await work(session);
    keep(session);
    return found;
  };
  const piece = (): Promise<void> => channel.write(Buffer.alloc(STREAM_BYTES / 2), 'the guest');
  return new MigrationSender(
    {
      configuration: (domid) => within(async (session) => configuration(session, domid)),
      async suspend(domid) {
        await within(async ({ host }) =>
          done(await host.save(String(domid), { checkpoint: true }), 'libxl_domain_suspend'),
        );
        await piece();
        await within(async ({ host }) => done(await host.pause(String(domid)), 'libxl_domain_suspend'));
        writeFileSync(suspendedFile(domid), '');
        await piece();
      },
      isSuspended: async (domid) => existsSync(suspendedFile(domid)),
      resume: (domid) => within((session) => resume(session, domid)),
      nameOf: (domid) => within(async (session) => (await find(session, domid))?.name),
      rename: (domid, name) =>
        within(async ({ host }) => void done(await host.rename(String(domid), name), 'libxl_domain_rename')),
      destroy: (domid) =>
        within(async ({ host }) => void done(await host.destroy(String(domid)), 'libxl_domain_destroy')),
      closeStream: () => void new Socket({ fd: STREAM, readable: false, writable: true }).end(),
    },
    channel,
  );
}

/** A guest that is built of its configuration alone. */
function makeReceiver(): MigrationReceiver {
  const channel = new MigrationChannel(STREAM, ANSWERS, 'sender');
  const onHost = async (
    work: (host: LibxlHost) => Promise<OperationReport>,
    call: string,
  ): Promise<OperationReport> => {
    const session = load();
    const report = await work(session.host);
    keep(session);
    done(report, call);
    return report;
  };
  return new MigrationReceiver(
    {
      async restore(json) {
        await channel.read(STREAM_BYTES, 'the guest');
        const config = readConfig(json);
        const options = { uuid: config.uuid ?? '', paused: true };
        const report = await onHost((host) => host.create(config, options), 'libxl_domain_create_restore');
        return report.domain?.domid ?? -1;
      },
      async rename(domid, name) {
        await onHost((host) => host.rename(String(domid), name), 'libxl_domain_rename');
      },
      async unpause(domid) {
        await onHost((host) => host.unpause(String(domid)), 'libxl_domain_unpause');
      },
      async destroy(domid) {
        await onHost((host) => host.destroy(String(domid)), 'libxl_domain_destroy');
      },
      closeStream: () => undefined,
    },
    channel,
  );
}

let madeReceiver: MigrationReceiver | undefined;
const receiver = (): MigrationReceiver => {
  madeReceiver ??= makeReceiver();
  return madeReceiver;
};

let madeSender: MigrationSender | undefined;
const sender = (): MigrationSender => {
  madeSender ??= makeSender();
  return madeSender;
};

async function configuration({ host }: Session, domid: number): Promise<string> {
  const [found] = (await host.listLong(String(domid))).value ?? [];
  if (found !== undefined) return printJson(found.config);
  throw new Failed({ kind: 'libxl', call: 'libxl_retrieve_domain_configuration', rc: -3 });
}

type Handlers = {
  readonly [N in HelperCallName]?: (
    session: Session,
    params: HelperCalls[N]['params'],
  ) => HelperCalls[N]['result'] | Promise<HelperCalls[N]['result']>;
};

const CALLS: Handlers = {
  open: () => ({ library: 'a simulated one' }),
  'domain.list': async (session) => (await domains(session)).map(libxlDomain),
  'domain.info': async (session, { domid }) => {
    const domain = await find(session, domid);
    return domain && libxlDomain(domain);
  },
  'domain.find': async (session, { text }) => {
    const found = (await domains(session)).find(({ name, domid }) => name === text || String(domid) === text);
    if (found === undefined) throw new Failed({ kind: 'libxl', call: 'libxl_name_to_domid', rc: -6 });
    return { domid: found.domid };
  },
  'domain.create': async (session, { json }) => {
    const config = readConfig(json);
    const report = await session.host.create(config, { uuid: config.uuid ?? '', paused: true });
    done(report, 'libxl_domain_create_new');
    const domid = report.domain?.domid ?? -1;
    open.guests.add(domid);
    return { domid };
  },
  'domain.config': async (session, { domid }) => ({ json: await configuration(session, domid) }),
  'domain.relabel': (session, { domid, label: context }) => {
    const { sid } = ask(session, 'xsm_op.context_to_sid', { context });
    ask(session, 'xsm_op.relabel_domain', { domid: domid as Domid, sid });
    return {};
  },
  'domain.finish': async ({ host }, { domid, isPaused }) => {
    open.guests.delete(domid);
    return isPaused ? {} : done(await host.unpause(String(domid)), 'libxl_domain_unpause');
  },
  'domain.destroy': async ({ host }, { domid }) => done(await host.destroy(String(domid)), 'libxl_domain_destroy'),
  'domain.shutdown': async ({ host }, { domid }) => {
    // What libxl says of that, xl does.
    const { outcome } = await host.shutdown(String(domid));
    if (outcome === 'failed') throw new Failed({ kind: 'libxl', call: 'libxl_domain_shutdown', rc: -9 });
    return {};
  },
  'domain.resume': async (session, { domid }) => {
    await resume(session, domid);
    return {};
  },
  'migration.offer': (_session, params) => sender().offer(params),
  'migration.send': async (_session, params) => {
    await sender().send(params);
    return {};
  },
  'migration.handOver': (_session, params) => sender().handOver(params),
  'migration.finish': async (_session, params) => {
    await sender().finish(params);
    return {};
  },
  'reception.begin': () => receiver().begin(),
  'reception.build': (_session, params) => receiver().build(params),
  'reception.take': (_session, params) => receiver().take(params),
  'reception.refuse': () => receiver().refuse(),
  'domain.pause': async ({ host }, { domid }) => done(await host.pause(String(domid)), 'libxl_domain_pause'),
  'disk.attach': async ({ host }, { domid, json }) => {
    const { pdev_path: target, vdev, readwrite } = membersOf(json);
    const words = [`format=raw,vdev=${vdev},access=${readwrite === 1 ? 'rw' : 'ro'},target=${target}`];
    return done(await host.blockAttach(String(domid), words), 'libxl_device_disk_add');
  },
  'disk.list': async ({ host }, { domid }) =>
    value(await host.blockList([String(domid)]), 'libxl_device_disk_list').map((disk) => ({
      ...disk,
      frontend: domid,
    })),
  'disk.detach': async ({ host }, { domid, disk, isForced }) => {
    const report = await host.blockDetach(String(domid), disk, { force: isForced });
    const isUnknown = report.xlMessages.some((line) => line.endsWith(' not connected.'));
    return done(report, isUnknown ? 'libxl_vdev_to_device_disk' : 'libxl_device_disk_safe_remove');
  },
  'nic.attach': async ({ host }, { domid, json }) =>
    done(await host.networkAttach(String(domid), [`mac=${membersOf(json)['mac']}`]), 'libxl_device_nic_add'),
  'nic.list': async ({ host }, { domid }) => value(await host.networkList([String(domid)]), 'libxl_device_nic_list'),
  'nic.detach': async ({ host }, { domid, card }) => {
    const report = await host.networkDetach(String(domid), String(card));
    const isUnknown = report.xlMessages.some((line) => line.startsWith('Unknown device '));
    return done(report, isUnknown ? 'libxl_devid_to_device_nic' : 'libxl_device_nic_remove');
  },
  'pci.attach': async ({ host }, { domid, json }) =>
    done(await host.pciAttach(String(domid), addressOf(json)), 'libxl_device_pci_add'),
  'pci.detach': async ({ host }, { domid, json, isForced }) =>
    done(await host.pciDetach(String(domid), addressOf(json), { force: isForced }), 'libxl_device_pci_remove'),
  'pci.list': async ({ host }, { domid }) =>
    value(await host.pciList(String(domid)), 'libxl_device_pci_list').map((device) => ({ ...device, name: undefined })),
  'pci.assignableAdd': async ({ host }, { json }) => {
    const { name } = membersOf(json);
    const text = name === undefined ? undefined : String(name);
    return done(await host.pciAssignableAdd(addressOf(json), text), 'libxl_device_pci_assignable_add');
  },
  'pci.assignableRemove': async ({ host }, { json }) =>
    done(await host.pciAssignableRemove(addressOf(json)), 'libxl_device_pci_assignable_remove'),
  'pci.assignableList': async ({ host }) =>
    value(await host.pciAssignableList(), 'libxl_device_pci_assignable_list').map((device) => ({ ...device, slot: 0 })),
  'host.debugKeys': (session, { keys }) => {
    ask(session, 'sysctl.debug_keys', { keys });
    return {};
  },
  'ring.read': (session, { index }) => {
    const all = ask(session, 'sysctl.readconsole', { clear: false }).text + (existsSync(LOG) ? readFileSync(LOG) : '');
    const oldest = Math.max(0, all.length - RING_BYTES);
    const from = Math.max(index, oldest);
    appendFileSync(LOG, CHATTER);
    return { text: all.slice(from), index: all.length, lost: from - index, isEnd: true };
  },
  'flask.getenforce': (session) => ask(session, 'xsm_op.getenforce', {}),
  'flask.setenforce': (session, params) => {
    ask(session, 'xsm_op.setenforce', params);
    return {};
  },
  'flask.booleans': booleans,
  'flask.setBoolean': (session, { name, value: isSet }) => {
    ask(session, 'xsm_op.setbool', { name, value: isSet, commit: true });
    return {};
  },
  'flask.load': (session, { bytes }) => {
    loadPolicy(session, bytes);
    return {};
  },
  'flask.label': (session, { kind, low, high, label: context }) => {
    const { sid } = ask(session, 'xsm_op.context_to_sid', { context });
    ask(session, 'xsm_op.add_ocontext', { kind, low: BigInt(low), high: BigInt(high), sid });
    return {};
  },
  'flask.contextToSid': (session, { context }) => ask(session, 'xsm_op.context_to_sid', { context }),
  'flask.access': decide,
  'audit.begin': (session, { audited, original, witnesses }) => {
    loadPolicy(session, audited);
    open.auditing = { original, witnesses };
    return { booleans: NO_BOOLEANS };
  },
  'audit.end': endAuditing,
  // The page that a guest shares with xenstored has a number that only a real guest has.
  'xenstore.read': () => ({ value: undefined }),
  'memory.map': () => [],
};

/** The fault that happens now, if there is one. Each happens once, to whichever helper. */
function faultAt(call: HelperCallName): Fault['how'] | undefined {
  if (!existsSync(FAULTS)) return undefined;
  // The test has written it.
  const faults = JSON.parse(readFileSync(FAULTS, 'utf8')) as Fault[];
  const at = faults.findIndex((one) => one.call === call);
  const { [at]: fault } = faults;
  if (fault === undefined) return undefined;
  const { after = 0 } = fault;
  if (after > 0) faults.splice(at, 1, { ...fault, after: after - 1 });
  else faults.splice(at, 1);
  // Another helper may read it at the same time.
  const draft = `${FAULTS}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(faults));
  renameSync(draft, FAULTS);
  return after > 0 ? undefined : fault.how;
}

function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('still alive');
}

/** What the helper's own code throws. */
function isFault(error: unknown): error is { readonly failure: HelperFailure } {
  return error instanceof Error && error.name === 'CallFault' && 'failure' in error;
}

async function perform({ id, call, params }: HelperRequest): Promise<void> {
  const fault = faultAt(call);
  if (fault?.kind === 'dies') die();
  if (fault?.kind === 'hangs') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  let line: string;
  const session = load();
  try {
    if (fault?.kind === 'fails') throw new Failed(fault.failure);
    const handler = CALLS[call];
    if (handler === undefined) throw new Error(`the stand-in has no \`${call}\``);
    // The two fields of a request belong together.
    const found: unknown = await (handler as (session: Session, params: unknown) => unknown)(session, params);
    line = JSON.stringify({ id, ok: true, value: found });
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? '') : String(error);
    const failure = error instanceof Failed || isFault(error) ? error.failure : { kind: 'refused', reason };
    line = JSON.stringify({ id, ok: false, failure });
  }
  // Whoever reads the log changes nothing, and comes often; who migrates has kept what it did.
  if (call !== 'ring.read' && !/^(?:migration|reception)\./.test(call)) keep(session);
  if (fault?.kind === 'dies-late') die();
  if (fault?.kind === 'half') {
    writeSync(3, line.slice(0, line.length / 2));
    die();
  }
  writeSync(3, `${line}\n`);
}

/** The command is gone: undoes what is unfinished. */
async function abandon(): Promise<void> {
  const session = load();
  if (open.auditing !== undefined) endAuditing(session, open.auditing);
  for (const domid of open.guests) await session.host.destroy(String(domid));
  keep(session);
}

if (process.argv[2] === 'console') {
  // What a guest would show goes to the terminal of the test. Which console it is stands in a file.
  writeFileSync(`${HOST}.console`, process.argv.slice(3).join(' '));
  process.exit(7);
}

let work = Promise.resolve();
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  // The command has written it.
  const request = JSON.parse(line) as HelperRequest;
  work = work.then(() => perform(request));
});
lines.on('close', () => {
  // What is sent, or comes in, does not come to its end by itself.
  const moving = madeSender ?? madeReceiver;
  if (moving !== undefined) void Promise.all([moving.abandon(), work]).then(() => process.exit(0));
  else void work.then(abandon).then(() => process.exit(0));
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
