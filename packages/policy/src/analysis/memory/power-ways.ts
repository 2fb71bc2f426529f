/**
 * Ways to the memory of every domain, and to powers from which access to a guest can be made.
 *
 * @module
 */
import { check, dyingToo, type Extra, way } from './way-rows.ts';
import type { MemoryWay, WayCheck, WayGift } from './way-types.ts';

const RESOURCE_USE = 'use_iommu|use_iommu_nointremap|use_noiommu';

function hostMemory(): WayGift {
  return { kind: 'host', access: 'read and write' };
}

function onXen(tclass: string, permissions: string): WayCheck[] {
  return [check('actor', 'xen', tclass, permissions)];
}

function hardware(condition: string): Extra {
  return { ...dyingToo, condition, certainty: 'depends' };
}

/** Ways to the memory of every domain, which no check names. */
export const HOST: readonly MemoryWay[] = [
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
export const INDIRECT: readonly MemoryWay[] = [
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
