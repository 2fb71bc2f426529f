/**
 * Choices policies that decide much: few types, many rules, every kind of constraint, conditionals, MLS.
 *
 * @module
 */
import { Choices } from './choices.ts';

export interface GeneratedPolicy {
  readonly name: string;
  readonly text: string;
  readonly isMls: boolean;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const list = (names: readonly string[]): string => (names.length === 1 ? (names[0] ?? '') : `{ ${names.join(' ')} }`);

interface Names {
  readonly classes: readonly { readonly name: string; readonly permissions: readonly string[] }[];
  readonly types: readonly string[];
  readonly attributes: readonly string[];
  readonly roles: readonly string[];
  readonly users: readonly string[];
  readonly booleans: readonly string[];
}

function makeNames(random: Choices): Names {
  const classes = range(random.between(2, 5)).map((i) => {
    const count = i === 1 ? random.between(3, 6) : random.pick([3, 8, 31, 32]);
    const permissions = range(count).map((p) => `p${i}_${p}`);
    if (i === 1) permissions[random.below(2)] = 'transition';
    if (i === 1 && random.chance(40)) permissions[2] = 'dyntransition';
    return { name: i === 1 ? 'domain' : `class${i}`, permissions };
  });
  return {
    classes,
    types: range(random.between(3, 14)).map((i) => `type${i}`),
    attributes: range(random.between(1, 5)).map((i) => `attr${i}`),
    roles: range(random.between(1, 5)).map((i) => `role${i}`),
    users: range(random.between(1, 4)).map((i) => `user${i}`),
    booleans: range(random.between(0, 4)).map((i) => `bool${i}`),
  };
}

/** Statements over the names of one policy. */
class Statements {
  readonly #random: Choices;
  readonly #names: Names;
  readonly #typeRules = new Set<string>();

  constructor(random: Choices, names: Names) {
    this.#random = random;
    this.#names = names;
  }

  typeSet(): string {
    const random = this.#random;
    const { types, attributes } = this.#names;
    const one = (): string => random.pick(random.chance(40) ? attributes : types);
    const roll = random.below(10);
    if (roll < 6) return one();
    if (roll < 8) return `{ ${one()} ${one()} ${one()} }`;
    return roll < 9
      ? `{ ${one()} -${random.pick(types)} }`
      : `{ ${random.pick(attributes)} ${random.pick(attributes)} }`;
  }

  vectorRule(): string {
    const random = this.#random;
    const { name, permissions } = random.pick(this.#names.classes);
    const kind = random.pick(['allow', 'allow', 'allow', 'allow', 'auditallow', 'dontaudit']);
    const target = random.chance(20) ? 'self' : this.typeSet();
    const wanted = random.chance(8) ? '*' : list(random.some(permissions, 4));
    const all = random.chance(5) ? `~${list(random.some(permissions, 2))}` : wanted;
    return `${kind} ${this.typeSet()} ${target}:${name} ${all};`;
  }

  /** A type rule whose types and class no earlier one has, so that no two conflict. */
  typeRule(kinds: readonly string[]): string {
    const random = this.#random;
    const { types, classes } = this.#names;
    const kind = random.pick(kinds);
    const tclass = random.chance(50) ? 'domain' : random.pick(classes).name;
    const key = `${random.pick(types)} ${random.pick(types)}:${tclass}`;
    if (this.#typeRules.has(`${kind} ${key}`)) return '';
    this.#typeRules.add(`${kind} ${key}`);
    return `${kind} ${key} ${random.pick(types)};`;
  }

  conditional(): string {
    const random = this.#random;
    const { booleans } = this.#names;
    const one = (): string => `${random.chance(30) ? '!' : ''}${random.pick(booleans)}`;
    const condition = range(random.between(0, 2)).reduce(
      (left) => `(${left} ${random.pick(['&&', '||', '^', '==', '!='])} ${one()})`,
      one(),
    );
    const body = (): string => {
      const rules = range(random.between(0, 4)).map(() => this.vectorRule());
      if (random.chance(40)) rules.push(this.typeRule(['type_transition', 'type_member', 'type_change']));
      return rules.join(' ');
    };
    return `if (${condition}) { ${body()} }${random.chance(60) ? ` else { ${body()} }` : ''}`;
  }

  constraint(kind: 'constrain' | 'mlsconstrain'): string {
    const random = this.#random;
    const { name, permissions } = random.pick(this.#names.classes);
    const wanted = list(random.some(permissions, 4));
    return `${kind} ${name} ${wanted} (${this.#expression(kind === 'mlsconstrain', 0)});`;
  }

  /** Two types bounded by a third, allowed no more than it is; constraints may still take away what it has. */
  bounds(): string[] {
    const random = this.#random;
    const { types, classes } = this.#names;
    const rules = range(random.between(2, 8)).flatMap(() => {
      const { name, permissions } = random.pick(classes);
      const [first = '', ...more] = random.some(permissions, 3);
      const other = random.pick(types);
      const child = random.pick(['child0', 'child1']);
      return random.chance(60)
        ? [`allow parent ${other}:${name} ${list([first, ...more])};`, `allow ${child} ${other}:${name} ${first};`]
        : [`allow ${other} parent:${name} ${list([first, ...more])};`, `allow ${other} ${child}:${name} ${first};`];
    });
    return ['type parent;', 'type child0;', 'type child1;', ...rules, 'typebounds parent child0, child1;'];
  }

  /** A constraint that takes from a bounding type what the bounded types keep. */
  boundConstraint(): string {
    const random = this.#random;
    const { name, permissions } = random.pick(this.#names.classes);
    const type = random.pick(['t1', 't2']);
    return `constrain ${name} ${list(random.some(permissions, 4))} (${type} != parent or u1 != u2);`;
  }

  #expression(hasLevels: boolean, depth: number): string {
    const random = this.#random;
    if (depth === 3 || random.chance(30)) return this.#comparison(hasLevels);
    if (random.chance(25)) return `not (${this.#expression(hasLevels, depth + 1)})`;
    const operator = random.pick(['and', 'or']);
    return `(${this.#expression(hasLevels, depth + 1)} ${operator} ${this.#comparison(hasLevels)})`;
  }

  #comparison(hasLevels: boolean): string {
    const random = this.#random;
    const { users, roles } = this.#names;
    if (hasLevels && random.chance(60)) {
      const sides = random.pick(['l1 l2', 'l1 h2', 'h1 l2', 'h1 h2', 'l1 h1', 'l2 h2']).split(' ');
      return sides.join(` ${random.pick(['eq', '!=', 'dom', 'domby', 'incomp'])} `);
    }
    const side = random.pick(['1', '2']);
    const equal = random.pick(['==', '!=']);
    switch (random.below(6)) {
      case 0:
        return `u1 ${equal} u2`;
      case 1:
        return `t1 ${equal} t2`;
      case 2:
        return `r1 ${random.pick(['eq', '!=', 'dom', 'domby', 'incomp'])} r2`;
      case 3:
        // The users are declared after the MLS constraints.
        return hasLevels ? 'u1 != u2' : `u${side} ${equal} ${list(random.some(users, 2))}`;
      case 4:
        return `r${side} ${equal} ${list(random.some(roles, 2))}`;
      default:
        return `t${side} ${equal} ${this.#typeNames()}`;
    }
  }

  #typeNames(): string {
    const { types, attributes } = this.#names;
    return list(this.#random.some([...types, ...attributes], 3));
  }
}

function mlsDeclarations(sensitivities: number, categories: number): string[] {
  const all = range(sensitivities).map((i) => `s${i}`);
  const set = categories > 1 ? `:c0.c${categories - 1}` : ':c0';
  return [
    ...all.map((name, i) => `sensitivity ${name}${i === 0 ? ' alias lowest' : ''};`),
    `dominance { ${all.join(' ')} }`,
    ...range(categories).map((i) => `category c${i}${i === 1 ? ' alias second' : ''};`),
    // The last sensitivity has fewer categories, where there are some: ranges may be wrong in this way too.
    ...all.map((name, i) => `level ${name}${i === sensitivities - 1 && categories > 2 ? ':c0.c1' : set};`),
  ];
}

/** The policy of a seed. Odd seeds have MLS. */
export function generatePolicy(seed: number): GeneratedPolicy {
  const random = new Choices(seed * 0x9e3779b1);
  const isMls = seed % 2 === 1;
  const names = makeNames(random);
  const { classes, types, attributes, roles, users, booleans } = names;
  const statements = new Statements(random, names);
  const sensitivities = random.between(1, 5);
  const categories = random.between(1, 12);
  const times = (count: number, make: () => string): string[] => range(count).map(make);
  const hasBounds = random.chance(40);
  const mls = (text: string): string => (isMls ? text : '');
  const lines = [
    ...classes.map(({ name }) => `class ${name}`),
    'sid xen',
    'sid unlabeled',
    ...classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    ...(isMls ? mlsDeclarations(sensitivities, categories) : []),
    ...times(isMls ? random.between(1, 4) : 0, () => statements.constraint('mlsconstrain')),
    ...attributes.map((name) => `attribute ${name};`),
    ...types.map((name, i) => {
      const alias = i === 1 ? ' alias other' : '';
      return `type ${name}${alias}, ${random.some(attributes, 3).join(', ')};`;
    }),
    ...booleans.map((name) => `bool ${name} ${random.pick(['true', 'false'])};`),
    ...roles.map((name) => `role ${name};`),
    ...roles.map((name) => `role ${name} types { ${random.some(types, 6).join(' ')} };`),
    ...times(random.between(5, 60), () => statements.vectorRule()),
    ...times(random.between(0, 12), () => statements.typeRule(['type_transition', 'type_member', 'type_change'])),
    ...times(booleans.length === 0 ? 0 : random.between(1, 6), () => statements.conditional()),
    ...times(random.between(0, 4), () => `allow ${random.pick(roles)} ${random.pick(roles)};`),
    ...roleTransitions(random, names),
    ...(isMls ? rangeTransitions(random, names, sensitivities) : []),
    ...(hasBounds ? statements.bounds() : []),
    ...(random.chance(30) ? [`permissive ${random.pick(types)};`] : []),
    ...users.map((name) => {
      const low = random.below(sensitivities);
      const span = `level s${low} range s${low} - s${random.between(low, sensitivities - 1)}:c0${categories > 1 ? '.c1' : ''}`;
      return `user ${name} roles { ${random.some(roles, 3).join(' ')} }${mls(` ${span}`)};`;
    }),
    ...times(random.between(0, 6), () => statements.constraint('constrain')),
    ...times(hasBounds ? 3 : 0, () => statements.boundConstraint()),
    `sid xen ${users[0]}:object_r:${types[0]}${mls(':s0')}`,
    `sid unlabeled ${users[0]}:object_r:${types[1]}${mls(':s0')}`,
  ];
  return { name: `random-${seed}`, text: `${lines.join('\n')}\n`, isMls };
}

function roleTransitions(random: Choices, { roles, types, classes }: Names): string[] {
  const keys = new Set<string>();
  for (let left = random.between(0, 4); left > 0; left--) {
    const tclass = random.chance(60) ? 'domain' : random.pick(classes).name;
    keys.add(`role_transition ${random.pick(roles)} ${random.pick(types)}:${tclass}`);
  }
  return [...keys].map((key) => `${key} ${random.pick(roles)};`);
}

function rangeTransitions(random: Choices, { types, classes }: Names, sensitivities: number): string[] {
  const keys = new Set<string>();
  for (let left = random.between(0, 5); left > 0; left--) {
    keys.add(`range_transition ${random.pick(types)} ${random.pick(types)}:${random.pick(classes).name}`);
  }
  return [...keys].map((key) => {
    const low = random.below(sensitivities);
    return `${key} s${low}${random.chance(50) ? ':c0' : ''} - s${random.between(low, sensitivities - 1)}:c0;`;
  });
}
