/**
 * `dewar migrate` from a real host: rehearsed first, then done.
 *
 * The command that reaches the other host is put together as xl does it (`tools/xl/xl_migrate.c`, `main_migrate`).
 *
 * @module
 */
import type { XenHost } from '@dewar/xen';
import { EXIT } from '../failures.ts';
import { INTERRUPTED, useRealHost } from '../host-session.ts';
import { jsonText, reportJson } from '../report-json.ts';
import { coloursFor, print, printLine, safeLine, type Terminal } from '../terminal.ts';
import { readConfig } from './guest-operations.ts';
import { answer, exitCodeOf } from './lifecycle.ts';
import type { MigrateFlags } from './migrate.ts';
import type { MigrationPlan } from './rehearse-migration.ts';
import { mayFollow } from './tell-rehearsal.ts';

/** More of what a receiver says is not kept for JSON. */
const SAID_LIMIT = 1000;

export async function migrateOnXen(
  domain: string,
  target: string,
  flags: MigrateFlags,
  terminal: Terminal,
): Promise<number> {
  const config = flags.config === undefined ? undefined : await readConfig(flags.config, terminal);
  if (flags.config !== undefined && config === undefined) return EXIT.problem;
  const { policy, targetPolicy, isPaused, keepsDomid, isDebugged } = flags;
  const interruption = new AbortController();
  return useRealHost(
    terminal,
    async (host) => {
      if (!(await mayBegin(host, { domain, config, isPaused, policy, targetPolicy }, flags, terminal)))
        return EXIT.problem;
      if (interruption.signal.aborted) return INTERRUPTED;
      const said: string[] = [];
      const tell = (line: string): void => {
        if (!flags.isJson) printLine(terminal.err, safeLine(line));
        else if (said.length < SAID_LIMIT) said.push(line);
      };
      const report = await host.migrate(domain, {
        to: target,
        command: receiverCommand(target, flags),
        config,
        keepsDomid,
        isDebugged,
        tell,
        signal: interruption.signal,
      });
      let code = exitCodeOf(report);
      if (!flags.isJson) code = answer(report, flags, terminal, () => undefined);
      else print(terminal.out, jsonText({ from: 'xen', to: target, source: reportJson(report), receiver: said }));
      return interruption.signal.aborted && report.outcome === 'failed' ? INTERRUPTED : code;
    },
    {
      words: 'interrupted: the guest stays here, unless it has been handed over already',
      begin: () => interruption.abort(),
    },
  );
}

/** What the shell is to run: it starts the receiver, and its input and output are those of the receiver. */
function receiverCommand(target: string, { transport, isWatched, isDebugged, isPaused }: MigrateFlags): string {
  if (transport === '') return target;
  const options = `${isWatched ? '' : ' -e'}${isDebugged ? ' -d' : ''}${isPaused ? ' -p' : ''}`;
  return `exec ${transport} ${target} xl migrate-receive${options}`;
}

/** Rehearses it, and says what would be refused. */
async function mayBegin(
  host: XenHost,
  plan: MigrationPlan,
  { isForced, isJson }: MigrateFlags,
  terminal: Terminal,
): Promise<boolean> {
  const { rehearseMigration } = await import('./rehearse-migration.ts');
  const rehearsal = await rehearseMigration(host, plan, terminal);
  if (rehearsal.kind !== 'none' && plan.targetPolicy === undefined) {
    const words = 'the other host has a policy of its own, which was not rehearsed: name it with `--target-policy`';
    printLine(terminal.err, `${coloursFor(terminal.err).note('note:')} ${words}`);
  }
  if (rehearsal.kind === 'refused' && isJson && !isForced) {
    print(terminal.out, jsonText({ outcome: 'refused', rehearsal: reportJson(rehearsal.report) }));
    return false;
  }
  const isAbroad = rehearsal.kind === 'refused' && rehearsal.report.operation === 'migrate-receive';
  const whose = isAbroad ? 'the other host' : 'this host';
  const left = `nothing was sent: that was a rehearsal under the policy of ${whose}; \`--force\` sends the guest nevertheless`;
  return mayFollow(rehearsal, { isForced, goesOn: 'the guest is sent', left }, terminal);
}
