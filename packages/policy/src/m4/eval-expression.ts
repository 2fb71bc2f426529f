/**
 * The integer expressions of `eval`: 32 bits, C's operators, `**` for powers.
 *
 * SPEC: GNU m4 1.4.19 manual, "Evaluating integer expressions".
 *
 * @module
 */

/** A value, or why there is none. */
export type EvalResult = { readonly kind: 'value'; readonly value: number } | { readonly kind: 'fault'; readonly reason: string };

class Fault extends Error {}

const TOKEN = /\s*(?:(0[xX][0-9a-fA-F]+|0[bB][01]+|0[rR][0-9]+:[0-9a-zA-Z]+|[0-9]+)|(\*\*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%~!<>&^|()]))/y;

/** Binary operators, loosest first. `**` is the tightest and is right-associative. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['>', '>=', '<', '<='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

const MAX_DEPTH = 500;

function literal(text: string): number {
  const radix = /^0[rR]([0-9]+):(.*)$/.exec(text);
  if (radix !== null) {
    const base = Number(radix[1]);
    const digits = radix[2] ?? '';
    if (base < 1 || base > 36) throw new Fault('bad radix');
    if (base === 1) return digits.length;
    const value = Number.parseInt(digits, base);
    if (Number.isNaN(value)) throw new Fault('bad number');
    return value | 0;
  }
  if (/^0[0-7]+$/.test(text)) return Number(BigInt.asIntN(32, BigInt(`0o${text.slice(1)}`)));
  if (/^0[0-9]+$/.test(text)) throw new Fault('bad number');
  return Number(BigInt.asIntN(32, BigInt(text)));
}

function power(base: number, exponent: number): number {
  if (exponent < 0) throw new Fault('negative exponent');
  if (base === 0 && exponent === 0) throw new Fault('divide by zero');
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
      if (b === 0) throw new Fault(operator === '/' ? 'divide by zero' : 'modulo by zero');
      return operator === '/' ? Math.trunc(a / b) | 0 : a % b | 0;
  }
}

class Parser {
  readonly #tokens: string[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
      this.#tokens.push(match[1] ?? match[2] ?? '');
      end = TOKEN.lastIndex;
    }
    if (text.slice(end).trim() !== '') throw new Fault('bad expression');
  }

  parse(): number {
    const value = this.#binary(0);
    if (this.#at < this.#tokens.length) throw new Fault('excess input');
    return value;
  }

  #binary(level: number): number {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#powers();
    let value = this.#binary(level + 1);
    for (;;) {
      const operator = this.#tokens[this.#at];
      if (operator === undefined || !operators.includes(operator)) return value;
      this.#at++;
      value = apply(operator, value, this.#binary(level + 1));
    }
  }

  #powers(): number {
    const base = this.#unary();
    if (this.#tokens[this.#at] !== '**') return base;
    this.#at++;
    return power(base, this.#powers());
  }

  #unary(): number {
    if (++this.#depth > MAX_DEPTH) throw new Fault('nested too deep');
    try {
      const token = this.#tokens[this.#at++];
      if (token === undefined) throw new Fault('missing operand');
      if (token === '+') return this.#unary();
      if (token === '-') return -this.#unary() | 0;
      if (token === '~') return ~this.#unary();
      if (token === '!') return this.#unary() === 0 ? 1 : 0;
      if (token === '(') {
        const value = this.#binary(0);
        if (this.#tokens[this.#at++] !== ')') throw new Fault('missing right parenthesis');
        return value;
      }
      if (!/^[0-9]/.test(token)) throw new Fault('bad expression');
      return literal(token);
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
    if (error instanceof Fault) return { kind: 'fault', reason: error.message };
    throw error;
  }
}

/** A number in a radix from 1 to 36, padded with zeros to `width` digits. */
export function formatNumber(value: number, radix: number, width: number): string {
  const digits = radix === 1 ? '1'.repeat(Math.abs(value)) : Math.abs(value).toString(radix);
  return (value < 0 ? '-' : '') + digits.padStart(width, '0');
}
