/**
 * One command line: the families of commands that it may name, and what comes of it.
 *
 * Start reading at `runCommandLine`.
 *
 * @module
 */
import { Command } from '@commander-js/extra-typings';
import { CommanderError } from 'commander';
import { EXIT, FileError, RequestError, UsageError } from './failures.ts';
import type { Finish } from './guest-commands.ts';
import { coloursFor, printLine, type Terminal } from './terminal.ts';

/** Commands under one heading of the help: each function adds some of them. */
export interface CommandGroup {
  readonly heading: string;
  readonly families: readonly ((program: Command, finish: Finish) => void)[];
}

/**
 * The commands for a command line that begins with `word`: all of them, or as many families as it takes to have the one
 * that is called. Each command hands its exit code to `finish`.
 */
function makeProgram(
  word: string | undefined,
  groups: readonly CommandGroup[],
  terminal: Terminal,
  version: string,
  finish: Finish,
): Command {
  const program = new Command('dewar')
    .description("The toolkit for Xen's XSM/FLASK: compile policy, decide as Xen decides, rehearse a guest's life.")
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out.write(Buffer.from(text)),
      writeErr: (text) => terminal.err.write(Buffer.from(text)),
    })
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError('(`dewar --help` lists commands, `dewar help COMMAND` or `dewar help CODE` explains one)');
  for (const { heading, families } of groups) {
    program.commandsGroup(heading);
    for (const add of families) {
      add(program, finish);
      // To make all commands takes longer than some of them run.
      if (program.commands.some((command) => command.name() === word)) return program;
    }
  }
  return program;
}

/** Runs one command line and answers the exit code. */
export async function runCommandLine(
  args: readonly string[],
  groups: readonly CommandGroup[],
  terminal: Terminal,
  version: string,
): Promise<number> {
  let code: number = EXIT.done;
  const program = makeProgram(args[0], groups, terminal, version, async (result) => {
    code = await result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return explainFailure(error, terminal);
  }
}

/** Says why a command ended without an answer. */
export function explainFailure(error: unknown, { err }: Terminal): number {
  const colours = coloursFor(err);
  const say = (message: string): void => printLine(err, `${colours.error('dewar:')} ${message}`);
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageError) {
    say(error.message);
    return EXIT.usage;
  }
  if (error instanceof RequestError) {
    say(error.message);
    return EXIT.problem;
  }
  // The errors of files, of the lab and of a real host carry a code of their own.
  const isOfTheWorld = error instanceof Error && (error.name === 'LabError' || error.name === 'XenError');
  if (error instanceof FileError || isOfTheWorld) {
    say(error.message);
    // A name that cannot be the name of a host is wrong use, whatever the world is like.
    return isOfTheWorld && 'code' in error && error.code === 'bad-name' ? EXIT.usage : EXIT.world;
  }
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  say('this is a fault of Dewar, not of your input. Please report it with the lines below.');
  printLine(err, what);
  return EXIT.bug;
}
