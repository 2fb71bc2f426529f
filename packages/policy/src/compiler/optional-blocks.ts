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
import { type Declarations, isUnmet, type Part } from './declarations.ts';
import { mls, policy } from './diagnostics.ts';
import { requireRole } from './roles.ts';
import type { BranchScope, Scope } from './scope.ts';

type Optional = Extract<Statement, { kind: 'optional' }>;
type RequireKind = RequireNode['kind'];

/** One branch of an optional block. */
interface Branch extends BranchScope {
  readonly part: readonly Statement[];
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
  'role-types',
  'roleattribute',
  'role-dominance',
]);

/** What a main branch may declare. */
const DECLARED: ReadonlySet<Statement['kind']> = new Set([
  'type',
  'attribute',
  'typealias',
  'bool',
  'tunable',
  'role',
  'attribute_role',
  'user',
]);

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
  return `${kind === 'attribute' ? 'type' : kind === 'tunable' ? 'bool' : kind} ${name}`;
}

/** The keys of something required in a block: an attribute is known as a type, and as an attribute. */
function requireKeys(kind: RequireKind, name: string): string[] {
  return kind === 'attribute' ? [requireKey(kind, name), `attribute ${name}`] : [requireKey(kind, name)];
}

function keysOf(scope: Scope, wants: readonly RequireNode[]): Set<string> {
  return new Set(wants.flatMap(({ kind, names }) => names.flatMap((token) => requireKeys(kind, scope.word(token)))));
}

/** Whether a name is declared, of whatever flavour. */
function isDeclared(declared: Declarations, kind: RequireKind, name: string): boolean {
  switch (kind) {
    case 'class':
      return declared.classes.has(name);
    case 'type':
    case 'attribute':
      return declared.types.has(name);
    case 'role':
    case 'attribute_role':
      return declared.roles.get(name)?.isDeclared === true;
    case 'bool':
    case 'tunable':
      return declared.booleans.has(name);
    case 'user':
      return declared.users.get(name)?.isDeclared === true;
    case 'sensitivity':
      return declared.sensitivities.has(name);
    case 'category':
      return declared.categories.has(name);
  }
}

/** Whether what is required exists, by the blocks that are known not to count. */
function isMet(declared: Declarations, kind: RequireKind, name: string): boolean {
  if (!isDeclared(declared, kind, name)) return false;
  const { roles, users, lostParts } = declared;
  const shared =
    kind === 'user' ? users.get(name) : kind === 'role' || kind === 'attribute_role' ? roles.get(name) : undefined;
  if (shared !== undefined) return !isUnmet(declared, shared);
  const home = homeOf(declared, kind, name);
  return home === undefined || !lostParts.has(home);
}

/** The parts on which it depends whether a required name exists; none for a name that is declared outside of blocks. */
function dependsOn(declared: Declarations, kind: RequireKind, name: string): Part[] {
  const { roles, users } = declared;
  const shared =
    kind === 'user' ? users.get(name) : kind === 'role' || kind === 'attribute_role' ? roles.get(name) : undefined;
  if (shared !== undefined) return [...shared.knownIn];
  return [homeOf(declared, kind, name)];
}

/** Counts what a `require` puts into checkpolicy's tables: their sizes decide about the order of symbols. */
export function countRequired(scope: Scope, wants: readonly RequireNode[], part: Part): void {
  const { declared } = scope;
  for (const { kind, names } of wants) {
    for (const token of names) {
      if (kind === 'role' || kind === 'attribute_role') {
        requireRole(scope, token, kind === 'attribute_role', part);
        continue;
      }
      const table = { type: 'types', attribute: 'types', bool: 'booleans', tunable: 'booleans' } as const;
      if (kind === 'class' || kind === 'user' || kind === 'sensitivity' || kind === 'category') continue;
      const name = scope.word(token);
      const before = declared.required.get(requireKey(kind, name));
      const isNew = !declared[table[kind]].has(name) && before === undefined;
      declared.sizes[table[kind]].insert(isNew);
      // Of a name that is declared, `checkRequired` says whether the kind is right.
      if (before !== undefined && (kind === 'type' || kind === 'attribute') && !declared.types.has(name)) {
        const isAttribute = kind === 'attribute';
        if (declared.required.has(`attribute ${name}`) !== isAttribute)
          scope.report(policy[isAttribute ? 'not-an-attribute' : 'not-a-type'](scope.origin(token), { name }));
      }
      for (const key of requireKeys(kind, name)) addRequired(declared, key, part);
      if (isNew && kind === 'tunable') addRequired(declared, `tunable ${name}`, part);
    }
  }
}

function addRequired({ required }: Declarations, key: string, part: Part): void {
  const parts = required.get(key);
  if (parts === undefined) required.set(key, [part]);
  else if (!parts.includes(part)) parts.push(part);
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
    // A sensitivity must have a level, wherever it comes from.
    if (kind === 'sensitivity' && scope.isMls && !scope.declared.sensitivities.has(name))
      scope.report(mls['unknown-sensitivity'](scope.origin(token), { name }));
  }
}

/** Reports what does not exist and must, for it is required outside of optional blocks. */
function demand(scope: Scope, { kind, names }: RequireNode): void {
  for (const token of names) {
    const name = scope.word(token);
    if (kind === 'class' || isMet(scope.declared, kind, name)) continue;
    const why = whyMissing(scope.declared, kind, name);
    scope.report(policy['requirement-not-met'](scope.origin(token), { kind: wordOfKind(kind), name, why }));
  }
}

function whyMissing(declared: Declarations, kind: RequireKind, name: string): string {
  return isDeclared(declared, kind, name) ? 'is declared in a block that does not count' : 'is declared nowhere';
}

function wordOfKind(kind: RequireKind): string {
  return kind === 'attribute_role' ? 'role attribute' : kind === 'bool' ? 'boolean' : kind;
}

const LAST = [{ message: '`user` statements stand at the end of a block, behind something else' }];

function reportForeign(scope: Scope, branch: readonly Statement[], isElse: boolean): void {
  const report = (node: Statement, notes: typeof LAST | []): void =>
    scope.report(
      policy['optional-unsupported'](scope.origin(node.at), { statement: scope.statementWord(node) }, { notes }),
    );
  branch.forEach((node, i) => {
    const isLate = node.kind === 'user' ? i === 0 : branch[i - 1]?.kind === 'user';
    if (isLate) report(node, LAST);
    else if (TAKEN.has(node.kind) || node.kind === 'optional' || node.kind === 'require') return;
    else if (!DECLARED.has(node.kind) || isElse) report(node, []);
  });
}

/** The block that declares a required type or boolean; undefined for a name that is declared outside of blocks, or nowhere. */
function homeOf({ types, booleans }: Declarations, kind: RequireKind, name: string): Part {
  if (kind === 'type' || kind === 'attribute') return types.get(name)?.home;
  return kind === 'bool' || kind === 'tunable' ? booleans.get(name)?.home : undefined;
}

/** Finds the blocks of a policy, once all but users is declared. Reports what they may not hold. */
export function collectBlocks(scope: Scope): Block[] {
  const blocks: Block[] = [];
  const outside = scope.tree.statements.flatMap((node) => (node.kind === 'if' ? requiresOf([node]) : []));
  for (const want of outside) checkRequired(scope, want);
  scope.requiredOutside = keysOf(scope, outside);
  const visit = (node: Optional, around: readonly RequireNode[], homesAround: ReadonlySet<Part>): void => {
    const own = requiresOf(node.body);
    for (const want of own) checkRequired(scope, want);
    reportForeign(scope, node.body, false);
    reportForeign(scope, node.otherwise, true);
    for (const want of requiresOf(node.otherwise)) {
      for (const token of want.names)
        scope.report(policy['require-in-else'](scope.origin(token), { name: scope.word(token) }));
    }
    const all = [...around, ...own];
    const homes = new Set([...homesAround, node.body]);
    // XEN: a user that a block around requires counts only where that stands above: users are required in pass 2.
    const wants = all
      .flatMap(({ kind, names }) => names.map((token) => ({ kind, token })))
      .filter(
        ({ kind, token }) => kind !== 'user' || token < node.at || own.some(({ names }) => names.includes(token)),
      );
    const fromAround = { isElse: true, required: keysOf(scope, around), homes: homesAround };
    blocks.push({
      node,
      main: { part: node.body, isElse: false, required: keysOf(scope, all), homes },
      otherwise: node.otherwise.length === 0 ? undefined : { part: node.otherwise, ...fromAround },
      wants,
      missing: undefined,
    });
    for (const inner of node.body) if (inner.kind === 'optional') visit(inner, all, homes);
    for (const inner of node.otherwise) if (inner.kind === 'optional') visit(inner, around, homesAround);
  };
  for (const node of scope.tree.statements) {
    if (node.kind === 'optional') visit(node, [], new Set());
    else if (node.kind === 'require') scope.report(policy['require-outside'](scope.origin(node.at), {}));
  }
  return blocks;
}

/** Calls `visit` for every statement in the order of the text, those of blocks within their branches. */
export function visitInOrder(scope: Scope, blocks: readonly Block[], visit: (node: Statement) => void): void {
  const byNode = new Map(blocks.map((block) => [block.node, block]));
  const walk = (statements: readonly Statement[], branch: BranchScope | undefined): void => {
    for (const node of statements) {
      scope.branch = branch;
      const block = node.kind === 'optional' ? byNode.get(node) : undefined;
      if (block === undefined) visit(node);
      else for (const inner of branchesOf(block)) walk(inner.part, inner);
    }
  };
  walk(scope.tree.statements, undefined);
  scope.branch = undefined;
}

/**
 * Finds the blocks that do not count: those that miss a name, and those that require what such a block declares.
 * Returns the branches that count, in the order of the text.
 */
export function decideBlocks(scope: Scope, blocks: readonly Block[]): Part[] {
  const { declared } = scope;
  const dependents = new Map<Part, { readonly block: Block; readonly want: Want }[]>();
  const lost = new Set<Part>();
  declared.lostParts = lost;
  const pending: Block[] = [];
  const check = (block: Block, want: Want): void => {
    if (block.missing !== undefined || isMet(declared, want.kind, scope.word(want.token))) return;
    block.missing = want;
    pending.push(block);
  };
  for (const block of blocks) {
    for (const want of block.wants) {
      check(block, want);
      for (const part of dependsOn(declared, want.kind, scope.word(want.token))) {
        if (part === undefined) continue;
        const list = dependents.get(part);
        if (list === undefined) dependents.set(part, [{ block, want }]);
        else list.push({ block, want });
      }
    }
  }
  for (let block = pending.pop(); block !== undefined; block = pending.pop()) {
    const { part } = block.main;
    lost.add(part);
    for (const dependent of dependents.get(part) ?? []) check(dependent.block, dependent.want);
  }
  for (const { node, missing } of blocks) {
    if (missing === undefined) continue;
    const { kind, token } = missing;
    const name = scope.word(token);
    const why = whyMissing(declared, kind, name);
    scope.report(policy['optional-left-out'](scope.origin(node.at), { kind: wordOfKind(kind), name, why }));
  }
  for (const node of scope.tree.statements)
    if (node.kind === 'if') for (const want of requiresOf([node])) demand(scope, want);
  return blocks
    .flatMap((block) => branchesOf(block).filter((branch) => isCounted(block, branch)))
    .map(({ part }) => part);
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

/** Puts types into attributes, as a block says; only where it counts. */
export function addBlockMemberships(scope: Scope, block: Block): void {
  for (const branch of branchesOf(block)) {
    scope.branch = branch;
    for (const node of branch.part) {
      if (node.kind === 'typeattribute') addMemberships(scope, block, branch, node.name, node.others);
      else if (node.kind === 'type' && node.attributes !== undefined)
        addMemberships(scope, block, branch, node.name, node.attributes);
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
    if (attribute === undefined) scope.doubtfulTypes.add(scope.word(type));
    if (attribute === undefined || member === undefined || !isCounted(block, branch)) continue;
    if (attribute.members.has(member)) continue;
    attribute.members.add(member);
    attribute.fromBlocks ??= new Set();
    attribute.fromBlocks.add(member);
  }
}

/** Whether a branch of a block counts. */
export function isCounted(block: Block, branch: Branch): boolean {
  return branch.isElse ? block.missing !== undefined : block.missing === undefined;
}
