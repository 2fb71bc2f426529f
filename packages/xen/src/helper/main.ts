/**
 * The helper: a process of its own that works with the host's libxl, because libxl reaps child processes and catches
 * signals as it needs to.
 *
 * It starts no process itself. It takes requests from its standard input and answers on descriptor 3. When the command
 * is gone, the input ends: it then undoes what is half done, and ends too.
 *
 * Called with the word `console`, it takes no requests: it becomes the program that shows the console of a guest.
 *
 * Imports: `koffi`, and what it shares with the command: `protocol.ts`, `call-fault.ts`, `save-format.ts`, the sides of a
 * migration.
 * Start reading at `CALLS`.
 *
 * @module
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CallFault } from '../call-fault.ts';
import type { MigrationReceiver } from '../migration/receiver.ts';
import type { MigrationSender } from '../migration/sender.ts';
import type { HelperAnswer, HelperCallName, HelperCalls, HelperFailure, HelperRequest } from '../protocol.ts';
import { Auditor } from './auditor.ts';
import { Builder } from './build.ts';
import { configurationOf } from './configuration.ts';
import { execConsole } from './console.ts';
import {
  addAssignable,
  attachDevice,
  detachDisk,
  detachNic,
  detachPci,
  listAssignable,
  listDisks,
  listNics,
  listPci,
  removeAssignable,
} from './devices.ts';
import { domainInfo, domainName, dumpCore, findDomain, listDomains, renameDomain } from './domains.ts';
import {
  contextToSid,
  decide,
  getenforce,
  labelResource,
  listBooleans,
  loadPolicy,
  setBoolean,
  sidToContext,
} from './flask.ts';
import { type HostAccess, libxl, openHost, xenctrl } from './host-access.ts';
import { openLibraries } from './libraries.ts';
import { hostInfo, mapPages, readRing, readXenstore } from './machine.ts';
import { receiverOn, senderOn } from './migration.ts';
import { getScheduler, listVcpus, nodesOf, pinVcpu, setScheduler, setVcpus } from './vcpus.ts';

/** An open host, and what was begun on it: guests, auditing, and a migration. */
interface Session {
  readonly access: HostAccess;
  readonly isBare: boolean;
  readonly auditor: Auditor;
  readonly builder: Builder;
  /** There is one in a helper that was started for it. */
  sender?: MigrationSender;
  receiver?: MigrationReceiver;
}

function senderOf(session: Session): MigrationSender {
  session.sender ??= senderOn(session.access);
  return session.sender;
}

function receiverOf(session: Session): MigrationReceiver {
  session.receiver ??= receiverOn(session.access);
  return session.receiver;
}

type Handler<N extends HelperCallName> = (
  session: Session,
  params: HelperCalls[N]['params'],
) => HelperCalls[N]['result'] | Promise<HelperCalls[N]['result']>;

const nothing = {};

/** A call of libxl that takes a domain and nothing else. */
const onDomain =
  (name: Parameters<typeof libxl>[1]) =>
  async ({ access }: Session, { domid }: { readonly domid: number }): Promise<typeof nothing> => {
    await libxl(access, name, domid, null);
    return nothing;
  };

const CALLS: { readonly [N in Exclude<HelperCallName, 'open'>]: Handler<N> } = {
  'domain.list': ({ access }) => listDomains(access),
  'domain.info': ({ access }, { domid }) => domainInfo(access, domid),
  'domain.find': ({ access }, { text }) => findDomain(access, text),
  'domain.nodes': ({ access }, { domid }) => nodesOf(access, domid),
  'domain.config': async ({ access }, { domid }) => ({ json: await configurationOf(access, domid) }),
  'domain.name': ({ access }, { domid }) => domainName(access, domid),
  'domain.create': ({ builder }, params) => builder.create(params),
  'domain.restore': ({ builder }, params) => builder.restore(params),
  'domain.relabel': async ({ builder }, params) => {
    await builder.relabel(params);
    return nothing;
  },
  'domain.finish': async ({ builder }, params) => {
    await builder.finish(params);
    return nothing;
  },
  'domain.pause': onDomain('libxl_domain_pause'),
  'domain.unpause': onDomain('libxl_domain_unpause'),
  'domain.destroy': onDomain('libxl_domain_destroy'),
  'domain.shutdown': onDomain('libxl_domain_shutdown'),
  'domain.reboot': onDomain('libxl_domain_reboot'),
  'domain.rename': async ({ access }, { domid, name }) => {
    await renameDomain(access, domid, name);
    return nothing;
  },
  'domain.dumpCore': ({ access }, params) => dumpCore(access, params),
  'domain.save': ({ builder }, params) => builder.save(params),
  'domain.resume': async ({ access }, { domid }) => {
    await libxl(access, 'libxl_domain_resume', domid, 1, null);
    return nothing;
  },
  'migration.offer': (session, params) => senderOf(session).offer(params),
  'migration.send': async (session, params) => {
    await senderOf(session).send(params);
    return nothing;
  },
  'migration.handOver': (session, params) => senderOf(session).handOver(params),
  'migration.finish': async (session, params) => {
    await senderOf(session).finish(params);
    return nothing;
  },
  'reception.begin': (session) => receiverOf(session).begin(),
  'reception.build': (session, params) => receiverOf(session).build(params),
  'reception.take': (session, params) => receiverOf(session).take(params),
  'reception.refuse': (session) => receiverOf(session).refuse(),
  'domain.setMaxMemory': async ({ access }, { domid, kib }) => {
    await libxl(access, 'libxl_domain_setmaxmem', domid, kib);
    return nothing;
  },
  'domain.setMemory': async ({ access }, { domid, kib }) => {
    await libxl(access, 'libxl_set_memory_target', domid, kib, 0, 1);
    return nothing;
  },
  'domain.trigger': async ({ access }, { domid, trigger, vcpu }) => {
    await libxl(access, 'libxl_send_trigger', domid, trigger, vcpu, null);
    return nothing;
  },
  'domain.sysrq': async ({ access }, { domid, key }) => {
    await libxl(access, 'libxl_send_sysrq', domid, key.charCodeAt(0));
    return nothing;
  },
  'disk.attach': async ({ access }, { domid, json }) => {
    await attachDevice(access, 'disk', domid, json);
    return nothing;
  },
  'disk.list': ({ access }, { domid }) => listDisks(access, domid),
  'disk.detach': async ({ access }, params) => {
    await detachDisk(access, params);
    return nothing;
  },
  'nic.attach': async ({ access }, { domid, json }) => {
    await attachDevice(access, 'nic', domid, json);
    return nothing;
  },
  'nic.list': ({ access }, { domid }) => listNics(access, domid),
  'nic.detach': async ({ access }, params) => {
    await detachNic(access, params);
    return nothing;
  },
  'pci.attach': async ({ access }, { domid, json }) => {
    await attachDevice(access, 'pci', domid, json);
    return nothing;
  },
  'pci.detach': async ({ access }, params) => {
    await detachPci(access, params);
    return nothing;
  },
  'pci.list': ({ access }, { domid }) => listPci(access, domid),
  'pci.assignableAdd': async ({ access }, params) => {
    await addAssignable(access, params);
    return nothing;
  },
  'pci.assignableRemove': async ({ access }, params) => {
    await removeAssignable(access, params);
    return nothing;
  },
  'pci.assignableList': ({ access }) => listAssignable(access),
  'vcpu.list': ({ access }, { domid }) => listVcpus(access, domid),
  'vcpu.pin': async ({ access }, params) => {
    await pinVcpu(access, params);
    return nothing;
  },
  'vcpu.set': async ({ access }, params) => {
    await setVcpus(access, params);
    return nothing;
  },
  'sched.get': ({ access }, { domid }) => getScheduler(access, domid),
  'sched.set': async ({ access }, params) => {
    await setScheduler(access, params);
    return nothing;
  },
  'host.info': ({ access }) => hostInfo(access),
  'host.debugKeys': async ({ access }, { keys }) => {
    await libxl(access, 'libxl_send_debug_keys', access.libraries.bytes(keys));
    return nothing;
  },
  'ring.read': ({ access }, params) => readRing(access, params),
  'flask.getenforce': ({ access }) => ({ isEnforcing: getenforce(access) }),
  'flask.setenforce': ({ access }, { isEnforcing }) => {
    xenctrl(access, 'xc_flask_setenforce', isEnforcing ? 1 : 0);
    return nothing;
  },
  'flask.booleans': ({ access }) => listBooleans(access),
  'flask.setBoolean': ({ access }, { name, value }) => {
    setBoolean(access, name, value);
    return nothing;
  },
  'flask.load': ({ access }, { bytes }) => {
    loadPolicy(access, bytes);
    return nothing;
  },
  'audit.begin': ({ auditor }, params) => auditor.begin(params),
  'audit.end': ({ auditor }, params) => auditor.end(params),
  'flask.contextToSid': ({ access }, { context }) => ({ sid: contextToSid(access, context) }),
  'flask.label': ({ access }, params) => {
    labelResource(access, params);
    return nothing;
  },
  'flask.sidToContext': ({ access }, { sid }) => ({ context: sidToContext(access, sid) }),
  'flask.access': ({ access }, params) => decide(access, params),
  'memory.map': ({ access }, params) => mapPages(access, params),
  'xenstore.read': ({ access }, { path }) => ({ value: readXenstore(access, path) }),
};

/** Calls that go to Xen alone, and need no xenstore. */
const WITHOUT_LIBXL = /^(?:flask|audit|ring)\./;

function failureOf(error: unknown): HelperFailure {
  if (error instanceof CallFault) return error.failure;
  // The operating system refused something: the disk is full, say.
  if (error instanceof Error && 'syscall' in error && 'code' in error)
    return { kind: 'errno', call: String(error.syscall), errno: String(error.code) };
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: 'refused', reason: `the helper failed: ${reason}` };
}

/** Answers; a command that is gone hears nothing. */
function answer(value: HelperAnswer): void {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  let done = 0;
  try {
    while (done < bytes.length) done += writeSync(3, bytes, done);
  } catch {
    // The end of the input says the same, and ends this process.
  }
}

function serve(): void {
  let session: Session | undefined;
  let work = Promise.resolve();
  let isAlone = false;

  const perform = async ({ id, call, params }: HelperRequest): Promise<void> => {
    // What has not begun when the command is gone does not begin any more: nobody would end it.
    if (isAlone) return;
    try {
      if (call === 'open') {
        // The two fields of a request belong together.
        const { release, isBare = false } = params as HelperCalls['open']['params'];
        const libraries = await openLibraries(release);
        const access = openHost(libraries, isBare);
        // What libxl starts must not hold our pipes open.
        for (const fd of isBare ? [] : [0, 3]) libraries.now('libxl_fd_set_cloexec', access.context, fd, 1);
        session = { access, isBare, auditor: new Auditor(access), builder: new Builder(access) };
        answer({ id, ok: true, value: { library: libraries.file } });
        return;
      }
      if (session === undefined) throw new CallFault({ kind: 'refused', reason: 'the host is not open' });
      if (session.isBare && !WITHOUT_LIBXL.test(call))
        throw new CallFault({ kind: 'refused', reason: 'libxl cannot be asked: this host has no xenstore yet' });
      // As above.
      const handler = CALLS[call] as Handler<HelperCallName>;
      answer({ id, ok: true, value: await handler(session, params) });
    } catch (error) {
      answer({ id, ok: false, failure: failureOf(error) });
    }
  };

  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    let request: HelperRequest;
    try {
      // The command writes these lines: they are what the type says, but for the last of one that was killed.
      request = JSON.parse(line) as HelperRequest;
    } catch {
      return;
    }
    work = work.then(() => perform(request));
  });
  lines.on('close', () => {
    isAlone = true;
    session?.auditor.abandon();
    const abandoned = [session?.builder.abandon(), session?.sender?.abandon(), session?.receiver?.abandon()];
    void Promise.allSettled([...abandoned, work]).then(() => process.exit(0));
  });
}

if (process.argv[2] === 'console') await execConsole(process.argv.slice(3));
else {
  // A terminal's Ctrl-C is for the command, which tells us by closing our input.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  serve();
}
