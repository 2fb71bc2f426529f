/** PVH guests, and what becomes of guests that are asked to stop, are saved, restored and changed, on the simulated host. */
import { Hypervisor } from '@dewar/hypervisor';
import { type Domid, LibxlHost, type OperationReport, restoreToolstack } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import {
  bootRig,
  GUEST_CFG,
  GUEST_UUID,
  guestConfig,
  OPERATIONS,
  PVH_CFG,
  PVH_LIFE,
  policyBytes,
  SAVE_RESTORE,
  WHOLE_LIFE,
} from './rig-policy.ts';

const BUILD = 'user_1:vm_r:nomigrate_t_building';
const RUN = 'user_1:vm_r:nomigrate_t';
const EVERYTHING = WHOLE_LIFE + PVH_LIFE + OPERATIONS + SAVE_RESTORE;
const pv = guestConfig();
const pvh = guestConfig(PVH_CFG);
const options = { uuid: GUEST_UUID };

/** Rules that lack something. */
function without(from: string, to = '', rules = EVERYTHING): string {
  expect(rules).toContain(from);
  return rules.replace(from, to);
}

function errors(report: OperationReport<unknown>): string[] {
  return report.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
}

function notes(report: OperationReport<unknown>): string[] {
  return report.diagnostics.flatMap((diagnostic) => diagnostic.notes.map(({ message }) => message));
}

function callsOf(report: OperationReport<unknown>): string[] {
  return report.timeline.flatMap((step) => step.hypercalls.map(({ name }) => name));
}

test('a PVH guest runs under its second label, is listed, paused and destroyed', async () => {
  const { host, hypervisor } = bootRig(EVERYTHING);
  const report = await host.create(pvh, options);
  expect([report.outcome, report.domain?.label, report.domain?.vcpus]).toEqual(['done', RUN, 2]);
  expect(report.labelChanges.map(({ from, to }) => [from, to])).toEqual([[BUILD, RUN]]);
  // The rings lie where libxc puts them in an HVM container.
  const open = report.labelChanges[0]?.openMappings.map(({ frames, ref }) => [frames.first, ref]);
  expect(open).toEqual([
    [0xfeffc, 1],
    [0xfefff, 0],
  ]);
  expect((await host.pause('secure1')).domain?.state).toBe('paused');
  expect((await host.unpause('secure1')).domain?.state).toBe('running');
  expect((await host.destroy('secure1')).outcome).toBe('done');
  expect((await host.list()).value).toHaveLength(1);
  expect(hypervisor.inspectDomain(1 as Domid)).toBeUndefined();
});

test('a PVH guest that is left paused has one vCPU up, and its kernel starts the others', async () => {
  const { host } = bootRig(EVERYTHING);
  expect((await host.create(pvh, { ...options, paused: true })).domain?.vcpus).toBe(1);
  expect((await host.unpause('secure1')).domain?.vcpus).toBe(2);
});

test('each step of a PVH build that the policy denies is named, and nothing is left of the guest', async () => {
  const steps: readonly (readonly [missing: string, from: string, to: string])[] = [
    ['hvm { setparam }', '{ setparam altp2mhvm', '{ altp2mhvm'],
    ['hvm { altp2mhvm }', 'setparam altp2mhvm', 'setparam'],
    ['domain { setpagingmempool }', '{ setpagingmempool setpodtarget', '{ setpodtarget'],
    ['mmu { memorymap }', '{ memorymap adjust', '{ adjust'],
    ['hvm { gethvmc }', 'altp2mhvm gethvmc', 'altp2mhvm'],
    [
      'hvm { sethvmc }',
      'gethvmc sethvmc };\nallow dom0_t nomigrate_t_building:domain {',
      'gethvmc };\nallow dom0_t nomigrate_t_building:domain {',
    ],
    ['mmu { map_write }', 'adjust map_read map_write', 'adjust map_read'],
    ['domain2 { resource_map }', ' resource_map', ''],
  ];
  for (const [missing, from, to] of steps) {
    const { host } = bootRig(without(from, to));
    const report = await host.create(pvh, options);
    expect([missing, report.xlExitCode, errors(report)]).toEqual([missing, 3, ['guest/step-failed']]);
    expect(notes(report).find((note) => note.includes(' lacks '))).toContain(`\`${missing}\``);
    expect((await host.list()).value).toHaveLength(1);
  }
});

test('a PVH guest that may grow gets its memory on demand, which is a right of its own', async () => {
  const may = bootRig(EVERYTHING);
  const growing = guestConfig(PVH_CFG.replace('memory = 128', 'memory = 128\nmaxmem = 256'));
  const report = await may.host.create(growing, options);
  expect([report.outcome, report.domain?.memoryMib]).toEqual(['done', 128]);
  const mayNot = bootRig(without(' setpodtarget };\nallow nomigrate_t', ' };\nallow nomigrate_t'));
  expect(notes(await mayNot.host.create(growing, options))).toContain(
    `\`system_u:system_r:dom0_t\` lacks \`domain { setpodtarget }\` on \`${BUILD}\``,
  );
});

test('a core of a PVH guest whose memory dom0 may not read is full of zeros: xl is content, Dewar is not', async () => {
  const { host } = bootRig(without('{ map_read pageinfo stat }', '{ pageinfo stat }'));
  await host.create(pvh, options);
  const report = await host.dumpCore('secure1');
  expect([report.outcome, report.xlExitCode, errors(report)]).toEqual(['failed', 0, ['guest/core-without-memory']]);
  expect(report.value).toMatchObject({ pages: 0, vcpus: 2 });
  // A PV guest has its address size asked for; an HVM container has none.
  expect(callsOf(report)).not.toContain('domctl.get_address_size');
  const readable = bootRig(EVERYTHING);
  await readable.host.create(pvh, options);
  expect((await readable.host.dumpCore('secure1')).value).toMatchObject({ pages: 128 * 256 + 24, vcpus: 2 });
});

test('a guest that reboots is built under its first label again, and relabelled again', async () => {
  for (const config of [pv, pvh]) {
    const { host } = bootRig(EVERYTHING);
    await host.create(config, options);
    await host.memSet('secure1', 100 * 1024);
    await host.schedCredit2('secure1', { weight: 300 });
    const report = await host.reboot('secure1', { wait: true });
    expect([report.outcome, report.xlExitCode]).toEqual(['done', 0]);
    expect(report.xlMessages).toEqual([
      'Rebooting domain 1',
      'Waiting for 1 domains',
      'Domain 1 has been shut down, reason code 1',
    ]);
    expect(report.labelChanges.map(({ domid, from, to }) => [domid, from, to])).toEqual([[2, BUILD, RUN]]);
    // What was changed since the start lasts.
    expect(report.domain).toMatchObject({ domid: 2, name: 'secure1', label: RUN, state: 'running', memoryMib: 100 });
    expect(report.domain?.uuid).toBe(GUEST_UUID);
    expect((await host.schedCredit2('secure1')).value).toMatchObject([{ weight: 300 }]);
    const checks = report.timeline.flatMap((step) => step.hypercalls.flatMap((call) => call.checks));
    const telling = ['pause', 'create', 'relabelfrom', 'relabelto', 'transition', 'unpause'];
    const seen = checks.filter(({ class: checked }) => checked.startsWith('domain'));
    // As real Xen was seen to make them.
    expect(seen.flatMap(({ permissions }) => permissions).filter((one) => telling.includes(one))).toEqual(telling);
  }
});

test('a label that the policy has lost since makes the reboot fail, and the guest is gone', async () => {
  const { host } = bootRig(EVERYTHING);
  await host.create(pv, options);
  const lost = EVERYTHING.replaceAll('nomigrate_t_building', 'domU_t');
  expect((await host.loadPolicy(policyBytes(lost, undefined, ['nomigrate_t_building']))).outcome).toBe('done');
  const report = await host.reboot('secure1');
  expect([report.outcome, report.xlExitCode, errors(report)]).toEqual(['failed', 0, ['guest/invalid-label']]);
  expect((await host.list()).value).toHaveLength(1);
});

test('a guest that runs again while its dead predecessor keeps pages has not simply rebooted', async () => {
  const { host } = bootRig(without('allow dom0_t nomigrate_t:grant unmap;'));
  await host.create(pv, options);
  const report = await host.reboot('secure1');
  expect([report.outcome, report.xlExitCode, errors(report)]).toEqual(['failed', 0, ['guest/zombie']]);
  expect(report.domain).toMatchObject({ domid: 2, label: RUN, state: 'running' });
  expect((await host.list()).value?.map(({ state }) => state)).toEqual(['running', 'dying', 'running']);
});

test('each action of the configuration is taken when a guest powers off', async () => {
  const actions: readonly (readonly [action: string, codes: readonly string[], left: number])[] = [
    ['destroy', [], 1],
    ['restart', [], 2],
    ['preserve', [], 2],
    ['coredump-destroy', [], 1],
    ['coredump-restart', [], 2],
    ['rename-restart', ['guest/action-not-rehearsed'], 2],
  ];
  for (const [action, codes, left] of actions) {
    const { host } = bootRig(EVERYTHING);
    await host.create(guestConfig(`${GUEST_CFG}on_poweroff = '${action}'\n`), options);
    const report = await host.shutdown('secure1');
    expect([action, errors(report), (await host.list()).value?.length]).toEqual([action, codes, left]);
    expect(callsOf(report).includes('memory_op.maximum_gpfn')).toBe(action.startsWith('coredump'));
  }
});

test('a guest that nobody waits for stays when it has stopped, until it is destroyed', async () => {
  const { host } = bootRig(EVERYTHING);
  await host.create(pv, { ...options, unwatched: true });
  const report = await host.shutdown('secure1');
  expect(report.domain).toMatchObject({ state: 'shutdown', shutdownReason: 'poweroff', name: 'secure1' });
  expect(errors(await host.shutdown('secure1'))).toEqual(['guest/no-answer']);
  expect((await host.destroy('secure1')).outcome).toBe('done');
});

test('a guest that does not run, or cannot be told, does not answer', async () => {
  const paused = bootRig(EVERYTHING);
  await paused.host.create(pv, { ...options, paused: true });
  const report = await paused.host.shutdown('secure1');
  expect([report.xlExitCode, errors(report)]).toEqual([1, ['guest/no-answer']]);
  expect(report.xlMessages).toEqual([
    'Shutting down domain 1',
    "libxl: error: libxl_domain.c:854:pvcontrol_cb: guest didn't acknowledge control request: -9",
    'shutdown failed (rc=-9)',
  ]);
  const stuck = bootRig(without('nomigrate_t_self:grant { query setup }', 'nomigrate_t_self:grant setup'));
  await stuck.host.create(pv, options);
  expect(errors(await stuck.host.reboot('secure1'))).toEqual(['guest/no-answer']);
  expect(errors(await stuck.host.shutdown('nobody'))).toEqual(['guest/unknown-domain']);
  expect(errors(await stuck.host.shutdown('77'))).toEqual(['guest/unknown-domain']);
});

test('a saved guest goes on elsewhere: its labels travel as text and are resolved there', async () => {
  for (const config of [pv, pvh]) {
    const here = bootRig(EVERYTHING);
    await here.host.create(config, options);
    const saved = await here.host.save('secure1', { file: '/tmp/sv' });
    expect([saved.outcome, saved.diagnostics, saved.domain]).toEqual(['done', [], undefined]);
    expect(saved.xlMessages[0]).toMatch(/^Saving to \/tmp\/sv new xl format \(info 0x3\/0x0\/[0-9]+\)$/);
    expect(saved.value?.config).toMatchObject({ buildLabel: BUILD, runLabel: RUN });
    const file: unknown = JSON.parse(JSON.stringify(saved.value));
    // Here the same labels have other SIDs.
    const there = bootRig(EVERYTHING);
    await there.host.create(
      guestConfig("name = 'x'\ntype = 'pv'\nkernel = 'k'\nseclabel = 'user_1:vm_r:domU_t'"),
      options,
    );
    const report = await there.host.restore(file, { uuid: GUEST_UUID });
    expect([report.outcome, errors(report)]).toEqual(['done', []]);
    expect(report.domain).toMatchObject({ name: 'secure1', uuid: GUEST_UUID, label: RUN, state: 'running' });
    expect(report.labelChanges.map(({ from, to }) => [from, to])).toEqual([[BUILD, RUN]]);
    // Its kernel goes on: it sets up its grants again, and does not boot.
    const guestCalls = report.timeline.filter(({ process }) => process === 'guest kernel');
    expect(guestCalls.map(({ title }) => title)).toContain(`the kernel of domain ${report.domain?.domid} goes on`);
    expect(callsOf({ ...report, timeline: guestCalls })).not.toContain('xen_version.extraversion');
    // Where a label is not known, nothing is made.
    const elsewhere = bootRig('', true);
    const refused = await elsewhere.host.restore(
      { ...Object(file), config: { ...Object(file).config, runLabel: 'user_1:vm_r:gone_t' } },
      options,
    );
    expect([refused.xlExitCode, callsOf(refused).includes('domctl.createdomain')]).toEqual([1, false]);
  }
});

test('a save that is denied names the permission, and the guest goes on', async () => {
  const denied: readonly (readonly [missing: string, from: string, to: string, pages: 'pv' | 'pvh'])[] = [
    ['domain2 { get_vnumainfo }', '{ get_vnumainfo ', '{ ', 'pv'],
    ['domain { getaddrsize }', 'domain { getaddrsize getvcpucontext', 'domain { getvcpucontext', 'pv'],
    ['domain2 { get_cpu_policy }', ' get_cpu_policy', '', 'pv'],
    ['mmu { pageinfo }', ' pageinfo', '', 'pv'],
    ['mmu { map_read }', '{ map_read pageinfo', '{ pageinfo', 'pvh'],
    ['domain2 { gettsc }', ' gettsc', '', 'pv'],
    ['domain { getvcpuinfo }', ' getvcpuinfo', '', 'pv'],
    [
      'hvm { gethvmc }',
      '{ gethvmc getparam };\nallow dom0_t nomigrate_t_building:domain getaddrsize',
      'getparam;\nallow dom0_t nomigrate_t_building:domain getaddrsize',
      'pvh',
    ],
    ['mmu { stat }', ' stat };\nallow dom0_t nomigrate_t:shadow', ' };\nallow dom0_t nomigrate_t:shadow', 'pvh'],
  ];
  for (const [missing, from, to, kind] of denied) {
    const { host } = bootRig(without(from, to));
    await host.create(kind === 'pv' ? pv : pvh, options);
    const report = await host.save('secure1');
    expect([missing, report.xlExitCode, errors(report)]).toEqual([missing, 1, ['guest/operation-failed']]);
    expect(notes(report).find((note) => note.includes(' lacks '))).toContain(`\`${missing}\``);
    expect(report.domain?.state).toBe('running');
    expect(report.xlMessages).toContain('Failed to save domain, resuming domain');
  }
});

test('a checkpoint leaves the guest running, or paused', async () => {
  for (const config of [pv, pvh]) {
    const { host } = bootRig(EVERYTHING);
    await host.create(config, options);
    const kept = await host.save('secure1', { checkpoint: true });
    expect([kept.outcome, kept.domain?.state, kept.domain?.label]).toEqual(['done', 'running', RUN]);
    const paused = await host.save('secure1', { leavePaused: true });
    expect([paused.outcome, paused.domain?.state]).toEqual(['done', 'paused']);
    await host.unpause('secure1');
    expect((await host.shutdown('secure1')).outcome).toBe('done');
  }
});

test('a restore needs rights under the first label that a create does not', async () => {
  const missing: readonly (readonly [permission: string, rule: string])[] = [
    ['domain { getaddrsize }', 'allow dom0_t nomigrate_t_building:domain getaddrsize;'],
    ['mmu { stat }', 'allow dom0_t nomigrate_t_building:mmu stat;'],
  ];
  for (const [permission, rule] of missing) {
    const { host } = bootRig(without(rule));
    await host.create(pv, options);
    const { value } = await host.save('secure1');
    const report = await host.restore(value, options);
    expect([report.xlExitCode, errors(report)]).toEqual([1, ['guest/step-failed']]);
    expect(notes(report)).toContain(`\`system_u:system_r:dom0_t\` lacks \`${permission}\` on \`${BUILD}\``);
    expect((await host.list()).value).toHaveLength(1);
  }
});

test('another configuration takes the place of the saved one, if it is of the same kind', async () => {
  const { host } = bootRig(EVERYTHING);
  await host.create(pv, options);
  const { value } = await host.save('secure1');
  const config = guestConfig(GUEST_CFG.replace('secure1', 'secure9'));
  expect((await host.restore(value, { ...options, config })).domain?.name).toBe('secure9');
  expect(errors(await host.restore(value, { ...options, config: pvh }))).toEqual(['guest/bad-request']);
});

test('what is no save file is refused, whatever it is', async () => {
  const { host } = bootRig(EVERYTHING);
  await host.create(pv, options);
  const { value } = await host.save('secure1');
  const good = Object(JSON.parse(JSON.stringify(value)));
  const bad: readonly unknown[] = [
    undefined,
    7,
    [],
    {},
    { ...good, version: 2 },
    { ...good, pages: -1 },
    { ...good, pages: 2 ** 40 },
    { ...good, onlineVcpus: [] },
    { ...good, onlineVcpus: [99] },
    { ...good, config: { ...good.config, type: 'hvm' } },
    { ...good, config: { ...good.config, actions: {} } },
    { ...good, config: { ...good.config, memoryKib: 'much' } },
  ];
  for (const one of bad) {
    const report = await host.restore(one, { ...options, file: 'sv' });
    expect([one, report.xlExitCode, errors(report), report.timeline]).toEqual([one, 1, ['guest/not-saved'], []]);
  }
});

test('vCPUs, affinity, memory and scheduler change as asked, within the bounds of the guest', async () => {
  const { host, hypervisor } = bootRig(EVERYTHING);
  await host.create(pv, options);
  expect((await host.vcpuSet('secure1', 1)).domain?.vcpus).toBe(1);
  expect((await host.vcpuList('secure1')).value?.map(({ isOnline }) => isOnline)).toEqual([true, false]);
  expect((await host.vcpuSet('secure1', 2)).domain?.vcpus).toBe(2);
  for (const count of [0, 3]) expect([count, (await host.vcpuSet('secure1', count)).xlExitCode]).toEqual([count, 1]);
  await host.vcpuPin('secure1', '0', '1', '-');
  await host.vcpuPin('secure1', 'all', '-', 'all,^0');
  expect((await host.vcpuList('secure1')).value?.map(({ hard, soft }) => `${hard} / ${soft}`)).toEqual([
    '1 / 1',
    'all / 1',
  ]);
  for (const cpus of ['x', '1-0', '', '7']) {
    expect([cpus, (await host.vcpuPin('secure1', '0', cpus)).xlExitCode]).toEqual([cpus, 1]);
  }
  expect((await host.vcpuPin('secure1', '5', '0')).xlMessages.at(-1)).toBe("Could not set affinity for vcpu `5'.");
  expect((await host.memSet('secure1', 100 * 1024)).domain?.memoryMib).toBe(100);
  expect((await host.memSet('secure1', 150 * 1024)).domain?.memoryMib).toBe(150);
  expect((await host.memSet('secure1', 161 * 1024, '161')).xlMessages.at(-1)).toBe(
    'cannot set domid 1 dynamic max memory to : 161',
  );
  expect((await host.memMax('secure1', 149 * 1024, '149')).xlMessages.at(-1)).toBe(
    'cannot set domid 1 static max memory to : 149',
  );
  expect((await host.schedCredit2('secure1', { cap: 201 })).xlExitCode).toBe(1);
  expect((await host.schedCredit2('secure1', { weight: 0 })).xlExitCode).toBe(1);
  expect((await host.schedCredit2('secure1', { cap: 200 })).value).toMatchObject([{ weight: 256, cap: 200 }]);
  // All of it lasts.
  const stored = JSON.parse(JSON.stringify([hypervisor.snapshot(), host.snapshot()]));
  const restored = Hypervisor.restore(stored[0]);
  const state = restoreToolstack(stored[1]);
  if (restored === undefined || state === undefined) throw new Error('the snapshot was refused');
  const again = new LibxlHost(restored, state);
  expect(await again.vcpuList()).toEqual(await host.vcpuList());
  expect(await again.schedCredit2()).toEqual(await host.schedCredit2());
  expect(await again.reboot('secure1')).toEqual(await host.reboot('secure1'));
});

test('what xl does not notice is a failure here: a denied trigger, a balloon that may not shrink', async () => {
  const { host } = bootRig(without(' trigger };', ' };'));
  await host.create(pv, options);
  const trigger = await host.trigger('secure1', 'nmi');
  expect([trigger.outcome, trigger.xlExitCode, errors(trigger)]).toEqual(['failed', 0, ['guest/operation-failed']]);
  expect(trigger.xlMessages).toEqual([
    "libxl: error: libxl_domain.c:2207:libxl_send_trigger: Domain 1:Send trigger 'nmi' failed: Permission denied",
  ]);
  expect((await host.trigger('secure1', 'bang')).xlMessages).toEqual(['Invalid trigger "bang"']);
  expect((await host.sysrq('secure1', 'hh')).xlExitCode).toBe(1);
  const full = bootRig(without('allow nomigrate_t nomigrate_t_self:mmu adjust;'));
  await full.host.create(pv, options);
  const balloon = await full.host.memSet('secure1', 100 * 1024);
  expect(balloon.domain?.memoryMib).toBe(128);
  expect(balloon.timeline.at(-1)?.outcome).toBe('ignored-failure');
});
