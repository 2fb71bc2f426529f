/**
 * Bounds of types, roles and users: which there are, and whether they hold.
 *
 * Format: libsepol `hierarchy.c`.
 *
 * @module
 */
import { readList } from '../language/index.ts';
import { AVTAB_ALLOWED, type AvEntries, ENTRY_WORDS, type ExpandedRules, type PolicyDb } from '../policydb/index.ts';
import type { Note } from '../text/index.ts';
import { type Part, primaryOf, type TypeDeclaration } from './declarations.ts';
import { policy as messages } from './diagnostics.ts';
import type { Scope } from './scope.ts';

/** The name before the last dot. */
export function parentName(name: string): string | undefined {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? undefined : name.slice(0, dot);
}

/** Notes that `parent` bounds `type`; a type has one parent. */
export function setTypeBounds(scope: Scope, type: TypeDeclaration, parent: TypeDeclaration, token: number): void {
  const child = primaryOf(type);
  if (child.bounds !== undefined && child.bounds !== parent) {
    const names = { type: child.name, parent: child.bounds.name };
    const earlier = scope.tree.statements.find(
      (one) =>
        one.kind === 'typebounds' && readList(scope.tokens, one.others).some((name) => scope.word(name) === child.name),
    );
    scope.report(
      messages['conflicting-bounds'](
        scope.origin(token),
        names,
        scope.earlier(earlier?.at, 'the earlier bound is here'),
      ),
    );
  } else child.bounds = primaryOf(parent);
}

/** A note that shows the `typebounds` statement which bounds a type; none where its name does. */
function boundHere(scope: Scope, name: string): readonly Note[] {
  for (const one of scope.tree.statements) {
    if (one.kind !== 'typebounds') continue;
    const token = readList(scope.tokens, one.others).find((other) => scope.word(other) === name);
    if (token !== undefined) return scope.earlier(token, 'it is bounded here').notes;
  }
  return [];
}

/** Reports a role or user of a block whose name has a dot, where that block does not declare the name before the dot. */
export function reportOrphanInBlock(
  scope: Scope,
  what: string,
  token: number,
  part: Part,
  table: ReadonlyMap<string, { readonly inBlocks: ReadonlyMap<Part, unknown> }>,
): void {
  const name = scope.word(token);
  const parent = parentName(name);
  if (parent === undefined || table.get(parent)?.inBlocks.has(part) === true) return;
  const notes = [{ message: `the same \`optional\` block must declare \`${parent}\` above` }];
  scope.report(messages['orphan-bounds'](scope.origin(token), { what, name, parent }, { notes }));
}

/** The value of the symbol whose name stands before the last dot of `name`, or 0; reports a parent that is missing. */
export function impliedBounds(
  scope: Scope,
  what: string,
  symbol: { readonly name: string; readonly token: number },
  name: string,
  table: ReadonlyMap<string, { readonly value: number }>,
): number {
  const parent = parentName(name);
  if (parent === undefined) return 0;
  const found = table.get(parent);
  // A symbol of an optional block that does not count has no number.
  if (found !== undefined && found.value !== 0) return found.value;
  scope.report(messages['orphan-bounds'](scope.origin(symbol.token), { what, name, parent }));
  return 0;
}

/** Permissions by target and class. */
type Allowed = Map<number, number>;

const keyOf = (target: number, tclass: number): number => target * 0x10000 + tclass;

interface Entry {
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly kind: number;
  readonly data: number;
}

function readEntries({ count, words }: AvEntries): Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const keys = words[i * ENTRY_WORDS] ?? 0;
    const header = words[i * ENTRY_WORDS + 1] ?? 0;
    return {
      source: keys & 0xffff,
      target: keys >>> 16,
      tclass: header & 0xffff,
      kind: (header >>> 16) & 0x7fff,
      data: words[i * ENTRY_WORDS + 2] ?? 0,
    };
  });
}

/** Whether every type, role and user stays within what its parent is allowed; reports the ones that do not. */
export function checkBounds(scope: Scope, policy: PolicyDb, rules: ExpandedRules): void {
  checkTypeBounds(scope, policy, rules);
  const check = (
    what: string,
    table: ReadonlyMap<string, { token: number }>,
    name: string,
    parent: string,
    isWithin: boolean,
  ): void => {
    if (isWithin) return;
    const token = table.get(name)?.token ?? 0;
    scope.report(messages['bounds-exceeded'](scope.origin(Math.max(0, token)), { what, name, parent }));
  };
  for (const { name, bounds, types } of policy.roles.entries) {
    if (bounds === 0) continue;
    const parent = policy.roles.entries.find((role) => role.value === bounds);
    if (parent !== undefined) check('role', scope.declared.roles, name, parent.name, types.isSubsetOf(parent.types));
  }
  for (const { name, bounds, roles } of policy.users.entries) {
    if (bounds === 0) continue;
    const parent = policy.users.entries.find((user) => user.value === bounds);
    if (parent !== undefined) check('user', scope.declared.users, name, parent.name, roles.isSubsetOf(parent.roles));
  }
}

function checkTypeBounds(scope: Scope, policy: PolicyDb, rules: ExpandedRules): void {
  const children = policy.types.entries.filter(({ kind, bounds }) => kind === 'type' && bounds !== 0);
  if (children.length === 0) return;
  const boundsOf = new Map(
    policy.types.entries.filter(({ kind }) => kind === 'type').map(({ value, bounds }) => [value, bounds]),
  );
  const nameOf = new Map(
    policy.types.entries.filter(({ kind }) => kind !== 'alias').map(({ value, name }) => [value, name]),
  );
  const memberSets = new Map<number, ReadonlySet<number>>();
  const members = (key: number): ReadonlySet<number> => {
    let set = memberSets.get(key);
    if (set === undefined) {
      set = new Set(policy.typeSets.members(key));
      memberSets.set(key, set);
    }
    return set;
  };
  const allows = readEntries(rules.entries).filter(({ kind }) => kind === AVTAB_ALLOWED);
  const blocks = rules.blocks.map(
    ({ whenTrue, whenFalse }) => [readEntries(whenTrue), readEntries(whenFalse)] as const,
  );

  /** What entries give to a type; bits that `other` has too count as unconditional. */
  const collect = (
    entries: readonly Entry[],
    type: number,
    both?: { everywhere: Allowed; other: Allowed },
  ): Allowed => {
    const allowed: Allowed = new Map();
    for (const { source, target, tclass, data } of entries) {
      if (!members(source).has(type)) continue;
      for (const member of members(target)) {
        const key = keyOf(member, tclass);
        allowed.set(key, (allowed.get(key) ?? 0) | data);
        const shared = both?.other.get(key);
        if (shared !== undefined) both?.everywhere.set(key, (both.everywhere.get(key) ?? 0) | (shared & data));
      }
    }
    return allowed;
  };
  const excess = (entries: readonly Entry[], type: number, everywhere: Allowed, here: Allowed): Entry | undefined =>
    entries.find(({ source, target, tclass, kind, data }) => {
      if (kind !== AVTAB_ALLOWED || !members(source).has(type)) return false;
      for (const member of members(target)) {
        const key = keyOf(boundsOf.get(member) || member, tclass);
        if ((data & ~(here.get(key) ?? 0) & ~(everywhere.get(key) ?? 0)) !== 0) return true;
      }
      return false;
    });

  for (const child of children) {
    const everywhere = collect(allows, child.bounds);
    const perBlock = blocks.map(([whenTrue, whenFalse]) => {
      const first = collect(whenTrue, child.bounds);
      const second = collect(whenFalse, child.bounds, { everywhere, other: first });
      return [first, second] as const;
    });
    const found =
      excess(allows, child.value, everywhere, new Map()) ??
      blocks
        .map(
          ([whenTrue, whenFalse], i) =>
            excess(whenTrue, child.value, everywhere, perBlock[i]?.[0] ?? new Map()) ??
            excess(whenFalse, child.value, everywhere, perBlock[i]?.[1] ?? new Map()),
        )
        .find((entry) => entry !== undefined);
    if (found === undefined) continue;
    const parent = nameOf.get(child.bounds) ?? '';
    const tclass = policy.classes.entries.find(({ value }) => value === found.tclass)?.name ?? '';
    const note = `for instance on \`${nameOf.get(found.target) ?? ''}\` (${tclass})`;
    const token = scope.declared.types.get(child.name)?.token ?? 0;
    scope.report(
      messages['bounds-exceeded'](
        scope.origin(token),
        { what: 'type', name: child.name, parent },
        { notes: [{ message: note }, ...boundHere(scope, child.name)] },
      ),
    );
  }
}
