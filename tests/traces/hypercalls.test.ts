/** What single hypercalls of the simulated Xen do, and in which order they look at things. */

import { CHECKS, Hypervisor } from '@dewar/hypervisor';
import {
  type Actor,
  DOM0,
  type Domid,
  type HypercallArgs,
  type HypercallName,
  type HypercallResult,
  type MappingHandle,
  type ObservedCheck,
  type Port,
} from '@dewar/toolstack';
import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { bootRig, GUEST_UUID, guestConfig, policyBytes, WHOLE_LIFE } from './rig-policy.ts';

const dom0: Actor = { domid: DOM0, process: 'libxc' };
const guest: Actor = { domid: 1 as Domid, process: 'guest kernel' };
const options = { uuid: GUEST_UUID };

function value<N extends HypercallName>(
  result: HypercallResult<N>,
): Extract<HypercallResult<N>, { kind: 'ok' }>['value'] {
  if (result.kind === 'error') throw new Error(result.errno);
  return result.value;
}

function sidOf(hypervisor: Hypervisor, context: string): number {
  return value<'xsm_op.context_to_sid'>(hypervisor.call(dom0, 'xsm_op.context_to_sid', { context })).sid;
}

/** The checks that some work causes. */
function checksDuring(hypervisor: Hypervisor, work: () => void): string[] {
  const seen: ObservedCheck[] = [];
  const stop = hypervisor.observe((check) => seen.push(check));
  work();
  stop();
  return seen.map(
    ({ class: tclass, permissions, source, target }) => `${source} ${target} ${tclass} ${permissions.join('+')}`,
  );
}

test('whether a domain exists shows before any check is made', () => {
  const { hypervisor } = bootRig(WHOLE_LIFE);
  const domid = 9 as Domid;
  const checks = checksDuring(hypervisor, () => {
    expect(hypervisor.call(dom0, 'domctl.pausedomain', { domid })).toEqual({ kind: 'error', errno: 'ESRCH' });
  });
  expect(checks).toEqual([]);
});

test('a domain list leaves out what may not be seen; a look at one such domain is refused', async () => {
  const { hypervisor, host } = bootRig(`${WHOLE_LIFE}`.replace('domain { getdomaininfo pause', 'domain { pause'));
  await host.create(guestConfig(), { ...options, paused: true });
  const list = value<'sysctl.getdomaininfolist'>(
    hypervisor.call(dom0, 'sysctl.getdomaininfolist', { first: DOM0, max: 10 }),
  );
  expect(list.domains.map(({ domid }) => domid)).toEqual([0]);
  const one = hypervisor.call(dom0, 'domctl.getdomaininfo', { domid: 1 as Domid });
  expect(one).toEqual({ kind: 'error', errno: 'EACCES' });
});

test('a domain that was paused twice needs two unpauses', async () => {
  const { hypervisor, host } = bootRig(WHOLE_LIFE);
  await host.create(guestConfig(), options);
  await host.pause('secure1');
  await host.pause('secure1');
  expect((await host.unpause('secure1')).domain?.state).toBe('paused');
  expect((await host.unpause('secure1')).domain?.state).toBe('running');
  const domid = 1 as Domid;
  expect(hypervisor.call(dom0, 'domctl.unpausedomain', { domid })).toEqual({ kind: 'error', errno: 'EINVAL' });
});

test('an event channel keeps the label that it was made with when its owner is relabelled', async () => {
  const rules = WHOLE_LIFE;
  const { hypervisor, host } = bootRig(rules);
  await host.create(guestConfig(), options);
  const port = 1 as Port;
  const checks = checksDuring(hypervisor, () => value(hypervisor.call(guest, 'event_channel_op.send', { port })));
  expect(checks).toEqual(['user_1:vm_r:nomigrate_t user_1:object_r:guest_t_channel event send']);
});

test('a guest acts on itself under its self label', async () => {
  const rules = WHOLE_LIFE;
  const { hypervisor, host } = bootRig(rules);
  await host.create(guestConfig(), options);
  const { domid } = guest;
  const checks = checksDuring(hypervisor, () => value(hypervisor.call(guest, 'grant_table_op.query_size', { domid })));
  expect(checks).toEqual(['user_1:vm_r:nomigrate_t user_1:vm_r:nomigrate_t_self grant query']);
});

test('a grant gives its page to the domain that it names, and to no other', async () => {
  const { hypervisor, host } = bootRig(WHOLE_LIFE.replaceAll('nomigrate_t:grant unmap', 'nomigrate_t:grant *'));
  await host.create(guestConfig(), options);
  const map = (ref: number): HypercallResult<'grant_table_op.map_grant_ref'> =>
    hypervisor.call(dom0, 'grant_table_op.map_grant_ref', { granter: 1 as Domid, ref, isWritable: true });
  expect(map(1).kind).toBe('ok');
  expect(map(2)).toMatchObject({ kind: 'error', errno: 'EINVAL' });
});

test('a denied populate is no error, but gives no page', async () => {
  const { hypervisor } = bootRig(WHOLE_LIFE.replace('adjust map_read', 'map_read'));
  const ssidref = sidOf(hypervisor, 'user_1:vm_r:nomigrate_t_building');
  const args = { ssidref, maxVcpus: 1, handle: GUEST_UUID };
  const { domid } = value<'domctl.createdomain'>(hypervisor.call(dom0, 'domctl.createdomain', args));
  value(hypervisor.call(dom0, 'domctl.max_mem', { domid, maxPages: 100 }));
  const frames = { first: 0, count: 10 };
  expect(hypervisor.call(dom0, 'memory_op.populate_physmap', { domid, frames })).toEqual({
    kind: 'ok',
    value: { pagesDone: 0 },
  });
});

test('in permissive mode a denial is let pass and logged once, and seen each time', async () => {
  const { hypervisor, host } = bootRig(WHOLE_LIFE, false);
  await host.create(guestConfig(), options);
  const domid = 1 as Domid;
  const seen: ObservedCheck[] = [];
  hypervisor.observe((check) => seen.push(check));
  for (let i = 0; i < 2; i++) value(hypervisor.call(dom0, 'domctl.get_address_size', { domid }));
  expect(seen.map(({ outcome, isEnforced, avcLine }) => [outcome, isEnforced, avcLine !== undefined])).toEqual([
    ['denied', false, true],
    ['denied', false, false],
  ]);
});

test('setting the mode to what it is already is not checked', () => {
  const { hypervisor } = bootRig(WHOLE_LIFE);
  const set = (isEnforcing: boolean): string[] =>
    checksDuring(hypervisor, () => value(hypervisor.call(dom0, 'xsm_op.setenforce', { isEnforcing })));
  expect(set(true)).toEqual([]);
  expect(set(false)).toEqual(['system_u:system_r:dom0_t system_u:system_r:security_t security setenforce']);
});

test('a policy that does not fit the release is refused, and the old one stays', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  const bytes = policyBytes(WHOLE_LIFE);
  expect((await host.loadPolicy(bytes)).outcome).toBe('done');
  const report = await host.loadPolicy(bytes.slice(0, bytes.length - 40));
  expect([report.outcome, report.xlExitCode]).toEqual(['failed', 255]);
  expect((await host.create(guestConfig(), options)).outcome).toBe('done');
});

test('a boolean that the policy does not have is named', async () => {
  const { host } = bootRig(`bool some_bool false;\n${WHOLE_LIFE}`);
  expect((await host.setBoolean('some_bool', true)).outcome).toBe('done');
  expect((await host.booleans()).value).toEqual([{ name: 'some_bool', enforcing: true, pending: true }]);
  const report = await host.setBoolean('other_bool', true);
  expect(report.diagnostics.map(({ code }) => code)).toEqual(['guest/unknown-boolean']);
  expect((await host.dmesg()).value).toContain('(XEN) Flask: committed booleans { some_bool:1 }\n');
});

/** Arguments for any hypercall: each takes what it knows of. */
const anyArgs = fc.record({
  domid: fc.integer({ min: 0, max: 4 }),
  remote: fc.integer({ min: 0, max: 4 }),
  granter: fc.integer({ min: 0, max: 4 }),
  first: fc.integer({ min: 0, max: 4 }),
  max: fc.integer({ min: -1, max: 9 }),
  maxVcpus: fc.integer({ min: -1, max: 4 }),
  maxPages: fc.integer({ min: -1, max: 9000 }),
  pages: fc.integer({ min: -1, max: 9000 }),
  vcpu: fc.integer({ min: -1, max: 4 }),
  frame: fc.integer({ min: -1, max: 9000 }),
  frames: fc.record({ first: fc.integer({ min: -1, max: 99 }), count: fc.integer({ min: -1, max: 99 }) }),
  ref: fc.integer({ min: -1, max: 9 }),
  to: fc.integer({ min: 0, max: 4 }),
  port: fc.integer({ min: 0, max: 9 }),
  remotePort: fc.integer({ min: 0, max: 9 }),
  mapping: fc.integer({ min: 0, max: 20 }).map((number) => number as MappingHandle),
  sid: fc.integer({ min: 0, max: 20 }),
  ssidref: fc.integer({ min: 0, max: 20 }),
  source: fc.integer({ min: 0, max: 20 }),
  target: fc.integer({ min: 0, max: 20 }),
  tclass: fc.integer({ min: 0, max: 20 }),
  weight: fc.integer({ min: 0, max: 300 }),
  size: fc.constantFrom(32, 64),
  isWritable: fc.boolean(),
  isEnforcing: fc.boolean(),
  clear: fc.boolean(),
  commit: fc.boolean(),
  value: fc.boolean(),
  name: fc.constantFrom('b', 'c'),
  text: fc.string({ maxLength: 20 }),
  keys: fc.string({ maxLength: 8 }),
  context: fc.constantFrom('user_1:vm_r:domU_t', 'user_1:vm_r:nomigrate_t', '', ':::'),
  handle: fc.constantFrom(GUEST_UUID, 'x'),
  resource: fc.constantFrom('grant_table', 'ioreq_server'),
  device: fc.constantFrom(0x300, 0x301, 0x28),
  irq: fc.integer({ min: -1, max: 40 }),
  count: fc.integer({ min: -1, max: 40 }),
  server: fc.integer({ min: -1, max: 3 }),
  isAllowed: fc.boolean(),
  isHvm: fc.boolean(),
  trigger: fc.constantFrom('nmi', 'reset', 'init', 'power', 'sleep'),
  reason: fc.constantFrom('poweroff', 'reboot', 'crash'),
  cap: fc.constant(0),
  bytes: fc.uint8Array({ maxLength: 40 }),
  kind: fc.constantFrom('pirq', 'ioport', 'iomem', 'pcidevice'),
  low: fc.bigInt({ min: 0n, max: 20n }),
  high: fc.bigInt({ min: 0n, max: 20n }),
  path: fc.constantFrom('/soc', '/soc/eth', ''),
  threshold: fc.integer({ min: -1, max: 40 }),
  cpu: fc.integer({ min: -1, max: 3 }),
});

// Every name in the table of checks is that of a hypercall.
const names = Object.keys(CHECKS) as HypercallName[];
const bytes = policyBytes(`bool b true;\n${WHOLE_LIFE}`);

property.prop([fc.array(fc.tuple(fc.constantFrom(...names), fc.boolean(), anyArgs), { maxLength: 60 }), fc.boolean()], {
  numRuns: 150,
})('any hypercalls in any order leave a host whose snapshot reads back', (calls, isEnforcing) => {
  const boot = Hypervisor.boot({ policy: bytes, flask: isEnforcing ? 'enforcing' : 'permissive' });
  if (boot.kind === 'refused') throw new Error(boot.reason);
  const { hypervisor } = boot;
  for (const [name, asGuest, args] of calls) {
    // Each hypercall finds its own arguments in the record, and overlooks the rest.
    const result = hypervisor.call(asGuest ? guest : dom0, name, args as unknown as HypercallArgs<typeof name>);
    expect(['ok', 'error']).toContain(result.kind);
  }
  const stored = JSON.parse(JSON.stringify(hypervisor.snapshot()));
  const restored = Hypervisor.restore(stored);
  expect(JSON.parse(JSON.stringify(restored?.snapshot()))).toEqual(stored);
});
