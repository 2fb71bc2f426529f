/**
 * The integer expressions of `eval`: 32 bits, C's operators, `**` for powers.
 *
 * SPEC: GNU m4 1.4.19 manual, "Evaluating integer expressions".
 *
 * @module
 */

/** A value, or why there is none. */
export type EvalResult =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'fault'; readonly reason: string }
  /** An operator of C that GNU m4 knows by its looks and does not have, such as `++`: its run then fails. */
  | { readonly kind: 'foreign-operator'; readonly operator: string };

class Fault extends Error {
  /** Whether the text was read well and only its value does not exist. */
  readonly isArithmetic: boolean;

  constructor(reason: string, isArithmetic = false) {
    super(reason);
    this.isArithmetic = isArithmetic;
  }
}

class ForeignOperator extends Error {}

const FOREIGN = /\s*(\+\+|--|(?:[-+*/%^&|]|<<|>>)=)/y;
const OPERATOR = /\s*(?:(\*\*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%~!<>&^|()=])|$)/y;
const NUMBER = /\s*(?:0[xX]|0[bB]|0[rR]([0-9]+):|0|(?=[1-9]))/y;

/** Binary operators, loosest first. `**` is the tightest and is right-associative. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!=', '='],
  ['>', '>=', '<', '<='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

const MAX_DEPTH = 500;

/** The digits of one number from `at` on: as many as its base has, with the value modulo 2^32. */
function readDigits(text: string, at: number, base: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let end = at;
  for (; end < text.length; end++) {
    const digit = Number.parseInt(text[end] ?? '', 36);
    if (Number.isNaN(digit)) break;
    if (base === 1) {
      if (digit > 1 || (digit === 0 && value !== 0)) break;
      value += digit;
    } else {
      if (digit >= base) break;
      value = (Math.imul(value, base) + digit) | 0;
    }
  }
  return { value: value | 0, end };
}

/** What cannot be read is a token too: it is told where it is met, and something before it may be told first. */
type Token = number | string | Error;

/** Splits an expression into numbers and operators, as far as it can be read. */
function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(text);
    if (number !== null) {
      const prefix = number[0].trimStart();
      const kind = prefix[1]?.toLowerCase();
      const base =
        number[1] !== undefined ? Number(number[1]) : kind === 'x' ? 16 : kind === 'b' ? 2 : prefix === '0' ? 8 : 10;
      if (base < 1 || base > 36) return [...tokens, new Fault('bad radix')];
      const { value, end } = readDigits(text, NUMBER.lastIndex, base);
      tokens.push(value);
      at = end;
      continue;
    }
    FOREIGN.lastIndex = at;
    const foreign = FOREIGN.exec(text)?.[1];
    if (foreign !== undefined) return [...tokens, new ForeignOperator(foreign)];
    OPERATOR.lastIndex = at;
    const operator = OPERATOR.exec(text);
    if (operator === null) return [...tokens, new Fault('bad input')];
    if (operator[1] !== undefined) tokens.push(operator[1]);
    at = OPERATOR.lastIndex;
    if (operator[1] === undefined) break;
  }
  return tokens;
}

function power(base: number, exponent: number): number {
  if (exponent < 0) throw new Fault('negative exponent', true);
  if (base === 0 && exponent === 0) throw new Fault('divide by zero', true);
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest >>>= 1) {
    if ((rest & 1) === 1) result = Math.imul(result, square);
    square = Math.imul(square, square);
  }
  return result;
}

function apply(operator: string, a: number, b: number): number {
  switch (operator) {
    case '||':
      return a !== 0 || b !== 0 ? 1 : 0;
    case '&&':
      return a !== 0 && b !== 0 ? 1 : 0;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '&':
      return a & b;
    case '==':
    case '=':
      return a === b ? 1 : 0;
    case '!=':
      return a !== b ? 1 : 0;
    case '>':
      return a > b ? 1 : 0;
    case '>=':
      return a >= b ? 1 : 0;
    case '<':
      return a < b ? 1 : 0;
    case '<=':
      return a <= b ? 1 : 0;
    case '<<':
      return a << (b & 31);
    case '>>':
      return a >> (b & 31);
    case '+':
      return (a + b) | 0;
    case '-':
      return (a - b) | 0;
    case '*':
      return Math.imul(a, b);
    default:
      if (b === 0) throw new Fault(operator === '/' ? 'divide by zero' : 'modulo by zero', true);
      return operator === '/' ? Math.trunc(a / b) | 0 : (a % b) | 0;
  }
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  /** The next token; undefined at the end. A foreign operator counts only where an operand is looked for, or the end. */
  #peek(): Token | undefined {
    const token = this.#tokens[this.#at];
    if (token instanceof Fault) throw token;
    return token;
  }

  parse(): number {
    const value = this.#binary(0);
    const rest = this.#peek();
    if (rest instanceof ForeignOperator) throw rest;
    if (rest !== undefined) throw new Fault('excess input');
    return value;
  }

  #binary(level: number): number {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#powers();
    let value = this.#binary(level + 1);
    for (;;) {
      const operator = this.#peek();
      if (typeof operator !== 'string' || !operators.includes(operator)) return value;
      this.#at++;
      value = apply(operator, value, this.#rightSide(operator, value, level + 1));
    }
  }

  /** The right operand. Where the left one already decides, it may have no value. */
  #rightSide(operator: string, left: number, level: number): number {
    try {
      return this.#binary(level);
    } catch (error) {
      const isDecided = (operator === '||' && left !== 0) || (operator === '&&' && left === 0);
      if (isDecided && error instanceof Fault && error.isArithmetic) return left;
      throw error;
    }
  }

  #powers(): number {
    const base = this.#unary();
    if (this.#peek() !== '**') return base;
    this.#at++;
    return power(base, this.#powers());
  }

  #unary(): number {
    if (++this.#depth > MAX_DEPTH) throw new Fault('nested too deep');
    try {
      const token = this.#peek();
      if (token instanceof ForeignOperator) throw token;
      this.#at++;
      if (token === undefined) throw new Fault('missing operand');
      if (typeof token === 'number') return token;
      if (token === '+') return this.#unary();
      if (token === '-') return -this.#unary() | 0;
      if (token === '~') return ~this.#unary();
      if (token === '!') return this.#unary() === 0 ? 1 : 0;
      if (token !== '(') throw new Fault('bad expression');
      const value = this.#binary(0);
      if (this.#peek() !== ')') throw new Fault('missing right parenthesis');
      this.#at++;
      return value;
    } finally {
      this.#depth--;
    }
  }
}

export function evalExpression(text: string): EvalResult {
  // An empty expression counts as 0.
  if (text.trim() === '') return { kind: 'value', value: 0 };
  try {
    return { kind: 'value', value: new Parser(text).parse() };
  } catch (error) {
    if (error instanceof ForeignOperator) return { kind: 'foreign-operator', operator: error.message };
    if (error instanceof Fault) return { kind: 'fault', reason: error.message };
    throw error;
  }
}

/** A number in a radix from 1 to 36, padded with zeros to `width` digits. */
export function formatNumber(value: number, radix: number, width: number): string {
  const digits = radix === 1 ? '1'.repeat(Math.abs(value)) : Math.abs(value).toString(radix);
  return (value < 0 ? '-' : '') + digits.padStart(width, '0');
}
