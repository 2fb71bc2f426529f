/**
 * Runs one scenario, and says what came otherwise than it must.
 *
 * Start reading at `runScenario`.
 *
 * @module
 */
import { type Diagnostic, hasErrors, type Origin, SourceText, userSpan } from '@dewar/policy/text';
import type { Host, OperationReport } from '@dewar/toolstack';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { readDeviceFile } from '../device-file.ts';
import type { CoverageRecorder } from './coverage.ts';
import { compareReport, type Mismatch } from './expectations.ts';
import { performStep, type StepContext } from './perform-step.ts';
import type { Scenario, ScenarioGuest, ScenarioStep } from './scenario.ts';
import type { PolicyImage, ScenarioHost, ScenarioMakeup, ScenarioWorld } from './scenario-world.ts';

/** Where a step stands in its file. */
export interface StepPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function placeOf(origin: Origin | undefined): StepPlace | undefined {
  if (origin === undefined) return undefined;
  const { source, start } = userSpan(origin);
  return { file: source.name, ...source.positionAt(start) };
}

/** A step that came otherwise than it must. */
export interface StepFailure {
  /** From 0. */
  readonly step: number;
  readonly title: string;
  readonly place: StepPlace | undefined;
  readonly mismatches: readonly Mismatch[];
}

/** What became of a scenario; plain data. */
export interface ScenarioResult {
  readonly name: string;
  readonly file: string;
  /** `broken`: it could not be run. */
  readonly outcome: 'passed' | 'failed' | 'broken';
  /** Why it is broken. */
  readonly reason: string | undefined;
  readonly failures: readonly StepFailure[];
  /** Steps that were run. */
  readonly steps: number;
  /** Steps that were not, because one before did not come out as it must. */
  readonly skipped: number;
  readonly milliseconds: number;
}

/** A host of a running scenario. */
interface RunningHost extends ScenarioHost {
  /** The policy in force. */
  policy: PolicyImage;
}

/** UUIDs that are the same in each run. */
function countingUuids(): () => string {
  let count = 0;
  return () => {
    count++;
    return `00000000-0000-4000-8000-${count.toString(16).padStart(12, '0')}`;
  };
}

/** Why a scenario cannot go on. */
class Broken extends Error {
  override readonly name = 'Broken';
}

/** A guest's configuration, or why there is none. Where it has no name, the guest's name in the scenario is its name. */
export function readConfig(
  guest: ScenarioGuest,
  settings: readonly string[],
  scenario: Scenario,
  world: ScenarioWorld,
): DomainConfig | { readonly refused: string } {
  const { kind, text } = guest.config;
  const read = kind === 'text' ? { text } : world.readText(text, scenario.source.name);
  if ('refused' in read) return { refused: `guest \`${guest.name}\`: ${read.refused}` };
  const source = new SourceText(kind === 'text' ? `${scenario.source.name} (guest ${guest.name})` : text, read.text);
  const hasName = parseXlCfg(source, settings).settings.some(({ key }) => key === 'name');
  const { config, diagnostics } = readDomainConfig(
    parseXlCfg(source, hasName ? settings : [`name="${guest.name}"`, ...settings]),
  );
  if (config === undefined || hasErrors(diagnostics)) {
    const fault = diagnostics.find(({ severity }) => severity === 'error');
    const why = fault?.message ?? 'it cannot be read';
    return { refused: `guest \`${guest.name}\` has no sound configuration: ${why}` };
  }
  return config;
}

/** What the hosts have beside their policy. */
function makeupOf({ xen, iommu, devices, source }: Scenario, world: ScenarioWorld): ScenarioMakeup {
  const chosen = { ...(xen === undefined ? {} : { release: xen }), ...(iommu === undefined ? {} : { iommu }) };
  if (devices === undefined) return chosen;
  const read = world.readText(devices, source.name);
  if ('refused' in read) throw new Broken(`\`devices\`: ${read.refused}`);
  const faults: Diagnostic[] = [];
  const found = readDeviceFile(new SourceText(devices, read.text), (one) => faults.push(one));
  const [fault] = faults;
  if (fault !== undefined) throw new Broken(`\`devices\`: ${fault.message}`);
  return { ...chosen, devices: found };
}

async function bootHosts(
  scenario: Scenario,
  world: ScenarioWorld,
  policy: PolicyImage,
): Promise<Map<string, RunningHost>> {
  const hosts = new Map<string, RunningHost>();
  const makeup = makeupOf(scenario, world);
  for (const name of scenario.hosts) {
    const boot = await world.boot(policy, scenario.flask, makeup);
    if (boot.kind === 'refused') throw new Broken(`the host does not boot: ${boot.reason}`);
    hosts.set(name, { ...boot.host, policy });
  }
  return hosts;
}

function titleOf({ kind, subject, host }: ScenarioStep, hosts: number): string {
  return `${kind}${subject === undefined ? '' : ` ${subject}`}${hosts > 1 ? ` on ${host}` : ''}`;
}

/** Runs a scenario on hosts of its own. What it exercises is told to `coverage`, if there is one. */
export async function runScenario(
  scenario: Scenario,
  world: ScenarioWorld,
  coverage?: CoverageRecorder,
): Promise<ScenarioResult> {
  const start = performance.now();
  const failures: StepFailure[] = [];
  let steps = 0;
  const result = (outcome: ScenarioResult['outcome'], reason?: string): ScenarioResult => ({
    name: scenario.name,
    file: scenario.source.name,
    outcome,
    reason,
    failures,
    steps,
    skipped: scenario.steps.length - steps,
    milliseconds: performance.now() - start,
  });
  try {
    const policy = await world.policy(scenario.policy, scenario.source.name, scenario.isMls, scenario.xen);
    if ('refused' in policy) return result('broken', policy.refused);
    const hosts = await bootHosts(scenario, world, policy);
    const context: StepContext = {
      saved: new Map(),
      config: (name, settings) => {
        const guest = scenario.guests.find((one) => one.name === name);
        if (guest === undefined) throw new Broken(`guest \`${name}\` has no configuration`);
        const config = readConfig(guest, settings, scenario, world);
        if ('refused' in config) throw new Broken(config.refused);
        return config;
      },
      domains: new Map(),
      hosts: new Map([...hosts].map(([name, { host }]) => [name, host])),
      policy: async (path) => {
        const image = await world.policy(path, scenario.source.name, scenario.isMls, scenario.xen);
        if ('refused' in image) throw new Broken(image.refused);
        return image;
      },
      uuid: world.uuid ?? countingUuids(),
      fileFor: world.fileFor,
    };
    for (const [i, step] of scenario.steps.entries()) {
      const running = hosts.get(step.host);
      if (world.isStopped?.() === true) throw new Broken('it was interrupted');
      if (running === undefined) throw new Broken(`there is no host \`${step.host}\``);
      const sides = { running, target: hosts.get(String(step.options['to'] ?? '')) };
      const isDone = await runStep(step, sides, context, coverage, (mismatches) =>
        failures.push({ step: i, title: titleOf(step, hosts.size), place: placeOf(step.origin), mismatches }),
      );
      steps++;
      if (!isDone) break;
    }
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return result('broken', error.message);
  }
  return result(failures.length === 0 ? 'passed' : 'failed');
}

/** The host of a step, and that to which a guest goes from there. */
interface StepSides {
  readonly running: RunningHost;
  readonly target: RunningHost | undefined;
}

/** Tells coverage what was done on one host. */
type Tell = (reports: readonly OperationReport<unknown>[]) => void;

/** Listens to a host for coverage; answers what takes its reports, and ends the listening. */
async function listen(running: RunningHost, coverage: CoverageRecorder): Promise<Tell> {
  const stop = coverage.observe(running.policy, running);
  const booleans = await readBooleans(running.host);
  return (reports) => {
    stop();
    for (const report of reports) coverage.addReport(running.policy, report, booleans);
  };
}

/** Runs a step; false where it did not end as it must, so that what follows has no ground. */
async function runStep(
  step: ScenarioStep,
  { running, target }: StepSides,
  context: StepContext,
  coverage: CoverageRecorder | undefined,
  fail: (mismatches: readonly Mismatch[]) => void,
): Promise<boolean> {
  const { host } = running;
  const tell = coverage === undefined ? undefined : await listen(running, coverage);
  const arrives = coverage === undefined || target === undefined ? undefined : await listen(target, coverage);
  const settle = await running.beginStep?.();
  const { report: told, guest, loaded, sides } = await performStep(step, host, context);
  const report = (await settle?.(step.expect, told)) ?? told;
  if ('unknown' in report) throw new Broken(`step \`${titleOf(step, context.hosts.size)}\`: ${report.unknown}`);
  const hasArrived = sides !== undefined && report.outcome === 'done';
  const place = hasArrived && target !== undefined ? target.host : host;
  const found = await compareReport(step.expect, report, guest, place, (name) => context.domains.get(name) ?? name);
  const probes = found.probes;
  tell?.([...(sides === undefined ? [report] : [sides.source]), ...(hasArrived ? [] : probes)]);
  arrives?.([...(sides?.target === undefined ? [] : [sides.target]), ...(hasArrived ? probes : [])]);
  if (loaded !== undefined && report.outcome === 'done') running.policy = loaded;
  if (found.mismatches.length > 0) fail(found.mismatches);
  return report.outcome === step.expect.outcome;
}

/** The booleans in force. */
async function readBooleans(host: Host): Promise<ReadonlyMap<string, boolean>> {
  const report: OperationReport<readonly { readonly name: string; readonly enforcing: boolean }[]> =
    await host.booleans();
  return new Map((report.value ?? []).map(({ name, enforcing }) => [name, enforcing]));
}
