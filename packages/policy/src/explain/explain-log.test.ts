import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { userSpan } from '../text/index.ts';
import type { Cause, Finding } from './findings.ts';
import { avc, explain, explainOne, subjectOf } from './fixtures/explained.ts';

const DOM0 = 'system_u:system_r:dom0_t';
const guest = (type: string, user = 'customer_1'): string => `${user}:vm_r:${type}`;
const example = subjectOf(examplePolicy());
/** The example policy without the rules about rules that hold what `nomigrate_t` is for. */
const unstated = examplePolicy({ 'modules/nomigrate.te': (text) => text.replace(/^neverallow[^;]*;/gm, '') });

/** `file:line statement` of what a finding points at. */
function placesOf({ cause }: Finding): string[] {
  const rules = 'rules' in cause ? cause.rules : [];
  return rules.map(({ text, origin }) => {
    if (origin === undefined) return text;
    const { source, start } = userSpan(origin);
    return `${source.name}:${source.positionAt(start).line} ${text}`;
  });
}

function lineOf(file: string, text: string): number {
  const all = examplePolicy().readText(file)?.split('\n') ?? [];
  const at = all.indexOf(text);
  if (at < 0) throw new Error(`${file} has no line ${text}`);
  return at + 1;
}

/** What a finding proposes. */
function proposed({ cause }: Finding & { readonly cause: Extract<Cause, { fix: unknown }> }): readonly string[] {
  return cause.fix.chosen.lines;
}

test('what the policy allows was denied by another policy, and the line that allows it is named', () => {
  const finding = explainOne(
    'stale',
    example,
    avc(DOM0, guest('domU_t'), 'domain unpause'),
    avc(DOM0, guest('domU_t'), 'hvm dm'),
  );
  const manage = lineOf('modules/domU.te', 'manage_domain(dom0_t, domU_t)');
  const create = lineOf('modules/domU.te', 'create_domain(dom0_t, domU_t)');
  expect(placesOf(finding)).toEqual([
    `modules/domU.te:${manage} manage_domain(dom0_t, domU_t)`,
    `modules/domU.te:${create} create_domain(dom0_t, domU_t)`,
  ]);
  expect(finding.lines).toHaveLength(2);
});

test('equal lines are one, with their count, their places in the log and their domains', () => {
  const line = (domain: number): string => avc(DOM0, guest('domU_t'), 'domain pause', `source=d0 target=d${domain}`);
  const [finding] = explain(example, line(1), 'noise', line(2), line(1));
  expect(finding?.lines).toHaveLength(1);
  expect(finding?.lines[0]?.group).toMatchObject({ count: 3, lastLine: 4, targetDomains: ['1', '2'] });
  expect(finding?.lines[0]?.group.first.line).toBe(1);
});

test('a permission without a rule is answered by the nearest macro call, beside the statements on the same types', () => {
  const without = examplePolicy({ 'modules/isolated_domU.te': (text) => text.replace(/^manage_domain.*\n/m, '') });
  const finding = explainOne('no-rule', subjectOf(without), avc(DOM0, guest('isolated_domU_t'), 'domain unpause'));
  expect(proposed(finding)).toEqual(['manage_domain(dom0_t, isolated_domU_t)']);
  expect(finding.cause.fix.least?.lines).toEqual(['allow dom0_t isolated_domU_t:domain unpause;']);
  expect(finding.placement?.path).toBe('modules/isolated_domU.te');
});

test('denials of several classes and labels that one call answers have one cause', () => {
  const without = examplePolicy({ 'modules/isolated_domU.te': (text) => text.replace(/^domain_comms.*\n/m, '') });
  const finding = explainOne(
    'no-rule',
    subjectOf(without),
    avc(DOM0, guest('isolated_domU_t'), 'grant map_read map_write'),
    avc('system_u:object_r:dom0_t_channel', guest('isolated_domU_t'), 'event bind', 'current=d0'),
    avc('customer_1:object_r:isolated_domU_t_channel', DOM0, 'event bind', 'current=d1'),
    avc(DOM0, guest('isolated_domU_t'), 'grant unmap'),
  );
  expect(proposed(finding)).toEqual(['domain_comms(dom0_t, isolated_domU_t)']);
  expect(finding.lines).toHaveLength(4);
});

test('the macro that gives less beside is the nearer one', () => {
  const without = examplePolicy({ 'modules/isolated_domU.te': (text) => text.replace(/^domain_comms.*\n/m, '') });
  const bind = avc('system_u:object_r:dom0_t_channel', guest('isolated_domU_t'), 'event bind', 'current=d0');
  expect(proposed(explainOne('no-rule', subjectOf(without), bind))).toEqual([
    'create_channel(dom0_t, isolated_domU_t, dom0_t_channel)',
  ]);
});

test('devices are delegated by the macro for it, not by a rule', () => {
  const finding = explainOne('no-rule', example, avc(DOM0, guest('isolated_domU_t'), 'resource add'));
  expect(proposed(finding)).toEqual(['delegate_devices(dom0_t, isolated_domU_t)']);
});

test('what no macro gives without giving much more is a rule, under the label of the build too', () => {
  const without = examplePolicy({
    'modules/xen.if': (text) => text.replace('domain { pause destroy };', 'domain destroy;'),
  });
  const finding = explainOne('no-rule', subjectOf(without), avc(DOM0, guest('nomigrate_t_building'), 'domain pause'));
  expect(proposed(finding)).toEqual(['allow dom0_t nomigrate_t_building:domain pause;']);
  expect(finding.placement?.path).toBe('modules/nomigrate.te');
});

test('a macro that would open memory is not proposed for something that opens none', () => {
  const finding = explainOne('no-rule', subjectOf(unstated), avc(DOM0, guest('nomigrate_t'), 'domain resume'));
  expect(proposed(finding)).toEqual(['allow dom0_t nomigrate_t:domain resume;']);
  const less = explainOne('protective', subjectOf(unstated), avc(DOM0, guest('nomigrate_t'), 'shadow logdirty'));
  expect(proposed(less)).toEqual(['allow dom0_t nomigrate_t:shadow logdirty;']);
  expect(less.cause.fix.chosen.openings.map(({ way }) => way)).toEqual(['log-dirty']);
});

test('a type of guest that nobody can build yet is built by the macro for it, and its memory is no secret of its builder', () => {
  const added = (calls: string) =>
    subjectOf(examplePolicy({ 'modules/domU.te': (text) => `${text}\n${calls}\nrole vm_r types new_t;\n` }));
  const bare = added('declare_domain(new_t)');
  const create = avc(DOM0, guest('new_t'), 'domain create', 'current=d0');
  const finding = explainOne('no-rule', bare, create, avc(DOM0, guest('new_t'), 'domain max_vcpus'));
  // domHVM.te has such a call: of the two macros it is the one that gives less.
  expect(proposed(finding)).toEqual(['create_domain_common(dom0_t, new_t)']);
  expect(finding.cause.fix.chosen.openings.map(({ isForBuilding }) => isForBuilding)).not.toContain(false);
  // Half of what building takes is there already.
  const half = added('declare_domain(new_t)\nallow dom0_t new_t:domain create;');
  expect(proposed(explainOne('no-rule', half, avc(DOM0, guest('new_t'), 'domain max_vcpus')))).toEqual([
    'create_domain_common(dom0_t, new_t)',
  ]);
  // Built under another label it exists without: there dom0 stays out.
  const built = added('declare_domain(new_t)\ndeclare_build_label(new_t)\ncreate_domain_build_label(dom0_t, new_t)');
  expect(proposed(explainOne('no-rule', built, create))).toEqual(['allow dom0_t new_t:domain create;']);
  expect(explain(built, avc(DOM0, guest('new_t'), 'mmu map_write')).map(({ cause }) => cause.kind)).toEqual([
    'protective',
  ]);
});

test('of what one pair of types lacks, a rule is proposed for the part that ends no protection', () => {
  const lines = [avc(DOM0, guest('nomigrate_t'), 'domain resume'), avc(DOM0, guest('nomigrate_t'), 'mmu map_read')];
  const found = explain(subjectOf(unstated, {}, { isBinary: true }), ...lines);
  expect(found.map(({ cause }) => cause.kind)).toEqual(['no-rule', 'protective']);
});

test('a denial that keeps memory closed is told as such, with what a rule would open', () => {
  const lines = [avc(DOM0, guest('nomigrate_t'), 'mmu map_read'), avc(DOM0, guest('nomigrate_t'), 'shadow logdirty')];
  const finding = explainOne('protective', subjectOf(unstated), ...lines);
  expect(proposed(finding)).toEqual(['migrate_domain_out(dom0_t, nomigrate_t)']);
  expect(finding.cause.fix.chosen.openings.map(({ way }) => way)).toContain('map-read');
  const half = explainOne('protective', subjectOf(unstated), avc(DOM0, guest('nomigrate_t'), 'mmu map_write'));
  expect(half.cause.fix.chosen.openings.map(({ way, isWhole }) => [way, isWhole])).toContainEqual(['map-write', false]);
});

test('where one permission alone is kept back, the rule for it is proposed, and a wide macro call only named', () => {
  for (const permission of ['mmu map_read', 'hvm gethvmc', 'domain getvcpucontext']) {
    const { fix } = explainOne('protective', subjectOf(unstated), avc(DOM0, guest('nomigrate_t'), permission)).cause;
    const [tclass, name] = permission.split(' ');
    expect([fix.chosen.lines, fix.chosen.surplus]).toEqual([[`allow dom0_t nomigrate_t:${tclass} ${name};`], []]);
  }
  const { fix } = explainOne('protective', subjectOf(unstated), avc(DOM0, guest('nomigrate_t'), 'mmu map_read')).cause;
  expect(fix.wider?.lines).toEqual(['migrate_domain_out(dom0_t, nomigrate_t)']);
  expect(fix.wider?.surplus.length).toBeGreaterThan(3);
});

test('a rule that the policy forbids by `neverallow` is told with the rule about rules', () => {
  const finding = explainOne('protective', example, avc(DOM0, guest('nomigrate_t'), 'mmu map_read'));
  const files = finding.cause.fix.chosen.neverallows.map(({ origin }) => userSpan(origin).source.name);
  expect([...new Set(files)]).toEqual(['modules/nomigrate.te']);
});

test('power over the policy is a protection too', () => {
  const without = examplePolicy({ 'modules/dom0.te': (text) => text.replaceAll('load_policy ', '') });
  const finding = explainOne(
    'protective',
    subjectOf(without),
    avc(DOM0, 'system_u:system_r:security_t', 'security load_policy', 'current=d0'),
  );
  expect(finding.cause.fix.chosen.openings.map(({ gives }) => gives.kind)).toContain('policy');
});

test('a constraint is named with its place, the terms that fail and the values behind them', () => {
  const finding = explainOne('constraint', example, avc(guest('domU_t'), guest('domU_t', 'customer_2'), 'grant copy'));
  const [constraint] = finding.cause.constraints;
  expect(constraint?.isAnyEnough).toBe(true);
  expect(constraint?.terms).toContainEqual({
    text: 'u1 == u2',
    values: [
      { name: 'u1', value: 'customer_1' },
      { name: 'u2', value: 'customer_2' },
    ],
  });
  const origin = constraint?.origin;
  expect(origin && userSpan(origin).source.name).toBe('modules/vm_role.cons');
  expect(placesOf(finding).join()).toContain('domain_comms(domU_t, domU_t)');
});

test('a constraint on levels is told with the levels', () => {
  const mls = subjectOf(examplePolicy(), { isMls: true });
  const line = avc(`${guest('domU_t')}:s1:c1`, `${guest('domU_t')}:s2:c3`, 'grant map_read');
  const finding = explainOne('constraint', mls, line);
  const values = finding.cause.constraints.flatMap(({ terms }) => terms.flatMap((term) => term.values));
  expect(values).toContainEqual({ name: 'l1', value: 's1:c1' });
  expect(values).toContainEqual({ name: 'l2', value: 's2:c3' });
});

test('a rule in a block that is out of force is told by its boolean, who may set it, and the line', () => {
  const line = avc(DOM0, guest('prot_domU_t'), 'domain create', 'current=d0');
  const locked = subjectOf(examplePolicy(), {}, { booleans: { prot_doms_locked: true } });
  const finding = explainOne('boolean', locked, line);
  expect(finding.cause).toMatchObject({ isAllowedHere: false, setters: ['dom0_t'] });
  expect(finding.cause.conditions).toMatchObject([
    { text: 'if (!prot_doms_locked)', isElse: false, changes: [{ name: 'prot_doms_locked', value: false }] },
  ]);
  expect(placesOf(finding).join()).toContain('modules/prot_domU.te');
  const other = explainOne('boolean', example, line);
  expect(other.cause).toMatchObject({ isAllowedHere: true });
  expect(other.cause.conditions[0]?.booleans).toEqual([{ name: 'prot_doms_locked', value: false }]);
});

test('a rule in the `else` of a block is found there', () => {
  const files = examplePolicy({
    'modules/domU.te': (text) =>
      `${text}\nbool spare false;\nif (spare) {\n\tallow domU_t dom0_t:hvm getparam;\n} else {\n\tallow domU_t dom0_t:hvm setparam;\n}\n`,
  });
  const on = subjectOf(files, {}, { booleans: { spare: true } });
  const finding = explainOne('boolean', on, avc(guest('domU_t'), DOM0, 'hvm setparam', 'source=d1 target=d0'));
  expect(finding.cause.conditions).toMatchObject([
    { text: 'if (spare)', isElse: true, changes: [{ name: 'spare', value: false }] },
  ]);
});

test('a hundred lines about a guest without a label have one cause, and no rule is proposed', () => {
  const unlabeled = 'system_u:system_r:unlabeled_t';
  const lines = ['create', 'max_vcpus', 'unpause', 'getdomaininfo'].flatMap((permission) =>
    [3, 4].map((domain) => avc(DOM0, unlabeled, `domain ${permission}`, `source=d0 target=d${domain}`)),
  );
  const derived = avc(DOM0, 'system_u:object_r:dom0_t', 'event create', 'current=d0');
  const own = avc(unlabeled, 'system_u:system_r:xen_t', 'version xen_extraversion', 'source=d4');
  const finding = explainOne('unlabeled', example, derived, own, ...lines, ...lines);
  expect(finding.cause).toMatchObject({
    thing: 'domain',
    domains: ['4', '3'],
    derivedLabels: ['system_u:object_r:dom0_t'],
    defaultLabel: 'system_u:system_r:domU_t',
  });
  expect(finding.cause.neverallows.length).toBeGreaterThan(0);
});

test('a channel label that no rule made is told without an unlabeled guest in the log, too', () => {
  const finding = explainOne('label', example, avc('system_u:object_r:dom0_t', DOM0, 'event bind', 'current=d0'));
  expect(finding.cause.owners).toContain('unlabeled_t');
});

test('a device without a label of its own is to be labelled, not to be opened to all', () => {
  const line = avc(guest('domU_t'), 'system_u:object_r:device_t', 'resource use_iommu', 'current=d0 device=0xc8');
  expect(explainOne('unlabeled', example, line).cause).toMatchObject({ thing: 'device', type: 'device_t' });
  const irq = avc(guest('domU_t'), 'system_u:object_r:irq_t', 'resource use_iommu', 'current=d0 irq=33');
  expect(explainOne('unlabeled', example, irq).cause).toMatchObject({ thing: 'irq', type: 'irq_t' });
});

test('a label that the policy does not know is told with the one that may be meant', () => {
  const finding = explainOne('label', example, avc(DOM0, guest('nomigrate_tt'), 'domain pause'));
  expect(finding.cause).toMatchObject({ labels: [guest('nomigrate_tt')], suggestion: 'nomigrate_t' });
  expect(
    explainOne('label', example, avc('a:b:c', DOM0, 'domain pause').replace('scontext=a:b:c', 'ssid=77')).cause.labels,
  ).toEqual(['SID 77']);
});

test('labels with the same fault are one cause: a type that is gone, ranges without MLS, and MLS without ranges', () => {
  const gone = explainOne(
    'label',
    example,
    avc(DOM0, guest('gone_t'), 'domain pause'),
    avc(DOM0, guest('gone_t', 'customer_2'), 'domain destroy'),
    avc(guest('gone_t'), guest('gone_t'), 'domain pause'),
  );
  expect(gone.cause).toMatchObject({ message: 'the policy has no type `gone_t`', isOfOtherMls: false });
  expect([gone.cause.labels, gone.lines.length]).toEqual([[guest('gone_t'), guest('gone_t', 'customer_2')], 3]);

  const ranges = [avc(`${DOM0}:s0-s15:c0.c255`, `${guest('domU_t')}:s0`, 'mmu map_read')];
  expect(explainOne('label', example, ...ranges).cause).toMatchObject({
    labels: [`${DOM0}:s0-s15:c0.c255`, `${guest('domU_t')}:s0`],
    isOfOtherMls: true,
  });
  const mls = subjectOf(examplePolicy(), { isMls: true });
  const plain = explainOne('label', mls, avc(DOM0, guest('domU_t'), 'domain pause'));
  expect([plain.cause.isOfOtherMls, plain.cause.labels, plain.lines.length]).toEqual([
    true,
    [DOM0, guest('domU_t')],
    1,
  ]);
  // A range that MLS does not have is another fault.
  const wrong = avc(`${DOM0}:s0-s15:c0.c255`, `${guest('domU_t')}:s99`, 'domain pause');
  expect(explainOne('label', mls, wrong).cause).toMatchObject({ isOfOtherMls: false, suggestion: 's9' });
});

test('classes, permissions and bits that the policy lacks are told with the releases that have them', () => {
  const old = explainOne('unknown-name', example, avc(DOM0, guest('domU_t'), 'hvm pcilevel', 'domid=0 target=1'));
  expect(old.cause.unknown).toMatchObject([
    { kind: 'permission', releases: ['4.3', '4.8'], replacements: [{ class: 'hvm', permission: 'dm' }] },
  ]);
  const none = explainOne('unknown-name', example, avc(DOM0, guest('domU_t'), 'process fork'));
  expect(none.cause.unknown).toMatchObject([{ kind: 'class', releases: [] }]);
  const bit = explainOne('unknown-name', example, avc(DOM0, guest('domU_t'), 'domain 0x10000000'));
  expect(bit.cause.unknown[0]?.namesByRelease.join()).toContain('4.17 to master: getpagingmempool');
  const mixed = explain(example, avc(DOM0, guest('domU_t'), 'domain pause 0x80000000'));
  expect(mixed.map(({ cause }) => cause.kind).sort()).toEqual(['stale', 'unknown-name']);
});

test('a change of role is a cause of its own', () => {
  const files = examplePolicy({
    'modules/domU.te': (text) =>
      `${text}\nallow domU_t isolated_domU_t:domain transition;\nrole other_r;\nrole other_r types isolated_domU_t;\n`,
  });
  const subject = subjectOf(files);
  const role = explain(subject, avc(guest('domU_t'), 'customer_1:other_r:isolated_domU_t', 'domain transition'));
  expect(role.map(({ cause }) => cause)).toMatchObject([{ kind: 'role', from: 'vm_r', to: 'other_r' }]);
});

test('operations without a check are named, with the releases that lack it', () => {
  const found = explain(
    example,
    'FLASK: Denying unknown domctl: 81.',
    'FLASK: Denying unknown domctl: 81.',
    'FLASK: Denying unknown domctl: 9999.',
  );
  expect(found.map(({ cause }) => cause)).toMatchObject([
    { kind: 'unknown-operation', count: 2, operation: { names: ['domctl.vuart_op'] } },
    { kind: 'unknown-operation', count: 1, operation: { names: [], unchecked: undefined } },
  ]);
});

test('a binary is explained by its rules, without lines', () => {
  const binary = subjectOf(examplePolicy(), {}, { isBinary: true });
  const stale = explainOne('stale', binary, avc(DOM0, guest('domU_t'), 'domain pause'));
  expect(placesOf(stale)).toEqual(['allow dom0_t domU_t:domain pause;']);
  const missing = explainOne('no-rule', binary, avc(DOM0, guest('isolated_domU_t'), 'resource add'));
  expect([proposed(missing), missing.placement]).toEqual([['allow dom0_t isolated_domU_t:resource add;'], undefined]);
  const locked = explainOne('boolean', binary, avc(DOM0, guest('prot_domU_t'), 'domain create', 'current=d0'));
  expect(locked.cause.conditions[0]?.text).toContain('prot_doms_locked');
});

test('a granted line is no denial, and the rule that asks for it is named', () => {
  const line = avc(DOM0, 'system_u:system_r:security_t', 'security setbool', 'current=d0', 'granted');
  const finding = explainOne('granted', example, line);
  expect(placesOf(finding).join()).toContain('auditallow');
});

test('a rule by which a guest would get a label that somebody maps ends a protection, in each of its parts', () => {
  const subject = subjectOf(unstated);
  const taken = avc(DOM0, guest('nomigrate_t'), 'domain2 relabelfrom');
  const changed = avc(guest('nomigrate_t'), guest('domU_t'), 'domain transition');
  for (const line of [taken, changed]) {
    const { openings } = explainOne('protective', subject, line).cause.fix.chosen;
    const { types } = subject.view.names;
    expect(
      openings.map(({ way, isWhole, source, target }) => [way, isWhole, types[source.type], types[target.type]]),
    ).toEqual([['relabel', false, 'dom0_t', 'nomigrate_t']]);
  }
  // With the right to take the label away, the change is all that is missing.
  const free = examplePolicy({
    'modules/nomigrate.te': (text) =>
      `${text.replace(/^neverallow[^;]*;/gm, '')}\nallow dom0_t nomigrate_t:domain2 relabelfrom;\nallow dom0_t domU_t:domain2 relabelto;\n`,
  });
  const { openings } = explainOne('protective', subjectOf(free), changed).cause.fix.chosen;
  expect(openings.map(({ way, isWhole }) => [way, isWhole])).toEqual([['relabel', true]]);
});

test('a change of label that opens nothing is one of a missing rule', () => {
  const without = examplePolicy({
    'modules/xen.if': (text) => text.replace(/^.*relabelfrom.*$/m, '').replace(/^.*:domain transition;.*$/m, ''),
  });
  const subject = subjectOf(without);
  const from = avc(DOM0, guest('nomigrate_t_building'), 'domain2 relabelfrom');
  const change = avc(guest('nomigrate_t_building'), guest('nomigrate_t'), 'domain transition');
  for (const line of [from, change]) {
    const kinds = explain(subject, line).map(({ cause }) => cause.kind);
    expect([line, kinds]).toEqual([line, ['no-rule']]);
  }
});

test('a label whose parts do not go together is told, where the rules alone allow what was denied', () => {
  const finding = explainOne(
    'stale',
    example,
    avc(DOM0, 'customer_1:system_r:domU_t', 'domain unpause'),
    avc(DOM0, 'customer_1:system_r:domU_t', 'domain pause'),
    avc(DOM0, guest('domU_t'), 'domain pause'),
  );
  expect(finding.cause).toMatchObject({
    invalid: [{ label: 'customer_1:system_r:domU_t', message: 'user `customer_1` may not have role `system_r`' }],
  });
});

test('who may take a label that may do more ends a protection', () => {
  const [self, change] = [
    avc(guest('domU_t'), DOM0, 'domain2 relabelself', 'current=d3'),
    avc(guest('domU_t'), DOM0, 'domain transition', 'current=d3'),
  ];
  const free = subjectOf(examplePolicy({ 'modules/xen.te': (text) => text.replace(/^neverallow[^;]*;/gm, '') }));
  const opened = (...lines: string[]) =>
    explain(free, ...lines).flatMap(({ cause }) =>
      'fix' in cause
        ? cause.fix.chosen.openings.map(({ way, does, isWhole }) => [
            way,
            /^becomes one of `dom0_t`, and /.test(does),
            isWhole,
          ])
        : [],
    );
  expect(opened(self)).toEqual([['become', true, false]]);
  expect(opened(change)).toEqual([['become', true, false]]);
  expect(opened(self, change)).toEqual([['become', true, true]]);
  // A build label gives way to its run label, which may do no more.
  const built = [guest('nomigrate_t_building'), guest('nomigrate_t')] as const;
  const without = subjectOf(
    examplePolicy({ 'modules/xen.if': (text) => text.replace(/^.*:domain transition;.*$/m, '') }),
  );
  const [finding] = explain(without, avc(...built, 'domain transition'));
  expect(finding !== undefined && 'fix' in finding.cause ? finding.cause.fix.chosen.openings : undefined).toEqual([]);
});
