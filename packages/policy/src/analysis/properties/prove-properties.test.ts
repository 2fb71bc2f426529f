/**
 * Proofs on small random policies: each verdict is what trying everything finds, and each check of a counterexample passes.
 */
import { Random } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { compileText } from '../../compiler/index.ts';
import { readPolicydb } from '../../policydb/index.ts';
import { xenRelease } from '../../releases/index.ts';
import { SourceText } from '../../text/index.ts';
import { Everything, partsOf, type Test, type World } from './fixtures/try-everything.ts';
import { parseProperties } from './property-text.ts';
import { type Proof, type ProvedProperty, proveProperties } from './prove-properties.ts';

const release = xenRelease('4.17');
const DOMAINS = ['dom0_t', 'a_t', 'b_t', 'c_t'] as const;
const TYPES = [...DOMAINS, 'xen_t', 'thing_t'] as const;
const USERS = ['system_u', 'user_0', 'user_1', 'user_2', 'user_3'] as const;
/** Each permission that counts, as often as it is to be tried; no others, so that few ways lead to memory. */
const RIGHTS: readonly (readonly [string, string])[] = [
  ['domain', 'create'],
  ['domain', 'create destroy'],
  ['domain', 'destroy'],
  ['domain', 'transition'],
  ['domain', 'transition'],
  ['domain', 'setvcpucontext'],
  ['domain2', 'relabelfrom relabelto'],
  ['domain2', 'relabelfrom'],
  ['domain2', 'relabelto'],
  ['domain2', 'relabelself'],
  ['mmu', 'map_read'],
  ['mmu', 'map_read map_write'],
  ['mmu', 'target_hack'],
];
const CONSTRAINTS: readonly string[] = [
  'constrain mmu { map_read map_write } (u1 == u2);',
  'constrain mmu { map_read target_hack } (u1 != u2 or t1 == dom0_t);',
  'constrain domain { create destroy } (u1 == u2 or u1 == system_u);',
  'constrain domain destroy (u1 == u2);',
  'constrain domain2 { relabelto relabelself } (r1 == r2 or u2 == user_1);',
  'constrain domain transition (u1 == u2 or r2 == vm_r);',
  'constrain domain setvcpucontext (u1 != user_2 and u2 != user_0);',
];
const MLS_CONSTRAINTS: readonly string[] = [
  'mlsconstrain mmu map_read (l1 dom l2);',
  'mlsconstrain mmu map_write (l1 eq l2);',
  'mlsconstrain domain { create destroy } (h1 dom h2 and l1 domby l2);',
  'mlsconstrain domain2 { relabelself relabelto } (l1 eq h1 or l1 incomp l2);',
];

function randomPolicy(random: Random, isMls: boolean): string {
  const some = (count: number, make: () => string): string[] => Array.from({ length: count }, make);
  const rule = (): string => {
    const [tclass, permissions] = random.pick(RIGHTS);
    const target = random.pick([...DOMAINS, ...DOMAINS, 'all_t', 'self']);
    return `allow ${random.pick([...DOMAINS, ...DOMAINS, 'all_t'])} ${target}:${tclass} { ${permissions} };`;
  };
  const blocks = some(random.below(3), () => {
    const other = random.once(2) ? ` else { ${rule()} }` : '';
    return `if (${random.pick(['open', '!open', 'open && wide', 'wide ^ open'])}) { ${rule()} }${other}`;
  });
  const [level, range] = isMls ? [' level s0 range s0 - s1', ':s0'] : ['', ''];
  const labels: Readonly<Record<string, string>> = {
    xenboot: 'system_u:system_r:xen_t',
    dom0: 'system_u:system_r:dom0_t',
    domU: 'user_0:vm_r:a_t',
  };
  return [
    ...release.classes.map(({ name }) => `class ${name}`),
    ...release.initialSids.map((name) => `sid ${name}`),
    ...release.classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    isMls ? 'sensitivity s0; sensitivity s1; dominance { s0 s1 } level s0; level s1;' : '',
    ...(isMls ? some(1 + random.below(2), () => random.pick(MLS_CONSTRAINTS)) : []),
    'attribute all_t;',
    ...TYPES.map((name) => `type ${name}${DOMAINS.includes(name as never) ? ', all_t' : ''};`),
    'role system_r; role vm_r;',
    `role system_r types { ${TYPES.join(' ')} }; role vm_r types { a_t b_t ${random.once(2) ? 'c_t' : ''} };`,
    random.once(2) ? 'allow system_r vm_r;' : '',
    'bool open false; bool wide true;',
    random.once(12) ? `permissive ${random.pick(DOMAINS)};` : '',
    ...some(5 + random.below(9), rule),
    random.once(2) ? 'allow dom0_t all_t:domain { create destroy };' : '',
    ...blocks,
    `user system_u roles system_r${level};`,
    ...USERS.slice(1, isMls ? 2 : 5).map(
      (name, i) => `user ${name} roles { vm_r ${i === 3 ? 'system_r' : ''} }${level};`,
    ),
    ...(isMls ? [] : some(random.below(3), () => random.pick(CONSTRAINTS))),
    ...release.initialSids.map((name) => `sid ${name} ${labels[name] ?? 'system_u:object_r:thing_t'}${range}`),
    '',
  ].join('\n');
}

/** Every text that could be a label. */
function contexts(isMls: boolean): string[] {
  const ranges = isMls ? [':s0', ':s1', ':s0-s1'] : [''];
  return USERS.slice(0, isMls ? 2 : 5).flatMap((user) =>
    ['system_r', 'vm_r', 'object_r'].flatMap((role) =>
      TYPES.flatMap((type) => ranges.map((range) => `${user}:${role}:${type}${range}`)),
    ),
  );
}

/** A set in words, and which labels are in it. */
interface Set {
  readonly text: string;
  readonly has: Test;
}

function randomSet(random: Random, isMls: boolean, depth = 0): Set {
  if (depth < 2 && random.once(3)) {
    const [a, b] = [randomSet(random, isMls, depth + 1), randomSet(random, isMls, depth + 1)];
    return random.pick([
      { text: `(${a.text} and ${b.text})`, has: (one) => a.has(one) && b.has(one) },
      { text: `(${a.text} or ${b.text})`, has: (one) => a.has(one) || b.has(one) },
      { text: `not ${a.text}`, has: (one) => !a.has(one) },
    ]);
  }
  const type = random.pick(DOMAINS);
  const user = random.pick(USERS.slice(0, isMls ? 2 : 5));
  const [first] = contexts(isMls).filter((one) => one.startsWith('system_u:system_r:dom0_t'));
  return random.pick<Set>([
    { text: type, has: (one) => partsOf(one).type === type },
    { text: type, has: (one) => partsOf(one).type === type },
    { text: 'all_t', has: (one) => DOMAINS.includes(partsOf(one).type as never) },
    { text: `type { ${type} dom0_t }`, has: (one) => [type, 'dom0_t'].includes(partsOf(one).type) },
    { text: `user ${user}`, has: (one) => partsOf(one).user === user },
    { text: 'user user_*', has: (one) => partsOf(one).user.startsWith('user_') },
    { text: 'role vm_r', has: (one) => partsOf(one).role === 'vm_r' },
    { text: `${first}`, has: (one) => one === first },
    { text: 'anyone', has: () => true },
  ]);
}

/** A sentence, what refutes it, and the set that it is about. */
interface Sentence {
  readonly text: string;
  readonly isRefuted: (all: Everything, worlds: readonly World[]) => boolean;
  readonly subject: Test;
}

function randomSentence(random: Random, isMls: boolean): Sentence {
  const set = (): Set => randomSet(random, isMls);
  const [a, b] = [set(), set()];
  const [tclass, permissions] = random.pick(RIGHTS);
  const rights = permissions.split(' ');
  const words = `${tclass} { ${permissions} }`;
  const across = random.once(3);
  const access = random.pick([['read'], ['write'], ['read', 'write']] as const);
  const verb = access.length === 2 ? 'reads or writes' : `${access[0]}s`;
  const users = isMls ? ['user_0', 'system_u'] : ['user_0', 'user_1', 'user_2'];
  return random.pick<Sentence>([
    {
      text: `only ${a.text} may ${words} on ${b.text}`,
      isRefuted: (all, worlds) => all.hasRight((one) => !a.has(one), b.has, tclass, rights, false, worlds),
      subject: b.has,
    },
    {
      text: `never ${a.text} may ${words} on ${b.text}${across ? ' across users' : ''}`,
      isRefuted: (all, worlds) => all.hasRight(a.has, b.has, tclass, rights, across, worlds),
      subject: b.has,
    },
    {
      text: 'creators may destroy what they create',
      isRefuted: (all, worlds) => all.strands(worlds),
      subject: () => true,
    },
    {
      text: `no relabel leads from ${a.text} to ${b.text}`,
      isRefuted: (all, worlds) => all.relabels(a.has, b.has, worlds),
      subject: a.has,
    },
    {
      text: `nobody but ${a.text} ${verb} memory of ${b.text} while running`,
      isRefuted: (all, worlds) => all.isOpen(a.has, b.has, access, worlds),
      subject: b.has,
    },
    {
      text: `users { ${users.join(' ')} } never share memory among ${a.text}`,
      isRefuted: (all, worlds) => all.isShared(users, a.has, worlds),
      subject: a.has,
    },
  ]);
}

/** Holds the checks of a counterexample against the policy: each passes, but for the one that is missing. */
function holdCounterexample({ counterexample }: ProvedProperty, { decisions }: Proof, all: Everything): void {
  expect(counterexample?.checks.length).toBeGreaterThan(0);
  const names = new Map(decisions.policy.booleans.entries.map(({ name, value }) => [value, name]));
  for (const { source, target, class: tclass, permissions, isMissing, setting } of counterexample?.checks ?? []) {
    const worlds = all.worlds.filter((world) =>
      [...setting].every(([boolean, value]) => world.setting[names.get(boolean) ?? ''] === value),
    );
    expect(worlds.length).toBeGreaterThan(0);
    const [from, to] = [decisions.labels.text(source), decisions.labels.text(target)];
    for (const { may } of worlds) expect(may(from, to, tclass, ...permissions)).toBe(!isMissing);
  }
}

describe('a proof says what trying everything finds', () => {
  test.each([
    ['users, roles, constraints and booleans', false, 1, 6],
    ['levels', true, 2, 5],
  ] as const)('of random policies with %s', (_, isMls, seed, policies) => {
    const random = new Random(seed);
    const counts = { proved: 0, refuted: 0, undecided: 0 };
    for (let i = 0; i < policies; i++) {
      const text = randomPolicy(random, isMls);
      const { bytes, diagnostics } = compileText(new SourceText('random.conf', text), { isMls });
      const read = bytes === undefined ? undefined : readPolicydb(bytes);
      if (bytes === undefined || read === undefined || 'diagnostic' in read)
        throw new Error(`${diagnostics[0]?.message}\n${text}`);
      const all = new Everything(bytes, contexts(isMls));
      for (let j = 0; j < 25; j++) {
        const { text: words, isRefuted, subject } = randomSentence(random, isMls);
        const when = random.pick(['', '', 'when open: ', 'when not open and wide: ']);
        const worlds = all.worlds.filter(
          ({ setting }) =>
            when === '' || (setting['open'] === !when.includes('not') && (!when.includes('wide') || setting['wide'])),
        );
        const parsed = parseProperties(new SourceText('random.prove', `${when}${words};`));
        expect(parsed.diagnostics).toEqual([]);
        const proof = proveProperties(read.policy, parsed.properties, release.initialSids);
        const [result] = proof.results;
        const expected = !all.labels.some(subject) ? 'undecided' : isRefuted(all, worlds) ? 'refuted' : 'proved';
        expect(result?.outcome, `${when}${words};\n${text}`).toBe(expected);
        counts[expected]++;
        if (result !== undefined && expected === 'refuted') holdCounterexample(result, proof, all);
      }
    }
    expect(counts.proved).toBeGreaterThan(20);
    expect(counts.refuted).toBeGreaterThan(20);
  });
});
