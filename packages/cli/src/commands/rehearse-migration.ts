/**
 * Before a guest leaves a real host: the same migration from a simulated one, under the policy that the real one has loaded.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { hasErrors, SourceText } from '@dewar/policy/text';
import type { DomainState, LibxlHost, OperationReport } from '@dewar/toolstack';
import { type DomainConfig, parseXlCfg, printJson, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import type { XenHost } from '@dewar/xen';
import { RequestError } from '../failures.ts';
import { tablesOf } from '../host-session.ts';
import { readPolicy } from '../policy-input.ts';
import { printDiagnostics, type Terminal } from '../terminal.ts';
import { type Rehearsal, rehearse } from './rehearse-build.ts';

/** What is to be rehearsed. */
export interface MigrationPlan {
  /** Name or number. */
  readonly domain: string;
  /** What is to go with the guest in the place of its own configuration. */
  readonly config: DomainConfig | undefined;
  readonly isPaused: boolean;
  /** The policy that this host has loaded, if the user names it. */
  readonly policy: string | undefined;
  /** The policy of the other host; without one its side is not rehearsed. */
  readonly targetPolicy: string | undefined;
}

/** Rehearses the sender's side and, if its policy is named, the receiver's. */
export async function rehearseMigration(host: XenHost, plan: MigrationPlan, terminal: Terminal): Promise<Rehearsal> {
  const target =
    plan.targetPolicy === undefined ? undefined : await readTargetPolicy(host, plan.targetPolicy, terminal);
  const guest = await guestOf(host, plan.domain);
  if (guest === undefined) return { kind: 'none', reason: 'the configuration of the guest could not be read' };
  const { outline, label } = guest;
  const { name } = outline;
  const config = configOf(outline);
  // Where the guest has another label than it would be given, it is under that one that it leaves.
  const isAsBuilt = label === undefined || label === (outline.run ?? outline.build);
  const here = isAsBuilt ? config : configOf({ ...outline, build: label, run: undefined });
  if (config === undefined || here === undefined)
    return { kind: 'none', reason: 'the configuration of the guest is not understood' };
  const travels = plan.config ?? (isAsBuilt ? undefined : config);
  const options = { uuid: randomUUID(), paused: plan.isPaused, ...(travels === undefined ? {} : { config: travels }) };
  const act = async (simulated: LibxlHost, policy: Uint8Array): Promise<OperationReport> => {
    const other = await otherHost(host, target ?? policy, target !== undefined);
    const { source, target: arrived } = await simulated.migrate(name, other, options);
    // Where one side is refused something, the other one fails, too.
    const isRefused = source.timeline.some(({ hypercalls }) => hypercalls.some(({ result }) => result === 'EACCES'));
    return arrived?.outcome === 'failed' && !isRefused ? arrived : source;
  };
  return rehearse(host, plan.policy, terminal, act, (simulated) => simulated.create(here, { uuid: randomUUID() }));
}

/** Rehearses the side of this host, to which a guest comes with a configuration of libxl's. */
export async function rehearseArrival(
  host: XenHost,
  json: string,
  {
    policy,
    isPaused,
    uuid,
  }: { readonly policy: string | undefined; readonly isPaused: boolean; readonly uuid: string },
  terminal: Terminal,
): Promise<Rehearsal> {
  const config = configOf(outlineOf(json, 'guest'));
  if (config === undefined) return { kind: 'none', reason: 'the configuration of the guest is not understood' };
  return rehearse(host, policy, terminal, async (simulated, bytes) => {
    const sender = await otherHost(host, bytes, false);
    const built = await sender.create(config, { uuid });
    if (built.outcome === 'failed') return built;
    const { source, target } = await sender.migrate('guest', simulated, { uuid, paused: isPaused });
    return target ?? source;
  });
}

/** A host for the guest to go to. One whose policy is not known knows all labels of this one, and allows everything. */
async function otherHost(host: XenHost, policy: Uint8Array, isEnforcing: boolean): Promise<LibxlHost> {
  const [{ Hypervisor }, { LibxlHost: Simulated }] = await Promise.all([
    import('@dewar/hypervisor'),
    import('@dewar/toolstack'),
  ]);
  // That it has booted is not a part of the rehearsal.
  const booted = Hypervisor.boot({
    release: tablesOf(host.version),
    policy,
    flask: 'permissive',
    hasShadowPaging: true,
  });
  if (booted.kind === 'refused') throw new RequestError(`the other host does not boot: ${booted.reason}`);
  const other = new Simulated(booted.hypervisor);
  if (isEnforcing) await other.setenforce(true);
  return other;
}

async function readTargetPolicy(host: XenHost, path: string, terminal: Terminal): Promise<Uint8Array> {
  const { bytes, diagnostics } = await readPolicy(path, { release: tablesOf(host.version) });
  printDiagnostics(terminal, diagnostics);
  if (bytes === undefined || hasErrors(diagnostics))
    throw new RequestError(`\`${path}\` is no policy that a host can have loaded`);
  return bytes;
}

/** What of a guest decides what is asked of Xen when it moves. */
interface GuestOutline {
  readonly name: string;
  readonly type: string;
  readonly vcpus: number;
  readonly build: string | undefined;
  readonly run: string | undefined;
  readonly hasStubDomain: boolean;
  readonly stubLabel: string | undefined;
}

type Members = Readonly<Record<string, unknown>>;

const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? { ...value } : {});

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** A rehearsed guest is as large as this: the same is asked for each piece of memory. */
const MEMORY_MIB = 64;

function configOf(outline: GuestOutline): DomainConfig | undefined {
  const { name, type, vcpus, build, run, hasStubDomain, stubLabel } = outline;
  const labels = run === undefined ? { seclabel: build } : { init_seclabel: build, seclabel: run };
  const keys = { name, type, ...labels, device_model_stubdomain_seclabel: stubLabel };
  const texts = Object.entries(keys).flatMap(([key, text]) => (text === undefined ? [] : [`${key} = '${text}'`]));
  const lines = [...texts, `memory = ${MEMORY_MIB}`, `vcpus = ${vcpus}`];
  if (type !== 'hvm') lines.push("kernel = '/boot/guest'");
  if (hasStubDomain) lines.push('device_model_stubdomain_override = 1');
  const { config, diagnostics } = readDomainConfig(parseXlCfg(new SourceText(name, `${lines.join('\n')}\n`)));
  return hasErrors(diagnostics) ? undefined : config;
}

/** XEN: `libxl_domain_config` in JSON, which leaves out what has its default. */
function outlineOf(json: string, name: string): GuestOutline {
  const { c_info, b_info } = membersOf(JSON.parse(json));
  const [c, b] = [membersOf(c_info), membersOf(b_info)];
  const vcpus = Number(b['max_vcpus'] ?? 1);
  return {
    name,
    type: textOf(c['type']) ?? 'pv',
    vcpus: Number.isSafeInteger(vcpus) && vcpus > 0 ? vcpus : 1,
    build: textOf(c['ssid_label']),
    run: textOf(b['exec_ssid_label']),
    hasStubDomain: b['device_model_stubdomain'] === 'True',
    stubLabel: textOf(b['device_model_ssid_label']),
  };
}

/** A guest of the real host, and the label that it has now. */
async function guestOf(
  host: XenHost,
  domain: string,
): Promise<{ readonly outline: GuestOutline; readonly label: string | undefined } | undefined> {
  const stored = (await host.listLong(domain)).value?.[0];
  if (stored === undefined) return undefined;
  const { value: states = [] } = await host.list();
  const label = states.find((one: DomainState) => one.domid === stored.domid)?.label;
  // Its name has no say in what is asked.
  return { outline: outlineOf(printJson(stored.config), 'guest'), label };
}
