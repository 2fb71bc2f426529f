/**
 * What changed constraints give and take on small random policies: what asking for every pair of labels tells.
 */
import { Random } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { compileText } from '../../compiler/index.ts';
import { type ClassSymbol, type Context, type PolicyDb, readPolicydb } from '../../policydb/index.ts';
import { PolicyView } from '../../security-server/index.ts';
import { SourceText } from '../../text/index.ts';
import { comparePolicies, type PolicyDifference } from './compare-policies.ts';
import type { ConstraintEffect } from './constraint-effects.ts';

const TYPES = ['a_t', 'b_t', 'c_t'] as const;
const USERS = ['u', 'v', 'w'] as const;
const ROLES = ['r', 's'] as const;
const CLASSES = { obj: ['read', 'write', 'move'], thing: ['use', 'read'] } as const;

function expression(random: Random, isMls: boolean, depth = 0): string {
  if (depth < 2 && random.once(2)) {
    const [a, b] = [expression(random, isMls, depth + 1), expression(random, isMls, depth + 1)];
    return random.pick([`(${a} and ${b})`, `(${a} or ${b})`, `not ${a}`]);
  }
  // Constraints of levels stand before users, roles and types are declared: they name none.
  const compared = ['u1 == u2', 'u1 != u2', 'r1 == r2', 'r1 dom r2', 't1 == t2'];
  if (isMls) return random.pick([...compared, 'l1 dom l2', 'h1 domby h2', 'l1 eq h2', 'h1 dom l2', 'l1 incomp l2']);
  return random.pick([
    ...compared,
    `u${1 + random.below(2)} ${random.pick(['==', '!='])} ${random.pick(['u', 'v'])}`,
    'u1 == { u v }',
    `r2 == ${random.pick(ROLES)}`,
    `t${1 + random.below(2)} == ${random.pick(TYPES)}`,
  ]);
}

function constraints(random: Random, isMls: boolean): string[] {
  return Array.from({ length: random.below(4) }, () => {
    const tclass = random.pick(['obj', 'thing'] as const);
    const permissions = new Set([random.pick(CLASSES[tclass]), random.pick(CLASSES[tclass])]);
    const isOfLevels = isMls && random.once(2);
    const word = isOfLevels ? 'mlsconstrain' : 'constrain';
    return `${word} ${tclass} { ${[...permissions].join(' ')} } (${expression(random, isOfLevels)});`;
  });
}

/** A policy in parts that two sides have in common, but for the constraints and, now and then, a rule or a user. */
function randomPair(random: Random, isMls: boolean): readonly [string, string] {
  const ends = [...TYPES, 'many'] as const;
  const rule = (): string => {
    const tclass = random.pick(['obj', 'thing'] as const);
    return `allow ${random.pick(ends)} ${random.pick(ends)}:${tclass} { ${random.pick(CLASSES[tclass])} ${random.pick(CLASSES[tclass])} };`;
  };
  const some = (count: number, make: () => string): string[] => Array.from({ length: count }, make);
  const rules = some(2 + random.below(5), rule);
  const block = random.once(2)
    ? `if (${random.pick(['on', '!on', 'on && wide'])}) { ${rule()} } else { ${rule()} }`
    : '';
  const kept = constraints(random, isMls);
  const levels = isMls
    ? 'sensitivity s0; sensitivity s1; dominance { s0 s1 } category c0; level s0:c0; level s1:c0;'
    : '';
  const [low, range] = isMls ? [' level s0 range s0 - s1:c0', ':s0'] : ['', ''];
  const side = (): string => {
    const all = [...kept, ...(random.once(3) ? [] : constraints(random, isMls))];
    // Constraints of levels stand before the rules, others after the users.
    const isOfLevels = (one: string): boolean => one.startsWith('mls');
    return [
      `class obj class thing sid xen class obj { ${CLASSES.obj.join(' ')} } class thing { ${CLASSES.thing.join(' ')} }`,
      levels,
      isMls ? 'mlsconstrain thing use (l1 dom l2 or l1 domby l2 or l1 incomp l2);' : '',
      ...all.filter(isOfLevels),
      'attribute many; type a_t, many; type b_t, many; type c_t; bool on false; bool wide true;',
      'role r; role s; role r types { a_t b_t c_t }; role s types { a_t b_t };',
      random.once(4) ? 'dominance { role r { role s; } }' : '',
      ...(random.once(5) ? rules.slice(1) : rules),
      block,
      `user u roles { r s }${low}; user v roles ${random.once(6) ? 'r' : '{ r s }'}${low};`,
      random.once(6) ? '' : `user w roles s${low};`,
      ...all.filter((one) => !isOfLevels(one)),
      `sid xen u:r:a_t${range}`,
    ].join('\n');
  };
  return [side(), side()];
}

function policyOf(text: string, isMls: boolean): PolicyDb {
  const { bytes, diagnostics } = compileText(new SourceText('random.conf', text), { isMls });
  const read = bytes === undefined ? undefined : readPolicydb(bytes);
  if (read === undefined || 'diagnostic' in read) throw new Error(`${diagnostics[0]?.message} in ${text}`);
  return read.policy;
}

/** The text of every label that is valid in a policy. */
function labelTexts(view: PolicyView): string[] {
  const levels = ['s0', 's0:c0', 's1', 's1:c0'];
  const ranges = view.policy.isMls
    ? [...levels, ...levels.flatMap((a) => levels.map((b) => `${a} - ${b}`))]
    : [undefined];
  const found = new Set<string>();
  for (const user of USERS)
    for (const role of [...ROLES, 'object_r'])
      for (const type of TYPES)
        for (const range of ranges) {
          const text = [user, role, type, ...(range === undefined ? [] : [range.replaceAll(' ', '')])].join(':');
          const context = view.parse(text);
          if ('user' in context) found.add(view.text(context));
        }
  return [...found];
}

const bitOf = ({ permissions }: ClassSymbol, name: string): number =>
  1 << ((permissions.find((one) => one.name === name)?.value ?? 1) - 1);

class Side {
  readonly view: PolicyView;
  readonly #contexts = new Map<string, Context>();

  constructor(text: string, isMls: boolean) {
    this.view = new PolicyView(policyOf(text, isMls));
  }

  context(text: string): Context {
    const known = this.#contexts.get(text);
    if (known !== undefined) return known;
    const context = this.view.parse(text);
    if (!('user' in context)) throw new Error(`${text} is not valid`);
    this.#contexts.set(text, context);
    return context;
  }

  set(on: boolean, wide: boolean): void {
    for (const { name, value } of this.view.policy.booleans.entries)
      this.view.booleans[value] = name === 'on' ? on : wide;
    this.view.applyBooleans();
  }

  symbol(tclass: string): ClassSymbol {
    const symbol = this.view.policy.classes.byName.get(tclass);
    if (symbol === undefined) throw new Error(`there is no class ${tclass}`);
    return symbol;
  }

  isGiven(source: string, target: string, tclass: string, permission: string): boolean {
    const { types } = this.view.policy;
    const [from, to] = [types.byName.get(source)?.value ?? 0, types.byName.get(target)?.value ?? 0];
    const symbol = this.symbol(tclass);
    return (this.view.ruleVectors(from, to, symbol.value).allowed & bitOf(symbol, permission)) !== 0;
  }

  /** Permissions that constraints leave. */
  leaves(source: string, target: string, tclass: string): number {
    return ~this.view.constrained(this.context(source), this.context(target), this.symbol(tclass).value, 0xffffffff);
  }
}

const typeOf = (label: string): string => label.split(':')[2] ?? '';

/** The settings of the booleans under which an effect speaks. */
function isUnder({ condition }: ConstraintEffect, on: boolean, wide: boolean): boolean {
  if (condition === undefined) return true;
  const words = condition.replaceAll(/\bon\b/g, String(on)).replaceAll(/\bwide\b/g, String(wide));
  return words
    .split('||')
    .some((product) => product.split('&&').every((one) => one.trim() === 'true' || one.trim() === '!false'));
}

/** Whether one comparison holds, as its words say; undefined for those of levels. */
function termHolds(
  term: string,
  source: string,
  target: string,
  dominates: (a: string, b: string) => boolean,
): boolean {
  const inverted = /^not \((.*)\)$/.exec(term)?.[1];
  if (inverted !== undefined) return !termHolds(inverted, source, target, dominates);
  const [, left = '', operator = '', right = ''] = /^(\S+) (\S+) (.*)$/.exec(term) ?? [];
  const part = (word: string): string => {
    const index = 'urt'.indexOf(word[0] ?? '');
    return (word[1] === '1' ? source : target).split(':')[index] ?? '';
  };
  const value = part(left);
  if (/^[ur]2$/.test(right) || right === 't2') {
    const other = part(right);
    if (operator === 'dom') return dominates(value, other);
    return (value === other) === (operator === '==');
  }
  const names = right.replaceAll(/[{}]/g, ' ').trim().split(/\s+/);
  return names.includes(value) === (operator === '==');
}

function whereHolds(
  where: string,
  source: string,
  target: string,
  dominates: (a: string, b: string) => boolean,
): boolean {
  const holds = (term: string): boolean => termHolds(term, source, target, dominates);
  if (where.includes(' or ')) return where.split(' or ').some(holds);
  return where.split(' and ').every(holds);
}

function dominatesIn(side: Side): (a: string, b: string) => boolean {
  const { roles } = side.view.policy;
  return (a, b) => side.view.dominated(roles.byName.get(a)?.value ?? 0).has((roles.byName.get(b)?.value ?? 0) - 1);
}

/** The pairs of labels for which constraints of the second side leave what those of the first one do not. */
function turnedPairs(from: Side, to: Side, pairs: readonly Pair[], tclass: string, permission: string): Set<Pair> {
  const [before, after] = [bitOf(from.symbol(tclass), permission), bitOf(to.symbol(tclass), permission)];
  return new Set(
    pairs.filter(
      ([one, two]) => (to.leaves(one, two, tclass) & after) !== 0 && (from.leaves(one, two, tclass) & before) === 0,
    ),
  );
}

type Pair = readonly [source: string, target: string];
const SETTINGS = [0, 1, 2, 3].map((row) => [(row & 1) === 1, (row & 2) === 2] as const);

/** Holds what a comparison says of one direction against every pair of labels; answers how many pairs had something. */
function hold(effects: readonly ConstraintEffect[], from: Side, to: Side, labels: readonly string[]): number {
  let count = 0;
  const rights = Object.entries(CLASSES).flatMap(([tclass, all]) => all.map((one) => [tclass, one] as const));
  for (const [source, target] of TYPES.flatMap((one) => TYPES.map((two) => [one, two] as const))) {
    const pairs: Pair[] = labels
      .filter((one) => typeOf(one) === source)
      .flatMap((one) => labels.filter((two) => typeOf(two) === target).map((two) => [one, two] as const));
    for (const [tclass, permission] of rights) {
      const turned = turnedPairs(from, to, pairs, tclass, permission);
      const about = effects.filter(
        (one) =>
          one.class === tclass &&
          one.permissions.includes(permission) &&
          one.sources.types.includes(source) &&
          (one.targets === 'self' ? source === target : one.targets.types.includes(target)),
      );
      for (const [on, wide] of SETTINGS) {
        to.set(on, wide);
        const isExpected = turned.size > 0 && to.isGiven(source, target, tclass, permission);
        const said = about.filter((one) => isUnder(one, on, wide));
        expect(said.map(({ isForAll }) => isForAll)).toEqual(isExpected ? [turned.size === pairs.length] : []);
        count += isExpected ? turned.size : 0;
      }
      for (const { where } of about) {
        if (where === undefined || /[lh][12]/.test(where)) continue;
        // Where the sides disagree about dominance, the words are those of either.
        const wrong = pairs.filter(
          (pair) => ![from, to].some((side) => whereHolds(where, ...pair, dominatesIn(side)) === turned.has(pair)),
        );
        expect(wrong).toEqual([]);
      }
    }
  }
  return count;
}

function compare(old: Side, next: Side): PolicyDifference {
  return comparePolicies({ policy: old.view.policy, version: 30 }, { policy: next.view.policy, version: 30 });
}

describe('what changed constraints give and take', () => {
  test.each([
    ['without levels', false, 1, 90],
    ['with levels', true, 2, 6],
  ] as const)('is what every pair of labels tells, %s', (_, isMls, seed, rounds) => {
    const random = new Random(seed);
    let turned = 0;
    let wordless = 0;
    for (let round = 0; round < rounds; round++) {
      const [old, next] = randomPair(random, isMls).map((text) => new Side(text, isMls));
      if (old === undefined || next === undefined) throw new Error('a pair has two sides');
      const { constraints, newAccess, access } = compare(old, next);
      expect(constraints.bounds).toEqual([]);
      const ofOld = new Set(labelTexts(old.view));
      const labels = labelTexts(next.view).filter((one) => ofOld.has(one));
      const gained = hold(constraints.gained, old, next, labels);
      turned += gained + hold(constraints.lost, next, old, labels);
      wordless += constraints.gained.filter(({ isForAll, where }) => !isForAll && where === undefined).length;
      for (const { example } of constraints.gained) expect(labels).toEqual(expect.arrayContaining([example.source]));
      expect(newAccess.some(({ kind }) => kind === 'certain')).toBe(gained > 0 || access.gainedCount > 0);
    }
    expect(turned).toBeGreaterThan(100);
    expect(wordless).toBeLessThan(rounds);
  });

  test('one that is gone says for whom, in its own words', () => {
    const text = (constraint: string): string =>
      `class obj sid xen class obj { read } type a_t; type b_t; role r; role r types { a_t b_t };
       allow a_t b_t:obj read; user u roles r; user v roles r; ${constraint} sid xen u:r:a_t`;
    const sides = [text('constrain obj read (u1 == u2);'), text('')].map((one) => new Side(one, false));
    const [old, next] = sides;
    if (old === undefined || next === undefined) throw new Error('a pair has two sides');
    const { gained, lost } = compare(old, next).constraints;
    expect(lost).toEqual([]);
    expect(gained).toMatchObject([
      {
        class: 'obj',
        permissions: ['read'],
        sources: { types: ['a_t'] },
        targets: { types: ['b_t'] },
        isForAll: false,
        where: 'u1 != u2',
        example: { source: 'u:r:a_t', target: 'v:r:b_t' },
      },
    ]);
    expect(compare(next, old)).toMatchObject({ constraints: { gained: [], lost: gained }, newAccess: [] });
  });

  test('one that nobody met loses nothing', () => {
    const text = (constraint: string): string =>
      `class obj sid xen class obj { read } type a_t; type b_t; role r; role r types { a_t b_t };
       allow a_t b_t:obj read; user u roles r; ${constraint} sid xen u:r:a_t`;
    const [old, next] = [new Side(text('constrain obj read (u1 == u2);'), false), new Side(text(''), false)];
    const { constraints, newAccess, facts } = compare(old, next);
    // The only user is always the same one.
    expect(constraints.gained).toEqual([]);
    expect(facts).toMatchObject([{ kind: 'constrain', change: 'removed' }]);
    expect(newAccess).toEqual([]);
  });
});
