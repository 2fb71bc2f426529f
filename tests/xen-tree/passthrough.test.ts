/** Who can be given a device under the example policy that comes with Xen 4.17, and which check decides. */
import { Hypervisor, type IommuKind } from '@dewar/hypervisor';
import { compileDirectory } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { LibxlHost, type OperationReport } from '@dewar/toolstack';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { describe, expect, test } from 'vitest';
import { editedPolicy } from './edited-tree.ts';

const tree = xenTree();
const DEVICE = '0000:03:00.0';
const NIC = 'system_u:object_r:nic_dev_t';

function boot(iommu: IommuKind): LibxlHost {
  const { bytes } = compileDirectory(editedPolicy(tree ?? ''));
  if (bytes === undefined) throw new Error('the policy does not compile');
  const outcome = Hypervisor.boot({ policy: bytes, iommu });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  return new LibxlHost(outcome.hypervisor);
}

/** A running guest of a type, which is then given the device. */
async function attach(type: string, iommu: IommuKind = 'with-remapping'): Promise<OperationReport> {
  const host = boot(iommu);
  await host.labelPci(DEVICE, NIC);
  await host.setenforce(false);
  await host.pciAssignableAdd(DEVICE);
  await host.setenforce(true);
  const text = `name = 'g'\ntype = 'pv'\nkernel = '/k'\nmemory = 64\npassthrough = 'enabled'\nseclabel = 'system_u:system_r:${type}'\n`;
  const plain = iommu === 'none' ? text.replace("passthrough = 'enabled'\n", '') : text;
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', plain)));
  if (config === undefined) throw new Error('the configuration is not valid');
  await host.create(config, { uuid: '0d8b4b4e-7b0f-4f0e-9c1a-3c58c3c1f001' });
  return host.pciAttach('g', DEVICE);
}

/** The checks that a report has of class resource, each once, with their answer. */
function resourceChecks({ timeline }: OperationReport): string[] {
  const checks = timeline.flatMap((step) => step.hypercalls).flatMap((call) => call.checks);
  const lines = checks
    .filter((check) => check.class === 'resource')
    .map(({ permissions, source, target, outcome }) => {
      const [from, to] = [source, target].map((context) => context.split(':')[2]);
      return `${outcome === 'granted' ? 'granted' : 'denied'} ${permissions.join(' ')} ${from} ${to}`;
    });
  return [...new Set(lines)];
}

describe.skipIf(tree === undefined)("a device under Xen's example policy", () => {
  test('goes to domU_t, after three checks in this order', async () => {
    const report = await attach('domU_t');
    const checks = resourceChecks(report);
    expect(checks.filter((line) => line.startsWith('denied'))).toEqual([]);
    const first = checks.slice(0, 3);
    expect(first).toEqual([
      'granted add dom0_t domU_t',
      'granted add_ioport dom0_t nic_dev_t',
      'granted use_iommu domU_t nic_dev_t',
    ]);
    expect(checks).toContain('granted add_device dom0_t nic_dev_t');
    expect(report.outcome).toBe('done');
  });

  test('does not go to isolated_domU_t: dom0 may not add resources to it, and nothing else is asked', async () => {
    const report = await attach('isolated_domU_t');
    expect(resourceChecks(report)).toEqual(['denied add dom0_t isolated_domU_t']);
    expect(report.outcome).toBe('failed');
  });

  test.each([
    ['without-remapping', 'use_iommu_nointremap'],
    ['none', 'use_noiommu'],
  ] as const)('is asked about by another permission where the IOMMU is of the kind %s', async (iommu, permission) => {
    const checks = resourceChecks(await attach('domU_t', iommu));
    expect(checks).toContain(`granted ${permission} domU_t nic_dev_t`);
    expect(checks.filter((line) => line.startsWith('denied'))).toEqual([]);
  });
});
