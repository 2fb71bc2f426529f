/**
 * `dewar test --host xen`: runs scenarios on the Xen host that this machine is, and leaves it as it was.
 *
 * What such a host cannot do is refused before anything is done, for all scenarios together. The host has to decide as the
 * policy of each scenario does: no policy is loaded for it, but for that same one with auditing (`--audit`), which tells what
 * is granted.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { GrantedLog, Scenario, ScenarioResult, WhyNotTold } from '@dewar/lab/rehearsal';
import { xenRelease } from '@dewar/policy/releases';
import type { PolicyView } from '@dewar/policy/security-server';
import { hasErrors } from '@dewar/policy/text';
import { isAlive, isMark, markOf, type ProcessMark, whyNotTold, type XenHost } from '@dewar/xen';
import { auditable, auditedCheck, type RanScenarios, runAudited } from '../audited-scenarios.ts';
import { EXIT, RequestError, UsageError } from '../failures.ts';
import { writeWhole } from '../files.ts';
import { INTERRUPTED, realHostFolder, tablesOf, useRealHost } from '../host-session.ts';
import { applyBooleans, firstDifference, mayDo, viewOf } from '../policy-on-host.ts';
import { readAllScenarios, type TestFlags, tellRun, World } from '../scenario-runs.ts';
import { coloursFor, printDiagnostics, printLine, safeLine, type Terminal } from '../terminal.ts';

/** The guests that a run has made and not yet destroyed, and which process runs, kept over the end of the command. */
class Remembered {
  readonly #file: string;
  readonly #boot: string;
  readonly #owner: ProcessMark = markOf(process.pid);

  constructor(host: XenHost) {
    this.#boot = host.boot;
    this.#file = join(realHostFolder(), 'scenario-guests.json');
  }

  /** Those of a run before, of this boot, which has ended; a run that goes on is told by its process. */
  read(): ReadonlySet<string> | { readonly pid: number } {
    if (!existsSync(this.#file)) return new Set();
    try {
      const found: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      if (typeof found !== 'object' || found === null || !('boot' in found) || !('uuids' in found)) return new Set();
      if (found.boot !== this.#boot || !Array.isArray(found.uuids)) return new Set();
      if ('owner' in found && isMark(found.owner) && found.owner.pid !== process.pid && isAlive(found.owner))
        return { pid: found.owner.pid };
      return new Set(found.uuids.filter((one) => typeof one === 'string'));
    } catch {
      return new Set();
    }
  }

  write(uuids: readonly string[]): void {
    mkdirSync(realHostFolder(), { recursive: true, mode: 0o700 });
    writeWhole(this.#file, Buffer.from(`${JSON.stringify({ boot: this.#boot, owner: this.#owner, uuids })}\n`));
  }
}

/** Ends with all that a real host cannot do, if there is something. */
function refuse(title: string, reasons: readonly string[]): void {
  if (reasons.length > 0) throw new UsageError([title, ...reasons].join('\n  '));
}

async function hindrances(scenarios: readonly Scenario[], isAudited: boolean): Promise<string[]> {
  const { hindrancesOnRealHost } = await import('@dewar/lab/rehearsal');
  const why: WhyNotTold | undefined = isAudited ? (check, one) => whyNotTold(auditedCheck(check), one) : undefined;
  return scenarios.flatMap((scenario) =>
    hindrancesOnRealHost(scenario, why).map((why) => `${scenario.source.name}, \`${scenario.name}\`: ${why}`),
  );
}

/** Steps that take from dom0 what it needs to put back what the run has changed: the booleans, and the policy. */
function lockingSteps(
  { steps }: Scenario,
  view: PolicyView,
  dom0: string,
  initialSids: readonly string[],
  isAudited: boolean,
): string[] {
  const before = {
    setbool: 'the booleans could not be put back',
    load_policy: 'the policy without auditing could not be put back',
  };
  const needed = isAudited ? (['setbool', 'load_policy'] as const) : (['setbool'] as const);
  return steps.flatMap(({ kind, subject = '', options }, i) => {
    const symbol = kind === 'set-bool' ? view.policy.booleans.byName.get(subject) : undefined;
    // What dom0 may not set stays as it is.
    if (symbol === undefined || !mayDo(view, dom0, initialSids, 'setbool')) return [];
    view.booleans[symbol.value] = options['value'] === true;
    view.applyBooleans();
    return needed
      .filter((permission) => !mayDo(view, dom0, initialSids, permission))
      .map(
        (permission) =>
          `step ${i + 1}, \`set-bool\`: it takes \`security { ${permission} }\` from dom0, so that ${before[permission]}`,
      );
  });
}

/** Why the host as it is now is not one for these scenarios. */
async function hindrancesNow(
  scenarios: readonly Scenario[],
  world: World,
  host: XenHost,
  isAudited: boolean,
): Promise<string[]> {
  const { hindranceNow } = await import('@dewar/lab/rehearsal');
  const enforcing = await host.getenforce();
  if (enforcing.value !== true) return ['FLASK is not enforcing on this host'];
  const found: string[] = [];
  const { value: booleans = [] } = await host.booleans();
  const { value: domains = [] } = await host.list();
  const { classes, initialSids } = xenRelease(tablesOf(host.version));
  const dom0 = domains.find(({ domid }) => domid === 0)?.label ?? '';
  for (const scenario of scenarios) {
    const say = (why: string): void => void found.push(`${scenario.source.name}, \`${scenario.name}\`: ${why}`);
    const policy = await world.policy(scenario.policy, scenario.source.name, scenario.isMls);
    if ('refused' in policy) {
      say(policy.refused);
      continue;
    }
    const view = viewOf(policy.bytes);
    if (view === undefined) throw new RequestError(`policy \`${policy.name}\` cannot be read`);
    applyBooleans(view, booleans);
    const answer = await firstDifference(host, view, domains, classes);
    if (answer === 'not-asked')
      say('dom0 may not ask Xen for decisions, so that its policy cannot be told from others');
    else if (answer.difference !== undefined)
      say(`the host does not decide as the policy \`${policy.name}\`: ${answer.difference}`);
    for (const why of lockingSteps(scenario, view, dom0, initialSids, isAudited)) say(why);
    const now = await hindranceNow(scenario, world, host);
    if (now !== undefined) say(now);
  }
  return found;
}

/** Runs scenarios on the host that this machine is. */
export async function testOnXen(path: string, flags: TestFlags, terminal: Terminal): Promise<number> {
  if (flags.coverage !== undefined || flags.lcov !== undefined)
    throw new UsageError('Xen does not log which rules granted something: `--coverage` is for simulated hosts');
  if (flags.shard !== undefined || (flags.jobs ?? 1) > 1)
    throw new UsageError('one host runs one scenario at a time: `--jobs` and `--shard` are for simulated hosts');
  const start = performance.now();
  const { scenarios, diagnostics, paths } = await readAllScenarios(path, flags);
  if (hasErrors(diagnostics)) {
    printDiagnostics(terminal, diagnostics);
    return EXIT.problem;
  }
  refuse('nothing was done, because a real host cannot do all of it:', await hindrances(scenarios, flags.isAudited));
  let isStopped = false;
  const folder = mkdtempSync(join(tmpdir(), 'dewar-test-'));
  try {
    return await useRealHost(
      terminal,
      async (host) => {
        const command = `dewar test ${path} --audit`;
        const { results, isLeft } = await runScenarios(scenarios, host, {
          paths,
          folder,
          command,
          isStopped: () => isStopped,
          flags,
          terminal,
        });
        // Interrupted before the first of them, there is nothing to tell.
        if (isStopped && results.length === 0) return isLeft ? EXIT.world : INTERRUPTED;
        const run = { results, diagnostics, coverage: undefined, files: [resolve(path)] };
        const code = await tellRun(path, run, performance.now() - start, flags, terminal);
        return isLeft ? EXIT.world : isStopped ? INTERRUPTED : code;
      },
      {
        words: 'interrupted: the step that is under way ends, then all is put back; once more to stop at once',
        begin: () => {
          isStopped = true;
        },
      },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What scenarios run with. */
interface Run {
  /** Paths of their files by the names that they have in messages. */
  readonly paths: ReadonlyMap<string, string>;
  /** Where they write files. */
  readonly folder: string;
  readonly command: string;
  readonly isStopped: () => boolean;
  readonly flags: TestFlags;
  readonly terminal: Terminal;
}

async function runScenarios(scenarios: readonly Scenario[], host: XenHost, run: Run): Promise<RanScenarios> {
  const { destroyLeftovers, grantedPatterns } = await import('@dewar/lab/rehearsal');
  const { flags, paths, terminal } = run;
  const release = flags.compile.release ?? tablesOf(host.version);
  const world = new World({ ...flags.compile, release }, paths, async () => ({
    kind: 'refused',
    reason: 'a real host was booted already',
  }));
  const remembered = new Remembered(host);
  const before = remembered.read();
  if ('pid' in before)
    throw new RequestError(`scenarios run on this host already: process ${before.pid} has not ended yet`);
  const note = (text: string): void =>
    printLine(terminal.err, `${coloursFor(terminal.err).warning('note:')} ${safeLine(text)}`);
  if (before.size > 0) {
    const left = await destroyLeftovers(host, before);
    refuse('guests of an earlier run are left on the host:', left);
    note('what an earlier run left behind was destroyed');
  }
  const granted = flags.isAudited ? grantedPatterns(scenarios) : [];
  const isAudited = granted.length > 0;
  refuse(
    'nothing was done, because the host is not one for these scenarios:',
    await hindrancesNow(scenarios, world, host, isAudited),
  );
  if (flags.isAudited && !isAudited) note('nothing was audited: no scenario says what must be granted');
  const policy = isAudited ? await auditable(scenarios, world, host, granted) : undefined;
  // Whoever comes now waits, or goes away.
  remembered.write([]);
  const runAll = (grantedLog?: GrantedLog): Promise<ScenarioResult[]> =>
    runEach(scenarios, world, host, run, (uuids) => remembered.write(uuids), grantedLog);
  return policy === undefined
    ? { results: await runAll(), isLeft: false }
    : runAudited(policy, host, run.command, terminal, runAll);
}

async function runEach(
  scenarios: readonly Scenario[],
  world: World,
  host: XenHost,
  { folder, isStopped }: Run,
  remember: (uuids: readonly string[]) => void,
  grantedLog: GrantedLog | undefined,
): Promise<ScenarioResult[]> {
  const { runOnRealHost } = await import('@dewar/lab/rehearsal');
  const results: ScenarioResult[] = [];
  for (const scenario of scenarios) {
    if (isStopped()) break;
    results.push(
      await runOnRealHost(scenario, world, {
        host,
        uuid: randomUUID,
        // A word of a scenario may have any character.
        fileFor: (name) => join(folder, encodeURIComponent(name).replaceAll('.', '%2E')),
        remember,
        isStopped,
        grantedLog,
      }),
    );
  }
  return results;
}
