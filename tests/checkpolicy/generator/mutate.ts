/**
 * Mutations of real policies: tokens or lines deleted, repeated, swapped, replaced.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileDirectory } from '@dewar/policy/compiler';
import { xenTree } from '@dewar/testkit';
import { Choices } from './choices.ts';
import type { GeneratedPolicy } from './generate.ts';

const FOLDER = new URL('../policies/', import.meta.url);

/** Tokens that a policy may gain. */
const STRAY = [
  '{',
  '}',
  ';',
  ':',
  ',',
  '-',
  '~',
  '*',
  '(',
  ')',
  '!',
  '!=',
  'self',
  'not',
  'alias',
  'true',
  '0x10',
  '"x"',
  '.',
];

/** Xen's own example policy after m4, where there is a source tree of Xen. */
function stockPolicies(): GeneratedPolicy[] {
  const tree = xenTree();
  if (tree === undefined) return [];
  const folder = join(tree, 'tools/flask/policy');
  const { text } = compileDirectory({
    readText: (path) => (existsSync(join(folder, path)) ? readFileSync(join(folder, path), 'latin1') : undefined),
    listNames: (path) => (existsSync(join(folder, path)) ? readdirSync(join(folder, path)) : []),
    describe: (path) => path,
  });
  return [{ text: text.text, isMls: false }];
}

function policies(): GeneratedPolicy[] {
  const written = readdirSync(FOLDER).map((name) => ({
    text: readFileSync(new URL(name, FOLDER), 'latin1'),
    isMls: name.includes('-mls'),
  }));
  return [...written, ...stockPolicies()];
}

/** One change of a list of parts, which other parts of the list may replace. */
function change(choices: Choices, parts: string[]): void {
  const at = choices.below(parts.length);
  const other = choices.below(parts.length);
  const part = parts[at] ?? '';
  const donor = parts[other] ?? '';
  switch (choices.below(6)) {
    case 0:
      parts.splice(at, 1);
      break;
    case 1:
      parts.splice(at, 0, part);
      break;
    case 2:
      parts[at] = donor;
      parts[other] = part;
      break;
    case 3:
      parts[at] = donor;
      break;
    case 4:
      parts.splice(other, 0, part);
      break;
    default:
      parts[at] = choices.pick(STRAY);
  }
}

const TOKEN = /[A-Za-z0-9_./-]+|"[^"\n]*"|#[^\n]*|\s+|[^\s]/g;

const NAME = /^[A-Za-z]/;

/** Mutates lines, names and signs, a few times. Most of it leaves the form of the statements whole. */
function mutate(choices: Choices, text: string): string {
  const lines = text.split('\n');
  for (let times = choices.pick([1, 1, 1, 2, 4]); times > 0; times--) {
    if (choices.chance(35)) {
      change(choices, lines);
      continue;
    }
    const at = choices.below(lines.length);
    const parts = [...((lines[at] ?? '').match(TOKEN) ?? [])];
    if (parts.length === 0) continue;
    if (choices.chance(75)) {
      const places = parts.flatMap((part, i) => (NAME.test(part) ? [i] : []));
      const donors = ((choices.chance(60) ? choices.pick(lines) : (lines[at] ?? '')).match(TOKEN) ?? []).filter(
        (part) => NAME.test(part),
      );
      if (places.length === 0 || donors.length === 0) continue;
      // The first word says what the statement is.
      parts[choices.pickOr(places.slice(1), places[0] ?? 0)] = choices.pickOr(donors.slice(1), donors[0] ?? '');
    } else change(choices, parts);
    lines[at] = parts.join('');
  }
  return lines.join('\n');
}

/** Makes the function that gives each seed a mutated policy. Needs no tree of Xen, and takes its policy where there is one. */
export function makeMutator(): (seed: number) => GeneratedPolicy {
  const bases = policies();
  return (seed) => {
    const choices = new Choices(seed);
    const { text, isMls } = choices.pick(bases);
    return { text: mutate(choices, text), isMls };
  };
}
