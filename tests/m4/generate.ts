/**
 * Random macro texts within the builtins that Dewar has. Bodies call only macros of a lower rank, so that nearly all
 * of them come to an end.
 *
 * @module
 */
import { Random } from '@dewar/testkit';

const PLAIN = ['allow', 'x', 'y', 'domain', 'a_t', 'index', 'len', 'shift', 'b1', '_', 'define', 'format'];
const BLANKS = [' ', ' ', ' ', '\n', '\t', '\n\n', '  '];
const SIGNS = [';', ':', '{', '}', '-', '~', '*', '.', '$', '$$', '"', '@', '\\', '/'];
const PATTERNS = ['a', 'x*', '[a-c]', '\\(a\\)', '\\w+', '^', '$', 'a\\|b', '[^ ]*', '\\b', '\\(x\\|y\\)*', '.', ''];
const EXPRESSIONS = [
  '1+2',
  '2*3-4',
  '(1<<4)|1',
  '7/2',
  '-7%3',
  '1==2',
  '!0',
  '2**10',
  '~5',
  '0x1f',
  '017',
  '1 && 0',
  '1/0',
];
const FORMATS = ['%d', '%5d', '%-5s|', '%05d', '%x', '%s-%s', '%c', '%.2f', '%e', '%g', '%%', '%+d', '%3.1s'];

class Generator {
  readonly #random: Random;
  #budget = 60;

  constructor(random: Random) {
    this.#random = random;
  }

  #macro(rank: number): string {
    return `m${this.#random.below(Math.max(1, rank))}`;
  }

  #number(): string {
    return String(this.#random.below(12) - 3);
  }

  #quoted(rank: number, depth: number, isBody: boolean): string {
    return `\`${this.#text(rank, depth + 1, isBody)}'`;
  }

  #argument(rank: number, depth: number, isBody: boolean): string {
    const random = this.#random;
    const blank = random.once(4) ? random.pick(BLANKS) : '';
    if (random.once(2)) return blank + this.#quoted(rank, depth, isBody);
    return blank + this.#text(rank, depth + 1, isBody);
  }

  #arguments(rank: number, depth: number, isBody: boolean): string {
    const count = this.#random.below(5);
    return Array.from({ length: count }, () => this.#argument(rank, depth, isBody)).join(',');
  }

  #definition(rank: number, depth: number): string {
    const random = this.#random;
    const target = random.below(10);
    const verb = random.pick(['define', 'define', 'define', 'pushdef']);
    return `${verb}(\`m${target}', ${random.once(5) ? '' : this.#quoted(Math.min(rank, target), depth, true)})`;
  }

  #builtin(rank: number, depth: number, isBody: boolean): string {
    const random = this.#random;
    const some = (): string => this.#argument(rank, depth, isBody);
    switch (random.below(24)) {
      case 0:
        return `ifelse(${some()},${some()},${some()},${some()})`;
      case 1:
        return `ifelse(${this.#arguments(rank, depth, isBody)})`;
      case 2:
        return `ifdef(\`${this.#macro(10)}',${some()},${some()})`;
      case 3:
        return `shift(${this.#arguments(rank, depth, isBody)})`;
      case 4:
        return `incr(${this.#number()})`;
      case 5:
        return `decr(${this.#number()})`;
      case 6:
        return `len(${some()})`;
      case 7:
        return `index(${some()},\`${random.pick(['a', 'x', '', 'do'])}')`;
      case 8:
        return `substr(${some()},${this.#number()}${random.once(2) ? '' : `,${this.#number()}`})`;
      case 9:
        return `translit(${some()},\`${random.pick(['a-z', 'xy', 'a-c_', '-a', 'z-x'])}',\`${random.pick(['A-Z', 'q', '', '1-9'])}')`;
      case 10:
        return `eval(${random.pick(EXPRESSIONS)}${random.once(4) ? `,${random.pick(['2', '16', '1', '37', '8'])},${this.#number()}` : ''})`;
      case 11:
        return `dnl${random.pick([' gone\n', '\n', random.once(40) ? ' m1 `\n' : ' m1\n', '()\n'])}`;
      case 12:
        return `undefine(\`${this.#macro(10)}')`;
      case 13:
        return `popdef(\`${this.#macro(10)}')`;
      case 14:
        return `divert(${random.pick(['1', '2', '-1', '0', '', '0', '0'])})`;
      case 15:
        return random.pick(['undivert', 'undivert(1)', 'divnum', 'divert', 'undivert(2,1)']);
      case 16:
        return random.pick(['__line__', '__file__', '__gnu__', '__line__(1)']);
      case 17:
        return `indir(\`${this.#macro(rank)}',${this.#arguments(rank, depth, isBody)})`;
      case 18:
        return `defn(\`${this.#macro(10)}')`;
      case 19:
        return `regexp(${some()},\`${random.pick(PATTERNS)}'${random.once(2) ? '' : ",`<\\&\\1>'"})`;
      case 20:
        return `patsubst(${some()},\`${random.pick(PATTERNS)}',\`${random.pick(['', '<\\&>', '-'])}')`;
      case 21:
        return `format(\`${random.pick(FORMATS)}',${random.pick(['42', '7', '0', '65'])},${some()})`;
      case 22:
        return random.once(3) ? `m4wrap(${some()})` : `errprint(${some()})`;
      default:
        return random.once(3)
          ? random.pick([
              'changequote([,])[m1]changequote',
              'changecom(%)# m1\n% m1\nchangecom(#)',
              "changequote(<<,>>)<<m1>>changequote(`,')",
            ])
          : `builtin(\`len',${some()})`;
    }
  }

  #piece(rank: number, depth: number, isBody: boolean): string {
    const random = this.#random;
    this.#budget--;
    switch (random.below(isBody ? 16 : 13)) {
      case 0:
      case 1:
        return random.pick(PLAIN);
      case 2:
      case 3:
        return random.pick(BLANKS);
      case 4:
        return random.pick(SIGNS);
      case 5:
        return random.pick([
          random.once(40) ? '# m1 , ) `\n' : '# m1 , )\n',
          '#\n',
          "`'",
          "m1`'m2",
          '(x, y)',
          '()',
          ',',
          "`m1'",
          '1',
          '42',
        ]);
      case 6:
        return rank > 0 ? this.#macro(rank) : 'z';
      case 7:
      case 8:
        return rank > 0 ? `${this.#macro(rank)}(${this.#arguments(rank, depth, isBody)})` : 'w(1)';
      case 9:
        return this.#definition(rank, depth);
      case 10:
        return this.#builtin(rank, depth, isBody);
      case 11:
        return this.#quoted(rank, depth, isBody);
      case 12:
        return random.pick(['a', 'b', ' ', '\n']);
      case 13:
        return random.pick(['$1', '$2', '$3', '$#', '$10', '$01']);
      case 14:
        return random.pick(['$*', '$@', '$1_t', 'x$2', "`$1'", '$1$2']);
      default:
        return `shift($@)`;
    }
  }

  #text(rank: number, depth: number, isBody: boolean): string {
    const length = depth > 4 || this.#budget < 0 ? 1 : this.#random.below(5) + 1;
    let text = '';
    for (let i = 0; i < length; i++) {
      text += this.#piece(rank, depth, isBody);
      if (this.#random.once(3)) text += this.#random.pick(BLANKS);
    }
    return text;
  }

  generate(): string {
    let text = '';
    for (let i = 0; i < 4; i++) text += `${this.#definition(10, 0)}${this.#random.pick(['', 'dnl\n', '\n'])}`;
    while (this.#budget > 0) text += `${this.#piece(10, 0, false)}${this.#random.pick(['', ' ', '\n', '\n'])}`;
    return `${text}\n`;
  }
}

/** One or two macro texts for a seed. */
export function generateTexts(seed: number): readonly string[] {
  const random = new Random(seed);
  const texts = [new Generator(random).generate()];
  if (random.once(3)) texts.push(new Generator(random).generate());
  return texts;
}
