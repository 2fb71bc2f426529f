/** The macro calls that are found, held against all calls that there are. */
import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { expandCalls, macroSources } from '../compiler/index.ts';
import { subjectOf } from './fixtures/explained.ts';
import { MacroCalls } from './macro-calls.ts';
import { permissionNames } from './subject.ts';

const files = examplePolicy();
const subject = subjectOf(files);
const TYPES = ['dom0_t', 'domU_t', 'nomigrate_t', 'nomigrate_t_building', 'nic_dev_t', 'domU_t_channel', 'domU_t_self'];
const MACROS: readonly (readonly [name: string, arity: number])[] = [
  ['create_domain', 2],
  ['manage_domain', 2],
  ['migrate_domain_out', 2],
  ['migrate_domain_in', 2],
  ['domain_comms', 2],
  ['domain_event_comms', 2],
  ['create_channel', 3],
  ['domain_self_comms', 1],
  ['use_device_iommu', 2],
  ['admin_device', 2],
  ['delegate_devices', 2],
  ['xen_build_domain', 1],
];

/** Every call of a macro with the types. */
function allCalls(): string[] {
  return MACROS.flatMap(([name, arity]) => {
    let lists: string[][] = [[]];
    for (let n = 0; n < arity; n++) lists = lists.flatMap((one) => TYPES.map((type) => [...one, type]));
    return lists.map((one) => `${name}(${one.join(', ')})`);
  });
}

/** What a call gives, read from its text with nothing but regular expressions. */
function given(text: string): Set<string> {
  const found = new Set<string>();
  const rules = text.matchAll(/allow\s+(\S+)\s+([^\s:]+)\s*:\s*(\S+)\s+(?:\{([^}]*)\}|(\S+));/g);
  for (const [, source, target, tclass, many, one] of rules) {
    for (const permission of (many ?? one ?? '').trim().split(/\s+/))
      found.add(`${source} ${target} ${tclass} ${permission}`);
  }
  return found;
}

test('for each pair of types and each permission, the calls are those that a search through all calls finds', () => {
  const { definitions, modules } = macroSources(files);
  const calls = allCalls();
  const texts = expandCalls([...definitions, ...modules], calls);
  const byWant = new Map<string, Set<string>>();
  const types = subject.view.policy.types.byName;
  for (const [i, call] of calls.entries()) {
    const all = given(texts[i] ?? '');
    // Names that are no types of the policy come of calls that make no sense, such as a channel of a channel.
    if (![...all].every((one) => one.split(' ', 2).every((name) => types.has(name)))) continue;
    for (const want of all) {
      const known = byWant.get(want) ?? new Set();
      known.add(call);
      byWant.set(want, known);
    }
  }
  const macros = MacroCalls.of(subject);
  if (macros === undefined) throw new Error('the policy is a directory');
  const names = new Set(MACROS.map(([name]) => name));
  let compared = 0;
  for (const [key, expected] of byWant) {
    const [source = '', target = '', tclass = '', permission = ''] = key.split(' ');
    const want = {
      source: types.get(source)?.value ?? 0,
      target: types.get(target)?.value ?? 0,
      class: tclass,
      permission,
    };
    const found = macros.giving([want]).filter(({ macro, gives }) => {
      const gets = gives.some(
        (pair) =>
          pair.source === want.source &&
          pair.target === want.target &&
          permissionNames(subject, subject.view.classSymbol(pair.tclass) ?? never(), pair.bits).includes(permission),
      );
      return names.has(macro) && gets;
    });
    const foundTexts = new Set(found.map(({ text }) => text));
    // Of calls with an argument that the permission does not depend on, those near the two types are looked at.
    const near = [...expected].filter((call) => isNear(call, source, target));
    expect([key, near.filter((call) => !foundTexts.has(call))]).toEqual([key, []]);
    for (const call of found) if (calls.includes(call.text)) expect(expected.has(call.text)).toBe(true);
    compared++;
  }
  expect(compared).toBeGreaterThan(500);
});

function never(): never {
  throw new Error('the class is of the policy');
}

/** Whether all arguments are one of the two types, or a type that one of them is a companion of. */
function isNear(call: string, source: string, target: string): boolean {
  const base = (type: string): string => type.replace(/_(?:self|channel|building)$/, '');
  const near = new Set([source, target].flatMap((type) => [type, base(type), `${type}_channel`]));
  return (/\((.*)\)/.exec(call)?.[1]?.split(', ') ?? []).every((argument) => near.has(argument));
}
