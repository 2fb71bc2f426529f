/**
 * Domctls: making, changing and ending a domain.
 *
 * Follows Xen `xen/common/domctl.c`, `do_domctl`, and `xen/common/domain.c`.
 *
 * @module
 */
import type { DomainInfo, Domid, HypercallName, HypercallResult } from '@dewar/toolstack';
import type { DeviceModelName } from './device-model.ts';
import { type DeviceName, releaseDevices } from './devices.ts';
import { Domain, hasFrames, SHARED_INFO_FRAME } from './domain.ts';
import type { HvmName } from './hvm.ts';
import { type Denial, DOMID_LIMIT, DOMID_XEN, failed, type Handlers, HOST_NODES, type Machine, ok } from './machine.ts';
import { errnoOf, onDomain } from './on-domain.ts';
import type { VcpuName } from './vcpus.ts';

/** XEN: nobody has a domain keep to some of the nodes; then it is all of them, as there is one (`domain_update_node_affinity`). */
const ALL_NODES: readonly number[] = Array.from({ length: HOST_NODES }, (_, node) => node);

/** Pages that one go of the teardown gives back. Xen decides by the time that has passed. */
const PAGES_PER_CONTINUATION = 8192;

/** The most vCPUs of a PV guest. XEN: `MAX_VIRT_CPUS`. */
const MAX_VCPUS = 8192;

/** Frames that one `getpageframeinfo3` takes. */
const PAGEFRAMES_AT_ONCE = 1024;

/** XEN: the limit in `_domain_pause_by_systemcontroller`. */
const MAX_PAUSES = 255;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

type DomctlName = Exclude<
  Extract<HypercallName, `domctl.${string}`>,
  VcpuName | HvmName | DeviceName | DeviceModelName
>;

/** XEN: `paging_domctl`, which until 4.22 looks at the domain before the check is made. */
function onPaging<N extends Extract<HypercallName, `domctl.shadow_op.${string}`>>(
  name: N,
  machine: Machine,
  caller: Domain,
  domid: Domid,
  work: (domain: Domain) => HypercallResult<N>,
): HypercallResult<N> {
  const domain = machine.domain(domid);
  if (domain === undefined) return failed('ESRCH');
  const check = (): Denial | undefined => machine.check(name, caller, { domain });
  const first = machine.behaviour.checksShadowFirst ? check() : undefined;
  if (first !== undefined) return failed(errnoOf(first));
  if (domain === caller) return failed('EINVAL');
  // Every one of these requests gives back nothing; one about a dying domain is passed over.
  if (domain.life !== 'alive') return ok({}) as HypercallResult<N>;
  const denial = machine.behaviour.checksShadowFirst ? undefined : check();
  return denial === undefined ? work(domain) : failed(errnoOf(denial));
}

/** What Xen tells of a domain. XEN: `getdomaininfo`. */
export function describeDomain(domain: Readonly<Domain>): DomainInfo {
  return {
    domid: domain.domid,
    ssidref: domain.sid,
    isPaused: domain.pauseCount > 0 || domain.life !== 'alive',
    isDying: domain.life !== 'alive',
    isRunning: domain.pauseCount === 0 && domain.life === 'alive' && domain.shutdownReason === undefined,
    isHvm: domain.isHvm,
    isXenstore: domain.isXenstore,
    shutdownReason: domain.shutdownReason,
    totalPages: domain.totalPages,
    maxPages: domain.maxPages,
    onlineVcpus: domain.onlineVcpus.size,
    vcpus: domain.vcpuCount,
    handle: domain.handle,
    sharedInfoFrame: SHARED_INFO_FRAME,
  };
}

function nextDomid(machine: Machine): Domid | undefined {
  for (let tries = 0; tries < DOMID_LIMIT; tries++) {
    const candidate = machine.state.nextDomid;
    machine.state.nextDomid = candidate + 1 < DOMID_LIMIT ? candidate + 1 : 1;
    // A number below the limit and above 0 is what Xen calls the id of a domain.
    const domid = candidate as Domid;
    if (!machine.state.domains.has(domid)) return domid;
  }
  return undefined;
}

/** Takes the domain apart, a piece at a time, with a check before each. XEN: `domain_kill` and its continuations. */
function destroy(machine: Machine, caller: Domain, domain: Domain): HypercallResult<'domctl.destroydomain'> {
  if (domain === caller) return failed('EINVAL');
  if (domain.life === 'dead') return ok({ continuations: 0 });
  if (domain.life === 'alive') {
    domain.life = 'dying';
    domain.claimedPages = 0;
  }
  let continuations = 0;
  for (;;) {
    const held = machine.openMappings(domain.domid).reduce((pages, mapping) => pages + mapping.frames.count, 0);
    if (domain.totalPages - held <= PAGES_PER_CONTINUATION) break;
    domain.totalPages -= PAGES_PER_CONTINUATION;
    continuations++;
    machine.onContinuation?.(domain.domid, continuations);
    const denial = machine.check('domctl.destroydomain', caller, { domain, isContinuation: true });
    if (denial !== undefined) return failed(errnoOf(denial));
  }
  closeEverything(machine, domain);
  releaseDevices(machine, domain.domid);
  domain.life = 'dead';
  machine.tellOfChange(domain.domid);
  machine.releaseIfUnused(domain);
  return ok({ continuations });
}

/** The teardown of a domain's own mappings and channels makes no check. */
function closeEverything(machine: Machine, domain: Domain): void {
  for (const mapping of [...machine.state.mappings.values()]) {
    if (mapping.mapper.domid === domain.domid) machine.dropMapping(mapping.handle);
  }
  for (const channel of domain.eventChannels.values()) {
    const peer = channel.remote === undefined ? undefined : machine.domain(channel.remote);
    const other = channel.remotePort === undefined ? undefined : peer?.eventChannels.get(channel.remotePort);
    if (other === undefined) continue;
    other.status = 'unbound';
    other.remotePort = undefined;
  }
  domain.eventChannels.clear();
  domain.grants.clear();
  domain.ioreqServers.length = 0;
}

/** XEN: the log-dirty operations of a domain without shadow page tables are those of `shadow/none.c`. */
function canWatchWrites({ state }: Machine, { isHvm }: Readonly<Domain>): boolean {
  return isHvm || state.hasShadowPaging;
}

type StateResult = HypercallResult<'domctl.get_domain_state'>;

function describeState({ domid, life, shutdownReason }: Readonly<Domain>): StateResult {
  return ok({ domid, exists: true, isShutDown: shutdownReason !== undefined, isDead: life === 'dead' });
}

function stateOf(machine: Machine, caller: Domain, domid: Domid): StateResult {
  const domain = machine.state.domains.look(domid);
  if (domain === undefined) return failed('ESRCH');
  const denial = machine.check('domctl.get_domain_state', caller, { domain, stage: 'hook' });
  return denial === undefined ? describeState(domain) : failed(errnoOf(denial));
}

/** One that the caller may not look at stays among those that changed. XEN: `get_domain_state`. */
function nextChanged(machine: Machine, caller: Domain): StateResult {
  const denial = machine.check('domctl.get_domain_state', caller, { when: 'polling', auditTarget: DOMID_XEN });
  if (denial !== undefined) return failed(errnoOf(denial));
  const { changedDomains, domains } = machine.state;
  for (const [at, domid] of changedDomains.entries()) {
    const domain = domains.look(domid);
    const isHidden =
      domain !== undefined && machine.check('domctl.get_domain_state', caller, { domain, stage: 'hook' }) !== undefined;
    if (isHidden) continue;
    changedDomains.splice(at, 1);
    return domain === undefined
      ? ok({ domid, exists: false, isShutDown: false, isDead: false })
      : describeState(domain);
  }
  return failed('ENOENT');
}

/** How each domctl is carried out. */
export const DOMCTLS: Handlers<DomctlName> = {
  'domctl.createdomain': (machine, caller, { ssidref, maxVcpus, handle, domid: wanted, ...flags }) => {
    const { behaviour } = machine;
    const entry = machine.check('domctl.createdomain', caller, { sids: { 'new label': ssidref } });
    if (entry !== undefined) return failed(errnoOf(entry));
    if (!Number.isInteger(maxVcpus) || maxVcpus < 1 || maxVcpus > MAX_VCPUS) return failed('EINVAL');
    if (!UUID.test(handle)) return failed('EINVAL');
    const { isHvm = false, hasIommu = false, isXenstore = false } = flags;
    // XEN: sanitise_domain_config(): "IOMMU requested but not available".
    if (hasIommu && machine.state.iommu === 'none') return failed('EINVAL', 'the host has no IOMMU');
    if (wanted !== undefined && machine.domain(wanted) !== undefined) return failed(behaviour.takenDomid);
    const domid = wanted ?? nextDomid(machine);
    if (domid === undefined) return failed('ENOMEM');
    const { flask } = machine;
    // XEN: flask_domain_create() puts the label of the new security structure in the place of SID 0.
    const isReplaced = ssidref === 0 && behaviour.guardsLabels;
    const sid = flask.isDisabled ? 0 : isReplaced ? flask.initialSid('unlabeled') : ssidref;
    const hook = machine.check('domctl.createdomain', caller, { stage: 'hook', sids: { 'new label': sid } });
    if (hook !== undefined) return failed(errnoOf(hook));
    if (behaviour.guardsLabels && sid === flask.initialSid('dom0')) {
      if (machine.state.isDom0Created) return failed('EINVAL', 'only one domain may ever have the label of dom0');
      machine.state.isDom0Created = true;
    }
    const selfSid = flask.transitionSid(sid, sid, 'domain');
    if (selfSid === undefined) return failed('EACCES', 'the self label of the new domain is not valid');
    const identity = { domid, handle, sid, selfSid, maxVcpus, isHvm, hasIommu, isXenstore };
    machine.state.domains.set(domid, new Domain(identity, machine.state));
    machine.markChanged(domid);
    return ok({ domid });
  },
  'domctl.destroydomain': (machine, caller, { domid }) =>
    onDomain('domctl.destroydomain', machine, caller, domid, (domain) => destroy(machine, caller, domain)),
  'domctl.pausedomain': (machine, caller, { domid }) =>
    onDomain('domctl.pausedomain', machine, caller, domid, (domain) => {
      if (domain === caller) return failed('EINVAL');
      // XEN: _domain_pause_by_systemcontroller() counts, so a second pause needs a second unpause.
      if (domain.pauseCount >= MAX_PAUSES) return failed('EOVERFLOW');
      domain.pauseCount++;
      return ok({});
    }),
  'domctl.unpausedomain': (machine, caller, { domid }) =>
    onDomain('domctl.unpausedomain', machine, caller, domid, (domain) => {
      if (domain.pauseCount === 0) return failed('EINVAL');
      domain.pauseCount--;
      return ok({});
    }),
  'domctl.getdomaininfo': (machine, caller, { domid }) => {
    const domain = machine.behaviour.findsNextDomain ? machine.domainFrom(domid) : machine.state.domains.look(domid);
    if (domain === undefined) return failed('ESRCH');
    const denial = machine.check('domctl.getdomaininfo', caller, { domain });
    return denial === undefined ? ok(describeDomain(domain)) : failed(errnoOf(denial));
  },
  'domctl.get_domain_state': (machine, caller, { domid }) =>
    domid === undefined ? nextChanged(machine, caller) : stateOf(machine, caller, domid),
  'domctl.max_vcpus': (machine, caller, { domid, max }) =>
    onDomain('domctl.max_vcpus', machine, caller, domid, (domain) => {
      // XEN: the number was fixed at creation; the domctl must repeat it.
      if (max !== domain.maxVcpus) return failed('EINVAL');
      domain.vcpuCount = max;
      return ok({});
    }),
  'domctl.setnodeaffinity': (machine, caller, { domid }) =>
    onDomain('domctl.setnodeaffinity', machine, caller, domid, () => ok({})),
  'domctl.getnodeaffinity': (machine, caller, { domid }) =>
    onDomain('domctl.getnodeaffinity', machine, caller, domid, () => ok({ nodes: ALL_NODES })),
  'domctl.max_mem': (machine, caller, { domid, maxPages }) =>
    onDomain('domctl.max_mem', machine, caller, domid, (domain) => {
      if (!Number.isSafeInteger(maxPages) || maxPages < 0) return failed('EINVAL');
      domain.maxPages = maxPages;
      return ok({});
    }),
  'domctl.resumedomain': (machine, caller, { domid }) =>
    onDomain('domctl.resumedomain', machine, caller, domid, (domain) => {
      if (domain === caller) return failed('EINVAL');
      domain.shutdownReason = undefined;
      return ok({});
    }),
  'domctl.gettscinfo': (machine, caller, { domid }) =>
    onDomain('domctl.gettscinfo', machine, caller, domid, (domain) => (domain === caller ? failed('EINVAL') : ok({}))),
  'domctl.get_cpu_policy': (machine, caller, { domid }) =>
    onDomain('domctl.get_cpu_policy', machine, caller, domid, () => ok({})),
  'domctl.getpageframeinfo3': (machine, caller, { domid, frames }) =>
    onDomain('domctl.getpageframeinfo3', machine, caller, domid, (domain) => {
      // XEN: "up to 1024 pages at a time".
      if (frames.count > PAGEFRAMES_AT_ONCE) return failed('EINVAL');
      return hasFrames(domain, frames) ? ok({}) : failed('EINVAL');
    }),
  'domctl.shadow_op.off': (machine, caller, { domid }) =>
    onPaging('domctl.shadow_op.off', machine, caller, domid, (domain) => {
      if (!canWatchWrites(machine, domain)) return failed('EINVAL');
      domain.isLogDirty = false;
      return ok({});
    }),
  'domctl.shadow_op.enable_logdirty': (machine, caller, { domid }) =>
    onPaging('domctl.shadow_op.enable_logdirty', machine, caller, domid, (domain) => {
      // XEN: paging_log_dirty_enable() refuses a domain that is watched already.
      if (domain.isLogDirty) return failed('EINVAL');
      if (!canWatchWrites(machine, domain))
        return failed(
          'EOPNOTSUPP',
          'this Xen has no shadow page tables, without which it does not see what a PV guest writes',
        );
      domain.isLogDirty = true;
      return ok({});
    }),
  'domctl.shadow_op.clean': (machine, caller, { domid }) =>
    onPaging('domctl.shadow_op.clean', machine, caller, domid, (domain) =>
      domain.isLogDirty ? ok({}) : failed('EINVAL'),
    ),
  'domctl.settscinfo': (machine, caller, { domid }) =>
    onDomain('domctl.settscinfo', machine, caller, domid, (domain) => (domain === caller ? failed('EINVAL') : ok({}))),
  'domctl.set_cpu_policy': (machine, caller, { domid }) =>
    onDomain('domctl.set_cpu_policy', machine, caller, domid, () => ok({})),
  // XEN: cache colours are for Arm; elsewhere they are not enabled.
  'domctl.set_llc_colors': (machine, caller, { domid }) =>
    onDomain('domctl.set_llc_colors', machine, caller, domid, () => failed('EOPNOTSUPP')),
  'domctl.set_address_size': (machine, caller, { domid, size }) =>
    onDomain('domctl.set_address_size', machine, caller, domid, (domain) => {
      if (domain.isHvm) return failed('EOPNOTSUPP');
      // XEN: switch_compat() refuses a domain that has memory.
      if (size !== domain.addressSize && domain.totalPages > 0) return failed('EACCES');
      domain.addressSize = size;
      return ok({});
    }),
  'domctl.get_address_size': (machine, caller, { domid }) =>
    onDomain('domctl.get_address_size', machine, caller, domid, (domain) => ok({ size: domain.addressSize })),
  'domctl.hypercall_init': (machine, caller, { domid, frame }) =>
    onDomain('domctl.hypercall_init', machine, caller, domid, (domain) =>
      hasFrames(domain, { first: frame, count: 1 }) ? ok({}) : failed('EACCES'),
    ),
  'domctl.scheduler_op.getinfo': (machine, caller, { domid }) =>
    onDomain('domctl.scheduler_op.getinfo', machine, caller, domid, (domain) =>
      ok({ weight: domain.weight, cap: domain.cap }),
    ),
  'domctl.scheduler_op.putinfo': (machine, caller, { domid, weight, cap }) =>
    onDomain('domctl.scheduler_op.putinfo', machine, caller, domid, (domain) => {
      if (!Number.isInteger(weight) || weight < 1 || weight > 65535) return failed('EINVAL');
      if (!Number.isInteger(cap) || cap < 0 || cap > 65535) return failed('EINVAL');
      domain.weight = weight;
      domain.cap = cap;
      return ok({});
    }),
};
