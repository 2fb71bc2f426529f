/**
 * From the syntax tree to the policy as data.
 *
 * Two passes, as in checkpolicy: the first declares names, the second uses them. Between them symbols get their final
 * numbers. Start reading at `compileTree`.
 *
 * @module
 */
import { type NameSet, readList, readSet, type Statement, type SyntaxTree, type Token } from '../language/index.ts';
import {
  type ClassSymbol,
  Ebitmap,
  type ExpandedRules,
  expandPolicyRules,
  type HandleUnknown,
  insertedOrder,
  type PolicyDb,
  type RoleSymbol,
  RuleTable,
  SYMTAB_SIZES,
  symbolTable,
  TypeSets,
  type TypeSymbol,
} from '../policydb/index.ts';
import type { Report } from '../text/index.ts';
import { checkBounds, impliedBounds, parentName, setTypeBounds } from './bounds.ts';
import { ConditionalCompiler } from './conditionals.ts';
import { addConstraint, addValidateTransition, finishConstraint } from './constraints.ts';
import { ContextCompiler } from './contexts.ts';
import { isLost, isUnmet, type Part, primaryOf, type RoleDeclaration, type TypeDeclaration } from './declarations.ts';
import { declareSymbols } from './declare-symbols.ts';
import { policy as messages } from './diagnostics.ts';
import { checkLevels, mlsLevel } from './mls.ts';
import { numberBooleans, numberRoles, numberTypes, numberUsers } from './number-symbols.ts';
import {
  addBlockMemberships,
  type Block,
  branchesOf,
  collectBlocks,
  decideBlocks,
  isCounted,
  requiresOf,
  visitInOrder,
} from './optional-blocks.ts';
import { RoleRules } from './role-rules.ts';
import {
  addDominance,
  addRoleTypes,
  declareDominanceRoles,
  dominatedRoles,
  RoleTypes,
  settleRoleAttributes,
} from './roles.ts';
import { reportClashes, reportViolations } from './rule-reports.ts';
import { RuleCompiler } from './rules.ts';
import { type NameAdvice, Scope } from './scope.ts';
import { FilenameTransitions, RangeTransitions } from './transitions.ts';
import { checkUsersOfBlocks, declareUser, requireUser, userSymbols } from './users.ts';

/** What the compiler must know besides the text. */
export interface TreeOptions {
  readonly isMls: boolean;
  readonly handleUnknown: HandleUnknown;
  readonly advice?: NameAdvice;
  readonly onStage?: (stage: CompileStage) => void;
}

/** What the compiler is at. */
export type CompileStage =
  | 'expanding macros'
  | 'reading statements'
  | 'compiling rules'
  | 'expanding rules'
  | 'checking neverallow rules'
  | 'writing the binary';

/** The policy and its entries, ready to be written. */
export interface CompiledTree {
  readonly policy: PolicyDb;
  readonly rules: ExpandedRules;
  readonly contexts: ContextCompiler;
  readonly scope: Scope;
}

const MAX_TYPES = 0xffff;

function expansionOf(type: TypeDeclaration | undefined): boolean {
  return type?.kind === 'attribute' && type.expansion === true;
}

/** The sets of a policy's types, once types have numbers and attributes have their members. */
function makeTypeSets(byValue: readonly TypeDeclaration[]): TypeSets {
  const members = byValue.map((type) =>
    type.kind === 'attribute'
      ? Ebitmap.of([...type.members].flatMap(({ value }) => (value === 0 ? [] : [value - 1])))
      : undefined,
  );
  return new TypeSets({
    count: byValue.length,
    membersOf: (value) => members[value - 1],
    isExpanded: (value) => expansionOf(byValue[value - 1]),
  });
}

/** Takes `expandattribute`, before any rule is expanded. XEN: it holds even where its block does not count. */
function setExpansions(scope: Scope, blocks: readonly Block[]): void {
  for (const node of scope.tree.statements) if (node.kind === 'expandattribute') setExpansion(scope, node);
  for (const branch of blocks.flatMap(branchesOf)) {
    scope.branch = branch;
    for (const node of branch.part) if (node.kind === 'expandattribute') setExpansion(scope, node);
  }
  scope.branch = undefined;
}

function setExpansion(scope: Scope, node: Extract<Statement, { kind: 'expandattribute' }>): void {
  for (const token of scope.plainNames(node.names, 'attributes', 'expandattribute')) {
    const attribute = scope.attribute(token);
    if (attribute === undefined) continue;
    if (attribute.expansion !== undefined && attribute.expansion !== node.value) {
      scope.report(messages['expand-both'](scope.origin(token), { name: attribute.name }));
      attribute.expansion = false;
    } else attribute.expansion = node.value;
  }
}

/** Where a default of the same kind was given to a class before. */
function earlierDefault(
  scope: Scope,
  node: Extract<Statement, { kind: 'default' }>,
  tclass: string,
): Token | undefined {
  const names = (set: NameSet): boolean =>
    readSet(scope.tokens, set).members.some(({ token }) => scope.word(token) === tclass);
  return scope.tree.statements.find((one) => one.kind === 'default' && one.rule === node.rule && names(one.classes))
    ?.at;
}

function setDefault(scope: Scope, node: Extract<Statement, { kind: 'default' }>): void {
  const part = { default_user: 'user', default_role: 'role', default_type: 'type', default_range: 'range' } as const;
  const field = part[node.rule];
  for (const tclass of scope.classes(node.classes, node.rule)) {
    const old = tclass.defaults[field];
    if (old !== 0 && old !== node.value) {
      const names = { class: tclass.name, rule: node.rule };
      const extra = scope.earlier(earlierDefault(scope, node, tclass.name), 'the earlier one is here');
      scope.report(messages['conflicting-default'](scope.origin(node.at), names, extra));
    } else tclass.defaults[field] = node.value;
  }
}

type Membership = Extract<Statement, { kind: 'typeattribute' | 'typebounds' | 'roleattribute' }>;

function setBounds(scope: Scope, node: Membership): void {
  const parent = scope.plainType(node.name, 'typebounds');
  for (const token of readList(scope.tokens, node.others)) {
    const child = scope.plainType(token, 'typebounds');
    if (parent !== undefined && child !== undefined) setTypeBounds(scope, child, parent, token);
  }
}

/** A type with a dot in its name is bounded by the type before the dot. */
function setDottedBounds(scope: Scope, token: number): void {
  const name = scope.word(token);
  const type = scope.declared.types.get(name);
  const before = parentName(name);
  if (type === undefined || before === undefined) return;
  const parent = scope.declared.types.get(before);
  if (parent !== undefined && primaryOf(parent).kind === 'type') setTypeBounds(scope, type, primaryOf(parent), token);
  else scope.report(messages['orphan-bounds'](scope.origin(token), { what: 'type', name, parent: before }));
}

/** What is known of roles when rules are compiled. */
interface RoleFacts {
  /** The branches of optional blocks that count. */
  readonly counted: readonly Part[];
  /** The types of each role. */
  readonly types: ReadonlyMap<RoleDeclaration, Ebitmap>;
}

/** What the second pass collects. */
class Second {
  readonly scope: Scope;
  readonly sets: TypeSets;
  readonly roles: RoleFacts;
  readonly rules = new RuleTable();
  readonly permissive: number[] = [];
  readonly ruleCompiler: RuleCompiler;
  readonly conditionals: ConditionalCompiler;
  readonly roleRules: RoleRules;
  readonly filenames: FilenameTransitions;
  readonly ranges: RangeTransitions;
  readonly contexts: ContextCompiler;

  /** `outerSets` are the sets as they are without optional blocks. */
  constructor(scope: Scope, sets: TypeSets, outerSets: TypeSets, roles: RoleFacts) {
    this.scope = scope;
    this.sets = sets;
    this.roles = roles;
    this.ruleCompiler = new RuleCompiler(scope, sets);
    this.conditionals = new ConditionalCompiler(scope, this.ruleCompiler);
    this.roleRules = new RoleRules(scope);
    this.filenames = new FilenameTransitions(scope, this.ruleCompiler);
    this.ranges = new RangeTransitions(scope, this.ruleCompiler);
    this.contexts = new ContextCompiler(scope, outerSets);
  }

  /** Everything that stands before the users. */
  takeRule(node: Statement): void {
    const { scope } = this;
    switch (node.kind) {
      case 'av-rule':
      case 'type-rule':
        this.ruleCompiler.add(node, this.rules);
        break;
      case 'if':
        this.conditionals.add(node);
        break;
      case 'default':
        setDefault(scope, node);
        break;
      case 'constrain':
        if (node.isMls) addConstraint(scope, this.sets, node);
        break;
      case 'validatetrans':
        if (node.isMls) addValidateTransition(scope, this.sets, node);
        break;
      default:
        this.takeAnywhere(node, true);
    }
  }

  /** Rules that may stand in optional blocks, too. XEN: `permissive` and bounds hold even where their block does not count. */
  takeAnywhere(node: Statement, counts: boolean): void {
    const { scope } = this;
    switch (node.kind) {
      case 'filename-transition':
        this.filenames.add(node, counts);
        break;
      case 'range_transition':
        this.ranges.add(node, counts);
        break;
      case 'role-allow':
        this.roleRules.addAllow(node, counts);
        break;
      case 'role_transition':
        this.roleRules.addTransition(node, this.ruleCompiler, counts);
        break;
      case 'permissive': {
        const type = scope.plainType(node.name, 'permissive');
        if (type !== undefined && type.value !== 0) this.permissive.push(type.value);
        break;
      }
      case 'typebounds':
        setBounds(scope, node);
        break;
      case 'type':
        setDottedBounds(scope, node.name);
        break;
      default:
    }
  }

  /** Ends what stands outside of optional blocks, or one block. */
  endPart(): void {
    this.conditionals.endPart(this.rules);
    this.roleRules.endPart();
    this.filenames.endPart();
  }

  /** The rules of an optional block. Those of a branch that does not count are looked at, and forgotten. */
  takeBlock(block: Block): void {
    for (const branch of branchesOf(block)) {
      this.scope.branch = branch;
      const counts = isCounted(block, branch);
      const rules = counts ? this.rules : new RuleTable();
      const conditionals = counts ? this.conditionals : new ConditionalCompiler(this.scope, this.ruleCompiler);
      for (const node of branch.part) {
        if (node.kind === 'av-rule' || node.kind === 'type-rule') this.ruleCompiler.add(node, rules);
        else if (node.kind === 'if') conditionals.add(node);
        else this.takeAnywhere(node, counts);
      }
      conditionals.endPart(rules);
    }
    this.scope.branch = undefined;
    this.roleRules.endPart();
    this.filenames.endPart();
  }

  /** Constraints and contexts, which may name users. */
  takeContext(node: Statement): void {
    switch (node.kind) {
      case 'constrain':
        if (!node.isMls) addConstraint(this.scope, this.sets, node);
        break;
      case 'validatetrans':
        if (!node.isMls) addValidateTransition(this.scope, this.sets, node);
        break;
      case 'sid-context':
        this.contexts.addSid(node);
        break;
      case 'pirqcon':
      case 'pcidevicecon':
      case 'iomemcon':
      case 'ioportcon':
        this.contexts.addDevice(node);
        break;
      case 'devicetreecon':
        this.contexts.addPath(node);
        break;
      default:
    }
  }
}

function permissionSymbols(permissions: ReadonlyMap<string, number>): { name: string; value: number }[] {
  return insertedOrder(
    [...permissions].map(([name, value]) => ({ name, value })),
    SYMTAB_SIZES.permissions,
  );
}

function classSymbols(scope: Scope): ClassSymbol[] {
  const symbols = [...scope.declared.classes.values()].map((tclass): ClassSymbol => {
    const permissions = permissionSymbols(tclass.permissions ?? new Map());
    return {
      name: tclass.name,
      value: tclass.value,
      common: tclass.common?.name,
      permissionCount: tclass.permissionCount,
      permissions,
      constraints: tclass.constraints.map(finishConstraint),
      validateTransitions: tclass.validateTransitions.map(finishConstraint),
      defaults: tclass.defaults,
    };
  });
  return insertedOrder(symbols, SYMTAB_SIZES.classes);
}

function typeSymbols(scope: Scope, byValue: readonly TypeDeclaration[]): TypeSymbol[] {
  const { types } = scope.declared;
  const symbols = [...types.values()].flatMap((type): TypeSymbol[] => {
    if (isLost(scope.declared, primaryOf(type))) return [];
    const primaryName = byValue[type.value - 1]?.name ?? type.name;
    const bounds = type.bounds?.value ?? impliedBounds(scope, 'type', type, primaryName, types);
    return [{ name: type.name, value: type.value, kind: type.kind, bounds }];
  });
  return insertedOrder(symbols, SYMTAB_SIZES.types);
}

function roleSymbols({ scope, roles: { counted, types } }: Second): { symbols: RoleSymbol[]; count: number } {
  const { roles, objectRole } = scope.declared;
  const existing = [...roles.values()].filter((role) => !isUnmet(scope.declared, role));
  const symbols = insertedOrder(existing, SYMTAB_SIZES.roles).flatMap((role): RoleSymbol[] => {
    const bounds = impliedBounds(scope, 'role', role, role.name, roles);
    if (role.isAttribute) return [];
    return [
      {
        name: role.name,
        value: role.value,
        bounds,
        // XEN: `role_copy_callback` copies nothing of `object_r`.
        dominates: role === objectRole ? Ebitmap.empty : dominatedRoles(role, counted),
        types: role === objectRole ? Ebitmap.empty : (types.get(role) ?? Ebitmap.empty),
      },
    ];
  });
  return { symbols, count: existing.length };
}

/** For each type the type itself and its attributes; for an attribute itself. An expanded attribute has no place. */
function typeAttributeMap(byValue: readonly TypeDeclaration[]): Ebitmap[] {
  const bits = byValue.map((type, i) => (expansionOf(type) ? [] : [i]));
  byValue.forEach((attribute, i) => {
    if (attribute.kind !== 'attribute' || expansionOf(attribute)) return;
    for (const type of attribute.members) bits[type.value - 1]?.push(i);
  });
  return bits.map((one) => Ebitmap.of(one));
}

function assemble(second: Second, byValue: readonly TypeDeclaration[], options: TreeOptions): PolicyDb {
  const { scope, sets, contexts } = second;
  const { declared } = scope;
  const conditionals = second.conditionals.finish();
  const { allows, transitions } = second.roleRules.finish();
  const roles = roleSymbols(second);
  const users = insertedOrder(
    userSymbols(declared, second.roles.counted, (user) =>
      impliedBounds(scope, 'user', user, user.name, declared.users),
    ),
    SYMTAB_SIZES.users,
  );
  const booleans = [...declared.booleans.values()].filter(
    (boolean) => !boolean.isTunable && !isLost(declared, boolean),
  );
  const commons = [...declared.commons.values()].map(({ name, value, permissions }) => ({
    name,
    value,
    permissionCount: permissions.size,
    permissions: permissionSymbols(permissions),
  }));
  const sensitivities = [...declared.sensitivities.values()].map(({ name, isAlias, level }) => ({
    name,
    isAlias,
    level: mlsLevel(level),
  }));
  const table = <T extends { readonly name: string }>(symbols: readonly T[], initial: number, count = symbols.length) =>
    symbolTable(insertedOrder(symbols, initial), count);
  return {
    isMls: options.isMls,
    handleUnknown: options.handleUnknown,
    policyCapabilities: Ebitmap.of(declared.capabilities),
    permissive: Ebitmap.of(second.permissive),
    commons: table(commons, SYMTAB_SIZES.commons),
    classes: symbolTable(classSymbols(scope), declared.classes.size),
    roles: symbolTable(roles.symbols, roles.count),
    types: symbolTable(typeSymbols(scope, byValue), byValue.length),
    users: symbolTable(users, users.length),
    booleans: table(
      booleans.map(({ name, value, state }) => ({ name, value, state })),
      SYMTAB_SIZES.booleans,
    ),
    sensitivities: table(sensitivities, SYMTAB_SIZES.sensitivities),
    categories: table([...declared.categories.values()], SYMTAB_SIZES.categories, declared.categoryCount),
    typeSets: sets,
    rules: second.rules,
    conditionals,
    isExpanded: false,
    roleTransitions: transitions,
    roleAllows: allows,
    filenameTransitions: second.filenames.finish(),
    objectContexts: {
      initialSids: contexts.initialSids(),
      pirqs: contexts.numbers('pirqcon'),
      ioports: contexts.ranges('ioportcon'),
      iomem: contexts.ranges('iomemcon'),
      pciDevices: contexts.numbers('pcidevicecon'),
      deviceTree: contexts.paths(),
    },
    rangeTransitions: second.ranges.finish(),
    typeAttributeMap: typeAttributeMap(byValue),
  };
}

/** The second pass over what is said of roles and users, which looks at nothing that comes further down. */
function takeRolesAndUsers(scope: Scope, node: Statement): void {
  switch (node.kind) {
    case 'role-types':
      addRoleTypes(scope, node);
      break;
    case 'role-dominance':
      scope.report(messages['role-dominance'](scope.origin(node.at), {}));
      addDominance(scope, node.roles);
      break;
    case 'require':
    case 'if':
      for (const { kind, names } of requiresOf([node]))
        if (kind === 'user') for (const token of names) requireUser(scope, token);
      break;
    case 'user':
      declareUser(scope, node);
      break;
    default:
  }
}

/** Compiles a tree. The result is whole only where nothing of severity error was reported. */
export function compileTree(tree: SyntaxTree, options: TreeOptions, report: Report): CompiledTree {
  let errors = 0;
  const counting: Report = (diagnostic) => {
    if (diagnostic.severity === 'error') errors++;
    report(diagnostic);
  };
  options.onStage?.('compiling rules');
  const scope = new Scope(tree, options.isMls, counting, options.advice);
  declareSymbols(scope);
  if (options.isMls) checkLevels(scope);
  const blocks = collectBlocks(scope);
  visitInOrder(scope, blocks, (node) => {
    if (node.kind === 'role-dominance') declareDominanceRoles(scope, node.roles, node.at);
  });
  visitInOrder(scope, blocks, (node) => takeRolesAndUsers(scope, node));
  const counted = decideBlocks(scope, blocks);
  const byValue = numberTypes(scope.declared);
  if (byValue.length > MAX_TYPES) scope.report(messages['too-many-types'](undefined, { count: byValue.length }));
  numberRoles(scope.declared);
  numberBooleans(scope.declared);
  numberUsers(scope.declared);
  settleRoleAttributes(scope.declared, counted);
  checkUsersOfBlocks(scope, counted);
  setExpansions(scope, blocks);
  const roleTypes = new RoleTypes(scope.declared);
  roleTypes.addPart(undefined);
  // Contexts know nothing of attributes that optional blocks fill.
  const outer = blocks.length === 0 ? undefined : makeTypeSets(byValue);
  for (const block of blocks) {
    addBlockMemberships(scope, block);
    for (const { part } of branchesOf(block)) if (counted.includes(part)) roleTypes.addPart(part);
  }
  const sets = makeTypeSets(byValue);
  const second = new Second(scope, sets, outer ?? sets, { counted, types: roleTypes.finish() });
  for (const node of tree.statements) second.takeRule(node);
  second.endPart();
  for (const block of blocks) second.takeBlock(block);
  for (const node of tree.statements) second.takeContext(node);
  const policy = assemble(second, byValue, options);
  const hasFaults = errors > 0;
  if (byValue.length > MAX_TYPES)
    return {
      policy,
      rules: { entries: { count: 0, words: new Uint32Array(0) }, blocks: [] },
      contexts: second.contexts,
      scope,
    };
  options.onStage?.('expanding rules');
  const { rules, clashes } = expandPolicyRules(policy);
  reportClashes(scope, policy, clashes);
  options.onStage?.('checking neverallow rules');
  reportViolations(scope, policy);
  // What a parent may do is not known before all rules are.
  if (!hasFaults && tree.isWhole && clashes.length === 0) checkBounds(scope, policy, rules);
  return { policy, rules, contexts: second.contexts, scope };
}
