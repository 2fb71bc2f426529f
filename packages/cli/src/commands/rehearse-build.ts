/**
 * Before a guest is built on a real host: the same build on a simulated one, under the policy that the real one has loaded.
 *
 * @module
 */
import { LibxlHost, type OperationReport } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import type { XenHost } from '@dewar/xen';
import { tablesOf } from '../host-session.ts';
import { findPolicy } from '../policy-on-host.ts';
import type { Terminal } from '../terminal.ts';

/** What a rehearsal came to. */
export type Rehearsal =
  | { readonly kind: 'passed'; readonly policy: string }
  /** The build would be refused on the way. */
  | { readonly kind: 'refused'; readonly policy: string; readonly report: OperationReport }
  /** Nothing could be rehearsed, and why. */
  | { readonly kind: 'none'; readonly reason: string };

/** Builds the guest on a simulated host with the policy, the mode and the booleans of the real one. */
export function rehearseBuild(
  host: XenHost,
  config: DomainConfig,
  options: { readonly uuid: string; readonly policy: string | undefined },
  terminal: Terminal,
): Promise<Rehearsal> {
  return rehearse(host, options.policy, terminal, (simulated) => simulated.create(config, { uuid: options.uuid }));
}

/**
 * Does something on a simulated host with the policy, the mode and the booleans of the real one. `act` gets the policy, too.
 * Nothing refuses what `prepare` does before.
 */
export async function rehearse(
  host: XenHost,
  named: string | undefined,
  terminal: Terminal,
  act: (simulated: LibxlHost, policy: Uint8Array) => Promise<OperationReport>,
  prepare?: (simulated: LibxlHost) => Promise<OperationReport>,
): Promise<Rehearsal> {
  const mode = (await host.getenforce()).value;
  if (mode === undefined) return { kind: 'none', reason: 'FLASK is disabled on this host' };
  const policy = await findPolicy(host, named, terminal);
  if (policy === undefined) {
    const reason =
      'the policy that this host has loaded is not known to Dewar; name it with `--policy`, or load it with Dewar';
    return { kind: 'none', reason };
  }
  const { Hypervisor } = await import('@dewar/hypervisor');
  // What is set up here is not a part of the rehearsal, so nothing may refuse it.
  const booted = Hypervisor.boot({
    release: tablesOf(host.version),
    policy: policy.bytes,
    flask: 'permissive',
    // How that Xen was built is no question of its policy.
    hasShadowPaging: true,
  });
  if (booted.kind === 'refused') return { kind: 'none', reason: booted.reason };
  const simulated = new LibxlHost(booted.hypervisor);
  for (const { name, enforcing } of (await host.booleans()).value ?? []) await simulated.setBoolean(name, enforcing);
  const prepared = await prepare?.(simulated);
  if (prepared?.outcome === 'failed')
    return { kind: 'none', reason: prepared.diagnostics[0]?.message ?? 'it could not be prepared' };
  if (mode) await simulated.setenforce(true);
  const report = await act(simulated, policy.bytes);
  if (report.outcome === 'done') return { kind: 'passed', policy: policy.name };
  return { kind: 'refused', policy: policy.name, report };
}
