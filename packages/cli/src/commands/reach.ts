/**
 * `dewar reach`: who reads or writes the memory of a guest, in each part of its life, or can come to it.
 *
 * @module
 */
import type { BooleanSetting } from '@dewar/policy/analysis';
import type { CompiledPolicy, CompileOptions } from '@dewar/policy/compiler';
import type { Context, PolicyDb } from '@dewar/policy/policydb';
import type { XenRelease, XenReleaseName } from '@dewar/policy/releases';
import { type Diagnostic, hasErrors, SourceText } from '@dewar/policy/text';
import { EXIT, NO_FLASK, RequestError, UsageError } from '../failures.ts';
import { readLatin1 } from '../files.ts';
import { type HostChoice, meansRealHost, tablesOf, useHost, useRealHost } from '../host-session.ts';
import { tellPolicyFaults } from '../policy-faults.ts';
import { displayPath, type PolicyReading, readBinary, readPolicy, writtenPolicy } from '../policy-input.ts';
import type { ReachResult } from '../reach-result.ts';
import { diagnosticJson, jsonText } from '../report-json.ts';
import { byteText, print, printDiagnostics, type Terminal } from '../terminal.ts';

/** The options of the command line. */
export interface ReachFlags extends HostChoice {
  readonly label: string | undefined;
  readonly buildLabel: string | undefined;
  readonly domain: string | undefined;
  /** Only what this type, attribute or label has. */
  readonly by: string | undefined;
  /** A device that the guest is to be given. */
  readonly device: string | undefined;
  readonly compile: CompileOptions;
  readonly isJson: boolean;
  readonly isVerbose: boolean;
}

/** The policy that is asked, and what the host adds to it. */
interface Asked {
  readonly name: string;
  readonly policy: PolicyDb;
  readonly compiled: CompiledPolicy | undefined;
  readonly setting: BooleanSetting;
  readonly release: XenRelease;
  /** The domains of the host with their labels. */
  readonly labels: ReadonlyMap<string, string>;
}

/** The labels of the guest as they were given. */
interface GuestLabels {
  readonly name: string | undefined;
  readonly build: string | undefined;
  readonly run: string | undefined;
}

export async function runReach(file: string | undefined, flags: ReachFlags, terminal: Terminal): Promise<number> {
  const given = await guestLabels(file, flags, terminal);
  if (given === undefined) return EXIT.problem;
  if (flags.host !== undefined || flags.domain !== undefined) {
    if (await meansRealHost(flags)) return askRealHost(given, flags, terminal);
    const { xenRelease } = await import('@dewar/policy/releases');
    return useHost({ ...flags, isQuiet: true }, terminal, async ({ host, hypervisor, policy }, reading) => {
      const inForce = hypervisor.policyInForce;
      if (inForce === undefined) throw new RequestError('the host has no policy in force, so nothing is denied on it');
      const domains = (await host.list()).value ?? [];
      const labels = new Map(domains.map(({ name, domid, label }) => [name ?? String(domid), label ?? '']));
      const asked = { name: policy.name, policy: inForce.policy, compiled: reading?.compiled, labels };
      const release = xenRelease(hypervisor.release);
      return answer({ ...asked, setting: inForce.booleans, release }, given, flags, terminal);
    });
  }
  const reading = await readPolicy(flags.policy, flags.compile);
  const { name, compiled } = reading;
  const policy = await policyOf(reading);
  if (!('isMls' in policy)) {
    tellPolicyFaults(name, policy, flags.isJson, terminal);
    return EXIT.problem;
  }
  const release = await releaseFor(policy, flags.compile.release);
  const asked = { name, policy, compiled, setting: new Map(), release, labels: new Map() };
  return answer(asked, given, flags, terminal);
}

/** Xen does not give its policy back: it is the one that Dewar has loaded, or that is named, if Xen decides as it. */
function askRealHost(given: GuestLabels, flags: ReachFlags, terminal: Terminal): Promise<number> {
  return useRealHost(terminal, async (host) => {
    if (await host.isFlaskDisabled()) throw new RequestError(NO_FLASK);
    const { applyBooleans, findPolicy, viewOf } = await import('../policy-on-host.ts');
    const { xenRelease } = await import('@dewar/policy/releases');
    const found = await findPolicy(host, flags.policy, terminal);
    const view = viewOf(found?.bytes);
    if (found === undefined || view === undefined)
      throw new RequestError('the policy that this host has loaded is not known to Dewar: name it with `--policy`');
    applyBooleans(view, (await host.booleans()).value ?? []);
    const { policy, booleans } = view;
    const setting = new Map(policy.booleans.entries.map(({ value }) => [value, booleans[value] === true]));
    const { value: domains = [] } = await host.list();
    const labels = new Map(domains.map(({ name, domid, label }) => [name ?? String(domid), label ?? '']));
    const asked = { name: found.name, policy, compiled: undefined, setting, labels };
    return answer({ ...asked, release: xenRelease(tablesOf(host.version)) }, given, flags, terminal);
  });
}

/** The policy to decide by, or what is wrong with it. */
async function policyOf(reading: PolicyReading): Promise<PolicyDb | readonly Diagnostic[]> {
  const { diagnostics } = reading;
  if (hasErrors(diagnostics)) return diagnostics;
  const written = writtenPolicy(reading);
  if (written !== undefined) return written;
  const read = await readBinary(reading);
  if (read === undefined) return diagnostics;
  return 'diagnostic' in read ? [read.diagnostic] : read.policy;
}

/** The labels from the configuration or from the options; undefined where the file is wrong. */
async function guestLabels(
  file: string | undefined,
  flags: ReachFlags,
  terminal: Terminal,
): Promise<GuestLabels | undefined> {
  const { label, buildLabel, domain } = flags;
  if ([file, label, domain].filter((one) => one !== undefined).length > 1)
    throw new UsageError('a guest is named by a configuration, by `--label`, or by `--domain`: by one of them');
  if (label === undefined && buildLabel !== undefined)
    throw new UsageError('`--build-label` goes with `--label`, the label that the guest runs under');
  if (file === undefined) {
    const run = label === undefined ? undefined : byteText(label);
    return { name: domain, build: buildLabel === undefined ? run : byteText(buildLabel), run };
  }
  const { parseXlCfg, readDomainConfig } = await import('@dewar/toolstack/xl-cfg');
  const source = new SourceText(byteText(displayPath(file)), readLatin1(file));
  const reading = readDomainConfig(parseXlCfg(source, []));
  const { config } = reading;
  if (config === undefined || hasErrors(reading.diagnostics)) {
    if (flags.isJson)
      print(terminal.out, jsonText({ outcome: 'failed', diagnostics: reading.diagnostics.map(diagnosticJson) }));
    else printDiagnostics(terminal, reading.diagnostics);
    return undefined;
  }
  const build = config.labels.build?.text;
  return { name: config.name, build, run: config.labels.run?.text ?? build };
}

async function answer(asked: Asked, given: GuestLabels, flags: ReachFlags, terminal: Terminal): Promise<number> {
  const { initialContext, matchTypes, reach } = await import('@dewar/policy/analysis');
  const { policy, setting, release } = asked;
  const { initialSids } = release;
  const readLabel = await labelReader(policy);
  const initial = (name: string): Context | undefined => initialContext(policy, initialSids, name);
  const known = given.run ?? (flags.domain === undefined ? undefined : asked.labels.get(byteText(flags.domain)));
  if (flags.domain !== undefined && known === undefined)
    throw new RequestError(`the host has no domain \`${flags.domain}\``);
  const unlabelled = initial('domU');
  const runs = known === undefined ? unlabelled : readLabel(known);
  const built = given.build === undefined ? runs : readLabel(given.build);
  if (runs === undefined || built === undefined)
    throw new RequestError('the policy has no initial SID domU, which a guest without a label would have');
  const found = reach(policy, {
    build: built,
    run: runs,
    setting,
    initialSids,
    present: [...asked.labels.values()].filter((text) => text !== '').map(readLabel),
  });
  const by = flags.by === undefined ? undefined : matchTypes(policy, byteText(flags.by));
  if (by === undefined && flags.by !== undefined) {
    const { nearestName } = await import('@dewar/policy/text');
    const near = nearestName(
      byteText(flags.by),
      policy.types.entries.map(({ name }) => name),
    );
    const hint = near === undefined ? '' : `; did you mean \`${byteText(near)}\`?`;
    throw new RequestError(`the policy has no type or attribute \`${flags.by}\`${hint}`);
  }
  const result: ReachResult = {
    policyName: asked.name,
    release: release.name,
    guestName: given.name,
    answer: found,
    build: built,
    run: runs,
    dom0: initial('dom0'),
    domxen: initial('domxen'),
    device: flags.device === undefined ? undefined : readLabel(byteText(flags.device)),
    shows: ({ type }) => by === undefined || by.has(type),
    rules: asked.compiled?.policy ?? policy,
    compiled: asked.compiled,
  };
  const { reachJson } = await import('../reach-json.ts');
  if (flags.isJson) print(terminal.out, jsonText(await reachJson(result)));
  else {
    const { printReach } = await import('../reach-report.ts');
    await printReach(result, flags.isVerbose, terminal);
  }
  return EXIT.done;
}

/** The release whose numbers a policy has: the one that was named, or the newest whose classes it has. */
export async function releaseFor(policy: PolicyDb, named: XenReleaseName | undefined): Promise<XenRelease> {
  const { BASELINE_RELEASE, XEN_RELEASES, xenRelease } = await import('@dewar/policy/releases');
  if (named !== undefined) return xenRelease(named);
  const isOf = (name: XenReleaseName): boolean =>
    xenRelease(name).classes.every(({ name: className, id, permissions }) => {
      const found = policy.classes.byName.get(className);
      return (
        found?.value === id &&
        permissions.every((one, bit) =>
          found.permissions.some(({ name: other, value }) => other === one && value === bit + 1),
        )
      );
    });
  const others = XEN_RELEASES.filter((name) => name !== BASELINE_RELEASE).toReversed();
  return xenRelease([BASELINE_RELEASE, ...others].find(isOf) ?? BASELINE_RELEASE);
}

/** Reads labels, and says what is wrong with one. */
async function labelReader(policy: PolicyDb): Promise<(text: string) => Context> {
  const { contextLookup, parseContext } = await import('@dewar/policy/security-server');
  const lookup = contextLookup(policy);
  return (text) => {
    const read = parseContext(text, policy, lookup);
    if (!('part' in read)) return read;
    const hint = read.suggestion === undefined ? '' : `; did you mean \`${read.suggestion}\`?`;
    throw new RequestError(`label \`${text}\` is not valid: ${read.message}${hint}`);
  };
}
