/**
 * First pass over the statements: what they declare.
 *
 * A rule may use a name that is declared further down; an attribute, the type of an alias and a role attribute must
 * stand above the statement that refers to them. SPEC: checkpolicy, pass 1 of `policy_define.c`.
 * Start reading at `declareSymbols`.
 *
 * @module
 */
import { type NameSet, readList, type Statement, type Token } from '../language/index.ts';
import { POLICY_CAPABILITIES } from '../policydb/index.ts';
import { homeOfDeclaration, makeType, type Part, primaryOf, type TypeDeclaration } from './declarations.ts';
import { policy } from './diagnostics.ts';
import { declareMls } from './mls.ts';
import { countRequired, requiresOf } from './optional-blocks.ts';
import { declareRoles } from './roles.ts';
import type { Scope } from './scope.ts';

const MAX_PERMISSIONS = 32;
const NONE: ReadonlySet<string> = new Set();

function declareClass(scope: Scope, token: Token): void {
  const { classes } = scope.declared;
  const name = scope.word(token);
  const old = classes.get(name);
  if (old !== undefined) {
    scope.reportDuplicate('class', token, old.token);
    return;
  }
  classes.set(name, {
    name,
    token,
    value: classes.size + 1,
    common: undefined,
    permissions: undefined,
    permissionCount: 0,
    constraints: [],
    validateTransitions: [],
    defaults: { user: 0, role: 0, type: 0, range: 0 },
  });
}

/** Numbers permissions in the order written, from `first`. */
function declarePermissions(scope: Scope, set: NameSet | undefined, first: number, owner: string): Map<string, number> {
  const permissions = new Map<string, number>();
  if (set === undefined) return permissions;
  const places = new Map<string, Token>();
  for (const token of scope.plainNames(set, 'permissions', 'class')) {
    const name = scope.word(token);
    const earlier = places.get(name);
    if (earlier !== undefined) scope.reportDuplicate('permission', token, earlier);
    else {
      places.set(name, token);
      permissions.set(name, first + permissions.size);
    }
  }
  const count = first - 1 + permissions.size;
  if (count > MAX_PERMISSIONS) {
    scope.report(policy['too-many-permissions'](scope.origin(set), { class: owner, count }));
    for (const [name, value] of permissions) if (value > MAX_PERMISSIONS) permissions.delete(name);
  }
  return permissions;
}

function declareAccessVector(scope: Scope, statement: Extract<Statement, { kind: 'access-vector' }>): void {
  const tclass = scope.class(statement.name);
  if (tclass === undefined) return;
  if (tclass.permissions !== undefined) {
    const first = scope.tree.statements.find(
      (one) => one.kind === 'access-vector' && scope.word(one.name) === tclass.name,
    );
    scope.reportDuplicate('access vector of class', statement.name, first?.kind === 'access-vector' ? first.name : -1);
    return;
  }
  if (statement.common !== undefined) {
    const name = scope.word(statement.common);
    tclass.common = scope.declared.commons.get(name);
    if (tclass.common === undefined) {
      scope.report(
        policy['unknown-common'](
          scope.origin(statement.common),
          { name },
          scope.suggest(statement.common, scope.declared.commons.keys()),
        ),
      );
    }
  }
  const inherited = tclass.common?.permissions.size ?? 0;
  tclass.permissions = declarePermissions(scope, statement.permissions, inherited + 1, tclass.name);
  tclass.permissionCount = inherited + tclass.permissions.size;
  if (tclass.common === undefined || statement.permissions === undefined) return;
  for (const token of scope.plainNames(statement.permissions, 'permissions', 'class')) {
    const name = scope.word(token);
    if (tclass.common.permissions.has(name)) {
      const extra = scope.earlier(tclass.common.token, 'the common is declared here');
      scope.report(policy['inherited-permission'](scope.origin(token), { name, common: tclass.common.name }, extra));
    }
  }
}

/** Declares a type, an attribute, or (with `primary`) an alias. */
function declareType(
  scope: Scope,
  token: Token,
  kind: TypeDeclaration['kind'],
  home: Part,
  primary?: TypeDeclaration,
): TypeDeclaration | undefined {
  const { types, sizes } = scope.declared;
  const name = scope.word(token);
  // checkpolicy takes it as the name of an alias, which no rule can then name.
  if (name === 'self' && kind !== 'alias') {
    scope.report(policy['reserved-self'](scope.origin(token), {}));
    return undefined;
  }
  if (kind === 'alias' && name.includes('.'))
    scope.report(policy['dotted-name'](scope.origin(token), { what: 'an alias', name }));
  const old = types.get(name);
  sizes.types.insert(old === undefined && !scope.declared.required.has(`type ${name}`));
  if (old !== undefined) {
    scope.reportDuplicate(kind === 'alias' ? 'alias' : kind, token, old.token);
    scope.doubtfulTypes.add(name);
    return kind === old.kind ? old : undefined;
  }
  const type = makeType(
    name,
    token,
    kind,
    primary,
    homeOfDeclaration(home, scope.declared.required.get(`type ${name}`)),
  );
  types.set(name, type);
  return type;
}

function declareAliases(scope: Scope, aliases: NameSet | undefined, type: TypeDeclaration, home: Part): void {
  if (aliases === undefined) return;
  for (const token of scope.plainNames(aliases, 'aliases', 'alias')) declareType(scope, token, 'alias', home, type);
}

/** Puts a type into the attributes of a list. */
function addToAttributes(scope: Scope, attributes: Token, type: TypeDeclaration): void {
  for (const token of readList(scope.tokens, attributes)) {
    const attribute = scope.attribute(token);
    if (attribute === undefined) scope.doubtfulTypes.add(type.name);
    else attribute.members.add(type);
  }
}

function declareBoolean(scope: Scope, statement: Extract<Statement, { kind: 'bool' | 'tunable' }>, home: Part): void {
  const { booleans, sizes } = scope.declared;
  const name = scope.word(statement.name);
  if (name.includes('.'))
    scope.report(policy['dotted-name'](scope.origin(statement.name), { what: 'a boolean', name }));
  const old = booleans.get(name);
  sizes.booleans.insert(old === undefined && !scope.declared.required.has(`bool ${name}`));
  if (old !== undefined) {
    scope.reportDuplicate('boolean', statement.name, old.token);
    return;
  }
  // XEN: a boolean that a block above requires keeps what the requirement made of it: false, and its kind.
  const isRequired = scope.declared.required.has(`bool ${name}`);
  booleans.set(name, {
    name,
    token: statement.name,
    isTunable: isRequired ? scope.declared.required.has(`tunable ${name}`) : statement.kind === 'tunable',
    state: isRequired ? false : statement.value,
    value: 0,
    home: homeOfDeclaration(home, scope.declared.required.get(`bool ${name}`)),
  });
}

function declareSid(scope: Scope, token: Token): void {
  const { sids } = scope.declared;
  const name = scope.word(token);
  const old = sids.get(name);
  if (old !== undefined) {
    scope.reportDuplicate('initial SID', token, old.token);
    return;
  }
  sids.set(name, { name, token, value: sids.size + 1 });
}

function declareCommon(scope: Scope, statement: Extract<Statement, { kind: 'common' }>): void {
  const { commons } = scope.declared;
  const name = scope.word(statement.name);
  const old = commons.get(name);
  if (old !== undefined) {
    scope.reportDuplicate('common', statement.name, old.token);
    return;
  }
  commons.set(name, {
    name,
    token: statement.name,
    value: commons.size + 1,
    permissions: declarePermissions(scope, statement.permissions, 1, name),
  });
}

function declareCapability(scope: Scope, token: Token): void {
  const name = scope.word(token);
  const known: readonly string[] = POLICY_CAPABILITIES;
  const bit = known.indexOf(name.toLowerCase());
  if (bit >= 0) scope.declared.capabilities.add(bit);
  else
    scope.report(
      policy['unknown-capability'](scope.origin(token), { name }, scope.suggest(token, POLICY_CAPABILITIES)),
    );
}

/** What an optional block declares and requires, in the order of the text. Who is in which attribute comes later. */
function declareInBlock(
  scope: Scope,
  block: Extract<Statement, { kind: 'optional' }>,
  around: ReadonlySet<Part>,
): void {
  const home = block.body;
  const homes = new Set([...around, home]);
  const enter = (part: readonly Statement[], isElse: boolean): void => {
    scope.branch = { part, isElse, required: NONE, homes: isElse ? around : homes };
  };
  enter(home, false);
  for (const statement of block.body) {
    switch (statement.kind) {
      case 'attribute':
        declareType(scope, statement.name, 'attribute', home);
        break;
      case 'type': {
        const type = declareType(scope, statement.name, 'type', home);
        if (type !== undefined) declareAliases(scope, statement.aliases, type, home);
        break;
      }
      case 'typealias': {
        const type = scope.declared.types.get(scope.word(statement.name));
        if (type !== undefined && type.kind !== 'attribute')
          declareAliases(scope, statement.aliases, primaryOf(type), home);
        else {
          const what = { name: scope.word(statement.name), statement: 'typealias' };
          scope.report(policy['unknown-type'](scope.origin(statement.name), what));
        }
        break;
      }
      case 'bool':
      case 'tunable':
        declareBoolean(scope, statement, home);
        break;
      case 'attribute_role':
      case 'role':
      case 'roleattribute':
        declareRoles(scope, statement);
        break;
      case 'require':
      case 'if':
        countRequired(scope, requiresOf([statement]), home);
        break;
      case 'optional':
        declareInBlock(scope, statement, homes);
        enter(home, false);
        break;
      default:
    }
  }
  enter(block.otherwise, true);
  for (const statement of block.otherwise) {
    if (statement.kind === 'optional') {
      declareInBlock(scope, statement, around);
      enter(block.otherwise, true);
    } else if (statement.kind === 'roleattribute') declareRoles(scope, statement);
  }
  scope.branch = undefined;
}

/** Fills `scope.declared` from all statements but those of users. */
export function declareSymbols(scope: Scope): void {
  for (const statement of scope.tree.statements) {
    switch (statement.kind) {
      case 'class':
        declareClass(scope, statement.name);
        break;
      case 'sid':
        declareSid(scope, statement.name);
        break;
      case 'common':
        declareCommon(scope, statement);
        break;
      case 'access-vector':
        declareAccessVector(scope, statement);
        break;
      case 'attribute':
        declareType(scope, statement.name, 'attribute', undefined);
        break;
      case 'type': {
        const type = declareType(scope, statement.name, 'type', undefined);
        if (type === undefined) break;
        declareAliases(scope, statement.aliases, type, undefined);
        if (statement.attributes !== undefined) addToAttributes(scope, statement.attributes, type);
        break;
      }
      case 'typealias': {
        const type = scope.plainType(statement.name, 'typealias');
        if (type !== undefined) declareAliases(scope, statement.aliases, primaryOf(type), undefined);
        break;
      }
      case 'typeattribute': {
        const type = scope.plainType(statement.name, 'typeattribute');
        if (type !== undefined) addToAttributes(scope, statement.others, type);
        break;
      }
      case 'bool':
      case 'tunable':
        declareBoolean(scope, statement, undefined);
        break;
      case 'attribute_role':
      case 'role':
      case 'roleattribute':
        declareRoles(scope, statement);
        break;
      case 'optional':
        declareInBlock(scope, statement, new Set());
        break;
      case 'if':
        countRequired(scope, requiresOf([statement]), undefined);
        break;
      case 'policycap':
        declareCapability(scope, statement.name);
        break;
      case 'sensitivity':
      case 'category':
      case 'dominance':
      case 'level':
        declareMls(scope, statement);
        break;
      default:
    }
  }
}
