/**
 * The commands that make, show, pause and end domains.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { compileOptions, definitionOption, formatOption, jsonFormatOption, mlsOption } from './compile-request.ts';
import type { Finish } from './guest-commands.ts';
import {
  flaskOption,
  hostOption,
  iommuOption,
  operationCommand,
  policyOption,
  requestFlags,
  xenOption,
} from './request-options.ts';
import type { Terminal } from './terminal.ts';

function parseSeconds(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new InvalidArgumentError('it must be a number of seconds.');
  return Number(text);
}

/** Adds the commands. */
export function addDomainCommands(program: Command, finish: Finish, terminal: Terminal, version: string): void {
  program
    .command('create')
    .description('build and start a guest on a host, and show what Xen checks')
    .argument('<config>', 'xl.cfg file of the guest')
    .argument('[settings...]', '`key=value`, as if at the end of the file')
    .addOption(policyOption())
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(iommuOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(formatOption())
    .addOption(jsonFormatOption())
    .option('-q, --quiet', 'print only how it ended and what was refused')
    .option('-p, --paused', 'leave the guest paused')
    .option('-n, --dryrun', 'print the configuration as `xl create -n` does, and create nothing')
    .option('-d, --debug', 'print the configuration first')
    .option('-e, --no-wait', 'nobody waits for the end of the guest, to clean up or to build it anew')
    .option('-c, --console', 'attach to the console of the guest before it starts')
    .option('-F, --foreground', 'accepted as by xl; nothing stays in the background here')
    .addOption(
      new Option(
        '--on-residual <how>',
        'what to do when others have pages of the guest mapped at the relabel, beside its console and xenstore rings',
      )
        .choices(['warn', 'refuse'] as const)
        .default('warn' as const),
    )
    .option('--force', 'on a real host, build even what the rehearsal before it was refused')
    .option(
      '--hold [seconds]',
      'on a real host, hold the build before the relabel; without a number, until Enter',
      parseSeconds,
    )
    .action(async (config, settings, args) => {
      const { runCreate } = await import('./commands/create.ts');
      const flags = {
        ...requestFlags(args),
        isJson: args.json === true || args.format === 'json',
        format: args.format,
        version,
        compile: compileOptions(args),
        isQuiet: args.quiet === true,
        isPaused: args.paused === true,
        isDryRun: args.dryrun === true,
        isDebug: args.debug === true,
        isUnwatched: !args.wait,
        isAttached: args.console === true,
        onResidual: args.onResidual,
        isForced: args.force === true,
        hold: args.hold === true ? ('enter' as const) : args.hold,
      };
      await finish(runCreate(config, settings, flags, terminal));
    });

  operationCommand(program, 'list', 'list the domains of a host, as `xl list` does')
    .argument('[domain]', 'name or number')
    .option('-Z, --context', 'with their labels')
    .option('-n, --numa', 'with the NUMA nodes that they had better run on')
    .option('-l, --long', 'as JSON: the configuration that each has now')
    .action(async (domain, args) => {
      const { runList, runListLong } = await import('./commands/lifecycle.ts');
      if (args.long === true) return finish(runListLong(domain, requestFlags(args), terminal));
      const columns = { withLabels: args.context === true, withNodes: args.numa === true };
      await finish(runList(domain, columns, requestFlags(args), terminal));
    });

  for (const [verb, text] of [
    ['pause', 'pause a domain'],
    ['unpause', 'let a paused domain run'],
    ['destroy', 'end a domain at once'],
  ] as const) {
    operationCommand(program, verb, text)
      .argument('<domain>', 'name or number')
      .action(async (domain, args) => {
        const { runOnDomain } = await import('./commands/lifecycle.ts');
        await finish(runOnDomain(verb, domain, requestFlags(args), terminal));
      });
  }

  operationCommand(program, 'rename', 'give a domain another name')
    .argument('<domain>', 'name or number')
    .argument('<name>', 'the new name')
    .action(async (domain, name, args) => {
      const { runRename } = await import('./commands/lifecycle.ts');
      await finish(runRename(domain, name, requestFlags(args), terminal));
    });

  operationCommand(program, 'dump-core', 'have dom0 read the whole memory of a domain')
    .argument('<domain>', 'name or number')
    .argument('[file]', 'what messages call the core', 'core')
    .action(async (domain, file, args) => {
      const { runDumpCore } = await import('./commands/lifecycle.ts');
      await finish(runDumpCore(domain, file, requestFlags(args), terminal));
    });

  operationCommand(program, 'probe', 'have dom0 try to map one page of a domain')
    .argument('<domain>', 'name or number')
    .option('-w, --write', 'to write it, not only to read it')
    .action(async (domain, args) => {
      const { runProbe } = await import('./commands/lifecycle.ts');
      await finish(runProbe(domain, args.write === true, requestFlags(args), terminal));
    });
}
