/**
 * Scenarios of `dewar test` as they are read, the world that they run in, and how their results are told.
 *
 * @module
 */
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Coverage, PolicyImage, Scenario, ScenarioResult, ScenarioWorld, StepFailure } from '@dewar/lab/rehearsal';
import type { CompileOptions } from '@dewar/policy/compiler';
import type { XenReleaseName } from '@dewar/policy/releases';
import { type Diagnostic, hasErrors, placeText, SourceText, userSpan } from '@dewar/policy/text';
import { EXIT, FileError, RequestError, reasonOf } from './failures.ts';
import { readLatin1, writeWhole } from './files.ts';
import { displayPath, readPolicy } from './policy-input.ts';
import { diagnosticJson, jsonText } from './report-json.ts';
import { byteText, type Colours, coloursFor, print, printDiagnostics, printLine, type Terminal } from './terminal.ts';

export interface TestFlags {
  /** Only scenarios with this text in their file or name. */
  readonly filter: string | undefined;
  /** `simulated`, or `xen` for the host that this machine is. */
  readonly host: string;
  /** On a real host: have Xen log what it grants, for the time of the run. */
  readonly isAudited: boolean;
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
export interface TestRun {
  readonly results: readonly ScenarioResult[];
  readonly diagnostics: readonly Diagnostic[];
  readonly coverage: Coverage | undefined;
  /** Files that the results depend on. */
  readonly files: readonly string[];
}

/** The world of the scenarios of one run: policies are read once. */
export class World implements ScenarioWorld {
  readonly files: Set<string> = new Set();
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
    release?: XenReleaseName,
  ): Promise<PolicyImage | { readonly refused: string }> {
    const named = path === undefined ? undefined : this.#resolve(path, scenarioFile);
    const key = `${isMls} ${release ?? ''} ${named ?? ''}`;
    let found = this.#policies.get(key);
    if (found === undefined) {
      found = this.#read(named, { ...(isMls ? { isMls } : {}), ...(release === undefined ? {} : { release }) });
      this.#policies.set(key, found);
    }
    return found;
  }

  async #read(path: string | undefined, own: CompileOptions): Promise<PolicyImage | { readonly refused: string }> {
    try {
      const reading = await readPolicy(path, { ...this.#compile, ...own });
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

/** The scenarios that are meant, as they were read. */
interface ReadScenarios {
  readonly scenarios: readonly Scenario[];
  readonly diagnostics: readonly Diagnostic[];
  /** Paths of their files by the names that they have in messages. */
  readonly paths: ReadonlyMap<string, string>;
}

/** Reads the scenarios of a file or a folder that the filter lets through. */
export async function readAllScenarios(path: string, flags: TestFlags): Promise<ReadScenarios> {
  const { readScenarios } = await import('@dewar/lab/rehearsal');
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
  return { scenarios: chosen, diagnostics, paths };
}

/** Tells what came of a run that took so many milliseconds; answers the exit status. */
export async function tellRun(
  path: string,
  { results, diagnostics, coverage }: TestRun,
  milliseconds: number,
  flags: TestFlags,
  terminal: Terminal,
): Promise<number> {
  const elapsed = Math.round(milliseconds);
  if (results.length === 0 && diagnostics.length === 0) {
    const which = flags.filter === undefined ? '' : ` with \`${flags.filter}\` in its file or name`;
    throw new RequestError(`there is no scenario${which} in \`${path}\`: their files end in \`.scenario.yaml\``);
  }
  const { junitText, lcovText } = await import('@dewar/lab/rehearsal');
  const { coverageJson, coverageLines } = await import('./coverage-text.ts');
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
  return isPassed ? EXIT.done : EXIT.problem;
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
