/**
 * The commands about the real host that this machine is, which xl has not.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import type { Finish } from './guest-commands.ts';
import { jsonOption } from './request-options.ts';
import type { Terminal } from './terminal.ts';

function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError('it must be a number.');
  return Number(text);
}

/** Adds the commands. */
export function addHostCommands(program: Command, finish: Finish, terminal: Terminal): void {
  program
    .command('watch')
    .description('follow the console of a real Xen, and print each denial once, with what it means')
    .option('-s, --seconds <count>', 'end after so many seconds', parseCount)
    .action(async (args) => {
      const { runWatch } = await import('./commands/watch.ts');
      await finish(runWatch(args.seconds, terminal));
    });

  program
    .command('log')
    .description('show the changes that Dewar made to the real host, from its journal')
    .option('-n, --last <count>', 'only the last so many', parseCount)
    .addOption(jsonOption())
    .action(async (args) => {
      const { runLog } = await import('./commands/log.ts');
      await finish(Promise.resolve(runLog({ isJson: args.json === true, last: args.last }, terminal)));
    });
}
