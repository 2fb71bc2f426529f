/**
 * `dewar test`: runs scenarios on hosts, and says what came otherwise and which rules they exercised.
 *
 * @module
 */
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import type { ScenarioResult } from '@dewar/lab/rehearsal';
import { UsageError } from '../failures.ts';
import { REAL_HOST } from '../host-session.ts';
import { readAllScenarios, type TestFlags, type TestRun, tellRun, World } from '../scenario-runs.ts';
import type { Terminal } from '../terminal.ts';

async function runAll(path: string, flags: TestFlags): Promise<TestRun> {
  const { bootSimulatedHost, CoverageRecorder, runScenario } = await import('@dewar/lab/rehearsal');
  const { scenarios: chosen, diagnostics, paths } = await readAllScenarios(path, flags);
  const { release } = flags.compile;
  const world = new World(flags.compile, paths, async (policy, flask, makeup) =>
    bootSimulatedHost(policy, flask, { ...(release === undefined ? {} : { release }), ...makeup }),
  );
  const recorder =
    flags.coverage === undefined && flags.lcov === undefined && !(flags.isJson && flags.shard === undefined)
      ? undefined
      : new CoverageRecorder();
  const jobs = jobCount(chosen.length, flags);
  if (jobs > 1) {
    const { runInThreads } = await import('../test-threads.ts');
    const results = await runInThreads(path, flags, jobs);
    return { results, diagnostics, coverage: undefined, files: [resolve(path)] };
  }
  const { index, count } = flags.shard ?? { index: 0, count: 1 };
  const results: ScenarioResult[] = [];
  for (const [i, scenario] of chosen.entries())
    if (i % count === index) results.push(await runScenario(scenario, world, recorder));
  return { results, diagnostics, coverage: recorder?.result(), files: [resolve(path), ...world.files] };
}

/** Scenarios for which a thread is worth its start: it compiles the policies anew. */
const SCENARIOS_PER_THREAD = 100;

/**
 * How many threads run the scenarios. Coverage is counted in one place, a part is for one thread, and a thread runs the
 * command's own file, which there is only where the command was started.
 */
function jobCount(scenarios: number, { jobs, shard, coverage, lcov, isWatched }: TestFlags): number {
  const isCommand = /^dewar(?:\.js)?$/.test(basename(process.argv[1] ?? ''));
  if (!isCommand || shard !== undefined || coverage !== undefined || lcov !== undefined || isWatched) return 1;
  if (jobs !== undefined) return Math.min(jobs, scenarios);
  return Math.min(availableParallelism(), Math.ceil(scenarios / SCENARIOS_PER_THREAD));
}

function checkHost({ host, isAudited }: TestFlags): void {
  if (isAudited && host !== REAL_HOST)
    throw new UsageError('`--audit` is for a real host: a simulated one tells what it grants');
  if (host === 'simulated' || host === REAL_HOST) return;
  throw new UsageError(`there is no kind of host \`${host}\`: there is \`simulated\`, and \`xen\``);
}

export async function runTest(path: string, flags: TestFlags, terminal: Terminal): Promise<number> {
  checkHost(flags);
  if (flags.host !== REAL_HOST) return (await testOnce(path, flags, terminal)).code;
  const { testOnXen } = await import('./test-on-xen.ts');
  return testOnXen(path, flags, terminal);
}

/** `dewar test --watch`: runs again after each change, until it is interrupted. */
export async function runWatchedTest(path: string, flags: TestFlags, terminal: Terminal): Promise<number> {
  checkHost(flags);
  if (flags.host === REAL_HOST)
    throw new UsageError('a real host is not tested again and again: `--watch` is for simulated ones');
  const { watchCommand } = await import('../watching.ts');
  return watchCommand(() => testOnce(path, flags, terminal), flags.junit, terminal);
}

async function testOnce(
  path: string,
  flags: TestFlags,
  terminal: Terminal,
): Promise<{ readonly files: readonly string[]; readonly code: number }> {
  const start = performance.now();
  const run = await runAll(path, flags);
  return { files: run.files, code: await tellRun(path, run, performance.now() - start, flags, terminal) };
}
