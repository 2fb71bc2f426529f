/**
 * The `dewar` command: arguments in, exit code out. Each command's work is loaded when it is asked for.
 *
 * Start reading at `run`, which joins families of commands (`domain-commands.ts` and its neighbours say what each takes);
 * the main job is `commands/create.ts`.
 *
 * @module
 */
import type { Command } from '@commander-js/extra-typings';
import { type CommandGroup, explainFailure, runCommandLine } from './command-line.ts';
import { addCompileCommand } from './compile-command.ts';
import { addDeviceCommands } from './device-commands.ts';
import { addDomainCommands } from './domain-commands.ts';
import { addFlaskCommands } from './flask-commands.ts';
import { addGuestCommands, type Finish } from './guest-commands.ts';
import { addHostCommands } from './host-commands.ts';
import { addLabCommands } from './lab-commands.ts';
import { addPolicyCommands } from './policy-commands.ts';
import { processTerminal } from './process-terminal.ts';
import { addQuestionCommands } from './question-commands.ts';
import type { Terminal } from './terminal.ts';

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

function allCommands(terminal: Terminal, version: string): readonly CommandGroup[] {
  return [
    {
      heading: 'Policies:',
      families: [
        (program, finish) => addCompileCommand(program, finish, terminal, version),
        (program, finish) => addPolicyCommands(program, finish, terminal, version),
      ],
    },
    {
      heading: 'Questions about a policy:',
      families: [(program, finish) => addQuestionCommands(program, finish, terminal)],
    },
    {
      heading: 'Guests:',
      families: [
        (program, finish) => addDomainCommands(program, finish, terminal, version),
        (program, finish) => addGuestCommands(program, finish, terminal),
        (program, finish) => addDeviceCommands(program, finish, terminal),
      ],
    },
    {
      heading: 'The FLASK of a host:',
      families: [(program, finish) => addFlaskCommands(program, finish, terminal)],
    },
    {
      heading: 'Hosts:',
      families: [
        (program, finish) => addHostCommands(program, finish, terminal, (args, other) => run(args, other, version)),
        (program, finish) => addLabCommands(program, finish, terminal, version),
        addXlCommand,
      ],
    },
    { heading: 'Help:', families: [(program, finish) => addHelpCommand(program, finish, terminal)] },
  ];
}

/** Runs one command line and answers the exit code. */
export async function run(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  try {
    // What stands behind this word is read as xl reads it.
    if (args[0] === 'xl') return await (await import('./xl/run-xl.ts')).runXl(args.slice(1), terminal);
  } catch (error) {
    return explainFailure(error, terminal);
  }
  return runCommandLine(args, allCommands(terminal, version), terminal, version);
}

/** The entry of the bundle that has all commands. */
export async function main(version: string): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), processTerminal(), version);
}
