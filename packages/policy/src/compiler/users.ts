/**
 * Users: their roles, levels and ranges.
 *
 * Several parts of a policy may speak of one user, as of a role. Users are declared in the second pass, so a `require` of
 * a user counts from where it stands.
 * Format: checkpolicy `module_compiler.c` (`declare_user`), `policy_define.c` (`define_user`); libsepol `expand.c`
 * (`user_copy_callback`).
 *
 * @module
 */
import type { Statement, Token } from '../language/index.ts';
import { Ebitmap, type UserSymbol } from '../policydb/index.ts';
import { reportOrphanInBlock } from './bounds.ts';
import {
  type Declarations,
  isUnmet,
  type LevelValue,
  makeUserPart,
  type Part,
  type RoleDeclaration,
  type UserDeclaration,
  type UserPart,
} from './declarations.ts';
import { mls } from './diagnostics.ts';
import { checkLevel, checkRange, dominates, mlsLevel, mlsRange, readLevel, readRange } from './mls.ts';
import { rolesMeant } from './roles.ts';
import type { Scope } from './scope.ts';

type UserNode = Extract<Statement, { kind: 'user' }>;

/** Finds a name in the table of users, or puts it there. */
function insertUser(scope: Scope, token: Token, part: Part): UserDeclaration {
  const { users, sizes } = scope.declared;
  const name = scope.word(token);
  let user = users.get(name);
  sizes.users.insert(user === undefined);
  if (user === undefined) {
    user = { name, token, value: 0, isDeclared: false, knownIn: new Set(), outer: makeUserPart(), inBlocks: new Map() };
    users.set(name, user);
  }
  user.knownIn.add(part);
  return user;
}

/** Takes a user that a part of the policy requires. */
export function requireUser(scope: Scope, token: Token): void {
  insertUser(scope, token, scope.branch?.part);
}

/** Takes a `user` statement; statements about the same user add up. */
export function declareUser(scope: Scope, node: UserNode): void {
  const part = scope.branch?.part;
  const user = insertUser(scope, node.name, part);
  if (!user.isDeclared) user.token = node.name;
  user.isDeclared = true;
  let said = part === undefined ? user.outer : user.inBlocks.get(part);
  if (said === undefined) {
    reportOrphanInBlock(scope, 'user', node.name, part, scope.declared.users);
    said = makeUserPart();
    user.inBlocks.set(part, said);
  }
  for (const role of scope.roles(node.roles, 'user')) said.roles.add(role);
  if (!scope.isMls) {
    if (node.level !== undefined) scope.report(mls['unexpected-range'](scope.origin(node.level.sensitivity), {}));
  } else if (addRange(scope, node, said) && part === undefined) checkRangeOfUser(scope, node, said, user.name);
}

/** Adds the level and the range of a statement to what a part says; false where they cannot be read. */
function addRange(scope: Scope, node: UserNode, said: UserPart): boolean {
  if (node.level === undefined || node.range === undefined) {
    scope.report(mls['no-range'](scope.origin(node.name), { what: 'level and range' }));
    return false;
  }
  const level = readLevel(scope, node.level);
  const range = readRange(scope, node.range);
  if (level === undefined || range === undefined) return false;
  const joined = (next: LevelValue, before: LevelValue | undefined): LevelValue => ({
    sensitivity: next.sensitivity,
    categories: new Set([...next.categories, ...(before?.categories ?? [])]),
  });
  said.level = joined(level, said.level);
  said.low = joined(range.low, said.low);
  said.high = node.range.high === undefined ? said.low : joined(range.high, said.high);
  return true;
}

function checkRangeOfUser(scope: Scope, { level, range }: UserNode, said: UserPart, user: string): void {
  if (level === undefined || range === undefined) return;
  if (said.level === undefined || said.low === undefined || said.high === undefined) return;
  checkLevel(scope, level, said.level);
  if (!checkRange(scope, range, { low: said.low, high: said.high }) || said.level.sensitivity === 0) return;
  if (!dominates(said.level, said.low) || !dominates(said.high, said.level))
    scope.report(mls['default-outside-range'](scope.origin(level.sensitivity), { user }));
}

const equalLevels = (a: LevelValue | undefined, b: LevelValue | undefined): boolean =>
  (a?.sensitivity ?? 0) === (b?.sensitivity ?? 0) && mlsLevel(a).categories.equals(mlsLevel(b).categories);

/**
 * Reports users of blocks that count whose level or range is not what it is outside of blocks.
 *
 * XEN: a user that is not declared outside has no level there, and cannot be equal.
 */
export function checkUsersOfBlocks(scope: Scope, counted: readonly Part[]): void {
  if (!scope.isMls) return;
  for (const user of scope.declared.users.values()) {
    const { name, token, outer, inBlocks } = user;
    for (const said of counted.flatMap((part) => inBlocks.get(part) ?? [])) {
      if (
        equalLevels(said.level, outer.level) &&
        equalLevels(said.low, outer.low) &&
        equalLevels(said.high, outer.high)
      )
        continue;
      scope.report(mls['range-of-block-user'](scope.origin(token), { user: name }));
      break;
    }
  }
}

/** The users that exist, as the policy has them; `boundsOf` gives the value of the user that bounds one. */
export function userSymbols(
  declared: Declarations,
  counted: readonly Part[],
  boundsOf: (user: UserDeclaration) => number,
): UserSymbol[] {
  const symbols: UserSymbol[] = [];
  // Most users have one role, and many the same.
  const single = new Map<RoleDeclaration, Ebitmap>();
  const setOf = (roles: readonly RoleDeclaration[]): Ebitmap => {
    const [only] = roles.length === 1 ? roles : [];
    const known = only === undefined ? undefined : single.get(only);
    if (known !== undefined) return known;
    const set = Ebitmap.of([...rolesMeant(roles)].map((role) => role.value - 1));
    if (only !== undefined) single.set(only, set);
    return set;
  };
  for (const user of declared.users.values()) {
    if (isUnmet(declared, user)) continue;
    const { name, value, outer, inBlocks } = user;
    const roles = [...outer.roles];
    for (const part of counted) roles.push(...(inBlocks.get(part)?.roles ?? []));
    symbols.push({
      name,
      value,
      bounds: boundsOf(user),
      roles: setOf(roles),
      range: mlsRange(outer.low, outer.high),
      defaultLevel: mlsLevel(outer.level),
    });
  }
  return symbols;
}
