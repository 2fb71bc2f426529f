/**
 * Types, attributes, aliases and their bounds as text.
 *
 * @module
 */
import { type ConstraintStep, Ebitmap, type PolicyDb, type TypeSymbol } from '../policydb/index.ts';
import { wrap } from './layout.ts';
import type { Names } from './names.ts';
import { checkTypeNumbers } from './numbering.ts';

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** Members of attributes by value; and the attributes that were expanded, of which the binary keeps no members. */
export interface Membership {
  readonly members: ReadonlyMap<number, Ebitmap>;
  readonly attributesOf: ReadonlyMap<number, readonly number[]>;
  readonly expanded: ReadonlySet<number>;
}

/** Every step of a constraint that compares with names. */
function namesSteps(policy: PolicyDb): Extract<ConstraintStep, { kind: 'names' }>[] {
  return policy.classes.entries
    .flatMap(({ constraints, validateTransitions }) => [...constraints, ...validateTransitions])
    .flatMap(({ expression }) => expression)
    .filter((step) => step.kind === 'names');
}

/**
 * Members that an expanded attribute may have had: those common to all constraints that name it. Constraints keep both
 * the names as written and what they stood for.
 */
function membersFromConstraints(policy: PolicyDb, attribute: number): Ebitmap {
  let common: Set<number> | undefined;
  for (const { names, written } of namesSteps(policy)) {
    if (!written.has(attribute - 1)) continue;
    const here: Set<number> = common ?? new Set(names.bits);
    common = new Set([...here].filter((bit) => names.has(bit)));
  }
  return Ebitmap.of(common ?? []);
}

/**
 * Reads the map of types and attributes. `guesses`: an attribute that was expanded gets the members that it may have had,
 * so that text which names it compiles to the same; without, it has none, as in the binary.
 */
export function readMembership(policy: PolicyDb, names: Names, guesses = true): Membership {
  const expanded = new Set<number>();
  const attributesOf = new Map<number, number[]>();
  const bits = new Map<number, number[]>();
  for (const [value, { kind }] of names.types) if (kind === 'attribute') bits.set(value, []);
  policy.typeAttributeMap.forEach((map, i) => {
    const value = i + 1;
    if (names.isAttribute(value)) {
      if (map.size === 0) expanded.add(value);
      else if (map.size !== 1 || !map.has(i))
        names.lost(`attribute \`${names.type(value)}\` is a member of attributes`);
      return;
    }
    if (!map.has(i)) names.lost(`type \`${names.type(value)}\` is not in the map of itself`);
    const attributes: number[] = [];
    for (const bit of map.bits) {
      if (bit === i) continue;
      if (!names.isAttribute(bit + 1)) names.lost(`type \`${names.type(value)}\` is a member of a type`);
      attributes.push(bit + 1);
      bits.get(bit + 1)?.push(i);
    }
    attributesOf.set(value, attributes);
  });
  const members = new Map([...bits].map(([value, list]) => [value, Ebitmap.of(list)]));
  for (const attribute of expanded) {
    if ((members.get(attribute)?.size ?? 0) > 0)
      names.lost(`attribute \`${names.type(attribute)}\` has members and no place in its own map`);
    if (!guesses) continue;
    const found = membersFromConstraints(policy, attribute);
    members.set(attribute, found);
    for (const bit of found.bits) attributesOf.get(bit + 1)?.push(attribute);
  }
  return { members, attributesOf, expanded };
}

function parentOf(name: string): string | undefined {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? undefined : name.slice(0, dot);
}

/** `typebounds` statements, for bounds that do not follow from dots in names. */
function boundsText(policy: PolicyDb, names: Names): string[] {
  const children = new Map<number, string[]>();
  const wrong = (symbol: TypeSymbol): void => names.lost(`the bounds of type \`${symbol.name}\``);
  for (const symbol of policy.types.entries) {
    const primary = names.types.get(symbol.value);
    const parent = parentOf(symbol.kind === 'alias' ? (primary?.name ?? '') : symbol.name);
    const implied = parent === undefined ? undefined : policy.types.byName.get(parent);
    if (parent !== undefined && implied === undefined) wrong(symbol);
    if (symbol.bounds === (implied?.value ?? 0)) continue;
    if (symbol.kind !== 'type' || parent !== undefined || names.types.get(symbol.bounds)?.kind !== 'type')
      wrong(symbol);
    else children.set(symbol.bounds, [...(children.get(symbol.bounds) ?? []), symbol.name]);
  }
  return [...children]
    .map(([value, list]) => wrap(`typebounds ${names.type(value)} ${list.toSorted().join(', ')};`))
    .toSorted();
}

/** Declarations of attributes and types. */
export function typeText(
  policy: PolicyDb,
  names: Names,
  { attributesOf, expanded }: Membership,
): { attributes: string[]; types: string[]; bounds: string[] } {
  checkTypeNumbers(policy, names);
  const { entries } = policy.types;
  names.checkNames(
    'a type',
    entries.filter(({ kind }) => kind === 'type'),
  );
  names.checkNames(
    'an attribute',
    entries.filter(({ kind }) => kind === 'attribute'),
  );
  names.checkNames(
    'an alias',
    entries.filter(({ kind }) => kind === 'alias'),
    false,
  );
  const self = policy.types.byName.get('self');
  if (self !== undefined && self.kind !== 'alias') names.lost('a type is called `self`');
  const aliases = new Map<number, string[]>();
  for (const { kind, name, value } of entries) {
    if (kind !== 'alias') continue;
    if (names.types.get(value)?.kind !== 'type') names.lost(`\`${name}\` is another name of what is no type`);
    aliases.set(value, [...(aliases.get(value) ?? []), name]);
  }
  const declare = ({ name, value }: TypeSymbol): string => {
    const others = aliases.get(value)?.toSorted() ?? [];
    const alias = others.length === 0 ? '' : ` alias ${others.length === 1 ? others[0] : `{ ${others.join(' ')} }`}`;
    const attributes = (attributesOf.get(value) ?? []).map((one) => names.type(one)).toSorted();
    return wrap(`type ${name}${alias}${attributes.map((one) => `, ${one}`).join('')};`);
  };
  const attributes = entries.filter(({ kind }) => kind === 'attribute').toSorted(byName);
  return {
    attributes: attributes.flatMap(({ name, value }) => [
      `attribute ${name};`,
      ...(expanded.has(value) ? [`expandattribute ${name} true;`] : []),
    ]),
    types: entries
      .filter(({ kind }) => kind === 'type')
      .toSorted(byName)
      .map(declare),
    bounds: boundsText(policy, names),
  };
}

/** `permissive` statements. */
export function permissiveText(policy: PolicyDb, names: Names): string[] {
  return [...policy.permissive.bits].map((value) => {
    if (names.types.get(value)?.kind !== 'type') names.lost(`number ${value} of the permissive types is no type`);
    return `permissive ${names.type(value)};`;
  });
}
