/**
 * Rules as `sesearch` prints them: one line for each entry, names sorted.
 *
 * @module
 */
import {
  COND_AND,
  COND_BOOL,
  COND_EQ,
  COND_NEQ,
  COND_NOT,
  COND_OR,
  COND_XOR,
  type ConditionStep,
  type MlsLevel,
  type MlsRange,
  type PolicyDb,
  permissionsOf,
} from '../policydb/index.ts';

/** Names of a policy by number; a number without a name is shown as itself. */
export class RuleNames {
  readonly #policy: PolicyDb;
  readonly #types: ReadonlyMap<number, string>;
  readonly #classes: ReadonlyMap<number, string>;
  readonly #roles: ReadonlyMap<number, string>;
  readonly #booleans: ReadonlyMap<number, string>;
  readonly #attributes: ReadonlySet<number>;
  readonly #permissions = new Map<number, readonly (string | undefined)[]>();

  constructor(policy: PolicyDb) {
    const names = (symbols: readonly { readonly value: number; readonly name: string }[]): Map<number, string> =>
      new Map(symbols.map(({ value, name }) => [value, name]));
    this.#policy = policy;
    const types = policy.types.entries.filter(({ kind }) => kind !== 'alias');
    this.#types = names(types);
    this.#attributes = new Set(types.filter(({ kind }) => kind === 'attribute').map(({ value }) => value));
    this.#classes = names(policy.classes.entries);
    this.#roles = names(policy.roles.entries);
    this.#booleans = names(policy.booleans.entries);
  }

  /** The name of a type or an attribute. */
  type(value: number): string {
    return this.#types.get(value) ?? String(value);
  }

  /** Types and attributes by their values. */
  get types(): ReadonlyMap<number, string> {
    return this.#types;
  }

  /** Whether a value is that of an attribute. */
  isAttribute(value: number): boolean {
    return this.#attributes.has(value);
  }

  /** The name of a class. */
  class(value: number): string {
    return this.#classes.get(value) ?? String(value);
  }

  /** The name of a role. */
  role(value: number): string {
    return this.#roles.get(value) ?? String(value);
  }

  /** The name of a boolean. */
  boolean(value: number): string {
    return this.#booleans.get(value) ?? String(value);
  }

  /** The names of the bits that the class has, sorted. */
  permissions(tclass: number, bits: number): string[] {
    let all = this.#permissions.get(tclass);
    if (all === undefined) {
      const symbol = this.#policy.classes.entries.find(({ value }) => value === tclass);
      const found: (string | undefined)[] = [];
      for (const { name, value } of symbol === undefined ? [] : permissionsOf(this.#policy, symbol))
        found[value - 1] = name;
      all = found;
      this.#permissions.set(tclass, all);
    }
    return all.flatMap((name, bit) => (name !== undefined && ((bits >>> bit) & 1) === 1 ? [name] : [])).toSorted();
  }

  #level({ sensitivity, categories }: MlsLevel): string {
    const name = this.#policy.sensitivities.entries.find(
      ({ isAlias, level }) => !isAlias && level.sensitivity === sensitivity,
    );
    const category = (value: number): string =>
      this.#policy.categories.entries.find((one) => !one.isAlias && one.value === value)?.name ?? String(value);
    const items: string[] = [];
    const { bits } = categories;
    for (let i = 0; i < bits.length; ) {
      const low = bits[i] ?? 0;
      let end = i + 1;
      while (end < bits.length && bits[end] === low + (end - i)) end++;
      const separator = end - i > 2 ? '.' : ',';
      items.push(end - i === 1 ? category(low + 1) : `${category(low + 1)}${separator}${category(low + end - i)}`);
      i = end;
    }
    return `${name?.name ?? sensitivity}${items.length === 0 ? '' : `:${items.join(',')}`}`;
  }

  /** A range as `sesearch` prints it. */
  range({ low, high }: MlsRange): string {
    const isOne = low.sensitivity === high.sensitivity && low.categories.equals(high.categories);
    return isOne ? this.#level(low) : `${this.#level(low)} - ${this.#level(high)}`;
  }
}

/** Several names in braces, one as it is. */
export function braced(names: readonly string[]): string {
  return names.length === 1 ? (names[0] ?? '') : `{ ${names.join(' ')} }`;
}

const OPERATORS: Readonly<Record<number, readonly [text: string, precedence: number]>> = {
  [COND_NOT]: ['!', 5],
  [COND_OR]: ['||', 1],
  [COND_AND]: ['&&', 3],
  [COND_XOR]: ['^', 2],
  [COND_EQ]: ['==', 4],
  [COND_NEQ]: ['!=', 4],
};

/** More than the precedence of any operator. */
const NO_OPERATOR = 6;

/**
 * A condition in infix order, as `sesearch` shows it: the operand named last comes first, and parentheses go by the
 * operator before, so there are more than are needed.
 */
export function conditionLine(names: RuleNames, steps: readonly ConditionStep[]): string {
  const stack: string[] = [];
  let previous = NO_OPERATOR;
  for (const { operator, boolean } of steps) {
    if (operator === COND_BOOL) {
      stack.push(names.boolean(boolean));
      continue;
    }
    const [text, precedence] = OPERATORS[operator] ?? ['', 0];
    const last = stack.pop() ?? '';
    const isTighter = previous > precedence;
    if (operator === COND_NOT) stack.push(last.includes(' ') ? `${text} ( ${last} )` : `${text} ${last}`);
    else {
      const joined = `${last} ${text} ${stack.pop() ?? ''}`;
      stack.push(isTighter ? joined : `( ${joined} )`);
    }
    previous = precedence;
  }
  return stack.at(-1) ?? '';
}
