/**
 * Random macro texts in which macros are defined anew with what they had and more, as policies gather users: with text that
 * stands for itself until some word of it becomes a macro, with marks, parentheses and comments, and with names that one
 * text begins and the next ends.
 *
 * @module
 */
import { Random } from '@dewar/testkit';

const WORDS = ['user', 'roles', 'a', 'b', 'a_t', 'x1', 'len', 'shift', 'late', 'later', 'dnl_'];
const LISTS = ['g', 'h'];
const FILLER = 'user someone roles { vm_r } level s0 range s0 - s0:c0.c255;\n'.repeat(2);

class Generator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  #plain(): string {
    const random = this.#random;
    const pieces = Array.from({ length: random.below(5) + 1 }, () =>
      random.pick([...WORDS, ...WORDS, ' ', '\n', ';', '{ c }', '$', '7', '.', '"']),
    );
    return pieces.join(random.pick(['', ' ', ' ']));
  }

  /** What is appended, quoted or not. */
  #tail(): string {
    const random = this.#random;
    return random.pick([
      `\`${this.#plain()}'`,
      `\`${this.#plain()}'`,
      ` ${this.#plain()}`,
      this.#plain(),
      `\`'${this.#plain()}`,
      `\`${FILLER}'`,
      FILLER,
      `\`$1 $# ${this.#plain()}'`,
      ` (${this.#plain()}, ${this.#plain()})`,
      `\`(${this.#plain()})'`,
      `# ${random.pick(WORDS)} , ) \n`,
      `\`dnl # '\n`,
      `\`late(${random.pick(WORDS)})'`,
      `\`\`${this.#plain()}''`,
      "ifdef(`late', ` is late', `')",
      "one(`x',y)",
    ]);
  }

  #statement(): string {
    const random = this.#random;
    const list = random.pick(LISTS);
    switch (random.below(16)) {
      case 0:
        return `define(\`late', ${random.pick(['`(now $1)', '`', '`later', '`late_'])}')dnl\n`;
      case 1:
        return `${random.pick(['undefine', 'popdef'])}(\`${random.pick(['late', 'later', 'a', list])}')`;
      case 2:
        return `define(\`${random.pick(['a', 'b', 'later', 'x1'])}', \`<$1>')`;
      case 3:
        return `${list}${random.pick(['', '()', '(z)', '_t', "`'(z)", ' (z)'])}`;
      case 4:
        return `pushdef(\`${list}', ${list} ${this.#tail()})`;
      case 5:
        return `define(\`${list}', ${random.pick(LISTS)}${random.pick(LISTS)} ${this.#tail()})`;
      case 6:
        return this.#plain();
      case 7:
        return `one(${this.#plain()}, \`${this.#plain()}')`;
      default:
        return random.once(2)
          ? `append(\`${list}', \`${this.#plain()}')`
          : `define(\`${list}', ${list}${random.pick(['', ' ', '()'])}${this.#tail()})`;
    }
  }

  generate(): string {
    const random = this.#random;
    const starts = LISTS.map((list) => `define(\`${list}', ${random.pick(["`'", FILLER, `\`${FILLER}'`])})\n`).join('');
    const append = "define(`append', `define(`$1', $1 `$2;\n')')define(`one', `user $1`'$2 roles')\n";
    const statements = Array.from({ length: 25 }, () => `${this.#statement()}${random.pick(['', '\n', 'dnl\n'])}`);
    return `${starts}${append}${statements.join('')}\ng|h\n`;
  }
}

/** A macro text for a seed. */
export function generateGrowingTexts(seed: number): readonly string[] {
  const random = new Random(seed);
  const texts = [new Generator(random).generate()];
  if (random.once(4)) texts.push(new Generator(random).generate());
  return texts;
}
