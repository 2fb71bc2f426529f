/**
 * Statements of the policy language.
 *
 * SPEC: checkpolicy `policy_parse.y`.
 * Start reading at `parseStatement`.
 *
 * @module
 */
import { language } from './diagnostics.ts';
import { checkConditionDepth, conditionExpression, constraintExpression } from './parse-expressions.ts';
import { type Cursor, SyntaxFault } from './parser.ts';
import type {
  AvRuleKind,
  ConditionalRule,
  ContextNode,
  DefaultKind,
  DominanceNode,
  LevelNode,
  NameSet,
  RangeNode,
  RequireNode,
  Statement,
  TypeRuleKind,
} from './syntax-tree.ts';
import { originOf, type Token, TokenKind, textOf } from './tokens.ts';

/** Numbers of `default_range`: source low, high, low-high, then the same of the target, then the common part. */
const RANGE_PARTS: Readonly<Record<string, number>> = { low: 1, high: 2, 'low-high': 3 };
const DEFAULT_RANGE_TARGET = 3;
const DEFAULT_RANGE_GLBLUB = 7;

/** XEN: checkpolicy and Xen keep 16 bits of an interrupt (`pirq` of their object contexts). */
const MAX_PIRQ = 0xffffn;
const MAX_U32 = 0xffffffffn;
const MAX_U64 = 0xffffffffffffffffn;

function level(cursor: Cursor): LevelNode {
  const sensitivity = cursor.identifier('a sensitivity');
  return { sensitivity, categories: cursor.accept(':') ? cursor.commaList() : undefined };
}

function range(cursor: Cursor): RangeNode {
  const low = level(cursor);
  return { low, high: cursor.accept('-') ? level(cursor) : undefined };
}

const LABEL_FORM = 'a label is written `user:role:type`';

function context(cursor: Cursor): ContextNode {
  if (cursor.kind() === TokenKind.identifier && cursor.word(1) === '(') cursor.failOnMacro();
  cursor.form = LABEL_FORM;
  const user = cursor.identifier('a user');
  cursor.expect(':');
  const role = cursor.identifier('a role');
  cursor.expect(':');
  const type = cursor.identifier('a type');
  cursor.form = undefined;
  const ownRange = cursor.accept(':') ? range(cursor) : undefined;
  if (cursor.word() === ';' && cursor.isGluedName(1)) failOnSeparator(cursor);
  return { user, role, type, range: ownRange };
}

/** Reports a `;` between a label and its level. */
function failOnSeparator(cursor: Cursor): never {
  const { tokens } = cursor;
  const origin = originOf(tokens, cursor.at);
  const { source, start } = origin.span;
  const isArgument = /\bgen_context\([^()\n]*$/.test(source.text.slice(Math.max(0, start - 512), start));
  const [meant, where] = isArgument
    ? [',', 'the arguments of `gen_context` are separated by a `,`']
    : [':', 'a label and its level are separated by a `:`'];
  const edits = origin.kind === 'written' ? [{ span: origin.span, newText: meant }] : [];
  const fixes = [{ title: `did you mean \`${meant}\`?`, edits }];
  const args = { expected: `\`${meant}\``, found: '`;`' };
  cursor.report(language['unexpected-token'](origin, args, { fixes, notes: [{ message: where }] }));
  cursor.at++;
  while (!cursor.isAtEnd && !cursor.isFirstOnLine()) cursor.at++;
  throw new SyntaxFault();
}

/** The value of a number token, as C's `strtoul` with base 0 reads it. */
export function numberValue(text: string): bigint {
  if (text.startsWith('0x')) return BigInt(text);
  if (!text.startsWith('0') || text.length === 1) return BigInt(text);
  const octal = /^0[0-7]*/.exec(text)?.[0] ?? '0';
  return octal === '0' ? 0n : BigInt(`0o${octal.slice(1)}`);
}

const PCI_ADDRESS = /(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([01]?[0-9a-f])\.([0-7])(?![0-9a-f.:])/iy;

/** Reports what was to be a number and is written as people write it elsewhere: `0000:00:19.0` for 0xc8, `0XC8`. */
function checkSpelling(cursor: Cursor, kind: Statement['kind']): void {
  const { source, starts } = cursor.tokens;
  const start = starts[cursor.at] ?? 0;
  let found = textOf(cursor.tokens, cursor.at);
  let number: string | undefined = /^0X[0-9A-Fa-f]+$/.test(found) ? found.toLowerCase() : undefined;
  PCI_ADDRESS.lastIndex = start;
  const address = kind === 'pcidevicecon' ? PCI_ADDRESS.exec(source.text) : null;
  if (address !== null) {
    const [segment = 0, bus = 0, device = 0, fn = 0] = address.slice(1).map((part) => Number.parseInt(part ?? '0', 16));
    // XEN: `sbdf` of tools/flask/utils/label-pci.c
    number = `0x${((segment << 16) | (bus << 8) | (device << 3) | fn).toString(16)}`;
    found = address[0];
  }
  if (number === undefined) return;
  const origin = source.origins.originAt(start, start + found.length);
  const edits = origin.kind === 'written' ? [{ span: origin.span, newText: number }] : [];
  const fixes = [{ title: `did you mean \`${number}\`?`, edits }];
  cursor.report(language['unexpected-token'](origin, { expected: 'a number', found: `\`${found}\`` }, { fixes }));
  throw new SyntaxFault();
}

function number(cursor: Cursor, maximum: bigint, kind: Statement['kind']): Token {
  checkSpelling(cursor, kind);
  if (cursor.kind() !== TokenKind.number) cursor.fail('a number');
  const text = textOf(cursor.tokens, cursor.at);
  const origin = originOf(cursor.tokens, cursor.at);
  if (numberValue(text) > maximum)
    cursor.report(language['bad-number'](origin, { number: text, maximum: `0x${maximum.toString(16)}` }));
  if (/^0[0-9]*[89]/.test(text))
    cursor.report(language['not-octal'](origin, { number: text, value: String(numberValue(text)) }));
  return cursor.at++;
}

function truth(cursor: Cursor): boolean {
  if (cursor.accept('true')) return true;
  if (!cursor.accept('false')) cursor.fail('`true` or `false`', ['true', 'false']);
  return false;
}

const AV_RULES: ReadonlySet<string> = new Set(['allow', 'auditallow', 'auditdeny', 'dontaudit', 'neverallow']);

/** What follows the keyword of an access vector rule, or of `allow` between roles. */
function avRule(cursor: Cursor, at: Token, rule: AvRuleKind): Statement {
  const source = cursor.nameSet('the source types');
  const target = cursor.nameSet('the target types');
  if (rule === 'allow' && cursor.word() === ';' && cursor.word(1) !== ':') {
    cursor.at++;
    return { kind: 'role-allow', at, source, target };
  }
  cursor.expect(':');
  const classes = cursor.nameSet('the classes');
  const permissions = cursor.nameSet('the permissions');
  cursor.expect(';');
  return { kind: 'av-rule', at, rule, source, target, classes, permissions };
}

function typeRule(cursor: Cursor, at: Token, rule: TypeRuleKind): Statement {
  const source = cursor.nameSet('the source types');
  const target = cursor.nameSet('the target types');
  cursor.expect(':');
  const classes = cursor.nameSet('the classes');
  if (cursor.word() === '{') cursor.form = `one \`${rule}\` gives one type`;
  const result = cursor.identifier('the type of the new object');
  if (rule === 'type_transition' && cursor.kind() === TokenKind.filename) {
    const name = cursor.at++;
    cursor.expect(';');
    return { kind: 'filename-transition', at, source, target, classes, result, name };
  }
  cursor.expect(';');
  return { kind: 'type-rule', at, rule, source, target, classes, result };
}

/** Reports a block that no `}` closes, at its brace; anything further on would be blamed for nothing. */
function checkClosed(cursor: Cursor, open: Token): void {
  const { tokens } = cursor;
  if (cursor.closingToken(open) !== undefined) return;
  cursor.report(language['unclosed-block'](originOf(tokens, open), {}));
  throw new SyntaxFault();
}

/** Goes on behind the block that the cursor is in, and behind its `else`: what is left of it would look out of place. */
function skipBlock(cursor: Cursor): void {
  for (let depth = 1; depth > 0 && !cursor.isAtEnd; ) {
    if (cursor.accept('{')) depth++;
    else if (cursor.accept('}')) {
      depth--;
      if (depth === 0 && cursor.accept('else') && cursor.accept('{')) depth = 1;
    } else cursor.at++;
  }
}

function conditionalBlock(cursor: Cursor): ConditionalRule[] {
  const open = cursor.at;
  cursor.expect('{');
  const rules: ConditionalRule[] = [];
  while (!cursor.accept('}')) {
    if (cursor.isAtEnd) checkClosed(cursor, open);
    const at = cursor.at;
    const word = cursor.word();
    if (word === 'neverallow' || word === 'if' || !CONDITIONAL_STATEMENTS.has(word)) {
      if (cursor.kind() === TokenKind.identifier && cursor.word(1) === '(') cursor.failOnMacro();
      if (cursor.kind() === TokenKind.identifier || word === '') cursor.fail('a rule or `}`');
      checkClosed(cursor, open);
      cursor.report(language['not-in-conditional'](originOf(cursor.tokens, at), { statement: word }));
      skipBlock(cursor);
      throw new SyntaxFault();
    }
    const rule = parseStatement(cursor);
    if (rule.kind === 'filename-transition') {
      cursor.report(language['filename-in-conditional'](originOf(cursor.tokens, at), {}));
    } else if (rule.kind === 'av-rule' || rule.kind === 'type-rule' || rule.kind === 'require') rules.push(rule);
    else
      cursor.report(
        language['not-in-conditional'](originOf(cursor.tokens, at), { statement: `${word} between roles` }),
      );
  }
  return rules;
}

const CONDITIONAL_STATEMENTS: ReadonlySet<string> = new Set([
  'allow',
  'auditallow',
  'auditdeny',
  'dontaudit',
  'type_transition',
  'type_member',
  'type_change',
  'require',
]);

function dominanceRoles(cursor: Cursor): DominanceNode[] {
  const roles: DominanceNode[] = [];
  cursor.expect('{');
  do {
    cursor.expect('role');
    const role = cursor.identifier('a role');
    const children = cursor.word() === '{' ? cursor.nested(() => dominanceRoles(cursor)) : [];
    if (children.length === 0) cursor.expect(';');
    roles.push({ role, children });
  } while (!cursor.accept('}'));
  return roles;
}

function dominance(cursor: Cursor, at: Token): Statement {
  if (cursor.word() === '{' && cursor.word(1) === 'role') {
    return { kind: 'role-dominance', at, roles: dominanceRoles(cursor) };
  }
  const order: NameSet = cursor.word() === '{' ? cursor.flatSet() : cursor.identifier('a sensitivity');
  return { kind: 'dominance', at, order };
}

function classStatement(cursor: Cursor, at: Token): Statement {
  const name = cursor.identifier('a name for the class');
  const common = cursor.accept('inherits') ? cursor.identifier('a common') : undefined;
  if (cursor.word() === '{') return { kind: 'access-vector', at, name, common, permissions: cursor.flatSet() };
  if (common !== undefined) return { kind: 'access-vector', at, name, common, permissions: undefined };
  return { kind: 'class', at, name };
}

function defaultStatement(cursor: Cursor, at: Token, rule: DefaultKind): Statement {
  const classes = cursor.nameSet();
  let value: number;
  if (rule === 'default_range' && cursor.accept('glblub')) value = DEFAULT_RANGE_GLBLUB;
  else {
    const isTarget = cursor.accept('target');
    if (!isTarget) cursor.expect('source');
    if (rule === 'default_range') {
      value = RANGE_PARTS[cursor.word()] ?? cursor.fail('`low`, `high` or `low-high`');
      cursor.at++;
      if (isTarget) value += DEFAULT_RANGE_TARGET;
    } else value = isTarget ? 2 : 1;
  }
  cursor.expect(';');
  return { kind: 'default', at, rule, classes, value };
}

function roleStatement(cursor: Cursor, at: Token): Statement {
  const name = cursor.identifier('a name for the role');
  if (cursor.accept('types')) {
    const types = cursor.nameSet('the types of the role');
    cursor.expect(';');
    return { kind: 'role-types', at, name, types };
  }
  const attributes = cursor.accept(',') ? cursor.commaList('an attribute') : undefined;
  cursor.expect(';', ['types']);
  return { kind: 'role', at, name, attributes };
}

function roleTransition(cursor: Cursor, at: Token): Statement {
  const source = cursor.nameSet('the roles');
  const types = cursor.nameSet('the types');
  const classes = cursor.accept(':') ? cursor.nameSet() : undefined;
  const result = cursor.identifier('the new role');
  cursor.expect(';');
  return { kind: 'role_transition', at, source, types, classes, result };
}

function rangeTransition(cursor: Cursor, at: Token): Statement {
  const source = cursor.nameSet('the source types');
  const target = cursor.nameSet('the target types');
  const classes = cursor.accept(':') ? cursor.nameSet('the classes') : undefined;
  const newRange = range(cursor);
  cursor.expect(';');
  return { kind: 'range_transition', at, source, target, classes, range: newRange };
}

function userStatement(cursor: Cursor, at: Token): Statement {
  const name = cursor.identifier('a name for the user');
  cursor.expect('roles');
  const roles = cursor.nameSet('the roles of the user');
  let defaultLevel: LevelNode | undefined;
  let userRange: RangeNode | undefined;
  if (cursor.accept('level')) {
    defaultLevel = level(cursor);
    cursor.expect('range');
    userRange = range(cursor);
  }
  cursor.expect(';');
  return { kind: 'user', at, name, roles, level: defaultLevel, range: userRange };
}

const REQUIRED: ReadonlySet<string> = new Set([
  'class',
  'role',
  'type',
  'attribute',
  'attribute_role',
  'user',
  'bool',
  'tunable',
  'sensitivity',
  'category',
]);

function requireBlock(cursor: Cursor, at: Token): Statement {
  cursor.expect('{');
  const wants: RequireNode[] = [];
  while (wants.length === 0 || !cursor.accept('}')) {
    const kind = cursor.word();
    if (!REQUIRED.has(kind)) cursor.fail('something to require or `}`');
    cursor.at++;
    if (kind === 'class') {
      const name = cursor.identifier('a class');
      wants.push({ kind, names: [name], permissions: cursor.nameSet() });
    } else {
      const names = [cursor.identifier()];
      while (cursor.accept(',')) names.push(cursor.identifier());
      // The set of kinds above is the set of `RequireNode` kinds.
      wants.push({ kind: kind as RequireNode['kind'], names, permissions: undefined });
    }
    cursor.expect(';');
  }
  return { kind: 'require', at, wants };
}

function block(cursor: Cursor): Statement[] {
  const statements: Statement[] = [];
  const open = cursor.at;
  cursor.expect('{');
  do {
    if (cursor.isAtEnd) checkClosed(cursor, open);
    statements.push(cursor.nested(() => parseStatement(cursor)));
  } while (!cursor.accept('}'));
  return statements;
}

function deviceContext(
  cursor: Cursor,
  at: Token,
  kind: 'pirqcon' | 'pcidevicecon' | 'iomemcon' | 'ioportcon',
): Statement {
  const maximum = kind === 'iomemcon' ? MAX_U64 : kind === 'pirqcon' ? MAX_PIRQ : MAX_U32;
  const low = number(cursor, maximum, kind);
  const isRange = kind === 'iomemcon' || kind === 'ioportcon';
  const high = isRange && cursor.accept('-') ? number(cursor, maximum, kind) : undefined;
  if (cursor.word() === '-' || cursor.word() === ',') {
    cursor.form = isRange ? 'a range is written `low-high`' : `one \`${kind}\` labels one device, without a range`;
    cursor.fail('a label');
  }
  return { kind, at, low, high, context: context(cursor) };
}

function named<K extends 'attribute' | 'attribute_role' | 'policycap' | 'permissive'>(
  cursor: Cursor,
  at: Token,
  kind: K,
): Statement {
  const name = cursor.identifier();
  cursor.expect(';');
  return { kind, at, name };
}

function membership<K extends 'typeattribute' | 'typebounds' | 'roleattribute'>(
  cursor: Cursor,
  at: Token,
  kind: K,
): Statement {
  const name = cursor.identifier();
  const others = cursor.commaList(kind === 'typebounds' ? 'a type' : 'an attribute');
  cursor.expect(';');
  return { kind, at, name, others };
}

function withAliases<K extends 'sensitivity' | 'category'>(cursor: Cursor, at: Token, kind: K): Statement {
  const name = cursor.identifier();
  const aliases = cursor.aliases();
  cursor.expect(';');
  return { kind, at, name, aliases };
}

function constraint(cursor: Cursor, at: Token, isMls: boolean, validates: boolean): Statement {
  const classes = cursor.nameSet('the classes');
  const permissions = validates ? undefined : cursor.nameSet('the permissions');
  const expression = constraintExpression(cursor, validates);
  cursor.expect(';');
  return permissions === undefined
    ? { kind: 'validatetrans', at, isMls, classes, expression }
    : { kind: 'constrain', at, isMls, classes, permissions, expression };
}

type Parse = (cursor: Cursor, at: Token) => Statement;

const STATEMENTS: Readonly<Record<string, Parse>> = {
  class: classStatement,
  sid: (cursor, at) => {
    const name = cursor.identifier('a name for the SID');
    if (cursor.kind() === TokenKind.identifier) return { kind: 'sid-context', at, name, context: context(cursor) };
    // A sign behind the name tells that a label was to follow.
    if (cursor.kind() === TokenKind.operator && cursor.word() !== ';' && !cursor.isFirstOnLine()) {
      cursor.form = LABEL_FORM;
      cursor.fail('a label');
    }
    return { kind: 'sid', at, name };
  },
  common: (cursor, at) => ({ kind: 'common', at, name: cursor.identifier(), permissions: cursor.flatSet() }),
  default_user: (cursor, at) => defaultStatement(cursor, at, 'default_user'),
  default_role: (cursor, at) => defaultStatement(cursor, at, 'default_role'),
  default_type: (cursor, at) => defaultStatement(cursor, at, 'default_type'),
  default_range: (cursor, at) => defaultStatement(cursor, at, 'default_range'),
  sensitivity: (cursor, at) => withAliases(cursor, at, 'sensitivity'),
  category: (cursor, at) => withAliases(cursor, at, 'category'),
  dominance,
  level: (cursor, at) => {
    const node = level(cursor);
    cursor.expect(';');
    return { kind: 'level', at, level: node };
  },
  constrain: (cursor, at) => constraint(cursor, at, false, false),
  mlsconstrain: (cursor, at) => constraint(cursor, at, true, false),
  validatetrans: (cursor, at) => constraint(cursor, at, false, true),
  mlsvalidatetrans: (cursor, at) => constraint(cursor, at, true, true),
  attribute: (cursor, at) => named(cursor, at, 'attribute'),
  attribute_role: (cursor, at) => named(cursor, at, 'attribute_role'),
  policycap: (cursor, at) => named(cursor, at, 'policycap'),
  permissive: (cursor, at) => named(cursor, at, 'permissive'),
  expandattribute: (cursor, at) => {
    const names = cursor.nameSet();
    const value = truth(cursor);
    cursor.expect(';');
    return { kind: 'expandattribute', at, names, value };
  },
  type: (cursor, at) => {
    const name = cursor.identifier('a name for the type');
    const aliases = cursor.aliases();
    const attributes = cursor.accept(',') ? cursor.commaList('an attribute') : undefined;
    cursor.expect(';', ['alias']);
    return { kind: 'type', at, name, aliases, attributes };
  },
  typealias: (cursor, at) => {
    const name = cursor.identifier('a type');
    const aliases = cursor.aliases() ?? cursor.fail('`alias`', ['alias']);
    cursor.expect(';');
    return { kind: 'typealias', at, name, aliases };
  },
  typeattribute: (cursor, at) => membership(cursor, at, 'typeattribute'),
  typebounds: (cursor, at) => membership(cursor, at, 'typebounds'),
  roleattribute: (cursor, at) => membership(cursor, at, 'roleattribute'),
  bool: (cursor, at) => booleanStatement(cursor, at, 'bool'),
  tunable: (cursor, at) => booleanStatement(cursor, at, 'tunable'),
  type_transition: (cursor, at) => typeRule(cursor, at, 'type_transition'),
  type_member: (cursor, at) => typeRule(cursor, at, 'type_member'),
  type_change: (cursor, at) => typeRule(cursor, at, 'type_change'),
  range_transition: rangeTransition,
  role: roleStatement,
  role_transition: roleTransition,
  if: (cursor, at) => {
    const first = cursor.at;
    const condition = conditionExpression(cursor);
    const whenTrue = conditionalBlock(cursor);
    const whenFalse = cursor.accept('else') ? conditionalBlock(cursor) : [];
    // XEN: of a block without rules the condition is dropped, however deep it is.
    if ([...whenTrue, ...whenFalse].some(({ kind }) => kind !== 'require'))
      checkConditionDepth(cursor, condition, first);
    return { kind: 'if', at, condition, whenTrue, whenFalse };
  },
  optional: (cursor, at) => {
    const body = block(cursor);
    return { kind: 'optional', at, body, otherwise: cursor.accept('else') ? block(cursor) : [] };
  },
  require: requireBlock,
  user: userStatement,
  pirqcon: (cursor, at) => deviceContext(cursor, at, 'pirqcon'),
  pcidevicecon: (cursor, at) => deviceContext(cursor, at, 'pcidevicecon'),
  iomemcon: (cursor, at) => deviceContext(cursor, at, 'iomemcon'),
  ioportcon: (cursor, at) => deviceContext(cursor, at, 'ioportcon'),
  devicetreecon: (cursor, at) => {
    cursor.form = 'a path begins with `/`';
    if (cursor.kind() !== TokenKind.path && cursor.kind() !== TokenKind.quotedPath) cursor.fail('a path');
    const path = cursor.at++;
    return { kind: 'devicetreecon', at, path, context: context(cursor) };
  },
  ';': (_, at) => ({ kind: 'empty', at }),
};

function booleanStatement(cursor: Cursor, at: Token, kind: 'bool' | 'tunable'): Statement {
  const name = cursor.identifier('a name for the boolean');
  const value = truth(cursor);
  cursor.expect(';');
  return { kind, at, name, value };
}

const FOREIGN_STATEMENTS: ReadonlySet<string> = new Set([
  'allowxperm',
  'auditallowxperm',
  'dontauditxperm',
  'neverallowxperm',
  'fscon',
  'ibpkeycon',
  'ibendportcon',
  'portcon',
  'netifcon',
  'nodecon',
  'fs_use_xattr',
  'fs_use_task',
  'fs_use_trans',
  'genfscon',
  'module',
  'clone',
]);

/** Words that begin a statement. */
export const STATEMENT_WORDS: ReadonlySet<string> = new Set([
  ...Object.keys(STATEMENTS),
  ...AV_RULES,
  ...FOREIGN_STATEMENTS,
]);

/** Parses one statement. Throws `SyntaxFault` after reporting where it is malformed. */
export function parseStatement(cursor: Cursor): Statement {
  const at = cursor.begin();
  const word = cursor.word();
  if (AV_RULES.has(word)) {
    cursor.at++;
    // The set above is the set of `AvRuleKind`.
    return avRule(cursor, at, word as AvRuleKind);
  }
  if (word !== '' && Object.hasOwn(STATEMENTS, word)) {
    const parse = STATEMENTS[word];
    cursor.at++;
    if (parse !== undefined) return parse(cursor, at);
  }
  if (FOREIGN_STATEMENTS.has(word)) {
    cursor.report(language['not-for-xen'](originOf(cursor.tokens, at), { statement: word }));
    throw new SyntaxFault();
  }
  if (cursor.kind() === TokenKind.identifier && cursor.word(1) === '(') cursor.failOnMacro();
  if (cursor.kind() === TokenKind.identifier) cursor.failOnStatement();
  return cursor.fail('a statement', cursor.kind() === TokenKind.keyword ? [...STATEMENT_WORDS] : []);
}
