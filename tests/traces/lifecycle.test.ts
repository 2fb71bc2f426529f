/** What becomes of a guest when the policy denies a step of its life, on the simulated host. */
import { Hypervisor } from '@dewar/hypervisor';
import { SourceText } from '@dewar/policy/text';
import { type Actor, DOM0, type Domid, LibxlHost, type OperationReport, restoreToolstack } from '@dewar/toolstack';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { expect, test } from 'vitest';
import {
  bootRig,
  DUMP_CORE,
  GUEST_CFG,
  GUEST_UUID,
  guestConfig,
  HOST_RULES,
  PVH_CFG,
  policyBytes,
  WHOLE_LIFE,
} from './rig-policy.ts';

const BUILD = 'user_1:vm_r:nomigrate_t_building';
const RUN = 'user_1:vm_r:nomigrate_t';
const config = guestConfig();
const options = { uuid: GUEST_UUID };
const xl: Actor = { domid: DOM0, process: 'xl' };

/** The life of the guest under a policy that lacks something. */
function without(...removed: readonly (string | readonly [string, string])[]): string {
  let rules = WHOLE_LIFE;
  for (const one of removed) {
    const [from, to] = typeof one === 'string' ? [one, ''] : one;
    expect(rules).toContain(from);
    rules = rules.replace(from, to);
  }
  return rules;
}

function errors(report: OperationReport<unknown>): string[] {
  return report.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
}

async function avcLines(host: LibxlHost): Promise<string[]> {
  const { value } = await host.dmesg();
  return (value ?? '').split('\n').filter((line) => line.startsWith('(XEN) avc:'));
}

test('a guest built under one label runs under another, and dom0 cannot map it any more', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  const report = await host.create(config, options);
  expect(report.outcome).toBe('done');
  expect(report.domain).toEqual({
    domid: 1,
    name: 'secure1',
    uuid: GUEST_UUID,
    label: RUN,
    memoryMib: 128,
    vcpus: 2,
    state: 'running',
    isStranded: false,
  });
  const [change] = report.labelChanges;
  expect(report.labelChanges).toHaveLength(1);
  expect([change?.from, change?.to]).toEqual([BUILD, RUN]);
  expect(report.timeline[change?.step ?? -1]?.title).toBe('libxl relabels the guest');
  for (const access of ['read', 'read-write'] as const) {
    const { value, timeline } = await host.probeForeignMap('secure1', access);
    const permissions = access === 'read' ? 'map_read' : 'map_read map_write';
    const line = `avc:  denied  { ${permissions} } for source=d0 target=d1 scontext=system_u:system_r:dom0_t tcontext=${RUN} tclass=mmu`;
    expect(value).toEqual({ domid: 1, access, outcome: 'denied', avcLine: line });
    expect(timeline.at(-1)?.outcome).toBe('ignored-failure');
    expect((await avcLines(host)).at(-1)).toBe(`(XEN) ${line}`);
  }
});

test('a relabel revokes no mapping, and says so page by page', async () => {
  const { host, hypervisor } = bootRig(WHOLE_LIFE);
  const report = await host.create(config, options);
  expect(report.labelChanges[0]?.openMappings.map(({ mapper, ref }) => [mapper.process, ref])).toEqual([
    ['xenstored', 1],
    ['xenconsoled', 0],
  ]);
  expect(report.diagnostics.map(({ code, message }) => [code, message])).toEqual([
    ['guest/pages-stay-mapped', `page 17 of domain 1 stays mapped after the relabel to \`${RUN}\``],
    ['guest/pages-stay-mapped', `page 18 of domain 1 stays mapped after the relabel to \`${RUN}\``],
  ]);
  const open = hypervisor.openMappings(1 as Domid);
  expect(open.every(({ labelWhenMapped }) => labelWhenMapped === BUILD)).toBe(true);
});

test('a mapping that a program keeps over the relabel still stands afterwards', async () => {
  const { host, hypervisor } = bootRig(WHOLE_LIFE);
  await host.create(guestConfig(GUEST_CFG.replace(/^seclabel.*$/m, '')), { ...options, paused: true });
  const domid = 1 as Domid;
  const frames = { first: 100, count: 3 };
  const mapped = hypervisor.call(xl, 'mmu_update.map_foreign', { domid, frames, isWritable: true });
  expect(mapped.kind).toBe('ok');
  const sid = hypervisor.call(xl, 'xsm_op.context_to_sid', { context: RUN });
  if (sid.kind === 'error') throw new Error(sid.errno);
  expect(hypervisor.call(xl, 'xsm_op.relabel_domain', { domid, sid: sid.value.sid }).kind).toBe('ok');
  expect(hypervisor.inspectDomain(domid)?.label).toBe(RUN);
  expect(hypervisor.openMappings(domid).filter(({ kind }) => kind === 'foreign')).toMatchObject([
    { frames, isWritable: true, labelWhenMapped: BUILD },
  ]);
  expect(hypervisor.call(xl, 'mmu_update.map_foreign', { domid, frames, isWritable: false })).toEqual({
    kind: 'error',
    errno: 'EACCES',
  });
});

test('a denied relabel destroys the guest and fails the command', async () => {
  for (const denied of ['relabelfrom', 'relabelto', 'transition']) {
    const rules: Readonly<Record<string, readonly [string, string]>> = {
      relabelfrom: ['resource_map relabelfrom', 'resource_map'],
      relabelto: ['allow dom0_t nomigrate_t:domain2 relabelto;', ''],
      transition: ['allow nomigrate_t_building nomigrate_t:domain transition;', ''],
    };
    const { host } = bootRig(without(rules[denied] ?? ''));
    const report = await host.create(config, options);
    expect(errors(report)).toEqual(['guest/relabel-denied']);
    expect(report.xlExitCode).toBe(3);
    expect(report.xlMessages).toEqual([
      'XSM operation failed!',
      'libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain 1:Non-existant domain',
      'libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain 1:Unable to destroy guest',
      'libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain 1:Destruction of domain failed',
    ]);
    expect(report.domain).toBeUndefined();
    // Only the first denied check of the three is made, and audited.
    expect(await avcLines(host)).toHaveLength(1);
    expect((await avcLines(host))[0]).toContain(`{ ${denied} }`);
    expect((await host.list()).value?.map(({ domid }) => domid)).toEqual([0]);
  }
});

test('a guest whose console cannot be mapped, and that may not be destroyed, is stranded', async () => {
  const rules = without('allow dom0_t nomigrate_t_building:grant { map_read map_write unmap };', [
    ' getscheduler pause destroy };',
    ' getscheduler };',
  ]);
  const { host } = bootRig(rules);
  const report = await host.create(config, options);
  expect(report.outcome).toBe('failed');
  expect(report.xlExitCode).toBe(3);
  expect(errors(report)).toEqual(['guest/console-timeout', 'guest/stranded']);
  const stranded = report.diagnostics.find(({ code }) => code === 'guest/stranded');
  const notes = stranded?.notes.map(({ message }) => message) ?? [];
  expect(notes).toContain(`\`system_u:system_r:dom0_t\` lacks \`domain { pause }\` on \`${BUILD}\``);
  expect(notes).toContain(`\`system_u:system_r:dom0_t\` lacks \`domain { destroy }\` on \`${BUILD}\``);
  // The lines that real Xen wrote for the same create, in its order.
  const line = (permissions: string, tclass: string): string =>
    `(XEN) avc:  denied  { ${permissions} } for source=d0 target=d1 scontext=system_u:system_r:dom0_t tcontext=${BUILD} tclass=${tclass}`;
  const twice = [line('pause', 'domain'), line('destroy', 'domain')];
  expect(await avcLines(host)).toEqual([
    line('map_read map_write', 'grant'),
    line('map_read map_write', 'grant'),
    ...twice,
    ...twice,
  ]);
  expect((await host.list()).value?.[1]).toMatchObject({
    domid: 1,
    name: undefined,
    label: BUILD,
    state: 'paused',
    isStranded: true,
  });
  const again = await host.destroy('1');
  expect([again.outcome, again.xlExitCode]).toEqual(['failed', 1]);
  expect(again.xlMessages.at(-1)).toBe('destroy failed (rc=-3)');
  await host.setenforce(false);
  expect((await host.destroy('1')).outcome).toBe('done');
  expect((await host.list()).value).toHaveLength(1);
});

test('each step that the policy denies is named, and the failed guest is cleaned up', async () => {
  const steps: readonly (readonly [string, string, string])[] = [
    ['domain { create }', ' { create max_vcpus', ' { max_vcpus'],
    ['domain { max_vcpus }', 'create max_vcpus', 'create'],
    ['domain { setdomainmaxmem }', ' setdomainmaxmem', ''],
    ['domain2 { settsc }', '{ settsc', '{'],
    ['domain2 { set_cpu_policy }', ' set_cpu_policy', ''],
    ['domain { setaddrsize }', ' setaddrsize', ''],
    ['domain2 { setclaim }', ' setclaim', ''],
    ['mmu { adjust }', ' adjust', ''],
    ['mmu { map_write }', 'adjust map_read map_write', 'adjust map_read'],
    ['mmu { mmuext_op }', ' mmuext_op', ''],
    ['mmu { pinpage }', ' pinpage', ''],
    ['domain { setvcpucontext }', ' setvcpucontext', ''],
    ['domain2 { resource_map }', ' resource_map', ''],
    ['domain { getscheduler }', ' getscheduler', ''],
    ['domain2 { setscheduler }', ' setscheduler', ''],
  ];
  for (const [missing, from, to] of steps) {
    const { host } = bootRig(without([from, to]));
    const report = await host.create(config, options);
    expect([missing, errors(report)]).toEqual([missing, ['guest/step-failed']]);
    const notes = report.diagnostics.flatMap((diagnostic) => diagnostic.notes.map(({ message }) => message));
    expect(notes.find((note) => note.includes(' lacks '))).toContain(`\`${missing}\``);
    expect((await host.list()).value).toHaveLength(1);
  }
});

test('event channels that libxl may not make stop the guest where its console is waited for', async () => {
  for (const [missing, rule] of [
    ['event { create }', 'allow dom0_t guest_t_channel:event create;'],
    ['event { bind }', 'allow guest_t_channel dom0_t:event bind;'],
  ] as const) {
    const { host } = bootRig(without([rule, '']));
    const report = await host.create(config, options);
    expect([missing, errors(report)]).toEqual([missing, ['guest/console-timeout']]);
    const notes = report.diagnostics.flatMap((diagnostic) => diagnostic.notes.map(({ message }) => message));
    expect(notes.find((note) => note.includes(' lacks '))).toContain(`\`${missing}\``);
    expect((await host.list()).value).toHaveLength(1);
  }
});

test('a guest whose affinity may not be set is built all the same, and the report warns', async () => {
  const { host } = bootRig(without([' setaffinity', '']));
  const report = await host.create(config, options);
  expect([report.outcome, report.domain?.state]).toEqual(['done', 'running']);
  expect(report.diagnostics.filter(({ severity }) => severity === 'warning').map(({ code }) => code)).toEqual([
    'guest/affinity-not-set',
  ]);
});

test('a memory map that may not be set does not stop a PV guest', async () => {
  const { host } = bootRig(without(['{ memorymap adjust', '{ adjust']));
  const report = await host.create(config, options);
  expect(report.outcome).toBe('done');
  expect((await avcLines(host))[0]).toContain('{ memorymap }');
});

test('a guest that may not work on its own page tables is started, ended by its kernel, and cleaned up by xl', async () => {
  const { host } = bootRig(
    without([
      'map_write mmuext_op pinpage };\nallow nomigrate_t nomigrate_t_self',
      'map_write };\nallow nomigrate_t nomigrate_t_self',
    ]),
  );
  const report = await host.create(config, options);
  expect([report.outcome, report.xlExitCode, report.domain]).toEqual(['failed', 0, undefined]);
  const [error, ...more] = report.diagnostics.filter(({ severity }) => severity === 'error');
  expect([error?.code, more]).toEqual(['guest/kernel-gave-up', []]);
  expect(error?.notes[0]?.message).toBe(`\`${RUN}\` lacks \`mmu { mmuext_op }\` on \`${RUN}_self\``);
  // With nobody who waits it stays, and is not started twice.
  const left = await host.create(config, { ...options, unwatched: true });
  expect([left.outcome, left.domain?.state, left.domain?.shutdownReason]).toEqual(['failed', 'shutdown', 'poweroff']);
  await host.destroy('secure1');
  // The same when it is started later.
  await host.create(config, { ...options, paused: true });
  const late = await host.unpause('secure1');
  expect([late.outcome, late.xlExitCode, late.domain]).toEqual(['failed', 0, undefined]);
  // xl would build it anew for ever.
  const again = await host.create({ ...config, actions: { ...config.actions, poweroff: 'restart' } }, options);
  expect([again.outcome, again.domain?.state, (await host.list()).value?.length]).toEqual(['failed', 'shutdown', 2]);
});

test('a console channel that xenconsoled may not look at is bound anew, against the label of today', async () => {
  const { host } = bootRig(WHOLE_LIFE, true, HOST_RULES.replace('{ create send status }', '{ create send }'));
  const report = await host.create(config, options);
  expect(report.outcome).toBe('done');
  const step = report.timeline.find(({ title }) => title === 'xenconsoled looks at its event channel again');
  expect(step?.outcome).toBe('ignored-failure');
  expect(step?.hypercalls.map(({ name, result }) => [name, result])).toEqual([
    ['event_channel_op.status', 'EACCES'],
    ['event_channel_op.close', 'ok'],
    ['event_channel_op.bind_interdomain', 'ok'],
  ]);
  expect(step?.hypercalls[2]?.checks.map(({ target }) => target)).toContain(RUN);
});

test('a guest that dom0 may not see is left behind by a failed build, and the report says so', async () => {
  const { host, hypervisor } = bootRig(without([' getdomaininfo setaffinity', ' setaffinity']));
  const report = await host.create(config, options);
  expect(errors(report)).toEqual(['guest/step-failed', 'guest/stranded']);
  const stranded = report.diagnostics.find(({ code }) => code === 'guest/stranded');
  expect(stranded?.notes[0]?.message).toBe(
    `\`system_u:system_r:dom0_t\` lacks \`domain { getdomaininfo }\` on \`${BUILD}\``,
  );
  expect((await host.list()).value).toHaveLength(1);
  expect(hypervisor.inspectDomain(1 as Domid)?.label).toBe(BUILD);
});

test('a dead guest whose pages may not be unmapped stays as a zombie', async () => {
  const { host } = bootRig(without('allow dom0_t nomigrate_t:grant unmap;'));
  await host.create(config, options);
  const report = await host.destroy('secure1');
  expect(errors(report)).toEqual(['guest/zombie']);
  const notes = report.diagnostics.flatMap((diagnostic) => diagnostic.notes.map(({ message }) => message));
  expect(notes).toContain(`\`system_u:system_r:dom0_t\` lacks \`grant { unmap }\` on \`${RUN}\``);
  expect((await host.list()).value?.[1]).toMatchObject({ domid: 1, name: undefined, state: 'dying', label: RUN });
});

test('destroy is checked again at each continuation, and stops where it is denied', async () => {
  const { host, hypervisor } = bootRig(
    `bool may_destroy true;\nif (may_destroy) { allow dom0_t nomigrate_t:domain destroy; }\n${without([
      'getdomaininfo pause unpause destroy };',
      'getdomaininfo pause unpause };',
    ])}`,
  );
  await host.create(config, options);
  hypervisor.onContinuation((_, done) => {
    if (done === 2) {
      expect(hypervisor.call(xl, 'xsm_op.setbool', { name: 'may_destroy', value: false, commit: true }).kind).toBe(
        'ok',
      );
    }
  });
  const report = await host.destroy('secure1');
  expect(errors(report)).toEqual(['guest/stranded']);
  expect(report.domain).toMatchObject({ state: 'dying', memoryMib: 64 });
  const checks = report.timeline
    .flatMap((step) => step.hypercalls)
    .filter(({ name }) => name === 'domctl.destroydomain')
    .flatMap((call) => call.checks)
    .filter(({ class: checked }) => checked === 'domain');
  expect(checks.map(({ outcome, isContinuation, count }) => [outcome, isContinuation, count])).toEqual([
    ['granted', false, 1],
    ['granted', true, 1],
    ['denied', true, 1],
  ]);
  await host.setBoolean('may_destroy', true);
  expect((await host.destroy('1')).outcome).toBe('done');
  expect((await host.list()).value).toHaveLength(1);
});

test('a label that is not valid is refused before any domain exists, with the part that is wrong', async () => {
  const labels: readonly (readonly [string, RegExp])[] = [
    ['nobody:vm_r:nomigrate_t', /no user `nobody`/],
    ['user_1:no_r:nomigrate_t', /no role `no_r`/],
    ['user_1:vm_r:no_t', /no type `no_t`/],
    ['user_1:system_r:domU_t', /user `user_1` .*`system_r`/],
    ['user_1:vm_r:dom0_t', /role `vm_r` .*`dom0_t`/],
  ];
  for (const [label, reason] of labels) {
    const { host } = bootRig(WHOLE_LIFE);
    const report = await host.create(guestConfig(GUEST_CFG.replace(RUN, label)), options);
    expect(errors(report)).toEqual(['guest/invalid-label']);
    expect(report.diagnostics[0]?.message).toMatch(reason);
    expect(report.diagnostics[0]?.origin).toBeDefined();
    expect(report.xlExitCode).toBe(1);
    expect(report.xlMessages).toEqual([
      `libxl: error: libxl_create.c:1105:libxl__domain_config_setdefault: Invalid seclabel: ${label}`,
    ]);
    expect(report.timeline.flatMap((step) => step.hypercalls).map(({ name }) => name)).not.toContain(
      'domctl.createdomain',
    );
  }
});

test('the label of dom0 can be had only once', async () => {
  const { host } = bootRig(`${WHOLE_LIFE}allow dom0_t dom0_t:domain create;`);
  const text = `name = 'second'\ntype = 'pv'\nkernel = '/k'\nmemory = 64\nseclabel = 'system_u:system_r:dom0_t'\n`;
  const report = await host.create(guestConfig(text), options);
  expect(errors(report)).toEqual(['guest/step-failed']);
  expect(report.diagnostics[0]?.notes.map(({ message }) => message)).toContain('`domctl.createdomain` gave EINVAL');
});

/** What building an HVM guest takes beside. */
const FOR_HVM = `
allow dom0_t { nomigrate_t nomigrate_t_building }:hvm *;
allow dom0_t { nomigrate_t nomigrate_t_building }:mmu *;
allow dom0_t { nomigrate_t nomigrate_t_building }:domain *;
allow dom0_t { nomigrate_t nomigrate_t_building }:domain2 *;
allow dom0_t dom0_t_channel:event *;
`;

test('an HVM guest is made, saved, and restored from what was saved', async () => {
  const { host } = bootRig(`${WHOLE_LIFE}${FOR_HVM}`);
  const text = PVH_CFG.replace("type = 'pvh'", "type = 'hvm'");
  const { config: guest } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (guest === undefined) throw new Error('the configuration of the test is not valid');
  await host.create(guest, { ...options, paused: true });
  const report = await host.save('secure1');
  expect(errors(report)).toEqual([]);
  expect(errors(await host.restore(JSON.parse(JSON.stringify(report.value)), options))).toEqual([]);
});

test('a name is given once', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  await host.create(config, options);
  const report = await host.create(config, options);
  expect(errors(report)).toEqual(['guest/name-taken']);
  expect((await host.list()).value?.map(({ name }) => name)).toEqual(['Domain-0', 'secure1']);
  expect((await host.rename('secure1', 'secure2')).outcome).toBe('done');
  expect((await host.unpause('secure1')).xlMessages).toEqual(['secure1 is an invalid domain identifier (rc=-6)']);
  expect((await host.pause('secure2')).domain).toMatchObject({ name: 'secure2', state: 'paused' });
});

test('a guest that does not fit into the host is not created', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  const big = guestConfig(GUEST_CFG.replace('memory = 128', 'memory = 131072').replace('maxmem = 160', ''));
  const report = await host.create(big, options);
  expect(errors(report)).toEqual(['guest/step-failed']);
  expect((await host.list()).value).toHaveLength(1);
});

test('dump-core of a guest that dom0 may not map ends where real xl ends', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  await host.create(config, options);
  const report = await host.dumpCore('secure1', '/var/core');
  expect(report.xlExitCode).toBe(1);
  expect(report.xlMessages).toEqual([
    "xc: error: Couldn't map live_shinfo (13 = Permission denied): Internal error",
    'libxl: error: libxl_domain.c:603:libxl_domain_core_dump: Domain 1:Core dumping domain to /var/core: Permission denied',
    'core dump failed (rc=-3)',
  ]);
});

test('a host goes on from its snapshot as if it had never stopped', async () => {
  const straight = bootRig(WHOLE_LIFE + DUMP_CORE);
  const broken = bootRig(WHOLE_LIFE + DUMP_CORE);
  await straight.host.create(config, options);
  await broken.host.create(config, options);
  const stored = JSON.parse(JSON.stringify([broken.hypervisor.snapshot(), broken.host.snapshot()]));
  const hypervisor = Hypervisor.restore(stored[0]);
  const state = restoreToolstack(stored[1]);
  if (hypervisor === undefined || state === undefined) throw new Error('the snapshot was refused');
  const host = new LibxlHost(hypervisor, state);
  expect(JSON.parse(JSON.stringify([hypervisor.snapshot(), host.snapshot()]))).toEqual(stored);
  const rest = async (one: LibxlHost): Promise<unknown[]> => [
    await one.list(),
    await one.dumpCore('secure1'),
    await one.probeForeignMap('secure1', 'read-write'),
    await one.destroy('secure1'),
    await one.dmesg(),
  ];
  expect(await rest(host)).toEqual(await rest(straight.host));
});

test('a snapshot that is broken is refused, whatever is wrong with it', async () => {
  const { host, hypervisor } = bootRig(WHOLE_LIFE);
  await host.create(config, options);
  const good = JSON.stringify(hypervisor.snapshot());
  for (const bad of [undefined, null, 1, [], {}, { version: 1 }]) expect(Hypervisor.restore(bad)).toBeUndefined();
  const changes: readonly ((snapshot: Record<string, unknown>) => void)[] = [
    (one) => Object.assign(one, { version: 1 }),
    (one) => Object.assign(one, { tables: {} }),
    (one) => Object.assign(one, { tables: 'none' }),
    (one) => Object.assign(one, { tables: { domains: 'none' } }),
    (one) => Object.assign(one, { tables: { domains: [{ page: 0, count: 1, text: '[0,{}]' }] } }),
    (one) => Object.assign(one, { tables: { domains: [{ page: -1, count: 1, text: '[0,{}]' }] } }),
    (one) => Object.assign(one, { hostPages: -1 }),
    (one) => Object.assign(one, { console: [7] }),
    (one) => Object.assign(one, { flask: { policy: 'zz', isEnforcing: true, server: {} } }),
    (one) => Object.assign(one, { nextDomid: 0x8000 }),
  ];
  for (const change of changes) {
    const snapshot = JSON.parse(good);
    change(snapshot);
    expect(Hypervisor.restore(snapshot)).toBeUndefined();
  }
  for (const bad of [undefined, [], { version: 2 }, { ...host.snapshot(), tables: { guests: [{}] } }]) {
    expect(restoreToolstack(bad)).toBeUndefined();
  }
});

test('a host without the right to make dom0 does not boot', () => {
  const policy = policyBytes(`${WHOLE_LIFE}`);
  expect(Hypervisor.boot({ policy }).kind).toBe('booted');
  expect(Hypervisor.boot({ policy: policy.slice(0, 100) }).kind).toBe('refused');
  expect(Hypervisor.boot({ policy, memoryMib: 1 }).kind).toBe('refused');
});
