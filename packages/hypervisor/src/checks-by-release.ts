/**
 * What other releases of Xen check than 4.17 does: data, laid over `CHECKS`.
 *
 * A difference holds from one release with tables to another, both included. Facts, at the tags 4.3.0, 4.8.0, 4.13.0,
 * 4.20.2, 4.21.1 and at the state of development after 4.22: Xen `xen/xsm/flask/hooks.c`, `xen/xsm/flask/flask_op.c`
 * and the places that call the hooks.
 *
 * Imports: `@dewar/policy/releases`, `@dewar/toolstack`.
 * Start reading at `checksOf` and `CHECK_DIFFERENCES`.
 *
 * @module
 */
import {
  hasEarlyChecks,
  releasesSince,
  releasesThrough,
  XEN_RELEASES,
  type XenReleaseName,
} from '@dewar/policy/releases';
import type { HypercallName } from '@dewar/toolstack';
import type { CheckDifference } from './check-difference.ts';
import { CHECKS, type CheckRow, row } from './checks.ts';
import { DEVICE_CHECK_DIFFERENCES } from './device-checks-by-release.ts';

/** What releases check otherwise. */
export const CHECK_DIFFERENCES: readonly CheckDifference[] = [
  {
    hypercall: 'domctl.createdomain',
    releases: releasesThrough('4.3', '4.16'),
    rows: [row('domain', 'create', { target: 'new label', audit: 'current', stage: 'hook' })],
    instead: 'the same',
    seen: 'flask_domain_create; flask_domctl lets it pass',
  },
  {
    hypercall: 'domctl.set_ext_vcpucontext',
    releases: ['4.3'],
    rows: [row('domain', 'setextvcpucontext')],
    instead: 'the same',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.get_ext_vcpucontext',
    releases: ['4.3'],
    rows: [row('domain', 'getextvcpucontext')],
    instead: 'the same',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.setvcpuextstate',
    releases: ['4.3'],
    rows: [row('domain', 'setvcpuextstate')],
    instead: 'the same',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.getvcpuextstate',
    releases: ['4.3'],
    rows: [row('domain', 'getvcpuextstate')],
    instead: 'the same',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.set_vcpu_msrs',
    releases: ['4.3'],
    rows: [],
    instead: 'nothing',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.get_vcpu_msrs',
    releases: ['4.3'],
    rows: [],
    instead: 'nothing',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.set_cpu_policy',
    releases: releasesThrough('4.3', '4.8'),
    rows: [row('domain2', 'set_cpuid')],
    instead: 'domctl.set_cpuid',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.get_cpu_policy',
    releases: releasesThrough('4.3', '4.8'),
    rows: [],
    instead: 'nothing',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.set_paging_mempool_size',
    releases: releasesThrough('4.3', '4.16'),
    rows: [row('shadow', 'enable', { isRepeated: true })],
    instead: 'domctl.shadow_op.set_allocation',
    seen: 'flask_shadow_control',
  },
  {
    hypercall: 'domctl.set_llc_colors',
    releases: releasesThrough('4.3', '4.19.6'),
    rows: [],
    instead: 'nothing',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.set_llc_colors',
    releases: releasesSince('4.20'),
    rows: [row('domain2', 'set_llc_colors')],
    instead: 'the same',
    seen: 'flask_domctl',
  },
  {
    hypercall: 'domctl.get_domain_state',
    releases: releasesThrough('4.3', '4.20.4'),
    rows: [],
    instead: 'nothing',
    seen: 'flask_domctl',
  },
  {
    // XEN: no domain stands for all whose state changed, and each of them that is still there is asked for itself.
    hypercall: 'domctl.get_domain_state',
    releases: releasesSince('4.21'),
    rows: [
      row('domain2', 'get_domain_state', { target: 'domxen', when: 'polling' }),
      row('domain2', 'get_domain_state', { stage: 'hook' }),
    ],
    instead: 'the same',
    seen: 'flask_get_domain_state',
  },
  {
    hypercall: 'sysctl.get_cpu_policy',
    releases: releasesThrough('4.3', '4.8'),
    rows: [],
    instead: 'nothing',
    seen: 'flask_sysctl',
  },
  {
    hypercall: 'sysctl.get_cpu_featureset',
    releases: ['4.3'],
    rows: [],
    instead: 'nothing',
    seen: 'flask_sysctl',
  },
  {
    hypercall: 'sysctl.cputopoinfo',
    releases: ['4.3'],
    rows: [row('xen', 'physinfo', { target: 'xen', audit: 'current' })],
    instead: 'sysctl.topologyinfo',
    seen: 'flask_sysctl',
  },
  {
    // XEN: domain_has_xen() takes the bit of `xen2 get_cpu_featureset`, 7, for one of class xen. Put right in 4.10.
    hypercall: 'sysctl.get_cpu_featureset',
    releases: ['4.8'],
    rows: [row('xen', 'mtrr_read', { target: 'xen', audit: 'current' })],
    instead: 'the same',
    seen: 'flask_sysctl',
  },
  {
    // XEN: the list as a whole is asked for first, with DOMID_XEN as its subject.
    hypercall: 'sysctl.getdomaininfolist',
    releases: XEN_RELEASES.filter(hasEarlyChecks),
    rows: [row('domain', 'getdomaininfo', { target: 'domxen' }), ...CHECKS['sysctl.getdomaininfolist']],
    instead: 'the same',
    seen: 'flask_sysctl',
  },
  {
    hypercall: 'xen_version.extraversion',
    releases: ['4.3'],
    rows: [],
    instead: 'the same',
    seen: 'do_xen_version, which has no hook',
  },
  {
    hypercall: 'memory_op.acquire_resource',
    releases: releasesThrough('4.3', '4.8'),
    rows: [row('grant', 'setup')],
    instead: 'grant_table_op.setup_table',
    seen: 'gnttab_setup_table',
  },
  {
    hypercall: 'memory_op.get_vnumainfo',
    releases: ['4.3'],
    rows: [],
    instead: 'nothing',
    seen: 'do_memory_op',
  },
  {
    hypercall: 'hvm_op.set_param',
    releases: ['4.3'],
    rows: [row('hvm', 'setparam'), row('hvm', 'nested', { when: 'nested parameter', stage: 'hook' })],
    instead: 'the same',
    seen: 'do_hvm_op, which knows no alternative p2m',
  },
  {
    hypercall: 'hvm_op.set_param',
    releases: releasesThrough('4.8', '4.14'),
    rows: [
      row('hvm', 'setparam'),
      row('hvm', 'nested', { when: 'nested parameter', stage: 'hook' }),
      row('hvm', 'altp2mhvm', { when: 'altp2m parameter', stage: 'hook' }),
    ],
    instead: 'the same',
    seen: 'hvm_set_param',
  },
  {
    hypercall: 'xsm_op.user',
    releases: ['4.3'],
    rows: [row('security', 'compute_user', { target: 'security', audit: 'current' })],
    instead: 'the same',
    seen: 'flask_security_user',
  },
  {
    hypercall: 'xsm_op.devicetree_label',
    releases: ['4.3'],
    rows: [],
    instead: 'nothing',
    seen: 'do_flask_op',
  },
  ...DEVICE_CHECK_DIFFERENCES,
];

/** The checks of each hypercall in a release, in the order in which Xen makes them. */
export type CheckTable = Readonly<Record<HypercallName, readonly CheckRow[]>>;

/** The table of a release: `CHECKS` where nothing differs. */
export function checksOf(release: XenReleaseName): CheckTable {
  const differences = CHECK_DIFFERENCES.filter(({ releases }) => releases.includes(release));
  return { ...CHECKS, ...Object.fromEntries(differences.map(({ hypercall, rows }) => [hypercall, rows])) };
}

const ABSENT = new Map<XenReleaseName, ReadonlySet<HypercallName>>();

/** What a release does not have, found once: it is asked for each hypercall. */
function absentIn(release: XenReleaseName): ReadonlySet<HypercallName> {
  const known = ABSENT.get(release);
  if (known !== undefined) return known;
  const found = CHECK_DIFFERENCES.filter(
    ({ instead, releases }) => instead === 'nothing' && releases.includes(release),
  );
  const absent = new Set(found.map(({ hypercall }) => hypercall));
  ABSENT.set(release, absent);
  return absent;
}

/** Whether a release has a request at all, be it under another name. */
export function hasHypercall(release: XenReleaseName, name: HypercallName): boolean {
  return !absentIn(release).has(name);
}
