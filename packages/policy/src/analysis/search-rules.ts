/**
 * Finding rules: the questions of `sesearch`, of a binary policy or of one that was compiled here.
 *
 * Rules are answered entry by entry, as a binary has them. Of a compiled policy, only what can match is expanded, and each
 * answer knows the statements that it came from.
 * Start reading at `searchRules`.
 *
 * @module
 */
import {
  AVRULE_NEVERALLOW,
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_AUDITDENY,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  COND_BOOL,
  type Conditional,
  type PolicyDb,
} from '../policydb/index.ts';
import type { Diagnostic, Report } from '../text/index.ts';
import { EntrySource } from './entry-source.ts';
import { type Matcher, type NamePattern, nameTest, reportUnknown, TypeMatchers } from './query-matchers.ts';
import { braced, conditionLine, RuleNames } from './rule-lines.ts';

export type { NamePattern } from './query-matchers.ts';

/** The kinds of rules that can be looked for. */
export const RULE_KINDS = [
  'allow',
  'auditallow',
  'dontaudit',
  'neverallow',
  'type_transition',
  'type_member',
  'type_change',
  'role_allow',
  'role_transition',
  'range_transition',
] as const;

/** A kind of rule. `role_allow` is `allow` between roles. */
export type RuleKind = (typeof RULE_KINDS)[number];

/** A question. What is left out matches everything. */
export interface RuleQuery {
  readonly kinds: readonly RuleKind[];
  readonly source?: NamePattern;
  /** A type, or a role for `role_allow`. */
  readonly target?: NamePattern;
  readonly classes?: readonly NamePattern[];
  readonly permissions?: readonly string[];
  /** `any` of the permissions is in the rule (as without this), they are `equal`, or all are in it (`subset`). */
  readonly permissionMatch?: 'any' | 'equal' | 'subset';
  /** The type, role or range that something new gets. */
  readonly result?: NamePattern;
  readonly booleans?: readonly NamePattern[];
  /** The rule's condition has just these booleans, not only one of them. */
  readonly isBooleansEqual?: boolean;
}

/** A rule that was found. */
export interface FoundRule {
  readonly kind: RuleKind;
  /** As `sesearch` prints it. */
  readonly text: string;
  readonly source: string;
  readonly target: string;
  readonly class: string | undefined;
  readonly permissions: readonly string[];
  readonly result: string | undefined;
  /** The condition under which it holds, and the branch that it is in. */
  readonly condition: { readonly text: string; readonly branch: boolean } | undefined;
  /**
   * The statements that it came from, as the `statement` column of a compiled policy's rules has them. None where the
   * policy was read from a binary, or the rule is kept outside of the rule table.
   */
  readonly statements: readonly number[];
}

/** What was found, sorted by text; and what was wrong with the question. */
export interface SearchResult {
  readonly rules: readonly FoundRule[];
  readonly diagnostics: readonly Diagnostic[];
}

const AV_KINDS: Readonly<Record<number, RuleKind>> = {
  [AVTAB_ALLOWED]: 'allow',
  [AVTAB_AUDITALLOW]: 'auditallow',
  [AVTAB_AUDITDENY]: 'dontaudit',
  [AVRULE_NEVERALLOW]: 'neverallow',
};
const TYPE_KINDS: Readonly<Record<number, RuleKind>> = {
  [AVTAB_TRANSITION]: 'type_transition',
  [AVTAB_MEMBER]: 'type_member',
  [AVTAB_CHANGE]: 'type_change',
};

/** A question made ready for one policy. */
class Search {
  readonly policy: PolicyDb;
  readonly query: RuleQuery;
  readonly report: Report;
  readonly names: RuleNames;
  readonly found: FoundRule[] = [];
  readonly kinds: ReadonlySet<RuleKind>;
  readonly matchers: TypeMatchers;
  readonly classes: Matcher;
  readonly permissions: ReadonlySet<string> | undefined;

  constructor(policy: PolicyDb, names: RuleNames, query: RuleQuery, report: Report) {
    this.policy = policy;
    this.query = query;
    this.report = report;
    this.names = names;
    this.kinds = new Set(query.kinds);
    this.matchers = new TypeMatchers(policy, names, report);
    this.classes = this.matchers.classes(query.classes);
    this.permissions = query.permissions === undefined ? undefined : new Set(query.permissions);
    this.#checkPermissions();
  }

  /** A permission that no class has is a slip of the hand. */
  #checkPermissions(): void {
    if (this.permissions === undefined) return;
    const { classes, commons } = this.policy;
    const known = new Set(
      [...classes.entries, ...commons.entries].flatMap((one) => one.permissions.map(({ name }) => name)),
    );
    for (const name of this.permissions) if (!known.has(name)) reportUnknown(this.report, 'permission', name, known);
  }

  wants(kinds: Readonly<Record<number, RuleKind>>, kind: number): RuleKind | undefined {
    const name = kinds[kind];
    return name !== undefined && this.kinds.has(name) ? name : undefined;
  }

  matchesPermissions(names: readonly string[]): boolean {
    const wanted = this.permissions;
    if (wanted === undefined) return true;
    const shared = names.filter((name) => wanted.has(name)).length;
    switch (this.query.permissionMatch ?? 'any') {
      case 'any':
        return shared > 0;
      case 'subset':
        return shared === wanted.size;
      case 'equal':
        return shared === wanted.size && names.length === shared;
    }
  }

  /** Whether a condition has the booleans asked for. */
  matchesBooleans(conditional: Conditional): boolean {
    const { booleans, isBooleansEqual } = this.query;
    if (booleans === undefined) return true;
    const own = new Set<string>();
    for (const { operator, boolean } of conditional.expression)
      if (operator === COND_BOOL) own.add(this.names.boolean(boolean));
    const isPattern = booleans.some(({ isRegex }) => isRegex === true);
    const tests = booleans.flatMap((pattern) => nameTest(pattern, this.report) ?? []);
    if (isBooleansEqual !== true || isPattern) return [...own].some((name) => tests.some((test) => test(name)));
    const wanted = new Set(booleans.map(({ text }) => text));
    return wanted.size === own.size && [...own].every((name) => wanted.has(name));
  }
}

/** What an entry is when it is found in a branch. */
interface Place {
  readonly condition: FoundRule['condition'];
  readonly suffix: string;
}

/** Takes the entries of one table that answer the question. */
function searchTable(search: Search, entries: EntrySource, table: number, place: Place): void {
  const { names, query } = search;
  const resultTest =
    query.result === undefined ? undefined : search.matchers.types({ ...query.result, isDirect: false }, false);
  const { classes, kinds } = search;
  const all = entries.table(table);
  // Of a large policy nearly all entries give types.
  const asked = Object.values(TYPE_KINDS).some((kind) => kinds.has(kind)) ? all : all.vectors();
  const rules = asked.filter(
    (kind, source, target, tclass) =>
      entries.source(source) &&
      entries.target(target) &&
      classes(tclass) &&
      (search.wants(AV_KINDS, kind) ?? search.wants(TYPE_KINDS, kind)) !== undefined,
  );
  for (let row = 0; row < rules.length; row++) {
    const kind = rules.kind[row] ?? 0;
    const tclass = rules.tclass[row] ?? 0;
    const av = search.wants(AV_KINDS, kind);
    const type = search.wants(TYPE_KINDS, kind);
    const found = av ?? type;
    if (found === undefined) continue;
    const sourceValue = rules.source[row] ?? 0;
    const targetValue = rules.target[row] ?? 0;
    const source = names.type(sourceValue);
    const target = names.type(targetValue);
    const data = rules.data[row] ?? 0;
    let permissions: string[] = [];
    let result: string | undefined;
    if (type === undefined) {
      if (resultTest !== undefined) continue;
      permissions = names.permissions(tclass, av === 'dontaudit' ? ~data >>> 0 : data);
      if (!search.matchesPermissions(permissions)) continue;
    } else {
      if (search.permissions !== undefined || resultTest?.(data) === false) continue;
      result = names.type(data);
    }
    const head = `${found} ${source} ${target}:${names.class(tclass)}`;
    search.found.push({
      kind: found,
      text: `${head} ${result ?? braced(permissions)};${place.suffix}`,
      source,
      target,
      class: names.class(tclass),
      permissions,
      result,
      condition: place.condition,
      statements: entries.statementsOf(table, kind, sourceValue, targetValue, tclass),
    });
  }
}

function searchEntries(search: Search, isSource: Matcher, isTarget: Matcher): void {
  const { policy, query, names } = search;
  const entries = new EntrySource(policy, isSource, isTarget, (kind) => {
    const name = AV_KINDS[kind] ?? TYPE_KINDS[kind];
    return name !== undefined && search.kinds.has(name);
  });
  if (query.booleans === undefined) {
    searchTable(search, entries, 0, { condition: undefined, suffix: '' });
  }
  policy.conditionals.forEach((conditional, i) => {
    if (!search.matchesBooleans(conditional)) return;
    const text = conditionLine(names, conditional.expression);
    for (const [branch, table] of [
      [true, 1 + 2 * i],
      [false, 2 + 2 * i],
    ] as const) {
      const suffix = ` [ ${text} ]:${branch ? 'True' : 'False'}`;
      searchTable(search, entries, table, { condition: { text, branch }, suffix });
    }
  });
}

/** `neverallow` rules, which only a compiled policy has: one for each row, its sets as written. */
function searchNeverallows(search: Search, isSource: Matcher, isTarget: Matcher): void {
  const { policy, names, classes, query } = search;
  if (policy.isExpanded || query.booleans !== undefined || query.result !== undefined) return;
  const { rules, typeSets } = policy;
  const setLine = (id: number, hasSelf: boolean): string => {
    const { kind, named, excluded } = typeSets.get(id);
    if (kind === 'star') return '*';
    const parts = [...named.map((one) => names.type(one)), ...excluded.map((one) => `-${names.type(one)}`)].toSorted();
    if (hasSelf) parts.push('self');
    return `${kind === 'complement' ? '~' : ''}${braced(parts)}`;
  };
  for (let row = 0; row < rules.length; row++) {
    const tclass = rules.tclass[row] ?? 0;
    if (rules.kind[row] !== AVRULE_NEVERALLOW || !classes(tclass)) continue;
    const sourceSet = rules.source[row] ?? 0;
    const targetSet = rules.target[row] ?? 0;
    const hasSelf = rules.self[row] === 1;
    const sources = typeSets.members(sourceSet).filter(isSource);
    if (sources.length === 0) continue;
    if (!typeSets.members(targetSet).some(isTarget) && !(hasSelf && sources.some(isTarget))) continue;
    const permissions = names.permissions(tclass, rules.data[row] ?? 0);
    if (!search.matchesPermissions(permissions)) continue;
    const source = setLine(sourceSet, false);
    const target = setLine(targetSet, hasSelf);
    search.found.push({
      kind: 'neverallow',
      text: `neverallow ${source} ${target}:${names.class(tclass)} ${braced(permissions)};`,
      source,
      target,
      class: names.class(tclass),
      permissions,
      result: undefined,
      condition: undefined,
      statements: [rules.statement[row] ?? 0],
    });
  }
}

/** Rules that are kept in lists of their own. */
function searchLists(search: Search, isSource: Matcher, isTarget: Matcher): void {
  const { policy, query, names, classes, kinds, matchers } = search;
  const { source, target, result } = query;
  const add = (
    kind: RuleKind,
    text: string,
    parts: { readonly source: string; readonly target: string; readonly class?: string; readonly result?: string },
  ): void => {
    const { class: tclass, result: given, ...ends } = parts;
    search.found.push({
      kind,
      text,
      ...ends,
      class: tclass,
      result: given,
      permissions: [],
      condition: undefined,
      statements: [],
    });
  };
  const isRole = matchers.roles(source);
  const isTargetRole = matchers.roles(target);
  const isResultRole = matchers.roles(result);
  if (kinds.has('role_allow') && query.classes === undefined && result === undefined) {
    for (const { role, newRole } of policy.roleAllows) {
      if (!isRole(role) || !isTargetRole(newRole)) continue;
      const ends = { source: names.role(role), target: names.role(newRole) };
      add('role_allow', `allow ${ends.source} ${ends.target};`, ends);
    }
  }
  if (kinds.has('role_transition')) {
    for (const { role, type, tclass, newRole } of policy.roleTransitions) {
      if (!isRole(role) || !isTarget(type) || !classes(tclass) || !isResultRole(newRole)) continue;
      const parts = {
        source: names.role(role),
        target: names.type(type),
        class: names.class(tclass),
        result: names.role(newRole),
      };
      add('role_transition', `role_transition ${parts.source} ${parts.target}:${parts.class} ${parts.result};`, parts);
    }
  }
  if (kinds.has('range_transition')) {
    const plain = (text: string): string => text.replaceAll(' ', '');
    for (const one of policy.rangeTransitions) {
      const range = names.range(one.range);
      if (!isSource(one.source) || !isTarget(one.target) || !classes(one.tclass)) continue;
      if (result !== undefined && plain(result.text) !== plain(range)) continue;
      const parts = {
        source: names.type(one.source),
        target: names.type(one.target),
        class: names.class(one.tclass),
        result: range,
      };
      add('range_transition', `range_transition ${parts.source} ${parts.target}:${parts.class} ${range};`, parts);
    }
  }
  if (kinds.has('type_transition') && query.permissions === undefined && query.booleans === undefined) {
    const isResult = result === undefined ? undefined : matchers.types({ ...result, isDirect: false }, false);
    for (const one of policy.filenameTransitions) {
      if (!isSource(one.source) || !isTarget(one.target) || !classes(one.tclass) || isResult?.(one.result) === false)
        continue;
      const parts = {
        source: names.type(one.source),
        target: names.type(one.target),
        class: names.class(one.tclass),
        result: names.type(one.result),
      };
      add(
        'type_transition',
        `type_transition ${parts.source} ${parts.target}:${parts.class} ${parts.result} ${one.name};`,
        parts,
      );
    }
  }
}

/** Finds the rules that a question asks for. */
export function searchRules(policy: PolicyDb, query: RuleQuery): SearchResult {
  return searchNamed(policy, new RuleNames(policy), query);
}

/** The same with the policy's names, for who asks often. */
export function searchNamed(policy: PolicyDb, names: RuleNames, query: RuleQuery): SearchResult {
  const diagnostics: Diagnostic[] = [];
  const search = new Search(policy, names, query, (diagnostic) => {
    const isNew = !diagnostics.some(({ message }) => message === diagnostic.message);
    if (isNew) diagnostics.push(diagnostic);
  });
  const { kinds, matchers } = search;
  // Where roles are asked for too, a name may be one of a role.
  const asksRoles = kinds.has('role_allow') || kinds.has('role_transition');
  const isKnownRole = (pattern: NamePattern | undefined): boolean =>
    pattern !== undefined && asksRoles && policy.roles.byName.has(pattern.text);
  const isSource = matchers.types(query.source, !isKnownRole(query.source));
  const isTarget = matchers.types(query.target, !isKnownRole(query.target));
  for (const { text, isRegex } of query.booleans ?? []) {
    if (isRegex !== true && !policy.booleans.byName.has(text))
      reportUnknown(search.report, 'boolean', text, policy.booleans.byName.keys());
  }
  searchEntries(search, isSource, isTarget);
  if (kinds.has('neverallow')) searchNeverallows(search, isSource, isTarget);
  searchLists(search, isSource, isTarget);
  const rules = search.found.toSorted((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  return { rules, diagnostics };
}
