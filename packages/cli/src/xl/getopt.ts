/**
 * C's `getopt_long` as xl uses it: long options by any beginning that is theirs alone, and none behind the first word.
 *
 * Follows glibc's `getopt_long` and Xen `tools/xl/xl_utils.c`, `def_getopt`. That options end at the first word is what
 * `main` of xl asks for its global options, and the library keeps to it for what comes after.
 *
 * @module
 */

/** A long option; `letter` is what it stands for: a letter, or a word of its own. */
export interface LongOption {
  readonly name: string;
  readonly hasValue: boolean;
  readonly letter: string;
}

/** What a command takes. Letters stand in a row, one with a value has a colon behind it. */
export interface OptionSpec {
  readonly letters: string;
  readonly long: readonly LongOption[];
}

/**
 * `parsed`: the options in their order, and the words that are none.
 * `help`: help was asked for. `refused`: the letter of the option that is wrong; a NUL for a long one that is not known.
 */
export type Parsed =
  | {
      readonly kind: 'parsed';
      readonly options: readonly { readonly letter: string; readonly value: string }[];
      readonly rest: readonly string[];
    }
  | { readonly kind: 'help' }
  | { readonly kind: 'refused'; readonly letter: string };

const UNKNOWN_LONG = '\0';

function findLong(long: readonly LongOption[], name: string): LongOption | undefined {
  const exact = long.find((one) => one.name === name);
  if (exact !== undefined) return exact;
  const begun = long.filter((one) => one.name.startsWith(name));
  const [first] = begun;
  // Several that mean the same are one.
  return begun.every((one) => one.letter === first?.letter && one.hasValue === first.hasValue) ? first : undefined;
}

/** Reads the words behind a command. */
export function parseOptions(words: readonly string[], spec: OptionSpec): Parsed {
  const long = [...spec.long, { name: 'help', hasValue: false, letter: 'h' }];
  const letters = `h${spec.letters}`;
  const options: { letter: string; value: string }[] = [];
  let rest: readonly string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '--') {
      rest = words.slice(at + 1);
      break;
    }
    if (word.startsWith('--')) {
      const equals = word.indexOf('=');
      const option = findLong(long, word.slice(2, equals === -1 ? undefined : equals));
      if (option === undefined) return { kind: 'refused', letter: UNKNOWN_LONG };
      let value = equals === -1 ? undefined : word.slice(equals + 1);
      if (option.hasValue) value ??= words[++at];
      // XEN: help is found by its letter, however wrong it was asked for.
      if (option.letter === 'h') return { kind: 'help' };
      if (option.hasValue !== (value !== undefined))
        return { kind: 'refused', letter: option.letter.length === 1 ? option.letter : UNKNOWN_LONG };
      options.push({ letter: option.letter, value: value ?? '' });
    } else if (word.startsWith('-') && word !== '-') {
      const found = readLetters(word, words[at + 1], letters, options);
      if (typeof found === 'string') return found === 'h' ? { kind: 'help' } : { kind: 'refused', letter: found };
      at += found;
    } else {
      rest = words.slice(at);
      break;
    }
  }
  return { kind: 'parsed', options, rest };
}

/** Reads letters that stand together; how many further words they take, or the letter that ends the reading. */
function readLetters(
  word: string,
  next: string | undefined,
  letters: string,
  options: { letter: string; value: string }[],
): number | string {
  for (let place = 1; place < word.length; place++) {
    const letter = word.charAt(place);
    const known = letter === ':' || letter === ';' ? -1 : letters.indexOf(letter);
    if (known === -1 || letter === 'h') return letter;
    if (letters.charAt(known + 1) !== ':') {
      options.push({ letter, value: '' });
      continue;
    }
    const attached = word.slice(place + 1);
    if (attached === '' && next === undefined) return letter;
    options.push({ letter, value: attached === '' ? (next ?? '') : attached });
    return attached === '' ? 1 : 0;
  }
  return 0;
}
