/**
 * Rules of a generated policy: access vectors, types, transitions, conditional blocks.
 *
 * Two type rules that answer one question differently make a policy invalid, so what is asked and answered is kept.
 *
 * @module
 */
import { condition } from './expressions.ts';
import type { SetWriter } from './sets.ts';

const AV_RULES = ['allow', 'allow', 'allow', 'allow', 'allow', 'auditallow', 'dontaudit', 'auditdeny'];
const TYPE_RULES = ['type_transition', 'type_transition', 'type_member', 'type_change'];

/** Writes the rules of one policy. */
export class RuleWriter {
  readonly sets: SetWriter;
  /** Where a kind of type rule may be used for a class, and the one answer that it gives there. */
  readonly #zones = new Map<string, { readonly owner: number; readonly result: string }>();
  readonly #asked = new Set<string>();
  #blocks = 0;

  constructor(sets: SetWriter) {
    this.sets = sets;
  }

  avRule(): string {
    const { sets } = this;
    const { classes, text } = sets.classes();
    const rule = sets.choices.pick(AV_RULES);
    return `${rule} ${sets.types()} ${sets.types(true)}:${text} ${sets.permissions(classes)};`;
  }

  neverallow(): string {
    const { sets } = this;
    const { classes, text } = sets.classes();
    return `neverallow ${sets.anyTypes()} ${sets.anyTypes(true)}:${text} ${sets.permissions(classes)};`;
  }

  /** A type rule; `owner` is the conditional block it stands in, 0 for none. */
  typeRule(owner: number): string {
    const { sets } = this;
    const { choices } = sets;
    const rule = choices.pick(TYPE_RULES);
    const { classes } = sets.classes();
    const allowed = classes.filter(({ name }) => {
      const zone = this.#zones.get(`${rule} ${name}`);
      return zone === undefined || zone.owner === owner || choices.chance(sets.sloppiness);
    });
    const [first] = allowed;
    if (first === undefined) return ';';
    const known = this.#zones.get(`${rule} ${first.name}`);
    const result = known?.result ?? sets.type();
    const used = allowed.filter(({ name }) => {
      const zone = this.#zones.get(`${rule} ${name}`);
      return zone === undefined || zone.result === result;
    });
    for (const { name } of used) this.#zones.set(`${rule} ${name}`, { owner, result });
    const text = used.length === 1 ? first.name : `{ ${used.map(({ name }) => name).join(' ')} }`;
    return `${rule} ${sets.types()} ${sets.types(true)}:${text} ${choices.chance(sets.sloppiness) ? sets.type() : result};`;
  }

  /** A key that was not used before; in a sloppy policy it may have been. */
  #isFresh(key: string): boolean {
    if (this.#asked.has(key) && !this.sets.choices.chance(this.sets.sloppiness)) return false;
    this.#asked.add(key);
    return true;
  }

  filenameTransition(): string {
    const { sets } = this;
    const { choices } = sets;
    const name = choices.pick(['a', 'b.c', 'file one', 'zz', 'q1', '#x', "it's", 'x;y', '\xe4\xf6']);
    if (choices.chance(30)) {
      const { classes, text } = sets.classes();
      const isFresh = classes.map((tclass) => this.#isFresh(`filename set ${tclass.name} ${name}`)).every(Boolean);
      const targets = choices.chance(85) ? sets.types() : sets.types(true);
      if (isFresh) return `type_transition ${sets.types()} ${targets}:${text} ${sets.type()} "${name} s";`;
    }
    const [source, target, tclass] = [sets.type(), sets.type(), choices.pick(sets.names.classes).name];
    const alias = (type: string): string => sets.names.aliases.get(type) ?? type;
    if (!this.#isFresh(`filename ${alias(source)} ${alias(target)} ${tclass} ${name}`)) return ';';
    // checkpolicy takes an attribute as the result, too.
    const { attributes } = sets.names;
    const result = attributes.length > 0 && choices.chance(6) ? choices.pick(attributes) : sets.type();
    return `type_transition ${source} ${target}:${tclass} ${result} "${name}";`;
  }

  roleTransition(): string {
    const { sets } = this;
    const { choices, names } = sets;
    const role = choices.pick(names.roles);
    const tclass = choices.pick(names.classes).name;
    if (!this.#isFresh(`role ${role} ${tclass}`)) return ';';
    const written = tclass === 'process' && choices.chance(50) ? '' : `:${tclass}`;
    return `role_transition ${sets.slip(role)} ${sets.types()}${written} ${sets.slip(choices.pick(names.roles))};`;
  }

  conditionalBlock(): string {
    const { sets } = this;
    const { choices, names } = sets;
    const owner = ++this.#blocks;
    const isTunable = names.tunables.length > 0 && (names.booleans.length === 0 || choices.chance(30));
    const pool = isTunable ? names.tunables : names.booleans;
    if (pool.length === 0) return ';';
    const some = choices.sample(pool, choices.pick([1, 2, 3, 7]));
    const body = (): string => {
      const rules = Array.from({ length: choices.between(0, 5) }, () =>
        choices.chance(12) ? this.typeRule(isTunable ? 0 : owner) : this.avRule(),
      ).filter((rule) => rule !== ';');
      return rules.map((rule) => `\n  ${rule}`).join('');
    };
    const otherwise = choices.chance(50) ? ` else {${body()}\n}` : '';
    return `if (${condition(sets, some)}) {${body()}\n}${otherwise}`;
  }
}
