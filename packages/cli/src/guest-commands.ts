/**
 * The commands of xl that ask something of a guest, beside those that make, pause and end it.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { operationCommand, requestFlags } from './request-options.ts';
import type { Terminal } from './terminal.ts';

/** Takes the exit code of a command. */
export type Finish = (code: Promise<number>) => Promise<void>;

const DOMAIN = 'name or number';

function parseCount(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new InvalidArgumentError('it must be a number.');
  return Number(text);
}

/** A size as xl takes it: a number of MiB, or with a letter behind it. XEN: `parse_mem_size_kb`. */
function parseMemory(text: string): { readonly kib: number; readonly text: string } {
  const match = /^([0-9]{1,15})([bkmgt]?)$/i.exec(text);
  const scale: Readonly<Record<string, number>> = { b: 1 / 1024, k: 1, m: 1024, g: 1024 ** 2, t: 1024 ** 3 };
  const kib = Math.floor(Number(match?.[1]) * (scale[(match?.[2] || 'm').toLowerCase()] ?? 1));
  if (match === null || !Number.isSafeInteger(kib)) {
    throw new InvalidArgumentError('it must be a number of MiB, or one with b, k, m, g or t behind it.');
  }
  return { kib, text };
}

/** An option that counts. */
function countUp(_: unknown, before: number): number {
  return before + 1;
}

/** Adds the commands. */
export function addGuestCommands(program: Command, finish: Finish, terminal: Terminal): void {
  const add = (name: string, text: string): ReturnType<typeof operationCommand> =>
    operationCommand(program, name, text);

  for (const [verb, text] of [
    ['shutdown', 'ask a guest to power off'],
    ['reboot', 'ask a guest to reboot; it is built anew under its first label'],
  ] as const) {
    add(verb, text)
      .argument('[domain]', DOMAIN)
      .option('-a, --all', 'all guests')
      .option('-w, --wait', 'say what became of them; twice: wait until they are destroyed', countUp, 0)
      .option('-F', 'where an HVM guest has no PV drivers, press its button')
      .action(async (domain, args) => {
        const { runStop } = await import('./commands/guest-operations.ts');
        const choice = {
          ...{ domain, isAll: args.all === true, waits: Number(args.wait) },
          isForced: args.F === true,
        };
        await finish(runStop(verb, choice, requestFlags(args), terminal));
      });
  }

  add('save', 'write a guest down to a file and end it')
    .argument('<domain>', DOMAIN)
    .argument('<file>')
    .option('-c, --checkpoint', 'the guest goes on')
    .option('-p, --leave-paused', 'the guest goes on, paused')
    .action(async (domain, file, args) => {
      const { runSave } = await import('./commands/guest-operations.ts');
      const options = { checkpoint: args.checkpoint === true, leavePaused: args.leavePaused === true };
      await finish(runSave(domain, file, options, requestFlags(args), terminal));
    });

  add('restore', 'build a guest from a file that `save` has written')
    .argument('<file>', 'what `save` has written, or an xl.cfg that takes the place of its configuration')
    .argument('[save-file]', 'what `save` has written, after an xl.cfg')
    .option('-p, --paused', 'leave the guest paused')
    .option('-e, --no-wait', 'nobody waits for the end of the guest')
    .option('-c, --console', 'attach to the console of the guest before it starts')
    .option('-d, --debug', 'accepted as by xl')
    .action(async (first, second, args) => {
      const { runRestore } = await import('./commands/guest-operations.ts');
      const options = { paused: args.paused === true, unwatched: !args.wait, isAttached: args.console === true };
      const files = second === undefined ? { saved: first } : { config: first, saved: second };
      await finish(runRestore(files, options, requestFlags(args), terminal));
    });

  add('vcpu-list', 'list the vCPUs of a domain, or of all')
    .argument('[domain]', DOMAIN)
    .action(async (domain, args) => {
      const { runVcpuList } = await import('./commands/guest-operations.ts');
      await finish(runVcpuList(domain, requestFlags(args), terminal));
    });

  add('vcpu-pin', 'say on which physical CPUs a vCPU may run')
    .argument('<domain>', DOMAIN)
    .argument('<vcpu>', 'its number, or `all`')
    .argument('<hard>', 'physical CPUs: `0-1`, `all`, or `-` for no change')
    .argument('[soft]', 'those on which it had better run')
    .action(async (domain, vcpu, hard, soft, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.vcpuPin(domain, vcpu, hard, soft), requestFlags(args), terminal));
    });

  add('vcpu-set', 'say how many vCPUs a guest is to use')
    .argument('<domain>', DOMAIN)
    .argument('<count>', 'how many', parseCount)
    .action(async (domain, count, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.vcpuSet(domain, count), requestFlags(args), terminal));
    });

  add('mem-set', 'say how much memory a guest is to use')
    .argument('<domain>', DOMAIN)
    .argument('<memory>', 'MiB, or with k, m, g behind it', parseMemory)
    .action(async (domain, { kib, text }, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.memSet(domain, kib, text), requestFlags(args), terminal));
    });

  add('mem-max', 'say how much memory a guest may have')
    .argument('<domain>', DOMAIN)
    .argument('<memory>', 'MiB, or with k, m, g behind it', parseMemory)
    .action(async (domain, { kib, text }, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.memMax(domain, kib, text), requestFlags(args), terminal));
    });

  add('sched-credit2', 'show or set what the scheduler keeps of a domain')
    .option('-d, --domain <domain>', 'the domain (default: all)')
    .option('-w, --weight <weight>', 'its new weight', parseCount)
    .option('-c, --cap <cap>', 'its new cap', parseCount)
    .action(async (args) => {
      const { runScheduler } = await import('./commands/guest-operations.ts');
      await finish(runScheduler(args.domain, args, requestFlags(args), terminal));
    });

  add('trigger', 'send a guest an event as hardware would')
    .argument('<domain>', DOMAIN)
    .argument('<trigger>', 'nmi, reset, init, power or sleep')
    .argument('[vcpu]', 'the vCPU that gets it', parseCount)
    .action(async (domain, trigger, vcpu, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.trigger(domain, trigger, vcpu), requestFlags(args), terminal));
    });

  add('sysrq', 'send a guest a magic key')
    .argument('<domain>', DOMAIN)
    .argument('<key>', 'one letter')
    .action(async (domain, key, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.sysrq(domain, key), requestFlags(args), terminal));
    });

  add('vm-list', 'list the domains by their UUIDs').action(async (args) => {
    const { runVmList } = await import('./commands/guest-operations.ts');
    await finish(runVmList(requestFlags(args), terminal));
  });

  add('domid', 'print the number of a domain')
    .argument('<name>')
    .action(async (name, args) => {
      const { runDomid } = await import('./commands/guest-operations.ts');
      await finish(runDomid(name, requestFlags(args), terminal));
    });

  add('domname', 'print the name of a domain')
    .argument('<number>')
    .action(async (domid, args) => {
      const { runDomname } = await import('./commands/guest-operations.ts');
      await finish(runDomname(domid, requestFlags(args), terminal));
    });

  add('host-info', 'print what `xl info` says of the simulated host').action(async (args) => {
    const { runHostInfo } = await import('./commands/guest-operations.ts');
    await finish(runHostInfo(requestFlags(args), terminal));
  });
}
