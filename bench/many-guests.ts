/**
 * What a simulated host with many guests costs: `npx tsx bench/many-guests.ts [GUESTS]` (2,000 where nothing is said).
 *
 * Prints, each time the number of guests has doubled, how long one more takes to make, in milliseconds; at the end, the
 * size of the host as it is kept, and how long it takes to be written and read. Real libxl and xenconsoled look at each
 * domain whenever one is made, so that the time grows with their number; the rest of a command is Node's start and the kept host.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Hypervisor } from '@dewar/hypervisor';
import { compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { LibxlHost, restoreToolstack } from '@dewar/toolstack';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';

const MEMORY_MIB = 1 << 16;
const wanted = Number(process.argv[2] ?? 2000);
if (!Number.isSafeInteger(wanted) || wanted < 1) throw new Error('how many guests is a number from 1 up');

const folder = new URL('../policies/example/', import.meta.url);
const examplePolicy: PolicyFiles = {
  readText: (path) => (existsSync(new URL(path, folder)) ? readFileSync(new URL(path, folder), 'latin1') : undefined),
  listNames: (path) => (existsSync(new URL(path, folder)) ? readdirSync(new URL(path, folder)) : []),
  describe: (path) => path,
};

function configOf(index: number): DomainConfig {
  const label = 'customer_1:vm_r:domU_t';
  const text = `name = "g${index}"\ntype = "pv"\nkernel = "/boot/vmlinuz"\nmemory = 2\nseclabel = "${label}"\n`;
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (config === undefined) throw new Error('the configuration is not valid');
  return config;
}

function timed<T>(work: () => T): [result: T, milliseconds: string] {
  const start = performance.now();
  const result = work();
  return [result, (performance.now() - start).toFixed(0)];
}

const { bytes } = compileDirectory(examplePolicy);
if (bytes === undefined) throw new Error('the example policy does not compile');
const booted = Hypervisor.boot({ policy: bytes, flask: 'enforcing', memoryMib: MEMORY_MIB });
if (booted.kind === 'refused') throw new Error(booted.reason);
const { hypervisor } = booted;
const host = new LibxlHost(hypervisor);

/** The last times, for a mean that one of them does not make. */
const recent: number[] = [];
let shown = 16;
for (let guests = 1; guests <= wanted; guests++) {
  const config = configOf(guests);
  const uuid = `00000000-0000-4000-8000-${guests.toString(16).padStart(12, '0')}`;
  const start = performance.now();
  const { outcome, xlMessages } = await host.create(config, { uuid });
  recent.push(performance.now() - start);
  if (recent.length > 16) recent.shift();
  if (outcome !== 'done') throw new Error(`guest ${guests}: ${xlMessages.join('; ')}`);
  if (guests !== shown && guests !== wanted) continue;
  const mean = recent.reduce((sum, one) => sum + one, 0) / recent.length;
  console.log(`${String(guests).padStart(6)} guests: one more takes ${mean.toFixed(1)} ms`);
  shown *= 2;
}
const [text, writing] = timed(() => JSON.stringify([hypervisor.snapshot(), host.snapshot()]));
const [, reading] = timed(() => {
  const [xen, toolstack] = JSON.parse(text);
  if (Hypervisor.restore(xen) === undefined || restoreToolstack(toolstack) === undefined)
    throw new Error('the host cannot be read back');
});
console.log(
  `the host is kept in ${(text.length / 2 ** 20).toFixed(1)} MiB, written in ${writing} ms, read in ${reading} ms`,
);
