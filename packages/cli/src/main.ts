/**
 * The `dewar` command: arguments in, exit code out. Each command's work is loaded when it is asked for.
 *
 * Start reading at `makeProgram`, which joins families of commands (`domain-commands.ts` and its neighbours say what each
 * takes); the main job is `commands/create.ts`.
 *
 * @module
 */
import { Command } from '@commander-js/extra-typings';
import { CommanderError } from 'commander';
import { addDeviceCommands } from './device-commands.ts';
import { addDomainCommands } from './domain-commands.ts';
import { EXIT, FileError, RequestError, UsageError } from './failures.ts';
import { addFlaskCommands } from './flask-commands.ts';
import { addGuestCommands, type Finish } from './guest-commands.ts';
import { addHostCommands } from './host-commands.ts';
import { addLabCommands } from './lab-commands.ts';
import { addPolicyCommands } from './policy-commands.ts';
import { addQuestionCommands } from './question-commands.ts';
import { coloursFor, printLine, type Stream, type Terminal } from './terminal.ts';

/** What `--help` says of `xl`, which is read elsewhere. */
function addXlCommand(program: Command): void {
  program
    .command('xl')
    .description("xl's own command line on a simulated host: options, output and exit status of xl 4.17")
    .argument('[words...]', 'what would stand behind `xl`; before it, `--host` or `--policy`')
    .allowUnknownOption();
}

function addHelpCommand(program: Command, finish: Finish, terminal: Terminal): void {
  program
    .command('help')
    .description('explain a diagnostic code, such as `te/unknown-type`, or a command')
    .argument('[topic]', 'a code, an area of codes such as `te`, or a command')
    .action(async (topic) => {
      const { runHelp } = await import('./help.ts');
      await finish(Promise.resolve(runHelp(program, topic, terminal)));
    });
}

/**
 * The commands for a command line that begins with `word`: all of them, or as many families as it takes to have the one
 * that is called. Each command hands its exit code to `finish`.
 */
function makeProgram(word: string | undefined, terminal: Terminal, version: string, finish: Finish): Command {
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

  const group = (heading: string, ...families: (() => void)[]): (() => void)[] => [
    () => program.commandsGroup(heading),
    ...families,
  ];
  const all = [
    ...group('Policies:', () => addPolicyCommands(program, finish, terminal, version)),
    ...group('Questions about a policy:', () => addQuestionCommands(program, finish, terminal)),
    ...group(
      'Guests:',
      () => addDomainCommands(program, finish, terminal, version),
      () => addGuestCommands(program, finish, terminal),
      () => addDeviceCommands(program, finish, terminal),
    ),
    ...group('The FLASK of a host:', () => addFlaskCommands(program, finish, terminal)),
    ...group(
      'Hosts:',
      () => addHostCommands(program, finish, terminal, (args, other) => run(args, other, version)),
      () => addLabCommands(program, finish, terminal, version),
      () => addXlCommand(program),
    ),
    ...group('Help:', () => addHelpCommand(program, finish, terminal)),
  ];
  for (const add of all) {
    add();
    // To make all commands takes longer than some of them run.
    if (program.commands.some((command) => command.name() === word)) break;
  }
  return program as unknown as Command;
}

/** A stream of this process. Node's own is made when it is first asked for: a quiet command needs none. */
function stream(target: () => NodeJS.WriteStream): Stream {
  return {
    write: (bytes) => void target().write(bytes),
    get isTerminal() {
      return target().isTTY === true;
    },
  };
}

/** The standard output. A reader that has seen enough, such as `head`, is no failure. */
function standardOutput(): NodeJS.WriteStream {
  if (process.stdout.listenerCount('error') === 0) {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.world);
    });
  }
  return process.stdout;
}

/** Runs one command line and answers the exit code. */
export async function run(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  try {
    // What stands behind this word is read as xl reads it.
    if (args[0] === 'xl') return await (await import('./xl/run-xl.ts')).runXl(args.slice(1), terminal);
  } catch (error) {
    return explain(error, terminal);
  }
  let code: number = EXIT.done;
  const program = makeProgram(args[0], terminal, version, async (result) => {
    code = await result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return explain(error, terminal);
  }
}

/** Says why a command ended without an answer. */
function explain(error: unknown, { err }: Terminal): number {
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

/** The entry of the bundle. */
export async function main(version: string): Promise<void> {
  const terminal: Terminal = { out: stream(standardOutput), err: stream(() => process.stderr) };
  process.exitCode = await run(process.argv.slice(2), terminal, version);
}
