import { expect, test } from 'vitest';
import { type Origin, placeText, SourceText, userSpan } from '../text/index.ts';
import { type M4Options, type M4Result, runM4 } from './index.ts';

function expand(text: string, options: M4Options = {}): M4Result {
  return runM4([new SourceText('policy.te', text)], options);
}

/** The calls an origin came through, innermost first, then where the outermost stands. */
function trail(origin: Origin): string[] {
  const steps: string[] = [];
  let at = origin;
  for (; at.kind === 'expanded'; at = at.call) steps.push(`${at.macro} body ${placeText(at.span)}`);
  return [...steps, placeText(at.span)];
}

function originOfWord({ output }: M4Result, word: string): Origin {
  const start = output.text.indexOf(word);
  expect(start, `\`${word}\` in the output`).toBeGreaterThanOrEqual(0);
  return output.origins.originAt(start, start + word.length);
}

test('text that no macro touched keeps its place', () => {
  const result = expand('allow a_t b_t:domain create;\nallow c_t d_t:domain pause;\n');
  expect(trail(originOfWord(result, 'c_t'))).toEqual(['policy.te:2:7']);
});

test('text from a body knows the body and the call', () => {
  const result = expand("define(`give', `allow $1 self:domain pause;')\ngive(a_t)\n");
  expect(trail(originOfWord(result, 'pause'))).toEqual(['give body policy.te:1:38', 'policy.te:2:1']);
});

test('an argument keeps the place where it was written', () => {
  const result = expand("define(`give', `allow $1 self:domain pause;')\ngive(a_t)\n");
  expect(trail(originOfWord(result, 'a_t'))).toEqual(['policy.te:2:6']);
});

test('an argument that goes through several macros still points at its writer', () => {
  const result = expand(
    "define(`inner', `allow $1 self:domain pause;')\ndefine(`outer', `inner($1)')\nouter(\n  wrong_t)\n",
  );
  expect(trail(originOfWord(result, 'wrong_t'))).toEqual(['policy.te:4:3']);
  expect(trail(originOfWord(result, 'pause'))).toEqual([
    'inner body policy.te:1:39',
    'outer body policy.te:2:18',
    'policy.te:3:1',
  ]);
});

test('a name glued from a body and an argument begins where its first part was written', () => {
  const result = expand("define(`declare', `type $1_channel;')\ndeclare(a_t)\n");
  const start = result.output.text.indexOf('a_t_channel');
  expect(userSpan(result.output.origins.originAt(start, start + 11))).toMatchObject({ start: 46, end: 49 });
});

test('text that m4 made points at the call', () => {
  const result = expand('line one\nincr(41)\n');
  expect(trail(originOfWord(result, '42'))).toEqual(['policy.te:2:1']);
});

test('calls with missing arguments are known with what came of them', () => {
  const result = expand("define(`give', `allow $1 $2:domain pause;')\ngive(a_t)\ngive(a_t, b_t)\n");
  expect(result.shortCalls).toMatchObject([{ macro: 'give', given: 1, missing: 2 }]);
  const [short] = result.shortCalls;
  expect(result.output.text.slice(short?.start, short?.end)).toBe('allow a_t :domain pause;');
});

test('an empty argument is missing where the body names it', () => {
  const missing = (call: string): number[] =>
    expand(`define(\`give', \`allow $1 $3:domain pause;')\n${call}\n`).shortCalls.map((short) => short.missing);
  expect(missing('give(a_t, , b_t)')).toEqual([]);
  expect(missing('give(, x, b_t)')).toEqual([1]);
  expect(missing('give(a_t)')).toEqual([3]);
  expect(missing('give')).toEqual([1]);
});

test('errprint goes to the error output, with file and line', () => {
  const result = expand('\nerrprint(__file__:__line__: `careful\n'.concat("')text"));
  expect(result.errorOutput).toBe('policy.te:2: careful\n');
  expect(result.output.text).toBe('\ntext');
});

test.each([
  ['one\n  `two', 'm4/unterminated-quote', 'policy.te:2:3'],
  ['one\ncall # comment', 'm4/unterminated-comment', 'policy.te:2:6'],
  ["define(`f', `x')\n f(a, b", 'm4/unterminated-call', 'policy.te:2:2'],
  ["\ninclude(`other.te')", 'm4/no-include', 'policy.te:2:1'],
  ["syscmd(`true')", 'm4/not-supported', 'policy.te:1:1'],
  ["esyscmd(`true')", 'm4/not-supported', 'policy.te:1:1'],
  ["maketemp(`/tmp/x')", 'm4/not-supported', 'policy.te:1:1'],
  ['eval(1+)', 'm4/bad-expression', 'policy.te:1:1'],
  ["regexp(`a', `\\(')", 'm4/bad-pattern', 'policy.te:1:1'],
  ["indir(`nothing')", 'm4/unknown-macro', 'policy.te:1:1'],
  ['incr(many)', 'm4/bad-number', 'policy.te:1:1'],
])('%j is reported as %s', (text, code, place) => {
  const { diagnostics } = expand(text);
  expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual([code]);
  expect(diagnostics.map(({ origin }) => origin && placeText(userSpan(origin)))).toEqual([place]);
});

test.each([
  ['a macro that calls itself', "define(`f', `f')f", 'endless-macro'],
  ['a macro that grows', "define(`f', `f(`$1$1')')f(`aaaaaaaa')", 'limit-reached'],
  ['calls inside of calls', "define(`f', `g(f')f", 'endless-macro'],
  [
    'a body that doubles with each level',
    "define(`f', `$1$1$1$1')f(f(f(f(f(f(f(f(f(f(f(f(f(f(aaaa))))))))))))))",
    'limit-reached',
  ],
  ['a file that includes itself', "include(`policy.te')", 'limit-reached'],
  ['text that wraps itself', "define(`f', `m4wrap(`f')')f", 'endless-macro'],
])('%s comes to an end', (_, text, code) => {
  const source = new SourceText('policy.te', text);
  const limits = { calls: 100_000, scanned: 10_000_000, output: 1_000_000, argument: 1_000_000, pending: 10_000 };
  const { diagnostics, exitStatus } = runM4([source], { limits, readInclude: () => source });
  expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual([`m4/${code}`]);
  expect(exitStatus).toBe(1);
});

test('macros that call each other for ever are told of long before the limits', () => {
  const text = "define(`ping', `one pong($1)')define(`pong', `two ping($1)')\nping(`x')";
  const { diagnostics } = expand(text);
  const [only] = diagnostics;
  expect(diagnostics).toHaveLength(1);
  expect([only?.code, only?.origin && placeText(userSpan(only.origin))]).toEqual(['m4/endless-macro', 'policy.te:2:1']);
});

test.each([
  // Each is called with the same arguments inside of itself, a hundred thousand times, and comes to an end.
  ['counts in a definition', "define(`n', `0')define(`f', `define(`n', incr(n))ifelse(n, `100000', `end', `f')')f"],
  ['counts in an argument', "define(`f', `ifelse($1, `100000', `end', `f(incr($1))')')f(`0')"],
  ['reads on behind itself', `define(\`f', \`ifelse(')f${"x', `y', `no', `f".repeat(30_000)}')`],
])('a macro that %s is not taken for one without an end', (_, text) => {
  expect(expand(text).diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
});

test('include reads through the function that is given', () => {
  const { output } = expand("a include(`b.te') c", { readInclude: (name) => new SourceText(name, '[b]') });
  expect(output.text).toBe('a [b] c');
});

test('definitions from outside are there before the first source', () => {
  expect(
    expand("ifdef(`on', `yes value', `no')", {
      definitions: [
        { name: 'on', value: '' },
        { name: 'value', value: '7' },
      ],
    }).output.text,
  ).toBe('yes 7');
});

test('an appended definition stays cheap, and its parts keep their places', () => {
  const rounds = 3000;
  const text = `define(\`all', \`')\ndefine(\`add', \`define(\`all', all()\`user $1;
')')\n${Array.from({ length: rounds }, (_, i) => `add(u${i})\n`).join('')}all()`;
  const result = expand(text);
  expect(result.output.text.match(/user u\d+;/g)).toHaveLength(rounds);
  expect(trail(originOfWord(result, `u${rounds - 1};`)).at(-1)).toBe(`policy.te:${rounds + 3}:5`);
});

test('a text about which nothing is to be said is the same whether or not it is asked where it came from', () => {
  const text = [
    "define(`all_users', `')",
    "define(`gen_user', `define(`all_users', all_users `user $1 roles { $2 };",
    "')')",
    ...Array.from({ length: 50 }, (_, i) => `gen_user(user_${i}, vm_r)dnl`),
    'all_users()',
  ].join('\n');
  const late = expand(text);
  expect(late.diagnostics).toEqual([]);
  expect(late.output.text).toContain('user user_49 roles { vm_r };');
  const kept = expand(text, { keepsOrigins: true });
  expect(late.output.text).toBe(kept.output.text);
  expect(trail(originOfWord(late, 'user_49'))).toEqual(trail(originOfWord(kept, 'user_49')));
  expect(late.output.origins.runs?.()).toEqual(kept.output.origins.runs?.());
  expect([...late.macros.keys()]).toEqual([...kept.macros.keys()]);
  expect(late.shortCalls).toEqual(kept.shortCalls);
});

test('a word that becomes a macro is one in text that was appended before', () => {
  const filler = 'role vm_r types { domU_t dm_dom_t }; '.repeat(3);
  const { output } = expand(
    `define(\`g', \`')define(\`g', g ${filler} late(x))define(\`g', g more)define(\`late', \`<$1>')g\n`,
  );
  expect(output.text).toBe(` ${filler} <x> more\n`);
});

test('a long row of blanks in an argument is passed at once, and a word that goes on behind an expansion is one', () => {
  const blanks = ' '.repeat(1_000_000);
  expect(expand(`len(${blanks}x y)`).output.text).toBe('3');
  expect(expand("define(`of', `x$1')of(a)b`'of(`a'), of(`')of\n").output.text).toBe('xabxa, xof\n');
});
