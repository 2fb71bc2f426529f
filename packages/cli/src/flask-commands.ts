/**
 * The commands about the FLASK of a host: its console, its mode, its booleans, its policy.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { compileOptions, definitionOption, mlsOption } from './compile-request.ts';
import type { Finish } from './guest-commands.ts';
import { flaskOption, hostOption, jsonOption, requestCommand, requestFlags, xenOption } from './request-options.ts';
import type { Terminal } from './terminal.ts';

function parseMode(text: string): boolean {
  const word = text.toLowerCase();
  if (word === '1' || word === 'enforcing') return true;
  if (word === '0' || word === 'permissive') return false;
  throw new InvalidArgumentError('it must be 0, 1, permissive or enforcing.');
}

function parseTruth(text: string): boolean {
  if (['1', 'true', 'on'].includes(text)) return true;
  if (['0', 'false', 'off'].includes(text)) return false;
  throw new InvalidArgumentError('it must be 0 or 1.');
}

/** Adds the commands. */
export function addFlaskCommands(program: Command, finish: Finish, terminal: Terminal): void {
  requestCommand(program, 'dmesg', 'print the console ring of Xen, with its avc lines')
    .option('-c, --clear', 'and empty it')
    .action(async (args) => {
      const { runDmesg } = await import('./commands/lifecycle.ts');
      await finish(runDmesg(args.clear === true, requestFlags(args), terminal));
    });

  requestCommand(program, 'getenforce', 'print the mode; the exit status is 1 when enforcing, as with xl').action(
    async (args) => {
      const { runGetenforce } = await import('./commands/lifecycle.ts');
      await finish(runGetenforce(requestFlags(args), terminal));
    },
  );

  requestCommand(program, 'setenforce', 'set the mode')
    .argument('<mode>', '0, 1, permissive or enforcing', parseMode)
    .action(async (mode, args) => {
      const { runSetenforce } = await import('./commands/lifecycle.ts');
      await finish(runSetenforce(mode, requestFlags(args), terminal));
    });

  requestCommand(program, 'get-bool', 'print the booleans of the policy')
    .argument('[name]')
    .action(async (name, args) => {
      const { runGetBooleans } = await import('./commands/lifecycle.ts');
      await finish(runGetBooleans(name, requestFlags(args), terminal));
    });

  requestCommand(program, 'set-bool', 'set a boolean of the policy')
    .argument('<name>')
    .argument('<value>', '0 or 1', parseTruth)
    .action(async (name, value, args) => {
      const { runSetBoolean } = await import('./commands/lifecycle.ts');
      await finish(runSetBoolean(name, value, requestFlags(args), terminal));
    });

  program
    .command('loadpolicy')
    .description('load a policy into a running host')
    .argument('[policy]', 'a policy directory, a policy.conf or a binary')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(jsonOption())
    .option('-y, --yes', 'on a real host, do not ask')
    .option('--force', 'on a real host, load even a policy that locks dom0 out')
    .option('--back', 'on a real host, load what was in force before the last load')
    .action(async (policy, args) => {
      const { runLoadPolicy } = await import('./commands/lifecycle.ts');
      const how = { isSure: args.yes === true, isForced: args.force === true, isBack: args.back === true };
      await finish(runLoadPolicy(policy, { ...requestFlags(args), ...how, compile: compileOptions(args) }, terminal));
    });
}
