/**
 * A compiled policy is decided on as Xen decides on its bytes: the same policy, seen as it was compiled and as it was read
 * back, gives the same answers.
 */
import { examplePolicy, Random } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { compileDirectory, compileText } from '../compiler/index.ts';
import {
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  type Context,
  type PolicyDb,
  readPolicydb,
} from '../policydb/index.ts';
import { SourceText } from '../text/index.ts';
import { policyText } from './fixtures/policy-text.ts';
import { PolicyView } from './index.ts';

interface Both {
  readonly written: PolicyDb;
  readonly read: PolicyDb;
}

function bothOf({ policy, bytes, diagnostics }: ReturnType<typeof compileText>): Both {
  const read = readPolicydb(bytes ?? new Uint8Array());
  if (policy === undefined || 'diagnostic' in read)
    throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return { written: policy, read: read.policy };
}

const TYPES = ['dom0_t', 'domU_t', 'guest_t', 'xen_t'];
const SETS = [...TYPES, 'domain_type', '{ dom0_t guest_t }', '{ domain_type -guest_t }'];
const CLASSES = ['domain', 'grant', 'mmu', 'hvm', 'event', 'security'];
const PERMISSIONS = ['create', 'destroy', 'pause', 'unpause', 'transition', 'getdomaininfo'];

/** Rules of all kinds, with sets, `self`, repetitions, several classes, and conditional blocks. */
function randomRules(random: Random): string {
  const set = (): string => SETS[random.below(SETS.length)] ?? 'dom0_t';
  const plain = (): string => TYPES[random.below(TYPES.length)] ?? 'dom0_t';
  const vector = (): string => {
    const word = ['allow', 'auditallow', 'dontaudit'][random.below(3)];
    const target = random.below(4) === 0 ? 'self' : random.below(6) === 0 ? '{ self guest_t }' : set();
    return `${word} ${set()} ${target}:domain ${PERMISSIONS[random.below(PERMISSIONS.length)]};`;
  };
  const vectors = (count: number): string => Array.from({ length: count }, vector).join('\n');
  // One result for all: what contradicts itself does not compile.
  const kinds = ['type_transition', 'type_member', 'type_change'];
  const typeRules = Array.from({ length: random.below(8) }, () => {
    const classes = random.below(2) === 0 ? 'grant' : '{ grant mmu }';
    return `${kinds[random.below(3)]} ${plain()} ${random.below(3) === 0 ? 'domain_type' : plain()}:${classes} xen_t;`;
  });
  const blocks = ['one', 'two and not one', 'one or (two ^ three)', 'three == two'].map((condition, i) => {
    const newLabel = `type_transition guest_t ${TYPES[i]}:hvm nic_t;`;
    return `if (${condition}) {\n${newLabel}\n${vectors(random.below(4))}\n} else {\n${vectors(random.below(3))}\n}`;
  });
  const booleans = ['one', 'two', 'three'].map((name) => `bool ${name} ${random.below(2) === 0};`);
  const permissive = random.below(2) === 0 ? 'permissive guest_t;' : '';
  return [...booleans, vectors(12), ...typeRules, ...blocks, permissive].join('\n');
}

const policies: readonly (readonly [name: string, make: () => Both])[] = [
  ['the example policy', () => bothOf(compileDirectory(examplePolicy()))],
  ['the example policy with MLS', () => bothOf(compileDirectory(examplePolicy(), { isMls: true }))],
  ['the example policy for version 24', () => bothOf(compileDirectory(examplePolicy(), { version: 24 }))],
  ...Array.from({ length: 24 }, (_, seed): readonly [string, () => Both] => [
    `random rules ${seed}`,
    () => {
      const text = policyText({
        rules: randomRules(new Random(seed)),
        constraints: 'constrain domain pause (u1 == u2);',
      });
      return bothOf(compileText(new SourceText('random.conf', text)));
    },
  ]),
];

/** Without the places in the text, which only the compiler knows. */
function withoutTokens(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTokens);
  if (value instanceof Map) return [...value].map(withoutTokens);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'token');
  return Object.fromEntries(entries.map(([key, one]) => [key, withoutTokens(one)]));
}

/** All but rules, of which there are two forms. */
function apartFromRules({ rules: _, typeSets: __, isExpanded: ___, conditionals, ...others }: PolicyDb): unknown {
  return withoutTokens({
    ...others,
    conditionals: conditionals.map(({ expression, state }) => ({ expression, state })),
  });
}

describe.each(policies)('%s', (_, make) => {
  const { written, read } = make();

  test('has the same symbols, constraints, contexts and transitions', () => {
    expect(apartFromRules(written)).toEqual(apartFromRules(read));
  });

  test('decides alike, whatever its booleans are', () => {
    const views = [new PolicyView(written), new PolicyView(read)] as const;
    const types = read.types.entries.filter(({ kind }) => kind === 'type').map(({ value }) => value);
    const classes = read.classes.entries.filter(({ name }) => CLASSES.includes(name));
    const range = {
      low: { sensitivity: 1, categories: written.permissive },
      high: { sensitivity: 1, categories: written.permissive },
    };
    const context = (type: number, at: number): Context => ({
      user: (at % read.users.primaryCount) + 1,
      role: 1,
      type,
      range,
    });
    for (const flipped of [undefined, ...read.booleans.entries.map(({ value }) => value)]) {
      for (const view of views) {
        for (const { value, state } of read.booleans.entries) view.booleans[value] = value === flipped ? !state : state;
        view.applyBooleans();
      }
      for (const source of types) {
        for (const target of types) {
          for (const { value } of classes) {
            const [from, to] = [context(source, source), context(target, target)];
            const answers = views.map((view) => ({
              vectors: view.computeAv(from, to, value),
              labels: [AVTAB_TRANSITION, AVTAB_MEMBER, AVTAB_CHANGE].map((kind) =>
                view.newContext(from, to, value, kind),
              ),
            }));
            expect(answers[0], `${source} ${target} ${value}`).toEqual(answers[1]);
          }
        }
      }
    }
  });
});
