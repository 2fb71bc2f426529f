/**
 * A `nomigrate_t` guest under the example policy that comes with Xen 4.17: what real Xen 4.17.5 and real xl did with
 * it, line by line.
 */
import { Hypervisor } from '@dewar/hypervisor';
import { compileDirectory } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { LibxlHost } from '@dewar/toolstack';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { describe, expect, test } from 'vitest';
import { editedPolicy } from './edited-tree.ts';

const tree = xenTree();

const GUEST = `
name = 'nm'
type = 'pv'
kernel = '/boot/vmlinuz'
ramdisk = '/boot/guest.gz'
memory = 128
vcpus = 1
seclabel = 'user_1:vm_r:nomigrate_t'
init_seclabel = 'user_1:vm_r:nomigrate_t_building'
`;

const denied = (permissions: string, tclass: string): string =>
  `(XEN) avc:  denied  { ${permissions} } for source=d0 target=d1 scontext=system_u:system_r:dom0_t tcontext=user_1:vm_r:nomigrate_t_building tclass=${tclass}`;

/** Xen's log of the creation, as recorded on real Xen 4.17.5: xenstored's two tries, and two rounds of clean-up. */
const LOG = [
  denied('map_read map_write', 'grant'),
  denied('map_read map_write', 'grant'),
  denied('pause', 'domain'),
  denied('destroy', 'domain'),
  denied('pause', 'domain'),
  denied('destroy', 'domain'),
];

/** What real xl printed, from the same recording. */
const XL = [
  'libxl: error: libxl_create.c:1976:console_xswait_callback: domain 1 console tty: timed out',
  'libxl: error: libxl_domain.c:1219:destroy_domid_pci_done: Domain 1:xc_domain_pause failed',
  'libxl: error: libxl_domain.c:1616:domain_destroy_domid_cb: Domain 1:xc_domain_destroy failed: Permission denied',
  'libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain 1:Unable to destroy guest',
  'libxl: error: libxl_create.c:2051:domcreate_destruction_cb: Domain 1:unable to destroy domain following failed creation',
  'libxl: error: libxl_domain.c:1219:destroy_domid_pci_done: Domain 1:xc_domain_pause failed',
  'libxl: error: libxl_domain.c:1616:domain_destroy_domid_cb: Domain 1:xc_domain_destroy failed: Permission denied',
  'libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain 1:Unable to destroy guest',
  'libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain 1:Destruction of domain failed',
];

async function avcLines(host: LibxlHost): Promise<string[]> {
  const { value } = await host.dmesg({ clear: true });
  return (value ?? '').split('\n').filter((line) => line.includes('avc:'));
}

describe.skipIf(tree === undefined)("a nomigrate_t guest under Xen's example policy", () => {
  test('is not created, and its domain is stranded', async () => {
    const { bytes } = compileDirectory(editedPolicy(tree ?? ''));
    const booted = Hypervisor.boot({ policy: bytes ?? new Uint8Array() });
    if (booted.kind === 'refused') throw new Error(booted.reason);
    const host = new LibxlHost(booted.hypervisor);
    const { config } = readDomainConfig(parseXlCfg(new SourceText('nm.cfg', GUEST)));
    if (config === undefined) throw new Error('the configuration is not valid');

    const created = await host.create(config, { uuid: '25818b54-c2d4-49e7-bab3-d3966a3d81ed' });
    expect(created.outcome).toBe('failed');
    expect(created.xlExitCode).toBe(3);
    expect(created.xlMessages).toEqual(XL);
    expect(await avcLines(host)).toEqual(LOG);
    expect(created.diagnostics.map(({ code }) => code)).toEqual(['guest/console-timeout', 'guest/stranded']);
    expect(created.domain).toMatchObject({ name: undefined, isStranded: true, state: 'paused' });
    expect(created.domain?.label).toBe('user_1:vm_r:nomigrate_t_building');

    const listed = await host.list();
    expect(listed.value?.map(({ domid, name }) => [domid, name])).toEqual([
      [0, 'Domain-0'],
      [1, undefined],
    ]);

    const destroyed = await host.destroy('1');
    expect(destroyed.xlExitCode).toBe(1);
    expect(await avcLines(host)).toEqual([denied('pause', 'domain'), denied('destroy', 'domain')]);

    await host.setenforce(false);
    expect((await host.destroy('1')).outcome).toBe('done');
    expect((await host.list()).value).toHaveLength(1);
  });
});
