// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
/**
 * What a simulated host with many guests costs: `npx tsx bench/many-guests.ts [GUESTS]` (2,000 where nothing is said).
 *
 * Fills a host, and says, each time the number of guests has doubled, how long one more took to make in the same process.
 * Then asks whole commands on an empty host and on the full one, and prints the ratio: `dewar create` of the first guest,
 * which boots the host, with its policy compiled before it or at hand; of one of the first, and of the last; and `dewar list`.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lab } from '@dewar/lab';
import { compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { type Cost, DEWAR, measure, median } from './measure.ts';

const MEMORY_MIB = 1 << 16;
const ROUNDS = 5;
const wanted = Number(process.argv[2] ?? 2000);
if (!Number.isSafeInteger(wanted) || wanted < 1) throw new Error('how many guests is a number from 1 up');

const policy = new URL('../policies/example/', import.meta.url);
const examplePolicy: PolicyFiles = {
  readText: (path) => (existsSync(new URL(path, policy)) ? readFileSync(new URL(path, policy), 'latin1') : undefined),
  listNames: (path) => (existsSync(new URL(path, policy)) ? readdirSync(new URL(path, policy)) : []),
  describe: (path) => path,
};

function configText(name: string): string {
  const label = 'customer_1:vm_r:domU_t';
  return `name = "${name}"\ntype = "pv"\nkernel = "/boot/vmlinuz"\nmemory = 2\nseclabel = "${label}"\n`;
}

function configOf(index: number): DomainConfig {
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', configText(`g${index}`))));
  if (config === undefined) throw new Error('the configuration is not valid');
  return config;
}

/** A host with that many guests, kept under a name. */
async function fill(lab: Lab, name: string, guests: number): Promise<void> {
  const { bytes } = compileDirectory(examplePolicy);
  if (bytes === undefined) throw new Error('the example policy does not compile');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await lab.transact(name, async ({ boot }) => {
    const booted = boot({ name: fileURLToPath(policy), bytes, sha256 }, { memoryMib: MEMORY_MIB });
    if ('refused' in booted) throw new Error(booted.refused);
    let shown = 16;
    const recent: number[] = [];
    for (let index = 1; index <= guests; index++) {
      const config = configOf(index);
      const uuid = `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
      const start = performance.now();
      const { outcome, xlMessages } = await booted.host.create(config, { uuid });
      recent.push(performance.now() - start);
      if (recent.length > 16) recent.shift();
      if (outcome !== 'done') throw new Error(`guest ${index}: ${xlMessages.join('; ')}`);
      if (index !== shown && index !== guests) continue;
      const mean = recent.reduce((sum, one) => sum + one, 0) / recent.length;
      console.log(`${String(index).padStart(6)} guests: one more takes ${mean.toFixed(1)} ms`);
      shown *= 2;
    }
  });
}

const folder = mkdtempSync(join(tmpdir(), 'dewar-bench-'));
try {
  const state = join(folder, 'state');
  await fill(new Lab(state), 'full', wanted);
  const mebibytes = statSync(join(state, 'hosts/full/host.jsonl')).size / 2 ** 20;
  console.log(`the host is kept in ${mebibytes.toFixed(1)} MiB`);
  const guest = join(folder, 'guest.cfg');
  const few = join(folder, 'few');
  const cache = join(folder, 'cache');
  const dewar = (host: string, words: string): Cost =>
    measure(`DEWAR_CACHE="${cache}" DEWAR_STATE_DIR="${host}" ${DEWAR} ${words} > /dev/null`, folder);
  let made = 0;
  const create = (host: string): Cost => {
    writeFileSync(guest, configText(`new${++made}`));
    return dewar(host, `create "${guest}"`);
  };
  const boot = (): Cost => {
    rmSync(few, { recursive: true, force: true });
    return create(few);
  };
  const first = median(() => {
    rmSync(cache, { recursive: true, force: true });
    return boot();
  }, ROUNDS);
  const costs: readonly (readonly [what: string, cost: Cost])[] = [
    ['create, the first guest', first],
    ['the same, policy kept', median(boot, ROUNDS)],
    ['create, one of the first', median(() => create(few), ROUNDS)],
    [`create, beside ${wanted} guests`, median(() => create(state), ROUNDS)],
    ['list, a few guests', median(() => dewar(few, 'list'), ROUNDS)],
    [`list, ${wanted} guests`, median(() => dewar(state, 'list'), ROUNDS)],
  ];
  for (const [what, { cpu, wall, megabytes }] of costs) {
    const times = `${cpu.toFixed(3)} s CPU, ${wall.toFixed(3)} s, ${megabytes.toFixed(0)} MB`;
    console.log(`${what.padEnd(28)} ${times}, ${(wall / first.wall).toFixed(2)} of the first create`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
