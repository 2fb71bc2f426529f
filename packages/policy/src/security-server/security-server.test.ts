import { expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { type PolicyTextOptions, policyText } from './fixtures/policy-text.ts';
import { SecurityServer, sidOf } from './index.ts';

const release = xenRelease('4.17');

function compile(text: string, isMls = false): Uint8Array {
  const { bytes, diagnostics } = compileText(new SourceText('test.conf', text), { isMls });
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return bytes;
}

interface Host {
  readonly server: SecurityServer;
  readonly log: string[];
  isEnforcing: boolean;
  load(options?: PolicyTextOptions): void;
  sid(context: string): number;
  classId(name: string): number;
}

function startHost(options?: PolicyTextOptions): Host {
  const log: string[] = [];
  const host: Host = {
    server: new SecurityServer({ release, isEnforcing: () => host.isEnforcing, log: (line) => log.push(line) }),
    log,
    isEnforcing: true,
    load: (more) => {
      expect(host.server.loadPolicy(compile(policyText(more), more?.isMls))).toMatchObject({ kind: 'loaded' });
    },
    sid: (context) => {
      const found = host.server.contextToSid(context);
      if (found.kind === 'invalid') throw new Error(found.reason.message);
      return found.sid;
    },
    classId: (name) => release.classes.find((one) => one.name === name)?.id ?? 0,
  };
  if (options !== undefined) host.load(options);
  return host;
}

/** Why a context is not valid. */
function reasonOf({ server }: Host, context: string): string {
  const found = server.contextToSid(context);
  if (found.kind === 'sid') return `valid: ${server.sidToContext(found.sid)}`;
  expect(found.errno).toBe('EINVAL');
  return `${found.reason.part}: ${found.reason.message}`;
}

test('before a policy is loaded the names of initial SIDs stand for contexts, and all is allowed', () => {
  const { server, classId } = startHost();
  expect(server.isLoaded).toBe(false);
  expect(server.contextToSid('dom0')).toEqual({ kind: 'sid', sid: 3 });
  expect(server.contextToSid('system_u:system_r:dom0_t')).toEqual({ kind: 'sid', sid: server.initialSid('xen') });
  // Xen's loop ends before the last name.
  expect(server.contextToSid('domDM')).toEqual({ kind: 'sid', sid: server.initialSid('xen') });
  expect([0, 1, 3, release.initialSids.length].map((sid) => server.sidToContext(sid))).toEqual([
    'null',
    'xenboot',
    'dom0',
    'domDM',
  ]);
  expect(server.hasContext(release.initialSids.length)).toBe(true);
  expect(server.hasContext(release.initialSids.length + 1)).toBe(false);
  expect(server.computeAv(7, 8, 9)).toMatchObject({ allowed: 0xffffffff, auditAllow: 0, auditDeny: 0xffffffff });
  expect(server.transitionSid(7, 8, classId('domain'))).toBe(7);
  expect(server.transitionSid(7, 8, classId('event'))).toBe(8);
});

test('initial SIDs have the numbers of the release, and the next context gets the next one', () => {
  const host = startHost({});
  expect(host.sid('system_u:system_r:dom0_t')).toBe(host.server.initialSid('dom0'));
  expect(host.server.initialSid('unlabeled')).toBe(6);
  const first = release.initialSids.length + 1;
  expect(host.sid('customer_1:vm_r:guest_t')).toBe(first);
  expect(host.sid('everyone:vm_r:guest_t')).toBe(first + 1);
  expect(host.sid('customer_1:vm_r:guest_t')).toBe(first);
  expect(host.server.sidToContext(first)).toBe('customer_1:vm_r:guest_t');
});

test('a SID that names nothing is unlabeled', () => {
  const { server } = startHost({});
  expect(server.sidToContext(0)).toBe('system_u:object_r:unlabeled_t');
  expect(server.sidToContext(4711)).toBe('system_u:object_r:unlabeled_t');
  expect(server.computeAv(4711, 4712, 1)).toMatchObject({ allowed: 0 });
});

test('an alias in a context is read as its type and printed as its type', () => {
  const host = startHost({});
  expect(reasonOf(host, 'customer_1:vm_r:customer_t')).toBe('valid: customer_1:vm_r:guest_t');
});

test('a context that is not valid says which part is wrong', () => {
  const host = startHost({});
  const cases = {
    'system_u:system_r': 'form: `system_u:system_r` has not the form user:role:type',
    '': 'form: `` has not the form user:role:type',
    'nobody:vm_r:guest_t': 'user: the policy has no user `nobody`',
    'customer_1:vm:guest_t': 'role: the policy has no role `vm`',
    'customer_1:vm_r:guest': 'type: the policy has no type `guest`',
    'customer_1:vm_r:domain_type': 'type: `domain_type` is an attribute, and no domain can have it as its type',
    'customer_1:vm_r:dom0_t': 'type: role `vm_r` may not have type `dom0_t`',
    'customer_1:system_r:dom0_t': 'role: user `customer_1` may not have role `system_r`',
    'customer_1:vm_r:guest_t:s0': 'range: the policy has no MLS, and the context has a range',
    'customer_1:object_r:dom0_t': 'valid: customer_1:object_r:dom0_t',
    // Xen counts what it has passed over; the separator after the type is passed over.
    'customer_1:vm_r:guest_t:': 'valid: customer_1:vm_r:guest_t',
    'customer_1:vm_r:guest_t\0': 'valid: customer_1:vm_r:guest_t',
    'customer_1:vm_r:guest_t\0s': 'range: the policy has no MLS, and the context has a range',
  };
  const found = Object.keys(cases).map((context) => [context, reasonOf(host, context)]);
  expect(Object.fromEntries(found)).toEqual(cases);
  expect(reasonOf(host, `${'x'.repeat(5000)}:a:b`)).toBe('form: the context is longer than 4096 bytes');
});

test('a misspelt name comes with the one that was meant', () => {
  const { server } = startHost({});
  expect(server.contextToSid('customer_1:vm_r:guset_t')).toMatchObject({ reason: { suggestion: 'guest_t' } });
});

test('ranges are read and printed as Xen reads and prints them', () => {
  const host = startHost({ isMls: true });
  const head = 'customer_1:vm_r:guest_t';
  const cases = {
    s0: 'valid: s0',
    's0-s0': 'valid: s0',
    's0:c0,c1-upper:c4,third,c2,c0,c1': 'valid: s0:c0,c1-s1:c0.c4',
    's0:c0.c2,c4': 'valid: s0:c0.c2,c4',
    's0:c1,c3': 'valid: s0:c1,c3',
    // Xen ends the high categories at `-` and does not look at what follows up to a `:`.
    's0-s1:c0-whatever': 'valid: s0-s1:c0',
    's0-s1:c0-whatever:': 'valid: s0-s1:c0',
    's0-s1:c0-whatever:more': 'range: the context goes on after its range',
    's1-s0': 'range: the high level of the range does not dominate its low level',
    's0:c0-s1': 'range: the high level of the range does not dominate its low level',
    's0-s2:c3': 'range: the range has a category that sensitivity `s2` does not have',
    's0-s2': 'range: the range is outside the range of user `customer_1`',
    's0:c2.c1': 'range: the categories `c2.c1` end before they begin',
    's0:c1.c1': 'range: the categories `c1.c1` end before they begin',
    's0:c9': 'range: the policy has no category `c9`',
    's0:c0.c9': 'range: the policy has no category `c9`',
    's0:': 'range: the policy has no category ``',
    s9: 'range: the policy has no sensitivity `s9`',
    's0-': 'range: the policy has no sensitivity ``',
    '': 'range: the policy has no sensitivity ``',
  };
  const found = Object.keys(cases).map((range) => [range, reasonOf(host, `${head}:${range}`).replace(`${head}:`, '')]);
  expect(Object.fromEntries(found)).toEqual(cases);
  expect(reasonOf(host, head)).toBe('range: a policy with MLS needs a range');
  expect(reasonOf(host, 'customer_1:object_r:guest_t:s2:c0')).toBe('valid: customer_1:object_r:guest_t:s2:c0');
});

test('a new object takes user, role object_r and the type of the target, a new domain the label of its source', () => {
  const host = startHost({ rules: 'type_transition guest_t guest_t:domain guest_t_self;' });
  const { server, classId } = host;
  const guest = host.sid('customer_1:vm_r:guest_t');
  const dom0 = host.sid('system_u:system_r:dom0_t');
  const label = (sid: number | string): string => (typeof sid === 'number' ? server.sidToContext(sid) : sid);
  expect(label(server.transitionSid(guest, dom0, classId('event')))).toBe('customer_1:object_r:dom0_t');
  expect(label(server.transitionSid(dom0, guest, classId('domain')))).toBe('system_u:system_r:dom0_t');
  expect(label(server.transitionSid(guest, guest, classId('domain')))).toBe('customer_1:vm_r:guest_t_self');
  expect(label(server.memberSid(guest, dom0, classId('event')))).toBe('system_u:object_r:dom0_t');
  expect(label(server.changeSid(guest, guest, classId('domain')))).toBe('customer_1:vm_r:guest_t');
});

test('a role transition changes the role of domains, whatever class it was written for', () => {
  const rules = `
    role_transition system_r guest_t:event vm_r;
    type_transition dom0_t guest_t:domain guest_t;
    type_transition dom0_t guest_t:event channel_t;
  `;
  const host = startHost({ rules });
  const { server, classId } = host;
  const source = host.sid('everyone:system_r:dom0_t');
  const target = host.sid('customer_1:vm_r:guest_t');
  const domain = server.transitionSid(source, target, classId('domain'));
  const event = server.transitionSid(source, target, classId('event'));
  expect([domain, event].map((sid) => server.sidToContext(Number(sid)))).toEqual([
    'everyone:vm_r:guest_t',
    'everyone:object_r:channel_t',
  ]);
});

test('a new label that is not valid is refused when enforcing and handed out when permissive', () => {
  const host = startHost({ rules: 'type_transition dom0_t guest_t:domain guest_t;' });
  const dom0 = host.sid('system_u:system_r:dom0_t');
  const guest = host.sid('customer_1:vm_r:guest_t');
  const line =
    'security_compute_sid:  invalid context system_u:system_r:guest_t for scontext=system_u:system_r:dom0_t ' +
    'tcontext=customer_1:vm_r:guest_t tclass=domain';
  expect(host.server.transitionSid(dom0, guest, host.classId('domain'))).toBe('EACCES');
  expect(host.log).toEqual([line]);
  host.isEnforcing = false;
  const sid = host.server.transitionSid(dom0, guest, host.classId('domain'));
  expect(host.server.sidToContext(Number(sid))).toBe('system_u:system_r:guest_t');
  expect(host.log).toEqual([line, line]);
});

test('a class number that the policy does not have is an error for access, and an object for a new label', () => {
  const host = startHost({});
  const dom0 = host.sid('system_u:system_r:dom0_t');
  expect(host.server.computeAv(dom0, dom0, 0)).toBe('EINVAL');
  expect(host.server.computeAv(dom0, dom0, release.classes.length + 1)).toBe('EINVAL');
  const sid = host.server.transitionSid(dom0, dom0, 99);
  expect(host.server.sidToContext(Number(sid))).toBe('system_u:object_r:dom0_t');
});

test('MLS: a new object has the low level of its source, a domain the whole range, and a range transition wins', () => {
  const rules = `
    type_transition guest_t guest_t:domain guest_t_self;
    range_transition guest_t nic_t:resource s1:c1;
  `;
  const host = startHost({ isMls: true, rules });
  const { server, classId } = host;
  const guest = host.sid('customer_1:vm_r:guest_t:s0:c0-s1:c0.c2');
  const dom0 = host.sid('system_u:system_r:dom0_t:s0');
  const nic = host.sid('system_u:object_r:nic_t:s0');
  const label = (sid: number | string): string => server.sidToContext(Number(sid));
  expect(label(server.transitionSid(guest, guest, classId('domain')))).toBe(
    'customer_1:vm_r:guest_t_self:s0:c0-s1:c0.c2',
  );
  expect(label(server.transitionSid(guest, dom0, classId('event')))).toBe('customer_1:object_r:dom0_t:s0:c0');
  expect(label(server.memberSid(guest, dom0, classId('event')))).toBe('system_u:object_r:dom0_t:s0:c0');
  expect(label(server.transitionSid(guest, nic, classId('resource')))).toBe('customer_1:object_r:nic_t:s1:c1');
  expect(label(server.changeSid(guest, nic, classId('resource')))).toBe('customer_1:object_r:nic_t:s0:c0');
});

test('booleans hold once committed, and what was only noted is told apart', () => {
  const rules = 'bool locked true; bool open false; if (open) { allow dom0_t guest_t:domain destroy; }';
  const host = startHost({ rules });
  const { server } = host;
  const [dom0, guest] = [host.sid('system_u:system_r:dom0_t'), host.sid('customer_1:vm_r:guest_t')];
  const destroy = 1 << (release.classes[host.classId('domain') - 1]?.permissions.indexOf('destroy') ?? 0);
  const mayDestroy = (): boolean => {
    const decision = server.computeAv(dom0, guest, host.classId('domain'));
    return decision !== 'EINVAL' && (decision.allowed & destroy) !== 0;
  };
  const states = (): string[] => server.booleans().map(({ name, value, pending }) => `${name} ${value} ${pending}`);
  let resets = 0;
  server.onReset(() => resets++);

  server.commitBooleans();
  expect(resets).toBe(0);
  expect(server.setBoolean('nothing', true)).toBe('ENOENT');
  expect(server.setBoolean('open', true)).toBeUndefined();
  expect([...states(), mayDestroy(), resets]).toEqual(['locked true true', 'open false true', false, 0]);
  const { seqno } = server;
  server.commitBooleans();
  expect([...states(), mayDestroy(), resets]).toEqual(['locked true true', 'open true true', true, 1]);
  expect(server.seqno).toBe(seqno + 1);
  expect(host.log).toEqual(['Flask: committed booleans { locked:1, open:1 }']);
  // The noted values last until a policy is loaded, so a second commit commits them again.
  server.commitBooleans();
  expect(resets).toBe(2);
});

test('a boolean set at once leaves noted values noted', () => {
  const host = startHost({ rules: 'bool locked true; bool open false;' });
  const { server } = host;
  server.setBoolean('locked', false);
  expect(server.setBoolean('open', true, true)).toBeUndefined();
  expect(server.booleans()).toEqual([
    { name: 'locked', value: true, pending: false },
    { name: 'open', value: true, pending: true },
  ]);
  expect(host.log).toEqual(['Flask: committed booleans { locked:1, open:1 }']);
});

test('a reload keeps SIDs by name, drops what the new policy does not know, and keeps booleans', () => {
  const host = startHost({
    rules: 'type old_t; role vm_r types old_t; bool locked false;',
    users: 'user gone roles vm_r;',
  });
  const { server } = host;
  const guest = host.sid('customer_1:vm_r:guest_t');
  const old = host.sid('customer_1:vm_r:old_t');
  const gone = host.sid('gone:vm_r:guest_t');
  const late = host.sid('everyone:vm_r:guest_t');
  server.setBoolean('locked', true, true);
  server.setBoolean('locked', false);
  host.log.length = 0;

  host.load({ rules: 'type new_t; role vm_r types new_t; bool fresh true; bool locked false;' });
  expect([guest, old, gone, late].map((sid) => server.sidToContext(sid))).toEqual([
    'customer_1:vm_r:guest_t',
    'system_u:object_r:unlabeled_t',
    'system_u:object_r:unlabeled_t',
    'everyone:vm_r:guest_t',
  ]);
  expect(host.log).toEqual([
    'Flask:  invalidating context customer_1:vm_r:old_t',
    'Flask:  invalidating context gone:vm_r:guest_t',
  ]);
  expect(server.booleans()).toHaveLength(2);
  expect(server.booleans()).toContainEqual({ name: 'fresh', value: true, pending: true });
  expect(server.booleans()).toContainEqual({ name: 'locked', value: true, pending: true });
  expect(host.sid('customer_1:vm_r:new_t')).toBe(late + 1);
});

test('a context that a reload makes invalid goes when enforcing, and stays when permissive', () => {
  const before = { isMls: true, rules: 'role vm_r types dom0_t;' };
  for (const isEnforcing of [true, false]) {
    const host = startHost(before);
    host.isEnforcing = isEnforcing;
    const sid = host.sid('customer_1:vm_r:dom0_t:s0-s1:c1');
    host.load({ isMls: true });
    const context = 'customer_1:vm_r:dom0_t:s0-s1:c1';
    expect(host.server.sidToContext(sid)).toBe(isEnforcing ? 'system_u:object_r:unlabeled_t:s0' : context);
    expect(host.log).toEqual([
      isEnforcing ? `Flask:  invalidating context ${context}` : `Flask:  context ${context} is invalid`,
    ]);
  }
});

test('levels and categories too are carried over by name', () => {
  const host = startHost({ isMls: true });
  const sid = host.sid('customer_1:vm_r:guest_t:s0:c1-s1:c1,c3');
  const text = policyText({ isMls: true }).replace(
    'category c0; category c1; category c2;',
    'category c2; category c1; category c0;',
  );
  expect(text).not.toBe(policyText({ isMls: true }));
  const moved = text.replaceAll('c0.c4', 'c2.c4').replace('c0.c1', 'c1.c0');
  expect(host.server.loadPolicy(compile(moved, true))).toMatchObject({ kind: 'loaded' });
  expect(host.server.sidToContext(sid)).toBe('customer_1:vm_r:guest_t:s0:c1-s1:c1,c3');
});

test('a context goes at a reload when one of its two levels is no longer known', () => {
  for (const range of ['s0:c3-s1:c3', 's0-s1:c3']) {
    const host = startHost({ isMls: true });
    const sid = host.sid(`customer_1:vm_r:guest_t:${range}`);
    const fewer = policyText({ isMls: true }).replace('category c3 alias third;', '');
    expect(host.server.loadPolicy(compile(fewer, true))).toMatchObject({ kind: 'loaded' });
    expect(host.log).toEqual([`Flask:  invalidating context customer_1:vm_r:guest_t:${range}`]);
    expect(host.server.sidToContext(sid)).toBe('system_u:object_r:unlabeled_t:s0');
  }
});

test('the number of a context that a reload dropped is given out again only after a further reload', () => {
  const more = { rules: 'type old_t; role vm_r types old_t;' };
  const host = startHost(more);
  const old = host.sid('customer_1:vm_r:old_t');
  host.load({});
  expect(host.sid('customer_1:vm_r:guest_t')).toBe(old + 1);

  const other = startHost(more);
  other.sid('customer_1:vm_r:old_t');
  other.load({});
  // Xen counts from the highest SID that the table still has.
  other.load({});
  expect(other.sid('customer_1:vm_r:guest_t')).toBe(old);
});

test('a reload does not change the initial SIDs', () => {
  const host = startHost({});
  const text = policyText().replace('sid domU system_u:system_r:domU_t', 'sid domU customer_1:vm_r:guest_t');
  expect(host.server.loadPolicy(compile(text))).toMatchObject({ kind: 'loaded' });
  expect(host.server.sidToContext(host.server.initialSid('domU'))).toBe('system_u:system_r:domU_t');
});

test('two initial SIDs with one context: the context is that of the first in the walk of the table', () => {
  const text = policyText().replace('sid domDM system_u:object_r:domdm_t', 'sid domDM system_u:system_r:dom0_t');
  const host = startHost();
  expect(host.server.loadPolicy(compile(text))).toMatchObject({ kind: 'loaded' });
  expect(host.server.sidToContext(host.server.initialSid('domDM'))).toBe('system_u:system_r:dom0_t');
  expect(host.sid('system_u:system_r:dom0_t')).toBe(host.server.initialSid('dom0'));
});

test('of two SIDs that a reload gives one context, the one in the earlier bucket of the table is found', () => {
  const users = Array.from({ length: 115 }, (_, i) => `user person_${i} roles vm_r;`).join('\n');
  const host = startHost({ users, rules: 'type one_t; type two_t; role vm_r types { one_t two_t };' });
  expect(host.sid('customer_1:vm_r:one_t')).toBe(14);
  for (let i = 0; i < 115; i++) host.sid(`person_${i}:vm_r:one_t`);
  expect(host.sid('customer_1:vm_r:two_t')).toBe(130);
  host.load({ users, rules: 'type one_t alias two_t; role vm_r types one_t;' });
  expect(host.server.sidToContext(14)).toBe('customer_1:vm_r:one_t');
  // 130 is in bucket 2, 14 in bucket 14.
  expect(host.sid('customer_1:vm_r:one_t')).toBe(130);
});

test('a snapshot goes on where the server was', () => {
  const labels = 'pirqcon 9 system_u:object_r:nic_t iomemcon 0x100-0x1ff system_u:object_r:disk_t';
  const options = { rules: 'bool locked false; bool open true;', labels };
  const host = startHost(options);
  const guest = sidOf(host.sid('customer_1:vm_r:guest_t'));
  host.server.setBoolean('locked', true, true);
  host.server.setBoolean('open', false);
  host.server.numberSid('pirq', 9n);
  host.server.addObjectLabel('ioport', 0x60n, 0x64n, guest);
  host.server.addObjectLabel('iomem', 0x10000000000000n, 0xffffffffffffffffn, guest);
  host.server.setDeviceTreeLabel('/soc/eth@10', guest);
  const copy = startHost();
  const stored = JSON.parse(JSON.stringify(host.server.snapshot()));
  expect(copy.server.resume(compile(policyText(options)), stored)).toBe(true);
  expect(copy.server.snapshot()).toEqual(host.server.snapshot());
  expect(copy.log).toEqual([]);
  expect(copy.server.sidToContext(guest)).toBe('customer_1:vm_r:guest_t');
  expect(copy.server.booleans()).toEqual(host.server.booleans());
  expect(copy.server.contextToSid('everyone:vm_r:guest_t')).toEqual(host.server.contextToSid('everyone:vm_r:guest_t'));
  expect([...copy.server.rangeSids('ioport', 0x50n, 0x70n)]).toEqual([
    ...host.server.rangeSids('ioport', 0x50n, 0x70n),
  ]);
  expect(copy.server.numberSid('pirq', 9n)).toBe(host.server.numberSid('pirq', 9n));
  expect(copy.server.deviceTreeSid('/soc/eth@10')).toBe(guest);
  copy.server.commitBooleans();
  expect(copy.log).toEqual(['Flask: committed booleans { locked:1, open:0 }']);
});

test('a snapshot of a server that has no policy yet keeps what was labelled', () => {
  const host = startHost();
  host.server.addObjectLabel('pirq', 5n, 5n, sidOf(3));
  const copy = startHost();
  expect(copy.server.resume(undefined, JSON.parse(JSON.stringify(host.server.snapshot())))).toBe(true);
  expect(copy.server.isLoaded).toBe(false);
  expect(copy.server.numberSid('pirq', 5n)).toBe(3);
});

test('a snapshot does not go on with bytes that Xen would not load', () => {
  const host = startHost({});
  expect(startHost().server.resume(new Uint8Array([1, 2, 3]), host.server.snapshot())).toBe(false);
  const other = compile(policyText({ release: xenRelease('4.13') }));
  expect(startHost().server.resume(other, host.server.snapshot())).toBe(false);
});

test('a snapshot with a context whose names are not known leaves that one out', () => {
  const host = startHost({});
  const snapshot = host.server.snapshot();
  const sids = [...snapshot.sids, { sid: 99, context: 'nobody:vm_r:guest_t' }];
  const copy = startHost();
  copy.server.resume(compile(policyText()), { ...snapshot, sids });
  expect(copy.server.sidToContext(99)).toBe('system_u:object_r:unlabeled_t');
  expect(copy.server.sidToContext(sidOf(3))).toBe('system_u:system_r:dom0_t');
});

test('a snapshot keeps a context that a permissive Xen keeps though it is not valid', () => {
  const host = startHost({ rules: 'role vm_r types dom0_t;' });
  host.isEnforcing = false;
  const sid = host.sid('customer_1:vm_r:dom0_t');
  host.load({});
  const copy = startHost();
  expect(copy.server.resume(compile(policyText()), host.server.snapshot())).toBe(true);
  expect(copy.server.sidToContext(sid)).toBe('customer_1:vm_r:dom0_t');
});

test('a snapshot that does not know a boolean or a label leaves what the policy says', () => {
  const options = { rules: 'bool locked true;', labels: 'pirqcon 9 system_u:object_r:nic_t' };
  const snapshot = startHost(options).server.snapshot();
  const unknown = { sid: 0, context: 'nobody:object_r:nic_t' };
  const copy = startHost();
  copy.server.resume(compile(policyText(options)), {
    ...snapshot,
    booleans: {},
    objectLabels: {
      numbered: [{ kind: 'pirq', low: '9', high: '9', ...unknown }],
      paths: [{ path: '/soc', ...unknown }],
    },
  });
  expect(copy.server.booleans()).toEqual([{ name: 'locked', value: true, pending: true }]);
  expect(copy.server.numberSid('pirq', 9n)).toBe(copy.server.initialSid('irq'));
  expect(copy.server.deviceTreeSid('/soc')).toBe(copy.server.initialSid('device'));
});

test('a SID has a context as numbers once a policy is loaded', () => {
  const host = startHost();
  expect(host.server.contextOf(3)).toBeUndefined();
  host.load({});
  const type = host.server.policy?.types.byName.get('dom0_t')?.value;
  expect(host.server.contextOf(3)?.type).toBe(type);
});

test('a server that nobody told of modes and logs enforces in silence', () => {
  const server = new SecurityServer({ release });
  expect(server.loadPolicy(compile(policyText()))).toMatchObject({ kind: 'loaded' });
  const sid = server.contextToSid('customer_1:vm_r:guest_t');
  expect(sid.kind).toBe('sid');
  expect(server.loadPolicy(compile(policyText().replaceAll('guest_t', 'other_t')))).toMatchObject({ kind: 'loaded' });
  expect(server.sidToContext(sid.kind === 'sid' ? sid.sid : 0)).toBe('system_u:object_r:unlabeled_t');
});

test('port 0 is written without a prefix where a label overlaps with it or is not found', () => {
  const host = startHost({});
  expect(host.server.removeObjectLabel('ioport', 0n, 0n)).toBe('ENOENT');
  expect(host.server.removeObjectLabel('pcidevice', 0n, 0n)).toBe('ENOENT');
  expect(host.log).toEqual(['flask: ocontext not found: ioport 0 - 0', 'flask: ocontext not found: pcidevice 0']);
});
