/**
 * Takes the quotes and escapes off a string, with libxlutil's mistakes.
 *
 * Follows Xen `tools/libs/util/libxlu_cfg.c`, `xlu__cfgl_dequote`. `\x` never works, and an octal escape that is
 * accepted yields nothing; both are how xl behaves.
 *
 * @module
 */

/** An octal escape that was accepted and has vanished: where it begins in the token, and its length. */
interface VanishedEscape {
  readonly at: number;
  readonly length: number;
}

/**
 * `text`: the string's content.
 * `error`: an escape is wrong; `at` is the place of its backslash in the token, `message` is libxlutil's.
 * `abort`: libxlutil dies of an assertion, because of a NUL byte.
 */
export type Dequoted =
  | { readonly kind: 'text'; readonly text: string; readonly vanished: readonly VanishedEscape[] }
  | { readonly kind: 'error'; readonly at: number; readonly message: string }
  | { readonly kind: 'abort' };

const SIMPLE = new Map<string, string>([
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

const HEX_ERROR = 'invalid digit after backslash hexnumerical character escape in quoted string';
const OCTAL_ERROR = 'invalid digit after backslash octalnumerical character escape in quoted string';
const OTHER_ERROR = 'invalid character after backlash in quoted string';

/** How much of the three bytes after the first octal digit C's `strtoul` takes as a decimal number. */
function decimalLength(bytes: string): number {
  return /^[ \t\n\v\f\r]*[+-]?[0-9]+/.exec(bytes)?.[0].length ?? 0;
}

/** The content of a string token, quotes included in `token`. */
export function dequote(token: string): Dequoted {
  // XEN: the token is a C string to this function, so a NUL byte ends it.
  const nul = token.indexOf('\0');
  const source = nul === -1 ? token : token.slice(0, nul);
  if (source.length < 2 || source[0] !== source[source.length - 1]) return { kind: 'abort' };
  const end = source.length - 1;
  if (!source.includes('\\')) return { kind: 'text', text: source.slice(1, end), vanished: [] };

  const pieces: string[] = [];
  const vanished: VanishedEscape[] = [];
  let at = 1;
  while (at < end) {
    const backslash = source.indexOf('\\', at);
    if (backslash === -1 || backslash >= end) break;
    pieces.push(source.slice(at, backslash));
    if (backslash + 1 >= end) return { kind: 'abort' };
    const letter = source.charAt(backslash + 1);
    const simple = SIMPLE.get(letter);
    at = backslash + 2;
    if (simple !== undefined) {
      pieces.push(simple);
    } else if (letter >= '0' && letter <= '7') {
      const length = decimalLength(source.slice(at, at + 3));
      if (length < 2) return { kind: 'error', at: backslash, message: OCTAL_ERROR };
      vanished.push({ at: backslash, length: length + 2 });
      at += length;
    } else {
      return { kind: 'error', at: backslash, message: letter === 'x' ? HEX_ERROR : OTHER_ERROR };
    }
  }
  pieces.push(source.slice(at, end));
  return { kind: 'text', text: pieces.join(''), vanished };
}
