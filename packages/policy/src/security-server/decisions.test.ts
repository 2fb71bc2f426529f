import { describe, expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { type Context, Ebitmap, readPolicydb, symbolTable } from '../policydb/index.ts';
import { xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { type PolicyTextOptions, policyText } from './fixtures/policy-text.ts';
import { PolicyView, SecurityServer } from './index.ts';

const { classes } = xenRelease('4.17');

function compile(options: PolicyTextOptions): Uint8Array {
  const { bytes, diagnostics } = compileText(new SourceText('test.conf', policyText(options)), {
    isMls: options.isMls ?? false,
  });
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return bytes;
}

function viewOf(options: PolicyTextOptions): PolicyView {
  const read = readPolicydb(compile(options));
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  return new PolicyView(read.policy);
}

function contextOf(view: PolicyView, text: string): Context {
  const context = view.parse(text);
  if ('part' in context) throw new Error(context.message);
  return context;
}

/** The permissions that a source has on a target. */
function allowed(view: PolicyView, source: string, target: string, className = 'domain'): string {
  const symbol = classes.find(({ name }) => name === className);
  const { allowed: bits } = view.computeAv(contextOf(view, source), contextOf(view, target), symbol?.id ?? 0);
  return (symbol?.permissions ?? []).filter((_, bit) => ((bits >>> bit) & 1) !== 0).join(' ');
}

const dom0 = 'system_u:system_r:dom0_t';
const guest = 'customer_1:vm_r:guest_t';

describe('rules', () => {
  test('about attributes count for all their types, and conditional ones where their block holds', () => {
    const rules = `
      bool open false;
      allow domain_type domain_type:domain { pause resume };
      if (open) { allow domain_type guest_t:domain destroy; } else { allow dom0_t domain_type:domain hypercall; }
    `;
    const view = viewOf({ rules });
    expect(allowed(view, dom0, guest)).toBe('pause unpause resume create hypercall');
    expect(allowed(view, guest, guest)).toBe('pause resume');
    view.booleans[1] = true;
    view.applyBooleans();
    expect(allowed(view, dom0, guest)).toBe('pause unpause resume create destroy');
    expect(allowed(view, guest, guest)).toBe('pause resume destroy');
  });

  test('that audit or do not audit add up', () => {
    const rules = `
      auditallow dom0_t guest_t:domain create; auditallow domain_type domain_type:domain pause;
      dontaudit dom0_t guest_t:domain destroy; dontaudit domain_type domain_type:domain resume;
    `;
    const view = viewOf({ rules });
    const domain = classes.find(({ name }) => name === 'domain');
    const names = (bits: number): string[] => (domain?.permissions ?? []).filter((_, i) => ((bits >>> i) & 1) !== 0);
    const found = view.computeAv(contextOf(view, dom0), contextOf(view, guest), domain?.id ?? 0);
    expect(names(found.auditAllow)).toEqual(['pause', 'create']);
    expect(names(~found.auditDeny)).toEqual(['resume', 'destroy']);
  });

  test('count for a type even where the file leaves it out of its own attributes', () => {
    const read = readPolicydb(compile({}));
    if ('diagnostic' in read) throw new Error(read.diagnostic.message);
    const typeAttributeMap = read.policy.typeAttributeMap.map(() => Ebitmap.empty);
    expect(allowed(new PolicyView({ ...read.policy, typeAttributeMap }), dom0, guest)).toBe('pause unpause create');
  });
});

describe('a condition', () => {
  /** Whether a rule in the block holds, for a and b of 00, 01, 10 and 11. */
  function truth(condition: string): string {
    const view = viewOf({
      rules: `bool a false; bool b false; if (${condition}) { allow dom0_t guest_t:domain destroy; }`,
    });
    const [a = 0, b = 0] = ['a', 'b'].map((name) => view.policy.booleans.byName.get(name)?.value);
    const held = [0, 1, 2, 3].map((values) => {
      view.booleans[a] = (values & 2) !== 0;
      view.booleans[b] = (values & 1) !== 0;
      view.applyBooleans();
      return allowed(view, dom0, guest).includes('destroy') ? '1' : '0';
    });
    return held.join('');
  }

  test.each([
    ['a', '0011'],
    ['!a', '1100'],
    ['a && b', '0001'],
    ['a || b', '0111'],
    ['a ^ b', '0110'],
    ['a == b', '1001'],
    ['a != b', '0110'],
    ['!(a && !b)', '1101'],
    ['!a || b', '1101'],
    ['(a || b) && !(a && b)', '0110'],
  ])('%s', (condition, expected) => {
    expect(truth(condition)).toBe(expected);
  });

  test('whose expression names nothing is false', () => {
    const view = viewOf({ rules: 'bool a true; if (a) { allow dom0_t guest_t:domain destroy; }' });
    const conditionals = view.policy.conditionals.map((one) => ({ ...one, expression: [] }));
    expect(allowed(new PolicyView({ ...view.policy, conditionals }), dom0, guest)).toBe('pause unpause create');
  });
});

test('a type that the policy does not have may do nothing, and nothing may be done to it', () => {
  const view = viewOf({});
  const type = view.policy.types.byName.get('dom0_t')?.value ?? 0;
  for (const [source, target] of [
    [9999, type],
    [type, 9999],
    [9999, 9999],
  ] as const) {
    expect(view.ruleVectors(source, target, 3)).toEqual({ allowed: 0, auditAllow: 0, auditDeny: 0xffffffff });
  }
});

describe('a change of role', () => {
  const rules = 'allow domain_type domain_type:domain { transition create };';
  const asDom0 = 'everyone:system_r:dom0_t';

  test('takes `transition` away where no role allow rule gives it', () => {
    const view = viewOf({ rules });
    expect(allowed(view, asDom0, guest)).toBe('pause unpause create');
    expect(allowed(view, guest, guest)).toBe('create transition');
  });

  test('is allowed in the direction of the rule only', () => {
    const view = viewOf({ rules: `${rules} allow system_r vm_r;` });
    expect(allowed(view, asDom0, guest)).toBe('pause unpause create transition');
    expect(allowed(view, guest, asDom0)).toBe('create');
  });
});

describe('constraints', () => {
  /** What is left of `create` and `pause` for dom0 on the guest. */
  function left(constraint: string, source = dom0, target = guest): string {
    return allowed(viewOf({ constraints: `constrain domain { create pause } (${constraint});` }), source, target);
  }

  test.each([
    ['u1 == u2', 'unpause'],
    ['u1 != u2', 'pause unpause create'],
    ['t1 == dom0_t', 'pause unpause create'],
    ['t2 != domain_type', 'unpause'],
    ['r1 == system_r and r2 == vm_r', 'pause unpause create'],
    ['r1 == vm_r or u2 == customer_1', 'pause unpause create'],
    ['not (u2 == customer_1)', 'unpause'],
    // A role dominates itself only.
    ['r1 dom r2', 'unpause'],
    ['r1 domby r2', 'unpause'],
    ['r1 incomp r2', 'pause unpause create'],
    ['r1 eq r2', 'unpause'],
  ])('%s', (constraint, expected) => {
    expect(left(constraint)).toBe(expected);
  });

  test('a role dominates itself', () => {
    const target = 'system_u:system_r:domU_t';
    const view = (constraint: string): PolicyView =>
      viewOf({ rules: 'allow dom0_t domU_t:domain create;', constraints: `constrain domain create (${constraint});` });
    expect(allowed(view('r1 dom r2'), dom0, target)).toBe('create');
    expect(allowed(view('r1 domby r2'), dom0, target)).toBe('create');
    expect(allowed(view('r1 incomp r2'), dom0, target)).toBe('');
  });

  test('of one class each take what is theirs', () => {
    const constraints = 'constrain domain create (u1 == u2); constrain domain pause (u1 == u2);';
    expect(allowed(viewOf({ constraints }), dom0, guest)).toBe('unpause');
  });

  test('object_r dominates nothing where a binary says that it does', () => {
    const { policy } = viewOf({
      rules: 'allow dom0_t nic_t:domain create;',
      constraints: 'constrain domain create (r1 dom r2);',
    });
    const entries = policy.roles.entries.map((one) => ({ ...one, dominates: Ebitmap.of([0, 1, 2]) }));
    const view = new PolicyView({ ...policy, roles: symbolTable(entries, policy.roles.primaryCount) });
    expect(allowed(view, 'system_u:object_r:dom0_t', 'system_u:object_r:nic_t')).toBe('');
  });

  test('object_r dominates nothing, not even itself', () => {
    const rules = 'allow dom0_t nic_t:domain create;';
    const view = (constraint: string): PolicyView =>
      viewOf({ rules, constraints: `constrain domain create (${constraint});` });
    const [source, target] = ['system_u:object_r:dom0_t', 'system_u:object_r:nic_t'];
    expect(allowed(view('r1 dom r2'), source, target)).toBe('');
    expect(allowed(view('r1 incomp r2'), source, target)).toBe('create');
  });

  test.each([
    ['l1 dom l2', 's0', 's0', true],
    ['l1 dom l2', 's1', 's0', true],
    ['l1 dom l2', 's1', 's0:c0', false],
    ['l1 domby h2', 's0', 's0-s1:c1', true],
    ['h1 incomp h2', 's0:c0', 's0:c1', true],
    ['h1 incomp h2', 's1', 's0', false],
    ['l1 eq h1', 's0-s1', 's0', false],
    ['l2 eq h2', 's0-s1', 's0', true],
    ['l1 != l2', 's0:c1', 's0:c1', false],
    ['h1 eq l2', 's0-s1:c1.c3', 's1:c1.c3', true],
  ])('%s for %s and %s', (constraint, sourceRange, targetRange, holds) => {
    const view = viewOf({ isMls: true, mlsConstraints: `mlsconstrain domain create (${constraint});` });
    const found = allowed(view, `${dom0}:${sourceRange}`, `${guest}:${targetRange}`);
    expect(found).toBe(holds ? 'pause unpause create' : 'pause unpause');
  });
});

describe('bounds', () => {
  // The constraint takes from the bounding types what the bounded ones keep.
  const rules = `
    type high_t; type low_t; role vm_r types { high_t low_t };
    allow dom0_t { high_t low_t }:domain { create pause };
    allow { high_t low_t } guest_t:domain { create pause };
    allow { high_t low_t } { high_t low_t }:domain { create pause };
    typebounds high_t low_t;
  `;
  const [high, low] = ['customer_1:vm_r:high_t', 'customer_1:vm_r:low_t'];
  const constrained = (constraint: string): PolicyView =>
    viewOf({ rules, constraints: `constrain domain create (${constraint});` });

  test('take from a bounded source what its bound may not do', () => {
    const view = constrained('t1 != high_t');
    expect(allowed(view, high, guest)).toBe('pause');
    expect(allowed(view, low, guest)).toBe('pause');
  });

  test('count for a bounded target too', () => {
    expect(allowed(constrained('t2 != high_t'), dom0, low)).toBe('pause');
  });

  test('take nothing where one of the three attempts is allowed everything', () => {
    // Bounding source with bounded target fails, bounded source with bounding target succeeds.
    expect(allowed(constrained('t1 != high_t or t2 != low_t'), low, low)).toBe('pause create');
  });

  test('take what the last attempt lacked', () => {
    expect(allowed(constrained('t1 != high_t and t2 != high_t'), low, low)).toBe('pause');
  });

  test('that go round in a circle, which Xen would not load, do not hang', () => {
    const read = readPolicydb(compile({ rules }));
    if ('diagnostic' in read) throw new Error(read.diagnostic.message);
    const { types } = read.policy;
    const bounds = types.byName.get('low_t')?.value ?? 0;
    const entries = types.entries.map((one) => (one.name === 'high_t' ? { ...one, bounds } : one));
    const view = new PolicyView({ ...read.policy, types: symbolTable(entries, types.primaryCount) });
    expect(allowed(view, low, high)).toBe('pause create');
  });

  test('are told on the console each time that a decision is made', () => {
    const log: string[] = [];
    const server = new SecurityServer({ release: xenRelease('4.17'), log: (line) => log.push(line) });
    server.loadPolicy(compile({ rules, constraints: 'constrain domain { create pause } (t1 != high_t);' }));
    const sid = (text: string): number => {
      const found = server.contextToSid(text);
      return found.kind === 'sid' ? found.sid : 0;
    };
    server.computeAv(sid(low), sid(guest), 3);
    expect(log).toEqual([
      `Flask: op=security_compute_av reason=bounds scontext=${low} tcontext=${guest} tclass=domain perms=pause,create`,
    ]);
  });
});
