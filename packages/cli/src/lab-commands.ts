/**
 * The commands about more than one host, and the one about none: `migrate`, `lab`, `check`.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import {
  compileOptions,
  definitionOption,
  formatOption,
  jsonFormatOption,
  mlsOption,
  releaseOption,
} from './compile-request.ts';
import type { Finish } from './guest-commands.ts';
import {
  flaskOption,
  hostOption,
  iommuOption,
  jsonOption,
  policyOption,
  requestFlags,
  verboseOption,
  xenOption,
} from './request-options.ts';
import type { Terminal } from './terminal.ts';

/** Memory of a host as a number of MiB, or one with `M`, `G` or `T` behind it. */
function parseHostMemory(text: string): number {
  const match = /^([0-9]{1,9})([MGT]?)$/i.exec(text);
  const scale: Readonly<Record<string, number>> = { m: 1, g: 1024, t: 1024 ** 2 };
  const mib = Number(match?.[1]) * (scale[(match?.[2] || 'm').toLowerCase()] ?? 1);
  // XEN: 16 TiB is the most that Xen supports.
  if (match === null || mib > 16 * 1024 ** 2) {
    throw new InvalidArgumentError('it must be a number of MiB, or one with M, G or T behind it, and 16T at most.');
  }
  return mib;
}

/** Adds the commands. */
export function addLabCommands(program: Command, finish: Finish, terminal: Terminal, version: string): void {
  program
    .command('migrate')
    .helpGroup('Guests:')
    .description('have a guest go to another host; labels travel as text and are resolved there')
    .argument('<domain>', 'name or number')
    .argument('<target>', 'a simulated host by its name; from a real host, the host to reach with `ssh`')
    .option('-C <config>', 'an xl.cfg that takes the place of the configuration of the guest')
    .option('-p', 'the guest arrives paused')
    .option('-e', 'nobody waits there for the end of the guest; on simulated hosts nobody does')
    .option('-F', 'the same')
    .option('-D', 'the guest keeps the number of its domain; simulated hosts number it anew')
    .option(
      '-s <sshcommand>',
      "from a real host, what reaches the other one; with '' <target> is the whole command that starts the receiver",
      'ssh',
    )
    .option('--debug', 'from a real host, have libxl compare what it has sent')
    .option('--live', 'accepted as by xl, which always migrates live')
    .option('--force', 'from a real host, send even what the rehearsal before it was refused')
    .addOption(hostOption())
    .addOption(policyOption('the policy that the real host has loaded (default: the one that Dewar loaded)'))
    .option('--target-policy <policy>', 'the policy of the host that it goes to: its side is rehearsed, too')
    .addOption(jsonOption())
    .addOption(verboseOption())
    .action(async (domain, target, args) => {
      const { runMigrate } = await import('./commands/migrate.ts');
      const flags = {
        ...requestFlags(args),
        config: args.C,
        isPaused: args.p === true,
        isWatched: args.e !== true && args.F !== true,
        transport: args.s,
        keepsDomid: args.D === true,
        isDebugged: args.debug === true,
        targetPolicy: args.targetPolicy,
        isForced: args.force === true,
      };
      await finish(runMigrate(domain, target, flags, terminal));
    });

  program
    .command('migrate-receive', { hidden: true })
    .description('take in a guest that another host sends: for `dewar migrate` and `xl migrate`, which start it there')
    .option('-p', 'the guest stays paused')
    .option('-e', 'accepted as by xl; nobody waits for the end of the guest')
    .option('-F', 'accepted as by xl')
    .option('-d', 'accepted as by xl')
    .option('--force', 'take in even what the rehearsal before it was refused')
    .addOption(hostOption())
    .addOption(policyOption('the policy that the host has loaded (default: the one that Dewar loaded)'))
    .action(async (args) => {
      const { runMigrateReceive } = await import('./commands/migrate-receive.ts');
      const { host, policy } = args;
      const flags = { host, policy, isPaused: args.p === true, isForced: args.force === true };
      await finish(runMigrateReceive(flags, terminal));
    });

  const lab = program.command('lab').description('make, list and remove simulated hosts').helpCommand(false);
  lab
    .command('new')
    .description('boot a new simulated host; commands reach it with `--host <name>`')
    .argument('<name>')
    .addOption(policyOption())
    .addOption(xenOption())
    .addOption(flaskOption())
    .addOption(iommuOption())
    .option('--memory <size>', 'memory of the host, dom0 included, such as 64G', parseHostMemory)
    .option(
      '--devices <file>',
      'its PCI devices, one a line: `03:00.0 ports=e000-e01f memory=fb200000-fb2fffff irq=33`',
    )
    .addOption(jsonOption())
    .action(async (name, args) => {
      const { runLabNew } = await import('./commands/lab.ts');
      const made = { memoryMib: args.memory, devices: args.devices };
      await finish(runLabNew(name, { ...requestFlags(args), ...made }, terminal));
    });
  lab
    .command('list')
    .description('list the simulated hosts; `*` is the one that was used last')
    .addOption(jsonOption())
    .action(async (args) => {
      const { runLabList } = await import('./commands/lab.ts');
      await finish(runLabList(args.json === true, terminal));
    });
  lab
    .command('rm')
    .description('forget simulated hosts, with the guests on them')
    .argument('<names...>')
    .action(async (names) => {
      const { runLabRemove } = await import('./commands/lab.ts');
      await finish(runLabRemove(names, terminal));
    });

  program
    .command('check')
    .helpGroup('Guests:')
    .description('say what is wrong with an xl.cfg, or will silently not apply; the status is 1 if anything is')
    .argument('<config>', 'xl.cfg file of the guest')
    .argument('[settings...]', '`key=value`, as if at the end of the file')
    .addOption(policyOption('the policy in which the labels are to be valid (default: they are only read)'))
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(formatOption())
    .addOption(jsonFormatOption())
    .action(async (config, settings, args) => {
      const { runCheck } = await import('./commands/check.ts');
      const format = args.json === true ? 'json' : args.format;
      const { policy } = args;
      const flags = { format, version, policy, compile: compileOptions(args) };
      await finish(runCheck(config, settings, flags, terminal));
    });
}
