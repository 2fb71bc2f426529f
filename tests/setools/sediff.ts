/**
 * sediff as the reference: what it finds between two binary policies, and what we find, in the same words.
 *
 * Conditions are brought to a form that does not depend on how they are written: sediff's text of one does not always mean
 * what the condition does, so it is looked up. A modified rule does not say which branch of its condition it is in: there a
 * condition and its opposite are one.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparePolicies, type FactChange, type FactKind, type PolicyDifference } from '@dewar/policy/analysis';
import {
  COND_AND,
  COND_BOOL,
  COND_EQ,
  COND_NEQ,
  COND_NOT,
  COND_OR,
  COND_XOR,
  type Conditional,
  type PolicyDb,
  type ReadPolicy,
  readPolicydb,
} from '@dewar/policy/policydb';
import { type ReferenceTool, referenceTool } from '@dewar/testkit';
import { type ConditionTable, joinValues, readText, tableOf } from './condition-table.ts';

export const sediff: ReferenceTool | undefined = referenceTool('sediff');

/** Differences by sediff's option. */
type Sections = ReadonlyMap<string, readonly string[] | undefined>;

const FACTS: Readonly<Record<string, FactKind>> = {
  '--common': 'common',
  '--class': 'class',
  '--bool': 'boolean',
  '--role': 'role',
  '--type': 'type',
  '--attribute': 'attribute',
  '--user': 'user',
  '--category': 'category',
  '--sensitivity': 'sensitivity',
  '--level': 'sensitivity',
  '--role_allow': 'role allow',
  '--role_trans': 'role_transition',
  '--range_trans': 'range_transition',
  '--constrain': 'constrain',
  '--mlsconstrain': 'mlsconstrain',
  '--validatetrans': 'validatetrans',
  '--mlsvalidatetrans': 'mlsvalidatetrans',
  '--typebounds': 'typebounds',
  '--property': 'property',
};
const RULES: Readonly<Record<string, string>> = {
  '--allow': 'allow',
  '--auditallow': 'auditallow',
  '--dontaudit': 'dontaudit',
  '--type_trans': 'type_transition',
  '--type_change': 'type_change',
  '--type_member': 'type_member',
};

/** What sediff is asked; where it gives up on all of it together, an option at a time. */
const OPTIONS: readonly string[] = [...Object.keys(FACTS), ...Object.keys(RULES)];

const OPERATORS: Readonly<Record<number, readonly [text: string, precedence: number]>> = {
  [COND_NOT]: ['!', 5],
  [COND_OR]: ['||', 1],
  [COND_AND]: ['&&', 3],
  [COND_XOR]: ['^', 2],
  [COND_EQ]: ['==', 4],
  [COND_NEQ]: ['!=', 4],
};

/** A conditional's expression as sediff prints it, and what it means. */
function readSteps(policy: PolicyDb, { expression }: Conditional): readonly [string, ConditionTable] {
  const nameOf = (value: number): string => policy.booleans.entries.find((one) => one.value === value)?.name ?? '';
  const texts: string[] = [];
  let previous = 6;
  for (const { operator, boolean } of expression) {
    if (operator === COND_BOOL) {
      texts.push(nameOf(boolean));
      continue;
    }
    const [word, precedence] = OPERATORS[operator] ?? ['', 0];
    const last = texts.pop() ?? '';
    if (operator === COND_NOT) texts.push(last.includes(' ') ? `! ( ${last} )` : `! ${last}`);
    else {
      const joined = `${last} ${word} ${texts.pop() ?? ''}`;
      texts.push(previous > precedence ? joined : `( ${joined} )`);
    }
    previous = precedence;
  }
  const named = expression.filter(({ operator }) => operator === COND_BOOL).map(({ boolean }) => nameOf(boolean));
  const table = tableOf([...new Set(named)].sort(), (isTrue) => {
    const stack: boolean[] = [];
    for (const { operator, boolean } of expression) {
      if (operator === COND_BOOL) stack.push(isTrue(nameOf(boolean)));
      else if (operator === COND_NOT) stack.push(stack.pop() !== true);
      else {
        const b = stack.pop() === true;
        stack.push(joinValues(OPERATORS[operator]?.[0] ?? '', stack.pop() === true, b));
      }
    }
    return stack[0] === true;
  });
  return [texts.at(-1) ?? '', table];
}

const opposite = (rows: string): string => [...rows].map((row) => (row === '1' ? '0' : '1')).join('');

function conditionKey({ names, rows }: ConditionTable, branch: boolean, isEither: boolean): string {
  const held = branch ? rows : opposite(rows);
  return ` [${names.join()} ${isEither ? [held, opposite(held)].sort().join('/') : held}]`;
}

/** The conditions of two policies by sediff's text. */
type Conditions = ReadonlyMap<string, ConditionTable>;

/** A rule as sediff prints it, in a fixed form. */
function ruleLine(conditions: Conditions, sign: string, line: string): string {
  const parsed = /^(\w+) (\S+) (\S+) ?(.*?);(?: \[ (.*?) \](?::(True|False))?)?$/.exec(line);
  if (parsed === null) throw new Error(`sediff printed a rule that we cannot read: ${line}`);
  const [, kind = '', source = '', target = '', rest = '', condition, branch] = parsed;
  const words = rest
    .replaceAll(/[{}]/g, ' ')
    .split(' ')
    .filter((word) => word !== '');
  const table = condition === undefined ? undefined : conditions.get(condition);
  if (condition !== undefined && table === undefined) throw new Error(`sediff printed another condition: ${condition}`);
  const suffix = table === undefined ? '' : conditionKey(table, branch !== 'False', sign === '*');
  return `${sign} ${kind} ${source} ${target} ${words.sort().join(' ')}${suffix}`;
}

/** An expression without its parentheses, lists sorted: both sides put them where they like. */
function constraintLine(sign: string, line: string): string {
  const flat = line.replaceAll(/[();]/g, ' ');
  const sorted = flat.replaceAll(/\{([^}]*)\}/g, (_, list: string) => list.trim().split(/\s+/).sort().join(','));
  return `${sign} ${sorted.trim().split(/\s+/).join(' ')}`;
}

/** Items that begin with a sign six blanks deep, each with its details ten blanks deep. */
function parseItems(text: string): { readonly sign: string; readonly text: string; readonly details: string[] }[] {
  const items: { sign: string; text: string; details: string[] }[] = [];
  let topic = '';
  for (const line of text.split('\n')) {
    const item = /^ {6}([-+*]) (.*)$/.exec(line);
    if (item !== null) {
      topic = '';
      items.push({ sign: item[1] ?? '', text: item[2] ?? '', details: [] });
    }
    const heading = /^ {10}(\w.*):$/.exec(line);
    if (heading !== null) topic = `${heading[1]} `;
    const detail = /^ {10}([-+] .*)$/.exec(line);
    if (detail !== null) items.at(-1)?.details.push(`${topic}${detail[1]}`);
  }
  return items;
}

function normalise(conditions: Conditions, option: string, text: string): string[] {
  return parseItems(text)
    .map(({ sign, text: item, details }) => {
      if (option in RULES) return ruleLine(conditions, sign, item);
      if (option.endsWith('constrain') || option.endsWith('validatetrans')) return constraintLine(sign, item);
      // `name (what changed)`: the details say the same. Permissive types have no details.
      const name = option === '--level' ? item.replace(/[ :].*$/, '') : item.replace(/ \(.*\)$/, '');
      const mode = /(Added|Removed) permissive/.exec(item)?.[1];
      const all = mode === undefined ? details : [...details, mode === 'Added' ? '+ permissive' : '- permissive'];
      return `${sign} ${name}${sign === '*' ? ` | ${all.sort().join(' | ')}` : ''}`;
    })
    .sort();
}

function readBinary(bytes: Uint8Array): ReadPolicy {
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) throw new Error('a policy cannot be read');
  return read;
}

/** The headings of sediff's sections by the option that asks for them. */
const TITLES: Readonly<Record<string, string>> = {
  Commons: '--common',
  Classes: '--class',
  Booleans: '--bool',
  Roles: '--role',
  Types: '--type',
  'Type Attributes': '--attribute',
  Users: '--user',
  Categories: '--category',
  Sensitivities: '--sensitivity',
  Levels: '--level',
  'Role allow Rules': '--role_allow',
  'Role_transition Rules': '--role_trans',
  'Range_transition Rules': '--range_trans',
  Constraints: '--constrain',
  'MLS Constraints': '--mlsconstrain',
  Validatetrans: '--validatetrans',
  'MLS Validatetrans': '--mlsvalidatetrans',
  Typebounds: '--typebounds',
  'Policy Properties': '--property',
  'Allow Rules': '--allow',
  'Auditallow Rules': '--auditallow',
  'Dontaudit Rules': '--dontaudit',
  'Type_transition Rules': '--type_trans',
  'Type_change Rules': '--type_change',
  'Type_member Rules': '--type_member',
};

/** The text of each section that sediff printed. */
function bySection(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let option = '';
  for (const line of text.split('\n')) {
    const title = /^([A-Z][\w ]*) \(\d+ /.exec(line)?.[1];
    if (title !== undefined) {
      const known = TITLES[title];
      if (known === undefined) throw new Error(`sediff printed another section: ${title}`);
      option = known;
    }
    found.set(option, `${found.get(option) ?? ''}${line}\n`);
  }
  return found;
}

/** What sediff says, option by option; undefined where it gives up. */
export function askSediff(tool: ReferenceTool, old: Uint8Array, next: Uint8Array): Sections {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-sediff-'));
  try {
    const conditions: Conditions = new Map(
      [old, next].flatMap((bytes) => {
        const { policy } = readBinary(bytes);
        return policy.conditionals.map((one) => readSteps(policy, one));
      }),
    );
    const paths = [join(folder, 'old.bin'), join(folder, 'new.bin')];
    writeFileSync(paths[0] ?? '', old);
    writeFileSync(paths[1] ?? '', next);
    const ask = (options: readonly string[]): Map<string, string> | undefined => {
      const { status, stdout } = tool.run([...options, ...paths]);
      return status === 0 ? bySection(Buffer.from(stdout).toString('latin1')) : undefined;
    };
    const all = ask(OPTIONS);
    return new Map(
      OPTIONS.map((option) => {
        const text = (all ?? ask([option]))?.get(option);
        return [option, text === undefined ? undefined : normalise(conditions, option, text)];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The topics of sediff's details by ours. */
const TOPICS: Readonly<Record<string, string>> = {
  attributes: 'Attributes ',
  aliases: 'Aliases ',
  roles: 'Roles ',
  'default level': 'Default level ',
  range: 'Range ',
};

const titled = (word: string): string => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;

function factDetails(option: string, { kind, details }: FactChange): string[] {
  return details.flatMap((detail) => {
    const topic = TOPICS[detail.what] ?? '';
    if ('added' in detail) {
      const isLevel = detail.what === 'categories';
      if (kind === 'sensitivity' && isLevel !== (option === '--level')) return [];
      if (kind === 'role' && detail.what === 'dominates') return [];
      return [...detail.added.map((one) => `${topic}+ ${one}`), ...detail.removed.map((one) => `${topic}- ${one}`)];
    }
    if (kind === 'type') return [detail.after === 'permissive' ? '+ permissive' : '- permissive'];
    const word = (value: string | undefined): string =>
      kind === 'boolean' ? titled(value ?? '') : value === 'none, without MLS' ? 'None (MLS Disabled)' : (value ?? '');
    return [`${topic}+ ${word(detail.after)}`, `${topic}- ${word(detail.before)}`];
  });
}

const SIGNS = { added: '+', removed: '-', modified: '*' } as const;

function factLines(option: string, fact: FactChange): string[] {
  const { kind, change, name, details } = fact;
  const sign = SIGNS[change];
  const values = details.flatMap((one) => ('after' in one ? [one] : []));
  const [value] = values;
  if (kind.endsWith('constrain') || kind.endsWith('validatetrans'))
    return change === 'modified' ? [] : [constraintLine(sign, `${kind} ${name}`)];
  if (kind === 'role allow') return [`${sign} allow ${name};`];
  if (kind === 'role_transition' || kind === 'range_transition') {
    const now = change === 'removed' ? value?.before : value?.after;
    if (change !== 'modified') return [`${sign} ${kind} ${name} ${now};`];
    return [`* ${kind} ${name} +${value?.after} -${value?.before}; | `];
  }
  if (kind === 'type_transition by name') {
    const plain = name.replaceAll('"', '').split(' ');
    const words =
      change === 'modified' ? [`+${value?.after}`, `-${value?.before}`] : [value?.after ?? value?.before ?? ''];
    return [
      `${sign} type_transition ${plain[0]} ${plain[1]} ${[plain.slice(2).join(' '), ...words].join(' ').split(' ').sort().join(' ')}`,
    ];
  }
  if (kind === 'typebounds') {
    const bounds = change === 'removed' ? value?.before : value?.after;
    if (change !== 'modified') return [`${sign} typebounds ${bounds} ${name};`];
    return [`* typebounds +${value?.after} -${value?.before} ${name}; | `];
  }
  if (kind === 'property') {
    const what = { 'unknown permissions': 'handle_unknown', MLS: 'MLS', version: 'version' }[name] ?? name;
    const word = (text: string | undefined): string =>
      text === 'on' ? 'True' : text === 'off' ? 'False' : (text ?? '');
    return [`* ${what} +${word(value?.after)} -${word(value?.before)} | `];
  }
  if (kind === 'sensitivity' && option === '--level' && change !== 'modified') return [`${sign} ${name}`];
  const all = factDetails(option, fact).sort();
  if (change !== 'modified') return [`${sign} ${name}`];
  return all.length === 0 ? [] : [`* ${name} | ${all.join(' | ')}`];
}

/** What we say, in the same words. */
function ourSections({ facts, rules }: PolicyDifference): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const option of OPTIONS) {
    const kind = FACTS[option];
    const ruleKind = RULES[option];
    const lines = [
      ...facts
        .filter((one) => one.kind === kind || (option === '--type_trans' && one.kind === 'type_transition by name'))
        .flatMap((one) => factLines(option, one)),
      ...(rules ?? [])
        .filter((one) => one.kind === ruleKind)
        .map((rule) => {
          const isChanged = rule.change === 'modified';
          const words = isChanged
            ? [...rule.both, ...rule.added.map((one) => `+${one}`), ...rule.removed.map((one) => `-${one}`)]
            : [...rule.added, ...rule.removed];
          const suffix = rule.condition === undefined ? '' : conditionKey(readText(rule.condition), true, isChanged);
          return `${SIGNS[rule.change]} ${rule.kind} ${rule.source} ${rule.target}:${rule.class} ${words.sort().join(' ')}${suffix}`;
        }),
    ];
    found.set(option, lines.sort());
  }
  return found;
}

/** Our comparison of two binaries, in sediff's words. */
export function ourComparison(old: Uint8Array, next: Uint8Array): Map<string, string[]> {
  return ourSections(comparePolicies(readBinary(old), readBinary(next), { rules: true }));
}

/** The rules that a line is about: those of one kind between two types for one class. */
const subject = (line: string): string => line.split(' ').slice(1, 4).join(' ');

/**
 * Both answers to one option, without the rules of which sediff says some under a condition that holds always or never: it
 * keeps these apart, to Dewar the first are as other rules, and the second are none.
 */
export function withoutConstants(theirs: readonly string[], ours: readonly string[]): readonly [string[], string[]] {
  const constant = new Set(theirs.filter((line) => / \[[^\] ]* (?:0+|1+)(?:\/[01]+)?\]$/.test(line)).map(subject));
  const keep = (line: string): boolean => !constant.has(subject(line));
  return [theirs.filter(keep), ours.filter(keep)];
}
