/**
 * A small policy with the labels that the recordings were made with, and hosts that run it.
 *
 * @module
 */
import { Hypervisor } from '@dewar/hypervisor';
import { type CompileOptions, compileText } from '@dewar/policy/compiler';
import { BASELINE_RELEASE, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { SourceText } from '@dewar/policy/text';
import { LibxlHost } from '@dewar/toolstack';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';

/** All that dom0 needs of the host itself. */
export const HOST_RULES = `
allow xenboot_t dom0_t:domain create;
allow dom0_t xen_t:xen { physinfo cpupool_op readconsole clearconsole };
allow dom0_t xen_t:xen2 get_cpu_featureset;
allow dom0_t security_t:security { check_context setenforce load_policy setbool compute_av };
allow dom0_t dom0_t:domain getdomaininfo;
allow dom0_t dom0_t_channel:event { create send status };
type_transition dom0_t { dom0_t guest_type }:event dom0_t_channel;
type_transition guest_type { dom0_t guest_type }:event guest_t_channel;
type_transition nomigrate_t nomigrate_t:domain nomigrate_t_self;
`;

/** What a guest needs to be built, run and ended, and no more. */
export const WHOLE_LIFE = `
allow dom0_t nomigrate_t_building:domain { create max_vcpus getdomaininfo setaffinity setdomainmaxmem setaddrsize setvcpucontext getscheduler pause destroy };
allow dom0_t nomigrate_t_building:domain2 { settsc set_cpu_policy setclaim setscheduler resource_map relabelfrom };
allow dom0_t nomigrate_t_building:mmu { memorymap adjust map_read map_write mmuext_op pinpage };
allow dom0_t nomigrate_t_building:grant { map_read map_write unmap };
allow dom0_t guest_t_channel:event create;
allow dom0_t_channel { nomigrate_t nomigrate_t_building }:event bind;
allow guest_t_channel dom0_t:event bind;
allow dom0_t nomigrate_t:domain2 relabelto;
allow nomigrate_t_building nomigrate_t:domain transition;
allow dom0_t nomigrate_t:domain { getdomaininfo pause unpause destroy };
allow dom0_t nomigrate_t:grant unmap;
allow nomigrate_t xen_t:xen writeconsole;
allow nomigrate_t xen_t:version xen_extraversion;
allow nomigrate_t nomigrate_t_self:mmu { map_read map_write mmuext_op pinpage };
allow nomigrate_t nomigrate_t_self:grant { query setup };
allow nomigrate_t guest_t_channel:event send;
`;

/** What a PVH guest needs beside, to be built and to start. */
export const PVH_LIFE = `
allow dom0_t nomigrate_t_building:hvm { setparam altp2mhvm gethvmc sethvmc };
allow dom0_t nomigrate_t_building:domain { setpagingmempool setpodtarget };
allow nomigrate_t nomigrate_t_self:hvm { setparam getparam };
allow nomigrate_t nomigrate_t_self:mmu physmap;
`;

/** What the other operations on a guest need beside. */
export const OPERATIONS = `
allow dom0_t xen_t:xen getscheduler;
allow dom0_t domxen_t:mmu map_read;
allow dom0_t nomigrate_t:domain { setdomainmaxmem setpodtarget getvcpuinfo getaffinity setaffinity getscheduler trigger };
allow dom0_t nomigrate_t:domain2 setscheduler;
allow nomigrate_t nomigrate_t_self:mmu adjust;
`;

/** What save and restore need beside. */
export const SAVE_RESTORE = `
allow dom0_t nomigrate_t:domain { getaddrsize getvcpucontext setvcpucontext resume };
allow dom0_t nomigrate_t:domain2 { get_vnumainfo get_cpu_policy gettsc };
allow dom0_t nomigrate_t:mmu { map_read pageinfo stat };
allow dom0_t nomigrate_t:shadow disable;
allow dom0_t nomigrate_t:hvm { gethvmc getparam };
allow dom0_t nomigrate_t_building:domain getaddrsize;
allow dom0_t nomigrate_t_building:mmu stat;
`;

/** What dump-core needs beside. */
export const DUMP_CORE = `
allow dom0_t nomigrate_t:domain { getaddrsize getvcpucontext };
allow dom0_t nomigrate_t:mmu { map_read stat };
`;

const TYPES = [
  'xenboot_t',
  'xen_t',
  'dom0_t',
  'domio_t',
  'domxen_t',
  'unlabeled_t',
  'security_t',
  'resource_t',
  'dom0_t_channel',
  'guest_t_channel',
  'nomigrate_t_self',
];

const GUEST_TYPES = ['domU_t', 'nomigrate_t', 'nomigrate_t_building'];

/** The type of each initial SID that is not named after it. */
const SID_TYPES: Readonly<Record<string, string>> = {
  unlabeled: 'unlabeled_t',
  ioport: 'resource_t',
  iomem: 'resource_t',
  irq: 'resource_t',
  device: 'resource_t',
  domDM: 'domU_t',
};

/** The policy as text, with some rules of the test's own. */
function policyText(
  rules: string,
  hostRules: string,
  gone: readonly string[],
  release: XenReleaseName = BASELINE_RELEASE,
): string {
  const guestTypes = GUEST_TYPES.filter((type) => !gone.includes(type));
  const { classes, initialSids } = xenRelease(release);
  const lines = [
    ...classes.map(({ name }) => `class ${name}`),
    ...initialSids.map((name) => `sid ${name}`),
    ...classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    'attribute guest_type;',
    ...TYPES.map((type) => `type ${type};`),
    ...guestTypes.map((type) => `type ${type}, guest_type;`),
    hostRules,
    rules,
    'role system_r;',
    `role system_r types { ${TYPES.join(' ')} domU_t };`,
    'role vm_r;',
    `role vm_r types { ${guestTypes.join(' ')} nomigrate_t_self };`,
    'user system_u roles { system_r };',
    'user user_1 roles { vm_r };',
    ...initialSids.map((name) => `sid ${name} system_u:system_r:${SID_TYPES[name] ?? `${name}_t`}`),
    '',
  ];
  return lines.join('\n');
}

/** The policy as bytes for Xen. */
export function policyBytes(rules: string, hostRules: string = HOST_RULES, gone: readonly string[] = []): Uint8Array {
  const { bytes, diagnostics } = compileText(new SourceText('rig.conf', policyText(rules, hostRules, gone)));
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return bytes;
}

/** The policy as bytes for some release of Xen. */
export function policyOfRelease(
  release: XenReleaseName,
  rules: string,
  options: Pick<CompileOptions, 'handleUnknown' | 'version'> = {},
): Uint8Array {
  const text = policyText(rules, '', [], release);
  const { bytes, diagnostics } = compileText(new SourceText('rig.conf', text), { release, ...options });
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return bytes;
}

/** A host that has just booted. */
export interface Rig {
  readonly hypervisor: Hypervisor;
  readonly host: LibxlHost;
}

export function bootRig(rules: string, isEnforcing = true, hostRules: string = HOST_RULES): Rig {
  const outcome = Hypervisor.boot({
    policy: policyBytes(rules, hostRules),
    flask: isEnforcing ? 'enforcing' : 'permissive',
  });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return { hypervisor: outcome.hypervisor, host: new LibxlHost(outcome.hypervisor) };
}

export const GUEST_UUID = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';

/** The guest of the recordings. */
export const GUEST_CFG = `
name = 'secure1'
type = 'pv'
kernel = '/boot/vmlinuz'
memory = 128
maxmem = 160
vcpus = 2
seclabel = 'user_1:vm_r:nomigrate_t'
init_seclabel = 'user_1:vm_r:nomigrate_t_building'
`;

/** A guest like that, in an HVM container. */
export const PVH_CFG: string = GUEST_CFG.replace("type = 'pv'", "type = 'pvh'").replace('maxmem = 160\n', '');

export function guestConfig(text: string = GUEST_CFG): DomainConfig {
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (config === undefined) throw new Error('the configuration of the test is not valid');
  return config;
}
