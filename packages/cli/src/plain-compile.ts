/**
 * What build systems call `dewar compile` with: a policy, where the binary goes, and that nothing else is printed.
 *
 * Such a command line is read without the library that reads all others, which takes longer to get ready than the policy of
 * Xen to be read.
 *
 * @module
 */

/** What a command line asks for; it means what the library makes of it. */
export interface PlainRequest {
  readonly policy: string | undefined;
  readonly output: string | undefined;
  readonly isQuiet: boolean;
}

/** Reads the words behind `dewar`; undefined where there is anything else in them, or something is wrong. */
export function plainRequest([command, ...words]: readonly string[]): PlainRequest | undefined {
  if (command !== 'compile') return undefined;
  let policy: string | undefined;
  let output: string | undefined;
  let isQuiet = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '-q' || word === '--quiet') isQuiet = true;
    else if (word === '-o' || word === '--output') {
      const file = words[++at] ?? '';
      if (output !== undefined || !isName(file)) return undefined;
      output = file;
    } else if (policy === undefined && isName(word)) policy = word;
    else return undefined;
  }
  return { policy, output, isQuiet };
}

/** Whether a word is no option. */
function isName(word: string): boolean {
  return word === '-' || (word !== '' && !word.startsWith('-'));
}
