/**
 * Reach on small random policies: what a search that tries everything finds, and nothing else.
 */
import { Random } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { compileText } from '../../compiler/index.ts';
import { type PolicyDb, readPolicydb } from '../../policydb/index.ts';
import { xenRelease } from '../../releases/index.ts';
import { PolicyView } from '../../security-server/index.ts';
import { SourceText } from '../../text/index.ts';
import { bruteForce, type Phase } from './fixtures/brute-force.ts';
import { type ReachAnswer, reach } from './reach.ts';
import { isUnasked } from './reach-answer.ts';

const release = xenRelease('4.17');
const DOMAINS = ['dom0_t', 'a_t', 'b_t', 'guest_t', 'built_t'];
const TYPES = [...DOMAINS, 'seen_t', 'dev_t', 'xen_t', 'iomem_t'];

/** Permissions that lead somewhere, each as often as it is to be tried. */
const PERMISSIONS: readonly (readonly [string, string])[] = [
  ['mmu', 'map_read'],
  ['mmu', 'map_read map_write'],
  ['mmu', 'remote_remap'],
  ['mmu', 'target_hack'],
  ['mmu', 'physmap pageinfo'],
  ['domain', 'setdebugging'],
  ['domain', 'setvcpucontext'],
  ['domain', 'getvcpucontext hypercall'],
  ['domain', 'create'],
  ['domain', 'create'],
  ['domain', 'transition'],
  ['domain', 'transition'],
  ['domain', 'set_target'],
  ['domain', 'set_target'],
  ['domain2', 'relabelfrom'],
  ['domain2', 'relabelto'],
  ['domain2', 'relabelfrom relabelto'],
  ['domain2', 'relabelself'],
  ['domain2', 'make_priv_for set_as_target'],
  ['domain2', 'make_priv_for set_as_target'],
  ['domain2', 'resource_map'],
  ['domain2', 'vm_event mem_access'],
  ['domain2', 'mem_sharing'],
  ['hvm', 'share_mem mem_sharing'],
  ['hvm', 'dm gethvmc'],
  ['grant', 'map_read'],
  ['grant', 'map_read map_write'],
  ['grant', 'copy transfer'],
  ['argo', 'send'],
  ['resource', 'add add_device'],
  ['resource', 'add_iomem add'],
  ['resource', 'use_noiommu'],
];
const META: readonly string[] = [
  'security_t:security load_policy',
  'security_t:security setenforce',
  'security_t:security setbool',
  'security_t:security add_ocontext',
  'xen_t:xen kexec',
  'xen_t:xen { debug readconsole }',
];
const CONSTRAINTS: readonly string[] = [
  'constrain mmu { map_read map_write } (u1 == u2 or u1 == system_u);',
  'constrain grant { map_read map_write copy } (u1 == u2);',
  'constrain domain { create transition set_target } (u1 == u2 or t1 == dom0_t);',
  'constrain domain2 { relabelto relabelself } (r1 == r2);',
  'constrain domain2 relabelfrom (u1 != u2 or t1 == a_t);',
  'constrain domain { setvcpucontext setdebugging } (r2 != object_r and u1 == u2);',
];
const MLS_CONSTRAINTS: readonly string[] = [
  'mlsconstrain mmu map_read (l1 dom l2);',
  'mlsconstrain mmu map_write (l1 eq l2 or t1 == dom0_t);',
  'mlsconstrain domain { create transition } (h1 dom h2 and l1 domby l2);',
  'mlsconstrain domain2 { relabelself relabelto } (l1 eq h1 or l1 incomp l2);',
];

/** Levels: two that are one above the other, or four of which two cannot be compared. */
const LADDER = {
  declared: 'sensitivity s0; sensitivity s1; dominance { s0 s1 } level s0; level s1;',
  high: 's1',
};
const SQUARE = {
  declared: 'sensitivity s0; dominance { s0 } category c0; category c1; level s0:c0,c1;',
  high: 's0:c0,c1',
};

function randomPolicy(random: Random, mls?: typeof LADDER, only?: readonly string[]): string {
  const isMls = mls !== undefined;
  const users = isMls ? 1 : 1 + random.below(4);
  const range = isMls ? ':s0' : '';
  const rule = (): string => {
    const [tclass, permissions] = random.pick(PERMISSIONS);
    return `allow ${random.pick(DOMAINS)} ${random.pick(TYPES)}:${tclass} { ${permissions} };`;
  };
  const some = (count: number, make: () => string): string[] => Array.from({ length: count }, make);
  const meta = (): string => `allow ${random.pick(DOMAINS)} ${random.pick(META)};`;
  const rules = only === undefined ? some(4 + random.below(14), rule) : [...only];
  if (only === undefined && random.once(2)) rules.push(meta());
  if (random.once(3)) rules.push('allow dom0_t { a_t b_t guest_t }:domain create;');
  const blocks = some(isMls || only !== undefined ? 0 : random.below(3), () => {
    const other = random.once(2) ? ` else { ${rule()} }` : '';
    return `if (${random.pick(['open', '!open', 'open && wide', 'wide ^ open'])}) { ${rule()} ${random.once(3) ? meta() : ''} }${other}`;
  });
  const labels = new Map([
    ['xenboot', 'system_u:system_r:xen_t'],
    ['xen', 'system_u:system_r:xen_t'],
    ['dom0', 'system_u:system_r:dom0_t'],
    ['domU', 'user_0:vm_r:guest_t'],
    ['security', 'system_u:system_r:security_t'],
    ['iomem', 'system_u:object_r:iomem_t'],
    ['domxen', 'system_u:system_r:xen_t'],
  ]);
  const levels = isMls ? ` level s0 range s0 - ${mls.high}` : '';
  const text = [
    ...release.classes.map(({ name }) => `class ${name}`),
    ...release.initialSids.map((name) => `sid ${name}`),
    ...release.classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    mls?.declared ?? '',
    ...(isMls ? some(1 + random.below(2), () => random.pick(MLS_CONSTRAINTS)) : []),
    'attribute all_t;',
    ...[...TYPES, 'security_t'].map((name) => `type ${name}${DOMAINS.includes(name) ? ', all_t' : ''};`),
    'role system_r; role vm_r;',
    `role system_r types { ${TYPES.join(' ')} security_t };`,
    `role vm_r types { ${DOMAINS.slice(1).join(' ')} ${random.once(2) ? 'seen_t' : ''} };`,
    random.once(2) ? 'allow system_r vm_r;' : '',
    isMls ? '' : 'bool open false; bool wide true;',
    random.once(2) ? `type_transition ${random.pick(DOMAINS)} ${random.pick(DOMAINS)}:domain seen_t;` : '',
    random.once(3) ? 'type_transition guest_t b_t:domain seen_t;' : '',
    random.once(12) ? `permissive ${random.pick(['a_t', 'b_t'])};` : '',
    ...rules,
    ...blocks,
    `user system_u roles { system_r }${levels};`,
    ...some(users, () => '').map((_, i) => `user user_${i} roles { vm_r ${i === 3 ? 'system_r' : ''} }${levels};`),
    ...some(random.below(3), () => random.pick(CONSTRAINTS)),
    ...release.initialSids.map((name) => `sid ${name} ${labels.get(name) ?? 'system_u:object_r:dev_t'}${range}`),
    '',
  ].join('\n');
  return text;
}

function compiledBytes(text: string, isMls: boolean): Uint8Array {
  const { bytes, diagnostics } = compileText(new SourceText('random.conf', text), { isMls });
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return bytes;
}

function read(bytes: Uint8Array): PolicyDb {
  const found = readPolicydb(bytes);
  if ('diagnostic' in found) throw new Error(found.diagnostic.message);
  return found.policy;
}

function ask(policy: PolicyDb, build: string, run: string): ReachAnswer {
  const view = new PolicyView(policy);
  const [from, to] = [view.parse(build), view.parse(run)];
  if ('part' in from || 'part' in to) throw new Error('the labels are valid');
  return reach(policy, { build: from, run: to, setting: new Map(), initialSids: release.initialSids });
}

/** Both answers in one form; of labels that stand for others, only those that do. */
function compare(bytes: Uint8Array, build: string, run: string): { readonly winners: number; readonly losers: number } {
  const answer = ask(read(bytes), build, run);
  const { labels } = answer.decisions;
  const possible = new Set([...answer.possible.labels].map((one) => labels.text(one)));
  const isKept = (text: string): boolean => possible.has(text.split(' ')[0] ?? '');
  const tried = bruteForce(bytes, build, run);
  let [winners, losers] = [0, 0];
  for (const { phase, access } of answer.phases) {
    const name: Phase = phase;
    const direct = access.map(
      ({ holder, way, sees }) => `${labels.text(holder)} ${way.name} ${sees === undefined ? '-' : labels.text(sees)}`,
    );
    expect([...new Set(direct)].sort()).toEqual(tried[name].direct.filter(isKept));
    // A guest with a device model runs.
    const running = answer.phases.find((one) => one.phase === 'running')?.access ?? [];
    const all = phase === 'device model' ? [...access, ...running] : access;
    const holders = all.filter(isUnasked).map(({ holder }) => labels.text(holder));
    const obtained = answer.obtained.filter(({ phases }) => phases.includes(phase));
    const found = new Set([...holders, ...obtained.map(({ actor }) => labels.text(actor))]);
    expect([...found].sort()).toEqual(tried[name].winners.filter(isKept));
    winners += found.size;
    losers += possible.size - found.size;
  }
  expect(answer.bounds).toEqual([]);
  return { winners, losers };
}

describe('reach and a search that tries everything agree', () => {
  test.each([1, 2, 3, 4])('on random policies with users, roles, constraints and booleans (%i)', (part) => {
    const random = new Random(part * 7919);
    let [winners, losers] = [0, 0];
    for (let i = 0; i < 12; i++) {
      const text = randomPolicy(random);
      const build = random.once(2) ? 'user_0:vm_r:built_t' : 'user_0:vm_r:guest_t';
      try {
        const counts = compare(compiledBytes(text, false), build, 'user_0:vm_r:guest_t');
        winners += counts.winners;
        losers += counts.losers;
      } catch (error) {
        throw new Error(`policy ${i} of part ${part}:\n${text}`, { cause: error });
      }
    }
    // The policies are such that both answers are common.
    expect(winners).toBeGreaterThan(20);
    expect(losers).toBeGreaterThan(20);
  });

  test.each([
    ['one above the other', LADDER, 6],
    ['not all of which can be compared', SQUARE, 1],
  ])('on random policies with levels, %s', (_, mls, count) => {
    const random = new Random(104_729 + count);
    for (let i = 0; i < count; i++) {
      const text = randomPolicy(random, mls);
      try {
        compare(compiledBytes(text, true), 'user_0:vm_r:built_t:s0', `user_0:vm_r:guest_t:s0-${mls.high}`);
      } catch (error) {
        throw new Error(`policy ${i}:\n${text}`, { cause: error });
      }
    }
  });

  /** What only several labels together, or one after another, can do. */
  test.each([
    [
      'a domain that one controls is given another label',
      [
        'allow dom0_t { a_t b_t }:domain create;',
        'allow a_t b_t:mmu { map_read map_write };',
        'allow a_t b_t:domain2 relabelfrom; allow a_t built_t:domain2 relabelto; allow b_t built_t:domain transition;',
        'allow built_t guest_t:mmu map_read;',
      ],
    ],
    [
      'a domain that one controls is made a device model',
      [
        'allow dom0_t { a_t b_t }:domain create;',
        'allow a_t b_t:domain setdebugging; allow a_t b_t:domain2 make_priv_for;',
        'allow a_t guest_t:domain2 set_as_target; allow b_t guest_t:domain set_target;',
        'type_transition guest_t b_t:domain seen_t; allow b_t seen_t:mmu map_read;',
      ],
    ],
    [
      'the guest is given a label that one reads',
      [
        'allow dom0_t a_t:domain create; allow a_t guest_t:domain2 relabelfrom; allow a_t b_t:domain2 relabelto;',
        'allow guest_t b_t:domain transition; allow a_t b_t:mmu map_read;',
      ],
    ],
  ])('%s', (_, rules) => {
    let all = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const text = randomPolicy(new Random(seed), undefined, rules);
      const { winners } = compare(compiledBytes(text, false), 'user_0:vm_r:guest_t', 'user_0:vm_r:guest_t');
      all += winners;
    }
    expect(all).toBeGreaterThan(0);
  });
});
