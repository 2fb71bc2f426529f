/**
 * Scenarios on a host that is not theirs alone: what such a host cannot do, and what is put back afterwards.
 *
 * A scenario there touches no guests but those that it makes itself. Each gets a UUID that nothing else has, and by that it is
 * found and destroyed when the scenario ends, however it ends; booleans get the values back that they had.
 *
 * Start reading at `hindrancesOnRealHost`, then `runOnRealHost`.
 *
 * @module
 */
import type { BooleanState, DomainState, Host, OperationReport } from '@dewar/toolstack';
import type { CheckPattern } from './check-patterns.ts';
import { type GrantedLog, RealReports } from './real-reports.ts';
import { readConfig, runScenario, type ScenarioResult } from './run-scenario.ts';
import type { Expectations, Scenario, ScenarioStep } from './scenario.ts';
import type { ScenarioWorld } from './scenario-world.ts';
import { STEP_KINDS } from './step-kinds.ts';

/** Why the log of a host with auditing does not tell whether a permission was granted to a step; undefined where it does. */
export type WhyNotTold = (check: CheckPattern, permission: string) => string | undefined;

/** What a real host is used with. */
export interface RealHostUse {
  readonly host: Host;
  /** A UUID that no other domain has, each time another one. */
  readonly uuid: () => string;
  /** The path of a file for a saved guest or a core; it may be thrown away when the scenario has ended. */
  readonly fileFor: (name: string) => string;
  /** Is told which UUIDs the guests have that are not cleaned up yet, before the first of them exists and after the last is gone. */
  readonly remember: (uuids: readonly string[]) => void;
  /** Whether the scenario is to end after the step that it is in. */
  readonly isStopped: () => boolean;
  /** Without one, `granted` cannot be told. */
  readonly grantedLog?: GrantedLog | undefined;
}

const DOM0_NAMES: readonly string[] = ['Domain-0', '0'];
/** Steps that only ask. */
const ASKING: readonly string[] = ['domid', 'vcpu-list'];

const PCI_STEP = /^pci-|^label-pci$/;

function stepHindrance({ kind, subject, options }: ScenarioStep): string | undefined {
  if (kind === 'loadpolicy') return 'it puts another policy into force for all guests of the host';
  if (kind === 'setenforce') return 'it changes the mode for all guests of the host';
  if (kind === 'migrate') return 'it needs another host';
  if (PCI_STEP.test(kind)) return 'PCI devices come and go on simulated hosts only';
  if (kind === 'console') return 'it would take the terminal, and wait for somebody to leave the console';
  if (kind === 'debug-keys') return 'it makes Xen write about all guests';
  if (kind === 'dmesg' && options['clear'] === true) return 'it clears a log that others read';
  if (STEP_KINDS[kind].subject === 'guest' && DOM0_NAMES.includes(subject ?? '') && !ASKING.includes(kind))
    return 'it is about dom0, and not about a guest of the scenario';
  return undefined;
}

/** The checks that a scenario says must be granted. */
export function grantedPatterns(scenarios: readonly Scenario[]): CheckPattern[] {
  return scenarios.flatMap(({ steps }) => steps.flatMap(({ expect }) => expect.granted ?? []));
}

function grantedHindrances(granted: readonly CheckPattern[], whyNotTold: WhyNotTold | undefined): string[] {
  if (whyNotTold === undefined)
    return ['Xen logs what it denies, and not what it grants; with `--audit` it logs that for the time of the test'];
  return granted.flatMap((check) =>
    check.permissions.flatMap((permission) => {
      const why = whyNotTold(check, permission);
      return why === undefined ? [] : [`\`${check.class} { ${permission} }\` is not audited: ${why}`];
    }),
  );
}

function expectHindrances(expect: Expectations, whyNotTold: WhyNotTold | undefined): string[] {
  const found: string[] = [];
  const say = (is: boolean, key: string, why: string): void => {
    if (is) found.push(`\`${key}\`: ${why}`);
  };
  if (expect.granted !== undefined)
    for (const why of grantedHindrances(expect.granted, whyNotTold)) say(true, 'granted', why);
  say(
    expect.openPages !== undefined,
    'open-pages',
    'Xen counts who has a page mapped, and gives that count to nobody; its log has no line where a mapping ends',
  );
  for (const what of ['readable', 'writable'] as const) {
    const { building, saving } = expect[what] ?? {};
    say(building !== undefined, `${what}: building`, 'Xen does not log the mappings that it grants');
    say(saving !== undefined, `${what}: saving`, 'Xen does not log the mappings that it grants');
    say(expect[`${what}By`] !== undefined, `${what}-by`, 'a guest that runs is not made to try it');
  }
  return found;
}

/**
 * Why a scenario cannot run on a real host: a sentence each, with the step by its number from 1. Empty where it can. With
 * `whyNotTold`, the host is to log what it grants.
 */
export function hindrancesOnRealHost(scenario: Scenario, whyNotTold?: WhyNotTold): string[] {
  const found: string[] = [];
  if (scenario.hosts.length > 1) found.push(`it has ${scenario.hosts.length} hosts, and this machine is one`);
  if (scenario.flask !== 'enforcing')
    found.push(`it boots with \`flask=${scenario.flask}\`, and this host has been booted`);
  if (scenario.xen !== undefined) found.push(`it is for Xen ${scenario.xen}, and this host has its own`);
  if (scenario.iommu !== undefined || scenario.devices !== undefined)
    found.push('it says which devices and which IOMMU its host has, and this one has its own');
  for (const [i, step] of scenario.steps.entries()) {
    const where = `step ${i + 1}, \`${step.kind}\``;
    const why = stepHindrance(step);
    if (why !== undefined) found.push(`${where}: ${why}`);
    for (const one of expectHindrances(step.expect, whyNotTold)) found.push(`${where}, ${one}`);
  }
  return found;
}

/** The names that the guests of a scenario have or get, or why they cannot be told. */
function guestNames(scenario: Scenario, world: ScenarioWorld): readonly string[] | { readonly refused: string } {
  const names: string[] = [];
  for (const { subject, kind, options } of scenario.steps) {
    if (kind === 'rename') names.push(String(options['to']));
    if (kind !== 'create' && !(kind === 'restore' && options['reconfigured'] === true)) continue;
    const guest = scenario.guests.find(({ name }) => name === subject);
    if (guest === undefined) return { refused: `guest \`${subject ?? ''}\` has no configuration` };
    const settings = typeof options['settings'] === 'string' ? options['settings'].split(/\s*;\s*/) : [];
    const config = readConfig(guest, settings, scenario, world);
    if ('refused' in config) return config;
    if (config.uuid !== undefined)
      return { refused: `guest \`${guest.name}\` has a UUID of its own: it could be that of another guest` };
    names.push(config.name ?? guest.name);
  }
  return names;
}

/** Why a scenario cannot run on the host as it is now; undefined where it can. Nothing is changed. */
export async function hindranceNow(scenario: Scenario, world: ScenarioWorld, host: Host): Promise<string | undefined> {
  const names = guestNames(scenario, world);
  if ('refused' in names) return names.refused;
  const { value: domains } = await host.list();
  if (domains === undefined) return 'the domains of the host cannot be listed';
  const taken = names.find((name) => domains.some((domain) => domain.name === name));
  return taken === undefined ? undefined : `the host has a domain \`${taken}\` that is not of the scenario`;
}

/** Destroys the domains with these UUIDs. Answers what is left of them, in words. */
export async function destroyLeftovers(host: Host, uuids: ReadonlySet<string>): Promise<string[]> {
  const isOurs = ({ uuid }: DomainState): boolean => uuids.has(uuid);
  const before: OperationReport<readonly DomainState[]> = await host.list();
  // By number: names may be those of others, or be lost.
  for (const domain of before.value?.filter(isOurs) ?? [])
    if (domain.state !== 'dying') await host.destroy(String(domain.domid));
  const after = await host.list();
  if (after.value === undefined) return ['the domains of the host cannot be listed'];
  return after.value
    .filter(isOurs)
    .map(({ domid, name, state }) =>
      state === 'dying'
        ? `domain ${domid} is dying, and others have its memory mapped`
        : `domain ${domid}${name === undefined ? '' : ` (\`${name}\`)`} could not be destroyed`,
    );
}

async function restoreBooleans(host: Host, before: readonly BooleanState[]): Promise<string[]> {
  const left: string[] = [];
  const { value: after = [] } = await host.booleans();
  for (const { name, enforcing } of before) {
    const now = after.find((one) => one.name === name);
    if (now === undefined || now.enforcing === enforcing) continue;
    const { outcome } = await host.setBoolean(name, enforcing);
    if (outcome !== 'done') left.push(`boolean \`${name}\` is ${now.enforcing ? 1 : 0}, and was ${enforcing ? 1 : 0}`);
  }
  return left;
}

/** Runs a scenario for which there is no hindrance, and cleans up after it. What is left makes it `broken`. */
export async function runOnRealHost(
  scenario: Scenario,
  world: ScenarioWorld,
  { host, uuid, fileFor, remember, isStopped, grantedLog }: RealHostUse,
): Promise<ScenarioResult> {
  const uuids = new Set<string>();
  const reports = new RealReports(host, uuids, grantedLog);
  const { value: booleans = [] } = await host.booleans();
  const own: ScenarioWorld = {
    policy: (path, file, isMls, release) => world.policy(path, file, isMls, release),
    readText: (path, file) => world.readText(path, file),
    boot: async () => ({ kind: 'booted', host: { host, beginStep: () => reports.beginStep() } }),
    fileFor,
    isStopped,
    uuid: () => {
      const made = uuid();
      uuids.add(made);
      remember([...uuids]);
      return made;
    },
  };
  let result: ScenarioResult | undefined;
  let left: readonly string[] = [];
  try {
    result = await runScenario(scenario, own);
  } finally {
    left = [...(await destroyLeftovers(host, uuids)), ...(await restoreBooleans(host, booleans))];
    if (left.length === 0) remember([]);
  }
  if (left.length === 0) return result;
  const reason = [...(result.reason === undefined ? [] : [result.reason]), `left on the host: ${left.join('; ')}`];
  return { ...result, outcome: 'broken', reason: reason.join('; ') };
}
