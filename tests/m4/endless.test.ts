/** What is told to have no end has none: without the watch over calls it runs into a limit. */
import { runM4 } from '@dewar/policy/m4';
import { SourceText } from '@dewar/policy/text';
import { expect, test } from 'vitest';
import { generateTexts } from './generate.ts';
import { generateEdgeTexts } from './generate-edges.ts';

const LIMITS = { calls: 20_000, scanned: 3_000_000, output: 1_000_000, argument: 300_000 };

function codesOf(texts: readonly string[], unwatched: number): readonly string[] {
  const sources = texts.map((text, index) => new SourceText(`part${index}.m4`, text));
  return runM4(sources, { limits: { ...LIMITS, unwatched } }).diagnostics.map(({ code }) => code);
}

/** Macros that call each other, with arguments that stay, change or run out, and definitions in between. */
function tangledText(seed: number): string {
  let state = seed;
  const pick = (count: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % count;
  };
  const names = ['a', 'b', 'c'];
  const name = (): string => names[pick(names.length)] ?? 'a';
  const argument = (): string => ['$1', '$1', 'shift($@)', 'decr(len($1))', "`x'", 'substr($1, 1)'][pick(6)] ?? '';
  const part = (): string => {
    const called = `${name()}(${argument()})`;
    const kinds = [
      called,
      'text',
      `ifelse($1, \`x', \`', \`${called}')`,
      "define(`n', incr(n))",
      `ifelse(n, \`9', \`', \`${called}')`,
      `ifelse($1, \`', \`', \`${called}')`,
    ];
    return kinds[pick(kinds.length)] ?? '';
  };
  const definitions = names.map((one) => `define(\`${one}', \`${part()} ${part()}')`);
  return `define(\`n', \`0')${definitions.join('')}\n${name()}(\`xyzzy')\n`;
}

test('a text that is told to have an endless macro runs into a limit when nobody looks for that', () => {
  let endless = 0;
  const generators = [generateTexts, generateEdgeTexts, (seed: number) => [tangledText(seed)]];
  for (const [place, generate] of generators.entries()) {
    for (let seed = 1; seed <= (place === 2 ? 300 : 50); seed++) {
      const texts = generate(seed);
      const watched = codesOf(texts, 4);
      const plain = codesOf(texts, Number.POSITIVE_INFINITY);
      const isEndless = watched.includes('m4/endless-macro');
      if (isEndless) endless++;
      expect([seed, isEndless ? plain.includes('m4/limit-reached') : plain]).toEqual([
        seed,
        isEndless ? true : watched,
      ]);
    }
  }
  expect(endless).toBeGreaterThan(30);
});
