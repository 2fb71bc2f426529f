/** Policies that no compiler writes: what Xen loads of them still decides as Xen would, and nothing falls over. */
import { describe, expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import {
  AVTAB_ALLOWED,
  COND_AND,
  COND_BOOL,
  COND_NOT,
  expandPolicyRules,
  type PolicyDb,
  RuleTable,
  readPolicydb,
  symbolTable,
  writePolicydb,
} from '../policydb/index.ts';
import { xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { type PolicyTextOptions, policyText } from './fixtures/policy-text.ts';
import { Avc, PolicyView, SecurityServer } from './index.ts';
import { loadFaults } from './load-checks.ts';

const release = xenRelease('4.17');

function read(options: PolicyTextOptions = {}): PolicyDb {
  const { bytes } = compileText(new SourceText('test.conf', policyText(options)), { isMls: options.isMls === true });
  const found = readPolicydb(bytes ?? new Uint8Array());
  if ('diagnostic' in found) throw new Error(found.diagnostic.message);
  return found.policy;
}

function startHost(policy: PolicyDb): { readonly server: SecurityServer; readonly log: string[] } {
  const log: string[] = [];
  const server = new SecurityServer({ release, log: (line) => log.push(line) });
  expect(server.loadPolicy(writePolicydb(policy, expandPolicyRules(policy).rules, 30))).toMatchObject({
    kind: 'loaded',
  });
  return { server, log };
}

const classId = (name: string): number => release.classes.find((one) => one.name === name)?.id ?? 0;

describe('a policy without a label for `unlabeled`', () => {
  // XEN: nobody looks whether all initial SIDs are there.
  function start(): { readonly server: SecurityServer; readonly log: string[]; readonly dom0: number } {
    const policy = read();
    const { objectContexts } = policy;
    const unlabeled = release.initialSids.indexOf('unlabeled') + 1;
    const initialSids = objectContexts.initialSids.filter(({ sid }) => sid !== unlabeled);
    const host = startHost({ ...policy, objectContexts: { ...objectContexts, initialSids } });
    return { ...host, dom0: host.server.initialSid('dom0') };
  }

  test('has no label for a number that names nothing', () => {
    const { server } = start();
    expect(server.hasContext(4711)).toBe(false);
    expect(server.sidToContext(4711)).toBe('');
    expect(server.contextOf(4711)).toBeUndefined();
  });

  test('answers what is asked of such a number with EINVAL', () => {
    const { server, dom0 } = start();
    expect(server.computeAv(4711, dom0, classId('domain'))).toBe('EINVAL');
    expect(server.computeAv(dom0, 4711, classId('domain'))).toBe('EINVAL');
    expect(server.transitionSid(4711, dom0, classId('domain'))).toBe('EINVAL');
    expect(server.transitionSid(dom0, 4711, classId('event'))).toBe('EINVAL');
  });

  test('and the line about it has the numbers', () => {
    const { server, dom0, log } = start();
    const avc = new Avc(server, { isEnforcing: () => false, log: (line) => log.push(line) });
    for (const [source, target] of [
      [4711, dom0],
      [dom0, 4711],
    ] as const) {
      const outcome = avc.hasPerm(source, target, classId('domain'), 2, { current: 0 });
      expect(outcome).toMatchObject({ kind: 'denied', errno: 'EINVAL' });
    }
    const dom0Text = 'system_u:system_r:dom0_t';
    expect(log).toEqual([
      `avc:  denied  { pause } for current=d0 ssid=4711 tcontext=${dom0Text} tclass=domain`,
      `avc:  denied  { pause } for current=d0 scontext=${dom0Text} tsid=4711 tclass=domain`,
    ]);
  });
});

test('bits without a name are `????` where bounds take them away', () => {
  const policy = read({ rules: 'type low_t; role vm_r types low_t; typebounds guest_t low_t;' });
  const low = policy.types.byName.get('low_t')?.value ?? 0;
  const channel = policy.types.byName.get('channel_t')?.value ?? 0;
  const rules = new RuleTable();
  for (let row = 0; row < policy.rules.length; row++) rules.pushRow(policy.rules, row);
  rules.push(AVTAB_ALLOWED, low, channel, false, classId('grant'), 0x8000_0003, 0);
  const { server, log } = startHost({ ...policy, rules });
  const sidOf = (context: string): number => {
    const found = server.contextToSid(context);
    if (found.kind === 'invalid') throw new Error(found.reason.message);
    return found.sid;
  };
  const [source, target] = [sidOf('customer_1:vm_r:low_t'), sidOf('customer_1:object_r:channel_t')];
  expect(server.computeAv(source, target, classId('grant'))).toMatchObject({ allowed: 0 });
  expect(log).toEqual([
    'Flask: op=security_compute_av reason=bounds scontext=customer_1:vm_r:low_t ' +
      'tcontext=customer_1:object_r:channel_t tclass=grant perms=map_read,map_write,????',
  ]);
});

test('a class that the policy has not is told by its number', () => {
  const users = 'user narrow roles { vm_r } level s1 range s1 - s1:c0;';
  const log: string[] = [];
  const server = new SecurityServer({ release, log: (line) => log.push(line) });
  const { bytes } = compileText(new SourceText('test.conf', policyText({ isMls: true, users })), { isMls: true });
  server.loadPolicy(bytes ?? new Uint8Array());
  const sidOf = (context: string): number => {
    const found = server.contextToSid(context);
    if (found.kind === 'invalid') throw new Error(found.reason.message);
    return found.sid;
  };
  // A member has the user of the target and the low level of the source, which is above its high level here.
  const source = sidOf('customer_1:vm_r:guest_t:s0');
  const member = server.memberSid(source, sidOf('narrow:vm_r:guest_t:s1'), classId('domain'));
  expect(member).toBe('EACCES');
  expect(log.at(-1)).toMatch(/^security_compute_sid: {2}invalid context narrow:vm_r:guest_t:s0 .* tclass=domain$/);
  const view = new PolicyView(read());
  expect([view.className(classId('grant')), view.className(99)]).toEqual(['grant', '99']);
});

describe('what a policy has no name or number for', () => {
  const view = new PolicyView(read({ rules: 'allow dom0_t guest_t:grant copy;' }));
  const dom0 = view.read('system_u:system_r:dom0_t');
  if (dom0 === undefined) throw new Error('the policy has dom0');

  test('may do nothing and has nothing done to it', () => {
    const nobody = { ...dom0, type: 9999 };
    for (const [source, target] of [
      [nobody, dom0],
      [dom0, nobody],
    ] as const) {
      expect(view.computeAv(source, target, classId('grant'))).toEqual({
        allowed: 0,
        auditAllow: 0,
        auditDeny: 0xffffffff,
      });
    }
    expect(view.constrained(dom0, dom0, 99, 0xff)).toBe(0);
    expect(view.dominated(99).bits).toHaveLength(0);
  });

  test('is shown by its number', () => {
    expect(view.text({ ...dom0, user: 77, role: 88, type: 9999 })).toBe('77:88:9999');
  });

  test('is no part of a range', () => {
    const mls = new PolicyView(read({ isMls: true }));
    const guest = mls.read('customer_1:vm_r:guest_t:s0');
    if (guest === undefined) throw new Error('the policy has guests');
    const level = { ...guest.range.low, sensitivity: 9 };
    expect(mls.fault({ ...guest, range: { low: level, high: level } })?.message).toBe(
      'the range has a sensitivity that the policy does not know',
    );
  });
});

test('a condition that takes more than there is takes it for false', () => {
  const rules = 'bool on true; if (on) { allow dom0_t guest_t:domain destroy; }';
  const policy = read({ rules });
  const [block] = policy.conditionals;
  if (block === undefined) throw new Error('the policy has a block');
  const sourceOf = (view: PolicyView): number => view.policy.types.byName.get('dom0_t')?.value ?? 0;
  const isAllowed = (...operators: readonly number[]): boolean => {
    const expression = operators.map((operator) => ({ operator, boolean: operator === COND_BOOL ? 1 : 0 }));
    const view = new PolicyView({ ...policy, conditionals: [{ ...block, expression }] });
    const target = policy.types.byName.get('guest_t')?.value ?? 0;
    const destroy = 1 << (release.classes[classId('domain') - 1]?.permissions.indexOf('destroy') ?? 0);
    return (view.ruleVectors(sourceOf(view), target, classId('domain')).allowed & destroy) !== 0;
  };
  expect(isAllowed(COND_BOOL)).toBe(true);
  expect(isAllowed(COND_AND)).toBe(false);
  expect(isAllowed(COND_BOOL, COND_AND)).toBe(false);
  expect(isAllowed(COND_NOT)).toBe(true);
  expect(isAllowed()).toBe(false);
});

test('of two range transitions for one key the first counts', () => {
  const rules = 'range_transition dom0_t nic_t:resource s1;';
  const policy = read({ isMls: true, rules });
  const [first] = policy.rangeTransitions;
  if (first === undefined) throw new Error('the policy has a transition');
  const low = { ...first.range.low, sensitivity: 1 };
  const view = new PolicyView({ ...policy, rangeTransitions: [first, { ...first, range: { low, high: low } }] });
  const [dom0, nic] = [view.read('system_u:system_r:dom0_t:s0'), view.read('system_u:object_r:nic_t:s0')];
  if (dom0 === undefined || nic === undefined) throw new Error('the policy has both');
  const { range } = view.newContext(dom0, nic, classId('resource'), 0x10);
  expect(range).toEqual(first.range);
});

describe('bounds of users and roles', () => {
  function faults(change: (policy: PolicyDb) => Partial<PolicyDb>): string[] {
    const policy = read();
    return loadFaults(new PolicyView({ ...policy, ...change(policy) }), release, true).map(({ message }) => message);
  }

  test('that go in a circle are too deep', () => {
    const circle = <T extends { readonly value: number }>(one: T): T => ({ ...one, bounds: one.value });
    const users = faults((policy) => ({
      users: symbolTable(policy.users.entries.map(circle), policy.users.primaryCount),
    }));
    expect(users).toEqual(
      ['system_u', 'customer_1', 'everyone'].map(
        (name) => `the bounds of user \`${name}\` are a loop or more than 3 deep`,
      ),
    );
    const roles = faults((policy) => ({
      roles: symbolTable(
        policy.roles.entries.map((one) => (one.name === 'vm_r' ? circle(one) : one)),
        policy.roles.primaryCount,
      ),
    }));
    expect(roles).toEqual(['the bounds of role `vm_r` are a loop or more than 3 deep']);
  });

  test('that have all that they bound are right', () => {
    const found = faults(({ users, roles }) => {
      const everyone = users.byName.get('everyone')?.value ?? 0;
      const bounded = users.entries.map((one) => (one.name === 'customer_1' ? { ...one, bounds: everyone } : one));
      const vm = roles.byName.get('vm_r');
      const wider = roles.entries.map((one) =>
        one.name === 'system_r' && vm !== undefined ? { ...one, types: vm.types, bounds: vm.value } : one,
      );
      return {
        users: symbolTable(bounded, users.primaryCount),
        roles: symbolTable(wider, roles.primaryCount),
        objectContexts: { initialSids: [], pirqs: [], ioports: [], iomem: [], pciDevices: [], deviceTree: [] },
      };
    });
    expect(found).toEqual([]);
  });
});

test('a host without a policy says nothing of a number beyond the initial SIDs', () => {
  const server = new SecurityServer({ release });
  expect(server.sidToContext(99)).toBe('');
  const snapshot = server.snapshot();
  const again = new SecurityServer({ release, isEnforcing: () => false });
  expect(again.resume(undefined, snapshot)).toBe(true);
  expect(again.snapshot()).toEqual(snapshot);
});

test('a context goes at a reload when its sensitivity is no longer known', () => {
  const log: string[] = [];
  const server = new SecurityServer({ release, log: (line) => log.push(line) });
  const load = (text: string): void => {
    const { bytes, diagnostics } = compileText(new SourceText('test.conf', text), { isMls: true });
    expect(diagnostics.map(({ message }) => message)).toEqual([]);
    expect(server.loadPolicy(bytes ?? new Uint8Array())).toMatchObject({ kind: 'loaded' });
  };
  const text = policyText({ isMls: true, users: 'user upper roles { vm_r } level s2 range s0 - s2:c0.c1;' });
  load(text);
  expect(server.contextToSid('upper:vm_r:guest_t:s2').kind).toBe('sid');
  load(text.replace('sensitivity s2;', 'sensitivity s3;').replace('s1 s2 }', 's1 s3 }').replaceAll('s2', 's3'));
  expect(log).toEqual(['Flask:  invalidating context upper:vm_r:guest_t:s2']);
});

describe('a policy whose rules go beyond its bounds', () => {
  const STEPS = [0, 1, 2, 3] as const;
  const DESTROY = 1 << 7;
  const types = STEPS.map((i) => `type s${i}_t; type t${i}_t;`).join(' ');
  const bounds = STEPS.slice(1).map((i) => `typebounds s${i}_t s${i - 1}_t; typebounds t${i}_t t${i - 1}_t;`);
  const policy = read({ rules: `${types}\n${bounds.join(' ')}\nrole vm_r types { s0_t t0_t };` });
  const numberOf = (name: string): number => policy.types.byName.get(name)?.value ?? 0;

  /** What is left of a permission that the rules give to all pairs but some. */
  function left(isGiven: (source: number, target: number) => boolean): number {
    const rules = new RuleTable();
    for (const source of STEPS) {
      for (const target of STEPS) {
        const given = isGiven(source, target) ? DESTROY : 1;
        const [from, to] = [numberOf(`s${source}_t`), numberOf(`t${target}_t`)];
        rules.push(AVTAB_ALLOWED, from, to, false, classId('domain'), given, 0);
      }
    }
    const view = new PolicyView({ ...policy, rules });
    const source = view.read('customer_1:vm_r:s0_t');
    const target = view.read('customer_1:vm_r:t0_t');
    if (source === undefined || target === undefined) throw new Error('the policy has both');
    return view.computeAv(source, target, classId('domain')).allowed;
  }

  /** XEN: `type_attribute_bounds_av` by hand: it is content with one of three looks further up. */
  function isLeft(isGiven: (source: number, target: number) => boolean, source = 0, target = 0): boolean {
    if (!isGiven(source, target)) return false;
    const above: boolean[] = [];
    if (source < 3) above.push(isLeft(isGiven, source + 1, target));
    if (target < 3) above.push(isLeft(isGiven, source, target + 1));
    if (source < 3 && target < 3) above.push(isLeft(isGiven, source + 1, target + 1));
    return above.length === 0 || above.some((one) => one);
  }

  test('is followed up to the last bound of both', () => {
    expect(left(() => true)).toBe(DESTROY);
    for (const lacking of STEPS.flatMap((source) => STEPS.map((target) => [source, target] as const))) {
      const isGiven = (source: number, target: number): boolean => source !== lacking[0] || target !== lacking[1];
      expect([lacking, left(isGiven) === DESTROY]).toEqual([lacking, isLeft(isGiven)]);
    }
    expect(left((source, target) => source !== 3 || target !== 3)).toBe(0);
  });
});

test('a constraint about what is not asked leaves the others', () => {
  const constraints =
    'constrain domain { create } ( u1 == customer_1 ); constrain domain { destroy } ( u1 == customer_1 );';
  const view = new PolicyView(read({ constraints }));
  const dom0 = view.read('system_u:system_r:dom0_t');
  if (dom0 === undefined) throw new Error('the policy has dom0');
  const [create, destroy, pause] = [1 << 4, 1 << 7, 1 << 1];
  const removed = (allowed: number): number => view.constrained(dom0, dom0, classId('domain'), allowed) & allowed;
  expect([create, destroy, create | destroy, pause, create | pause].map(removed)).toEqual([
    create,
    destroy,
    create | destroy,
    0,
    create,
  ]);
});
