/** Holds the documents against the repository: what they point at, and the commands they promise. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

const ELSEWHERE = new Set(['node_modules', '.git', '.cache', 'dist', 'coverage']);

function documentsIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ELSEWHERE.has(entry.name) ? [] : documentsIn(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

const documents = documentsIn('').map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

function textOf(path: string): string {
  return documents.find((document) => document.path === path)?.text ?? '';
}

/** The anchor that a heading has, as forges make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

/** The targets of a document's links, without those to other hosts. */
function linksOf(text: string): { readonly file: string; readonly anchor: string | undefined }[] {
  return [...text.matchAll(/\]\(([^()\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor] = target.split('#');
      return { file, anchor };
    });
}

describe.each(documents)('$path', ({ path, text }) => {
  test('has only links that lead somewhere', () => {
    const broken = linksOf(text).filter(({ file, anchor }) => {
      const target = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(root, target))) return true;
      const headings = [...textOf(target).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1] ?? ''));
      return anchor !== undefined && !headings.includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

test('the index of the documents names every document, or the folder of its kind', () => {
  const index = 'docs/README.md';
  const named = linksOf(textOf(index)).map(({ file }) => join('docs', file));
  const isNamed = (path: string): boolean => named.some((one) => path === one || path.startsWith(`${one}/`));
  // The pages of diagnostics have an index of their own, held by tests/diagnostics.
  const isPage = (path: string): boolean => /^docs\/diagnostics\/[^/]+\//.test(path);
  const written = documents
    .map(({ path }) => path)
    .filter((path) => path.startsWith('docs/') && path !== index && !isPage(path));
  expect(written.length).toBeGreaterThan(0);
  expect(written.filter((path) => !isNamed(path))).toEqual([]);
});

test('the guest of the first command in the README is there', () => {
  const [, guest] = /^npm ci && npx dewar create (\S+)$/m.exec(textOf('README.md')) ?? [];
  expect(existsSync(join(root, guest ?? 'no such command'))).toBe(true);
});

test('every script that the contributors are told of exists, and none is kept from them', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  // npm runs these by itself.
  const byItself = ['prepare', 'pretest'];
  const told = [...textOf('CONTRIBUTING.md').matchAll(/\bnpm (?:run )?(\w+(?::\w+)?)/g)].map((match) => match[1] ?? '');
  expect([...new Set(told)].filter((name) => name !== 'ci').toSorted()).toEqual(
    Object.keys(scripts)
      .filter((name) => !byItself.includes(name))
      .toSorted(),
  );
});

test('each dependency has its line, with its version', () => {
  const told = [...textOf('dependencies.md').matchAll(/^\| (\S+) \| (\d\S*) \|/gm)].map(
    ([, name = '', version = '']) => `${name} ${version}`,
  );
  const manifests = [
    'package.json',
    ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/package.json`),
  ];
  const used = manifests.flatMap((path) => {
    const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Readonly<
      Record<string, Readonly<Record<string, string>>>
    >;
    const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = manifest;
    return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter(([name]) => !name.startsWith('@dewar/'))
      .map(([name, version]) => `${name} ${version}`);
  });
  expect(told.toSorted()).toEqual([...new Set(used)].toSorted());
});
