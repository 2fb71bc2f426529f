/**
 * Sets of names as a policy writes them: one name, a difference, braces in braces.
 *
 * @module
 */
import type { Choices } from './choices.ts';
import type { ClassNames, Vocabulary } from './vocabulary.ts';

/** Writes sets of the names of one policy. */
export class SetWriter {
  readonly choices: Choices;
  readonly names: Vocabulary;
  /** Types that no rule names by chance: their bounds would not hold. */
  readonly #bounded: ReadonlySet<string>;
  /** Percent of names that are wrong on purpose. */
  readonly sloppiness: number;
  readonly plainTypes: readonly string[];

  constructor(choices: Choices, names: Vocabulary, bounded: ReadonlySet<string>, sloppiness: number) {
    this.choices = choices;
    this.names = names;
    this.#bounded = bounded;
    this.sloppiness = sloppiness;
    this.plainTypes = names.types.filter((type) => !bounded.has(type));
  }

  /** A name that nobody declared, or that names something else; now and then, in a sloppy policy. */
  slip(name: string): string {
    if (this.sloppiness === 0 || !this.choices.chance(this.sloppiness)) return name;
    const { types, attributes, roles, users, classes } = this.names;
    return this.choices.pick([
      'nobody',
      'self',
      this.choices.pickOr(types, 'x'),
      this.choices.pickOr(attributes, 'x'),
      this.choices.pickOr(roles, 'x'),
      this.choices.pickOr(users, 'x'),
      this.choices.pickOr(classes, undefined)?.name ?? 'x',
    ]);
  }

  /** A type or an alias. */
  type(): string {
    const { choices } = this;
    const aliases = [...this.names.aliases].filter(([, type]) => !this.#bounded.has(type)).map(([alias]) => alias);
    if (aliases.length > 0 && choices.chance(10)) return this.slip(choices.pick(aliases));
    return this.slip(choices.pickOr(this.plainTypes, this.names.types[0] ?? 'x'));
  }

  typeOrAttribute(): string {
    const { attributes } = this.names;
    return attributes.length > 0 && this.choices.chance(35) ? this.slip(this.choices.pick(attributes)) : this.type();
  }

  #elements(depth: number, withSelf: boolean): string {
    const { choices } = this;
    const parts = Array.from({ length: choices.between(1, 4) }, () => {
      if (depth < 3 && choices.chance(15)) return this.#elements(depth + 1, withSelf);
      if (withSelf && choices.chance(10)) return 'self';
      return this.typeOrAttribute();
    });
    if (choices.chance(30)) parts.push(`${choices.pick(['-', '- '])}${this.typeOrAttribute()}`);
    if (choices.chance(8)) parts.unshift(`-${this.typeOrAttribute()}`);
    return `{ ${parts.join(' ')} }`;
  }

  /** A set for the source or, `withSelf`, the target of a rule. */
  types(withSelf = false): string {
    const { choices } = this;
    if (withSelf && choices.chance(20)) return choices.pick(['self', `{ self ${this.typeOrAttribute()} }`]);
    if (choices.chance(55)) return this.typeOrAttribute();
    if (choices.chance(15)) return `${this.typeOrAttribute()} - ${this.typeOrAttribute()}`;
    return this.#elements(0, withSelf);
  }

  /** A set as `neverallow` takes it: `*` and `~` too. */
  anyTypes(withSelf = false): string {
    const { choices } = this;
    if (choices.chance(20)) return '*';
    if (choices.chance(20)) return `~${choices.pick(['', ' '])}${this.typeOrAttribute()}`;
    if (choices.chance(20)) return `~${this.#elements(0, false)}`;
    return this.types(withSelf);
  }

  classes(): { readonly classes: readonly ClassNames[]; readonly text: string } {
    const { choices } = this;
    const usable = this.names.classes.filter(({ permissions }) => permissions.length > 0);
    const all = usable.length > 0 ? usable : this.names.classes;
    const classes = choices.sample(all, choices.chance(30) ? choices.between(2, 3) : 1);
    const written = classes.map(({ name }) => this.slip(name));
    if (choices.once(40) && written[0] !== undefined) written.push(written[0]);
    return { classes, text: written.length === 1 ? (written[0] ?? '') : `{ ${written.join(' ')} }` };
  }

  permissions(classes: readonly ClassNames[]): string {
    const { choices } = this;
    const [first, ...others] = classes;
    const shared = (first?.permissions ?? []).filter((name) =>
      others.every(({ permissions }) => permissions.includes(name)),
    );
    if (shared.length === 0 || choices.chance(8)) return '*';
    const some = choices.sample(shared, choices.between(1, 4)).map((name) => this.slip(name));
    const text = some.length === 1 && choices.chance(50) ? (some[0] ?? '') : `{ ${some.join(' ')} }`;
    return choices.chance(8) ? `~${text}` : text;
  }

  /** One or a few names; in braces where there are more. */
  some(names: readonly string[], most = 3): string {
    const some = this.choices.sample(names, this.choices.between(1, most)).map((name) => this.slip(name));
    if (some.length === 1 && this.choices.chance(70)) return some[0] ?? '';
    return `{ ${some.join(' ')} }`;
  }

  rolesOrAttributes(): string {
    return this.some([...this.names.roles, ...this.names.roleAttributes]);
  }
}
