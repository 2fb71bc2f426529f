/**
 * Conditional blocks as text.
 *
 * libsepol keeps a branch as lists that it fills from the front, so its order in the binary tells the order of statements:
 * rules about permissions stand as they were written, type rules the other way round, and the block written last comes
 * first. Start reading at `conditionalText`.
 *
 * @module
 */
import {
  COND_BOOL,
  COND_NOT,
  type Conditional,
  conditionHolds,
  isTypeKind,
  type PolicyDb,
  type RuleTable,
} from '../policydb/index.ts';
import { conditionText } from './expressions.ts';
import { wrap } from './layout.ts';
import type { Names } from './names.ts';
import { type RuleWords, ruleWords, statementText } from './rules-text.ts';

const PARTS = ['classes', 'targets', 'sources'] as const;
type Part = (typeof PARTS)[number];

interface Group {
  readonly words: RuleWords;
  readonly sources: readonly number[];
  readonly targets: readonly number[];
  readonly classes: readonly number[];
}

const sameList = (a: readonly number[], b: readonly number[]): boolean => a.join() === b.join();

/** Joins neighbours that differ in one part only, where that part rises; the text expands in rising order. */
function joinNeighbours(groups: readonly Group[], part: Part): Group[] {
  const joined: Group[] = [];
  for (const group of groups) {
    const last = joined.at(-1);
    const fits =
      last !== undefined &&
      last.words.word === group.words.word &&
      last.words.key === group.words.key &&
      PARTS.every((one) => one === part || sameList(last[one], group[one])) &&
      (last[part].at(-1) ?? 0) < (group[part][0] ?? 0);
    if (last !== undefined && fits) joined[joined.length - 1] = { ...last, [part]: [...last[part], ...group[part]] };
    else joined.push(group);
  }
  return joined;
}

/** Statements for rows given in the order in which they are to be inserted. */
function statements(names: Names, rules: RuleTable, rows: readonly number[], parts: readonly Part[]): string[] {
  let groups: Group[] = rows.flatMap((row) => {
    const words = ruleWords(names, rules, row);
    if (words === undefined) return [];
    return [
      {
        words,
        sources: [rules.source[row] ?? 0],
        targets: [rules.target[row] ?? 0],
        classes: [rules.tclass[row] ?? 0],
      },
    ];
  });
  for (const part of parts) groups = joinNeighbours(groups, part);
  return groups.map(({ words, sources, targets, classes }) => statementText(names, words, sources, targets, classes));
}

/** One branch. */
function branchText(names: Names, rules: RuleTable): string[] {
  const rows = Array.from({ length: rules.length }, (_, row) => row);
  const typeRows = rows.filter((row) => isTypeKind(rules.kind[row] ?? 0));
  const others = rows.filter((row) => !isTypeKind(rules.kind[row] ?? 0));
  // A branch is inserted last statement first, and each statement from its first pair of types on.
  return [
    ...statements(names, rules, others.toReversed(), PARTS).toReversed(),
    // The classes of a type rule go the other way, so each gets a statement of its own.
    ...statements(names, rules, typeRows, ['targets', 'sources']).toReversed(),
  ].map((statement) => wrap(statement, '    '));
}

/** Whether two entries have the same key: the compiler would make one of them. */
function hasRepetition(rules: RuleTable): boolean {
  const keys = new Set<string>();
  for (let row = 0; row < rules.length; row++)
    keys.add(`${rules.kind[row]}:${rules.source[row]}:${rules.target[row]}:${rules.tclass[row]}`);
  return keys.size !== rules.length;
}

function blockText(policy: PolicyDb, names: Names, block: Conditional, defaults: readonly boolean[]): string {
  const { expression, state, whenTrue, whenFalse } = block;
  let first = branchText(names, whenTrue);
  let second = branchText(names, whenFalse);
  let steps = expression;
  if (expression.some(({ operator, boolean }) => operator !== COND_BOOL && boolean !== 0))
    names.lost('a boolean at an operator of a condition');
  for (const rules of [whenTrue, whenFalse]) if (hasRepetition(rules)) names.lost('a branch that has an entry twice');
  if (conditionHolds(block, defaults) !== state)
    names.lost('a conditional block whose state is not that of its condition');
  if (expression.at(-1)?.operator === COND_NOT) {
    // XEN: of four NOTs at the end of a condition three swap the branches and one does not, and then they are gone.
    steps = [...expression, ...Array.from({ length: 4 }, () => ({ operator: COND_NOT, boolean: 0 }))];
    [first, second] = [second, first];
  }
  if (first.length + second.length === 0) {
    // A block that lost its rules: a rule about no type keeps it.
    const type = policy.types.entries.find(({ kind }) => kind === 'type');
    const tclass = policy.classes.entries.find(({ permissionCount }) => permissionCount > 0);
    if (type === undefined || tclass === undefined) names.lost('a conditional block without rules');
    else first.push(`    allow { ${type.name} -${type.name} } ${type.name}:${tclass.name} *;`);
  }
  const lines = [wrap(`if (${conditionText(names, steps)})`), '{', ...first, '}'];
  if (second.length > 0) lines.push('else', '{', ...second, '}');
  return lines.join('\n');
}

/** The conditional blocks, in the order in which they are to be written. */
export function conditionalText(policy: PolicyDb, names: Names): string[] {
  const defaults: boolean[] = [];
  for (const { value, state } of policy.booleans.entries) defaults[value] = state;
  return policy.conditionals.toReversed().map((conditional) => blockText(policy, names, conditional, defaults));
}
