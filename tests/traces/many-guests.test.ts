/** A host with many guests: each look that Xen is asked for is counted, and looks that are alike are told once. */
import { Hypervisor } from '@dewar/hypervisor';
import { compileDirectory } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { examplePolicy } from '@dewar/testkit';
import { type HypercallRecord, LibxlHost, type OperationReport } from '@dewar/toolstack';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { expect, test } from 'vitest';

const { bytes } = compileDirectory(examplePolicy());

function configOf(name: string, label = 'customer_1:vm_r:domU_t'): DomainConfig {
  const text = `name = "${name}"\ntype = "pv"\nkernel = "/vmlinuz"\nmemory = 2\nseclabel = "${label}"\n`;
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (config === undefined) throw new Error('the configuration is not valid');
  return config;
}

const uuid = (place: number): string => `25818b54-c2d4-49e7-bab3-${place.toString(16).padStart(12, '0')}`;

async function hostWith(guests: number): Promise<{ readonly host: LibxlHost; readonly hypervisor: Hypervisor }> {
  const outcome = Hypervisor.boot({ policy: bytes, memoryMib: 8192 });
  if (outcome.kind === 'refused') throw new Error(outcome.reason);
  const { hypervisor } = outcome;
  const host = new LibxlHost(hypervisor);
  for (let i = 1; i <= guests; i++) {
    expect((await host.create(configOf(`g${i}`), { uuid: uuid(i) })).outcome).toBe('done');
  }
  return { hypervisor, host };
}

function hypercallsOf({ timeline }: OperationReport<unknown>): HypercallRecord[] {
  return timeline.flatMap(({ hypercalls }) => hypercalls);
}

/** How many checks a report tells of. */
function toldOf(report: OperationReport<unknown>): number {
  return hypercallsOf(report).reduce(
    (sum, { count, checks }) => sum + count * checks.reduce((own, check) => own + check.count, 0),
    0,
  );
}

/** The report of one guest more, and how many checks Xen made for it. */
async function oneMore(guests: number): Promise<{ readonly report: OperationReport; readonly made: number }> {
  const { host, hypervisor } = await hostWith(guests);
  let made = 0;
  const stop = hypervisor.observe(() => made++);
  const report = await host.create(configOf('last'), { uuid: uuid(guests + 1) });
  stop();
  return { report, made };
}

test('the report of a creation is as long beside sixty guests as beside three, and tells of every check', async () => {
  const [few, many] = [await oneMore(3), await oneMore(60)];
  const names = ({ report }: typeof few): string[] =>
    hypercallsOf(report).map(({ process, name }) => `${process} ${name}`);
  expect(names(many)).toEqual(names(few));
  expect([toldOf(few.report), toldOf(many.report)]).toEqual([few.made, many.made]);
  expect(many.made).toBeGreaterThan(few.made + 3 * 57 - 1);
});

test('a round of looks at guests is one record, which is about none of them; dom0, and what was denied, is told apart', async () => {
  const { host, hypervisor } = await hostWith(5);
  const report = await host.create(configOf('last'), { uuid: uuid(6) });
  const looks = hypercallsOf(report).filter(
    ({ process, name }) => process === 'xenconsoled' && name === 'domctl.getdomaininfo',
  );
  expect(looks.map(({ count, targetDomid, result }) => [count, targetDomid, result])).toEqual([
    [6, undefined, 'ok'],
    [1, 7, 'ESRCH'],
  ]);
  // One that is alone is about its domain, as ever.
  const [only] = (await host.rename('g3', 'other')).timeline.flatMap(({ hypercalls }) =>
    hypercalls.filter(({ name }) => name === 'sysctl.getdomaininfolist'),
  );
  expect(only?.checks.map(({ count, target, targetDomid }) => [count, target, targetDomid])).toEqual([
    [1, 'system_u:system_r:dom0_t', 0],
    [6, 'customer_1:vm_r:domU_t', undefined],
  ]);
  expect(hypervisor.domainCount).toBe(7);
});
