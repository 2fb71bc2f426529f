/**
 * `dewar init-xenstore-domain`: on a real host rehearsed first, then done by the host's own program.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { OperationReport, XenstoreDomainOptions } from '@dewar/toolstack';
import type { XenHost } from '@dewar/xen';
import { EXIT, UsageError } from '../failures.ts';
import { meansRealHost, useRealHost } from '../host-session.ts';
import { printLine, type Terminal } from '../terminal.ts';
import { answer, type RequestFlags, request } from './lifecycle.ts';
import { mayFollow } from './tell-rehearsal.ts';

/** What the command line says. */
export interface XenstoreDomainFlags extends RequestFlags {
  /** Make it on a real host although the rehearsal was refused. */
  readonly isForced: boolean;
}

export async function runXenstoreDomain(
  options: Omit<XenstoreDomainOptions, 'uuid'>,
  flags: XenstoreDomainFlags,
  terminal: Terminal,
): Promise<number> {
  const whole = { ...options, uuid: randomUUID() };
  const show = (_value: undefined, { outcome, domain }: OperationReport): void => {
    if (domain !== undefined && outcome === 'done')
      printLine(terminal.out, `xenstore is in domain ${domain.domid} now`);
  };
  if (!(await meansRealHost(flags))) return request(flags, terminal, (host) => host.initXenstoreDomain(whole), show);
  if (whole.kernel === undefined)
    throw new UsageError('on a real host the domain needs a kernel that is a xenstore: name it with `--kernel`');
  return useRealHost(
    terminal,
    async (host) => {
      if (!(await mayBegin(host, whole, flags, terminal))) return EXIT.problem;
      return answer(await host.initXenstoreDomain(whole), flags, terminal, show);
    },
    undefined,
    true,
  );
}

/** Rehearses it, and says what would be refused. */
async function mayBegin(
  host: XenHost,
  options: XenstoreDomainOptions,
  { policy, isForced }: XenstoreDomainFlags,
  terminal: Terminal,
): Promise<boolean> {
  const { rehearse } = await import('./rehearse-build.ts');
  const rehearsal = await rehearse(host, policy, terminal, (simulated) => simulated.initXenstoreDomain(options));
  const left =
    'nothing was made: that was a rehearsal under the policy of this host; `--force` makes the domain nevertheless';
  return mayFollow(rehearsal, { isForced, goesOn: 'the domain is made', left }, terminal);
}
