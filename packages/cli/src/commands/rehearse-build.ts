/**
 * Before a guest is built on a real host: the same build on a simulated one, under the policy that the real one has loaded.
 *
 * @module
 */
import { xenRelease } from '@dewar/policy/releases';
import { hasErrors } from '@dewar/policy/text';
import { LibxlHost, type OperationReport } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import { PolicyStore, type XenHost } from '@dewar/xen';
import { RequestError } from '../failures.ts';
import { realHostFolder, tablesOf } from '../host-session.ts';
import { readPolicy } from '../policy-input.ts';
import { applyBooleans, firstDifference, policyInForce, viewOf } from '../policy-on-host.ts';
import { printDiagnostics, type Terminal } from '../terminal.ts';

/** What a rehearsal came to. */
export type Rehearsal =
  | { readonly kind: 'passed'; readonly policy: string }
  /** The build would be refused on the way. */
  | { readonly kind: 'refused'; readonly policy: string; readonly report: OperationReport }
  /** Nothing could be rehearsed, and why. */
  | { readonly kind: 'none'; readonly reason: string };

/** The policy that the host has loaded: the one that is named, if Xen decides as it, or the one that Dewar loaded. */
async function findPolicy(
  host: XenHost,
  named: string | undefined,
  terminal: Terminal,
): Promise<{ readonly bytes: Uint8Array; readonly name: string } | undefined> {
  const { value: domains = [] } = await host.list();
  if (named === undefined) return policyInForce(host, new PolicyStore(realHostFolder()), domains);
  const release = tablesOf(host.release);
  const reading = await readPolicy(named, { release });
  printDiagnostics(terminal, reading.diagnostics);
  const view = viewOf(reading.bytes);
  if (reading.bytes === undefined || view === undefined || hasErrors(reading.diagnostics))
    throw new RequestError(`\`${named}\` is no policy that a host can have loaded`);
  applyBooleans(view, (await host.booleans()).value ?? []);
  const answer = await firstDifference(host, view, domains, xenRelease(release).classes);
  if (answer !== 'not-asked' && answer.difference !== undefined)
    throw new RequestError(`\`${named}\` is not the policy that this host has loaded: ${answer.difference}`);
  return { bytes: reading.bytes, name: reading.name };
}

/** Builds the guest on a simulated host with the policy, the mode and the booleans of the real one. */
export async function rehearseBuild(
  host: XenHost,
  config: DomainConfig,
  options: { readonly uuid: string; readonly policy: string | undefined },
  terminal: Terminal,
): Promise<Rehearsal> {
  const mode = (await host.getenforce()).value;
  if (mode === undefined) return { kind: 'none', reason: 'FLASK is disabled on this host' };
  const policy = await findPolicy(host, options.policy, terminal);
  if (policy === undefined) {
    const reason =
      'the policy that this host has loaded is not known to Dewar; name it with `--policy`, or load it with Dewar';
    return { kind: 'none', reason };
  }
  const { Hypervisor } = await import('@dewar/hypervisor');
  // What is set up here is not a part of the rehearsal, so nothing may refuse it.
  const booted = Hypervisor.boot({ release: tablesOf(host.release), policy: policy.bytes, flask: 'permissive' });
  if (booted.kind === 'refused') return { kind: 'none', reason: booted.reason };
  const simulated = new LibxlHost(booted.hypervisor);
  for (const { name, enforcing } of (await host.booleans()).value ?? []) await simulated.setBoolean(name, enforcing);
  if (mode) await simulated.setenforce(true);
  const report = await simulated.create(config, { uuid: options.uuid });
  if (report.outcome === 'done') return { kind: 'passed', policy: policy.name };
  return { kind: 'refused', policy: policy.name, report };
}
