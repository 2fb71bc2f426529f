/**
 * What every host must answer, real or simulated: the life of a labelled guest under the example policy, and under Xen's
 * own.
 *
 * The same questions are put to real Xen (`judge-in-dom0.ts`) and to the simulated one (`conformance.test.ts`). What a
 * scenario expects was seen on real Xen 4.17.5 first.
 *
 * Start reading at `SCENARIOS`.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { SourceText } from '@dewar/policy/text';
import type { DomainState, Host, OperationReport } from '@dewar/toolstack';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import type { Traced } from './traced.ts';

/** A host, and what is needed to put questions to it. */
export interface Bench {
  readonly host: Host;
  /** The series of its Xen, such as `4.17`. */
  readonly series: string;
  readonly policies: {
    /** The example policy, which the host has booted with. */
    readonly example: Uint8Array;
    /** Xen's own. */
    readonly stock: Uint8Array;
  };
  /** Whether the guest's own first process has spoken on its console, after some time. */
  isAlive(name: string): Promise<boolean>;
  /** Whether the machine can run guests in an HVM container. */
  readonly runsPvh: boolean;
  /** A place for a saved guest. */
  readonly saveFile: string;
  /** A block device of dom0 that nobody needs. */
  readonly disk: string;
  /** A PCI device that nobody needs; undefined where there is none, or no IOMMU to keep it within bounds. */
  readonly pciDevice: string | undefined;
}

/** One thing that was asked, and what came of it. */
export interface Answer {
  readonly step: string;
  readonly outcome: 'done' | 'failed';
  readonly exit: number;
  /** The guest afterwards: its state and label. */
  readonly domain: string;
  /** What dom0 was denied: class, permissions, source and target type. */
  readonly denials: readonly string[];
  /** Codes of errors and warnings. */
  readonly codes: readonly string[];
}

const RUN = 'customer_1:vm_r:nomigrate_t';
const BUILD = 'customer_1:vm_r:nomigrate_t_building';

/** The guest of the example, with some keys changed. */
function guestOf(changes: Readonly<Record<string, string>> = {}): DomainConfig {
  const keys: Readonly<Record<string, string>> = {
    name: 'secured',
    type: 'pv',
    init_seclabel: BUILD,
    seclabel: RUN,
    kernel: '/boot/vmlinuz',
    ramdisk: '/boot/guest.gz',
    ...changes,
  };
  const lines = Object.entries(keys).flatMap(([key, value]) => (value === '' ? [] : [`${key} = '${value}'\n`]));
  const text = `${lines.join('')}memory = 128\nvcpus = 1\n`;
  const { config, diagnostics } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (config === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return config;
}

const typeOf = (label: string): string => label.split(':')[2] ?? label;

/** The checks of dom0 that were denied, each once; and what others may do with resources, which dom0 has Xen check. */
function denialsOf({ timeline }: OperationReport<unknown>): string[] {
  const checks = timeline.flatMap(({ hypercalls }) => hypercalls.flatMap((call) => call.checks));
  const denied = checks.filter(
    ({ outcome, sourceDomid, class: tclass }) => outcome === 'denied' && (sourceDomid === 0 || tclass === 'resource'),
  );
  const texts = denied.map((check) => {
    return `${check.class} { ${check.denied.join(' ')} } ${typeOf(check.source)} ${typeOf(check.target)}`;
  });
  return [...new Set(texts)].sort();
}

function domainText(domain: DomainState | undefined): string {
  if (domain === undefined) return 'gone';
  const { isStranded, state, label } = domain;
  return `${isStranded ? 'stranded' : state} under ${label ?? '?'}`;
}

/** Puts one question after the other, and writes the answers down. */
export class Examination {
  readonly answers: Answer[] = [];

  /** Asks, and holds the answer against what it has to be. */
  async ask<T>(
    step: string,
    report: Promise<OperationReport<T>>,
    expected: Partial<Omit<Answer, 'step'>>,
  ): Promise<OperationReport<T>> {
    const found = await report;
    const codes = found.diagnostics.filter(({ severity }) => severity !== 'note').map(({ code }) => code);
    const answer: Answer = {
      step,
      outcome: found.outcome,
      exit: found.xlExitCode,
      domain: domainText(found.domain),
      denials: denialsOf(found),
      codes: [...new Set(codes)].sort(),
    };
    this.answers.push(answer);
    const wanted: Answer = { ...answer, ...expected };
    for (const key of ['outcome', 'exit', 'domain', 'denials', 'codes'] as const) {
      const [is, must] = [JSON.stringify(answer[key]), JSON.stringify(wanted[key])];
      if (is === must) continue;
      const said = [...found.xlMessages, ...found.diagnostics.map(({ message }) => message)].slice(-6).join('; ');
      throw new Error(`${step}: ${key} is ${is}, not ${must} (${said})`);
    }
    return found;
  }

  /** Something that must hold. */
  hold(what: string, isSo: boolean): void {
    if (!isSo) throw new Error(what);
  }
}

/** Puts questions to a host; throws where an answer is not as it has to be. */
export type Scenario = (bench: Bench, examination: Examination) => Promise<void>;

const options = (): { uuid: string } => ({ uuid: randomUUID() });
const GOOD = { outcome: 'done', exit: 0, denials: [], codes: [] } as const;
const CANNOT_READ = ['mmu { map_read } dom0_t nomigrate_t'];

/** The domains that are neither dom0 nor dying. */
export async function guestsOf({ host }: Bench): Promise<readonly DomainState[]> {
  const { value = [] } = await host.list();
  return value.filter(({ domid, state }) => domid !== 0 && state !== 'dying');
}

const lockedAway: Scenario = async (bench, { ask, hold }) => {
  const { host } = bench;
  const created = await ask('create', host.create(guestOf(), options()), { ...GOOD, domain: `running under ${RUN}` });
  const [change] = created.labelChanges;
  hold('the label changed once, from the build label to the run label', change?.from === BUILD && change.to === RUN);
  hold('the guest is alive', await bench.isAlive('secured'));
  const read = await ask('map a page', host.probeForeignMap('secured', 'read'), { denials: CANNOT_READ });
  hold('dom0 cannot read it', read.value?.outcome === 'denied');
  const write = await ask('map a page to write it', host.probeForeignMap('secured', 'read-write'), {
    denials: ['mmu { map_read map_write } dom0_t nomigrate_t'],
  });
  hold('dom0 cannot write it', write.value?.outcome === 'denied');
  await ask('dump-core', host.dumpCore('secured', '/run/core'), {
    outcome: 'failed',
    exit: 1,
    denials: CANNOT_READ,
    codes: ['guest/operation-failed'],
    domain: `running under ${RUN}`,
  });
  await ask('save', host.save('secured', { file: bench.saveFile }), {
    outcome: 'failed',
    exit: 1,
    // XEN: libxl of 4.14 then looks into the memory of a PV guest, to let it go on.
    denials: ['domain2 { get_vnumainfo } dom0_t nomigrate_t', ...(bench.series === '4.14' ? CANNOT_READ : [])],
    codes: ['guest/operation-failed'],
    domain: `running under ${RUN}`,
  });
  const { value: listed = [] } = await ask('list', host.list(), GOOD);
  hold(
    'it is on the list',
    listed.some(({ name, label }) => name === 'secured' && label === RUN),
  );
  await ask('pause', host.pause('secured'), { ...GOOD, domain: `paused under ${RUN}` });
  await ask('unpause', host.unpause('secured'), { ...GOOD, domain: `running under ${RUN}` });
  await ask('sched-credit2', host.schedCredit2('secured'), GOOD);
  await ask('rename', host.rename('secured', 'renamed'), { ...GOOD, domain: `running under ${RUN}` });
  const { value: domid } = await ask('domid', host.domid('renamed'), GOOD);
  const { value: name } = await ask('domname', host.domname(String(domid)), GOOD);
  hold('a number has the name that has the number', name === 'renamed');
  await ask('destroy', host.destroy('renamed'), { ...GOOD, domain: 'gone' });
  hold('nothing is left', (await guestsOf(bench)).length === 0);
};

const badLabels: Scenario = async (bench, { ask, hold }) => {
  const { host } = bench;
  await ask(
    'a label that no policy has',
    host.create(guestOf({ seclabel: 'customer_4:vm_r:nomigrate_t' }), options()),
    {
      outcome: 'failed',
      exit: 1,
      domain: 'gone',
      denials: [],
      codes: ['guest/invalid-label'],
    },
  );
  await ask(
    'a relabel to another customer',
    host.create(guestOf({ seclabel: 'customer_2:vm_r:nomigrate_t' }), options()),
    {
      outcome: 'failed',
      exit: 3,
      domain: 'gone',
      denials: ['domain { transition } nomigrate_t_building nomigrate_t'],
      codes: ['guest/relabel-denied'],
    },
  );
  hold('nothing is left', (await guestsOf(bench)).length === 0);
};

const savedAndRestored: Scenario = async (bench, { ask, hold }) => {
  const { host } = bench;
  const label = 'customer_1:vm_r:domU_t';
  const open = guestOf({ name: 'open', init_seclabel: '', seclabel: label });
  await ask('create', host.create(open, options()), { ...GOOD, domain: `running under ${label}` });
  hold('the guest is alive', await bench.isAlive('open'));
  const read = await ask('map a page', host.probeForeignMap('open', 'read'), { denials: [] });
  hold('dom0 can read it', read.value?.outcome === 'mapped');
  await ask('vcpu-list', host.vcpuList('open'), GOOD);
  await ask('mem-max', host.memMax('open', 160 * 1024), { ...GOOD, domain: `running under ${label}` });
  const saved = await ask('save', host.save('open', { file: bench.saveFile }), { ...GOOD, domain: 'gone' });
  const restored = host.restore(saved.value, { ...options(), file: bench.saveFile });
  await ask('restore', restored, { ...GOOD, domain: `running under ${label}` });
  await ask('destroy', host.destroy('open'), { ...GOOD, domain: 'gone' });
};

const modeAndBooleans: Scenario = async (bench, { ask, hold }) => {
  const { host } = bench;
  const booleanNamed = async (name: string): Promise<boolean | undefined> =>
    (await host.booleans()).value?.find((one) => one.name === name)?.enforcing;
  const mode = await ask('getenforce', host.getenforce(), { outcome: 'done', exit: 1, denials: [], codes: [] });
  hold('Xen is enforcing', mode.value === true);
  hold('guests may write to the console', (await booleanNamed('guest_writeconsole')) === true);
  await ask('set-bool', host.setBoolean('guest_writeconsole', false), GOOD);
  hold('the boolean is false', (await booleanNamed('guest_writeconsole')) === false);
  await ask('set-bool back', host.setBoolean('guest_writeconsole', true), GOOD);
  await ask('a boolean that there is not', host.setBoolean('no_such_boolean', true), {
    outcome: 'failed',
    exit: 1,
    codes: ['guest/unknown-boolean'],
  });
  await ask('create', host.create(guestOf(), options()), { ...GOOD, domain: `running under ${RUN}` });
  await ask('setenforce 0', host.setenforce(false), GOOD);
  const open = await host.probeForeignMap('secured', 'read');
  hold('permissive, dom0 can read the guest', open.value?.outcome === 'mapped');
  await ask('setenforce 1', host.setenforce(true), GOOD);
  const shut = await host.probeForeignMap('secured', 'read');
  hold('enforcing, dom0 cannot', shut.value?.outcome === 'denied');
  await ask('destroy', host.destroy('secured'), { ...GOOD, domain: 'gone' });
};

const stranded: Scenario = async (bench, { ask, hold }) => {
  const { host, policies } = bench;
  await ask('load the stock policy', host.loadPolicy(policies.stock), GOOD);
  const labels = { init_seclabel: 'user_1:vm_r:nomigrate_t_building', seclabel: 'user_1:vm_r:nomigrate_t' };
  await ask('create', host.create(guestOf(labels), options()), {
    outcome: 'failed',
    exit: 3,
    domain: `stranded under ${labels.init_seclabel}`,
    codes: ['guest/console-timeout', 'guest/stranded'],
  });
  const [left] = await guestsOf(bench);
  hold('one domain is left', left?.isStranded === true);
  const refused = await ask('destroy', host.destroy(String(left?.domid)), {
    outcome: 'failed',
    exit: 1,
    domain: `stranded under ${labels.init_seclabel}`,
  });
  hold(
    'the destroy was denied',
    denialsOf(refused).some((text) => text.startsWith('domain { destroy }')),
  );
  // Under the example policy the label is not valid any more: Xen takes the domain for unlabeled.
  await ask('setenforce 0', host.setenforce(false), GOOD);
  await ask('destroy, permissive', host.destroy(String(left?.domid)), { outcome: 'done', exit: 0, domain: 'gone' });
  await ask('setenforce 1', host.setenforce(true), GOOD);
  await ask('load the example policy', host.loadPolicy(policies.example), GOOD);
  await ask('create', host.create(guestOf(), options()), { ...GOOD, domain: `running under ${RUN}` });
  await ask('destroy', host.destroy('secured'), { ...GOOD, domain: 'gone' });
};

const notAPolicy: Scenario = async ({ host, policies }, { ask, hold }) => {
  const half = policies.example.slice(0, policies.example.length / 2);
  await ask('load half a policy', host.loadPolicy(half), {
    outcome: 'failed',
    exit: 255,
    codes: ['guest/request-failed'],
  });
  const { value = [] } = await host.booleans();
  hold(
    'the policy before is still in force',
    value.some(({ name }) => name === 'policy_locked'),
  );
};

/** All that can be asked of a guest that dom0 may do everything to, up to its end by itself. */
const tuned: Scenario = async (bench, { ask, hold }) => {
  const { host } = bench;
  const label = 'customer_1:vm_r:domU_t';
  const running = { ...GOOD, domain: `running under ${label}` };
  const stopped = { ...GOOD, domain: `shutdown under ${label}` };
  const open = guestOf({ name: 'tuned', init_seclabel: '', seclabel: label });
  await ask('create', host.create(open, { ...options(), unwatched: true }), running);
  hold('the guest is alive', await bench.isAlive('tuned'));
  const { value: vcpus = [] } = await ask('vcpu-list', host.vcpuList('tuned'), GOOD);
  hold('it has one vCPU', vcpus.length === 1);
  await ask('vcpu-pin', host.vcpuPin('tuned', '0', '0'), { ...GOOD });
  const { value: pinned = [] } = await ask('vcpu-list', host.vcpuList('tuned'), GOOD);
  hold('the vCPU may run on the first CPU alone', pinned[0]?.hard === '0');
  await ask('vcpu-set', host.vcpuSet('tuned', 1), running);
  await ask('mem-max', host.memMax('tuned', 160 * 1024), running);
  await ask('mem-set', host.memSet('tuned', 120 * 1024), running);
  await ask('a trigger that there is not', host.trigger('tuned', 'knock'), { outcome: 'failed', exit: 1, denials: [] });
  await ask('sysrq', host.sysrq('tuned', 's'), running);
  await ask('shutdown', host.shutdown('tuned', { wait: true }), stopped);
  await ask('destroy', host.destroy('tuned'), { ...GOOD, domain: 'gone' });
  const again = guestOf({ name: 'again', init_seclabel: '', seclabel: label });
  await ask('create', host.create(again, { ...options(), unwatched: true }), running);
  hold('the guest is alive', await bench.isAlive('again'));
  await ask('reboot', host.reboot('again', { wait: true }), stopped);
  await ask('destroy', host.destroy('again'), { ...GOOD, domain: 'gone' });
};

/** A request to stop is not waited for without end. On real Xen libxl waits a minute. */
const silent: Scenario = async ({ host }, { ask }) => {
  const paused = { domain: `paused under ${RUN}` };
  await ask('create, paused', host.create(guestOf(), { ...options(), paused: true, unwatched: true }), {
    ...GOOD,
    ...paused,
  });
  const unanswered = { outcome: 'failed', exit: 1, denials: [], codes: ['guest/no-answer'], ...paused } as const;
  await ask('shutdown', host.shutdown('secured', { wait: true }), unanswered);
  await ask('destroy', host.destroy('secured'), { ...GOOD, domain: 'gone' });
};

/** Permissive, what is denied is logged and done. */
const permissive: Scenario = async (bench, { ask, hold }) => {
  const { host } = bench;
  const label = 'customer_2:vm_r:nomigrate_t';
  await ask('setenforce 0', host.setenforce(false), GOOD);
  const config = guestOf({ name: 'moved', seclabel: label });
  const created = await ask('create', host.create(config, { ...options(), unwatched: true }), {
    outcome: 'done',
    exit: 0,
    codes: [],
    domain: `running under ${label}`,
  });
  const denied = denialsOf(created);
  hold(
    'the relabel to another customer was logged as denied',
    denied.includes('domain { transition } nomigrate_t_building nomigrate_t'),
  );
  // Where its memory is, it tells only then.
  hold('the guest is alive', await bench.isAlive('moved'));
  await ask('dump-core', host.dumpCore('moved', '/run/core'), { outcome: 'done', exit: 0, codes: [] });
  await ask('destroy', host.destroy('moved'), { outcome: 'done', exit: 0, domain: 'gone' });
  await ask('setenforce 1', host.setenforce(true), GOOD);
};

/** A guest in an HVM container, where the machine can run one. */
const translated: Scenario = async (bench, { ask, hold }) => {
  if (!bench.runsPvh) return;
  const { host } = bench;
  // Without a word its kernel would take a screen, which there is not, for its console.
  const config = guestOf({ name: 'translated', type: 'pvh', extra: 'console=hvc0' });
  await ask('create', host.create(config, { ...options(), unwatched: true }), {
    ...GOOD,
    domain: `running under ${RUN}`,
  });
  hold('the guest is alive', await bench.isAlive('translated'));
  const read = await ask('map a page', host.probeForeignMap('translated', 'read'), { denials: CANNOT_READ });
  hold('dom0 cannot read it', read.value?.outcome === 'denied');
  await ask('dump-core', host.dumpCore('translated', '/run/core'), {
    outcome: 'failed',
    exit: 1,
    denials: ['domain { getvcpucontext } dom0_t nomigrate_t', ...CANNOT_READ],
    codes: ['guest/operation-failed'],
  });
  await ask('shutdown', host.shutdown('translated', { wait: true }), { ...GOOD, domain: `shutdown under ${RUN}` });
  await ask('destroy', host.destroy('translated'), { ...GOOD, domain: 'gone' });
};

/** A guest of type domU_t, which may be given devices. */
const DEVICE_LABEL = 'customer_1:vm_r:domU_t';
const servedGuest = (name: string, more: Readonly<Record<string, string>> = {}): DomainConfig =>
  guestOf({ name, init_seclabel: '', seclabel: DEVICE_LABEL, ...more });

/** The guests whose checks are traced. */
export function tracedGuests(pciDevice: string | undefined, canMigrate: boolean): Traced {
  return {
    config: guestOf({ name: 'traced' }),
    moving: canMigrate
      ? {
          leaving: guestOf({ name: 'moved', init_seclabel: '', seclabel: 'customer_1:vm_r:domU_t' }),
          arriving: guestOf({ name: 'moved', init_seclabel: '', seclabel: 'customer_1:vm_r:isolated_domU_t' }),
        }
      : undefined,
    served: servedGuest('given', { passthrough: 'enabled' }),
    pciDevice,
  };
}

/** Disks and cards of a guest whose kernel has no drivers for them, so that it lets go of nothing by itself. */
const served: Scenario = async (bench, { ask, hold }) => {
  const { host, disk } = bench;
  const running = { ...GOOD, domain: `running under ${DEVICE_LABEL}` };
  const refused = { outcome: 'failed', exit: 1, denials: [], codes: ['guest/operation-failed'] } as const;
  await ask('create', host.create(servedGuest('served'), { ...options(), unwatched: true }), running);
  hold('the guest is alive', await bench.isAlive('served'));
  const words = [`format=raw,vdev=xvda,access=rw,backendtype=phy,target=${disk}`];
  await ask('block-attach', host.blockAttach('served', words), running);
  await ask('the same place once more', host.blockAttach('served', words), refused);
  const { value: disks = [] } = await ask('block-list', host.blockList(['served']), GOOD);
  hold('it has one disk, from dom0', disks.length === 1 && disks[0]?.devid === 51712 && disks[0].backend === 0);
  await ask('a disk that it has not', host.blockDetach('served', 'xvdz'), refused);
  await ask('block-detach -f', host.blockDetach('served', 'xvda', { force: true }), running);
  hold('it has no disk', ((await host.blockList(['served'])).value ?? []).length === 0);
  const mac = '00:16:3e:12:34:56';
  await ask('network-attach', host.networkAttach('served', [`mac=${mac}`, 'script=/bin/true']), running);
  const { value: cards = [] } = await ask('network-list', host.networkList(['served']), GOOD);
  hold('it has one card, from dom0', cards.length === 1 && cards[0]?.mac === mac && cards[0].backend === 0);
  await ask('a card that it has not', host.networkDetach('served', '7'), refused);
  await ask('network-detach', host.networkDetach('served', mac), running);
  hold('it has no card', ((await host.networkList(['served'])).value ?? []).length === 0);
  await ask('debug-keys', host.debugKeys('q'), GOOD);
  await ask('destroy', host.destroy('served'), { ...GOOD, domain: 'gone' });
};

/** A PCI device: set aside, labelled, given to who may have it, and taken back. A load of a policy takes its label away. */
const handedOn: Scenario = async (bench, { ask, hold }) => {
  const { host, pciDevice: device, policies } = bench;
  if (device === undefined) return;
  const running = { ...GOOD, domain: `running under ${DEVICE_LABEL}` };
  const NIC = 'system_u:object_r:nic_dev_t';
  const refused = { outcome: 'failed', exit: 2, denials: [], codes: ['guest/request-failed'] } as const;
  await ask('set aside, without a label', host.pciAssignableAdd(device), {
    ...refused,
    exit: 1,
    denials: ['resource { use_iommu } domio_t device_t'],
  });
  await ask('a label that there is not', host.labelPci(device, 'system_u:object_r:nobody_t'), refused);
  await ask('no such device', host.labelPci('0000:7f:1f.7', NIC), {
    outcome: 'failed',
    exit: 1,
    codes: ['guest/no-device'],
  });
  await ask('label-pci', host.labelPci(device, NIC), GOOD);
  await ask('set aside', host.pciAssignableAdd(device), GOOD);
  const { value: free = [] } = await ask('pci-assignable-list', host.pciAssignableList(), GOOD);
  hold('it is set aside', free.length === 1);
  // Only a driver that has taken the device makes Linux tell its interrupt line.
  await ask('label-pci, once more', host.labelPci(device, NIC), GOOD);
  await ask('another label', host.labelPci(device, 'system_u:object_r:iomem_t'), refused);
  const open = servedGuest('driving', { passthrough: 'enabled' });
  await ask('create', host.create(open, { ...options(), unwatched: true }), running);
  hold('the guest is alive', await bench.isAlive('driving'));
  await ask('attach', host.pciAttach('driving', device), running);
  const { value: slots = [] } = await ask('pci-list', host.pciList('driving'), GOOD);
  hold('the guest has it', slots.length === 1);
  // A kernel that does not answer, or has no driver for its PCI bus, keeps the device on its list.
  await ask('pause', host.pause('driving'), { ...GOOD, domain: `paused under ${DEVICE_LABEL}` });
  await ask('detach', host.pciDetach('driving', device, { force: true }), {
    ...GOOD,
    codes: ['guest/device-still-listed'],
    domain: `paused under ${DEVICE_LABEL}`,
  });
  hold('it is still listed', ((await host.pciList('driving')).value ?? []).length === 1);
  // XEN: libxl of 4.14 takes for free only what no guest lists.
  const isFree = ((await host.pciAssignableList()).value ?? []).length === 1;
  hold('it is free', isFree === (bench.series !== '4.14'));
  await ask('destroy', host.destroy('driving'), { ...GOOD, domain: 'gone' });
  await ask('load the policy again', host.loadPolicy(policies.example), GOOD);
  const again = servedGuest('again', { passthrough: 'enabled' });
  const paused = { ...options(), paused: true, unwatched: true };
  await ask('create, paused', host.create(again, paused), { ...GOOD, domain: `paused under ${DEVICE_LABEL}` });
  await ask('attach, when the label is gone', host.pciAttach('again', device), {
    outcome: 'failed',
    exit: 1,
    codes: ['guest/operation-failed'],
  });
  await ask('destroy', host.destroy('again'), { ...GOOD, domain: 'gone' });
  await ask('give back', host.pciAssignableRemove(device), GOOD);
  hold('none is set aside', ((await host.pciAssignableList()).value ?? []).length === 0);
};

/** The scenarios, in an order in which each leaves the host as it was. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a guest that runs under nomigrate_t cannot be looked into, and can be ended': lockedAway,
  'labels that cannot be had leave nothing behind': badLabels,
  'a domU_t guest is saved and restored': savedAndRestored,
  'a domU_t guest is tuned, and stops when it is asked to': tuned,
  'a domU_t guest is given disks and network cards, and they are taken back': served,
  'a PCI device goes to who may have its label, and the label goes with the policy': handedOn,
  'a guest that is paused does not answer when it is asked to stop': silent,
  'a PVH guest that runs under nomigrate_t cannot be looked into': translated,
  'mode and booleans take effect at once': modeAndBooleans,
  'permissive, what is denied is logged and done': permissive,
  'half a policy is refused, and the one before stays': notAPolicy,
  'the stock policy strands a half-built domain': stranded,
};
