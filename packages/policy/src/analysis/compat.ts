/**
 * What changes for a policy from one release of Xen to another.
 *
 * Start reading at `compareReleases`, then `permissionUses`.
 *
 * @module
 */
import {
  AVRULE_DONTAUDIT,
  AVRULE_NEVERALLOW,
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_AUDITDENY,
  type PolicyDb,
  type RuleTable,
} from '../policydb/index.ts';
import {
  BEHAVIOUR_CHANGES,
  type BehaviourChange,
  type ClassPermission,
  PERMISSION_MOVES,
  PERMISSION_SPLITS,
  type PermissionMove,
  XEN_RELEASES,
  type XenRelease,
  type XenReleaseName,
  xenRelease,
} from '../releases/index.ts';
import type { Diagnostic, Note, Origin } from '../text/index.ts';
import { compat } from './diagnostics.ts';
import { coversAll, type GivenBeside } from './given-beside.ts';
import { RuleNames } from './rule-lines.ts';

/** Something with a number in one release, in the other, or in both. */
export interface NumberChange {
  readonly name: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/**
 * What became of a permission. `gone`: nothing took its place. `moved`: others are asked for instead. `narrowed`: it is
 * there, and others are asked for beside it. `renumbered`: it has another bit. `new`: it was not there before.
 */
export interface PermissionChange extends ClassPermission {
  readonly kind: 'gone' | 'moved' | 'narrowed' | 'renumbered' | 'new';
  readonly bitBefore: number | undefined;
  readonly bitAfter: number | undefined;
  /** What is asked for instead, or beside. */
  readonly replacements: readonly ClassPermission[];
  /** One clause, lower case. */
  readonly why: string | undefined;
  /** The initial SID whose label is asked for nothing beside. */
  readonly exempt?: string;
}

/** The differences between two releases. */
export interface ReleaseDifference {
  readonly from: XenReleaseName;
  readonly to: XenReleaseName;
  readonly classes: readonly NumberChange[];
  readonly permissions: readonly PermissionChange[];
  readonly initialSids: readonly NumberChange[];
  /** How Xen itself behaves otherwise. `isGained`: it holds in `to` and not in `from`. */
  readonly behaviour: readonly (BehaviourChange & { readonly isGained: boolean })[];
}

const rank = (name: XenReleaseName): number => XEN_RELEASES.indexOf(name);

/** Numbers that are not the same on both sides, in the order of the newer list. */
function numberChanges(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): NumberChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names
    .map((name) => ({ name, before: before.get(name), after: after.get(name) }))
    .filter((one) => one.before !== one.after);
}

function bitsOf({ classes }: XenRelease): Map<string, ReadonlyMap<string, number>> {
  return new Map(classes.map(({ name, permissions }) => [name, new Map(permissions.map((one, bit) => [one, bit]))]));
}

function has(bits: ReadonlyMap<string, ReadonlyMap<string, number>>, one: ClassPermission): boolean {
  return bits.get(one.class)?.has(one.permission) === true;
}

/** The move that a permission made between two releases, as seen from the first of them. */
function moveOf(one: ClassPermission, from: XenReleaseName, to: XenReleaseName): PermissionMove | undefined {
  const isIn = (list: readonly ClassPermission[]): boolean =>
    list.some((other) => other.class === one.class && other.permission === one.permission);
  if (rank(from) <= rank(to)) {
    return PERMISSION_MOVES.find(
      ({ since, before }) => rank(from) < rank(since) && rank(since) <= rank(to) && isIn(before),
    );
  }
  const back = PERMISSION_MOVES.find(
    ({ since, after }) => rank(to) < rank(since) && rank(since) <= rank(from) && isIn(after),
  );
  return back && { ...back, before: back.after, after: back.before };
}

/** What a release of Xen has otherwise than another. */
export function compareReleases(from: XenReleaseName, to: XenReleaseName): ReleaseDifference {
  const [a, b] = [xenRelease(from), xenRelease(to)];
  const [bitsBefore, bitsAfter] = [bitsOf(a), bitsOf(b)];
  const permissions: PermissionChange[] = [];
  for (const { name, permissions: list } of a.classes) {
    for (const [bitBefore, permission] of list.entries()) {
      const one = { class: name, permission };
      const bitAfter = bitsAfter.get(name)?.get(permission);
      const base = { ...one, bitBefore, bitAfter };
      if (bitAfter === undefined) {
        const move = moveOf(one, from, to);
        const replacements = move?.after.filter((other) => has(bitsAfter, other)) ?? [];
        permissions.push({ ...base, kind: replacements.length > 0 ? 'moved' : 'gone', replacements, why: move?.why });
        continue;
      }
      const split = splitOf(one, from, to);
      if (split !== undefined) {
        const replacements = split.after.filter((other) => has(bitsAfter, other) && !has(bitsBefore, other));
        const { why, exempt } = split;
        if (replacements.length > 0)
          permissions.push({ ...base, kind: 'narrowed', replacements, why, ...(exempt !== undefined && { exempt }) });
      }
      if (bitAfter !== bitBefore) permissions.push({ ...base, kind: 'renumbered', replacements: [], why: undefined });
    }
  }
  for (const { name, permissions: list } of b.classes) {
    for (const [bitAfter, permission] of list.entries()) {
      if (has(bitsBefore, { class: name, permission })) continue;
      const base = { class: name, permission, bitBefore: undefined, bitAfter };
      permissions.push({ ...base, kind: 'new', replacements: [], why: undefined });
    }
  }
  const classNumbers = ({ classes }: XenRelease): Map<string, number> =>
    new Map(classes.map(({ name, id }) => [name, id]));
  const sidNumbers = ({ initialSids }: XenRelease): Map<string, number> =>
    new Map(initialSids.map((name, i) => [name, i + 1]));
  return {
    from,
    to,
    classes: numberChanges(classNumbers(a), classNumbers(b)),
    permissions,
    initialSids: numberChanges(sidNumbers(a), sidNumbers(b)),
    behaviour: BEHAVIOUR_CHANGES.filter(({ releases }) => releases.includes(from) !== releases.includes(to)).map(
      (one) => ({ ...one, isGained: one.releases.includes(to) }),
    ),
  };
}

function splitOf(one: ClassPermission, from: XenReleaseName, to: XenReleaseName): PermissionMove | undefined {
  return PERMISSION_SPLITS.find(
    ({ since, until, before }) =>
      rank(from) < rank(since) &&
      rank(since) <= rank(to) &&
      (until === undefined || rank(to) < rank(until)) &&
      before.some((other) => other.class === one.class && other.permission === one.permission),
  );
}

/** One place where a policy uses a permission that is gone, moved or narrowed. */
export interface PermissionUse {
  readonly change: PermissionChange;
  readonly rule: 'allow' | 'auditallow' | 'dontaudit' | 'neverallow' | 'constrain';
  /** The entry as text, for a policy read from a binary; the types are those of the binary. */
  readonly entry: string | undefined;
  /** Where the statement begins in the policy's text after m4; undefined for a binary and for constraints. */
  readonly statement: number | undefined;
  /**
   * Where the statement names the permission. Undefined where it says `*` or `~`, which mean other permissions in another
   * release, and for a binary.
   */
  readonly word: number | undefined;
  /** The permission is meant by its name. */
  readonly isNamed: boolean;
}

const RULES: Readonly<Record<number, PermissionUse['rule']>> = {
  [AVTAB_ALLOWED]: 'allow',
  [AVTAB_AUDITALLOW]: 'auditallow',
  [AVTAB_AUDITDENY]: 'dontaudit',
  [AVRULE_DONTAUDIT]: 'dontaudit',
  [AVRULE_NEVERALLOW]: 'neverallow',
};

/** Where a statement names a permission, behind its class. */
function findWord(text: string, start: number, permission: string): number | undefined {
  const end = text.indexOf(';', start);
  const statement = text.slice(start, end < 0 ? text.length : end);
  const from = statement.indexOf(':');
  const word = new RegExp(`\\b${permission}\\b`, 'g');
  word.lastIndex = Math.max(0, from);
  const found = word.exec(statement);
  return found === null ? undefined : start + found.index;
}

/**
 * The rules of a policy that use what has changed.
 *
 * @param text the policy's text after m4, for a policy that was compiled here
 * @param isGiven what the policy gives when it is compiled for the other release, where that is known
 */
export function permissionUses(
  policy: PolicyDb,
  difference: ReleaseDifference,
  text?: string,
  isGiven?: GivenBeside,
): PermissionUse[] {
  const names = new RuleNames(policy);
  const changed = difference.permissions.filter(
    ({ kind }) => kind === 'gone' || kind === 'moved' || kind === 'narrowed',
  );
  /** The changes of each class by bit of this policy. */
  const byClass = new Map<number, { readonly mask: number; readonly change: PermissionChange }[]>();
  for (const change of changed) {
    const symbol = policy.classes.byName.get(change.class);
    const own = symbol?.permissions.find(({ name }) => name === change.permission);
    if (symbol === undefined || own === undefined) continue;
    const list = byClass.get(symbol.value) ?? [];
    list.push({ mask: (1 << (own.value - 1)) >>> 0, change });
    byClass.set(symbol.value, list);
  }
  const uses: PermissionUse[] = [];
  const seen = new Set<string>();
  const visit = (rules: RuleTable): void => {
    for (let row = 0; row < rules.length; row++) {
      const kind = rules.kind[row] ?? 0;
      const rule = RULES[kind];
      const tclass = rules.tclass[row] ?? 0;
      const changes = byClass.get(tclass);
      if (rule === undefined || changes === undefined) continue;
      const data = rules.data[row] ?? 0;
      // A binary keeps the bits that are audited, not those that a `dontaudit` names.
      const bits = policy.isExpanded && kind === AVTAB_AUDITDENY ? ~data >>> 0 : data;
      for (const { mask, change } of changes) {
        if ((bits & mask) === 0) continue;
        const isNarrowed = change.kind === 'narrowed' && rule === 'allow';
        if (isNarrowed && coversAll(policy, difference.from, change, rules, row, isGiven)) continue;
        if (text === undefined) {
          const [source, target] = [names.type(rules.source[row] ?? 0), names.type(rules.target[row] ?? 0)];
          const entry = `${rule} ${source} ${target}:${change.class} ${change.permission};`;
          uses.push({ change, rule, entry, statement: undefined, word: undefined, isNamed: true });
          continue;
        }
        const statement = rules.statement[row] ?? 0;
        const key = `${statement} ${change.class} ${change.permission} ${change.kind}`;
        if (seen.has(key)) continue;
        seen.add(key);
        const word = findWord(text, statement, change.permission);
        uses.push({ change, rule, entry: undefined, statement, word, isNamed: word !== undefined });
      }
    }
  };
  visit(policy.rules);
  for (const { whenTrue, whenFalse } of policy.conditionals) {
    visit(whenTrue);
    visit(whenFalse);
  }
  for (const { value, constraints } of policy.classes.entries) {
    for (const { mask, change } of byClass.get(value) ?? []) {
      if (!constraints.some(({ permissions }) => (permissions & mask) !== 0)) continue;
      const entry = `constrain ${change.class} ${change.permission}`;
      const written = new RegExp(
        `\\bconstrain\\b[^;]*\\b${change.permission}\\b|\\bmlsconstrain\\b[^;]*\\b${change.permission}\\b`,
      );
      const isNamed = text === undefined || written.test(text);
      uses.push({ change, rule: 'constrain', entry, statement: undefined, word: undefined, isNamed });
    }
  }
  // Where what is given is known and nothing lacks, other rules that name the permission need nothing either.
  const lacking = new Set(uses.flatMap(({ rule, change }) => (rule === 'allow' ? [change] : [])));
  return isGiven === undefined ? uses : uses.filter(({ change }) => change.kind !== 'narrowed' || lacking.has(change));
}

/** Entries of a binary that are shown for one permission. */
const MAX_ENTRIES = 20;

function permissionList(list: readonly ClassPermission[]): string {
  return list.map((one) => `\`${one.class} ${one.permission}\``).join(', ');
}

/**
 * Says of each use what becomes of it. Uses by `*` or `~` are left out: they mean what the release has.
 *
 * @param originOf where the word that stands at a place of the policy's text was written
 */
export function compatDiagnostics(
  uses: readonly PermissionUse[],
  { to }: ReleaseDifference,
  originOf: (word: number) => Origin | undefined = () => undefined,
): Diagnostic[] {
  const release = `Xen ${to}`;
  const diagnostics: Diagnostic[] = [];
  const withoutPlace = new Map<PermissionChange, PermissionUse[]>();
  const say = (change: PermissionChange, origin: Origin | undefined, entries: readonly Note[]): void => {
    const { class: tclass, permission, kind, replacements, why } = change;
    const notes = [...(why === undefined ? [] : [{ message: why }]), ...entries];
    const place = { class: tclass, permission, release };
    const instead = permissionList(replacements);
    if (kind === 'gone') diagnostics.push(compat['permission-gone'](origin, place, { notes }));
    else if (kind === 'moved') diagnostics.push(compat['permission-moved'](origin, { ...place, instead }, { notes }));
    else diagnostics.push(compat['permission-narrowed'](origin, { ...place, instead }, { notes }));
  };
  for (const use of uses) {
    if (!use.isNamed) continue;
    if (use.word !== undefined) say(use.change, originOf(use.word), []);
    else withoutPlace.set(use.change, [...(withoutPlace.get(use.change) ?? []), use]);
  }
  for (const [change, list] of withoutPlace) {
    const entries = list.map(({ entry }) => entry ?? '').sort();
    const notes: Note[] = entries.slice(0, MAX_ENTRIES).map((entry) => ({ message: `\`${entry}\`` }));
    if (list.length > MAX_ENTRIES) notes.push({ message: `and ${list.length - MAX_ENTRIES} more` });
    say(change, undefined, notes);
  }
  return diagnostics;
}
