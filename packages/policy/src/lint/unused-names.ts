/**
 * Names that are declared and never used. Users are not among them: guests are given to them by their configurations.
 *
 * @module
 */
import { declarationStart } from '../analysis/index.ts';
import { ruleOrigin } from '../compiler/index.ts';
import { type Subject, writtenPolicy } from '../explain/index.ts';
import {
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  CEXPR_TYPE,
  COND_BOOL,
  type Context,
  type PolicyDb,
} from '../policydb/index.ts';
import type { Report } from '../text/index.ts';
import { lint } from './diagnostics.ts';
import { ruleTables } from './rights.ts';

const TYPE_RULES = AVTAB_TRANSITION | AVTAB_MEMBER | AVTAB_CHANGE;
/** The part of a policy directory that only MLS has. */
const MLS_FILE = 'policy/mls';
const OBJECT_R = 'object_r';

/** The contexts that a policy gives out itself. */
function policyContexts({ objectContexts }: PolicyDb): Context[] {
  return Object.values(objectContexts).flatMap((list: readonly { readonly context: Context }[]) =>
    list.map(({ context }) => context),
  );
}

/** The types that a rule, a constraint, a bound or a label means, by themselves or through an attribute. */
function usedTypes(policy: PolicyDb): Set<number> {
  const used = new Set(policyContexts(policy).map(({ type }) => type));
  const add = (values: Iterable<number>): void => {
    for (const value of values) used.add(value);
  };
  for (const { length, kind, source, target, data } of ruleTables(policy)) {
    for (let row = 0; row < length; row++) {
      add(policy.typeSets.members(source[row] ?? 0));
      add(policy.typeSets.members(target[row] ?? 0));
      if (((kind[row] ?? 0) & TYPE_RULES) !== 0) used.add(data[row] ?? 0);
    }
  }
  for (const { source, target, result } of policy.filenameTransitions) add([source, target, result]);
  for (const { source, target } of policy.rangeTransitions) add([source, target]);
  for (const { type } of policy.roleTransitions) used.add(type);
  for (const { bounds, value } of policy.types.entries) if (bounds !== 0) add([bounds, value]);
  for (const { constraints, validateTransitions } of policy.classes.entries)
    for (const { expression } of [...constraints, ...validateTransitions])
      for (const step of expression)
        if (step.kind === 'names' && (step.attribute & CEXPR_TYPE) !== 0)
          for (const bit of step.names) used.add(bit + 1);
  return used;
}

/** The words of a text's statements, but for those that only declare types and attributes. */
function wordsOfUse(text: string): Set<string> {
  const words = new Set<string>();
  for (const statement of text.replaceAll(/#[^\n]*/g, '').split(';')) {
    // What a `}` ends before a declaration has no `;`.
    const declared = statement.slice(statement.lastIndexOf('}') + 1);
    const isDeclaration = /^\s*(?:type|typeattribute|attribute|typealias)\s/.test(declared);
    const own = isDeclaration ? statement.slice(0, statement.length - declared.length) : statement;
    for (const [word] of own.matchAll(/[A-Za-z][\w.-]*/g)) words.add(word);
  }
  return words;
}

/** Types, attributes, roles and booleans that nothing uses. */
export function lintUnusedNames(subject: Subject, report: Report): void {
  const policy = writtenPolicy(subject);
  const { source } = subject;
  const say = (what: string, kind: string, name: string): void => {
    const start = source && declarationStart(source.compiled.text.text, kind, name);
    const origin = source === undefined || start === undefined ? undefined : ruleOrigin(source.compiled, start);
    report(lint.unused(origin, { what, name }));
  };
  const types = usedTypes(policy);
  const words = source === undefined ? undefined : wordsOfUse(source.compiled.text.text);
  // A policy that is compiled without MLS has words that are of use with it.
  for (const word of wordsOfUse(source?.files?.readText(MLS_FILE) ?? '')) words?.add(word);
  for (const { name, kind, value } of policy.types.entries) {
    if (kind === 'type' && !types.has(value)) say('type', 'type', name);
    // The attributes of a binary have no other use than what its rules say.
    if (kind === 'attribute' && words !== undefined && !words.has(name)) say('attribute', 'attribute', name);
  }
  const roles = new Set(policyContexts(policy).map(({ role }) => role));
  for (const { roles: own } of policy.users.entries) for (const bit of own) roles.add(bit + 1);
  for (const { name, value } of policy.roles.entries)
    if (name !== OBJECT_R && !roles.has(value)) say('role', 'role', name);
  const booleans = new Set(
    policy.conditionals.flatMap(({ expression }) =>
      expression.flatMap((step) => (step.operator === COND_BOOL ? [step.boolean] : [])),
    ),
  );
  for (const { name, value } of policy.booleans.entries) if (!booleans.has(value)) say('boolean', 'boolean', name);
}
