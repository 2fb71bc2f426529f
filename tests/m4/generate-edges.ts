/**
 * Short macro texts at the edges of m4: each builtin with arguments that it hardly ever gets, quotes and comments of any
 * length, texts that end too early.
 *
 * `generate.ts` nests what policies use; this asks for what the manual leaves open.
 *
 * @module
 */
import { Random } from '@dewar/testkit';

const NUMBERS = [
  '0',
  '1',
  '-1',
  '+3',
  ' 4',
  '5 ',
  '',
  '-',
  '2147483647',
  '2147483648',
  '-2147483648',
  '-2147483649',
  '4294967296',
  '99999999999999999999',
  '0x1f',
  '010',
  '08',
  '1e3',
  'x',
  '3x',
];

const OPERATORS = [
  '+',
  '-',
  '*',
  '/',
  '%',
  '**',
  '<<',
  '>>',
  '>>>',
  '<',
  '<=',
  '>',
  '>=',
  '==',
  '!=',
  '=',
  '&',
  '^',
  '|',
  '&&',
  '||',
  ',',
];

const OPERANDS = [
  '0',
  '1',
  '2',
  '7',
  '31',
  '32',
  '33',
  '0x7fffffff',
  '2147483648',
  '-2147483648',
  '0xffffffff',
  '017',
  '08',
  '0b101',
  '0r36:z',
  '0r2:102',
  '0r1:111',
  '',
  'x',
  '99999999999',
];

const TEXTS = [
  '',
  'a',
  'abc',
  'aXbXc',
  'a b',
  '  a',
  'a\nb',
  '\t',
  'a.b*c',
  '\\',
  '[',
  'é\xe9',
  '\x01',
  '-',
  'a-z',
  'z-a',
  '\r\n',
  '(',
  "`q'",
  'x,y',
  '#c',
  '$1',
];

// Not `\(a*\)*`: whether its group holds the last turn, which is empty, glibc decides as nobody would guess.
const PATTERNS = [
  '',
  '.',
  'a',
  'X',
  'a*',
  'a+',
  'a?',
  '\\(a\\|b\\)',
  '\\(\\)',
  '[',
  '[]',
  '[]a]',
  '[^]a]',
  '[a-',
  '[z-a]',
  '[[:alpha:]]',
  '[[:space:]]+',
  '\\',
  '\\<',
  '\\>',
  '\\b',
  '\\B',
  '\\`',
  "\\'",
  '^',
  '$',
  '^a',
  'c$',
  'a^b',
  'a$b',
  '*',
  '\\(*a\\)',
  '+',
  'a\\{2\\}',
  'a{2}',
  'a\\{1,\\}',
  '\\(a\\)\\1',
  '\\2',
  '\\w',
  '\\W\\w',
  '\\(',
  'a\\)',
  'x\\|',
  '\\|x',
  '\\s',
  '.*',
  '[\\]',
  '[a\\]b]',
  '\\n',
];

const REPLACEMENTS = ['', '<\\&>', '\\1', '\\0', '\\2', '\\', '\\\\', '&', '\\n', '-', '\\(\\1\\)'];

const FORMATS = [
  '%d',
  '%i',
  '%5d',
  '%-5d|',
  '%05d',
  '%+d',
  '% d',
  '%x',
  '%X',
  '%#x',
  '%#o',
  '%o',
  '%u',
  '%c',
  '%5c',
  '%s',
  '%5s',
  '%-5s|',
  '%.2s',
  '%.0s',
  '%*d',
  '%-*d|',
  '%.*s',
  '%*.*s',
  '%ld',
  '%hd',
  '%hhd',
  '%lld',
  '%f',
  '%.3f',
  '%e',
  '%G',
  '%a',
  '%%',
  '%',
  '%5%',
  '%z',
  '%n',
  '%p',
  '%1$s',
  "%'d",
  '%s%s%s',
  'none',
  '%.',
  '%5',
  '%-',
  '%0-5d|',
  '%+.3d',
];

const SETS = [
  '',
  'a',
  'abc',
  'a-c',
  'c-a',
  '-a',
  'a-',
  'a-c-e',
  'A-Z',
  '0-9',
  '^a',
  'aa',
  'a\\-c',
  ' -~',
  '--a',
  '\xe9',
];

const QUOTES = [
  '',
  '[,]',
  '<<,>>',
  "`,'",
  '(,)',
  'a,b',
  '{',
  '",',
  '","',
  '[',
  '<,>>',
  '[[,]]',
  'q,q',
  ',',
  '#,#',
  '$,$',
  "''",
  '_,_',
  '\x01,\x02',
];

const COMMENTS = ['', '%', '%,%', '/*,*/', '#', 'a', '#,!', ',', '`', "`,'", '<!--,-->', '(,)', 'x,\n'];

/** Writes one text. */
class EdgeWriter {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  #quoted(text: string): string {
    return this.#random.once(8) ? text : `\`${text}'`;
  }

  #some(values: readonly string[]): string {
    return this.#quoted(this.#random.pick(values));
  }

  #expression(depth = 0): string {
    const random = this.#random;
    if (depth > 3 || random.once(3)) return random.pick(OPERANDS);
    switch (random.below(6)) {
      case 0:
        return `(${this.#expression(depth + 1)})`;
      case 1:
        return `${random.pick(['-', '+', '!', '~', '- -', '!!'])}${this.#expression(depth + 1)}`;
      case 2:
        return random.pick([
          '(',
          ')',
          '1 2',
          '+',
          '1 +',
          '()',
          '&',
          '2 ** -1',
          '0 ** 0',
          '0 ** -1',
          '-2147483648 / -1',
          '-2147483648 % -1',
          '1 / 0',
          '0 && 1/0',
          '1 || 1/0',
          '5 ? 1 : 2',
        ]);
      default:
        return `${this.#expression(depth + 1)}${random.pick(['', ' '])}${random.pick(OPERATORS)}${random.pick(['', ' ', '\n'])}${this.#expression(depth + 1)}`;
    }
  }

  #call(): string {
    const random = this.#random;
    const text = (): string => this.#some(TEXTS);
    const number = (): string => random.pick(NUMBERS);
    const maybe = (value: () => string): string => (random.once(2) ? '' : `,${value()}`);
    switch (random.below(28)) {
      case 0:
        return `eval(${this.#quoted(this.#expression())}${maybe(() => random.pick(['2', '8', '16', '36', '37', '0', '', '-2', 'x']))}${maybe(() => random.pick(['', '5', '0', '-1', 'x', '40']))})`;
      case 1:
      case 2:
        return `eval(${this.#quoted(this.#expression())})`;
      case 3:
        return `format(${this.#some(FORMATS)}${maybe(() => random.pick(NUMBERS.filter((one) => one.length < 4)))}${maybe(() => random.pick(['abc', '1.5', '-2', '']))}${maybe(text)})`;
      case 4:
        return `format(${this.#some(FORMATS)},${random.pick(['65', '1.5', '-7', 'abc', '3'])},${random.pick(['8', 'x', '2.25'])},z)`;
      case 5:
      case 6:
        return `regexp(${text()},${this.#some(PATTERNS)}${maybe(() => this.#some(REPLACEMENTS))})`;
      case 7:
      case 8:
        return `patsubst(${text()},${this.#some(PATTERNS)}${maybe(() => this.#some(REPLACEMENTS))})`;
      case 9:
        return `translit(${text()},${this.#some(SETS)}${maybe(() => this.#some(SETS))})`;
      case 10:
        return `substr(${text()},${random.pick(['0', '1', '-1', '3', '40', 'x', '', '2147483648'])}${maybe(() => random.pick(['0', '1', '-1', '40', 'x', '']))})`;
      case 11:
        return `index(${text()},${text()})len(${text()})`;
      case 12:
        return `changequote(${random.pick(QUOTES)})${random.pick(["`a'", '[b]', '<<c>>', 'd', 'aXb'])} ${random.pick(["`a'", '[m1]', '<<m1>>', 'm1', 'q m1 q', '"m1"'])}changequote changequote(\`,')`;
      case 13:
        return `changecom(${random.pick(COMMENTS)})${random.pick(['# m1\n', '% m1\n', '/* m1 */', '#m1! m1', '(m1) m1', 'a m1\n'])}changecom`;
      case 14:
        return `ifelse(${Array.from({ length: random.below(9) }, () => random.pick(['a', 'a', 'b', '', "`m1'"])).join(',')})`;
      case 15:
        return `define(\`m${random.below(3)}',${this.#some(['$1', '$0', '$#', '$*', '$@', '$-1', '$', '$$1', '$12', '$1$2', "`$1'", '$@$@', 'm1', '[$1]', '$01', '$1x', '\\$1', '$ 1', '$1,', 'shift($@)'])})`;
      case 16:
        return `${random.pick(['m0', 'm1', 'm2'])}${random.pick(['', '()', '(a)', '(a,b)', '( a , b )', "(`a,b')", '((a,b),c)', '(\n a)', '(,,)', ' (a)', "(`', a)"])}`;
      case 17:
        return `${random.pick(['pushdef', 'define'])}(${random.pick(["`m1'", "`a b'", "`'", "`1x'", "`m1',`x',`y'", "defn(`len')", "`my',defn(`len')", "`my',defn(`len',`m1')", "`my',defn(`m1')defn(`m1')", "`my'"])})my(abc)indir(\`a b')`;
      case 18:
        return random.pick([
          "popdef(`m1')",
          "popdef(`m1',`m2')",
          "undefine(`m1',`m2')",
          'undefine()',
          'popdef',
          "undefine(`len')len(a)",
          "ifdef(`m1',y,n)",
          "ifdef(`m1')",
          'ifdef()',
          "defn(`m1')",
          "defn(`m1',`m2')",
          'defn()',
          "defn(`nothing')",
        ]);
      case 19:
        return random.pick([
          "indir(`m1')",
          "indir(`m1',a,b)",
          "indir(`len',abc)",
          "indir(`nothing',1)",
          'indir',
          "builtin(`len',abc)",
          "builtin(`nothing')",
          "builtin(`define',`m1',`z')m1",
          'builtin',
          "builtin(`m1')",
          "builtin(`eval',1+1)",
          "indir(`define',`m2',`y')m2",
        ]);
      case 20:
        return `divert(${random.pick(['1', '2', '-1', '0', '', '-5', '100', 'x', '1000000'])})${random.pick(['text', 'm1', '\n'])}${random.pick(['', 'divert', 'divert(0)', 'undivert', 'undivert(1,2)', 'undivert(0)', 'undivert(-1)', 'undivert()', 'undivert(x)', 'divnum'])}`;
      case 21:
        return random.pick(['dnl', 'dnl ', 'dnl(a)x\n', 'dnl\\\n', 'dnl`\n', "dnl'\n", "m1`'dnl x\ny"]);
      case 22:
        return `m4wrap(${this.#quoted(random.pick(['m1', 'm1(a)', "m4wrap(`z')y", '__line__', 'dnl', 'a\n', 'divnum', '# c', '`', 'm1(']))})`;
      case 23:
        return random.pick([
          '__file__',
          '__line__',
          '__file__(a)',
          '__gnu__',
          '__unix__',
          '__windows__',
          '__os2__',
          'incr',
          'incr()',
          'decr(x)',
          `incr(${number()})`,
          `decr(${number()})`,
          'len',
          'len()',
          'shift',
          'shift()',
          'shift(a)',
          "shift(`a',`m1')",
          'shift(a,b,c)',
          'errprint(a,b)',
          'errprint',
          "sinclude(`no such file')",
          "include(`no such file')",
          'sinclude',
          "traceon(`m1')m1(a)traceoff",
          "debugmode(`t')",
          "dumpdef(`m1')",
          'sysval',
          'm4exit',
          'm4exit(3)',
          'm4exit(x)',
          'm4exit(-1)',
          'm4exit(256)',
        ]);
      case 24:
        return random.pick([
          '`',
          "'",
          '``',
          "''",
          "`a''",
          "``a'",
          'm1(',
          'm1(a',
          "m1(`a'",
          "define(`m1',",
          '#',
          '# `\n',
          "#'\n",
          '(',
          ')',
          ',',
          '$1',
          '$',
          '\\',
          '"',
          "`#'m1",
          'm1#m1\n',
        ]);
      default:
        return random.pick(TEXTS);
    }
  }

  write(): string {
    const random = this.#random;
    let text = random.once(3) ? "define(`m1',`<$1|$2>')define(`m2',`m1')dnl\n" : '';
    for (let i = random.below(5) + 1; i > 0; i--) text += this.#call() + random.pick(['', '\n', ' ', '\n', ';\n']);
    return random.once(5) ? text : `${text}\n`;
  }
}

/** One macro text for a seed, or a second file behind it. */
export function generateEdgeTexts(seed: number): readonly string[] {
  const random = new Random(seed);
  const texts = [new EdgeWriter(random).write()];
  if (random.once(5)) texts.push(new EdgeWriter(random).write());
  return texts;
}
