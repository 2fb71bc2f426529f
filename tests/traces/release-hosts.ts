/**
 * Hosts of other releases of Xen.
 *
 * @module
 */
import { type FlaskMode, Hypervisor } from '@dewar/hypervisor';
import type { XenReleaseName } from '@dewar/policy/releases';
import { policyOfRelease } from './rig-policy.ts';

/** A rule, so that the policy has one, and what 4.17 and later need to make dom0. */
export const BOOT: string = 'allow xenboot_t dom0_t:domain create;\n';
/** What dom0 needs to see domains and their labels. */
export const DOM0_SEES: string = `${BOOT}allow dom0_t security_t:security check_context;
allow dom0_t { domxen_t dom0_t }:domain getdomaininfo;
`;

/** A host that runs, perhaps without a policy. */
export interface Booted {
  readonly hypervisor: Hypervisor;
  readonly policyRefused: string | undefined;
}

/** Boots a host of a release with the policy of the recordings and some rules. */
export function boot(release: XenReleaseName, rules: string = BOOT, flask?: FlaskMode): Booted {
  const policy = policyOfRelease(release, rules);
  const outcome = Hypervisor.boot({ release, policy, ...(flask === undefined ? {} : { flask }) });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return outcome;
}

/** What Xen has said. */
export function console(hypervisor: Hypervisor): readonly string[] {
  return hypervisor.snapshot().console;
}
