/**
 * Sensitivities, categories, levels and ranges.
 *
 * SPEC: checkpolicy `policy_define.c` (`define_sens`, `define_dominance`, `define_category`, `define_level`).
 *
 * @module
 */
import { type LevelNode, type RangeNode, readList, type Statement, type Token } from '../language/index.ts';
import { Ebitmap, type MlsLevel, type MlsRange } from '../policydb/index.ts';
import type { LevelValue } from './declarations.ts';
import { mls, policy } from './diagnostics.ts';
import type { Scope } from './scope.ts';

type SymbolStatement = Extract<Statement, { kind: 'sensitivity' | 'category' }>;
type MlsStatement = SymbolStatement | Extract<Statement, { kind: 'dominance' }> | Extract<Statement, { kind: 'level' }>;

function reportTwice(scope: Scope, what: string, token: Token, first: Token | undefined): void {
  const extra = scope.earlier(first, 'first declared here');
  scope.report(policy.duplicate(scope.origin(token), { what, name: scope.word(token) }, extra));
}

function checkDots(scope: Scope, what: string, token: Token): void {
  const name = scope.word(token);
  if (name.includes('.')) scope.report(policy['dotted-name'](scope.origin(token), { what, name }));
}

function declareSensitivity(scope: Scope, statement: SymbolStatement): void {
  const { sensitivities } = scope.declared;
  const level = { sensitivity: 0, categories: new Set<number>(), isDefined: false };
  const declare = (token: Token, isAlias: boolean): void => {
    const name = scope.word(token);
    checkDots(scope, 'a sensitivity', token);
    const old = sensitivities.get(name);
    if (old !== undefined) reportTwice(scope, 'sensitivity', token, old.token);
    else sensitivities.set(name, { name, token, isAlias, level });
  };
  declare(statement.name, false);
  if (statement.aliases === undefined) return;
  for (const token of scope.plainNames(statement.aliases, 'aliases', 'sensitivity')) declare(token, true);
}

function declareCategory(scope: Scope, statement: SymbolStatement): void {
  const { declared } = scope;
  const value = ++declared.categoryCount;
  const declare = (token: Token, isAlias: boolean): void => {
    const name = scope.word(token);
    checkDots(scope, 'a category', token);
    const old = declared.categories.get(name);
    if (old !== undefined) reportTwice(scope, 'category', token, old.token);
    else declared.categories.set(name, { name, token, value, isAlias });
  };
  declare(statement.name, false);
  if (statement.aliases === undefined) return;
  for (const token of scope.plainNames(statement.aliases, 'aliases', 'category')) declare(token, true);
}

function declareDominance(scope: Scope, order: Token): void {
  const { sensitivities } = scope.declared;
  let value = 0;
  for (const token of scope.plainNames(order, 'sensitivities', 'dominance')) {
    const found = sensitivities.get(scope.word(token));
    value++;
    if (found === undefined) reportSensitivity(scope, token);
    else if (found.level.sensitivity !== 0)
      scope.report(mls['repeated-in-dominance'](scope.origin(token), { name: found.name }));
    else found.level.sensitivity = value;
  }
  for (const { name, isAlias, level } of sensitivities.values()) {
    if (!isAlias && level.sensitivity === 0) scope.report(mls['not-in-dominance'](scope.origin(order), { name }));
  }
}

function reportSensitivity(scope: Scope, token: Token): void {
  if (scope.isDoubtful(scope.word(token))) return;
  scope.report(
    mls['unknown-sensitivity'](
      scope.origin(token),
      { name: scope.word(token) },
      scope.suggest(token, scope.declared.sensitivities.keys()),
    ),
  );
}

/** Adds the categories that one item means, `c` or `low.high`, to a set, as value - 1. */
function addCategories(scope: Scope, token: Token, categories: Set<number>): void {
  const { categories: known } = scope.declared;
  const name = scope.word(token);
  const dot = name.indexOf('.');
  const low = known.get(dot < 0 ? name : name.slice(0, dot));
  const high = dot < 0 ? low : known.get(name.slice(dot + 1));
  if (low === undefined || high === undefined) {
    const missing = low === undefined ? (dot < 0 ? name : name.slice(0, dot)) : name.slice(dot + 1);
    if (!scope.isDoubtful(missing) && !scope.isDoubtful(name))
      scope.report(mls['unknown-category'](scope.origin(token), { name: missing }, scope.suggest(token, known.keys())));
  } else if (low.value > high.value) scope.report(mls['category-range'](scope.origin(token), { name }));
  else for (let value = low.value; value <= high.value; value++) categories.add(value - 1);
}

function declareLevel(scope: Scope, node: LevelNode): void {
  const found = scope.declared.sensitivities.get(scope.word(node.sensitivity));
  if (found === undefined) {
    reportSensitivity(scope, node.sensitivity);
    return;
  }
  // A second level is refused only where the first had categories.
  if (found.level.isDefined && found.level.categories.size > 0) {
    const first = scope.tree.statements.find(
      (one) =>
        one.kind === 'level' &&
        scope.declared.sensitivities.get(scope.word(one.level.sensitivity))?.level === found.level,
    );
    const extra = scope.earlier(first?.at, 'its level is here');
    scope.report(mls['repeated-level'](scope.origin(node.sensitivity), { name: found.name }, extra));
  }
  found.level.isDefined = true;
  if (node.categories === undefined) return;
  for (const token of readList(scope.tokens, node.categories)) addCategories(scope, token, found.level.categories);
}

/** Takes one statement of the MLS section. */
export function declareMls(scope: Scope, statement: MlsStatement): void {
  if (!scope.isMls) {
    if (!scope.isMisplaced(statement.at))
      scope.report(mls['needs-mls'](scope.origin(statement.at), { statement: statement.kind }));
    return;
  }
  switch (statement.kind) {
    case 'sensitivity':
      declareSensitivity(scope, statement);
      break;
    case 'category':
      declareCategory(scope, statement);
      break;
    case 'dominance':
      declareDominance(scope, statement.order);
      break;
    case 'level':
      declareLevel(scope, statement.level);
      break;
  }
}

/** Reports sensitivities that no `level` statement speaks of, unless one with a fault may have been meant for them. */
export function checkLevels(scope: Scope): void {
  const { sensitivities } = scope.declared;
  const isFaulty = scope.tree.statements.some(
    (one) => one.kind === 'level' && !sensitivities.has(scope.word(one.level.sensitivity)),
  );
  if (isFaulty || !scope.tree.isWhole) return;
  for (const { name, token, isAlias, level } of scope.declared.sensitivities.values()) {
    if (!isAlias && !level.isDefined) scope.report(mls['no-level'](scope.origin(token), { name }));
  }
}

/** The level that a node means; undefined after a report. */
export function readLevel(scope: Scope, node: LevelNode): LevelValue | undefined {
  const found = scope.declared.sensitivities.get(scope.word(node.sensitivity));
  if (found === undefined) {
    reportSensitivity(scope, node.sensitivity);
    return undefined;
  }
  const categories = new Set<number>();
  if (node.categories !== undefined)
    for (const token of readList(scope.tokens, node.categories)) addCategories(scope, token, categories);
  return { sensitivity: found.level.sensitivity, categories };
}

/** Low and high level of a range; a range of one level has it twice. */
export function readRange(scope: Scope, node: RangeNode): { low: LevelValue; high: LevelValue } | undefined {
  const low = readLevel(scope, node.low);
  const high = node.high === undefined ? low : readLevel(scope, node.high);
  return low === undefined || high === undefined ? undefined : { low, high };
}

/** Whether level `a` is at least level `b`. */
export function dominates(a: LevelValue, b: LevelValue): boolean {
  if (a.sensitivity < b.sensitivity) return false;
  for (const category of b.categories) if (!a.categories.has(category)) return false;
  return true;
}

/** Whether the sensitivities of levels have their places in the dominance; where not, that was reported. */
function areOrdered(...levels: readonly LevelValue[]): boolean {
  return levels.every(({ sensitivity }) => sensitivity > 0);
}

/** Reports the first category of a level that its sensitivity does not have. SPEC: `mls_semantic_level_expand`. */
function checkCategories(scope: Scope, { sensitivity, categories: used }: LevelValue, token: Token): void {
  const { sensitivities, categories } = scope.declared;
  const known = [...sensitivities.values()].find(({ level }) => level.sensitivity === sensitivity);
  if (known?.level.isDefined !== true) return;
  for (const bit of used) {
    if (known.level.categories.has(bit)) continue;
    const category = [...categories.values()].find(({ value }) => value === bit + 1)?.name ?? String(bit + 1);
    scope.report(mls['category-not-in-level'](scope.origin(token), { category, sensitivity: known.name }));
    return;
  }
}

/** Reports the level of a node where it is not valid in itself. */
export function checkLevel(scope: Scope, node: LevelNode, level: LevelValue): void {
  checkCategories(scope, level, node.sensitivity);
}

/** Reports a range that is not valid in itself; false where its ends have no order. SPEC: `mls_semantic_range_expand`. */
export function checkRange(
  scope: Scope,
  node: RangeNode,
  { low, high }: { low: LevelValue; high: LevelValue },
): boolean {
  checkLevel(scope, node.low, low);
  if (node.high !== undefined) checkLevel(scope, node.high, high);
  if (!areOrdered(low, high)) return false;
  if (dominates(high, low)) return true;
  scope.report(mls['range-order'](scope.origin(node.low.sensitivity), {}));
  return false;
}

const NO_LEVEL: MlsLevel = { sensitivity: 0, categories: Ebitmap.empty };
const NO_RANGE: MlsRange = { low: NO_LEVEL, high: NO_LEVEL };

export function mlsLevel(value: LevelValue | undefined): MlsLevel {
  if (value === undefined) return NO_LEVEL;
  return { sensitivity: value.sensitivity, categories: Ebitmap.of(value.categories) };
}

export function mlsRange(low: LevelValue | undefined, high: LevelValue | undefined): MlsRange {
  if (low === undefined && high === undefined) return NO_RANGE;
  return { low: mlsLevel(low), high: mlsLevel(high) };
}
