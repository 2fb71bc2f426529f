import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileDirectory } from '../compiler/index.ts';
import { formatSource } from './index.ts';

const example = new URL('../../../../policies/example/', import.meta.url);
const isSource = (path: string): boolean => /\.(?:te|if|cons|spt)$/.test(path);
const sources = readdirSync(example, { recursive: true }).map(String).filter(isSource);

function read(path: string): string | undefined {
  try {
    return readFileSync(new URL(path, example), 'latin1');
  } catch {
    return undefined;
  }
}

/** The bytes of the example policy, its sources changed by `edit`. */
function compile(edit: (text: string) => string): string {
  const { bytes, diagnostics } = compileDirectory({
    readText: (path) => {
      const text = read(path);
      return text !== undefined && isSource(path) ? edit(text) : text;
    },
    listNames: (path) => readdirSync(new URL(`${path}/`, example)),
    describe: (path) => path,
  });
  expect(diagnostics).toEqual([]);
  return Buffer.from(bytes ?? []).toString('hex');
}

test.each(sources)('%s of the example policy is in order', (path) => {
  const text = read(path);
  expect(formatSource(text ?? '')).toBe(text);
});

/** Takes the layout away: no indentation, other blanks at line ends and beside braces, more empty lines. */
function spoil(text: string): string {
  return text
    .split('\n')
    .map((line, i) => {
      const bare = line.replace(/^\t+/, ' '.repeat(i % 4));
      const tight = /[(`'"#]/.test(bare)
        ? bare
        : bare.replaceAll('{ ', '{').replaceAll(' }', '}').replaceAll(';', ' ;');
      return `${tight}${i % 3 === 0 ? ' \t' : ''}${tight === '' ? '\n\n' : ''}`;
    })
    .join('\n');
}

test('formatting changes no byte of the compiled policy, and mends what was spoilt', () => {
  const right = compile((text) => text);
  expect(compile(spoil)).toBe(right);
  expect(compile((text) => formatSource(spoil(text)))).toBe(right);
  for (const path of sources) {
    const text = read(path) ?? '';
    expect(formatSource(spoil(text)), path).toBe(text);
  }
});

test.each(sources)('formatting %s twice is formatting it once', (path) => {
  const once = formatSource(spoil(read(path) ?? ''));
  expect(formatSource(once)).toBe(once);
});

test.each([
  [
    'a set that goes on',
    'allow a_t b_t:domain {create\ndestroy\n  };',
    'allow a_t b_t:domain { create\n\t\tdestroy\n};\n',
  ],
  ['a statement that goes on', 'type a_t,\ndomain_type;\ntype b_t;', 'type a_t,\n\tdomain_type;\ntype b_t;\n'],
  [
    'a condition',
    'if (locked) {\nallow a_t b_t:domain pause ;\n}',
    'if (locked) {\n\tallow a_t b_t:domain pause;\n}\n',
  ],
  [
    'a macro',
    "define(`give', `\nallow $1 $2:x y;\n')\ngive(a, b)",
    "define(`give', `\n\tallow $1 $2:x y;\n')\ngive(a, b)\n",
  ],
  ['a comment keeps its words', '   #  as   written   \n', '#  as   written\n'],
  ['an apostrophe in a comment opens nothing', "# dom0's {\nallow a b:c d;", "# dom0's {\nallow a b:c d;\n"],
  ['the inside of a call stays', 'gen_user(user_1,,  vm_r ,s0)', 'gen_user(user_1,,  vm_r ,s0)\n'],
  [
    '`$#` is no comment',
    "define(`f', `\nifelse(`$#', `1', `a')\nb\n')\nc",
    "define(`f', `\n\tifelse(`$#', `1', `a')\n\tb\n')\nc\n",
  ],
  ['what closes nothing is left alone', ") } '\nx", ") } '\nx\n"],
  ['nothing', '\n\n \n', ''],
])('%s', (_, text, formatted) => {
  expect(formatSource(text)).toBe(formatted);
  expect(formatSource(formatted)).toBe(formatted);
});

const floods: Readonly<Record<string, () => string>> = {
  'open signs on lines of their own': () => '(\n'.repeat(100_000),
  quotations: () => '`\n'.repeat(100_000),
  blanks: () => `a${' '.repeat(300_000)}{${'\t'.repeat(300_000)}b`,
  braces: () => '{}'.repeat(100_000),
};

test.each(Object.keys(floods))('a large file of %s takes no longer than its size deserves', (name) => {
  const once = formatSource(floods[name]?.() ?? '');
  expect(formatSource(once) === once).toBe(true);
});
