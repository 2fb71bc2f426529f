/**
 * Lists of physical CPUs, as xl reads and prints them.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_cpurange`, and `tools/xl/xl_utils.c`, `print_bitmap`.
 *
 * @module
 */

/** A long list is no list of CPUs. */
const TEXT_LIMIT = 4096;

/**
 * Reads `all`, `0-3,^2` and the like. Terms add, and with `^` take away; CPUs that the host has not are passed over.
 * A simulated host is one NUMA node.
 */
export function parseCpuRange(text: string, hostCpus: number): readonly number[] | 'invalid' {
  if (text.length > TEXT_LIMIT) return 'invalid';
  const cpus = new Set<number>();
  for (const term of text.split(',')) {
    const match = /^(\^?)(nodes?:)?(\^?)(?:(all)|([0-9]{1,6})(?:-([0-9]{1,6}))?)$/.exec(term.trim());
    if (match === null) return 'invalid';
    const [, before, node, after, all, first, last] = match;
    const isTaken = before === '^' || after === '^';
    const from = all === undefined ? Number(first) : 0;
    const to = all === undefined ? Number(last ?? first) : hostCpus - 1;
    if (to < from) return 'invalid';
    const isNode = node !== undefined;
    for (let cpu = 0; cpu < hostCpus; cpu++) {
      const isMeant = isNode ? all !== undefined || from === 0 : cpu >= from && cpu <= to;
      if (!isMeant) continue;
      if (isTaken) cpus.delete(cpu);
      else cpus.add(cpu);
    }
  }
  return [...cpus].sort((a, b) => a - b);
}

/** Prints a list of CPUs: `all`, `none`, `0-1,3`. */
export function showCpus(cpus: readonly number[], hostCpus: number): string {
  if (cpus.length === 0) return 'none';
  if (cpus.length === hostCpus) return 'all';
  const parts: string[] = [];
  for (let at = 0; at < cpus.length; ) {
    const first = cpus[at] ?? 0;
    let end = at;
    while (cpus[end + 1] === (cpus[end] ?? 0) + 1) end++;
    parts.push(end > at ? `${first}-${cpus[end]}` : String(first));
    at = end + 1;
  }
  return parts.join(',');
}
