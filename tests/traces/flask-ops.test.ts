/** FLASK's own hypercalls on the simulated Xen: what each checks, what it answers, and what lasts. */

import { FLASK_MODES, type FlaskMode, Hypervisor } from '@dewar/hypervisor';
import { xenRelease } from '@dewar/policy/releases';
import {
  type Actor,
  DOM0,
  DOMID_SELF,
  type Domid,
  type HypercallArgs,
  type HypercallName,
  type HypercallResult,
  type Port,
} from '@dewar/toolstack';
import { describe, expect, test } from 'vitest';
import { GUEST_UUID, HOST_RULES, policyBytes } from './rig-policy.ts';

const dom0: Actor = { domid: DOM0, process: 'flask tools' };
const guest: Actor = { domid: 1 as Domid, process: 'guest kernel' };

const SECURITY = xenRelease('4.17').classes.find(({ name }) => name === 'security')?.permissions ?? [];

/** The rules of the host, with all of class `security` for dom0 but what is taken away. */
function hostRules(without: readonly string[] = []): string {
  const kept = SECURITY.filter((permission) => !without.includes(permission));
  return `${HOST_RULES.replace(/allow dom0_t security_t:security .*\n/, '')}
allow dom0_t security_t:security { ${kept.join(' ')} };
allow dom0_t domU_t:domain { create };
allow dom0_t { dom0_t_channel guest_t_channel }:event { create send status };
allow dom0_t_channel { dom0_t domU_t }:event bind;
allow guest_t_channel dom0_t:event bind;
allow domU_t { dom0_t_channel guest_t_channel }:event { create send };
bool locked false; bool open true;
if (open) { allow dom0_t domU_t:domain pause; }
type_member dom0_t domU_t:domain xen_t;
type_change dom0_t domU_t:domain security_t;
`;
}

function boot(rules: string = hostRules(), flask: FlaskMode = 'enforcing'): Hypervisor {
  const outcome = Hypervisor.boot({ policy: policyBytes('', rules), flask });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return outcome.hypervisor;
}

/** What came back: the value, or the errno. */
function answer<N extends HypercallName>(
  hypervisor: Hypervisor,
  name: N,
  args: HypercallArgs<N>,
  actor = dom0,
): unknown {
  const result: HypercallResult<N> = hypervisor.call(actor, name, args);
  return result.kind === 'ok' ? result.value : result.errno;
}

/** The checks that one hypercall makes. */
function checks<N extends HypercallName>(
  hypervisor: Hypervisor,
  name: N,
  args: HypercallArgs<N>,
  actor = dom0,
): string[] {
  const seen: string[] = [];
  const stop = hypervisor.observe(({ source, target, class: tclass, permissions, outcome }) => {
    const short = (context: string): string => context.split(':')[2] ?? context;
    seen.push(`${short(source)} ${short(target)}:${tclass} ${permissions.join(' ')} ${outcome}`);
  });
  hypervisor.call(actor, name, args);
  stop();
  return seen;
}

function sid(hypervisor: Hypervisor, context: string): number {
  const result = hypervisor.call(dom0, 'xsm_op.context_to_sid', { context });
  if (result.kind === 'error') throw new Error(result.errno);
  return result.value.sid;
}

/** A snapshot as it comes back from a file. */
function restored(hypervisor: Hypervisor): Hypervisor {
  const again = Hypervisor.restore(JSON.parse(JSON.stringify(hypervisor.snapshot())));
  if (again === undefined) throw new Error('the snapshot does not read back');
  return again;
}

const DOM0_LABEL = 'system_u:system_r:dom0_t';
const DOMU_LABEL = 'system_u:system_r:domU_t';
const pirq = { kind: 'pirq', low: 9n, high: 9n } as const;
const triple = { source: 3, target: 12, tclass: 3 };
const policy = policyBytes('', hostRules());

/** Each operation that needs a permission, with arguments for which it then succeeds. */
const CHECKED: readonly { [N in HypercallName]: readonly [N, HypercallArgs<N>, string] }[HypercallName][] = [
  ['xsm_op.load_policy', { bytes: policy }, 'load_policy'],
  ['xsm_op.setenforce', { isEnforcing: false }, 'setenforce'],
  ['xsm_op.context_to_sid', { context: DOM0_LABEL }, 'check_context'],
  ['xsm_op.sid_to_context', { sid: 3 }, 'check_context'],
  ['xsm_op.access', triple, 'compute_av'],
  ['xsm_op.create', triple, 'compute_create'],
  ['xsm_op.relabel', triple, 'compute_relabel'],
  ['xsm_op.member', triple, 'compute_member'],
  ['xsm_op.setbool', { name: 'open', value: true, commit: true }, 'setbool'],
  ['xsm_op.commitbools', {}, 'setbool'],
  ['xsm_op.setavc_threshold', { threshold: 100 }, 'setsecparam'],
  ['xsm_op.add_ocontext', { ...pirq, sid: 12 }, 'add_ocontext'],
  ['xsm_op.devicetree_label', { path: '/soc', sid: 12 }, 'add_ocontext'],
];

/** Each operation that anyone may ask for, a guest too. */
const UNCHECKED: readonly { [N in HypercallName]: readonly [N, HypercallArgs<N>, object] }[HypercallName][] = [
  ['xsm_op.getenforce', {}, { isEnforcing: true }],
  ['xsm_op.policyvers', {}, { version: 30 }],
  ['xsm_op.mls', {}, { isMls: false }],
  ['xsm_op.getbool', { name: 'open' }, { name: 'open', enforcing: true, pending: true }],
  ['xsm_op.getavc_threshold', {}, { threshold: 512 }],
];

describe.each(CHECKED)('%s', (name, args, permission) => {
  test('makes one check, on the security server', () => {
    const hypervisor = boot();
    expect(checks(hypervisor, name, args)).toEqual([`dom0_t security_t:security ${permission} granted`]);
    expect(boot().call(dom0, name, args).kind).toBe('ok');
  });

  test('without the permission is refused with EACCES', () => {
    expect(answer(boot(hostRules([permission])), name, args)).toBe('EACCES');
  });

  test('answers ENOSYS where FLASK is disabled, and makes no check', () => {
    const hypervisor = boot(hostRules(), 'disabled');
    expect(answer(hypervisor, name, args)).toBe('ENOSYS');
    expect(checks(hypervisor, name, args)).toEqual([]);
  });

  test('is allowed to anyone before a policy is loaded', () => {
    const hypervisor = boot(hostRules(), 'late');
    if (!name.includes('bool')) expect(hypervisor.call(dom0, name, args).kind).toBe('ok');
    else expect(answer(hypervisor, name, args)).toEqual(name === 'xsm_op.setbool' ? 'ENOENT' : {});
  });
});

test.each(UNCHECKED)('%s may be asked by a guest that has no rights at all', (name, args, expected) => {
  const hypervisor = boot();
  hypervisor.call(dom0, 'domctl.createdomain', { ssidref: 12, maxVcpus: 1, handle: GUEST_UUID });
  expect(checks(hypervisor, name, args, guest)).toEqual([]);
  expect(answer(hypervisor, name, args, guest)).toEqual(expected);
});

test('operations that Xen gave up answer ENOSYS', () => {
  expect(answer(boot(), 'xsm_op.user', {})).toBe('ENOSYS');
  expect(answer(boot(), 'xsm_op.disable', {})).toBe('ENOSYS');
});

test('setting what is set already asks for no permission', () => {
  const hypervisor = boot(hostRules(['setenforce', 'setsecparam']));
  expect(answer(hypervisor, 'xsm_op.setenforce', { isEnforcing: true })).toEqual({});
  expect(answer(hypervisor, 'xsm_op.setavc_threshold', { threshold: 512 })).toEqual({});
});

test('computed labels follow the three kinds of type rules', () => {
  const hypervisor = boot();
  const label = (name: 'xsm_op.create' | 'xsm_op.relabel' | 'xsm_op.member', tclass: number): unknown => {
    const result = hypervisor.call(dom0, name, { ...triple, tclass });
    return result.kind === 'error' ? result.errno : answer(hypervisor, 'xsm_op.sid_to_context', result.value);
  };
  const context = (text: string): object => ({ context: text, size: text.length + 1 });
  // Class 3 is domain, class 9 event. Of a class number Xen keeps 16 bits.
  expect(label('xsm_op.create', 9)).toEqual(context('system_u:object_r:dom0_t_channel'));
  expect(label('xsm_op.create', 3)).toEqual(context(DOM0_LABEL));
  expect(label('xsm_op.member', 3)).toEqual(context('system_u:system_r:xen_t'));
  expect(label('xsm_op.relabel', 0x10003)).toEqual(context('system_u:system_r:security_t'));
});

test('a computed label that is not valid is EACCES when enforcing, and gets a SID when permissive', () => {
  const rules = `${hostRules()} type_change dom0_t domU_t:domain nomigrate_t;`.replace(
    /type_change .* security_t;/,
    '',
  );
  const hypervisor = boot(rules);
  expect(answer(hypervisor, 'xsm_op.relabel', triple)).toBe('EACCES');
  hypervisor.call(dom0, 'xsm_op.setenforce', { isEnforcing: false });
  expect(answer(hypervisor, 'xsm_op.relabel', triple)).toEqual({ sid: 14 });
  const label = 'system_u:system_r:nomigrate_t';
  expect(answer(restored(hypervisor), 'xsm_op.sid_to_context', { sid: 14 })).toMatchObject({ context: label });
});

test('a class that does not exist is EINVAL to access, whatever bits stand above the sixteenth', () => {
  const hypervisor = boot();
  expect(answer(hypervisor, 'xsm_op.access', { ...triple, tclass: 99 })).toBe('EINVAL');
  expect(answer(hypervisor, 'xsm_op.access', { ...triple, tclass: 0x10000 })).toBe('EINVAL');
  expect(answer(hypervisor, 'xsm_op.access', { ...triple, tclass: 0x10003 })).toMatchObject({ seqno: 1 });
});

test('a label needs room for its NUL too; one longer than a page is not looked at', () => {
  const hypervisor = boot();
  const size = DOM0_LABEL.length;
  expect(answer(hypervisor, 'xsm_op.sid_to_context', { sid: 3, size })).toBe('ERANGE');
  expect(answer(hypervisor, 'xsm_op.sid_to_context', { sid: 3, size: size + 1 })).toEqual({
    context: DOM0_LABEL,
    size: size + 1,
  });
  expect(answer(hypervisor, 'xsm_op.context_to_sid', { context: 'x'.repeat(4097) })).toBe('ENOBUFS');
  expect(answer(hypervisor, 'xsm_op.context_to_sid', { context: 'x'.repeat(4096) })).toBe('EINVAL');
  expect(answer(hypervisor, 'xsm_op.devicetree_label', { path: '/'.repeat(4097), sid: 3 })).toBe('ENOBUFS');
  expect(answer(hypervisor, 'xsm_op.getbool', { name: 'x'.repeat(4097) })).toBe('ENOBUFS');
});

test('a SID that names nothing has the label of unlabeled; before a policy it has none', () => {
  const label = 'system_u:system_r:unlabeled_t';
  expect(answer(boot(), 'xsm_op.sid_to_context', { sid: 9999 })).toEqual({ context: label, size: label.length + 1 });
  const late = boot(hostRules(), 'late');
  expect(answer(late, 'xsm_op.sid_to_context', { sid: 3 })).toEqual({ context: 'dom0', size: 5 });
  expect(answer(late, 'xsm_op.sid_to_context', { sid: 9999 })).toBe('EINVAL');
});

describe('booleans', () => {
  test('have a number, from 0 on, and a name', () => {
    const hypervisor = boot();
    const both = [0, 1, 2].map((id) => answer(hypervisor, 'xsm_op.getbool', { id }));
    expect(both).toEqual([
      { name: 'locked', enforcing: false, pending: false },
      { name: 'open', enforcing: true, pending: true },
      'ENOENT',
    ]);
    expect(answer(hypervisor, 'xsm_op.getbool', { name: 'nosuch' })).toBe('ENOENT');
    expect(answer(hypervisor, 'xsm_op.getbool', { id: 1, size: 3 })).toBe('ERANGE');
    expect(answer(hypervisor, 'xsm_op.getbool', { id: 1, size: 4 })).toMatchObject({ name: 'open' });
    expect(answer(hypervisor, 'xsm_op.getbool', { id: -1 })).toBe('ENOENT');
  });

  test('change at a commit, which may come from a later command', () => {
    const hypervisor = boot();
    const pause = (on: Hypervisor): unknown => answer(on, 'xsm_op.access', triple);
    const before = pause(hypervisor);
    expect(answer(hypervisor, 'xsm_op.setbool', { id: 1, value: false, commit: false })).toEqual({
      enforcing: true,
      pending: false,
    });
    expect(pause(hypervisor)).toEqual(before);
    const later = restored(hypervisor);
    expect(answer(later, 'xsm_op.getbool', { name: 'open' })).toEqual({
      name: 'open',
      enforcing: true,
      pending: false,
    });
    expect(answer(later, 'xsm_op.commitbools', {})).toEqual({});
    expect(answer(later, 'xsm_op.getbool', { name: 'open' })).toEqual({
      name: 'open',
      enforcing: false,
      pending: false,
    });
    expect(pause(later)).not.toEqual(before);
    expect(answer(later, 'xsm_op.setbool', { name: 'open', value: true, commit: true })).toEqual({
      enforcing: true,
      pending: true,
    });
  });

  test('that were never noted make a commit do nothing; a load forgets those that were', () => {
    const hypervisor = boot();
    const committed = (): number => hypervisor.snapshot().console.filter((line) => /committed/.test(line)).length;
    hypervisor.call(dom0, 'xsm_op.commitbools', {});
    hypervisor.call(dom0, 'xsm_op.setbool', { name: 'open', value: false, commit: false });
    hypervisor.call(dom0, 'xsm_op.load_policy', { bytes: policy });
    hypervisor.call(dom0, 'xsm_op.commitbools', {});
    expect(committed()).toBe(0);
    expect(answer(hypervisor, 'xsm_op.getbool', { name: 'open' })).toMatchObject({ enforcing: true, pending: true });
  });
});

describe('labels of resources', () => {
  test('last from one command to the next, and not beyond a load', () => {
    const hypervisor = boot();
    expect(answer(hypervisor, 'xsm_op.add_ocontext', { ...pirq, sid: 12 })).toEqual({});
    const top = { kind: 'iomem', low: 0xfffffffffffff000n, high: 0xffffffffffffffffn } as const;
    expect(answer(hypervisor, 'xsm_op.add_ocontext', { ...top, sid: 12 })).toEqual({});
    expect(answer(hypervisor, 'xsm_op.devicetree_label', { path: '/soc/eth', sid: 12 })).toEqual({});
    const later = restored(hypervisor);
    expect(answer(later, 'xsm_op.add_ocontext', { ...pirq, sid: 3 })).toBe('EEXIST');
    expect(answer(later, 'xsm_op.add_ocontext', { ...top, low: top.high, sid: 3 })).toBe('EEXIST');
    expect(answer(later, 'xsm_op.devicetree_label', { path: '/soc/eth', sid: 12 })).toBe('EEXIST');
    later.call(dom0, 'xsm_op.load_policy', { bytes: policy });
    expect(answer(later, 'xsm_op.del_ocontext', pirq)).toBe('ENOENT');
    expect(answer(later, 'xsm_op.del_ocontext', top)).toBe('ENOENT');
    expect(answer(later, 'xsm_op.devicetree_label', { path: '/soc/eth', sid: 0 })).toBe('ENOENT');
  });

  test('that end before they begin are refused before any check', () => {
    const hypervisor = boot(hostRules(['add_ocontext', 'del_ocontext']));
    const turned = { kind: 'ioport', low: 2n, high: 1n } as const;
    expect(answer(hypervisor, 'xsm_op.add_ocontext', { ...turned, sid: 3 })).toBe('EINVAL');
    expect(answer(hypervisor, 'xsm_op.del_ocontext', turned)).toBe('EINVAL');
    expect(checks(hypervisor, 'xsm_op.add_ocontext', { ...turned, sid: 3 })).toEqual([]);
  });

  test('are taken away under a permission of its own', () => {
    const hypervisor = boot();
    hypervisor.call(dom0, 'xsm_op.add_ocontext', { ...pirq, sid: 12 });
    hypervisor.call(dom0, 'xsm_op.devicetree_label', { path: '/soc', sid: 12 });
    expect(checks(hypervisor, 'xsm_op.del_ocontext', pirq)).toEqual([
      'dom0_t security_t:security del_ocontext granted',
    ]);
    expect(checks(hypervisor, 'xsm_op.devicetree_label', { path: '/soc', sid: 0 })).toEqual([
      'dom0_t security_t:security del_ocontext granted',
    ]);
    expect(answer(hypervisor, 'xsm_op.del_ocontext', pirq)).toBe('ENOENT');
    const locked = boot(hostRules(['del_ocontext']));
    expect(answer(locked, 'xsm_op.del_ocontext', pirq)).toBe('EACCES');
    expect(answer(locked, 'xsm_op.devicetree_label', { path: '/soc', sid: 0 })).toBe('EACCES');
  });

  test('of interrupts and devices are for one number', () => {
    const range = { kind: 'pcidevice', low: 1n, high: 2n, sid: 3 } as const;
    expect(answer(boot(), 'xsm_op.add_ocontext', range)).toBe('EINVAL');
  });
});

describe('the cache', () => {
  test('tells how full it is, and how it was used', () => {
    const hypervisor = boot();
    expect(answer(hypervisor, 'xsm_op.avc_hashstats', {})).toEqual({
      entries: 1,
      bucketsUsed: 1,
      bucketsTotal: 512,
      maxChainLength: 1,
    });
    hypervisor.call(dom0, 'xsm_op.commitbools', {});
    hypervisor.call(dom0, 'xsm_op.commitbools', {});
    const used = { lookups: 3, hits: 1, misses: 2, allocations: 2, reclaims: 0, frees: 0 };
    expect(answer(hypervisor, 'xsm_op.avc_cachestats', { cpu: 0 })).toEqual(used);
    const unused = { lookups: 0, hits: 0, misses: 0, allocations: 0, reclaims: 0, frees: 0 };
    expect(answer(hypervisor, 'xsm_op.avc_cachestats', { cpu: 1 })).toEqual(unused);
    expect(answer(hypervisor, 'xsm_op.avc_cachestats', { cpu: 2 })).toBe('ENOENT');
  });

  test('lasts with its threshold, so that a permissive denial is told once', () => {
    const hypervisor = boot(hostRules(['setbool']), 'permissive');
    const denials = (on: Hypervisor): number => on.snapshot().console.filter((line) => /setbool/.test(line)).length;
    hypervisor.call(dom0, 'xsm_op.setavc_threshold', { threshold: 64 });
    hypervisor.call(dom0, 'xsm_op.commitbools', {});
    const later = restored(hypervisor);
    later.call(dom0, 'xsm_op.commitbools', {});
    expect([denials(hypervisor), denials(later)]).toEqual([1, 1]);
    expect(answer(later, 'xsm_op.getavc_threshold', {})).toEqual({ threshold: 64 });
    expect(answer(later, 'xsm_op.setavc_threshold', { threshold: -1 })).toBe('EINVAL');
    // What enforcing does not let pass is told again once permissive mode has ended.
    later.call(dom0, 'xsm_op.setenforce', { isEnforcing: true });
    expect(answer(later, 'xsm_op.commitbools', {})).toBe('EACCES');
    expect(denials(later)).toBe(2);
  });
});

test('the peer of an event channel is known by the label that it has now', () => {
  const rules = `${hostRules()} allow dom0_t domU_t:domain2 relabelfrom; allow dom0_t nomigrate_t:domain2 relabelto;
    allow domU_t nomigrate_t:domain transition; allow system_r vm_r;`;
  const hypervisor = boot(rules);
  const made = { ssidref: 12, maxVcpus: 1, handle: GUEST_UUID };
  expect(answer(hypervisor, 'domctl.createdomain', made)).toEqual({ domid: 1 });
  const ask = (port: number, actor = guest): unknown =>
    answer(hypervisor, 'xsm_op.get_peer_sid', { port: port as Port }, actor);
  expect(answer(hypervisor, 'event_channel_op.alloc_unbound', { domid: DOM0, remote: guest.domid })).toEqual({
    port: 1,
  });
  expect(ask(1, dom0)).toBe('EINVAL');
  const bound = { remote: DOM0, remotePort: 1 as Port };
  expect(answer(hypervisor, 'event_channel_op.bind_interdomain', bound, guest)).toEqual({ port: 1 });
  expect(ask(1)).toEqual({ sid: 3 });
  expect(ask(2)).toBe('EINVAL');
  expect(ask(1, dom0)).toEqual({ sid: 12 });
  const label = 'user_1:vm_r:nomigrate_t';
  const relabel = { domid: guest.domid, sid: sid(hypervisor, label) };
  expect(answer(hypervisor, 'xsm_op.relabel_domain', relabel)).toEqual({});
  expect(ask(1, dom0)).toEqual({ sid: relabel.sid });
});

test('a domain that names itself needs relabelself; by its number, relabelfrom and relabelto', () => {
  const hypervisor = boot(
    `${hostRules()} allow dom0_t domU_t:domain2 relabelself; allow dom0_t domU_t:domain transition;`,
  );
  expect(checks(hypervisor, 'xsm_op.relabel_domain', { domid: DOM0, sid: 12 })).toEqual([
    'dom0_t dom0_t:domain2 relabelfrom denied',
  ]);
  expect(checks(hypervisor, 'xsm_op.relabel_domain', { domid: DOMID_SELF, sid: 12 })).toEqual([
    'dom0_t domU_t:domain2 relabelself granted',
    'dom0_t domU_t:domain transition granted',
  ]);
  expect(hypervisor.inspectDomain(DOM0)?.label).toBe(DOMU_LABEL);
  expect(answer(hypervisor, 'xsm_op.relabel_domain', { domid: 9 as Domid, sid: 12 })).toBe('ESRCH');
});

describe('loading a policy', () => {
  const bool = /bool locked false;/;

  test('keeps the labels of the initial SIDs, and the values of the booleans by name', () => {
    const hypervisor = boot();
    hypervisor.call(dom0, 'xsm_op.setbool', { name: 'open', value: false, commit: true });
    const next = policyBytes('', hostRules().replace(bool, 'bool fresh true;'));
    expect(answer(hypervisor, 'xsm_op.load_policy', { bytes: next })).toEqual({});
    const all = [0, 1].map((id) => answer(hypervisor, 'xsm_op.getbool', { id }));
    expect(all).toEqual([
      { name: 'fresh', enforcing: true, pending: true },
      { name: 'open', enforcing: false, pending: false },
    ]);
    const later = restored(hypervisor);
    expect([0, 1].map((id) => answer(later, 'xsm_op.getbool', { id }))).toEqual(all);
  });

  test('that Xen cannot take leaves the old one in force', () => {
    const hypervisor = boot();
    expect(answer(hypervisor, 'xsm_op.load_policy', { bytes: policy.slice(0, 200) })).toBe('EINVAL');
    expect(answer(hypervisor, 'xsm_op.load_policy', { bytes: new Uint8Array(0x4000001) })).toBe('EINVAL');
    expect(answer(hypervisor, 'xsm_op.sid_to_context', { sid: 3 })).toMatchObject({ context: DOM0_LABEL });
  });

  test('leaves a domain unlabeled whose label is gone, until it is relabelled', () => {
    const own = 'type own_t; role system_r types own_t; allow dom0_t own_t:domain create;';
    const hypervisor = boot(`${hostRules()} ${own}`);
    const old = sid(hypervisor, 'system_u:system_r:own_t');
    hypervisor.call(dom0, 'domctl.createdomain', { ssidref: old, maxVcpus: 1, handle: GUEST_UUID });
    const label = (on: Hypervisor): string | undefined => on.inspectDomain(guest.domid)?.label;
    expect(label(hypervisor)).toBe('system_u:system_r:own_t');
    hypervisor.call(dom0, 'xsm_op.load_policy', { bytes: policy });
    expect(label(hypervisor)).toBe('system_u:system_r:unlabeled_t');
    const again = policyBytes('', `${hostRules()} ${own}`);
    expect(answer(hypervisor, 'xsm_op.load_policy', { bytes: again })).toEqual({});
    // The type is back, and its label has a new number.
    expect(label(restored(hypervisor))).toBe('system_u:system_r:unlabeled_t');
    hypervisor.call(dom0, 'xsm_op.setenforce', { isEnforcing: false });
    hypervisor.call(dom0, 'xsm_op.relabel_domain', {
      domid: guest.domid,
      sid: sid(hypervisor, 'system_u:system_r:own_t'),
    });
    expect(label(hypervisor)).toBe('system_u:system_r:own_t');
  });
});

describe('flask=', () => {
  test.each(FLASK_MODES)('%s lasts in a snapshot', (mode) => {
    const hypervisor = boot(hostRules(), mode);
    expect(restored(hypervisor).flask).toEqual(hypervisor.flask);
    expect(hypervisor.flask.mode).toBe(mode);
    expect(JSON.parse(JSON.stringify(restored(hypervisor).snapshot()))).toEqual(
      JSON.parse(JSON.stringify(hypervisor.snapshot())),
    );
  });

  test('says on the console how it starts', () => {
    const first = (mode: FlaskMode): string | undefined => boot(hostRules(), mode).snapshot().console[0];
    expect(first('enforcing')).toBe('(XEN) Flask:  Starting in enforcing mode.');
    expect(first('permissive')).toBe('(XEN) Flask:  Starting in permissive mode.');
    expect(first('late')).toBe('(XEN) Flask:  Access controls disabled until policy is loaded.');
    expect(first('disabled')).toBe('(XEN) Flask: Disabled at boot.');
  });

  test('late allows everything and enforces from the first load on', () => {
    const hypervisor = boot(hostRules(['setbool']), 'late');
    expect(hypervisor.flask).toEqual({ mode: 'late', isEnforcing: true, isLoaded: false });
    expect(hypervisor.inspectDomain(DOM0)?.label).toBe('dom0');
    expect(answer(hypervisor, 'xsm_op.getenforce', {})).toEqual({ isEnforcing: true });
    expect(answer(hypervisor, 'xsm_op.commitbools', {})).toEqual({});
    // A label is the name of an initial SID; any other text stands for Xen itself.
    expect(answer(hypervisor, 'xsm_op.context_to_sid', { context: DOMU_LABEL })).toEqual({ sid: 2 });
    expect(answer(hypervisor, 'xsm_op.context_to_sid', { context: 'domU' })).toEqual({ sid: 12 });
    const late = restored(hypervisor);
    expect(answer(late, 'xsm_op.load_policy', { bytes: policyBytes('', hostRules(['setbool'])) })).toEqual({});
    expect(late.snapshot().console.at(-1)).toBe('(XEN) Flask: Policy loaded, continuing in enforcing mode.');
    expect(answer(late, 'xsm_op.commitbools', {})).toBe('EACCES');
    expect(late.inspectDomain(DOM0)?.label).toBe(DOM0_LABEL);
  });

  test('before a policy any guest may load the first one', () => {
    const hypervisor = boot(hostRules(), 'late');
    hypervisor.call(dom0, 'domctl.createdomain', { ssidref: 12, maxVcpus: 1, handle: GUEST_UUID });
    expect(answer(hypervisor, 'xsm_op.load_policy', { bytes: policy }, guest)).toEqual({});
    expect(answer(hypervisor, 'xsm_op.load_policy', { bytes: policy }, guest)).toBe('EACCES');
  });

  test('a policy that Xen cannot take stops an enforcing Xen, and leaves a permissive one without', () => {
    const bad = policy.slice(0, 100);
    expect(Hypervisor.boot({ policy: bad })).toMatchObject({ kind: 'refused' });
    expect(Hypervisor.boot({})).toEqual({ kind: 'refused', reason: 'Xen found no policy' });
    const outcome = Hypervisor.boot({ policy: bad, flask: 'permissive' });
    if (outcome.kind === 'refused') throw new Error(outcome.reason);
    expect(outcome.policyRefused).toMatch(/./);
    expect(outcome.hypervisor.flask).toEqual({ mode: 'permissive', isEnforcing: false, isLoaded: false });
  });

  test('disabled leaves the rules that Xen has by itself: dom0 may, a guest may only touch itself', () => {
    const hypervisor = boot(hostRules(), 'disabled');
    const made = { ssidref: 12, maxVcpus: 1, handle: GUEST_UUID };
    expect(answer(hypervisor, 'domctl.createdomain', made)).toEqual({ domid: 1 });
    const { domid } = guest;
    expect(answer(hypervisor, 'domctl.getdomaininfo', { domid })).toMatchObject({ ssidref: 0 });
    expect(hypervisor.inspectDomain(DOM0)?.info.ssidref).toBe(0);
    expect(hypervisor.inspectDomain(domid)?.label).toBe('');
    expect(answer(hypervisor, 'domctl.pausedomain', { domid: DOM0 }, guest)).toBe('EPERM');
    expect(answer(hypervisor, 'sysctl.getdomaininfolist', { first: DOM0, max: 9 }, guest)).toBe('EPERM');
    expect(answer(hypervisor, 'memory_op.current_reservation', { domid }, guest)).toEqual({ pages: 0 });
    expect(answer(hypervisor, 'memory_op.current_reservation', { domid: DOM0 }, guest)).toBe('EPERM');
    expect(answer(hypervisor, 'xen_version.extraversion', {}, guest)).toEqual({ text: '.5' });
    expect(hypervisor.snapshot().console).toEqual(['(XEN) Flask: Disabled at boot.']);
  });
});
