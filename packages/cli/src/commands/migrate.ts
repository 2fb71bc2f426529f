/**
 * `dewar migrate`: a guest goes from one simulated host to another, or from a real one (`migrate-on-xen.ts`).
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Migration } from '@dewar/toolstack';
import { EXIT, RequestError, UsageError } from '../failures.ts';
import { meansRealHost, noSuchHost, openLab } from '../host-session.ts';
import { jsonText, reportJson } from '../report-json.ts';
import { coloursFor, print, printLine, type Terminal } from '../terminal.ts';
import { readConfig } from './guest-operations.ts';
import { answer, type RequestFlags } from './lifecycle.ts';

export interface MigrateFlags extends RequestFlags {
  /** An xl.cfg that takes the place of the configuration of the guest. */
  readonly config: string | undefined;
  readonly isPaused: boolean;
  /** The receiver waits for the end of the guest, as xl's daemon does; a simulated one does not. */
  readonly isWatched: boolean;
  /** What reaches a real host: `ssh`; empty where the host that is named is a command itself. */
  readonly transport: string;
  readonly keepsDomid: boolean;
  readonly isDebugged: boolean;
  /** The policy of the other host. */
  readonly targetPolicy: string | undefined;
  /** Send the guest although the rehearsal was refused. */
  readonly isForced: boolean;
}

export async function runMigrate(
  domain: string,
  targetName: string,
  flags: MigrateFlags,
  terminal: Terminal,
): Promise<number> {
  if (await meansRealHost(flags)) {
    const { migrateOnXen } = await import('./migrate-on-xen.ts');
    return migrateOnXen(domain, targetName, flags, terminal);
  }
  if (flags.policy !== undefined || flags.targetPolicy !== undefined)
    throw new UsageError(
      'simulated hosts have the policies that they were made with; a policy can be named for a real one, with `--host xen`',
    );
  const lab = await openLab(terminal);
  const sourceName = flags.host === undefined || flags.host === 'simulated' ? lab.current : flags.host;
  if (sourceName === undefined) throw new UsageError('there is no simulated host yet to migrate from');
  const known = lab.names();
  for (const name of [sourceName, targetName]) if (!known.includes(name)) throw noSuchHost(lab, name);
  if (sourceName === targetName) throw new UsageError(`\`${targetName}\` is the host that the guest is on`);
  const config = flags.config === undefined ? undefined : await readConfig(flags.config, terminal);
  if (flags.config !== undefined && config === undefined) return EXIT.problem;
  return lab.transactBoth(sourceName, targetName, async ({ running: from }, { running: to }) => {
    if (from === undefined || to === undefined) throw new RequestError('a host has gone in the meantime');
    const options = { uuid: randomUUID(), paused: flags.isPaused, ...(config === undefined ? {} : { config }) };
    const migration = await from.host.migrate(domain, to.host, options);
    return printMigration(migration, { sourceName, targetName }, flags, terminal);
  });
}

/** Both reports, the one of the sender first; what each host said stands under its name. */
function printMigration(
  { source, target }: Migration,
  { sourceName, targetName }: { readonly sourceName: string; readonly targetName: string },
  flags: MigrateFlags,
  terminal: Terminal,
): number {
  if (flags.isJson) {
    const reports = { source: reportJson(source), target: target === undefined ? undefined : reportJson(target) };
    print(terminal.out, jsonText({ from: sourceName, to: targetName, ...reports }));
  } else {
    const colours = coloursFor(terminal.err);
    const sides = [[sourceName, source] as const, ...(target === undefined ? [] : [[targetName, target] as const])];
    for (const [name, report] of sides) {
      printLine(terminal.err, colours.strong(`on ${name}:`));
      answer(report, flags, terminal, () => undefined);
    }
  }
  if (source.xlExitCode !== 0) return source.xlExitCode;
  return source.outcome === 'done' && target?.outcome === 'done' ? EXIT.done : EXIT.problem;
}
