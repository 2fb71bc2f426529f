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
  type PolicyDb,
  type SymbolTable,
} from '../policydb/index.ts';
import { nearestName } from '../text/index.ts';
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
    types: byValue(policy.types.entries.filter(({ kind }) => kind === 'type')),
    sensitivities: byValue(
      policy.sensitivities.entries
        .filter(({ isAlias }) => !isAlias)
        .map(({ name, level }) => ({ name, value: level.sensitivity })),
    ),
    categories: byValue(policy.categories.entries.filter(({ isAlias }) => !isAlias)),
  };
}

function levelText(level: MlsLevel, names: ContextNames): string {
  const { bits } = level.categories;
  const parts: string[] = [];
  for (let i = 0; i < bits.length; ) {
    let end = i;
    while (end + 1 < bits.length && bits[end + 1] === (bits[end] ?? 0) + 1) end++;
    const first = names.categories[(bits[i] ?? 0) + 1] ?? '';
    const last = names.categories[(bits[end] ?? 0) + 1] ?? '';
    if (end === i) parts.push(first);
    else parts.push(end === i + 1 ? `${first},${last}` : `${first}.${last}`);
    i = end + 1;
  }
  const sensitivity = names.sensitivities[level.sensitivity] ?? '';
  return parts.length === 0 ? sensitivity : `${sensitivity}:${parts.join(',')}`;
}

/** A context as Xen prints it. */
export function contextText(context: Context, names: ContextNames, isMls: boolean): string {
  const head = `${names.users[context.user] ?? ''}:${names.roles[context.role] ?? ''}:${names.types[context.type] ?? ''}`;
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

function readLevelText(text: string, policy: PolicyDb): MlsLevel | ContextFault {
  const [name = '', list] = splitOnce(text, ':');
  const sensitivity = policy.sensitivities.byName.get(name);
  if (sensitivity === undefined) {
    const suggestion = nearestName(name, policy.sensitivities.byName.keys());
    return { part: 'range', message: `the policy has no sensitivity \`${name}\``, suggestion };
  }
  const bits: number[] = [];
  for (const item of list === undefined ? [] : list.split(',')) {
    const [first = '', last] = splitOnce(item, '.');
    const low = policy.categories.byName.get(first);
    const high = last === undefined ? low : policy.categories.byName.get(last);
    if (low === undefined || high === undefined) {
      const missing = low === undefined ? first : (last ?? '');
      const suggestion = nearestName(missing, policy.categories.byName.keys());
      return { part: 'range', message: `the policy has no category \`${missing}\``, suggestion };
    }
    if (last !== undefined && low.value >= high.value) {
      return { part: 'range', message: `the categories \`${item}\` end before they begin`, suggestion: undefined };
    }
    for (let value = low.value; value <= high.value; value++) bits.push(value - 1);
  }
  return { sensitivity: sensitivity.level.sensitivity, categories: Ebitmap.of(bits) };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function readRangeText(text: string, policy: PolicyDb): MlsRange | ContextFault {
  const [lowText, highText] = splitOnce(text, '-');
  const low = readLevelText(lowText, policy);
  if ('part' in low) return low;
  const high = highText === undefined ? low : readLevelText(highText, policy);
  return 'part' in high ? high : { low, high };
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
  return policy.isMls ? rangeFault(context, policy, lookup, isObject) : undefined;
}

function rangeFault(
  context: Context,
  policy: PolicyDb,
  lookup: ContextLookup,
  isObject: boolean,
): ContextFault | undefined {
  const { low, high } = context.range;
  const fault = (message: string): ContextFault => ({ part: 'range', message, suggestion: undefined });
  if (!levelDominates(high, low)) return fault('the high level of the range does not dominate its low level');
  for (const level of [low, high]) {
    const known = policy.sensitivities.entries.find(
      ({ isAlias, level: own }) => !isAlias && own.sensitivity === level.sensitivity,
    );
    if (known === undefined) return fault('the range has a sensitivity that the policy does not know');
    if (!level.categories.isSubsetOf(known.level.categories)) {
      return fault(`the range has a category that sensitivity \`${known.name}\` does not have`);
    }
  }
  const user = lookup.users[context.user];
  if (isObject || user === undefined) return undefined;
  if (levelDominates(low, user.range.low) && levelDominates(user.range.high, high)) return undefined;
  return fault(`the range is outside the range of user \`${user.name}\``);
}

const OBJECT_R = 1;

/** Symbols by value. */
export interface ContextLookup {
  readonly users: readonly (PolicyDb['users']['entries'][number] | undefined)[];
  readonly roles: readonly (PolicyDb['roles']['entries'][number] | undefined)[];
  readonly types: readonly (PolicyDb['types']['entries'][number] | undefined)[];
}

export function contextLookup(policy: PolicyDb): ContextLookup {
  const byValue = <T extends { readonly value: number }>(entries: readonly T[]): (T | undefined)[] => {
    const found: (T | undefined)[] = [];
    for (const entry of entries) found[entry.value] = entry;
    return found;
  };
  return {
    users: byValue(policy.users.entries),
    roles: byValue(policy.roles.entries),
    types: byValue(policy.types.entries.filter(({ kind }) => kind === 'type')),
  };
}

/** Reads `user:role:type[:range]`; the fault is the first part that is wrong. */
export function parseContext(text: string, policy: PolicyDb, lookup: ContextLookup): Context | ContextFault {
  const [userName = '', roleName, typeName, ...rest] = text.split(':');
  if (roleName === undefined || typeName === undefined) {
    const form = policy.isMls ? 'user:role:type:range' : 'user:role:type';
    return { part: 'form', message: `\`${text}\` has not the form ${form}`, suggestion: undefined };
  }
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
  if (policy.isMls === (rest.length === 0)) {
    const message = policy.isMls
      ? 'a policy with MLS needs a range'
      : 'the policy has no MLS, and the context has a range';
    return { part: 'range', message, suggestion: undefined };
  }
  const range = policy.isMls ? readRangeText(rest.join(':'), policy) : { low: NO_LEVEL, high: NO_LEVEL };
  if ('part' in range) return range;
  const context: Context = { user: user.value, role: role.value, type: type.value, range };
  return contextFault(context, policy, lookup) ?? context;
}
