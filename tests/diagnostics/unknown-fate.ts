/**
 * A migration after which nobody knows where the guest may run.
 *
 * @module
 */
import { Hypervisor } from '@dewar/hypervisor';
import { compileDirectory } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { examplePolicy, withoutPermission } from '@dewar/testkit';
import { LibxlHost } from '@dewar/toolstack';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';

const UUID = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';

/** The codes of a sender whose guest can neither be started nor destroyed where it arrives. */
export async function codesOfLostGuest(): Promise<readonly string[]> {
  const { bytes: policy = new Uint8Array() } = compileDirectory(examplePolicy(), { release: '4.17' });
  const boot = (): LibxlHost => {
    const booted = Hypervisor.boot({ policy });
    if (booted.kind === 'refused') throw new Error(booted.reason);
    return new LibxlHost(booted.hypervisor);
  };
  const [from, to] = [boot(), boot()];
  const text = "name = 'lost'\ntype = 'pv'\nkernel = '/k'\nseclabel = 'customer_1:vm_r:domU_t'\n";
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (config === undefined) throw new Error('the guest is not understood');
  await from.create(config, { uuid: UUID });
  await to.loadPolicy(withoutPermission(withoutPermission(policy, 'domain', 'unpause'), 'domain', 'destroy'));
  const { source } = await from.migrate('lost', to, { uuid: UUID });
  return source.diagnostics.map(({ code }) => code);
}
