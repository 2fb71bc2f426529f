/**
 * Where real Xen and the simulated host are known to part, and why.
 *
 * @module
 */

const DEAF =
  'the guest of the recording waits and listens to nothing, so that xenstored has nothing to tell it; a simulated one is Linux';

const NO_XENSTORE =
  'xenstored takes dom0 for dead as the guest suspends, so libxl never hears of it; a simulated host warns and goes on';

/** By operation and missing rule. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  'mem-set allow dom0_t dom0_t_channel:event send;': DEAF,
  'save allow dom0_t dom0_t:domain getdomaininfo;': NO_XENSTORE,
  'sysrq allow dom0_t dom0_t_channel:event send;': DEAF,
  'vcpu-set allow dom0_t dom0_t_channel:event send;': DEAF,
};
