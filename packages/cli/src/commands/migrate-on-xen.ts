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
import { coloursFor, print, printDiagnostics, printLine, safeLine, type Terminal } from '../terminal.ts';
import { labelNames, refusalLines } from '../timeline.ts';
import { readConfig } from './guest-operations.ts';
import { answer, exitCodeOf } from './lifecycle.ts';
import type { MigrateFlags } from './migrate.ts';
import type { MigrationPlan } from './rehearse-migration.ts';

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
  const { err } = terminal;
  const colours = coloursFor(err);
  const { rehearseMigration } = await import('./rehearse-migration.ts');
  const rehearsal = await rehearseMigration(host, plan, terminal);
  if (rehearsal.kind === 'none') {
    printLine(err, `${colours.warning('note:')} not rehearsed: ${rehearsal.reason}`);
    return true;
  }
  if (plan.targetPolicy === undefined) {
    const words = 'the other host has a policy of its own, which was not rehearsed: name it with `--target-policy`';
    printLine(err, `${colours.note('note:')} ${words}`);
  }
  if (rehearsal.kind === 'passed') return true;
  const { report } = rehearsal;
  if (isJson && !isForced) {
    print(terminal.out, jsonText({ outcome: 'refused', rehearsal: reportJson(report) }));
    return false;
  }
  for (const line of refusalLines(report, labelNames(report), colours)) printLine(err, line);
  printDiagnostics(terminal, report.diagnostics);
  const whose = report.operation === 'migrate-receive' ? 'the other host' : 'this host';
  if (isForced) printLine(err, `${colours.warning('warning:')} the rehearsal failed; the guest is sent nevertheless`);
  else
    printLine(
      err,
      `nothing was sent: that was a rehearsal under the policy of ${whose}; \`--force\` sends the guest nevertheless`,
    );
  return isForced;
}
