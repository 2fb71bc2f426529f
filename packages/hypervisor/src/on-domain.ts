/**
 * The order of nearly every hypercall about a domain: look it up, make the checks, then work.
 *
 * @module
 */
import type { Domid, Errno, HypercallName, HypercallResult } from '@dewar/toolstack';
import type { Domain } from './domain.ts';
import { type Denial, failed, type Machine } from './machine.ts';

/** The errno with which a denial ends the hypercall; a check that only makes Xen do less has none of its own. */
export function errnoOf(denial: Denial): Errno {
  return denial === 'does less' ? 'EACCES' : denial;
}

/** Looks the domain up, makes the checks of the hypercall's entry, then works. */
export function onDomain<N extends HypercallName>(
  name: N,
  machine: Machine,
  caller: Domain,
  domid: Domid,
  work: (domain: Domain) => HypercallResult<N>,
): HypercallResult<N> {
  const domain = machine.domain(domid);
  if (domain === undefined) return failed('ESRCH');
  const denial = machine.check(name, caller, { domain });
  return denial === undefined ? work(domain) : failed(errnoOf(denial));
}
