/**
 * Memory: giving a domain pages, and mapping those of another.
 *
 * Follows Xen `xen/common/memory.c`, `do_memory_op`, and `xen/arch/x86/mm.c`, `do_mmu_update`, `do_mmuext_op`.
 * The caller is a PV domain, as dom0 is: it maps foreign pages by writing its page tables.
 *
 * @module
 */
import type { HypercallName, MappingHandle } from '@dewar/toolstack';
import {
  addFrames,
  frameRoom,
  GRANT_TABLE_FRAME,
  hasFrames,
  IOREQ_FRAME,
  type Mapping,
  mappingHandle,
  topFrame,
} from './domain.ts';
import { DOMID_XEN, failed, type Handlers, type Machine, ok } from './machine.ts';
import { errnoOf, onDomain } from './on-domain.ts';

/** Mappings that are open at one time; more than any honest host has. */
const MAPPING_LIMIT = 0x10_0000;

type MemoryName = Extract<HypercallName, `memory_op.${string}` | `mmu_update.${string}` | `mmuext_op.${string}`>;

/** Keeps a new mapping; undefined when there are too many. */
export function addMapping(machine: Machine, mapping: Omit<Mapping, 'handle'>): MappingHandle | undefined {
  const { mappings } = machine.state;
  const owner = machine.domain(mapping.owner);
  if (owner === undefined || mappings.size >= MAPPING_LIMIT) return undefined;
  const handle = mappingHandle(owner.domid, owner.mapCount);
  if (handle === undefined) return undefined;
  owner.mapCount++;
  mappings.set(handle, { handle, ...mapping });
  return handle;
}

/** How each of them is carried out. */
export const MEMORY_OPS: Handlers<MemoryName> = {
  'memory_op.set_memory_map': (machine, caller, { domid }) =>
    onDomain('memory_op.set_memory_map', machine, caller, domid, () => ok({})),
  'memory_op.machine_memory_map': (machine, caller) => {
    const denial = machine.check('memory_op.machine_memory_map', caller);
    return denial === undefined ? ok({}) : failed(errnoOf(denial));
  },
  'memory_op.claim_pages': (machine, caller, { domid, pages }) =>
    onDomain('memory_op.claim_pages', machine, caller, domid, (domain) => {
      if (!Number.isSafeInteger(pages) || pages < 0 || domain.life !== 'alive') return failed('EINVAL');
      domain.claimedPages = 0;
      const missing = Math.max(0, pages - domain.totalPages);
      if (missing > machine.freePages()) return failed('ENOMEM');
      domain.claimedPages = missing;
      return ok({});
    }),
  'memory_op.populate_physmap': (machine, caller, { domid, frames, isOnDemand }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    // XEN: a denial here ends in "no extent done", not in an errno.
    if (machine.check('memory_op.populate_physmap', caller, { domain }) !== undefined) return ok({ pagesDone: 0 });
    if (domain.life !== 'alive' || !frameRoom(domain, frames)) return failed('EINVAL');
    if (isOnDemand === true) {
      if (!domain.isHvm) return failed('EINVAL');
      addFrames(domain, frames);
      return ok({ pagesDone: frames.count });
    }
    const room = Math.min(domain.maxPages - domain.totalPages, machine.freePages() + domain.claimedPages);
    const pagesDone = Math.max(0, Math.min(frames.count, room));
    domain.totalPages += pagesDone;
    addFrames(domain, { first: frames.first, count: pagesDone });
    domain.claimedPages = Math.max(0, domain.claimedPages - pagesDone);
    return ok({ pagesDone });
  },
  'memory_op.decrease_reservation': (machine, caller, { domid, pages }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('memory_op.decrease_reservation', caller, { domain });
    if (denial !== undefined) return ok({ pagesDone: 0 });
    if (!Number.isSafeInteger(pages) || pages < 0) return failed('EINVAL');
    const pagesDone = Math.min(pages, domain.totalPages);
    domain.totalPages -= pagesDone;
    return ok({ pagesDone });
  },
  'memory_op.increase_reservation': (machine, caller, { domid, pages }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('memory_op.increase_reservation', caller, { domain });
    if (denial !== undefined) return ok({ pagesDone: 0 });
    if (!Number.isSafeInteger(pages) || pages < 0) return failed('EINVAL');
    const room = Math.min(domain.maxPages - domain.totalPages, machine.freePages() + domain.claimedPages);
    const pagesDone = Math.max(0, Math.min(pages, room));
    domain.totalPages += pagesDone;
    return ok({ pagesDone });
  },
  'memory_op.set_pod_target': (machine, caller, { domid, pages }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    if (!domain.isHvm) return failed('EINVAL');
    const denial = machine.check('memory_op.set_pod_target', caller, { domain });
    if (denial !== undefined) return failed(errnoOf(denial));
    if (!Number.isSafeInteger(pages) || pages < 0 || pages > domain.maxPages) return failed('EINVAL');
    // XEN: p2m_pod_set_mem_target() changes nothing once all memory on demand has been given out.
    if (domain.frameCount > 0 && domain.frameCount <= domain.totalPages) return ok({});
    const missing = pages - domain.totalPages;
    if (missing > machine.freePages() + domain.claimedPages) return failed('ENOMEM');
    domain.totalPages = pages;
    domain.claimedPages = Math.max(0, domain.claimedPages - Math.max(0, missing));
    return ok({});
  },
  'memory_op.add_to_physmap': (machine, caller, { domid }) =>
    onDomain('memory_op.add_to_physmap', machine, caller, domid, (domain) =>
      domain.isHvm ? ok({}) : failed('EINVAL'),
    ),
  'memory_op.get_vnumainfo': (machine, caller, { domid }) =>
    onDomain('memory_op.get_vnumainfo', machine, caller, domid, () =>
      failed('EOPNOTSUPP', 'the domain has no virtual NUMA'),
    ),
  'memory_op.acquire_resource': (machine, caller, { domid, resource }) => {
    const domain = machine.domain(domid);
    if (domain === undefined) return failed('ESRCH');
    if (domain === caller) return failed('EPERM');
    const denial = machine.check('memory_op.acquire_resource', caller, { domain });
    if (denial !== undefined) return failed(errnoOf(denial));
    if (resource === 'grant_table') return ok({ frame: GRANT_TABLE_FRAME });
    // XEN: acquire_ioreq_server() gives them to nobody but the one who made the server.
    const server = domain.ioreqServers.find(({ emulator }) => emulator === caller.domid);
    return server === undefined ? failed('EPERM') : ok({ frame: IOREQ_FRAME });
  },
  'memory_op.current_reservation': (machine, caller, { domid }) =>
    onDomain('memory_op.current_reservation', machine, caller, domid, (domain) => ok({ pages: domain.totalPages })),
  'memory_op.maximum_gpfn': (machine, caller, { domid }) =>
    onDomain('memory_op.maximum_gpfn', machine, caller, domid, (domain) => ok({ frame: topFrame(domain) })),
  'mmu_update.map_foreign': (machine, caller, { domid, frames, isWritable }, actor) => {
    const domain = machine.domain(domid);
    // XEN: get_pg_owner() knows no foreign domain by the caller's own number.
    if (domain === undefined || domain === caller) return failed('ESRCH');
    const denial = machine.check('mmu_update.map_foreign', caller, {
      domain,
      when: isWritable ? 'writable' : 'read-only',
    });
    if (denial !== undefined) return failed(errnoOf(denial));
    if (domain.life !== 'alive' || !hasFrames(domain, frames)) return failed('EINVAL');
    const mapping = addMapping(machine, {
      kind: 'foreign',
      owner: domid,
      frames,
      mapper: actor,
      isWritable,
      ref: undefined,
      labelWhenMapped: machine.flask.sidToContext(domain.sid),
    });
    return mapping === undefined ? failed('ENOMEM') : ok({ mapping });
  },
  'mmu_update.map_own': (machine, caller, { frames, isWritable }) => {
    const when = isWritable ? 'writable' : 'read-only';
    const denial = machine.check('mmu_update.map_own', caller, { domain: caller, when });
    if (denial !== undefined) return failed(errnoOf(denial));
    return hasFrames(caller, frames) ? ok({}) : failed('EINVAL');
  },
  'mmu_update.map_machphys': (machine, caller) => {
    const denial = machine.check('mmu_update.map_machphys', caller, { auditTarget: DOMID_XEN });
    return denial === undefined ? ok({}) : failed(errnoOf(denial));
  },
  'mmu_update.unmap_foreign': (machine, caller, { mapping }) => {
    const found = machine.state.mappings.look(mapping);
    if (found?.kind !== 'foreign' || found.mapper.domid !== caller.domid) return failed('EINVAL');
    machine.dropMapping(mapping);
    return ok({});
  },
  'mmu_update.machphys_update': (machine, caller, { domid, frames }) =>
    onDomain('mmu_update.machphys_update', machine, caller, domid, (domain) =>
      hasFrames(domain, frames) ? ok({}) : failed('EINVAL'),
    ),
  'mmuext_op.pin_table': (machine, caller, { domid, frame }) =>
    onDomain('mmuext_op.pin_table', machine, caller, domid, (domain) => {
      if (domain.isHvm || !hasFrames(domain, { first: frame, count: 1 })) return failed('EINVAL');
      // XEN: xsm_memory_pin_page(), once the page has been found to be a page table.
      const denial = machine.check('mmuext_op.pin_table', caller, { domain, stage: 'hook' });
      return denial === undefined ? ok({}) : failed(errnoOf(denial));
    }),
  'mmuext_op.tlb_flush': (machine, caller, { domid }) =>
    onDomain('mmuext_op.tlb_flush', machine, caller, domid, () => ok({})),
};
