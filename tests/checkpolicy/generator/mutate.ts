/**
 * Mutations of real policies: tokens or lines deleted, repeated, swapped, replaced.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { compileDirectory } from '@dewar/policy/compiler';
import { xenTree } from '@dewar/testkit';
import { Choices } from './choices.ts';
import type { GeneratedPolicy } from './generate.ts';

const FOLDER = new URL('../policies/', import.meta.url);

/** Tokens that a policy may gain. */
const STRAY = ['{', '}', ';', ':', ',', '-', '~', '*', '(', ')', '!', '!=', 'self', 'not', 'alias', 'true', '0x10', '"x"', '.'];

function policies(): GeneratedPolicy[] {
  return readdirSync(FOLDER).map((name) => ({
    text: readFileSync(new URL(name, FOLDER), 'latin1'),
    isMls: name.includes('-mls'),
  }));
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

/** Mutates tokens near each other or whole lines, a few times. */
function mutate(choices: Choices, text: string): string {
  const lines = text.split('\n');
  for (let times = choices.pick([1, 1, 1, 2, 4]); times > 0; times--) {
    if (choices.chance(35)) {
      change(choices, lines);
      continue;
    }
    const at = choices.below(lines.length);
    const tokens = (lines[at] ?? '').match(TOKEN);
    if (tokens === null) continue;
    const parts = [...tokens];
    // A token of another line makes a mistake of meaning likelier than one of form.
    if (choices.chance(40)) {
      const strangers = (choices.pick(lines).match(TOKEN) ?? []).filter((token) => token.trim() !== '');
      if (strangers.length > 0) parts[choices.below(parts.length)] = choices.pick(strangers);
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
