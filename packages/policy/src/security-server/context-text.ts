/**
 * Contexts as text, and whether they are valid.
 *
 * Follows: Xen `xen/xsm/flask/ss/services.c` (`security_context_to_sid`, `context_struct_to_string`), `policydb.c`
 * (`policydb_context_isvalid`), `mls.c`.
 *
 * @module
 */
import {
  type Context,
  Ebitmap,
  type MlsLevel,
  type MlsRange,
  OBJECT_R,
  type PolicyDb,
  type SymbolTable,
} from '../policydb/index.ts';
import { nearestName } from '../text/index.ts';
import { word } from './checked-element.ts';
import { levelDominates, levelsEqual } from './constraints.ts';

/** The first part of a context that is wrong. */
export interface ContextFault {
  readonly part: 'form' | 'user' | 'role' | 'type' | 'range';
  /** One clause, lower case. */
  readonly message: string;
  /** A name that may have been meant instead. */
  readonly suggestion: string | undefined;
}

/** Names by number, for printing. */
export interface ContextNames {
  readonly users: readonly (string | undefined)[];
  readonly roles: readonly (string | undefined)[];
  readonly types: readonly (string | undefined)[];
  readonly sensitivities: readonly (string | undefined)[];
  readonly categories: readonly (string | undefined)[];
}

/** XEN: safe_copy_string_from_guest() takes no more than a page. */
const CONTEXT_LIMIT = 4096;
const NO_LEVEL: MlsLevel = { sensitivity: 0, categories: Ebitmap.empty };

export function contextNames(policy: PolicyDb): ContextNames {
  const byValue = (entries: readonly { readonly name: string; readonly value: number }[]): (string | undefined)[] => {
    const names: (string | undefined)[] = [];
    for (const { name, value } of entries) names[value] = name;
    return names;
  };
  return {
    users: byValue(policy.users.entries),
    roles: byValue(policy.roles.entries),
    types: byValue(policy.types.entries.filter(({ kind }) => kind !== 'alias')),
    sensitivities: byValue(
      policy.sensitivities.entries
        .filter(({ isAlias }) => !isAlias)
        .map(({ name, level }) => ({ name, value: level.sensitivity })),
    ),
    categories: byValue(policy.categories.entries.filter(({ isAlias }) => !isAlias)),
  };
}

/** The name of a value; in a damaged binary a value may have none, and stands for itself. */
export function nameOf(names: readonly (string | undefined)[], value: number): string {
  return names[value] ?? String(value);
}

/** A level as Xen prints it. */
export function levelText(level: MlsLevel, names: ContextNames): string {
  const { bits } = level.categories;
  const parts: string[] = [];
  for (let i = 0; i < bits.length; ) {
    let end = i;
    while (end + 1 < bits.length && word(bits, end + 1) === word(bits, end) + 1) end++;
    const first = nameOf(names.categories, word(bits, i) + 1);
    const last = nameOf(names.categories, word(bits, end) + 1);
    if (end === i) parts.push(first);
    else parts.push(end === i + 1 ? `${first},${last}` : `${first}.${last}`);
    i = end + 1;
  }
  const sensitivity = nameOf(names.sensitivities, level.sensitivity);
  return parts.length === 0 ? sensitivity : `${sensitivity}:${parts.join(',')}`;
}

/** A context as Xen prints it. */
export function contextText(context: Context, names: ContextNames, isMls: boolean): string {
  const [user, role] = [nameOf(names.users, context.user), nameOf(names.roles, context.role)];
  const head = `${user}:${role}:${nameOf(names.types, context.type)}`;
  if (!isMls) return head;
  const { low, high } = context.range;
  const range = levelsEqual(low, high) ? levelText(low, names) : `${levelText(low, names)}-${levelText(high, names)}`;
  return `${head}:${range}`;
}

function unknown(
  part: 'user' | 'role' | 'type',
  name: string,
  table: SymbolTable<{ readonly name: string }>,
): ContextFault {
  return { part, message: `the policy has no ${part} \`${name}\``, suggestion: nearestName(name, table.byName.keys()) };
}

/** A stretch of a text up to the first of some separators, or to the end as C sees it: a NUL ends it too. */
interface Field {
  readonly text: string;
  /** Empty at the end. */
  readonly separator: string;
  /** Where the text goes on. */
  readonly next: number;
}

function field(text: string, from: number, separators: string): Field {
  let at = from;
  while (at < text.length && text.charAt(at) !== '\0' && !separators.includes(text.charAt(at))) at++;
  const found = text.charAt(at);
  const separator = found === '\0' ? '' : found;
  return { text: text.slice(from, at), separator, next: at + separator.length };
}

function readCategories(item: string, policy: PolicyDb): number[] | ContextFault {
  const dot = item.indexOf('.');
  const first = dot < 0 ? item : item.slice(0, dot);
  const last = dot < 0 ? first : item.slice(dot + 1);
  const low = policy.categories.byName.get(first);
  const high = policy.categories.byName.get(last);
  if (low === undefined || high === undefined) {
    const missing = low === undefined ? first : last;
    const suggestion = nearestName(missing, policy.categories.byName.keys());
    return { part: 'range', message: `the policy has no category \`${missing}\``, suggestion };
  }
  if (dot >= 0 && low.value >= high.value) {
    return { part: 'range', message: `the categories \`${item}\` end before they begin`, suggestion: undefined };
  }
  return Array.from({ length: high.value - low.value + 1 }, (_, i) => low.value - 1 + i);
}

/**
 * Reads a range from `start` on; `used` is how much of the text Xen has then looked at.
 *
 * XEN: mls_context_to_sid() ends a high category list at `-` and passes over what follows up to a `:`. We do the same.
 */
function readRangeText(
  text: string,
  start: number,
  policy: PolicyDb,
): { range: MlsRange; used: number } | ContextFault {
  const levels: MlsLevel[] = [];
  let part = field(text, start, ':-');
  for (;;) {
    const sensitivity = policy.sensitivities.byName.get(part.text);
    if (sensitivity === undefined) {
      const suggestion = nearestName(part.text, policy.sensitivities.byName.keys());
      return { part: 'range', message: `the policy has no sensitivity \`${part.text}\``, suggestion };
    }
    const bits: number[] = [];
    for (let list = part.separator === ':'; list; list = part.separator === ',') {
      part = field(text, part.next, ',-');
      const categories = readCategories(part.text, policy);
      if ('part' in categories) return categories;
      for (const bit of categories) bits.push(bit);
    }
    const level = { sensitivity: sensitivity.level.sensitivity, categories: Ebitmap.of(bits) };
    levels.push(level);
    if (part.separator === '-') part = field(text, part.next, ':');
    else if (levels.length === 1) return { range: { low: level, high: level }, used: part.next + 1 };
    const [low, high] = levels;
    if (low !== undefined && high !== undefined) return { range: { low, high }, used: part.next + 1 };
  }
}

/** Why a context is not valid; undefined where it is. */
export function contextFault(context: Context, policy: PolicyDb, lookup: ContextLookup): ContextFault | undefined {
  const user = lookup.users[context.user];
  const role = lookup.roles[context.role];
  const type = lookup.types[context.type];
  if (user === undefined || role === undefined || type === undefined) {
    return { part: 'form', message: 'a number in the context names nothing', suggestion: undefined };
  }
  const isObject = role.value === OBJECT_R;
  if (!isObject && !role.types.has(context.type - 1)) {
    return { part: 'type', message: `role \`${role.name}\` may not have type \`${type.name}\``, suggestion: undefined };
  }
  if (!isObject && !user.roles.has(context.role - 1)) {
    return { part: 'role', message: `user \`${user.name}\` may not have role \`${role.name}\``, suggestion: undefined };
  }
  if (!policy.isMls) return undefined;
  const fault = rangeFault(context.range, lookup);
  if (fault !== undefined || isObject) return fault;
  const { low, high } = context.range;
  if (levelDominates(low, user.range.low) && levelDominates(user.range.high, high)) return undefined;
  return { part: 'range', message: `the range is outside the range of user \`${user.name}\``, suggestion: undefined };
}

/** Why a range is not valid in itself; undefined where it is. */
export function rangeFault({ low, high }: MlsRange, { sensitivities }: ContextLookup): ContextFault | undefined {
  const fault = (message: string): ContextFault => ({ part: 'range', message, suggestion: undefined });
  if (!levelDominates(high, low)) return fault('the high level of the range does not dominate its low level');
  for (const level of [low, high]) {
    const known = sensitivities[level.sensitivity];
    if (known === undefined) return fault('the range has a sensitivity that the policy does not know');
    if (!level.categories.isSubsetOf(known.level.categories)) {
      return fault(`the range has a category that sensitivity \`${known.name}\` does not have`);
    }
  }
  return undefined;
}

/** Symbols by value. */
export interface ContextLookup {
  readonly users: readonly (PolicyDb['users']['entries'][number] | undefined)[];
  readonly roles: readonly (PolicyDb['roles']['entries'][number] | undefined)[];
  /** Types and attributes; aliases have the value of their type. */
  readonly types: readonly (PolicyDb['types']['entries'][number] | undefined)[];
  /** By the number that levels hold. */
  readonly sensitivities: readonly (PolicyDb['sensitivities']['entries'][number] | undefined)[];
}

/** The symbols of a policy by value. */
export function contextLookup(policy: PolicyDb): ContextLookup {
  const byValue = <T extends { readonly value: number }>(entries: readonly T[]): (T | undefined)[] => {
    const found: (T | undefined)[] = [];
    for (const entry of entries) found[entry.value] = entry;
    return found;
  };
  const sensitivities: ContextLookup['sensitivities'][number][] = [];
  for (const entry of policy.sensitivities.entries) {
    if (!entry.isAlias) sensitivities[entry.level.sensitivity] = entry;
  }
  return {
    users: byValue(policy.users.entries),
    roles: byValue(policy.roles.entries),
    types: byValue(policy.types.entries.filter(({ kind }) => kind !== 'alias')),
    sensitivities,
  };
}

/** Reads `user:role:type[:range]`; the fault is the first part that is wrong. */
export function parseContext(text: string, policy: PolicyDb, lookup: ContextLookup): Context | ContextFault {
  const context = readContext(text, policy);
  return 'part' in context ? context : (contextFault(context, policy, lookup) ?? context);
}

/** Reads the names of a context. They may not go together: the role may not have the type, say. */
export function readContext(text: string, policy: PolicyDb): Context | ContextFault {
  if (text.length > CONTEXT_LIMIT) {
    return { part: 'form', message: `the context is longer than ${CONTEXT_LIMIT} bytes`, suggestion: undefined };
  }
  const userField = field(text, 0, ':');
  const roleField = field(text, userField.next, ':');
  if (userField.separator === '' || roleField.separator === '') {
    const form = policy.isMls ? 'user:role:type:range' : 'user:role:type';
    return { part: 'form', message: `\`${text}\` has not the form ${form}`, suggestion: undefined };
  }
  const typeField = field(text, roleField.next, ':');
  const userName = userField.text;
  const roleName = roleField.text;
  const typeName = typeField.text;
  const user = policy.users.byName.get(userName);
  if (user === undefined) return unknown('user', userName, policy.users);
  const role = policy.roles.byName.get(roleName);
  if (role === undefined) return unknown('role', roleName, policy.roles);
  const type = policy.types.byName.get(typeName);
  if (type === undefined) return unknown('type', typeName, policy.types);
  if (type.kind === 'attribute') {
    return {
      part: 'type',
      message: `\`${typeName}\` is an attribute, and no domain can have it as its type`,
      suggestion: undefined,
    };
  }
  const read = readRangePart(text, typeField, policy);
  if ('part' in read) return read;
  return { user: user.value, role: role.value, type: type.value, range: read.range };
}

function readRangePart(text: string, { separator, next }: Field, policy: PolicyDb): { range: MlsRange } | ContextFault {
  const fault = (message: string): ContextFault => ({ part: 'range', message, suggestion: undefined });
  if (!policy.isMls) {
    // XEN: security_context_to_sid() takes a lone `:` (or NUL) after the type: it counts what it has passed over.
    const passed = separator === '' ? next + 1 : next;
    if (passed < text.length) return fault('the policy has no MLS, and the context has a range');
    return { range: { low: NO_LEVEL, high: NO_LEVEL } };
  }
  if (separator === '') return fault('a policy with MLS needs a range');
  const read = readRangeText(text, next, policy);
  if ('part' in read) return read;
  return read.used < text.length ? fault('the context goes on after its range') : read;
}

/** A context of another policy in this one's numbers, by names; undefined where a name is gone. It may not be valid. */
export function convertContext(context: Context, names: ContextNames, policy: PolicyDb): Context | undefined {
  const user = policy.users.byName.get(nameOf(names.users, context.user));
  const role = policy.roles.byName.get(nameOf(names.roles, context.role));
  const type = policy.types.byName.get(nameOf(names.types, context.type));
  const range = policy.isMls ? convertRange(context.range, names, policy) : context.range;
  if (user === undefined || role === undefined || type === undefined || range === undefined) return undefined;
  return { user: user.value, role: role.value, type: type.value, range };
}

function convertRange({ low, high }: MlsRange, names: ContextNames, policy: PolicyDb): MlsRange | undefined {
  const convert = ({ sensitivity, categories }: MlsLevel): MlsLevel | undefined => {
    const known = policy.sensitivities.byName.get(nameOf(names.sensitivities, sensitivity));
    if (known === undefined) return undefined;
    const bits: number[] = [];
    for (const bit of categories) {
      const category = policy.categories.byName.get(nameOf(names.categories, bit + 1));
      if (category === undefined) return undefined;
      bits.push(category.value - 1);
    }
    return { sensitivity: known.level.sensitivity, categories: Ebitmap.of(bits) };
  };
  const newLow = convert(low);
  const newHigh = convert(high);
  return newLow === undefined || newHigh === undefined ? undefined : { low: newLow, high: newHigh };
}
