/**
 * Texts to try on two readers of xl.cfg: statements made after the grammar with slips, and files of the corpus with
 * bytes changed. The same seed gives the same texts.
 *
 * @module
 */

/** A source of pseudo-random numbers (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 up to `sides`, which is not included. */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % sides;
  }

  /** True once in `sides` times. */
  isLucky(sides: number): boolean {
    return this.roll(sides) === 0;
  }

  pick(choices: readonly string[]): string {
    return choices[this.roll(choices.length)] ?? '';
  }

  /** No more than `most` things, and perhaps none. */
  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.roll(most + 1) }, make);
  }
}

const KEYS = ['a', 'b', 'a.b_1', 'name', 'memory', 'seclabel', 'disk', 'x0'];
const NUMBERS = [
  '0',
  '1',
  '42',
  '0x2a',
  '010',
  '08',
  '0xx1',
  '12ab',
  '9223372036854775807',
  '9223372036854775808',
  '1x',
];
const CONTENTS = [
  '',
  'x',
  'two words',
  'user:role:type',
  '-7',
  '+1',
  ' 12',
  '12 ',
  '\t0x1F',
  '0x',
  '-0',
  '-9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999zz',
  '00000000000000000000000000000017',
  'é'.normalize('NFC'),
  '\xff',
  '\r',
  '\x0b',
  '#no comment',
  'a=b;c',
];
const GOOD_ESCAPES = [
  '\\\\',
  '\\"',
  "\\'",
  '\\a',
  '\\b',
  '\\f',
  '\\n',
  '\\r',
  '\\t',
  '\\v',
  '\\0123',
  '\\7999',
  '\\0-12',
  '\\0 1',
  '\\3 +1',
];
const BAD_ESCAPES = [
  ...['\\x41', '\\x4', '\\x', '\\q', '\\8', '\\$', '\\ ', '\\\t', '\\0', '\\01', '\\012'],
  ...['\\0+1', '\\0\t12', '\\1\\2', '\\012"', "\\012'"],
];
const BLANKS = ['', ' ', '  ', '\t', ' \t'];
const STRAY = [
  ...[
    '@',
    '$x',
    '%',
    '!',
    '*',
    '/',
    '//',
    '\\',
    '`',
    '~',
    '^',
    '&',
    '|',
    '{',
    '}',
    '(',
    ')',
    ':',
    '.',
    '-',
    '+',
    '<',
    '?',
  ],
  ...[
    '"',
    "'",
    'A',
    'True',
    '_x',
    '\r',
    '\f',
    '\v',
    '\0',
    '\x80',
    '\xff',
    '\xc2\xa0',
    '\xef\xbb\xbf',
    '-1',
    '1.5',
    '+ =',
    '#',
  ],
];
const TOKENS = [
  '=',
  '+=',
  '[',
  ']',
  ',',
  ';',
  '\n',
  '\n\n',
  ' # remark\n',
  '#\n',
  ' ',
  '"s"',
  "'s'",
  '7',
  'key',
  '[]',
  '[ ]',
  '[,]',
];

function stringToken(dice: Dice): string {
  const quote = dice.pick(['"', "'"]);
  let content = '';
  for (let left = dice.roll(4); left > 0; left--) content += dice.pick(dice.isLucky(4) ? GOOD_ESCAPES : CONTENTS);
  if (dice.isLucky(20)) content += dice.pick(BAD_ESCAPES);
  if (dice.isLucky(60)) content += dice.pick(['\0', '\n', quote, '\\']);
  return quote + content + quote;
}

function valueText(dice: Dice, depth: number): string {
  const kind = dice.roll(5);
  if (kind < 2) return stringToken(dice);
  if (kind === 2 || depth > 3) return dice.pick(NUMBERS);
  let text = `[${gap(dice)}`;
  for (let left = dice.roll(4); left > 0; left--) {
    text += valueText(dice, depth + 1) + gap(dice);
    if (left > 1 || dice.isLucky(4)) text += `,${gap(dice)}`;
  }
  return `${text}]`;
}

/** What may stand between the tokens of a list. */
function gap(dice: Dice): string {
  return dice.isLucky(4) ? dice.pick(['\n', ' \n\t', ' # remark\n', '\n\n']) : dice.pick(BLANKS);
}

function slip(dice: Dice): string {
  return dice.pick(dice.isLucky(2) ? STRAY : TOKENS);
}

function statementText(dice: Dice, slips: number): string {
  const parts = [
    dice.pick(KEYS),
    dice.pick(BLANKS),
    dice.isLucky(3) ? '+=' : '=',
    dice.pick(BLANKS),
    valueText(dice, 0),
    dice.pick(BLANKS),
  ];
  if (slips > 0 && dice.isLucky(slips)) parts.splice(dice.roll(parts.length + 1), dice.roll(3), slip(dice));
  return parts.join('');
}

/** A file of statements; about half of them have slips in them. */
function grammarText(dice: Dice): string {
  const slips = dice.pick(['0', '0', '2', '8']);
  let text = '';
  for (let left = dice.roll(7); left > 0; left--) {
    text += statementText(dice, Number(slips));
    text += dice.pick(['\n', '\n', '\n', ';', ' # remark\n', '\r\n', ';\n\n', left === 1 ? '' : '\n']);
  }
  return text;
}

function mutateOnce(dice: Dice, text: string, others: readonly string[]): string {
  const at = dice.roll(text.length + 1);
  const length = 1 + dice.roll(dice.isLucky(4) ? 30 : 3);
  const [before, piece, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)];
  switch (dice.roll(8)) {
    case 0:
      return before + after;
    case 1:
      return before + piece + piece + after;
    case 2:
      return before + String.fromCharCode(dice.roll(256)) + after;
    case 3:
      return before + slip(dice) + piece + after;
    case 4:
      return before + dice.pick(dice.isLucky(2) ? GOOD_ESCAPES : BAD_ESCAPES) + piece + after;
    case 5:
      return before;
    case 6:
      return before + statementText(dice, 3) + piece + after;
    default:
      return before + dice.pick(others).slice(0, 200) + after;
  }
}

/** One of the files with some bytes changed. */
function mutatedText(dice: Dice, files: readonly string[]): string {
  let text = dice.pick(files);
  for (let left = 1 + dice.roll(5); left > 0; left--) text = mutateOnce(dice, text, files);
  return text;
}

/** So many texts of both kinds. */
export function generateTexts(seed: number, count: number, files: readonly string[]): string[] {
  const dice = new Dice(seed);
  return Array.from({ length: count }, () => (dice.isLucky(2) ? grammarText(dice) : mutatedText(dice, files)));
}
