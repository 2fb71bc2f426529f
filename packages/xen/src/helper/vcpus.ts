/**
 * vCPUs, memory sizes and the scheduler through libxl.
 *
 * @module
 */

import { CallFault } from '../call-fault.ts';
import type { HelperCalls, LibxlVcpu } from '../protocol.ts';
import { type HostAccess, libxl, numberIn, numbersIn, structureJson } from './host-access.ts';

/** Room for a `libxl_bitmap`, which points to its bits. */
const BITMAP_ROOM = 64;

/** The vCPUs of a domain. */
export async function listVcpus(access: HostAccess, domid: number): Promise<readonly LibxlVcpu[]> {
  const { libraries, context } = access;
  const count = [0];
  const list = await libraries.later('libxl_list_vcpu', context, domid, count, [0]);
  if (typeof list !== 'bigint' || list === 0n) throw new CallFault({ kind: 'libxl', call: 'libxl_list_vcpu', rc: -3 });
  const [length = 0] = count;
  const stride = BigInt(libraries.sizeOf('libxl_vcpuinfo_init'));
  const vcpus: LibxlVcpu[] = [];
  for (let i = 0n; i < BigInt(length); i++) {
    const members = structureJson(access, 'libxl_vcpuinfo_to_json', list + i * stride);
    vcpus.push({
      vcpu: numberIn(members, 'vcpuid'),
      cpu: numberIn(members, 'cpu'),
      isOnline: members['online'] === true,
      isRunning: members['running'] === true,
      isBlocked: members['blocked'] === true,
      cpuSeconds: numberIn(members, 'vcpu_time') / 1e9,
      hard: numbersIn(members, 'cpumap'),
      soft: numbersIn(members, 'cpumap_soft'),
    });
  }
  libraries.now('libxl_vcpuinfo_list_free', list, length);
  return vcpus;
}

/** Does some work with maps of CPUs; an undefined list is no map. */
async function withMaps<T>(
  access: HostAccess,
  lists: readonly { readonly cpus: readonly number[] | undefined; readonly bits: number }[],
  work: (maps: readonly (Buffer | null)[]) => Promise<T>,
): Promise<T> {
  const { libraries, context } = access;
  const maps = lists.map(({ cpus, bits }) => {
    if (cpus === undefined) return null;
    const map = Buffer.alloc(BITMAP_ROOM);
    libraries.now('libxl_bitmap_init', map);
    const rc = Number(libraries.now('libxl_cpu_bitmap_alloc', context, map, bits));
    if (rc < 0) throw new CallFault({ kind: 'libxl', call: 'libxl_cpu_bitmap_alloc', rc });
    for (const cpu of cpus) libraries.now('libxl_bitmap_set', map, cpu);
    return map;
  });
  try {
    return await work(maps);
  } finally {
    for (const map of maps) if (map !== null) libraries.now('libxl_bitmap_dispose', map);
  }
}

/** Says on which physical CPUs vCPUs may run. A map of 0 bits is made as large as the host. */
export async function pinVcpu(
  access: HostAccess,
  { domid, vcpu, hard, soft }: HelperCalls['vcpu.pin']['params'],
): Promise<void> {
  const lists = [hard, soft].map((cpus) => ({ cpus, bits: 0 }));
  await withMaps(access, lists, async ([hardMap = null, softMap = null]) => {
    if (vcpu !== undefined) return libxl(access, 'libxl_set_vcpuaffinity', domid, vcpu, hardMap, softMap);
    const { length } = await listVcpus(access, domid);
    return libxl(access, 'libxl_set_vcpuaffinity_all', domid, length, hardMap, softMap);
  });
}

/** On which NUMA nodes a domain had better run. */
export async function nodesOf(
  access: HostAccess,
  domid: number,
): Promise<{ readonly nodes: readonly number[]; readonly count: number }> {
  const { libraries, context } = access;
  const map = Buffer.alloc(BITMAP_ROOM);
  libraries.now('libxl_bitmap_init', map);
  // A map of 0 bits is made as large as the host.
  await libxl(access, 'libxl_node_bitmap_alloc', map, 0);
  try {
    const machine = libraries.structure('libxl_physinfo_init');
    const rc = Number(await libraries.later('libxl_get_physinfo', context, machine));
    if (rc < 0) throw new CallFault({ kind: 'libxl', call: 'libxl_get_physinfo', rc });
    const count = numberIn(structureJson(access, 'libxl_physinfo_to_json', machine), 'nr_nodes');
    libraries.now('libxl_physinfo_dispose', machine);
    await libxl(access, 'libxl_domain_get_nodeaffinity', domid, map);
    const all = Array.from({ length: count }, (_, node) => node);
    return { nodes: all.filter((node) => libraries.now('libxl_bitmap_test', map, node) !== 0), count };
  } finally {
    libraries.now('libxl_bitmap_dispose', map);
  }
}

/** Says how many vCPUs a guest is to use. */
export async function setVcpus(access: HostAccess, { domid, count }: HelperCalls['vcpu.set']['params']): Promise<void> {
  const cpus = Array.from({ length: count }, (_, vcpu) => vcpu);
  await withMaps(access, [{ cpus, bits: count }], ([map = null]) =>
    libxl(access, 'libxl_set_vcpuonline', domid, map, null),
  );
}

/** What the scheduler keeps of a domain. */
export async function getScheduler(
  access: HostAccess,
  domid: number,
): Promise<{ readonly weight: number; readonly cap: number }> {
  const { libraries } = access;
  const params = libraries.structure('libxl_domain_sched_params_init');
  await libxl(access, 'libxl_domain_sched_params_get', domid, params);
  const members = structureJson(access, 'libxl_domain_sched_params_to_json', params);
  libraries.now('libxl_domain_sched_params_dispose', params);
  return { weight: numberIn(members, 'weight'), cap: numberIn(members, 'cap') };
}

/** Changes what the scheduler keeps of a domain. */
export async function setScheduler(
  access: HostAccess,
  { domid, weight, cap }: HelperCalls['sched.set']['params'],
): Promise<void> {
  const { libraries, context } = access;
  const params = libraries.structure('libxl_domain_sched_params_init');
  const json = libraries.bytes(JSON.stringify({ weight, cap }));
  libraries.now('libxl_domain_sched_params_from_json', context, params, json);
  await libxl(access, 'libxl_domain_sched_params_set', domid, params);
  libraries.now('libxl_domain_sched_params_dispose', params);
}
