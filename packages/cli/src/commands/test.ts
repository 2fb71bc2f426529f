/**
 * `dewar test`: runs scenarios on simulated hosts, and says what came otherwise and which rules they exercised.
 *
 * @module
 */
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Coverage, PolicyImage, Scenario, ScenarioResult, ScenarioWorld, StepFailure } from '@dewar/lab/rehearsal';
import type { CompileOptions } from '@dewar/policy/compiler';
import { type Diagnostic, hasErrors, placeText, SourceText, userSpan } from '@dewar/policy/text';
import { EXIT, FileError, RequestError, reasonOf, UsageError } from '../failures.ts';
import { readLatin1, writeWhole } from '../files.ts';
import { displayPath, readPolicy } from '../policy-input.ts';
import { diagnosticJson, jsonText } from '../report-json.ts';
import { byteText, type Colours, coloursFor, print, printDiagnostics, printLine, type Terminal } from '../terminal.ts';

export interface TestFlags {
  /** Only scenarios with this text in their file or name. */
  readonly filter: string | undefined;
  /** `simulated`, or what no host can be made of here. */
  readonly host: string;
  readonly junit: string | undefined;
  readonly lcov: string | undefined;
  /** `summary`: what was not exercised; `source`: whole sources with counts. */
  readonly coverage: 'summary' | 'source' | undefined;
  readonly isJson: boolean;
  readonly isWatched: boolean;
  /** How many threads at most. */
  readonly jobs: number | undefined;
  /** Only every `count`th scenario, from `index` on. */
  readonly shard: { readonly index: number; readonly count: number } | undefined;
  /** The words of the command line that compile options came from. */
  readonly compileWords: readonly string[];
  readonly compile: CompileOptions;
}

const SCENARIO_FILE = /\.scenario\.ya?ml$/;
/** Folders deeper than this are not looked into. */
const MAX_DEPTH = 32;
/** A scenario file is written by hand. */
const MAX_SIZE = 1024 * 1024;

/** The scenario files in a folder, or the file itself; sorted. */
function scenarioFiles(path: string): string[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw new FileError(`cannot read \`${displayPath(path)}\`: ${reasonOf(error)}`, { cause: error });
  }
  if (!isFolder) return [path];
  const found: string[] = [];
  const visit = (folder: string, depth: number): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const child = join(folder, entry.name);
      if (entry.isDirectory() && depth < MAX_DEPTH && entry.name !== 'node_modules' && !entry.name.startsWith('.'))
        visit(child, depth + 1);
      else if (entry.isFile() && SCENARIO_FILE.test(entry.name)) found.push(child);
    }
  };
  visit(path, 0);
  return found.sort();
}

/** One run of all scenarios. */
interface TestRun {
  readonly results: readonly ScenarioResult[];
  readonly diagnostics: readonly Diagnostic[];
  readonly coverage: Coverage | undefined;
  /** Files that the results depend on. */
  readonly files: readonly string[];
}

/** The world of the scenarios of one run: policies are read once. */
class World implements ScenarioWorld {
  readonly files = new Set<string>();
  readonly boot: ScenarioWorld['boot'];
  readonly #compile: CompileOptions;
  /** Paths of scenario files by the names that they have in messages. */
  readonly #paths: ReadonlyMap<string, string>;
  readonly #policies = new Map<string, Promise<PolicyImage | { readonly refused: string }>>();

  constructor(compile: CompileOptions, paths: ReadonlyMap<string, string>, boot: ScenarioWorld['boot']) {
    this.#compile = compile;
    this.#paths = paths;
    this.boot = boot;
  }

  #resolve(path: string, scenarioFile: string): string {
    // Texts hold one character for each byte, paths do not.
    const written = Buffer.from(path, 'latin1').toString('utf8');
    return resolve(dirname(this.#paths.get(scenarioFile) ?? scenarioFile), written);
  }

  policy(
    path: string | undefined,
    scenarioFile: string,
    isMls: boolean,
  ): Promise<PolicyImage | { readonly refused: string }> {
    const named = path === undefined ? undefined : this.#resolve(path, scenarioFile);
    const key = `${isMls} ${named ?? ''}`;
    let found = this.#policies.get(key);
    if (found === undefined) {
      found = this.#read(named, isMls);
      this.#policies.set(key, found);
    }
    return found;
  }

  async #read(path: string | undefined, isMls: boolean): Promise<PolicyImage | { readonly refused: string }> {
    try {
      const reading = await readPolicy(path, { ...this.#compile, ...(isMls ? { isMls } : {}) });
      for (const file of reading.files) this.files.add(file);
      const { name, bytes, compiled, diagnostics } = reading;
      if (bytes !== undefined && !hasErrors(diagnostics)) return { name, bytes, compiled };
      const fault = diagnostics.find(({ severity }) => severity === 'error');
      const place = fault?.origin === undefined ? '' : `${placeText(userSpan(fault.origin))}: `;
      return { refused: `policy \`${name}\` does not compile: ${place}${fault?.message ?? ''}` };
    } catch (error) {
      if (error instanceof FileError || error instanceof RequestError) return { refused: byteText(error.message) };
      throw error;
    }
  }

  readText(path: string, scenarioFile: string): { readonly text: string } | { readonly refused: string } {
    const file = this.#resolve(path, scenarioFile);
    this.files.add(file);
    try {
      return { text: readLatin1(file) };
    } catch (error) {
      if (error instanceof FileError) return { refused: byteText(error.message) };
      throw error;
    }
  }
}

async function runAll(path: string, flags: TestFlags): Promise<TestRun> {
  const { bootSimulatedHost, CoverageRecorder, readScenarios, runScenario } = await import('@dewar/lab/rehearsal');
  const diagnostics: Diagnostic[] = [];
  const scenarios: Scenario[] = [];
  const paths = new Map<string, string>();
  const found = scenarioFiles(resolve(path));
  for (const file of found) {
    if (statSync(file).size > MAX_SIZE) throw new RequestError(`\`${displayPath(file)}\` is too large for a scenario`);
    const source = new SourceText(byteText(displayPath(file)), readLatin1(file));
    paths.set(source.name, file);
    scenarios.push(...readScenarios(source, (diagnostic) => diagnostics.push(diagnostic)));
  }
  const chosen = scenarios.filter(
    ({ name, source }) => flags.filter === undefined || `${source.name} ${name}`.includes(byteText(flags.filter)),
  );
  const world = new World(flags.compile, paths, async (policy, flask, hardware) =>
    bootSimulatedHost(policy, flask, hardware),
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

function checkHost(host: string): void {
  if (host === 'simulated') return;
  if (host === 'xen') {
    throw new UsageError('scenarios run on simulated hosts; this version of Dewar cannot run them on a real Xen host');
  }
  throw new UsageError(`there is no kind of host \`${host}\`: there is \`simulated\``);
}

export async function runTest(path: string, flags: TestFlags, terminal: Terminal): Promise<number> {
  checkHost(flags.host);
  return (await testOnce(path, flags, terminal)).code;
}

/** `dewar test --watch`: runs again after each change, until it is interrupted. */
export async function runWatchedTest(path: string, flags: TestFlags, terminal: Terminal): Promise<number> {
  checkHost(flags.host);
  const { watchCommand } = await import('../watching.ts');
  return watchCommand(() => testOnce(path, flags, terminal), flags.junit, terminal);
}

async function testOnce(
  path: string,
  flags: TestFlags,
  terminal: Terminal,
): Promise<{ readonly files: readonly string[]; readonly code: number }> {
  const start = performance.now();
  const { results, diagnostics, coverage, files } = await runAll(path, flags);
  const elapsed = Math.round(performance.now() - start);
  if (results.length === 0 && diagnostics.length === 0) {
    const which = flags.filter === undefined ? '' : ` with \`${flags.filter}\` in its file or name`;
    throw new RequestError(`there is no scenario${which} in \`${path}\`: their files end in \`.scenario.yaml\``);
  }
  const { junitText, lcovText } = await import('@dewar/lab/rehearsal');
  const { coverageJson, coverageLines } = await import('../coverage-text.ts');
  const write = (file: string, text: string): void => writeWhole(file, Buffer.from(text, 'latin1'));
  if (flags.junit !== undefined) write(flags.junit, junitText(results));
  if (flags.lcov !== undefined && coverage !== undefined) write(flags.lcov, lcovText(coverage));
  const isPassed = !hasErrors(diagnostics) && results.every(({ outcome }) => outcome === 'passed');
  if (flags.isJson) {
    print(
      terminal.out,
      jsonText({
        outcome: isPassed ? 'passed' : 'failed',
        diagnostics: diagnostics.map(diagnosticJson),
        scenarios: results,
        coverage: coverage === undefined ? undefined : coverageJson(coverage),
      }),
    );
  } else {
    printDiagnostics(terminal, diagnostics);
    const colours = coloursFor(terminal.out);
    for (const line of await resultLines(results, elapsed, colours)) printLine(terminal.out, line);
    if (coverage !== undefined && flags.coverage !== undefined) {
      printLine(terminal.out);
      for (const line of coverageLines(coverage, flags.coverage, colours)) printLine(terminal.out, line);
    }
  }
  return { files, code: isPassed ? EXIT.done : EXIT.problem };
}

async function resultLines(results: readonly ScenarioResult[], elapsed: number, colours: Colours): Promise<string[]> {
  const { mismatchLines, stepPlaceText } = await import('@dewar/lab/rehearsal');
  const paint = (line: string): string => (line.startsWith('+') ? colours.good(line) : colours.error(line));
  const failureLines = ({ step, title, place, mismatches }: StepFailure): string[] => [
    `      step ${step + 1}: ${title}${place === undefined ? '' : colours.faint(`  ${stepPlaceText(place)}`)}`,
    ...mismatches.flatMap(mismatchLines).map((line) => `        ${paint(line)}`),
  ];
  const lines: string[] = [];
  for (const file of new Set(results.map((result) => result.file))) {
    lines.push(colours.strong(file));
    for (const result of results) {
      if (result.file !== file) continue;
      const { name, outcome, reason, failures, skipped } = result;
      lines.push(`  ${outcome === 'passed' ? colours.good('✓') : colours.error('✗')} ${name}`);
      if (reason !== undefined) lines.push(`      ${colours.error(reason)}`);
      lines.push(...failures.flatMap(failureLines));
      if (skipped > 0 && outcome !== 'passed')
        lines.push(`      ${colours.faint(`${skipped} ${skipped === 1 ? 'step was' : 'steps were'} not run`)}`);
    }
  }
  const count = (outcome: ScenarioResult['outcome']): number => results.filter((one) => one.outcome === outcome).length;
  const parts = (['passed', 'failed', 'broken'] as const).flatMap((outcome) =>
    count(outcome) === 0 ? [] : [`${count(outcome)} ${outcome}`],
  );
  lines.push(
    `${results.length} ${results.length === 1 ? 'scenario' : 'scenarios'}: ${parts.join(', ')} in ${elapsed} ms`,
  );
  return lines;
}
