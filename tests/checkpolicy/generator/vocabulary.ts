/**
 * The names of a generated policy: what it declares, and what sets may be made of.
 *
 * @module
 */
import type { Choices } from './choices.ts';

/** A class and its permissions, those of its common included. */
export interface ClassNames {
  readonly name: string;
  readonly common: string | undefined;
  readonly own: readonly string[];
  readonly permissions: readonly string[];
}

/** Everything that a generated policy names. */
export interface Vocabulary {
  readonly commons: readonly { readonly name: string; readonly permissions: readonly string[] }[];
  readonly classes: readonly ClassNames[];
  readonly sids: readonly string[];
  readonly types: readonly string[];
  readonly attributes: readonly string[];
  /** Other names of types, with the type that each names. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly roles: readonly string[];
  readonly roleAttributes: readonly string[];
  readonly users: readonly string[];
  readonly booleans: readonly string[];
  readonly tunables: readonly string[];
  /** Lowest first. */
  readonly sensitivities: readonly string[];
  readonly categories: readonly string[];
}

/** Names that look like something else to a reader that is not exact. */
const TREACHEROUS = ['bad', 'aa', 'fe80', 'Allow', 'TYPE_', 'e', 'cafe', 'self_', 'x-1', 'Not', 'process'];

/** Makes names of one kind; no two are equal. */
class NameMaker {
  readonly #choices: Choices;
  readonly #used = new Set<string>();

  constructor(choices: Choices) {
    this.#choices = choices;
  }

  #one(prefix: string, index: number, style: number): string {
    const choices = this.#choices;
    if (style === 0) return `${prefix}${index}`;
    if (style === 1) return `${prefix}_${index}_t`;
    const letters = Array.from({ length: choices.between(1, 7) }, () => choices.pick([...'abcxyzXYZ019_-']));
    return `${prefix}${letters.join('')}q`;
  }

  make(prefix: string, count: number): string[] {
    const style = this.#choices.below(3);
    return Array.from({ length: count }, (_, first) => {
      for (let index = first; ; index++) {
        const name =
          this.#choices.once(150) && prefix.length === 2
            ? this.#choices.pick(TREACHEROUS)
            : this.#one(prefix, index, style);
        if (this.#used.has(`${prefix}|${name}`)) continue;
        this.#used.add(`${prefix}|${name}`);
        return name;
      }
    });
  }
}

/** How large a policy is to be. */
interface Scale {
  readonly isBig: boolean;
  readonly isMls: boolean;
}

function makeClasses(choices: Choices, names: NameMaker, isBig: boolean): Pick<Vocabulary, 'commons' | 'classes'> {
  const commons = names.make('com', choices.pick([0, 0, 1, 2, 5])).map((name) => ({
    name,
    permissions: names.make('cp', choices.between(1, 12)),
  }));
  const classNames = names.make('class', isBig ? choices.between(30, 70) : choices.between(1, 6));
  if (choices.chance(50)) classNames[0] = 'process';
  if (classNames.length > 1 && choices.chance(50)) classNames[1] = 'domain';
  const classes = classNames.map((name): ClassNames => {
    if (choices.chance(5) && name !== 'process' && name !== 'domain') {
      return { name, common: undefined, own: [], permissions: [] };
    }
    const common = commons.length > 0 && choices.chance(40) ? choices.pick(commons) : undefined;
    const room = 32 - (common?.permissions.length ?? 0);
    const shared = names.make('p', choices.pick([choices.between(1, 6), choices.between(1, 6), room]));
    const own = choices.chance(40) ? shared.map((_, i) => `perm${i}`) : shared;
    return { name, common: common?.name, own, permissions: [...own, ...(common?.permissions ?? [])] };
  });
  return { commons, classes };
}

function makeTypes(choices: Choices, names: NameMaker, isBig: boolean): Pick<Vocabulary, 'types' | 'attributes'> {
  const attributes = names.make('at', choices.between(0, isBig ? 30 : 8));
  const types = names.make('ty', isBig ? choices.pick([300, 480, 511, 512, 513, 700]) : choices.pick([3, 8, 20, 60]));
  for (let i = 1; i < types.length; i++) {
    if (choices.chance(2)) types[i] = `${types[choices.below(i)] ?? ''}.sub${i}`;
  }
  return { attributes, types };
}

/** Makes the names of a policy. */
export function makeVocabulary(choices: Choices, { isBig, isMls }: Scale): Vocabulary {
  const names = new NameMaker(choices);
  const { commons, classes } = makeClasses(choices, names, isBig);
  const { attributes, types } = makeTypes(choices, names, isBig);
  const aliases = new Map<string, string>();
  for (const alias of names.make('al', choices.pick([0, 2, 4, isBig ? 40 : 6])))
    aliases.set(alias, choices.pick(types));
  const roles = names.make('ro', isBig ? choices.pick([15, 16, 17, 40]) : choices.between(1, 6));
  const users = names.make('us', isBig ? choices.pick([60, 127, 128, 129, 140]) : choices.between(1, 5));
  for (const list of [roles, users]) {
    for (let i = 1; i < list.length; i++) if (choices.chance(3)) list[i] = `${list[choices.below(i)] ?? ''}.sub${i}`;
  }
  return {
    commons,
    classes,
    sids: ['xen', ...names.make('sid', isBig ? 40 : choices.between(0, 5))],
    types,
    attributes,
    aliases,
    roles,
    roleAttributes: names.make('ra', choices.pick([0, 0, 1, 3])),
    users,
    booleans: names.make('bo', isBig ? choices.pick([15, 16, 17, 20]) : choices.between(0, 8)),
    tunables: names.make('tu', choices.pick([0, 0, 2])),
    sensitivities: isMls ? names.make('s', choices.pick([1, 2, 5, 15, 16, 17, 20])) : [],
    categories: isMls ? names.make('c', choices.pick([0, 1, 3, 16, 17, 63, 64, 65, 200])) : [],
  };
}
