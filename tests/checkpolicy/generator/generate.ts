/**
 * Random policies: everything that `checkpolicy -t Xen` accepts, most of them valid.
 *
 * The same seed gives the same text. Start reading at `generatePolicy`.
 *
 * @module
 */
import { Choices } from './choices.ts';
import { constraintExpression } from './expressions.ts';
import { LevelWriter } from './levels.ts';
import { OptionalWriter } from './optional-blocks.ts';
import { RuleWriter } from './rules.ts';
import { SetWriter } from './sets.ts';
import { makeVocabulary, type Vocabulary } from './vocabulary.ts';

/** A policy text, and whether it is for `-M`. */
export interface GeneratedPolicy {
  readonly text: string;
  readonly isMls: boolean;
}

const CAPABILITIES = [
  'network_peer_controls',
  'open_perms',
  'Cgroup_Seclabel',
  'NNP_NOSUID_TRANSITION',
  'ioctl_skip_cloexec',
];

class PolicyWriter {
  readonly #choices: Choices;
  readonly #names: Vocabulary;
  readonly #sets: SetWriter;
  readonly #rules: RuleWriter;
  readonly #levels: LevelWriter;
  readonly #optionals: OptionalWriter;
  readonly #isBig: boolean;
  readonly #hasBlocks: boolean;
  /** Types that a role has by name, so that a context may join them. */
  readonly #granted = new Map<string, string[]>();
  /** A child and its parent, where a `typebounds` rule binds them. */
  readonly #bounds: (readonly [child: string, parent: string])[] = [];

  constructor(choices: Choices, isMls: boolean, hasBlocks: boolean) {
    this.#choices = choices;
    this.#hasBlocks = hasBlocks;
    this.#isBig = choices.chance(8);
    this.#names = makeVocabulary(choices, { isBig: this.#isBig, isMls });
    const { types } = this.#names;
    const bounded = new Set(types.filter((type) => type.includes('.')));
    if (types.length > 8 && choices.chance(25)) {
      for (const child of types.slice(5, 5 + choices.between(1, 3))) {
        if (bounded.has(child)) continue;
        bounded.add(child);
        this.#bounds.push([child, types[choices.below(4)] ?? '']);
      }
    }
    const sloppiness = choices.chance(12) ? choices.between(1, 3) : 0;
    this.#sets = new SetWriter(choices, this.#names, bounded, sloppiness);
    this.#rules = new RuleWriter(this.#sets);
    this.#levels = new LevelWriter(this.#sets, isMls);
    this.#optionals = new OptionalWriter(this.#rules, this.#levels);
  }

  #classes(): string[] {
    const choices = this.#choices;
    const { classes, sids, commons } = this.#names;
    const lines = [...classes.map(({ name }) => `class ${name}`), ...sids.map((name) => `sid ${name}`)];
    for (const { name, permissions } of commons) lines.push(`common ${name} { ${permissions.join(' ')} }`);
    for (const { name, common, own } of choices.shuffled(classes)) {
      if (own.length === 0 && common === undefined) continue;
      const inherits = common === undefined ? '' : ` inherits ${common}`;
      const ownText = common !== undefined && own.length === 0 ? '' : ` { ${own.join(' ')} }`;
      lines.push(`class ${name}${inherits}${ownText}`);
    }
    if (!classes.some(({ permissions }) => permissions.length > 0))
      lines.push(`class ${classes[0]?.name ?? ''} { only }`);
    return lines;
  }

  #defaults(): string[] {
    const choices = this.#choices;
    const lines: string[] = [];
    const known = new Set<string>();
    for (let i = choices.pick([0, 0, 1, 4]); i > 0; i--) {
      const rule = choices.pick(['default_user', 'default_role', 'default_type', 'default_range']);
      const classes = choices.sample(this.#names.classes, choices.between(1, 2)).map(({ name }) => name);
      if (classes.some((name) => known.has(`${rule} ${name}`)) && !choices.chance(this.#sets.sloppiness)) continue;
      for (const name of classes) known.add(`${rule} ${name}`);
      const side = choices.pick(['source', 'target']);
      const value =
        rule !== 'default_range'
          ? side
          : choices.chance(20)
            ? 'glblub'
            : `${side} ${choices.pick(['low', 'high', 'low-high'])}`;
      lines.push(`${rule} { ${classes.join(' ')} } ${value};`);
      if (choices.chance(10)) lines.push(`${rule} ${classes[0] ?? ''} ${value};`);
    }
    return lines;
  }

  #constraint(word: 'constrain' | 'mlsconstrain' | 'validatetrans' | 'mlsvalidatetrans'): string {
    const sets = this.#sets;
    const { classes, text } = sets.classes();
    const hasUsers = !word.startsWith('mls');
    if (word.endsWith('validatetrans')) {
      return `${word} ${text} ${constraintExpression(sets, { hasUsers, validatesTransition: true })};`;
    }
    const expression = constraintExpression(sets, { hasUsers, validatesTransition: false });
    return `${word} ${text} ${sets.permissions(classes)} ${expression};`;
  }

  #mls(): string[] {
    if (!this.#levels.isMls) return [];
    const choices = this.#choices;
    const constraints = Array.from({ length: choices.between(1, 5) }, () =>
      this.#constraint(choices.chance(80) ? 'mlsconstrain' : 'mlsvalidatetrans'),
    );
    return [...this.#levels.declarations(), ...constraints];
  }

  /** What must stand in this order: attributes before their types, and so on. */
  #declarations(): string[] {
    const choices = this.#choices;
    const sets = this.#sets;
    const { attributes, types, aliases, roles, roleAttributes, booleans, tunables } = this.#names;
    const lines = attributes.map((name) => `attribute ${name};`);
    const late: string[] = [];
    const typeLines = types.map((name) => {
      const own = [...aliases].filter(([, type]) => type === name).map(([alias]) => alias);
      const isEarly = choices.chance(60);
      if (own.length > 0 && !isEarly)
        late.push(`typealias ${name} alias ${own.length === 1 ? (own[0] ?? '') : `{ ${own.join(' ')} }`};`);
      const alias = own.length > 0 && isEarly ? ` alias { ${own.join(' ')} }` : '';
      const isBounded = !sets.plainTypes.includes(name);
      const some = isBounded || choices.chance(40) ? [] : choices.sample(attributes, choices.between(0, 3));
      return `type ${name}${alias}${some.map((attribute) => `, ${attribute}`).join('')};`;
    });
    lines.push(...choices.shuffled(typeLines), ...late);
    for (let i = attributes.length === 0 ? 0 : choices.between(0, 5); i > 0; i--) {
      lines.push(`typeattribute ${sets.type()} ${choices.sample(attributes, choices.between(1, 4)).join(', ')};`);
    }
    for (let i = attributes.length === 0 ? 0 : choices.pick([0, 0, 0, 1, 3]); i > 0; i--) {
      lines.push(`expandattribute ${sets.some(attributes)} ${choices.pick(['true', 'false', 'TRUE'])};`);
    }
    for (const name of booleans) lines.push(`bool ${name} ${choices.pick(['true', 'false', 'TRUE', 'FALSE'])};`);
    for (const name of tunables) lines.push(`tunable ${name} ${choices.pick(['true', 'false'])};`);
    lines.push(...roleAttributes.map((name) => `attribute_role ${name};`));
    for (const name of roles) {
      const some = choices.sample(roleAttributes, choices.below(3));
      lines.push(`role ${name}${some.map((attribute) => `, ${attribute}`).join('')};`);
      if (choices.chance(8)) lines.push(`role ${name};`);
    }
    for (const attribute of roleAttributes) {
      // Role attributes that hold each other make checkpolicy loop for ever.
      const member = choices.pick([...roles, ...roleAttributes.slice(0, roleAttributes.indexOf(attribute))]);
      if (choices.chance(60)) lines.push(`roleattribute ${member} ${attribute};`);
    }
    if (choices.chance(5)) lines.push('role object_r;');
    for (const name of choices.sample(CAPABILITIES, choices.pick([0, 0, 2]))) lines.push(`policycap ${name};`);
    return lines;
  }

  #roleTypes(): string[] {
    const choices = this.#choices;
    const { types, roles, roleAttributes } = this.#names;
    for (const type of types) {
      const role = choices.pick(roles);
      const list = this.#granted.get(role);
      if (list === undefined) this.#granted.set(role, [type]);
      else list.push(type);
    }
    const lines = [...this.#granted].flatMap(([role, list]) => {
      const lists = list.length > 60 ? [list.slice(0, 60), list.slice(60)] : [list];
      return lists.map((part) => `role ${role} types { ${part.join(' ')} };`);
    });
    // A child's types must be its parent's too.
    for (const role of roles) if (role.includes('.')) this.#grantUpwards(role, lines);
    const top = roles.filter((role) => !role.includes('.'));
    for (let i = choices.pick([0, 0, 1, 3]); i > 0; i--) {
      const role = choices.pick([...top, ...roleAttributes]);
      lines.push(`role ${role} types ${choices.chance(90) ? this.#sets.typeOrAttribute() : this.#sets.types()};`);
    }
    if (choices.chance(4)) lines.push(`role object_r types ${this.#sets.type()};`);
    return lines;
  }

  #grantUpwards(role: string, lines: string[]): void {
    for (let parent = role; parent.includes('.'); ) {
      parent = parent.slice(0, parent.lastIndexOf('.'));
      for (const type of this.#granted.get(role) ?? []) lines.push(`role ${parent} types ${type};`);
    }
  }

  #boundsRules(): string[] {
    const choices = this.#choices;
    const lines = this.#bounds.map(([child, parent]) => `typebounds ${parent} ${child};`);
    for (const [child, parent] of this.#bounds) {
      for (let i = choices.below(3); i > 0; i--) {
        const { classes, text } = this.#sets.classes();
        const permissions = this.#sets.permissions(classes);
        const target = this.#sets.typeOrAttribute();
        lines.push(`allow ${child} ${target}:${text} ${permissions};`);
        if (!choices.chance(this.#sets.sloppiness)) lines.push(`allow ${parent} ${target}:${text} ${permissions};`);
      }
    }
    return lines;
  }

  #dominance(): string {
    const choices = this.#choices;
    const some = choices.sample(
      this.#names.roles.filter((role) => !role.includes('.')),
      3,
    );
    const [first = 'newrole', second, third] = some;
    const inner = second === undefined ? 'role created_r;' : `role ${second};`;
    return `dominance { role ${first} { ${inner}${third === undefined ? '' : ` role ${third} { role ${first}; }`} } }`;
  }

  #rulesOfChance(): string[] {
    const choices = this.#choices;
    const rules = this.#rules;
    const sets = this.#sets;
    const repeat = (count: number, make: () => string): string[] => Array.from({ length: count }, make);
    const lines = repeat(choices.pick([2, 10, 60, this.#isBig ? 400 : 150]), () => rules.avRule());
    lines.push(...repeat(choices.pick([0, 0, 2, 8]), () => rules.typeRule(0)));
    lines.push(...repeat(choices.pick([0, 1, 4, 10]), () => rules.conditionalBlock()));
    lines.push(...repeat(choices.pick([0, 0, 3, 8]), () => rules.filenameTransition()));
    lines.push(...repeat(choices.pick([0, 0, 2, 5]), () => rules.roleTransition()));
    lines.push(
      ...repeat(
        choices.pick([0, 1, 4]),
        () => `allow ${this.#sets.rolesOrAttributes()} ${this.#sets.rolesOrAttributes()};`,
      ),
    );
    if (choices.chance(4)) lines.push(...repeat(choices.between(1, 2), () => rules.neverallow()));
    if (choices.chance(4)) lines.push(this.#dominance());
    if (choices.chance(10)) lines.push(';');
    lines.push(...repeat(choices.pick([0, 0, 0, 2]), () => `permissive ${this.#sets.type()};`));
    if (this.#levels.isMls) {
      lines.push(
        ...repeat(choices.pick([0, 2, 6]), () => {
          const sources = choices.chance(70) ? sets.type() : sets.types();
          const tclass =
            choices.chance(20) && this.#names.classes.some(({ name }) => name === 'process')
              ? ''
              : `:${this.#sets.classes().text}`;
          return `range_transition ${sources} ${choices.chance(70) ? sets.type() : sets.types()}${tclass} ${this.#levels.range()};`;
        }),
      );
    }
    return lines.filter((line) => line !== ';' || choices.once(3));
  }

  #section(): string[] {
    const choices = this.#choices;
    const declarations = this.#declarations();
    const rules = [...this.#rulesOfChance(), ...this.#roleTypes(), ...this.#boundsRules()];
    if (choices.chance(this.#hasBlocks ? 100 : 25)) rules.push(...this.#optionals.blocks());
    const mixed = choices.chance(50) ? choices.shuffled(rules) : rules;
    if (!choices.chance(20)) return [...declarations, ...mixed];
    const out: string[] = [];
    const pending = [...mixed];
    for (const declaration of declarations) {
      while (pending.length > 0 && choices.chance(30)) out.push(pending.shift() ?? '');
      out.push(declaration);
    }
    return [...out, ...pending];
  }

  #users(): string[] {
    const choices = this.#choices;
    const { users, roles, roleAttributes } = this.#names;
    const lines = users.map(
      (name, i) => `user ${name} roles { ${roles.join(' ')} }${this.#levels.ofUser(i % 2 === 1)};`,
    );
    if (choices.chance(30))
      lines.push(
        `user ${choices.pick(users)} roles ${this.#sets.some([...roles, ...roleAttributes])}${this.#levels.ofUser(false)};`,
      );
    return lines;
  }

  #context(): string {
    const choices = this.#choices;
    const sets = this.#sets;
    let role = 'object_r';
    let type = sets.type();
    if (choices.chance(50)) {
      role = choices.pick([...this.#granted.keys()]);
      type = choices.pickOr(this.#granted.get(role) ?? [], type);
    }
    const range = this.#levels.isMls ? `:${this.#levels.range()}` : '';
    const colon = choices.chance(10) ? ' : ' : ':';
    const users = this.#names.users.filter((_, i) => i % 2 === 0 || choices.chance(sets.sloppiness));
    return `${sets.slip(choices.pick(users))}${colon}${sets.slip(role)}${colon}${type}${range}`;
  }

  #numbers(): string[] {
    const choices = this.#choices;
    const lines: string[] = [];
    const number = (value: number): string =>
      choices.pick([String(value), `0x${value.toString(16)}`, `0${value.toString(8)}`]);
    const some = (limit: number, count: number): number[] => Array.from({ length: count }, () => choices.below(limit));
    const different = (limit: number, count: number): Set<number> => new Set(some(limit, choices.pick([0, count])));
    for (const n of different(200, 4)) lines.push(`pirqcon ${number(n)} ${this.#context()}`);
    for (const n of different(60, 5)) {
      const base = choices.chance(5) ? 0x100000000 : 0;
      lines.push(
        `iomemcon ${number(base + n * 256)} - ${number(base + n * 256 + choices.below(256))} ${this.#context()}`,
      );
    }
    for (const n of different(60, 5)) {
      const high = choices.chance(50) ? '' : `-${number(n * 256 + choices.below(256))}`;
      lines.push(`ioportcon ${number(n * 256)}${high} ${this.#context()}`);
    }
    for (const n of different(60, 4)) lines.push(`pcidevicecon ${number(n * 256)} ${this.#context()}`);
    for (const n of different(60, 3))
      lines.push(`devicetreecon ${choices.pick([`/soc/n${n}`, `"/soc/n ${n}"`, `/n${n};#`])} ${this.#context()}`);
    return choices.shuffled(lines);
  }

  #contexts(): string[] {
    const choices = this.#choices;
    const sids = choices.shuffled(this.#names.sids.filter((sid) => sid === 'xen' || choices.chance(85)));
    return [...sids.map((sid) => `sid ${sid} ${this.#context()}`), ...this.#numbers()];
  }

  /** Comments, blank lines and joined lines between the statements. */
  #layOut(lines: readonly string[]): string {
    const choices = this.#choices;
    return lines
      .map((line) => {
        if (choices.once(60)) return `${line} # ${choices.pick(["it's", '"', 'type x;', '\xe9'])}\n`;
        if (choices.once(60))
          return `${choices.pick(['#line 7', '#line 1 "some.te"', '#line 9 "x"', ''])}\n${line.replaceAll(' ', '\t ')}\n`;
        return line + (choices.once(50) ? ' ' : '\n');
      })
      .join('');
  }

  write(): string {
    const choices = this.#choices;
    const constraints = Array.from({ length: choices.pick([0, 2, 6]) }, () =>
      this.#constraint(choices.chance(80) ? 'constrain' : 'validatetrans'),
    );
    const top = [...this.#classes(), ...this.#defaults(), ...this.#mls(), ...this.#section()];
    return this.#layOut([...top, ...this.#users(), ...constraints, ...this.#contexts()]);
  }
}

/** The policy of a seed; one in three is for MLS, and one in four, or with `hasBlocks` each, has optional blocks. */
export function generatePolicy(seed: number, hasBlocks = false): GeneratedPolicy {
  const choices = new Choices(seed);
  const isMls = choices.once(3);
  return { text: new PolicyWriter(choices, isMls, hasBlocks).write(), isMls };
}
