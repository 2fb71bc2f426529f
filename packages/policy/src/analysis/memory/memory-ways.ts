/**
 * The ways to a guest's memory: what a domain must be allowed for each, and what it then has. One table, as data.
 *
 * `reach` searches it, `prove` reads properties with it, and who explains a denial looks a permission up in it.
 * Follows: Xen 4.17.5; each row names the function that it rests on. What FLASK does not ask is in `condition`.
 * Start reading at `MEMORY_WAYS`.
 *
 * @module
 */

/**
 * A part of a guest's life.
 *
 * `built`: its memory is filled, under the label to build under. `running`: under the label to run under.
 * `saved`: it is suspended and copied out, under the label to run under. `device model`: it runs, and a device model
 * that Xen knows as such (`set_target`) sees it under a label of its own. `dying`: it has been destroyed, and what is left
 * of it goes.
 */
export type GuestPhase = 'built' | 'running' | 'saved' | 'device model' | 'dying';

/** All phases, in the order of a guest's life. */
export const GUEST_PHASES: readonly GuestPhase[] = ['built', 'running', 'saved', 'device model', 'dying'];

/**
 * Whose label stands in a check.
 *
 * `actor`: the domain that wants the power. `self`: the actor as it sees itself. `guest`: the guest as the actor, or the
 * source of the check, sees it: under its own label, or under its target label for its device model. `guest label`: the
 * guest's own label whoever asks. `other`: any other domain. `new label`: a label that is asked for. `device`: any
 * resource. `frames`: the label of memory that no `iomemcon` covers, initial SID `iomem`. `xen`, `domxen`, `security`: the
 * initial SIDs.
 */
export type Party =
  | 'actor'
  | 'self'
  | 'guest'
  | 'guest label'
  | 'other'
  | 'new label'
  | 'device'
  | 'frames'
  | 'xen'
  | 'domxen'
  | 'security';

/** One check; a way needs all of its checks. */
export interface WayCheck {
  readonly source: Party;
  readonly target: Party;
  readonly class: string;
  /** All are needed, where `isAnyEnough` is not set. */
  readonly permissions: readonly string[];
  /** One of the permissions is enough: which one Xen asks for depends on the host. */
  readonly isAnyEnough: boolean;
}

/** Which way data goes: `read` out of the guest, `write` into it. */
export type MemoryAccess = 'read' | 'write' | 'read and write';

/**
 * How much of a guest is meant.
 *
 * `all`: any page. `registers`: of its processors. `service pages`: its grant table, the rings of device models, trace
 * buffers. `granted pages`: what it grants itself. `messages`: what it asks to be sent. `placement`: which frame is where, or
 * what a frame is filled with, without a choice of the contents. `emulation`: what passes between it and emulated
 * devices. `metadata`: kinds of pages, sizes, which pages change.
 */
export type MemoryExtent =
  | 'all'
  | 'registers'
  | 'service pages'
  | 'granted pages'
  | 'messages'
  | 'placement'
  | 'emulation'
  | 'metadata';

/**
 * What somebody has who may go a way.
 *
 * `memory`: access to the guest that the checks are about. `host`: to the memory of every domain. The others are powers
 * from which access can be made: `policy`, to change all that is allowed, or to end enforcing; `booleans`, to set them;
 * `own label`, the actor takes the new label; `relabel`, the guest (or another domain, in its place) gets the new label;
 * `target`, `other` becomes the device model of the guest, and sees it under its target label; `domain`, a new domain with
 * the new label.
 */
export type WayGift =
  | {
      readonly kind: 'memory';
      readonly access: MemoryAccess;
      readonly extent: MemoryExtent;
      /** Whoever has it can have the domain do what they like, and so has all that its label is allowed. */
      readonly isControl: boolean;
    }
  | { readonly kind: 'host'; readonly access: MemoryAccess }
  | { readonly kind: 'policy' | 'booleans' | 'own label' | 'relabel' | 'target' | 'domain' };

/** A way to the memory of a guest. */
export interface MemoryWay {
  /** Stable; for JSON and for tests. */
  readonly name: string;
  /** What the actor does, as a sentence without its subject. */
  readonly does: string;
  readonly checks: readonly WayCheck[];
  readonly gives: WayGift;
  /** Who has it then. */
  readonly beneficiary: 'actor' | 'other';
  readonly phases: readonly GuestPhase[];
  /** What the guest must have done itself; without that, the way leads nowhere. */
  readonly consent: string | undefined;
  /** What must hold that FLASK is not asked about. */
  readonly condition: string | undefined;
  /**
   * Whether what it gives follows from Xen's code alone. `depends`: on the host's hardware, or on how Xen was built; who
   * wants to be sure counts it, too.
   */
  readonly certainty: 'certain' | 'depends';
  /** File and function of Xen 4.17.5. */
  readonly restsOn: string;
}

const LIVE: readonly GuestPhase[] = ['built', 'running', 'saved', 'device model'];

type Extra = Partial<Pick<MemoryWay, 'beneficiary' | 'phases' | 'consent' | 'condition' | 'certainty'>>;

/** A check for which all of the permissions are needed; with `|` between them, one is enough. */
function check(source: Party, target: Party, tclass: string, permissions: string): WayCheck {
  const isAnyEnough = permissions.includes('|');
  return { source, target, class: tclass, permissions: permissions.split(isAnyEnough ? '|' : ' '), isAnyEnough };
}

function memory(access: MemoryAccess, extent: MemoryExtent, isControl = false): WayGift {
  return { kind: 'memory', access, extent, isControl };
}

function way(
  name: string,
  does: string,
  gives: WayGift,
  checks: readonly WayCheck[],
  restsOn: string,
  extra: Extra = {},
): MemoryWay {
  return {
    name,
    does,
    checks,
    gives,
    beneficiary: 'actor',
    phases: LIVE,
    consent: undefined,
    condition: undefined,
    certainty: 'certain',
    restsOn,
    ...extra,
  };
}

const onGuest = (tclass: string, permissions: string): WayCheck[] => [check('actor', 'guest', tclass, permissions)];

/** Pages stay mappable until they are given back, and registers readable until the domain is gone. */
const dyingToo: Extra = { phases: GUEST_PHASES };
const GRANTED = 'the guest has granted the page to the domain';
const PV_MAPPER =
  'a PV domain needs no more; a translated one (PVH, HVM, Arm) maps by `mmu physmap` on itself, and always to write';
const SHARING = 'Xen was built with CONFIG_MEM_SHARING (unsupported, off by default)';
const PAGING = 'Xen was built with CONFIG_MEM_PAGING (unsupported, off by default)';
const RESOURCE_USE = 'use_iommu|use_iommu_nointremap|use_noiommu';

/** Ways in which the checks name the guest, or a domain in whose memory the guest's is seen. */
const DIRECT: readonly MemoryWay[] = [
  way(
    'map-read',
    'maps its pages to read them',
    memory('read', 'all'),
    onGuest('mmu', 'map_read'),
    'xen/xsm/flask/hooks.c flask_mmu_update(), flask_update_va_mapping()',
    { ...dyingToo, condition: PV_MAPPER },
  ),
  way(
    'map-write',
    'maps its pages to write them',
    memory('read and write', 'all', true),
    onGuest('mmu', 'map_read map_write'),
    'xen/xsm/flask/hooks.c flask_mmu_update(), flask_map_gmfn_foreign()',
    { condition: PV_MAPPER },
  ),
  way(
    'page-tables',
    'puts pages of its own into its page tables',
    memory('write', 'all', true),
    [check('actor', 'guest', 'mmu', 'remote_remap'), check('actor', 'self', 'mmu', 'map_read')],
    'xen/xsm/flask/hooks.c flask_mmu_update(); xen/arch/x86/mm.c do_mmu_update()',
    { condition: 'the guest is PV' },
  ),
  way(
    'page-owner-read',
    'names another domain as the owner of its pages, to map and read them',
    memory('read', 'all'),
    [check('other', 'guest', 'mmu', 'target_hack'), check('actor', 'other', 'mmu', 'map_read')],
    'xen/arch/x86/mm.c get_page_from_l1e(); xen/xsm/flask/hooks.c flask_priv_mapping()',
    { ...dyingToo, condition: 'the domain that maps is PV' },
  ),
  way(
    'page-owner-write',
    'names another domain as the owner of its pages, to map and write them',
    memory('read and write', 'all', true),
    [check('other', 'guest', 'mmu', 'target_hack'), check('actor', 'other', 'mmu', 'map_read map_write')],
    'xen/arch/x86/mm.c get_page_from_l1e(); xen/xsm/flask/hooks.c flask_priv_mapping()',
    { condition: 'the domain that maps is PV' },
  ),
  way(
    'debug',
    'debugs it, and so reads and writes any of its memory',
    memory('read and write', 'all', true),
    onGuest('domain', 'setdebugging'),
    'xen/arch/x86/gdbsx.c gdbsx_guest_mem_io(); xen/xsm/flask/hooks.c flask_domctl()',
    { condition: 'Xen was built with CONFIG_GDBSX (on by default)' },
  ),
  way(
    'get-registers',
    'reads its registers',
    memory('read', 'registers'),
    onGuest('domain', 'getvcpucontext'),
    'xen/common/domctl.c XEN_DOMCTL_getvcpucontext; xen/arch/x86/domctl.c XEN_DOMCTL_getvcpuextstate',
    dyingToo,
  ),
  way(
    'set-registers',
    'sets its registers, its page tables among them',
    memory('write', 'registers', true),
    onGuest('domain', 'setvcpucontext'),
    'xen/common/domctl.c XEN_DOMCTL_setvcpucontext; xen/arch/x86/domain.c arch_set_info_guest()',
  ),
  way(
    'get-hvm-context',
    'reads the state of its processors',
    memory('read', 'registers'),
    onGuest('hvm', 'gethvmc'),
    'xen/arch/x86/domctl.c XEN_DOMCTL_gethvmcontext; xen/arch/x86/hvm/save.c hvm_save()',
    { ...dyingToo, condition: 'the guest is PVH or HVM' },
  ),
  way(
    'set-hvm-context',
    'sets the state of its processors',
    memory('write', 'registers', true),
    onGuest('hvm', 'sethvmc'),
    'xen/arch/x86/domctl.c XEN_DOMCTL_sethvmcontext; xen/arch/x86/hvm/save.c hvm_load()',
    { condition: 'the guest is PVH or HVM' },
  ),
  way(
    'grant-table',
    'maps the frames of its grant table, its emulated devices and its traces',
    memory('read and write', 'service pages'),
    onGuest('domain2', 'resource_map'),
    'xen/common/memory.c acquire_resource(); xen/xsm/flask/hooks.c flask_domain_resource_map()',
    {
      ...dyingToo,
      condition: 'a PV domain must also map the frames (`mmu`); a translated one must be the hardware domain',
    },
  ),
  way(
    'forge-grants-read',
    'writes grants of all its pages into its grant table, and maps them to read',
    memory('read', 'all'),
    [check('actor', 'guest', 'domain2', 'resource_map'), check('actor', 'guest', 'grant', 'map_read')],
    'xen/common/memory.c acquire_resource(); xen/common/grant_table.c map_grant_ref()',
    { condition: 'the domain is the hardware domain, or may map the frames of the grant table (`mmu`)' },
  ),
  way(
    'forge-grants-write',
    'writes grants of all its pages into its grant table, and maps them to write',
    memory('read and write', 'all', true),
    [check('actor', 'guest', 'domain2', 'resource_map'), check('actor', 'guest', 'grant', 'map_read map_write')],
    'xen/common/memory.c acquire_resource(); xen/common/grant_table.c map_grant_ref()',
    { condition: 'the domain is the hardware domain, or may map the frames of the grant table (`mmu`)' },
  ),
  way(
    'introspect',
    'takes part in its events, with its registers, which the answers may set',
    memory('read and write', 'registers', true),
    onGuest('domain2', 'vm_event'),
    'xen/common/vm_event.c vm_event_domctl(), vm_event_resume(); xen/common/monitor.c monitor_domctl()',
    { condition: 'the guest is PVH or HVM' },
  ),
  way(
    'intercept-access',
    'sets which accesses to its pages are stopped and told',
    memory('write', 'placement'),
    onGuest('domain2', 'mem_access'),
    'xen/common/mem_access.c mem_access_memop()',
    { condition: 'the guest is PVH or HVM; events are told to who has `domain2 vm_event`' },
  ),
  way(
    'page-in',
    'takes its pages out and supplies their contents',
    memory('write', 'all', true),
    onGuest('domain2', 'mem_paging'),
    'xen/arch/x86/mm/mem_paging.c mem_paging_memop()',
    { condition: PAGING, certainty: 'depends' },
  ),
  way(
    'fork',
    'makes a copy of it, whose memory is that of the guest; Xen asks only about the copy',
    memory('read', 'all'),
    [check('actor', 'other', 'domain2', 'mem_sharing')],
    'xen/arch/x86/mm/mem_sharing.c mem_sharing_memop() XENMEM_sharing_op_fork',
    { beneficiary: 'other', condition: `the guest is HVM; ${SHARING}`, certainty: 'depends' },
  ),
  way(
    'share-pages',
    'has its pages appear in another domain',
    memory('read', 'all'),
    [
      check('actor', 'guest', 'domain2', 'mem_sharing'),
      check('actor', 'other', 'hvm', 'mem_sharing'),
      check('guest', 'other', 'hvm', 'share_mem'),
    ],
    'xen/arch/x86/mm/mem_sharing.c mem_sharing_memop(); xen/xsm/flask/hooks.c flask_mem_sharing_op()',
    { beneficiary: 'other', condition: `both are HVM; ${SHARING}`, certainty: 'depends' },
  ),
  way(
    'emulate',
    'is its device model: sees what it asks of devices, answers, and interrupts it',
    memory('read and write', 'emulation'),
    onGuest('hvm', 'dm'),
    'xen/arch/x86/hvm/dm.c dm_op()',
    { condition: 'the guest is HVM' },
  ),
  way(
    'set-parameter',
    'sets where its rings and service pages are',
    memory('write', 'placement'),
    onGuest('hvm', 'setparam'),
    'xen/arch/x86/hvm/hvm.c hvm_set_param()',
    { condition: 'the guest is PVH or HVM' },
  ),
  way(
    'alternate-views',
    'switches between views of its memory and changes them',
    memory('write', 'placement'),
    onGuest('hvm', 'altp2mhvm_op'),
    'xen/arch/x86/hvm/hvm.c do_altp2m_op()',
    { condition: 'the guest is HVM, with alternate p2m' },
  ),
  way(
    'move-frames',
    'puts frames of it in other places',
    memory('write', 'placement'),
    onGuest('mmu', 'physmap'),
    'xen/common/memory.c xenmem_add_to_physmap(); xen/xsm/flask/hooks.c flask_add_to_physmap()',
    { condition: 'the guest is translated (PVH, HVM, Arm)' },
  ),
  way(
    'give-and-take-frames',
    'gives it frames and takes frames away',
    memory('write', 'placement'),
    onGuest('mmu', 'adjust'),
    'xen/common/memory.c do_memory_op() XENMEM_decrease_reservation',
  ),
  way(
    'exchange-frames',
    'exchanges its frames for others',
    memory('write', 'placement'),
    onGuest('mmu', 'exchange'),
    'xen/common/memory.c memory_exchange()',
  ),
  way(
    'clear-pages',
    'clears its pages and copies between them',
    memory('write', 'placement'),
    onGuest('mmu', 'mmuext_op'),
    'xen/arch/x86/mm.c do_mmuext_op() MMUEXT_CLEAR_PAGE, MMUEXT_COPY_PAGE',
    { condition: 'the guest is PV' },
  ),
  way(
    'hypercall-page',
    'has Xen write its hypercall page over a frame of its choice',
    memory('write', 'placement'),
    onGuest('domain', 'hypercall'),
    'xen/arch/x86/domctl.c XEN_DOMCTL_hypercall_init',
  ),
  way(
    'soft-reset',
    'resets what Xen holds for it',
    memory('write', 'placement'),
    onGuest('domain2', 'soft_reset'),
    'xen/common/domain.c domain_soft_reset()',
  ),
  way(
    'page-kinds',
    'asks of what kind its pages are',
    memory('read', 'metadata'),
    onGuest('mmu', 'pageinfo'),
    'xen/arch/x86/domctl.c XEN_DOMCTL_getpageframeinfo3',
    dyingToo,
  ),
  way(
    'log-dirty',
    'follows which of its pages change',
    memory('read', 'metadata'),
    onGuest('shadow', 'logdirty'),
    'xen/arch/x86/mm/paging.c paging_domctl()',
  ),
];

/** What a guest lets happen. */
const CONSENTED: readonly MemoryWay[] = [
  way(
    'grant-map-read',
    'maps pages that it granted, to read them',
    memory('read', 'granted pages'),
    onGuest('grant', 'map_read'),
    'xen/common/grant_table.c map_grant_ref(); xen/xsm/flask/hooks.c flask_grant_mapref()',
    { ...dyingToo, consent: GRANTED },
  ),
  way(
    'grant-map-write',
    'maps pages that it granted, to write them',
    memory('read and write', 'granted pages'),
    onGuest('grant', 'map_read map_write'),
    'xen/common/grant_table.c map_grant_ref(); xen/xsm/flask/hooks.c flask_grant_mapref()',
    { consent: `${GRANTED}, to write` },
  ),
  way(
    'grant-copy-out',
    'copies out of pages that it granted',
    memory('read', 'granted pages'),
    [check('guest', 'actor', 'grant', 'copy')],
    'xen/common/grant_table.c gnttab_copy_lock_domains(); xen/xsm/flask/hooks.c flask_grant_copy()',
    { ...dyingToo, consent: GRANTED },
  ),
  way(
    'grant-copy-in',
    'copies into pages that it granted',
    memory('write', 'granted pages'),
    onGuest('grant', 'copy'),
    'xen/common/grant_table.c gnttab_copy_lock_domains(); xen/xsm/flask/hooks.c flask_grant_copy()',
    { consent: `${GRANTED}, to write` },
  ),
  way(
    'grant-transfer',
    'gives it pages, with their contents',
    memory('write', 'granted pages'),
    onGuest('grant', 'transfer'),
    'xen/common/grant_table.c gnttab_transfer(); xen/xsm/flask/hooks.c flask_grant_transfer()',
    { consent: 'the guest has offered to take a page' },
  ),
  way(
    'argo-receive',
    'gets Argo messages from it',
    memory('read', 'messages'),
    [check('guest', 'actor', 'argo', 'send')],
    'xen/common/argo.c sendv(); xen/xsm/flask/hooks.c flask_argo_send()',
    { consent: 'the guest sends them', condition: 'Xen was started with `argo=1`' },
  ),
  way(
    'argo-send',
    'sends it Argo messages',
    memory('write', 'messages'),
    onGuest('argo', 'send'),
    'xen/common/argo.c sendv(); xen/xsm/flask/hooks.c flask_argo_send()',
    { consent: 'the guest has a ring for them', condition: 'Xen was started with `argo=1`' },
  ),
];

/** Ways to the memory of every domain, which no check names. */
const HOST: readonly MemoryWay[] = [
  way(
    'kexec',
    'loads another kernel in place of Xen',
    hostMemory(),
    onXen('xen', 'kexec'),
    'xen/common/kexec.c do_kexec_op()',
    dyingToo,
  ),
  way(
    'live-patch',
    'puts code into Xen',
    hostMemory(),
    onXen('xen2', 'livepatch_op'),
    'xen/common/livepatch.c livepatch_op()',
    { ...dyingToo, condition: 'Xen was built with CONFIG_LIVEPATCH (on by default on x86)' },
  ),
  way(
    'debug-keys',
    'has Xen print registers and stacks of all domains to its console, and reads it',
    { kind: 'host', access: 'read' },
    [check('actor', 'xen', 'xen', 'debug'), check('actor', 'xen', 'xen', 'readconsole')],
    'xen/common/keyhandler.c dump_registers(); xen/drivers/char/console.c read_console_ring()',
    dyingToo,
  ),
  way(
    'dma-without-iommu',
    'has a device that reads and writes all memory of the host',
    hostMemory(),
    [
      check('other', 'actor', 'resource', 'add'),
      check('other', 'device', 'resource', 'add_device'),
      check('actor', 'device', 'resource', 'use_noiommu'),
    ],
    'xen/xsm/flask/hooks.c flask_assign_device(), flask_iommu_resource_use_perm()',
    { ...dyingToo, condition: 'no IOMMU is on for the domain with the device', certainty: 'depends' },
  ),
  way(
    'any-frame',
    'has frames of memory mapped as if they were those of a device',
    hostMemory(),
    [
      check('other', 'actor', 'resource', 'add'),
      check('other', 'frames', 'resource', 'add_iomem'),
      check('actor', 'frames', 'resource', RESOURCE_USE),
    ],
    'xen/common/domctl.c XEN_DOMCTL_memory_mapping; xen/xsm/flask/hooks.c flask_iomem_mapping()',
    {
      ...dyingToo,
      condition: 'the domain is translated (PVH, HVM, Arm), and who gives it the frames holds them, as dom0 does',
      certainty: 'depends',
    },
  ),
  way(
    'relabelled-frames',
    'gives frames of memory the label of a device, and has them mapped',
    hostMemory(),
    [
      check('actor', 'security', 'security', 'add_ocontext'),
      check('actor', 'other', 'resource', 'add'),
      check('actor', 'device', 'resource', 'add_iomem'),
      check('other', 'device', 'resource', RESOURCE_USE),
    ],
    'xen/xsm/flask/flask_op.c flask_ocontext_add(); xen/common/domctl.c XEN_DOMCTL_memory_mapping',
    {
      ...dyingToo,
      beneficiary: 'other',
      condition: 'the other domain is translated (PVH, HVM, Arm), and the actor holds the frames, as dom0 does',
      certainty: 'depends',
    },
  ),
  way(
    'microcode',
    'updates the microcode of the processors',
    hostMemory(),
    onXen('xen', 'microcode'),
    'xen/arch/x86/platform_hypercall.c XENPF_microcode_update',
    hardware('the processor takes it'),
  ),
  way(
    'machine-registers',
    'reads and writes registers of the processors',
    hostMemory(),
    onXen('xen2', 'resource_op'),
    'xen/arch/x86/platform_hypercall.c XENPF_resource_op',
    hardware('among those that Xen lets through is one that matters'),
  ),
  way(
    'firmware',
    'calls the firmware of the host',
    hostMemory(),
    onXen('xen', 'firmware'),
    'xen/arch/x86/platform_hypercall.c XENPF_efi_runtime_call',
    hardware('the firmware has a call that helps'),
  ),
  way(
    'machine-checks',
    'injects machine checks',
    hostMemory(),
    onXen('xen', 'mca_op'),
    'xen/arch/x86/cpu/mcheck/mce.c do_mca()',
    hardware('the processor takes them'),
  ),
  way(
    'add-memory',
    'tells Xen of memory that was plugged in',
    hostMemory(),
    [check('actor', 'domxen', 'resource', 'plug')],
    'xen/arch/x86/platform_hypercall.c XENPF_mem_hotadd',
    hardware('Xen believes what it is told of the memory'),
  ),
];

/** Ways to one of the powers above, rather than to memory. */
const INDIRECT: readonly MemoryWay[] = [
  way(
    'load-policy',
    'loads another policy',
    { kind: 'policy' },
    [check('actor', 'security', 'security', 'load_policy')],
    'xen/xsm/flask/ss/services.c security_load_policy()',
    dyingToo,
  ),
  way(
    'set-permissive',
    'ends enforcing',
    { kind: 'policy' },
    [check('actor', 'security', 'security', 'setenforce')],
    'xen/xsm/flask/flask_op.c flask_security_setenforce()',
    dyingToo,
  ),
  way(
    'set-boolean',
    'sets booleans',
    { kind: 'booleans' },
    [check('actor', 'security', 'security', 'setbool')],
    'xen/xsm/flask/flask_op.c flask_security_set_bool()',
    dyingToo,
  ),
  way(
    'relabel-self',
    'takes another label',
    { kind: 'own label' },
    [check('actor', 'new label', 'domain2', 'relabelself'), check('actor', 'new label', 'domain', 'transition')],
    'xen/xsm/flask/flask_op.c flask_relabel_domain()',
    dyingToo,
  ),
  way(
    'relabel',
    'gives it another label',
    { kind: 'relabel' },
    [
      check('actor', 'guest label', 'domain2', 'relabelfrom'),
      check('actor', 'new label', 'domain2', 'relabelto'),
      check('guest label', 'new label', 'domain', 'transition'),
    ],
    'xen/xsm/flask/flask_op.c flask_relabel_domain()',
    dyingToo,
  ),
  way(
    'create',
    'makes a new domain with the label',
    { kind: 'domain' },
    [check('actor', 'new label', 'domain', 'create')],
    'xen/xsm/flask/hooks.c flask_domain_create()',
    dyingToo,
  ),
  way(
    'make-device-model',
    'makes another domain its device model',
    { kind: 'target' },
    [
      check('actor', 'other', 'domain2', 'make_priv_for'),
      check('actor', 'guest', 'domain2', 'set_as_target'),
      check('other', 'guest label', 'domain', 'set_target'),
    ],
    'xen/common/domctl.c XEN_DOMCTL_set_target; xen/xsm/flask/hooks.c flask_set_target()',
    { beneficiary: 'other', condition: 'the guest is HVM, and the other domain has no target yet' },
  ),
];

function hostMemory(): WayGift {
  return { kind: 'host', access: 'read and write' };
}

function onXen(tclass: string, permissions: string): WayCheck[] {
  return [check('actor', 'xen', tclass, permissions)];
}

function hardware(condition: string): Extra {
  return { ...dyingToo, condition, certainty: 'depends' };
}

/**
 * All ways that are known. Left out, because they show or change no memory of another domain: `security setsecparam` (the
 * size of a cache), event channels, pausing and ending a domain, its share of processors and memory.
 */
export const MEMORY_WAYS: readonly MemoryWay[] = [...DIRECT, ...CONSENTED, ...HOST, ...INDIRECT];

/** The ways that need a permission of a class. */
export function waysThatNeed(className: string, permission: string): MemoryWay[] {
  return MEMORY_WAYS.filter(({ checks }) =>
    checks.some((one) => one.class === className && one.permissions.includes(permission)),
  );
}
