/**
 * Requests that this release of Xen does not know.
 *
 * Follows Xen `xen/xsm/flask/hooks.c`, `avc_unknown_permission`, and the `default:` of `flask_domctl` and `flask_sysctl`.
 *
 * @module
 */
import type { HypercallArgs, HypercallName, HypercallResult } from '@dewar/toolstack';
import type { Domain } from './domain.ts';
import { failed, type Machine } from './machine.ts';

/** The numbers under which later releases know them. XEN: `xen/include/public/{domctl,sysctl}.h`. */
const NUMBERS: Partial<Record<HypercallName, number>> = {
  'domctl.get_vcpu_msrs': 72,
  'domctl.set_vcpu_msrs': 73,
  'domctl.get_cpu_policy': 82,
  'domctl.set_llc_colors': 89,
  'domctl.get_domain_state': 90,
  'sysctl.get_cpu_featureset': 26,
  'sysctl.get_cpu_policy': 29,
};

/** What Xen says to a request that it does not know. */
export function refuseUnknown<N extends HypercallName>(
  machine: Machine,
  caller: Domain,
  name: N,
  args: HypercallArgs<N>,
): HypercallResult<N> {
  const number = NUMBERS[name];
  // Requests that FLASK is not asked about: the hypercall itself finds that it has none of that number.
  if (number === undefined) return failed('ENOSYS');
  const kind = name.slice(0, name.indexOf('.'));
  if (kind === 'domctl' && 'domid' in args && machine.domain(args.domid) === undefined) return failed('ESRCH');
  const { flask, behaviour } = machine;
  // XEN: xsm_domctl() and xsm_sysctl() without a security module are for the control domain, known request or not.
  if (flask.isDisabled) return failed(caller.domid === 0 ? 'ENOSYS' : 'EPERM');
  if (!behaviour.asksPolicyOfUnknown) {
    machine.log(`(XEN) flask_${kind}: Unknown op ${number}`);
    return failed('EPERM');
  }
  const isAllowed = !flask.isEnforcing || flask.server.policy?.handleUnknown === 'allow';
  machine.log(`(XEN) FLASK: ${isAllowed ? 'Allowing' : 'Denying'} unknown ${kind}: ${number}.`);
  return failed(isAllowed ? 'ENOSYS' : 'EPERM');
}
