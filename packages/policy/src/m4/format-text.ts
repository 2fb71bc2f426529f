/**
 * The conversions of `format`, as C's `printf` knows them.
 *
 * SPEC: GNU m4 1.4.19 manual, "Formatting strings (printf-like)".
 *
 * @module
 */

const MAX_WIDTH = 100_000;
const SPECIFIER = /([-+ #0']*)(\*|[0-9]*)(?:\.(\*|[0-9]*))?(hh|h|l)?(.?)/suy;

const CONVERSIONS = 'aAcdeEfFgGiosuxX';

/** Conversions that a flag is not for. SPEC: `expand_format` of GNU m4's format.c. */
const REFUSED_BY_FLAG: Readonly<Record<string, string>> = {
  "'": 'aAceEosxX',
  '+': 'cosuxX',
  ' ': 'cosuxX',
  '0': 'cs',
  '#': 'cdisu',
};

/** The same for the sizes of integers. */
const REFUSED_BY_LENGTH: Readonly<Record<string, string>> = { h: 'aAceEfFgGs', hh: 'aAceEfFgGs', l: 'cs' };

/** Whether a conversion may stand behind what was written before it. */
function isConversion(kind: string, flags: string, hasPrecision: boolean, length: string): boolean {
  if (kind === '' || !CONVERSIONS.includes(kind)) return false;
  if (hasPrecision && kind === 'c') return false;
  if (REFUSED_BY_LENGTH[length]?.includes(kind) === true) return false;
  return ![...flags].some((flag) => REFUSED_BY_FLAG[flag]?.includes(kind));
}

interface Conversion {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

/** Puts digits behind their sign and fills the field. */
function fill(sign: string, digits: string, { flags, width }: Conversion, mayZero: boolean): string {
  const length = sign.length + digits.length;
  if (flags.includes('-')) return (sign + digits).padEnd(width);
  if (mayZero && flags.includes('0')) return sign + '0'.repeat(Math.max(0, width - length)) + digits;
  return (sign + digits).padStart(width);
}

function signOf(isNegative: boolean, flags: string): string {
  return isNegative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
}

function formatInteger(value: bigint, kind: string, bits: number, conversion: Conversion): string {
  const { flags, precision } = conversion;
  const isSigned = kind === 'd' || kind === 'i';
  const kept = isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const magnitude = kept < 0n ? -kept : kept;
  const radix = kind === 'o' ? 8 : kind === 'x' || kind === 'X' ? 16 : 10;
  let digits = magnitude.toString(radix);
  if (precision === 0 && magnitude === 0n) digits = '';
  digits = digits.padStart(precision ?? 1, '0');
  if (kind === 'o' && flags.includes('#') && !digits.startsWith('0')) digits = `0${digits}`;
  const prefix = radix === 16 && flags.includes('#') && magnitude !== 0n ? '0x' : '';
  const sign = (isSigned ? signOf(kept < 0n, flags) : '') + prefix;
  const made = fill(sign, digits, conversion, precision === undefined);
  return kind === 'X' ? made.toUpperCase() : made;
}

/** Digits of a value that has more of them than asked for, where what is left out is exactly a half: C rounds to even. */
function isRoundedDownToEven(exact: string, length: number): boolean {
  return /^50*$/.test(exact.slice(length)) && Number(exact[length - 1]) % 2 === 0;
}

function exponential(value: number, precision: number): string {
  const [digits = '', exponent = ''] = value.toExponential(100).split('e');
  const kept = digits.slice(0, precision === 0 ? 1 : precision + 2);
  const isDown = isRoundedDownToEven(digits.replace('.', ''), precision + 1);
  const made = isDown ? `${kept}e${exponent}` : value.toExponential(precision);
  return made.replace(/e([-+])(\d)$/, 'e$10$2');
}

function formatReal(value: number, kind: string, conversion: Conversion): string {
  const { flags } = conversion;
  const precision = conversion.precision ?? 6;
  const magnitude = Math.abs(value);
  const sign = signOf(value < 0 || Object.is(value, -0), flags);
  const isUpper = kind === kind.toUpperCase();
  let digits: string;
  if (!Number.isFinite(value)) {
    digits = Number.isNaN(value) ? 'nan' : 'inf';
  } else if (kind === 'a' || kind === 'A') {
    const exact = hexadecimal(magnitude, conversion.precision);
    const dotted = flags.includes('#') && !exact.includes('.') ? exact.replace('p', '.p') : exact;
    const made = fill(`${sign}0x`, dotted, conversion, true);
    return isUpper ? made.toUpperCase() : made;
  } else if (kind === 'f' || kind === 'F') {
    digits = exactFixed(magnitude, precision);
  } else if (kind === 'e' || kind === 'E') {
    digits = exponential(magnitude, Math.min(precision, 100));
  } else {
    const significant = Math.min(Math.max(precision, 1), 100);
    const exponent = magnitude === 0 ? 0 : Number(magnitude.toExponential(significant - 1).split('e')[1]);
    const isPlain = exponent >= -4 && exponent < significant;
    digits = isPlain ? exactFixed(magnitude, significant - 1 - exponent) : exponential(magnitude, significant - 1);
    if (!flags.includes('#')) digits = digits.replace(/(\.\d*?)0+(?=e|$)/, '$1').replace(/\.(?=e|$)/, '');
  }
  if (flags.includes('#') && !digits.includes('.') && Number.isFinite(value))
    digits = digits.includes('e') ? digits.replace('e', '.e') : `${digits}.`;
  const made = fill(sign, digits, conversion, Number.isFinite(value));
  return isUpper ? made.toUpperCase() : made;
}

/** The notation of `%a`: a binary fraction in hexadecimal, with its power of two. */
function hexadecimal(magnitude: number, precision: number | undefined): string {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, magnitude);
  const whole = bits.getBigUint64(0);
  const exponent = Number(whole >> 52n);
  let significand = (whole & ((1n << 52n) - 1n)) | (exponent === 0 ? 0n : 1n << 52n);
  const power = magnitude === 0 ? 0 : exponent === 0 ? -1022 : exponent - 1023;
  const kept = precision === undefined ? 13 : Math.min(precision, 13);
  const dropped = BigInt(4 * (13 - kept));
  const rest = significand & ((1n << dropped) - 1n);
  significand >>= dropped;
  const half = dropped === 0n ? 0n : 1n << (dropped - 1n);
  if (rest > half || (rest === half && half !== 0n && (significand & 1n) === 1n)) significand++;
  const digits = significand.toString(16).padStart(kept + 1, '0');
  const lead = digits.slice(0, digits.length - kept);
  const written = digits.slice(digits.length - kept);
  const fraction = precision === undefined ? written.replace(/0+$/, '') : written.padEnd(precision, '0');
  return `${lead}${fraction === '' ? '' : `.${fraction}`}p${power < 0 ? '-' : '+'}${Math.abs(power)}`;
}

/** Fixed notation with every digit, also where JavaScript would change to an exponent. */
function exactFixed(magnitude: number, precision: number): string {
  const places = Math.min(precision, 100);
  const exact = magnitude < 1e21 ? magnitude.toFixed(100) : '';
  const point = exact.length - 101;
  const isDown = isRoundedDownToEven(exact.replace('.', ''), point + places);
  const digits = isDown
    ? exact.slice(0, places === 0 ? point : point + 1 + places)
    : magnitude < 1e21
      ? magnitude.toFixed(places)
      : `${BigInt(magnitude)}${places > 0 ? `.${'0'.repeat(places)}` : ''}`;
  return digits + '0'.repeat(precision - places);
}

/** The text that `format` makes of its arguments. `problem` hears what cannot be converted. */
export function formatText(args: readonly string[], problem: (reason: string) => void): string {
  const [template = '', ...values] = args;
  let next = 0;
  const integer = (): bigint => {
    const text = values[next++];
    if (text === undefined) return 0n;
    const match = /^\s*([-+]?)([0-9]+)/.exec(text);
    if (match === null || match[0].length < text.length) problem(`\`${text.slice(0, 80)}\` is not a number`);
    return match === null ? 0n : BigInt(match[2] ?? '0') * (match[1] === '-' ? -1n : 1n);
  };
  const real = (): number => {
    const text = values[next++] ?? '';
    const match = /^\s*([-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?))/.exec(text);
    if (match === null || match[0].length < text.length) problem(`\`${text.slice(0, 80)}\` is not a number`);
    return match === null ? 0 : Number(match[1]);
  };
  const bounded = (value: number): number => {
    if (value <= MAX_WIDTH) return value;
    problem(`a field of ${value} characters is too wide`);
    return 0;
  };
  let result = '';
  for (let at = 0; at < template.length; ) {
    const sign = template.indexOf('%', at);
    if (sign === -1) {
      result += template.slice(at);
      break;
    }
    result += template.slice(at, sign);
    if (template[sign + 1] === '%') {
      result += '%';
      at = sign + 2;
      continue;
    }
    SPECIFIER.lastIndex = sign + 1;
    const match = SPECIFIER.exec(template);
    if (match === null) break;
    at = SPECIFIER.lastIndex;
    const [, given = '', widthText = '', precisionText, length, kind = ''] = match;
    let flags = given;
    let width = widthText === '*' ? Number(BigInt.asIntN(32, integer())) : Number(widthText);
    if (width < 0) {
      flags += '-';
      width = -width;
    }
    const asked = precisionText === '*' ? Number(BigInt.asIntN(32, integer())) : Number(precisionText ?? -1);
    const precision = asked < 0 || Number.isNaN(asked) ? undefined : bounded(asked);
    const conversion: Conversion = { flags, width: bounded(width), precision };
    if (!isConversion(kind, given, precisionText !== undefined, length ?? '')) {
      problem(`there is no conversion \`${template.slice(sign, at)}\``);
    } else if ('diouxX'.includes(kind)) {
      const bits = length === 'hh' ? 8 : length === 'h' ? 16 : length === 'l' ? 64 : 32;
      result += formatInteger(integer(), kind, bits, conversion);
    } else if (kind === 'c') {
      // A zero byte ends what the conversion gives, as texts of C end there.
      result += fill('', String.fromCharCode(Number(BigInt.asUintN(8, integer()))), conversion, false).replace(
        /\0.*/s,
        '',
      );
    } else if (kind === 's') {
      result += fill('', (values[next++] ?? '').slice(0, precision), conversion, false);
    } else {
      result += formatReal(real(), kind, conversion);
    }
  }
  return result;
}
