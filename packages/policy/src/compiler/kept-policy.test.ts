import { examplePolicy } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { searchRules } from '../analysis/index.ts';
import { expandPolicyRules, ruleTables, writePolicydb } from '../policydb/index.ts';
import { SourceText } from '../text/index.ts';
import { binaryAgain, type CompiledPolicy, type CompileOptions, compileDirectory, compileText } from './index.ts';
import { type KeptPolicy, putTogether, takeApart } from './kept-policy.ts';

const DEVICES = `
pirqcon 33 gen_context(system_u:object_r:irq_t, s0)
iomemcon 0xfffffffff0-0x1000000000000 gen_context(system_u:object_r:device_t, s0)
ioportcon 0x3f8-0x3ff gen_context(system_u:object_r:device_t, s0)
pcidevicecon 0xc8 gen_context(system_u:object_r:device_t, s0)
devicetreecon "/soc/uart@1" gen_context(system_u:object_r:device_t, s0)
`;

const files = examplePolicy({
  'policy/device_contexts': (text) => text + DEVICES,
  // A rule that is there twice, a complement, an expanded attribute, and something to warn of.
  'modules/domU.te': (text) =>
    `${text}\nallow dom0_t { domain_type -domU_t }:domain getdomaininfo;\nneverallow ~dom0_t *:security setenforce;\nattribute kept_spare;\n`,
});

/** The same, written down and read back. */
function readBack(compiled: CompiledPolicy): CompiledPolicy {
  const kept = takeApart(compiled);
  if (kept === undefined) throw new Error('the policy was not taken apart');
  return putTogether(structuredClone(kept), () => raise());
}

const cases: readonly (readonly [name: string, compile: () => CompiledPolicy])[] = [
  ['a directory', () => compileDirectory(files)],
  ['a directory with MLS', () => compileDirectory(files, { isMls: true })],
  ['with what is unknown let pass', () => compileDirectory(examplePolicy(), { handleUnknown: 'allow' })],
  [
    'macros that print and warn',
    () => compileDirectory(examplePolicy({ 'modules/domU.te': (text) => `${text}errprint(\`hello\n')\n` })),
  ],
  [
    'what version 24 loses, which is warned of',
    () =>
      compileDirectory(
        examplePolicy({
          'policy/device_contexts': (text) => `${text}devicetreecon "/soc/uart@1" system_u:object_r:device_t\n`,
        }),
        { version: 24 },
      ),
  ],
  ['an expanded text', () => compileText(new SourceText('policy.conf', compileDirectory(files).text.text))],
];

describe.each(cases)('%s', (_, compile) => {
  const before = compile();
  const after = readBack(before);

  test('compiles, so that there is something to keep', () => {
    expect(before.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(before.bytes?.length).toBeGreaterThan(5000);
  });

  test('comes back with the same symbols, rules, text and diagnostics', () => {
    const { typeSets: oldSets, rules: oldRules, conditionals: oldBlocks, ...old } = before.policy ?? raise();
    const { typeSets, rules, conditionals, ...others } = after.policy ?? raise();
    expect(others).toEqual(old);
    expect(typeSets.parts()).toEqual(oldSets.parts());
    const rows = (compiled: CompiledPolicy): unknown[] =>
      ruleTables(compiled.policy ?? raise()).map((table) =>
        Array.from({ length: table.length }, (_, row) => [
          table.kind[row],
          table.source[row],
          table.target[row],
          table.self[row],
          table.tclass[row],
          table.data[row],
          table.statement[row],
        ]),
      );
    expect(rows(after)).toEqual(rows(before));
    expect(conditionals.map(({ expression, state }) => [expression, state])).toEqual(
      oldBlocks.map(({ expression, state }) => [expression, state]),
    );
    expect(after.diagnostics).toEqual(before.diagnostics);
    expect([after.errorOutput, after.text.text]).toEqual([before.errorOutput, before.text.text]);
    for (let row = 0; row < rules.length; row++) {
      for (const id of [rules.source[row] ?? 0, rules.target[row] ?? 0]) {
        expect(typeSets.members(id)).toEqual(oldSets.members(id));
        expect(typeSets.keys(id)).toEqual(oldSets.keys(id));
      }
    }
  });

  test('is written to the same bytes, and answers a search alike', () => {
    const bytesOf = (compiled: CompiledPolicy): Buffer => {
      const policy = compiled.policy ?? raise();
      return Buffer.from(writePolicydb(policy, expandPolicyRules(policy).rules, 30));
    };
    expect(bytesOf(after).equals(bytesOf(before))).toBe(true);
    const answer = (compiled: CompiledPolicy): unknown =>
      searchRules(compiled.policy ?? raise(), { kinds: ['allow', 'neverallow', 'type_transition'] }).rules;
    expect(answer(after)).toEqual(answer(before));
  });

  test('tells of each place of its text where it came from', () => {
    const { text, origins } = before.text;
    for (let start = 0; start < text.length; start += 7) {
      const end = Math.min(text.length, start + (start % 41));
      expect(after.text.origins.originAt(start, end)).toEqual(origins.originAt(start, end));
    }
  });
});

test('the binary is asked for when it is needed, and once', () => {
  const asked: unknown[] = [];
  const kept = takeApart(compileDirectory(files)) ?? raise();
  const back = putTogether(kept, (policy) => {
    asked.push(policy);
    return Uint8Array.of(1, 2);
  });
  expect(asked).toEqual([]);
  expect([back.bytes, back.bytes]).toEqual([Uint8Array.of(1, 2), Uint8Array.of(1, 2)]);
  expect(asked).toEqual([back.policy]);
});

test.each<[string, CompileOptions]>([
  ['as it stands', {}],
  ['of version 24', { version: 24 }],
  ['without what other entries cover', { isOptimized: true }],
  ['with MLS', { isMls: true }],
])('the binary %s can be made again of the policy', (_, options) => {
  const before = compileDirectory(examplePolicy(), options);
  const kept = takeApart(before) ?? raise();
  const back = putTogether(structuredClone(kept), (policy) => binaryAgain(policy, options));
  expect(Buffer.from(back.bytes ?? []).equals(Buffer.from(before.bytes ?? raise()))).toBe(true);
});

test('a policy with errors is not kept', () => {
  const broken = examplePolicy({ 'modules/domU.te': (text) => `${text}allow nobody_t self:domain pause;\n` });
  expect(takeApart(compileDirectory(broken))).toBeUndefined();
});

test('parts that do not fit together are refused, and a chain of calls that is a ring does not turn for ever', () => {
  const kept = takeApart(compileDirectory(files)) ?? raise();
  const broken = (change: (json: string) => string, words = kept.words): KeptPolicy => ({
    ...kept,
    json: change(kept.json),
    words,
  });
  for (const one of [
    broken((json) => json.slice(0, -1)),
    broken((json) => json.replace('{"$b":[', '{"$x":[')),
    broken((json) => json.replace('"$b":[', '"$b":["')),
    { ...kept, texts: [] },
  ])
    expect(() => putTogether(one, () => raise())).toThrow();
  const words = kept.words.slice();
  const { callFrames } = JSON.parse(kept.json).runs;
  words.fill(words[words.length - 1] ?? 0, callFrames.$w[0], callFrames.$w[0] + callFrames.$w[1]);
  const ring = putTogether(
    broken((json) => json, words),
    () => raise(),
  );
  const ask = (): void => {
    for (let at = 0; at < ring.text.text.length; at += 50) ring.text.origins.originAt(at, at + 1);
  };
  expect(ask).toThrow(RangeError);
});

function raise(): never {
  throw new Error('there is no policy');
}
