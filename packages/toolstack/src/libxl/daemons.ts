/**
 * xenstored and xenconsoled: daemons in dom0 that map a page of each guest and hold one end of an event channel.
 *
 * Follows Xen `tools/xenstore/xenstored_domain.c`, `introduce_domain`, `domain_cleanup`, and
 * `tools/console/daemon/io.c`, `domain_create_ring`, `enum_domains`.
 *
 * @module
 */
import { isSince } from '@dewar/policy/releases';
import type { TimelineStep } from '../host.ts';
import type { Actor, Domid, HypercallArgs, HypercallResult, Hypercalls, MappingHandle, Port } from '../hypercalls.ts';
import type { PagedMap } from '../paged-map.ts';
import type { Recorder } from './recorder.ts';
import { type Attachment, byArrival, type ToolstackState } from './toolstack-state.ts';

/** XEN: `GNTTAB_RESERVED_CONSOLE` and `GNTTAB_RESERVED_XENSTORE`. */
export const CONSOLE_REF = 0;
export const XENSTORE_REF = 1;

/** The domain that the toolstack and the daemons run in. */
export const DOM0: Domid = 0 as Domid;

/** A PV dom0 maps a granted page twice: for its kernel and for the program. */
const MAPS_PER_GRANT = 2;

/** xenstored, in dom0 or in a domain of its own. */
export function xenstoredOf(state: ToolstackState): Actor {
  return { domid: state.xenstoreDomid ?? DOM0, process: 'xenstored' };
}

/** XEN: since 4.21 xenstored asks for states of domains, and no more for all that Xen tells of one. */
function asksForStates({ release }: Hypercalls): boolean {
  return isSince(release, '4.21');
}

/** Makes requests as xenstored. */
export type AskAsXenstored = (
  args: HypercallArgs<'domctl.get_domain_state'>,
) => HypercallResult<'domctl.get_domain_state'>;

/**
 * What xenstored asks as it starts: which domains there are. False where it does not hear of dom0, and so ends. XEN:
 * `init_domains`.
 */
export function startXenstored(hypercalls: Hypercalls, ask: AskAsXenstored): boolean {
  if (!asksForStates(hypercalls)) return true;
  let hasHeard = false;
  for (;;) {
    const polled = ask({});
    if (polled.kind === 'error') return hasHeard;
    hasHeard ||= polled.value.domid === DOM0;
  }
}

/** How often libxl names a new guest as one who may read, and then as the owner of what it writes for it. */
const READABLE = 7;
const OWNED: readonly string[] = [
  'device/suspend/event-channel',
  'control/shutdown',
  'control/feature-poweroff',
  'control/feature-reboot',
  'control/feature-suspend',
  'control/sysrq',
  'data',
  'drivers',
  'feature',
  'attr',
  'error',
];
/** What it writes more for an HVM guest, and where. */
const OWNED_BY_HVM: readonly string[] = ['control/feature-s3', 'control/feature-s4'];
const BEFORE_HVM = 'control/sysrq';

/**
 * xenstored learns of a new domain when libxl writes down who may read what. It looks at the domain; while it may not, it does
 * so for each entry, and what it was told is lost: those which the guest should own libxl cannot even hand over to it.
 *
 * Answers the entries that libxl could not hand over, none where all is well.
 * XEN: `domain_entry_inc` of xenstored; since 4.21 `domain_alloc_permrefs`. `libxl__domain_make` writes the entries.
 */
export function meetDomain(recorder: Recorder, state: ToolstackState, domid: Domid, isHvm: boolean): readonly string[] {
  const xenstored = xenstoredOf(state);
  if (!asksForStates(recorder.hypercalls)) {
    recorder.askAs(xenstored, 'domctl.getdomaininfo', { domid });
    return [];
  }
  const look = (): boolean => recorder.askAs(xenstored, 'domctl.get_domain_state', { domid }).kind === 'ok';
  if (look()) return [];
  const owned = OWNED.flatMap((entry) => (isHvm && entry === BEFORE_HVM ? [...OWNED_BY_HVM, entry] : [entry]));
  for (let asked = 1; asked < READABLE + owned.length; asked++) look();
  return owned;
}

const XENCONSOLED: Actor = { domid: DOM0, process: 'xenconsoled' };

/** Maps the granted page; undefined when it is not granted. */
function mapGrant(recorder: Recorder, actor: Actor, domid: Domid, ref: number): MappingHandle[] | undefined {
  const mappings: MappingHandle[] = [];
  // A xenstore domain has no programs beside its kernel.
  const times = actor.domid === DOM0 ? MAPS_PER_GRANT : 1;
  for (let i = 0; i < times; i++) {
    const mapped = recorder.askAs(actor, 'grant_table_op.map_grant_ref', { granter: domid, ref, isWritable: true });
    if (mapped.kind === 'ok') mappings.push(mapped.value.mapping);
  }
  if (mappings.length < times) {
    // The kernel asks for both before it looks at the answers.
    unmapAll(recorder, actor, { mappings });
    return undefined;
  }
  return mappings;
}

function newAttachment(state: ToolstackState, domid: Domid, mappings: MappingHandle[]): Attachment {
  return { domid, since: state.attachments++, mappings, port: undefined, hasToldOfEnd: false };
}

/** Gives the pages back; those that Xen does not take back stay in the list. */
function unmapAll(recorder: Recorder, actor: Actor, attachment: Pick<Attachment, 'mappings'>): void {
  attachment.mappings = attachment.mappings.filter((mapping) => {
    const granted = recorder.askAs(actor, 'grant_table_op.unmap_grant_ref', { mapping });
    if (granted.kind === 'ok') return false;
    return granted.errno !== 'EINVAL' || recorder.askAs(actor, 'mmu_update.unmap_foreign', { mapping }).kind !== 'ok';
  });
}

function bind(recorder: Recorder, actor: Actor, domid: Domid, remotePort: Port): Port | undefined {
  const bound = recorder.askAs(actor, 'event_channel_op.bind_interdomain', { remote: domid, remotePort });
  return bound.kind === 'ok' ? bound.value.port : undefined;
}

/** Serves a new guest's xenstore ring. The program that asked for it does not look at the answer. */
export function introduceDomain(
  recorder: Recorder,
  state: ToolstackState,
  domid: Domid,
  port: Port,
): TimelineStep['outcome'] {
  return recorder.step('xenstored maps the xenstore page and binds its event channel', 'xenstored', () => {
    const xenstored = xenstoredOf(state);
    const mappings = mapGrant(recorder, xenstored, domid, XENSTORE_REF);
    if (mappings === undefined) return 'ignored-failure';
    const attachment = newAttachment(state, domid, mappings);
    attachment.port = bind(recorder, xenstored, domid, port);
    if (attachment.port === undefined) {
      unmapAll(recorder, xenstored, attachment);
      if (attachment.mappings.length > 0) state.xenstored.set(domid, attachment);
      return 'ignored-failure';
    }
    state.xenstored.set(domid, attachment);
    return 'done';
  });
}

// The number of the first guest that Xen makes.
const FIRST_GUEST = 1 as Domid;

/** XEN: `DOMID_FIRST_RESERVED - 1`. */
const GUESTS_AT_MOST = 0x7fef;

/** Looks through all domains, as xenconsoled does whenever one comes or goes. */
function enumerateDomains(recorder: Recorder, visit: (domid: Domid, isDying: boolean) => void): void {
  // XEN: since 4.18 it asks for all at once; Xen then no longer answers with another domain than the one asked for.
  if (isSince(recorder.hypercalls.release, '4.18')) {
    const list = recorder.ask('xenconsoled', 'sysctl.getdomaininfolist', { first: FIRST_GUEST, max: GUESTS_AT_MOST });
    if (list.kind === 'error') return;
    for (const info of list.value.domains) visit(info.domid, info.isDying);
    return;
  }
  let domid = 1;
  for (;;) {
    // Any number may be asked for; Xen answers with the next domain.
    const info = recorder.ask('xenconsoled', 'domctl.getdomaininfo', { domid: domid as Domid });
    if (info.kind === 'error') return;
    visit(info.value.domid, info.value.isDying);
    domid = info.value.domid + 1;
  }
}

/** xenconsoled hears of a new domain whose console another program serves: it looks through all, and leaves it. */
export function passConsoleOver(recorder: Recorder, domid: Domid): void {
  recorder.step(`xenconsoled hears of domain ${domid}, whose console QEMU serves`, 'xenconsoled', () => {
    enumerateDomains(recorder, () => {});
    return 'done';
  });
}

/** Serves a new guest's console; libxl waits until it does. */
export function attachConsole(
  recorder: Recorder,
  state: ToolstackState,
  domid: Domid,
  port: Port,
  ringFrame: number,
): TimelineStep['outcome'] {
  return recorder.step('xenconsoled maps the console page and binds its event channel', 'xenconsoled', () => {
    let isSeen = false;
    enumerateDomains(recorder, (found, isDying) => {
      if (found === domid && !isDying) isSeen = true;
    });
    if (!isSeen) return 'failed';
    let mappings = mapGrant(recorder, XENCONSOLED, domid, CONSOLE_REF);
    if (mappings === undefined) {
      // XEN: domain_create_ring() falls back to the frame number that xenstore names.
      const frames = { first: ringFrame, count: 1 };
      const mapped = recorder.ask('xenconsoled', 'mmu_update.map_foreign', { domid, frames, isWritable: true });
      if (mapped.kind === 'error') return 'failed';
      mappings = [mapped.value.mapping];
    }
    const attachment = newAttachment(state, domid, mappings);
    attachment.port = bind(recorder, XENCONSOLED, domid, port);
    // XEN: without its channel the ring stays mapped until the domain goes.
    state.xenconsoled.set(domid, attachment);
    return attachment.port === undefined ? 'failed' : 'done';
  });
}

/** xenconsoled looks at its channel whenever xenstore tells it of a change, and binds anew when it may not. */
export function recheckConsole(
  recorder: Recorder,
  state: ToolstackState,
  domid: Domid,
  remotePort: Port,
): TimelineStep['outcome'] {
  const attachment = state.xenconsoled.get(domid);
  const port = attachment?.port;
  if (attachment === undefined || port === undefined) return 'done';
  return recorder.step('xenconsoled looks at its event channel again', 'xenconsoled', () => {
    const status = recorder.ask('xenconsoled', 'event_channel_op.status', { domid: DOM0, port });
    if (status.kind === 'ok' && status.value.status === 'interdomain') return 'done';
    recorder.ask('xenconsoled', 'event_channel_op.close', { port });
    attachment.port = bind(recorder, XENCONSOLED, domid, remotePort);
    return 'ignored-failure';
  });
}

function detach(recorder: Recorder, actor: Actor, map: PagedMap<Domid, Attachment>, attachment: Attachment): void {
  if (attachment.port !== undefined) {
    recorder.askAs(actor, 'event_channel_op.close', { port: attachment.port });
    attachment.port = undefined;
  }
  unmapAll(recorder, actor, attachment);
  if (attachment.mappings.length === 0) map.delete(attachment.domid);
}

/**
 * XEN: since 4.21 xenstored asks for the domains whose state changed, one after the other, until there are no more. Of one that
 * it may not look at it never hears.
 */
function pollXenstored(recorder: Recorder, state: ToolstackState): boolean {
  let isNews = false;
  const xenstored = xenstoredOf(state);
  for (;;) {
    const polled = recorder.askAs(xenstored, 'domctl.get_domain_state', {});
    if (polled.kind === 'error') return isNews;
    const { domid, exists, isShutDown, isDead } = polled.value;
    const attachment = state.xenstored.get(domid);
    if (attachment?.port === undefined) continue;
    if (!exists || isDead) detach(recorder, xenstored, state.xenstored, attachment);
    else if (isShutDown && !attachment.hasToldOfEnd) attachment.hasToldOfEnd = true;
    else continue;
    isNews = true;
  }
}

/** What xenstored does when Xen says that some domain died: it asks after all that it serves, itself last. */
function cleanUpXenstored(recorder: Recorder, state: ToolstackState): boolean {
  if (asksForStates(recorder.hypercalls)) return pollXenstored(recorder, state);
  let isNews = false;
  const xenstored = xenstoredOf(state);
  for (const { domid, port, hasToldOfEnd } of byArrival(state.xenstored).reverse()) {
    if (port === undefined) continue;
    const info = recorder.askAs(xenstored, 'domctl.getdomaininfo', { domid });
    const isThere = info.kind === 'ok' && info.value.domid === domid && !info.value.isDying;
    // XEN: one that has stopped is told of once, and kept until it dies.
    if (isThere && (info.value.shutdownReason === undefined || hasToldOfEnd)) continue;
    isNews = true;
    const attachment = state.xenstored.get(domid);
    if (attachment === undefined) continue;
    if (isThere) attachment.hasToldOfEnd = true;
    else detach(recorder, xenstored, state.xenstored, attachment);
  }
  if (recorder.askAs(xenstored, 'domctl.getdomaininfo', { domid: DOM0 }).kind === 'error') loseDom0(state);
  return isNews;
}

/** XEN: `domain_tree_remove`: what dom0 has written goes with it, the names of all guests among it. */
function loseDom0({ guests }: ToolstackState): void {
  for (const domid of guests.keys()) {
    const record = guests.get(domid);
    if (record !== undefined) record.name = undefined;
  }
}

/** Whether xenstored, when it last asked, was denied the look at dom0, and took it for dead. */
export function hasLostDom0({ timeline }: Recorder): boolean {
  const looks = timeline
    .flatMap(({ hypercalls }) => hypercalls)
    .filter(({ process, name, targetDomid }) => {
      return process === 'xenstored' && name === 'domctl.getdomaininfo' && targetDomid === DOM0;
    });
  return looks.at(-1)?.result === 'EACCES';
}

/** What xenconsoled does when xenstored says that a domain was released. */
function cleanUpXenconsoled(recorder: Recorder, state: ToolstackState): void {
  const alive = new Set<Domid>();
  enumerateDomains(recorder, (domid, isDying) => {
    if (!isDying) {
      alive.add(domid);
      return;
    }
    const attachment = state.xenconsoled.get(domid);
    if (attachment !== undefined) detach(recorder, XENCONSOLED, state.xenconsoled, attachment);
  });
  for (const { domid, port } of byArrival(state.xenconsoled)) {
    if (alive.has(domid) || port === undefined) continue;
    const attachment = state.xenconsoled.get(domid);
    if (attachment !== undefined) detach(recorder, XENCONSOLED, state.xenconsoled, attachment);
  }
}

/** Lets the daemons act on the ends that Xen has told of. */
export function settleDeaths(
  recorder: Recorder,
  state: ToolstackState,
  title = 'xenstored and xenconsoled give back what they mapped of the dead domain',
): void {
  for (let deaths = recorder.hypercalls.takeDomainExceptions(); deaths > 0; deaths--) {
    recorder.step(title, 'xenstored', () => {
      if (cleanUpXenstored(recorder, state)) cleanUpXenconsoled(recorder, state);
      return 'done';
    });
    deaths += recorder.hypercalls.takeDomainExceptions();
  }
}
