/**
 * What `optional` blocks say of roles, role attributes and users.
 *
 * @module
 */
import type { LevelWriter } from './levels.ts';
import type { SetWriter } from './sets.ts';

/** Names that a block may use beside those of the policy. */
interface BlockNames {
  readonly roles: string[];
  readonly roleAttributes: string[];
}

/** Names that the block knows: its own, those of blocks around, and required ones. */
export function noBlockNames(): BlockNames {
  return { roles: [], roleAttributes: [] };
}

/** Writes statements about roles and users for the blocks of one policy. */
export class BlockRoleWriter {
  readonly #sets: SetWriter;
  readonly #levels: LevelWriter;
  /** What blocks declared so far; others declare it again, or require it. */
  readonly #roles: string[] = [];
  readonly #roleAttributes: string[] = [];
  readonly #users: string[] = [];
  #dominances = 0;

  constructor(sets: SetWriter, levels: LevelWriter) {
    this.#sets = sets;
    this.#levels = levels;
  }

  /** A requirement of something that a block declares; undefined where there is none. The block knows it from then on. */
  want(known: BlockNames): string | undefined {
    const { choices } = this.#sets;
    const all = [
      ...this.#roles.map((name) => ({ kind: 'role', name })),
      ...this.#roleAttributes.map((name) => ({ kind: 'attribute_role', name })),
      ...this.#users.map((name) => ({ kind: 'user', name })),
    ];
    if (all.length === 0) return undefined;
    const { kind, name } = choices.pick(all);
    if (kind === 'role') known.roles.push(name);
    if (kind === 'attribute_role') known.roleAttributes.push(name);
    return `${kind} ${name};`;
  }

  #role(known: BlockNames): string {
    const { choices, names } = this.#sets;
    return known.roles.length > 0 && choices.chance(60) ? choices.pick(known.roles) : choices.pick(names.roles);
  }

  #roleAttribute(known: BlockNames): string | undefined {
    const all = [...this.#sets.names.roleAttributes, ...known.roleAttributes];
    return all.length === 0 ? undefined : this.#sets.choices.pick(all);
  }

  /** Declarations of roles and role attributes for one block. */
  declarations(known: BlockNames): string[] {
    const { choices, names } = this.#sets;
    const lines: string[] = [];
    for (let i = choices.pick([0, 1, 1, 2]); i > 0; i--) {
      if (choices.chance(25)) {
        const name = `ora${this.#roleAttributes.length}`;
        this.#roleAttributes.push(name);
        known.roleAttributes.push(name);
        lines.push(`attribute_role ${name};`);
        continue;
      }
      const again = choices.pick([...names.roles.filter((role) => !role.includes('.')), ...this.#roles]);
      const parent = known.roles.find((role) => !role.includes('.'));
      const name =
        parent !== undefined && choices.chance(12)
          ? `${parent}.sub${this.#roles.length}`
          : choices.chance(30)
            ? again
            : choices.chance(4)
              ? 'object_r'
              : `oro${this.#roles.length}`;
      if (!this.#roles.includes(name) && name !== 'object_r') this.#roles.push(name);
      if (name !== 'object_r') known.roles.push(name);
      const attributes = choices.chance(40)
        ? [this.#roleAttribute(known) ?? ''].filter((attribute) => attribute !== '')
        : [];
      lines.push(`role ${name}${attributes.map((attribute) => `, ${attribute}`).join('')};`);
    }
    return lines;
  }

  /** A statement about roles for either branch. `known` are the names that the branch knows beside those of the policy. */
  statement(known: BlockNames): string {
    const sets = this.#sets;
    const { choices, names } = sets;
    const tclass = choices.pick(names.classes).name;
    return choices.pick([
      () => `role ${this.#role(known)} types ${sets.types()};`,
      () => `role ${this.#role(known)} types ${sets.typeOrAttribute()};`,
      () => {
        const attribute = this.#roleAttribute(known);
        return attribute === undefined ? ';' : `role ${attribute} types ${sets.typeOrAttribute()};`;
      },
      () => {
        // Role attributes that hold each other make checkpolicy loop for ever, so only roles go into them.
        const attribute = this.#roleAttribute(known);
        return attribute === undefined ? ';' : `roleattribute ${this.#role(known)} ${attribute};`;
      },
      () =>
        `allow ${this.#role(known)} ${choices.chance(70) ? this.#role(known) : (this.#roleAttribute(known) ?? this.#role(known))};`,
      () => {
        const attribute = choices.chance(40) ? this.#roleAttribute(known) : undefined;
        return `role_transition ${attribute ?? this.#role(known)} ${sets.type()}:${tclass} ${this.#role(known)};`;
      },
      () => (choices.chance(20) ? this.#dominance(known) : ';'),
    ])();
  }

  #dominance(known: BlockNames): string {
    const { choices } = this.#sets;
    const inner = choices.chance(30) ? `odo${this.#dominances++}` : this.#role(known);
    return `dominance { role ${this.#role(known)} { role ${inner};${choices.chance(30) ? ` role ${this.#role(known)};` : ''} } }`;
  }

  /** The users of a block, which stand at its end. */
  users(known: BlockNames): string[] {
    const sets = this.#sets;
    const { choices, names } = sets;
    if (!choices.chance(25)) return [];
    return Array.from({ length: choices.between(1, 2) }, () => {
      // With MLS a user of a block must be declared outside, too, with the same range: every other user may have a narrow one.
      const outside = names.users.filter((user, i) => !user.includes('.') && i % 2 === 0);
      const again = choices.pickOr(this.#levels.isMls ? outside : [...outside, ...this.#users], names.users[0] ?? 'x');
      const name = choices.chance(this.#levels.isMls ? 97 : 40) ? again : `ous${this.#users.length}`;
      if (!this.#users.includes(name)) this.#users.push(name);
      const roles = sets.some([...names.roles, ...names.roleAttributes, ...known.roles, ...known.roleAttributes]);
      return `user ${name} roles ${roles}${this.#levels.ofUser(choices.chance(5))};`;
    });
  }
}
