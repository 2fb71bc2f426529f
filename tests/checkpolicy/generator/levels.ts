/**
 * The MLS part of a generated policy: sensitivities, categories, levels, ranges.
 *
 * @module
 */
import type { SetWriter } from './sets.ts';

/** Writes levels; in a policy without MLS every text is empty. */
export class LevelWriter {
  readonly #sets: SetWriter;
  /** The aliases of sensitivities and of categories that were declared. */
  readonly #otherNames = new Map<string, string>();
  readonly isMls: boolean;

  constructor(sets: SetWriter, isMls: boolean) {
    this.#sets = sets;
    this.isMls = isMls;
  }

  #name(name: string): string {
    return this.#sets.choices.chance(15) ? (this.#otherNames.get(name) ?? name) : name;
  }

  #declaration(keyword: string, name: string): string {
    const { choices } = this.#sets;
    if (!choices.chance(15)) return `${keyword} ${name};`;
    const aliases = choices.chance(50) ? [`${name}-alias`] : [`${name}-alias`, `${name}_other`];
    this.#otherNames.set(name, choices.pick(aliases));
    return `${keyword} ${name} alias ${aliases.length === 1 ? (aliases[0] ?? '') : `{ ${aliases.join(' ')} }`};`;
  }

  /** Everything before the constraints. */
  declarations(): string[] {
    const { choices, names } = this.#sets;
    if (!this.isMls) return [];
    const { sensitivities, categories } = names;
    const all = this.#allCategories();
    const lines = choices.shuffled(sensitivities).map((name) => this.#declaration('sensitivity', name));
    const order = sensitivities.map((name) => this.#name(name));
    lines.push(
      order.length === 1 && choices.chance(50) ? `dominance ${order[0] ?? ''}` : `dominance { ${order.join(' ')} }`,
    );
    lines.push(...categories.map((name) => this.#declaration('category', name)));
    lines.push(...choices.shuffled(sensitivities).map((name) => `level ${this.#name(name)}${all};`));
    return lines;
  }

  #allCategories(): string {
    const { categories } = this.#sets.names;
    const [first, last] = [categories[0], categories.at(-1)];
    if (first === undefined || last === undefined) return '';
    return first === last ? `:${first}` : `:${first}.${last}`;
  }

  categories(): string {
    const { choices, names } = this.#sets;
    const count = names.categories.length;
    if (count === 0 || choices.chance(40)) return '';
    const items = Array.from({ length: choices.between(1, 4) }, () => {
      const low = choices.below(count);
      const high = choices.between(low, count - 1);
      const [from = '', to = ''] = [names.categories[low], names.categories[high]];
      return low === high && choices.chance(90) ? this.#name(from) : `${this.#name(from)}.${this.#name(to)}`;
    });
    return `:${items.join(',')}`;
  }

  /** A range in order, or one level. */
  range(): string {
    const { choices, names } = this.#sets;
    const low = choices.below(names.sensitivities.length);
    const high = choices.between(low, names.sensitivities.length - 1);
    const from = this.#sets.slip(this.#name(names.sensitivities[low] ?? ''));
    const to = this.#name(names.sensitivities[high] ?? '');
    const categories = this.categories();
    if (choices.chance(50)) return from + categories;
    if (choices.chance(30)) return `${from}${categories} - ${to}${categories}`;
    return `${from}${choices.chance(this.#sets.sloppiness * 3) ? this.categories() : categories} - ${to}${this.#allCategories()}`;
  }

  /** The level and range of a user: one that holds every range, or now and then a narrower one. */
  ofUser(mayBeNarrow: boolean): string {
    if (!this.isMls) return '';
    const { choices, names } = this.#sets;
    const { sensitivities } = names;
    const [low = '', high = ''] = [sensitivities[0], sensitivities.at(-1)];
    if (mayBeNarrow && choices.chance(30)) {
      const level = this.#name(choices.pick(sensitivities)) + this.categories();
      return ` level ${level} range ${level}`;
    }
    return ` level ${this.#name(low)} range ${this.#name(low)} - ${this.#name(high)}${this.#allCategories()}`;
  }
}
