/**
 * `dewar xl`: xl's own command line on a simulated host, so that a script for xl runs unchanged.
 *
 * Options, messages and exit statuses are those of xl 4.17; the texts of its help are not ours to print. What xl keeps
 * silent about is said on lines that begin with `dewar:`.
 *
 * Follows Xen `tools/xl/xl.c`, `main`, and `tools/xl/xl_utils.c`, `def_getopt`.
 *
 * @module
 */
import type { RequestFlags } from '../commands/lifecycle.ts';
import { UsageError } from '../failures.ts';
import { meansRealHost } from '../host-session.ts';
import { print, printLine, type Terminal } from '../terminal.ts';
import { findXlCommand, type TableEntry } from './command-table.ts';
import { parseOptions } from './getopt.ts';
import { printXlHelp, type XlCall } from './xl-call.ts';

const FAILURE = 1;
const WRONG_USE = 2;

/** Dewar's own options stand before xl's. */
interface OwnOptions {
  readonly host: string | undefined;
  readonly policy: string | undefined;
  readonly rest: readonly string[];
}

function readOwnOptions(words: readonly string[]): OwnOptions {
  const found: { host?: string; policy?: string } = {};
  let at = 0;
  for (; at < words.length; at++) {
    const [, name, attached] = /^--(host|policy)(?:=(.*))?$/.exec(words[at] ?? '') ?? [];
    if (name !== 'host' && name !== 'policy') break;
    const value = attached ?? words[++at];
    if (value === undefined) throw new UsageError(`\`--${name}\` needs a value`);
    found[name] = value;
  }
  return { host: found.host, policy: found.policy, rest: words.slice(at) };
}

/** The global options: how many words they are, or undefined where one is wrong. */
function readGlobalOptions(
  words: readonly string[],
): { readonly count: number; readonly isDryRun: boolean } | undefined {
  let isDryRun = false;
  for (const [count, word] of words.entries()) {
    if (word === '--') return { count: count + 1, isDryRun };
    if (!word.startsWith('-') || word === '-') return { count, isDryRun };
    for (const letter of word.slice(1)) {
      if (!'vftTN'.includes(letter)) return undefined;
      if (letter === 'N') isDryRun = true;
    }
  }
  return { count: words.length, isDryRun };
}

/** Runs one command line of xl and answers its exit status. */
export async function runXl(given: readonly string[], terminal: Terminal): Promise<number> {
  const own = readOwnOptions(given);
  const { err } = terminal;
  const global = readGlobalOptions(own.rest);
  if (global === undefined) {
    const wrong = own.rest.join('').match(/[^-vftTN]/)?.[0] ?? '';
    // XEN: the first line is C's.
    printLine(err, `xl: invalid option -- '${wrong}'`);
    printLine(err, 'unknown global option');
    return FAILURE;
  }
  const [name, ...words] = own.rest.slice(global.count);
  if (name === undefined) {
    printXlHelp(undefined, terminal);
    return FAILURE;
  }
  const command = findXlCommand(name);
  if (command === undefined) {
    if (name === 'help') {
      printXlHelp(words[0], terminal);
      return 0;
    }
    printLine(err, 'command not implemented');
    return FAILURE;
  }
  if (global.isDryRun && !command.canDryRun) {
    printLine(err, 'command does not implement -N (dryrun) option');
    return FAILURE;
  }
  const { host, policy } = own;
  if (await meansRealHost({ host, policy })) throw new UsageError('a real host has an `xl` of its own');
  const flags: RequestFlags = { host, policy, isJson: false, isVerbose: false, isXl: true };
  return dispatch(command, words, { isDryRun: global.isDryRun, flags, terminal });
}

/** XEN: `def_getopt`, then the command. */
async function dispatch(
  command: TableEntry,
  given: readonly string[],
  rest: Pick<XlCall, 'isDryRun' | 'flags' | 'terminal'>,
): Promise<number> {
  const { terminal } = rest;
  const { carryOut, firstWords } = await import('./carry-out.ts');
  if (command.name === 'button-press') {
    printLine(terminal.err, 'WARNING: "button-press" is deprecated. Please use "trigger"');
  }
  if (!command.readsOptions) return carryOut(command, { ...rest, words: given, options: [] });
  const early = firstWords(command, given);
  const parsed = parseOptions(given.slice(early.length), command);
  if (parsed.kind === 'help') {
    printXlHelp(command.name, terminal);
    return 0;
  }
  if (parsed.kind === 'refused') {
    print(terminal.err, `option \`${parsed.letter}' not supported.\n`);
    return WRONG_USE;
  }
  const { name, required } = command;
  if (parsed.rest.length < required) {
    const words = `'xl ${name}' requires at least ${required} argument${required > 1 ? 's' : ''}.`;
    print(terminal.err, `${words}\n\n`);
    printXlHelp(name, terminal);
    return WRONG_USE;
  }
  return carryOut(command, { ...rest, words: [...early, ...parsed.rest], options: parsed.options });
}
