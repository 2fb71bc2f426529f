/**
 * A command line of xl that was read, and the help that it may ask for.
 *
 * @module
 */
import type { RequestFlags } from '../commands/lifecycle.ts';
import { printLine, type Terminal } from '../terminal.ts';
import { findXlCommand, XL_COMMANDS } from './command-table.ts';

/** A command line of xl that was read. */
export interface XlCall {
  /** The words that are no options. */
  readonly words: readonly string[];
  readonly options: readonly { readonly letter: string; readonly value: string }[];
  /** `-N` was given. */
  readonly isDryRun: boolean;
  readonly flags: RequestFlags;
  readonly terminal: Terminal;
}

/** Options of `create` and `restore` for what a simulated guest does not have: a display, and time in which it runs. */
export function sayUnattended({ options, terminal }: XlCall): void {
  const has = (letter: string): boolean => options.some((one) => one.letter === letter);
  if (has('V') || has('A')) printLine(terminal.err, 'dewar: `-V` starts no viewer: a simulated guest shows nothing');
  if (has('F')) printLine(terminal.err, 'dewar: `-F` waits for no end: a simulated guest does nothing by itself');
}

/** XEN: `help`. */
export function printXlHelp(name: string | undefined, { out }: Terminal): void {
  if (name === undefined || name === 'help') {
    printLine(out, 'Usage xl [-vfNtT] <subcommand> [args]');
    printLine(out);
    for (const { name: command, description } of XL_COMMANDS) printLine(out, ` ${command.padEnd(19)} ${description}`);
    return;
  }
  const command = findXlCommand(name);
  if (command === undefined) {
    printLine(out, `command "${name}" not implemented`);
    return;
  }
  const { canDryRun, name: full, usage, description, letters, long } = command;
  printLine(out, `Usage: xl [-vtT${canDryRun ? 'N' : ''}] ${full} ${usage}`.trimEnd());
  printLine(out);
  printLine(out, `${description}.`);
  const short = [...letters.matchAll(/(.)(:?)/g)].map(
    ([, letter = '', hasValue]) => `-${letter}${hasValue === ':' ? ' VALUE' : ''}`,
  );
  const words = long.map((one) => `--${one.name}${one.hasValue ? '=VALUE' : ''}`);
  if (short.length + words.length > 0) printLine(out, `\nOptions: ${[...short, ...words].join(', ')}`);
}
