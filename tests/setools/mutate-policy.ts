/**
 * Policies that are almost alike: statements of one are taken out, repeated under another name, or given other words.
 *
 * @module
 */
import { type CompileOptions, compileText } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import type { Random } from '@dewar/testkit';

const STATEMENT =
  /^[ \t]*(?:allow|auditallow|dontaudit|type_transition|type_member|type_change|range_transition|role_transition|typeattribute|constrain|mlsconstrain|role|user|bool|type|attribute)\b[^;{}]*(?:\{[^;{}]*\}[^;{}]*)*;[ \t]*$/;

function changeLine(line: string, names: readonly string[], random: Random): string {
  switch (random.below(4)) {
    case 0:
      return '';
    case 1:
      return line.replace('true', 'maybe').replace('false', 'true').replace('maybe', 'false');
    case 2: {
      // One word of a list less.
      const list = /\{([^{}]*)\}/.exec(line)?.[1];
      const words = list?.trim().split(/\s+/) ?? [];
      return words.length < 2 ? line : line.replace(list ?? '', ` ${words.slice(1).join(' ')} `);
    }
    default: {
      const known = names.filter((name) => new RegExp(`(?<![\\w.-])${name}(?![\\w.-])`).test(line));
      return known.length === 0 ? line : line.replace(random.pick(known), random.pick(names));
    }
  }
}

/** The bytes of a policy that differs in some statements; undefined where what came out does not compile. */
export function mutatePolicy(
  text: string,
  options: CompileOptions,
  random: Random,
  changes: number,
): Uint8Array | undefined {
  const lines = text.split('\n');
  const statements = [...lines.keys()].filter((i) => STATEMENT.test(lines[i] ?? ''));
  const names = [...new Set([...text.matchAll(/^[ \t]*type[ \t]+([\w.-]+)/gm)].flatMap((match) => match[1] ?? []))];
  for (let i = 0; i < changes; i++) {
    const at = random.pick(statements);
    lines[at] = changeLine(lines[at] ?? '', names, random);
  }
  return compileText(new SourceText('mutant.conf', lines.join('\n')), options).bytes;
}
