/**
 * Mutation testing of the code that decides: `npx tsx tests/mutation/mutate.ts [--every N]
 * [--file FILE,...] [--at FILE:LINE,...]`.
 *
 * The sources of the policy package are copied to a temporary place. There one mutation at a time is made in the security
 * server, and its unit tests are run. A mutant that no test notices is a survivor; `survivors.md` says of each why it
 * may live. The tool lists the survivors that are not in that file, and ends with 1 when there are any.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = 'packages/policy/src/security-server';
const FILES = [
  'decisions.ts',
  'constraints.ts',
  'context-text.ts',
  'avc.ts',
  'av-index.ts',
  'type-rules.ts',
  'key-table.ts',
  'checked-element.ts',
];
/** The unit tests. The properties are left out: they are slow, and what only they notice deserves a test of its own. */
const TESTS = [
  'decisions.test.ts',
  'constraints.test.ts',
  'context-text.test.ts',
  'avc.test.ts',
  'security-server.test.ts',
  'load-checks.test.ts',
  'damaged-policies.test.ts',
  'av-index.test.ts',
  'type-rules.test.ts',
  'key-table.test.ts',
];
/** A mutant that makes an endless loop is noticed by its silence. */
const PATIENCE_MS = 120_000;

/** What is put in the place of what. */
const SWAPS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ <= /g, ' < '],
  [/ >= /g, ' > '],
  [/ < (?=\w)/g, ' <= '],
  [/ > (?=\w)/g, ' >= '],
  [/ & ~/g, ' & '],
  [/ \| (?=[\w(])/g, ' & '],
  [/ \|= /g, ' = '],
  [/ &= ~/g, ' |= '],
  [/ \+ 1\b/g, ' + 2'],
  [/ - 1\b/g, ' - 0'],
  [/\?\? false/g, '?? true'],
  [/\?\? true/g, '?? false'],
  [/return true;/g, 'return false;'],
  [/return false;/g, 'return true;'],
  [/\breturn undefined;/g, ';'],
  [/\bcontinue;/g, 'break;'],
  [/\bbreak;/g, ';'],
  [/(?<![\w.])!(?=[\w(])/g, ''],
];

interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly before: string;
  readonly after: string;
  readonly text: string;
}

/** Whether a place is in code, not in a comment, a type or an import. */
function isCode(line: string): boolean {
  return !/^\s*(?:\/\/|\*|\/\*|import\b|export type\b|export interface\b|type\b|readonly\b)/.test(line);
}

/** Every mutant of a file, from its top to its end. */
function mutantsOf(file: string, source: string): Mutant[] {
  const found: (Mutant & { readonly at: number })[] = [];
  for (const [pattern, replacement] of SWAPS) {
    for (const match of source.matchAll(pattern)) {
      const at = match.index;
      const start = source.lastIndexOf('\n', at) + 1;
      const end = source.indexOf('\n', at);
      const before = source.slice(start, end);
      // A `|` between types is none between numbers.
      if (!isCode(before) || (match[0].startsWith(' | ') && /[:=<] .*\|.*(?:'|undefined|Fault|boolean>)/.test(before)))
        continue;
      const text = source.slice(0, at) + replacement + source.slice(at + match[0].length);
      const after = text.slice(start, text.indexOf('\n', start));
      found.push({
        file,
        at,
        line: source.slice(0, at).split('\n').length,
        before: before.trim(),
        after: after.trim(),
        text,
      });
    }
  }
  return found.sort((a, b) => a.at - b.at || (a.after < b.after ? -1 : 1));
}

/** Whether the unit tests of the copy pass. */
function testsPass(copy: string): boolean {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--root', copy, '--bail', '1', '--pool', 'threads', '--maxWorkers', '1', '--no-isolate'];
  const outcome = spawnSync(process.execPath, [...args, '--reporter', 'dot'], {
    cwd: copy,
    encoding: 'utf8',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  return outcome.status === 0;
}

/** How a mutant is written down in `survivors.md`. */
function nameOf({ file, before, after }: Mutant): string {
  return `${file}: \`${before}\` → \`${after}\``;
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function main(): number {
  const every = Number(option('--every') ?? 4);
  const places = option('--at')?.split(',');
  const files = option('--file')?.split(',') ?? FILES;
  const copy = mkdtempSync(join(tmpdir(), 'dewar-mutation-'));
  const folder = join(copy, 'src/security-server');
  try {
    mkdirSync(join(copy, 'src'));
    for (const part of ['text', 'm4', 'language', 'policydb', 'releases', 'compiler', 'security-server']) {
      cpSync(join(ROOT, FOLDER, '..', part), join(copy, 'src', part), {
        recursive: true,
        filter: (path) => !path.endsWith('.test.ts') || TESTS.some((name) => path.endsWith(`security-server/${name}`)),
      });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    writeFileSync(join(copy, 'package.json'), '{ "type": "module" }\n');
    writeFileSync(join(copy, 'vitest.config.ts'), 'export default { test: { testTimeout: 60000 } };\n');
    if (!testsPass(copy)) {
      console.error('the unit tests fail without any mutation');
      return 1;
    }
    const known = readFileSync(new URL('survivors.md', import.meta.url), 'utf8');
    const all = files.flatMap((file) => mutantsOf(file, readFileSync(join(folder, file), 'utf8')));
    const tried = all.filter(({ file, line }, i) => places?.includes(`${file}:${line}`) ?? i % every === 0);
    const survivors: Mutant[] = [];
    for (const mutant of tried) {
      const path = join(folder, mutant.file);
      const original = readFileSync(path, 'utf8');
      writeFileSync(path, mutant.text);
      const isAlive = testsPass(copy);
      writeFileSync(path, original);
      if (isAlive) survivors.push(mutant);
      console.log(`${isAlive ? 'alive ' : 'killed'} ${mutant.file}:${mutant.line} ${mutant.before} → ${mutant.after}`);
    }
    const unknown = survivors.filter((one) => !known.includes(nameOf(one)));
    console.log(
      `${tried.length} of ${all.length} mutants: ${survivors.length} alive, ${unknown.length} of them without a reason`,
    );
    for (const one of unknown) console.log(nameOf(one));
    return unknown.length === 0 ? 0 : 1;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

process.exitCode = main();
