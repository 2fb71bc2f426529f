/**
 * A small policy with statements put in that stand at an edge of the language: limits of numbers, of names and of depth,
 * sets in every place that takes names, statements in unusual sections, and those of SELinux that Xen has no use for.
 *
 * `generate.ts` writes what policies say; this writes what hardly any does. About half of it is refused.
 * Start reading at `generateEdge`.
 *
 * @module
 */
import { Choices } from './choices.ts';
import type { GeneratedPolicy } from './generate.ts';

/** Where a statement is put: before the line of the base that begins so. */
const PLACES = [
  'class domain {',
  'sensitivity',
  'attribute at;',
  'allow',
  'user',
  'constrain',
  'sid xen ',
  'end',
] as const;

function base(isMls: boolean): string[] {
  const range = (text: string): string => (isMls ? text : '');
  return [
    'class domain',
    'class event',
    'class process',
    'class wide',
    'sid xen',
    'sid dom0',
    'sid spare',
    'common base { read write }',
    'class domain { create pause destroy }',
    'class event inherits base { send }',
    'class process { transition }',
    `class wide { ${Array.from({ length: 32 }, (_, i) => `w${i}`).join(' ')} }`,
    ...(isMls
      ? [
          'sensitivity s0 alias { bottom lowest };',
          'sensitivity s1;',
          'sensitivity s2 alias top;',
          'dominance { bottom s1 s2 }',
          ...Array.from({ length: 70 }, (_, i) => `category c${i}${i === 5 ? ' alias five' : ''};`),
          'level s0:c0.c69;',
          'level s1:c0.c3,c8,c60.c69;',
          'level top:c0,five;',
          'mlsconstrain domain create (l1 dom l2);',
        ]
      : []),
    'attribute at;',
    'attribute au;',
    'attribute none;',
    'type a_t, at;',
    'type b_t alias { bee b2 }, at, au;',
    'type c_t;',
    'type d_t, au;',
    'typealias c_t alias see;',
    'bool on true;',
    'bool off false;',
    'bool third false;',
    'tunable tune true;',
    'attribute_role ra;',
    'role r;',
    'role q, ra;',
    'role z;',
    'role r types { a_t b_t c_t d_t };',
    'role q types at;',
    'allow a_t b_t:domain create;',
    'allow at self:event { read send };',
    `user u roles r${range(' level s0 range s0 - s0:c0.c69')};`,
    `user v roles { r q }${range(' level s1 range s1 - s1:c1,c8')};`,
    'constrain domain pause (u1 == u2 or t1 == at);',
    `sid xen u:r:a_t${range(':s0')}`,
    `sid dom0 u:r:b_t${range(':s0 - s0:c0.c69')}`,
    'end',
  ];
}

/** Names of every kind, and some of none. */
const NAMES = {
  type: ['a_t', 'b_t', 'c_t', 'd_t', 'bee', 'see', 'at', 'au', 'none', 'self', 'nobody', 'r', 'on', '*', 'domain', 'u'],
  role: ['r', 'q', 'z', 'ra', 'object_r', 'nobody', 'a_t', '*', 'u'],
  class: ['domain', 'event', 'process', 'wide', 'nobody', 'base', '*'],
  user: ['u', 'v', 'nobody', 'r', '*'],
  permission: ['create', 'pause', 'read', 'write', 'send', 'transition', 'w0', 'w31', 'nothing', '*'],
  boolean: ['on', 'off', 'third', 'tune', 'nobody', 'a_t'],
} as const;

/** Writes the odd statements. */
class EdgeWriter {
  readonly #choices: Choices;
  readonly #isMls: boolean;

  constructor(choices: Choices, isMls: boolean) {
    this.#choices = choices;
    this.#isMls = isMls;
  }

  /** Mostly a name that fits: the first few of its kind. */
  #name(kind: keyof typeof NAMES): string {
    const names: readonly string[] = NAMES[kind];
    return this.#choices.chance(85)
      ? (names[this.#choices.below(Math.min(4, names.length - 2))] ?? '')
      : this.#choices.pick(names);
  }

  /** A set of names as any place may be given one. */
  #set(kind: keyof typeof NAMES, depth = 0): string {
    const choices = this.#choices;
    const one = (): string => (depth < 2 && choices.chance(15) ? this.#set(kind, depth + 1) : this.#name(kind));
    switch (choices.below(24)) {
      case 0:
      case 5:
      case 6:
      case 7:
        return `{ ${one()} ${one()} }`;
      case 1:
        return `{ ${one()} -${one()} }`;
      case 2:
        return `~${one()}`;
      case 3:
        return `~{ ${one()} ${one()} }`;
      case 4:
        return choices.pick([
          '*',
          '{ }',
          '{ * }',
          `{ ${one()} * }`,
          `{ ~${one()} }`,
          `-${one()}`,
          `{ -${one()} }`,
          `${one()} ${one()}`,
        ]);
      case 8:
        return `${one()} - ${one()}`;
      default:
        return one();
    }
  }

  #number(): string {
    const choices = this.#choices;
    const near = choices.pick([
      0n,
      16n,
      255n,
      0xffffn,
      0x7fffffffn,
      0xffffffffn,
      1n << 44n,
      1n << 52n,
      (1n << 63n) - 1n,
      (1n << 64n) - 1n,
      1n << 64n,
      1n << 70n,
    ]);
    const value = near + BigInt(choices.between(0, 2)) - (near === 0n ? 0n : 1n);
    return choices.pick(
      [
        String(value),
        `0x${value.toString(16)}`,
        `0X${value.toString(16)}`,
        `0x${value.toString(16).toUpperCase()}`,
        `0${value.toString(8)}`,
        `00${value}`,
        '08',
        '0x',
        `${value}k`,
        `-${value}`,
        `+${value}`,
        `${value}.0`,
        '1e3',
      ].slice(0, choices.chance(80) ? 5 : 13),
    );
  }

  #level(): string {
    const choices = this.#choices;
    const categories = choices.pick([
      '',
      '',
      ':c0',
      ':c0.c3',
      ':c0,c3,c1',
      ':c69',
      ':c0.c69',
      ':c60.c69',
      ':c4',
      ':five',
      ':c3.five',
      ':c3.c1',
      ':c1.c1',
      ':c0.c3,c2.c9',
      ':c70',
      ':',
      ':c1,,c2',
      ':c0 , c1',
      ':c0. c3',
      ':s0',
    ]);
    return choices.pick(['s0', 's0', 's1', 's2', 'bottom', 'lowest', 'top', 's3']) + categories;
  }

  #range(): string {
    const choices = this.#choices;
    return choices.pick([
      this.#level(),
      `${this.#level()} - ${this.#level()}`,
      `${this.#level()}-${this.#level()}`,
      `s0 - ${this.#level()}`,
    ]);
  }

  #context(): string {
    const choices = this.#choices;
    const range = this.#isMls ? `:${choices.chance(60) ? 's0' : this.#range()}` : choices.once(25) ? ':s0' : '';
    const colon = choices.pick([':', ':', ':', ' : ', ': ']);
    return `${this.#name('user')}${colon}${choices.pick(['r', 'object_r', 'q', 'z', this.#name('role')])}${colon}${this.#name('type')}${range}`;
  }

  /** A name of about this many characters. */
  #long(): string {
    const choices = this.#choices;
    const length = choices.pick([1, 127, 128, 254, 255, 256, 257, 1023, 1024, 4096, 9000]);
    return 'n'.repeat(length);
  }

  #chain(words: readonly string[], operators: readonly string[], count: number): string {
    const choices = this.#choices;
    const side = choices.below(3);
    let text = choices.pick(words);
    for (let i = 1; i < count; i++) {
      const operator = choices.pick(operators);
      const word = choices.pick(words);
      text =
        side === 0
          ? `${text} ${operator} ${word}`
          : side === 1
            ? `(${text}) ${operator} ${word}`
            : `${word} ${operator} (${text})`;
      if (choices.once(5)) text = `${choices.pick(['!', 'not ', 'NOT '])}(${text})`;
    }
    return text;
  }

  #condition(): string {
    const choices = this.#choices;
    const words = choices.chance(80) ? ['on', 'off', 'third'] : [...NAMES.boolean];
    const operators = ['&&', '||', '^', '==', '!=', 'and', 'or', 'xor', 'eq', 'neq'].slice(
      0,
      choices.chance(80) ? 9 : 10,
    );
    const text = this.#chain(words, operators, choices.pick([1, 2, 3, 9, 10, 11, 12]));
    const deep = choices.pick([0, 0, 1, 10, 40]);
    return '('.repeat(deep) + text + ')'.repeat(deep);
  }

  #rule(): string {
    const choices = this.#choices;
    switch (choices.below(9)) {
      case 0:
        return `${choices.pick(['type_transition', 'type_change', 'type_member'])} ${this.#set('type')} ${this.#set('type')}:${this.#set('class')} ${this.#name('type')};`;
      case 1:
        return `type_transition ${this.#set('type')} ${this.#set('type')}:${this.#set('class')} ${this.#name('type')} ${choices.pick(['"f"', '"a b"', '""', `"${this.#long()}"`, 'f', '"/x"', '"*"', '"a\\"b"'])};`;
      case 2:
        return `neverallow ${this.#set('type')} ${this.#set('type')}:${this.#set('class')} ${this.#set('permission')};`;
      default:
        return `${choices.pick(['allow', 'allow', 'allow', 'auditallow', 'dontaudit', 'auditdeny'])} ${this.#set('type')} ${this.#set('type')}${choices.pick([':', ' : ', ':'])}${this.#set('class')} ${this.#set('permission')};`;
    }
  }

  #term(): string {
    const choices = this.#choices;
    const side = choices.pick(['1', '2', '3']);
    const equal = choices.pick(['==', '!=', 'eq', 'dom', 'domby', 'incomp']);
    switch (choices.below(8)) {
      case 0:
        return `u${side} ${equal} ${choices.pick([`u${choices.pick(['1', '2', '3'])}`, this.#set('user')])}`;
      case 1:
        return `r${side} ${equal} ${choices.pick([`r${choices.pick(['1', '2', '3'])}`, this.#set('role')])}`;
      case 2:
        return `t${side} ${equal} ${choices.pick([`t${choices.pick(['1', '2', '3'])}`, this.#set('type')])}`;
      case 3:
        return `${choices.pick(['l1', 'h1', 'l2', 'h2', 'l3'])} ${equal} ${choices.pick(['l1', 'h1', 'l2', 'h2'])}`;
      case 4:
        return choices.pick(['sameuser', 'role dom', 'role eq', 'SAMEUSER', 'role domby', 'user eq', 'type eq']);
      case 5:
        return `${choices.pick(['source', 'target'])} ${choices.pick(['role', 'type', 'user'])} ${this.#set(choices.pick(['role', 'type', 'user']))}`;
      default:
        return choices.pick(['u1 == u2', 't1 == a_t', 'r1 == r', 'r1 dom r2']);
    }
  }

  #constraint(words: readonly string[]): string {
    const choices = this.#choices;
    const count = choices.pick([1, 1, 1, 2, 3, 4, 5, 6, 7]);
    const terms = Array.from({ length: count }, () =>
      choices.chance(70) ? choices.pick(['u1 == u2', 't1 == a_t', 'r1 == r']) : this.#term(),
    );
    const text = this.#chain(
      terms,
      choices.pick([['and'], ['or', 'and'], ['&&', '||'], ['and', choices.once(9) ? 'xor' : 'or']]),
      count,
    );
    const word = choices.pick(words);
    const permissions = word.endsWith('trans') && choices.chance(90) ? '' : ` ${this.#set('permission')}`;
    return `${word} ${this.#set('class')}${permissions} ${choices.chance(80) ? `(${text})` : text};`;
  }

  #device(): string {
    const choices = this.#choices;
    const range = (): string =>
      choices.pick([
        this.#number(),
        `${this.#number()}-${this.#number()}`,
        `${this.#number()} - ${this.#number()}`,
        `0x10-0x2${choices.below(9)}`,
        `${choices.below(90)}`,
      ]);
    const one = (): string =>
      choices.pick([
        `pirqcon ${choices.pick([this.#number(), String(choices.below(8)), range()])}`,
        `iomemcon ${range()}`,
        `ioportcon ${range()}`,
        `pcidevicecon ${choices.pick([this.#number(), String(choices.below(8)), '0000:00:19.0', range()])}`,
        `devicetreecon ${choices.pick(['/a', '/a/b@1000', '"/a b"', '"/"', '/', 'a', '""', '"a"', `/${this.#long()}`, '/a:b', '/a,b', '/a"b', '/a-b_c.d+e'])}`,
      ]);
    return Array.from({ length: choices.between(1, 3) }, () => `${one()} ${this.#context()}`).join('\n');
  }

  /** Statements that SELinux has and Xen does not. */
  #foreign(): string {
    const context = this.#context();
    return this.#choices.pick([
      `fs_use_xattr ext4 ${context};`,
      `fs_use_task pipefs ${context};`,
      `fs_use_trans devpts ${context};`,
      `genfscon proc / ${context}`,
      `genfscon proc /sys -d ${context}`,
      `portcon tcp 80 ${context}`,
      `portcon udp 1-10 ${context}`,
      `netifcon eth0 ${context} ${context}`,
      `nodecon 10.0.0.1 255.0.0.0 ${context}`,
      `nodecon ::1 ffff:: ${context}`,
      `fscon 1 2 ${context} ${context}`,
      `ibpkeycon fe80:: 0-0x10 ${context}`,
      `ibendportcon mlx4_0 1 ${context}`,
      'allowxperm a_t b_t:domain ioctl 0x10;',
      'auditallowxperm a_t b_t:domain ioctl { 0x10 - 0x20 };',
      'module m 1.0;',
      'policy_module(m, 1.0)',
      'require { type a_t; }',
      'optional { require { type nobody; } allow a_t nobody:domain create; }',
      'optional { require { type a_t; class domain create; } allow a_t a_t:domain create; } else { type e_t; }',
      'inherits base;',
      'context u:r:a_t',
      'handle_unknown allow;',
      'target xen;',
    ]);
  }

  #declaration(): string {
    const choices = this.#choices;
    const name = choices.pick([
      'new_t',
      'a_t',
      'at',
      'r',
      'on',
      'domain',
      'object_r',
      this.#long(),
      'n.m',
      'a_t.n',
      'self',
      'x-',
      '1x',
      '_x',
      'n:m',
      'fe80',
      '1.2',
    ]);
    switch (choices.below(16)) {
      case 0:
        return `type ${name}${choices.pick(['', ', at', ', at, au', ' alias other', ' alias { other more }, at', ', none, none', ' alias {}', ', a_t', ' alias new_t'])};`;
      case 1:
        return `typealias ${this.#name('type')} alias ${choices.pick([name, '{ other more }', 'bee', 'at', 'other'])};`;
      case 2:
        return `typeattribute ${this.#set('type')} ${choices.pick(['at', 'au', 'at, none', 'a_t', 'nobody', 'at au', '{ at au }'])};`;
      case 3:
        return `attribute ${name};`;
      case 4:
        return `bool ${name} ${choices.pick(['true', 'false', 'TRUE', 'yes', '1', ''])};`;
      case 5:
        return `role ${choices.pick([name, 'r', 'q', 'ra', 'object_r'])}${choices.pick(['', ', ra', ' types a_t', ` types ${this.#set('type')}`, ', nobody', ' types'])};`;
      case 6:
        return `attribute_role ${name};`;
      case 7:
        return `roleattribute ${this.#set('role')} ${choices.pick(['ra', 'q', 'nobody', 'ra, ra'])};`;
      case 8:
        return `dominance { ${choices.pick(['role r { role q; }', 'role n { role r; role q { role z; } }', 'role r;', 'role r { }', 'role ra { role r; }', 'role object_r { role r; }', 'role n; role m;', 's0 s1', 'role n { role n; }'])} }`;
      case 9:
        return `expandattribute ${this.#set('type')} ${choices.pick(['true', 'false', 'maybe'])};`;
      case 10:
        return `permissive ${this.#set('type')};`;
      case 11:
        return `typebounds ${this.#name('type')} ${choices.pick(['c_t', 'd_t', 'c_t, d_t', 'a_t', 'at', '{ c_t d_t }', 'c_t d_t'])};`;
      case 12:
        return `policycap ${choices.pick(['open_perms', 'network_peer_controls', 'nothing', 'OPEN_PERMS', 'always_check_network', 'ioctl_skip_cloexec', 'cgroup_seclabel', 'genfs_seclabel_symlinks', 'redhat1'])};`;
      case 13:
        return `tunable ${name} ${choices.pick(['true', 'false'])};`;
      case 14:
        return `role_transition ${this.#set('role')} ${this.#set('type')}${choices.pick(['', ':process', ':domain', ':{ domain event }', ':nobody', ':*'])} ${this.#name('role')};`;
      default:
        return `allow ${this.#set('role')} ${this.#set('role')};`;
    }
  }

  #early(): string {
    const choices = this.#choices;
    const name = choices.pick(['new', 'domain', 'base', 'xen', this.#long()]);
    const permissions = (count: number): string => `{ ${Array.from({ length: count }, (_, i) => `n${i}`).join(' ')} }`;
    return choices.pick([
      `class ${name}`,
      `class ${name} ${permissions(choices.pick([1, 31, 32, 33]))}`,
      `common ${name} ${permissions(choices.pick([1, 31, 32, 33]))}`,
      `common ${name} { }`,
      `class process inherits base`,
      `class process inherits nobody { x }`,
      `class spare inherits base ${permissions(choices.pick([29, 30, 31]))}\nclass spare`,
      `class domain { create }`,
      `class domain { more more }`,
      `sid ${name}`,
      `class new\nclass new inherits base ${permissions(choices.pick([1, 30, 31]))}`,
      `default_user ${this.#set('class')} ${choices.pick(['source', 'target', 'both'])};`,
      `default_role ${this.#set('class')} ${choices.pick(['source', 'target'])};`,
      `default_type ${this.#set('class')} ${choices.pick(['source', 'target'])};`,
      `default_range ${this.#set('class')} ${choices.pick(['source low', 'source high', 'source low-high', 'target low', 'target high', 'target low-high', 'glblub', 'source', 'low', 'source low high'])};`,
    ]);
  }

  #mls(): string {
    const choices = this.#choices;
    return choices.pick([
      `sensitivity ${choices.pick(['s3', 's0', 'bottom', 'top', this.#long()])}${choices.pick(['', ' alias x', ' alias lowest', ' alias { x y }'])};`,
      `category ${choices.pick(['c70', 'c0', 'five', 's0', this.#long()])}${choices.pick(['', ' alias x', ' alias five', ' alias { x x }'])};`,
      `level ${this.#level()};`,
      `dominance { s0 s1 s2 }`,
      `dominance ${choices.pick(['s0', '{ s0 }', '{ s2 s1 s0 }', '{ s0 s1 s2 s3 }', '{ }'])}`,
      `range_transition ${this.#set('type')} ${this.#set('type')}${choices.pick(['', ':process', `:${this.#set('class')}`])} ${this.#range()};`,
    ]);
  }

  #user(): string {
    const choices = this.#choices;
    const name = choices.pick(['w', 'u', 'u.w', 'v', this.#long()]);
    const range =
      this.#isMls && choices.chance(95)
        ? ` level ${this.#level()} range ${this.#range()}`
        : choices.once(20)
          ? ' level s0 range s0'
          : '';
    return `user ${name} roles ${this.#set('role')}${range};`;
  }

  #block(): string {
    const choices = this.#choices;
    const inner = (): string =>
      Array.from({ length: choices.below(3) }, () =>
        choices.chance(85)
          ? this.#rule()
          : choices.pick([this.#declaration(), 'if (on) { }', 'require { type a_t; }', ';', this.#user()]),
      ).join(' ');
    const otherwise = choices.pick(['', '', ` else { ${inner()} }`, ` else if (off) { ${inner()} }`]);
    return `if ${choices.chance(95) ? `(${this.#condition()})` : this.#condition()} { ${inner()} }${otherwise}`;
  }

  #oddity(): string {
    return this.#choices.pick([
      ';',
      ';;',
      '#',
      '#line 7 "x"',
      '#line 99999999999 "x"',
      '#line -1',
      '#line',
      '# comment \\',
      '\r',
      '\f',
      '\v',
      '\xff',
      '"x"',
      '"',
      '.',
      '\\',
      '@',
      '$1',
      "`x'",
      '/* x */',
      '// x',
      '::1',
      '1.2.3.4',
      '0x10',
      '{',
      '}',
    ]);
  }

  #labels(): string {
    const choices = this.#choices;
    return choices.pick([
      `sid ${choices.pick(['spare', 'xen', 'dom0', 'nobody'])} ${this.#context()}`,
      `sid spare ${this.#context()};`,
      'sid spare',
    ]);
  }

  /** A statement, and the place where it belongs; one time in twelve another place. */
  statement(): { readonly text: string; readonly place: string } {
    const choices = this.#choices;
    const kinds: readonly (readonly [string, () => string])[] = [
      ['end', () => this.#device()],
      ['end', () => this.#device()],
      ['end', () => this.#labels()],
      [choices.chance(50) ? 'end' : 'user', () => this.#foreign()],
      ['user', () => this.#declaration()],
      ['user', () => this.#declaration()],
      ['user', () => this.#declaration()],
      ['user', () => this.#rule()],
      ['user', () => this.#rule()],
      ['user', () => this.#block()],
      ['user', () => this.#block()],
      [this.#isMls ? 'sensitivity' : 'attribute at;', () => this.#early()],
      [
        choices.chance(70) ? 'attribute at;' : 'user',
        () => (this.#isMls || choices.once(10) ? this.#mls() : this.#declaration()),
      ],
      ['constrain', () => this.#user()],
      ['sid xen ', () => this.#constraint(['constrain', 'constrain', 'validatetrans'])],
      [this.#isMls ? 'attribute at;' : 'sid xen ', () => this.#constraint(['mlsconstrain', 'mlsvalidatetrans'])],
      [choices.pick(PLACES), () => this.#oddity()],
    ];
    const [place, write] = choices.pick(kinds);
    return { text: write(), place: choices.once(12) ? choices.pick(PLACES) : place };
  }
}

/** The policy of a seed: the base with one to three odd statements; one in two is for MLS. */
export function generateEdge(seed: number): GeneratedPolicy {
  const choices = new Choices(seed);
  const isMls = choices.chance(50);
  const writer = new EdgeWriter(choices, isMls);
  const lines = base(isMls);
  for (let times = choices.pick([1, 1, 1, 2, 3]); times > 0; times--) {
    const { text, place } = writer.statement();
    const at = lines.findIndex((line) => line.startsWith(place));
    lines.splice(at === -1 ? lines.length : at, 0, text);
  }
  const whole = lines.filter((line) => line !== 'end').join('\n');
  return { text: choices.chance(90) ? `${whole}\n` : whole, isMls };
}
