/**
 * `optional` and `require` blocks: which there are, and which of them count.
 *
 * A policy for Xen is one text, so a block asks for names of the same text. The rules of a block whose names are all
 * declared come after all rules outside of blocks; otherwise its `else` branch counts, if it has one.
 * Format: checkpolicy `module_compiler.c` (`begin_optional`, `require_symbol`); libsepol `link.c` (`enable_avrules`).
 *
 * Start reading at `collectBlocks`.
 *
 * @module
 */
import { type RequireNode, readList, type Statement, type Token } from '../language/index.ts';
import type { Declarations, Home } from './declarations.ts';
import { mls, policy } from './diagnostics.ts';
import type { BranchScope, Scope } from './scope.ts';

type Optional = Extract<Statement, { kind: 'optional' }>;
type RequireKind = RequireNode['kind'];

/** One branch of an optional block. */
interface Branch extends BranchScope {
  readonly statements: readonly Statement[];
  readonly isElse: boolean;
}

/** A name that a block requires. */
interface Want {
  readonly kind: RequireKind;
  readonly token: Token;
}

/** An optional block; blocks stand in the order in which they begin. */
export interface Block {
  readonly node: Optional;
  readonly main: Branch;
  readonly otherwise: Branch | undefined;
  /** All that it and the blocks around require. */
  readonly wants: readonly Want[];
  /** The first name that is required and does not exist: then the block does not count. */
  missing: Want | undefined;
}

/** What a block may hold besides `require` and other blocks. */
const TAKEN: ReadonlySet<Statement['kind']> = new Set([
  'av-rule',
  'type-rule',
  'if',
  'typeattribute',
  'empty',
  'role-allow',
  'role_transition',
  'range_transition',
  'filename-transition',
  'permissive',
  'typebounds',
  'expandattribute',
]);

/** What a main branch may declare. */
const DECLARED: ReadonlySet<Statement['kind']> = new Set(['type', 'attribute', 'typealias', 'bool', 'tunable']);

/** The `require` blocks among statements, those in conditional blocks too, but not those of blocks inside. */
export function requiresOf(statements: readonly Statement[]): RequireNode[] {
  return statements.flatMap((node) => {
    if (node.kind === 'require') return [...node.wants];
    if (node.kind === 'if') return requiresOf([...node.whenTrue, ...node.whenFalse]);
    return [];
  });
}

/** The key of something required. */
function requireKey(kind: RequireKind, name: string): string {
  return `${kind === 'attribute' ? 'type' : kind === 'attribute_role' ? 'role' : kind === 'tunable' ? 'bool' : kind} ${name}`;
}

/** The keys of something required in a block: an attribute is known as a type, and as an attribute. */
function requireKeys(kind: RequireKind, name: string): string[] {
  return kind === 'attribute' ? [requireKey(kind, name), `attribute ${name}`] : [requireKey(kind, name)];
}

/** Whether a name is declared, of whatever flavour; users are looked for in the text, for they are declared late. */
function isDeclared(declared: Declarations, users: ReadonlySet<string>, kind: RequireKind, name: string): boolean {
  switch (kind) {
    case 'class':
      return declared.classes.has(name);
    case 'type':
    case 'attribute':
      return declared.types.has(name);
    case 'role':
    case 'attribute_role':
      return declared.roles.has(name);
    case 'bool':
    case 'tunable':
      return declared.booleans.has(name);
    case 'user':
      return users.has(name);
    case 'sensitivity':
      return declared.sensitivities.has(name);
    case 'category':
      return declared.categories.has(name);
  }
}

/** Counts what a `require` puts into checkpolicy's tables: their sizes decide about the order of symbols. */
export function countRequired(scope: Scope, wants: readonly RequireNode[]): void {
  const { declared } = scope;
  for (const { kind, names } of wants) {
    for (const token of names) {
      const name = scope.word(token);
      const table = {
        type: 'types',
        attribute: 'types',
        role: 'roles',
        attribute_role: 'roles',
        bool: 'booleans',
        tunable: 'booleans',
      } as const;
      if (kind === 'class' || kind === 'user' || kind === 'sensitivity' || kind === 'category') continue;
      const isNew = !declared[table[kind]].has(name) && !declared.required.has(requireKey(kind, name));
      declared.sizes[table[kind]].insert(isNew);
      declared.required.add(requireKey(kind, name));
      if (isNew && kind === 'tunable') declared.required.add(`tunable ${name}`);
    }
  }
}

/** Counts the users that a `require` puts into checkpolicy's table, in the order of pass 2, which declares users too. */
export function countRequiredUsers(scope: Scope, node: Extract<Statement, { kind: 'optional' | 'if' }>): void {
  const { users, required, sizes } = scope.declared;
  const count = (statements: readonly Statement[]): void => {
    for (const inner of statements) {
      if (inner.kind === 'optional') count([...inner.body, ...inner.otherwise]);
      else if (inner.kind === 'if') count([...inner.whenTrue, ...inner.whenFalse]);
      else if (inner.kind !== 'require') continue;
      else {
        for (const { kind, names } of inner.wants) {
          if (kind !== 'user') continue;
          for (const token of names) {
            const key = requireKey(kind, scope.word(token));
            sizes.users.insert(!users.has(scope.word(token)) && !required.has(key));
            required.add(key);
          }
        }
      }
    }
  };
  count([node]);
}

/** Reports what no `require` may ask for: a class or permission that does not exist, a name that means something else. */
function checkRequired(scope: Scope, { kind, names, permissions }: RequireNode): void {
  for (const token of names) {
    const name = scope.word(token);
    if (kind === 'class' && permissions !== undefined) {
      const tclass = scope.class(token);
      for (const permission of scope.plainNames(permissions, 'permissions', 'require'))
        if (tclass !== undefined) scope.permissionBit(tclass, permission);
    }
    const type = scope.declared.types.get(name);
    if (kind === 'type' && type?.kind === 'attribute')
      scope.report(policy['not-a-type'](scope.origin(token), { name }));
    if (kind === 'attribute' && type !== undefined && type.kind !== 'attribute')
      scope.report(policy['not-an-attribute'](scope.origin(token), { name }));
    const role = scope.declared.roles.get(name);
    if (kind === 'role' && role?.isAttribute === true)
      scope.report(policy['not-a-role'](scope.origin(token), { name }));
    if (kind === 'attribute_role' && role?.isAttribute === false)
      scope.report(policy['not-a-role-attribute'](scope.origin(token), { name }));
    // A sensitivity must have a level, wherever it comes from.
    if (kind === 'sensitivity' && scope.isMls && !scope.declared.sensitivities.has(name))
      scope.report(mls['unknown-sensitivity'](scope.origin(token), { name }));
  }
}

/** A required name that must exist, outside of optional blocks. */
function demand(scope: Scope, users: ReadonlySet<string>, { kind, names }: RequireNode): void {
  for (const token of names) {
    const name = scope.word(token);
    if (kind !== 'class' && !isDeclared(scope.declared, users, kind, name))
      scope.report(policy['requirement-not-met'](scope.origin(token), { kind: wordOfKind(kind), name }));
  }
}

function wordOfKind(kind: RequireKind): string {
  return kind === 'attribute_role' ? 'role attribute' : kind === 'bool' ? 'boolean' : kind;
}

function reportForeign(scope: Scope, branch: readonly Statement[], isElse: boolean): void {
  for (const node of branch) {
    if (TAKEN.has(node.kind) || node.kind === 'optional' || node.kind === 'require') continue;
    if (DECLARED.has(node.kind) && !isElse) continue;
    scope.report(policy['optional-unsupported'](scope.origin(node.at), { statement: scope.statementWord(node) }));
  }
}

/** The block that declares a required name; undefined for a name that is declared outside of blocks, or nowhere. */
function homeOf({ types, booleans }: Declarations, kind: RequireKind, name: string): Home {
  if (kind === 'type' || kind === 'attribute') return types.get(name)?.home;
  return kind === 'bool' || kind === 'tunable' ? booleans.get(name)?.home : undefined;
}

/** Finds the blocks of a policy, once names are declared, and which of them count. Reports what they may not hold. */
export function collectBlocks(scope: Scope): Block[] {
  const { statements } = scope.tree;
  const users = new Set(statements.flatMap((node) => (node.kind === 'user' ? [scope.word(node.name)] : [])));
  const blocks: Block[] = [];
  const visit = (node: Optional, around: readonly RequireNode[], homesAround: ReadonlySet<Home>): void => {
    const own = requiresOf(node.body);
    for (const want of own) checkRequired(scope, want);
    reportForeign(scope, node.body, false);
    reportForeign(scope, node.otherwise, true);
    for (const want of requiresOf(node.otherwise)) {
      for (const token of want.names)
        scope.report(policy['require-in-else'](scope.origin(token), { name: scope.word(token) }));
    }
    const all = [...around, ...own];
    const homes = new Set([...homesAround, node.at]);
    const keys = (list: readonly RequireNode[]): Set<string> =>
      new Set(list.flatMap(({ kind, names }) => names.flatMap((token) => requireKeys(kind, scope.word(token)))));
    // XEN: a user that a block around requires counts only where that stands above: users are required in pass 2.
    const wants = all
      .flatMap(({ kind, names }) => names.map((token) => ({ kind, token })))
      .filter(
        ({ kind, token }) => kind !== 'user' || token < node.at || own.some(({ names }) => names.includes(token)),
      );
    const fromAround = { isElse: true, required: keys(around), homes: homesAround };
    blocks.push({
      node,
      main: { statements: node.body, isElse: false, required: keys(all), homes },
      otherwise: node.otherwise.length === 0 ? undefined : { statements: node.otherwise, ...fromAround },
      wants,
      missing: wants.find(({ kind, token }) => !isDeclared(scope.declared, users, kind, scope.word(token))),
    });
    for (const inner of node.body) if (inner.kind === 'optional') visit(inner, all, homes);
    for (const inner of node.otherwise) if (inner.kind === 'optional') visit(inner, around, homesAround);
  };
  for (const node of statements) {
    if (node.kind === 'optional') visit(node, [], new Set());
    else if (node.kind === 'require') scope.report(policy['require-outside'](scope.origin(node.at), {}));
    else if (node.kind === 'if') {
      for (const want of requiresOf([node])) {
        checkRequired(scope, want);
        demand(scope, users, want);
      }
    }
  }
  loseBlocks(scope, blocks);
  return blocks;
}

/** Finds the blocks that do not count: those that miss a name, and those that require what such a block declares. */
function loseBlocks(scope: Scope, blocks: readonly Block[]): void {
  const { declared } = scope;
  const dependents = new Map<Home, { readonly block: Block; readonly want: Want }[]>();
  for (const block of blocks) {
    for (const want of block.wants) {
      const home = homeOf(declared, want.kind, scope.word(want.token));
      if (home === undefined) continue;
      const list = dependents.get(home);
      if (list === undefined) dependents.set(home, [{ block, want }]);
      else list.push({ block, want });
    }
  }
  const lost = new Set<Home>();
  const pending = blocks.filter(({ missing }) => missing !== undefined);
  for (let block = pending.pop(); block !== undefined; block = pending.pop()) {
    lost.add(block.node.at);
    for (const { block: other, want } of dependents.get(block.node.at) ?? []) {
      if (other.missing !== undefined) continue;
      other.missing = want;
      pending.push(other);
    }
  }
  declared.lostHomes = lost;
  for (const { node, missing } of blocks) {
    if (missing === undefined) continue;
    const name = scope.word(missing.token);
    const isHomeless = homeOf(declared, missing.kind, name) === undefined;
    const why = isHomeless ? 'is declared nowhere' : 'is declared in a block that does not count';
    scope.report(policy['optional-left-out'](scope.origin(node.at), { kind: wordOfKind(missing.kind), name, why }));
  }
}

/** The branches of a block: the main one, then the other where there is one. */
export function branchesOf({ main, otherwise }: Block): Branch[] {
  return otherwise === undefined ? [main] : [main, otherwise];
}

/** Whether a name stands above its declaration, and nothing requires it. */
function isDeclaredBelow(scope: Scope, token: Token, { required }: Branch): boolean {
  const found = scope.declared.types.get(scope.word(token));
  return found !== undefined && found.token > token && !required.has(requireKey('type', found.name));
}

/** Puts types into attributes, as the blocks that count say. */
export function addBlockMemberships(scope: Scope, blocks: readonly Block[]): void {
  for (const block of blocks) {
    for (const branch of branchesOf(block)) {
      scope.branch = branch;
      for (const node of branch.statements) {
        if (node.kind === 'typeattribute') addMemberships(scope, block, branch, node.name, node.others);
        else if (node.kind === 'type' && node.attributes !== undefined)
          addMemberships(scope, block, branch, node.name, node.attributes);
      }
    }
  }
  scope.branch = undefined;
}

function addMemberships(scope: Scope, block: Block, branch: Branch, type: Token, list: Token): void {
  const names = [type, ...readList(scope.tokens, list)];
  const late = names.find((token) => isDeclaredBelow(scope, token, branch));
  if (late !== undefined) {
    const what = { name: scope.word(late), statement: 'typeattribute' };
    scope.report(policy['unknown-type'](scope.origin(late), what));
    return;
  }
  const member = scope.plainType(type, 'typeattribute');
  for (const token of names.slice(1)) {
    const attribute = scope.attribute(token);
    if (isCounted(block, branch) && member !== undefined) attribute?.members.add(member);
  }
}

/** Whether a branch of a block counts. */
export function isCounted(block: Block, branch: Branch): boolean {
  return branch.isElse ? block.missing !== undefined : block.missing === undefined;
}
