/**
 * sesearch as the reference: the rules that it finds in a binary policy.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamePattern, RuleKind, RuleQuery } from '@dewar/policy/analysis';
import { type ReferenceTool, referenceTool } from '@dewar/testkit';

export const sesearch: ReferenceTool | undefined = referenceTool('sesearch');

const KIND_FLAGS: Readonly<Record<RuleKind, string>> = {
  allow: '--allow',
  auditallow: '--auditallow',
  dontaudit: '--dontaudit',
  neverallow: '--neverallow',
  type_transition: '--type_trans',
  type_member: '--type_member',
  type_change: '--type_change',
  role_allow: '--role_allow',
  role_transition: '--role_trans',
  range_transition: '--range_trans',
};

const named = (flag: string, pattern: NamePattern | undefined): string[] =>
  pattern === undefined ? [] : [flag, pattern.text];
const listed = (flag: string, patterns: readonly NamePattern[] | undefined): string[] =>
  patterns === undefined ? [] : [flag, patterns.map(({ text }) => text).join(',')];
const when = (flag: string, isSet: boolean | undefined): string[] => (isSet === true ? [flag] : []);

/** A question as arguments of sesearch. */
function sesearchArguments(query: RuleQuery): string[] {
  return [
    ...query.kinds.map((kind) => KIND_FLAGS[kind]),
    ...named('-s', query.source),
    ...named('-t', query.target),
    ...named('-D', query.result),
    ...listed('-c', query.classes),
    ...listed('-b', query.booleans),
    ...(query.permissions === undefined ? [] : ['-p', query.permissions.join(',')]),
    ...when('-ep', query.permissionMatch === 'equal'),
    ...when('-Sp', query.permissionMatch === 'subset'),
    ...when('-eb', query.isBooleansEqual),
    ...when('-ds', query.source?.isDirect),
    ...when('-dt', query.target?.isDirect),
    ...when('-rs', query.source?.isRegex),
    ...when('-rt', query.target?.isRegex),
    ...when('-rd', query.result?.isRegex),
    ...when(
      '-rc',
      query.classes?.some(({ isRegex }) => isRegex === true),
    ),
    ...when(
      '-rb',
      query.booleans?.some(({ isRegex }) => isRegex === true),
    ),
  ];
}

/**
 * sesearch 4.4 cannot name the permissions of a rule with `*` or `~`, which sets bits beyond its class, and gives up. What
 * it says then.
 */
const GIVES_UP = /list index out of range/;

/** The lines that sesearch prints, sorted; undefined where it gives up on the policy. */
export function askSesearch(tool: ReferenceTool, bytes: Uint8Array, query: RuleQuery): string[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-sesearch-'));
  try {
    const path = join(folder, 'policy.bin');
    writeFileSync(path, bytes);
    const { status, stdout, stderr } = tool.run([path, ...sesearchArguments(query)]);
    const text = Buffer.from(stdout).toString('latin1');
    if (status !== 0) {
      if (GIVES_UP.test(text)) return undefined;
      throw new Error(`sesearch failed: ${text}${stderr}`);
    }
    return text
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
