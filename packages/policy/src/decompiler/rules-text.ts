/**
 * The access vector table as rules: entries of the same text are joined into one statement.
 *
 * Entries come out of a hash table, so the order of statements matters only among entries of one source, target and class.
 * Start reading at `ruleText`.
 *
 * @module
 */
import {
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_AUDITDENY,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  expandPolicyRules,
  isTypeKind,
  type PolicyDb,
  RuleTable,
} from '../policydb/index.ts';
import { setText, wrap } from './layout.ts';
import type { Names } from './names.ts';
import { permissionText } from './permission-text.ts';

/** Kinds in the order in which they are written. */
const KINDS = [AVTAB_ALLOWED, AVTAB_AUDITALLOW, AVTAB_AUDITDENY, AVTAB_TRANSITION, AVTAB_MEMBER, AVTAB_CHANGE];
const WORDS: Readonly<Record<number, string>> = {
  [AVTAB_ALLOWED]: 'allow',
  [AVTAB_AUDITALLOW]: 'auditallow',
  [AVTAB_AUDITDENY]: 'auditdeny',
  [AVTAB_TRANSITION]: 'type_transition',
  [AVTAB_MEMBER]: 'type_member',
  [AVTAB_CHANGE]: 'type_change',
};

/** What stands at the two ends of a rule for one class. */
export interface RuleWords {
  readonly word: string;
  /** Permissions or result. */
  readonly rest: string;
  /** Equal for rules that one statement can hold. */
  readonly key: string;
}

/** Word and rest of an entry; undefined, after a report, where there is none. */
export function ruleWords(names: Names, rules: RuleTable, row: number): RuleWords | undefined {
  const kind = rules.kind[row] ?? 0;
  const data = rules.data[row] ?? 0;
  const word = WORDS[kind] ?? '';
  const describe = (): string =>
    `${word} ${names.type(rules.source[row] ?? 0)} ${names.type(rules.target[row] ?? 0)} : ${names.class(rules.tclass[row] ?? 0)}`;
  if (isTypeKind(kind)) {
    const values = [data, rules.source[row] ?? 0, rules.target[row] ?? 0];
    if (values.every((value) => names.types.get(value)?.kind === 'type')) {
      const rest = names.type(data);
      return { word, rest, key: rest };
    }
    names.lost(`${describe()} ${names.type(data)}, where an attribute stands for a type`);
    return undefined;
  }
  const tclass = names.classes.get(rules.tclass[row] ?? 0);
  const found = tclass && permissionText(names, tclass, kind, data);
  if (found === undefined) {
    names.lost(`${describe()} with the permission bits 0x${data.toString(16)}`);
    return undefined;
  }
  return { word: found.isDontaudit ? 'dontaudit' : word, rest: found.text, key: found.key };
}

/** Rows of one round and kind, by source and target. */
type Rows = readonly number[];

/**
 * Sorts rows into rounds: within a round the kinds come in our order, and what has another order in the binary comes in a
 * later round.
 */
function rounds(rules: RuleTable): number[][][] {
  const found: number[][][] = [];
  let round = 0;
  let rank = -1;
  for (let row = 0; row < rules.length; row++) {
    const isSame =
      row > 0 &&
      rules.source[row] === rules.source[row - 1] &&
      rules.target[row] === rules.target[row - 1] &&
      rules.tclass[row] === rules.tclass[row - 1];
    const own = KINDS.indexOf(rules.kind[row] ?? 0);
    if (!isSame) round = 0;
    else if (own <= rank) round++;
    rank = own;
    if (found[round] === undefined) found[round] = KINDS.map(() => []);
    found[round]?.[own]?.push(row);
  }
  return found;
}

interface Group {
  readonly words: RuleWords;
  readonly sources: number[];
  /** 0 stands for `self`. */
  readonly targets: readonly number[];
  readonly classes: readonly number[];
}

/** Joins the rows of one source: classes of one target first, then targets of the same classes. */
function groupsOfSource(names: Names, rules: RuleTable, rows: Rows): Group[] {
  const byTarget = new Map<string, { words: RuleWords; target: number; classes: number[] }>();
  for (const row of rows) {
    const words = ruleWords(names, rules, row);
    if (words === undefined) continue;
    const source = rules.source[row] ?? 0;
    const isSelf = source === rules.target[row] && !names.isAttribute(source);
    const target = isSelf ? 0 : (rules.target[row] ?? 0);
    const key = `${target} ${words.key}`;
    const known = byTarget.get(key);
    if (known === undefined) byTarget.set(key, { words, target, classes: [rules.tclass[row] ?? 0] });
    else known.classes.push(rules.tclass[row] ?? 0);
  }
  const byClasses = new Map<string, { words: RuleWords; targets: number[]; classes: readonly number[] }>();
  for (const { words, target, classes } of byTarget.values()) {
    classes.sort((a, b) => a - b);
    // `self` would make types of the attributes beside it.
    const key = `${target === 0 ? 'self' : ''} ${classes.join()} ${words.key}`;
    const known = byClasses.get(key);
    if (known === undefined) byClasses.set(key, { words, targets: [target], classes });
    else known.targets.push(target);
  }
  const source = rules.source[rows[0] ?? 0] ?? 0;
  return [...byClasses.values()].map(({ words, targets, classes }) => ({ words, sources: [source], targets, classes }));
}

/** Joins sources that have the same targets and classes. */
function groupRows(names: Names, rules: RuleTable, rows: Rows): Group[] {
  const bySource = new Map<number, number[]>();
  for (const row of rows) {
    const source = rules.source[row] ?? 0;
    const known = bySource.get(source);
    if (known === undefined) bySource.set(source, [row]);
    else known.push(row);
  }
  const joined = new Map<string, Group>();
  for (const ownRows of bySource.values()) {
    for (const group of groupsOfSource(names, rules, ownRows)) {
      const key = `${group.targets.toSorted((a, b) => a - b).join()} ${group.classes.join()} ${group.words.key}`;
      const known = joined.get(key);
      if (known === undefined) joined.set(key, group);
      else known.sources.push(...group.sources);
    }
  }
  return [...joined.values()];
}

/** One statement. */
export function statementText(
  names: Names,
  words: RuleWords,
  sources: readonly number[],
  targets: readonly number[],
  classes: readonly number[],
): string {
  const typeNames = (values: readonly number[]): string =>
    setText(values.map((value) => (value === 0 ? 'self' : names.type(value))).toSorted());
  const classText = setText(classes.map((value) => names.class(value)));
  return `${words.word} ${typeNames(sources)} ${typeNames(targets)}:${classText} ${words.rest};`;
}

/** The rules outside conditionals. */
export function ruleText(policy: PolicyDb, names: Names): string[] {
  const { rules } = policy;
  const blocks: string[] = [];
  for (const kinds of rounds(rules)) {
    for (const rows of kinds) {
      const statements = groupRows(names, rules, rows)
        .map(({ words, sources, targets, classes }) => statementText(names, words, sources, targets, classes))
        .toSorted();
      if (statements.length > 0) blocks.push(statements.map((statement) => wrap(statement)).join('\n'));
    }
  }
  return blocks;
}

/** Reports entries in an order that compiling does not give, or that it would merge. */
export function checkRuleOrder(policy: PolicyDb, names: Names): void {
  const { rules } = policy;
  // Each entry counts as a statement of its own.
  const rows = new RuleTable(rules.length);
  const { kind, source, target, tclass, data } = rules;
  for (let row = 0; row < rules.length; row++)
    rows.push(kind[row] ?? 0, source[row] ?? 0, target[row] ?? 0, false, tclass[row] ?? 0, data[row] ?? 0, row);
  const { entries } = expandPolicyRules({ ...policy, rules: rows, conditionals: [], isExpanded: false }).rules;
  let isSame = entries.count === rules.length;
  for (let row = 0; isSame && row < rules.length; row++) {
    const keys = ((source[row] ?? 0) | ((target[row] ?? 0) << 16)) >>> 0;
    const header = ((tclass[row] ?? 0) | ((kind[row] ?? 0) << 16)) >>> 0;
    isSame = entries.words[row * 3] === keys && entries.words[row * 3 + 1] === header;
  }
  if (!isSame) names.otherOrder('rules');
}
