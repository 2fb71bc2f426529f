/**
 * Runs scenarios on a host, and sees to it that each finds the host as the first one did.
 *
 * @module
 */
import { sbdfText } from '@dewar/toolstack';
import { type Answer, type Bench, Examination, guestsOf, SCENARIOS, type Scenario } from './conformance.ts';
import { bounded } from './patience.ts';

/** How a scenario went. */
export interface ScenarioResult {
  readonly name: string;
  readonly answers: readonly Answer[];
  /** Why it was not as it has to be; undefined when all was. */
  readonly problem: string | undefined;
}

/** What scenarios change on a host, and have to change back. */
interface Standing {
  readonly isEnforcing: boolean;
  readonly booleans: Readonly<Record<string, boolean>>;
  /** Devices that are set aside for guests. */
  readonly devices: readonly string[];
  readonly guests: readonly string[];
}

async function standingOf(bench: Bench): Promise<Standing> {
  const { host } = bench;
  const booleans = (await host.booleans()).value ?? [];
  const devices = (await host.pciAssignableList()).value ?? [];
  return {
    isEnforcing: (await host.getenforce()).value === true,
    booleans: Object.fromEntries(booleans.map(({ name, enforcing }) => [name, enforcing])),
    devices: devices.map(({ sbdf }) => sbdfText(sbdf)),
    guests: (await guestsOf(bench)).map(({ domid }) => String(domid)),
  };
}

/** Puts a host back to where it was, whatever a scenario has left: it began with no guests, under the example policy. */
async function putBack(bench: Bench, { isEnforcing, booleans, devices }: Standing): Promise<void> {
  const { host, policies } = bench;
  // Enforcing, a policy that a scenario has loaded may deny the end of its guests.
  await host.setenforce(false);
  const left = await standingOf(bench);
  for (const domid of left.guests) await host.destroy(domid);
  for (const one of left.devices) if (!devices.includes(one)) await host.pciAssignableRemove(one);
  await host.loadPolicy(policies.example);
  for (const [name, value] of Object.entries(booleans)) await host.setBoolean(name, value);
  await host.setenforce(isEnforcing);
}

/** Runs one scenario, and has it leave the host as it was. */
async function runScenario(name: string, scenario: Scenario, bench: Bench, before: Standing): Promise<ScenarioResult> {
  const examination = new Examination();
  examination.ask = examination.ask.bind(examination);
  examination.hold = examination.hold.bind(examination);
  let problem: string | undefined;
  try {
    await bounded(name, scenario(bench, examination));
    const [is, must] = [JSON.stringify(await standingOf(bench)), JSON.stringify(before)];
    examination.hold(`the host is left as ${is}, not ${must}`, is === must);
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
    await putBack(bench, before);
  }
  return { name, answers: examination.answers, problem };
}

/**
 * Runs scenarios, one after the other; each finds the host as the first did, whatever became of those before it. `tell`
 * hears of each before it begins, and of what is not as it has to be.
 */
export async function runScenarios(
  bench: Bench,
  tell: (line: string) => void = () => undefined,
  scenarios: Readonly<Record<string, Scenario>> = SCENARIOS,
): Promise<ScenarioResult[]> {
  const results: ScenarioResult[] = [];
  const before = await standingOf(bench);
  for (const [name, scenario] of Object.entries(scenarios)) {
    tell(name);
    const result = await runScenario(name, scenario, bench, before);
    if (result.problem !== undefined) tell(`✗ ${result.problem}`);
    results.push(result);
  }
  return results;
}
