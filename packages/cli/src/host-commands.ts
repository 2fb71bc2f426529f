/**
 * The commands about a host that xl has not: what is checked there, what it logs, what was changed.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import type { RunDewar } from './commands/trace.ts';
import type { Finish } from './guest-commands.ts';
import {
  flaskOption,
  hostOption,
  jsonOption,
  policyOption,
  realHostOption,
  requestFlags,
  xenOption,
} from './request-options.ts';
import type { Terminal } from './terminal.ts';

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError('it must be a number.');
  return Number(text);
}

function gather(word: string, before: readonly string[]): readonly string[] {
  return [...before, word];
}

/** Adds the commands. `runDewar` runs another command of Dewar's. */
export function addHostCommands(program: Command, finish: Finish, terminal: Terminal, runDewar: RunDewar): void {
  program
    .command('trace')
    .description('show what Xen checks while a command runs; the policy in force is loaded with auditing meanwhile')
    .usage('[options] -- <command...>')
    .argument('<command...>', "on a real host any command, such as `xl list`; on a simulated one a command of Dewar's")
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption('on a real host, the policy that it has loaded; on a simulated one, as everywhere'))
    .addOption(jsonOption())
    .option('-o, --output <file>', 'write the trace to a file, not behind what the command prints')
    .option('-t, --type <type>', 'only checks with this type as source or target; may be repeated', gather, [])
    .option('--everything', 'also what is checked page by page, at each event, and at each step of a long hypercall')
    .action(async (command, args) => {
      const { runTrace } = await import('./commands/trace.ts');
      const { output, type: types } = args;
      const flags = { ...requestFlags(args), output, types, isWhole: args.everything === true };
      const takesHost = (name: string): boolean =>
        name !== 'trace' &&
        program.commands.some((one) => one.name() === name && one.options.some(({ long }) => long === '--host'));
      await finish(runTrace(command, flags, takesHost, runDewar, terminal));
    });

  program
    .command('watch')
    .description('follow the console of a Xen, and print each denial once, with what it means')
    .addOption(hostOption())
    .option('-s, --seconds <count>', 'end after so many seconds', parseCount)
    .action(async (args) => {
      const { runWatch } = await import('./commands/watch.ts');
      await finish(runWatch({ host: args.host, seconds: args.seconds }, terminal));
    });

  program
    .command('log')
    .description('show the changes that Dewar made to the real host, from its journal')
    .addOption(realHostOption())
    .option('-n, --last <count>', 'only the last so many', parseCount)
    .addOption(jsonOption())
    .action(async (args) => {
      const { runLog } = await import('./commands/log.ts');
      await finish(Promise.resolve(runLog({ isJson: args.json === true, last: args.last }, terminal)));
    });
}
