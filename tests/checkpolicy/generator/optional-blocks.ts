/**
 * `optional` blocks with their `require` blocks.
 *
 * @module
 */
import type { LevelWriter } from './levels.ts';
import { BlockRoleWriter, noBlockNames } from './optional-roles.ts';
import type { RuleWriter } from './rules.ts';

/** Writes the optional blocks of one policy. */
export class OptionalWriter {
  readonly #rules: RuleWriter;
  readonly #levels: LevelWriter;
  readonly #roles: BlockRoleWriter;
  #missing = 0;
  /** What blocks declare, as kind and name. */
  readonly #declared: string[] = [];

  constructor(rules: RuleWriter, levels: LevelWriter) {
    this.#rules = rules;
    this.#levels = levels;
    this.#roles = new BlockRoleWriter(rules.sets, levels);
  }

  /** Something to require; now and then a name that nobody declares. */
  #wants(known: ReturnType<typeof noBlockNames>): { readonly text: string; readonly missingType: string | undefined } {
    const { choices, names } = this.#rules.sets;
    if (choices.chance(20)) {
      const name = `missing${++this.#missing}`;
      const kind = choices.pick(['type', 'type', 'attribute', 'role', 'bool', 'user', 'attribute_role', 'tunable']);
      return { text: `${kind} ${name};`, missingType: kind === 'type' || kind === 'attribute' ? name : undefined };
    }
    const shared = choices.chance(25) ? this.#roles.want(known) : undefined;
    if (shared !== undefined) return { text: shared, missingType: undefined };
    if (this.#declared.length > 0 && choices.chance(30))
      return { text: `${choices.pick(this.#declared)};`, missingType: undefined };
    const tclass = choices.pick(names.classes);
    const list = (kind: string, all: readonly string[]): string =>
      all.length === 0 ? '' : `${kind} ${choices.sample(all, choices.between(1, 3)).join(', ')};`;
    const text = choices.pick([
      list('type', this.#rules.sets.plainTypes),
      list('attribute', names.attributes),
      list('role', names.roles),
      list('bool', names.booleans),
      list('tunable', names.tunables),
      list('user', names.users),
      list('category', names.categories),
      tclass.permissions.length === 0
        ? ''
        : `class ${tclass.name} { ${choices.sample(tclass.permissions, 3).join(' ')} };`,
    ]);
    return { text: text === '' ? list('role', names.roles) : text, missingType: undefined };
  }

  /** A rule that is neither of the access vector table nor a condition; now and then of a type that nobody declares. */
  #otherRule(missing: readonly string[]): string {
    const { sets } = this.#rules;
    const { choices, names } = sets;
    const type = (): string => choices.pick([...sets.plainTypes, ...missing]);
    return choices.pick([
      () => this.#rules.filenameTransition(),
      () => this.#rules.roleTransition(),
      () => `allow ${sets.rolesOrAttributes()} ${sets.rolesOrAttributes()};`,
      () => `permissive ${type()};`,
      () => (choices.chance(30) ? `typebounds ${type()} ${type()};` : ';'),
      () =>
        names.attributes.length === 0
          ? ';'
          : `expandattribute ${choices.pick(names.attributes)} ${choices.pick(['true', 'false'])};`,
      () =>
        this.#levels.isMls
          ? `range_transition ${type()} ${sets.types()}:${choices.pick(names.classes).name} ${this.#levels.range()};`
          : ';',
    ])();
  }

  /** Declarations of a block, with rules that use them. Another block may require what they declare. */
  #declarations(): string[] {
    const { sets } = this.#rules;
    const { choices, names } = sets;
    const tclass = names.classes[0]?.name ?? '';
    const number = this.#declared.length;
    return choices.pick([
      () => {
        const name = `oty${number}`;
        this.#declared.push(`type ${name}`);
        const attributes = choices.sample(names.attributes, choices.below(3)).map((attribute) => `, ${attribute}`);
        const alias = choices.chance(30) ? ` alias oal${number}` : '';
        const used = alias !== '' && choices.chance(50) ? `oal${number}` : name;
        const lines = [
          `type ${name}${alias}${attributes.join('')};`,
          `allow ${used} ${sets.types(true)}:${tclass} *;`,
          `allow { ${sets.type()} ${used} } ${used}:${tclass} *;`,
        ];
        if (choices.chance(20)) lines.push(`permissive ${used};`);
        if (choices.chance(20)) lines.push(`type_transition ${sets.type()} ${used}:${tclass} ${used};`);
        return lines;
      },
      () => {
        const name = `oat${number}`;
        this.#declared.push(`attribute ${name}`);
        return [
          `attribute ${name};`,
          `typeattribute ${sets.type()} ${name};`,
          `allow ${name} ${choices.chance(50) ? 'self' : name}:${tclass} *;`,
        ];
      },
      () => {
        const [word, name] = [choices.pick(['bool', 'bool', 'tunable']), `obo${number}`];
        this.#declared.push(`${word} ${name}`);
        return [
          `${word} ${name} ${choices.pick(['true', 'false'])};`,
          `if (${name}) { allow ${sets.type()} ${sets.type()}:${tclass} *; } else { allow ${sets.type()} ${sets.type()}:${tclass} *; }`,
        ];
      },
      () => [`typealias ${sets.type()} alias oal${number}x${this.#missing++};`],
    ])();
  }

  #block(depth: number, around: ReturnType<typeof noBlockNames>): string {
    const { sets } = this.#rules;
    const { choices, names } = sets;
    const lines: string[] = [];
    const known = { roles: [...around.roles], roleAttributes: [...around.roleAttributes] };
    const wants = Array.from({ length: choices.between(0, 3) }, () => this.#wants(known));
    const required = wants.length > 0 ? `require { ${wants.map(({ text }) => text).join(' ')} }` : '';
    for (const { missingType } of wants) {
      if (missingType === undefined) continue;
      lines.push(`allow ${missingType} ${sets.types(true)}:${sets.names.classes[0]?.name ?? ''} *;`);
    }
    const rules = (roles: typeof known): string[] =>
      Array.from({ length: choices.between(1, 4) }, () => {
        if (choices.chance(15)) return this.#rules.conditionalBlock();
        if (choices.chance(15)) return this.#rules.typeRule(0);
        if (choices.chance(15) && names.attributes.length > 0)
          return `typeattribute ${sets.type()} ${choices.pick(names.attributes)};`;
        if (choices.chance(20)) return this.#otherRule(wants.flatMap(({ missingType }) => missingType ?? []));
        if (choices.chance(35)) return this.#roles.statement(roles);
        return this.#rules.avRule();
      });
    const own = choices.chance(35) ? this.#declarations() : [];
    if (choices.chance(45)) own.push(...this.#roles.declarations(known));
    lines.push(...rules(known));
    if (depth < 2 && choices.chance(25)) lines.push(this.#block(depth + 1, known));
    const elseRules = choices.chance(30) ? rules(around) : [];
    if (elseRules.length > 0 && choices.chance(15)) elseRules.push(this.#block(2, around));
    const otherwise = elseRules.length === 0 ? '' : ` else {\n${elseRules.join('\n')}\n}`;
    // What is declared must mostly stand above its use.
    const body = choices.chance(90)
      ? [required, ...own, ...choices.shuffled(lines)]
      : choices.shuffled([required, ...own, ...lines]);
    body.push(...this.#roles.users(known));
    return `optional {\n${body.filter((line) => line !== '').join('\n')}\n}${otherwise}`;
  }

  blocks(): string[] {
    const { choices } = this.#rules.sets;
    return Array.from({ length: choices.between(1, 5) }, () => this.#block(0, noBlockNames()));
  }
}
