/**
 * Where real Xen and the simulated host are known to part, and why.
 *
 * @module
 */

const KERNEL_GIVES_UP =
  'without it the kernel of the guest ends its domain; a simulated guest runs on, and the report warns that it is stuck';

/** By operation and missing rule. */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  'start allow nomigrate_t nomigrate_t_self:grant setup;': KERNEL_GIVES_UP,
  'start allow nomigrate_t nomigrate_t_self:mmu map_read;': KERNEL_GIVES_UP,
  'start allow nomigrate_t nomigrate_t_self:mmu map_write;': KERNEL_GIVES_UP,
  'start allow nomigrate_t nomigrate_t_self:mmu mmuext_op;': KERNEL_GIVES_UP,
  'start allow nomigrate_t nomigrate_t_self:mmu pinpage;': KERNEL_GIVES_UP,
};
