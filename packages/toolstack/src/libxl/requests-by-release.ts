/**
 * Requests of libxl that an older Xen does not know, and without which its own toolstack does.
 *
 * The steps of the toolstack are 4.17's whatever the release of Xen is, with what later ones ask beside; what a Xen has no
 * word for is left out.
 * Facts: Xen `xen/include/public/{domctl,sysctl,memory}.h`.
 *
 * @module
 */
import { isSince, type XenReleaseName } from '@dewar/policy/releases';
import type { Errno, HypercallName, HypercallTable } from '../hypercalls.ts';

/** A request that is younger than the oldest release. */
interface YoungRequest {
  /** The first release with tables that knows it. */
  readonly since: XenReleaseName;
  /** What the step goes on with where it is left out. */
  readonly answer: 'ok' | Errno;
}

/** Requests that give nothing back, so that a step can do without an answer. */
type QuietName = { [N in HypercallName]: keyof HypercallTable[N]['result'] extends never ? N : never }[HypercallName];

const YOUNG_REQUESTS: Partial<Record<QuietName, YoungRequest>> = {
  'sysctl.get_cpu_policy': { since: '4.13', answer: 'ok' },
  'sysctl.get_cpu_featureset': { since: '4.8', answer: 'ok' },
  'domctl.get_cpu_policy': { since: '4.13', answer: 'ok' },
  'domctl.get_vcpu_msrs': { since: '4.8', answer: 'ok' },
  'domctl.set_vcpu_msrs': { since: '4.8', answer: 'ok' },
  'domctl.set_llc_colors': { since: '4.20', answer: 'EOPNOTSUPP' },
  // The guest has no virtual NUMA.
  'memory_op.get_vnumainfo': { since: '4.8', answer: 'EOPNOTSUPP' },
};

/** What a step goes on with when this Xen does not know the request; undefined when it is to be made. */
export function answerWithout(name: HypercallName, release: XenReleaseName): 'ok' | Errno | undefined {
  const requests: Partial<Record<HypercallName, YoungRequest>> = YOUNG_REQUESTS;
  const young = requests[name];
  return young === undefined || isSince(release, young.since) ? undefined : young.answer;
}
