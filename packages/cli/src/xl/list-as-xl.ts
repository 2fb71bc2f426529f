/**
 * `xl list` and `xl info`, in xl's columns.
 *
 * Follows Xen `tools/xl/xl_info.c`, `list_domains` and `print_info`.
 *
 * @module
 */
import { type DomainState, type HostInfo, SHUTDOWN_CODES } from '@dewar/toolstack';
import { hostInfoLines } from '../commands/guest-operations.ts';
import { listLine, listTitle, request, runListLong } from '../commands/lifecycle.ts';
import { print, printLine } from '../terminal.ts';
import { printXlHelp, type XlCall } from './xl-call.ts';

const FAILURE = 1;

/** Which columns were asked for. */
interface Columns {
  readonly isVerbose: boolean;
  readonly hasLabel: boolean;
  readonly hasPool: boolean;
  readonly hasNodes: boolean;
}

function title({ isVerbose, hasLabel, hasPool, hasNodes }: Columns): string {
  const parts = [listTitle()];
  if (isVerbose) parts.push(`   UUID${' '.repeat(28)}Reason-Code\tSecurity Label`);
  else if (hasLabel) parts.push('   Security Label');
  if (hasPool) parts.push('         Cpupool');
  if (hasNodes) parts.push(' NODE Affinity');
  return parts.join('');
}

function line(domain: DomainState, { isVerbose, hasLabel, hasPool, hasNodes }: Columns): string {
  const { uuid, shutdownReason, label, nodes } = domain;
  const parts = [listLine(domain, false)];
  if (isVerbose) {
    parts.push(` ${uuid}`);
    const reason = shutdownReason === undefined ? '-' : SHUTDOWN_CODES[shutdownReason].toString(16);
    parts.push(` ${reason.padStart(8)}`);
  }
  if (isVerbose || hasLabel) parts.push(` ${(label ?? '-').padStart(16)}`);
  if (hasPool) parts.push('Pool-0'.padStart(16));
  if (hasNodes) parts.push(` ${nodes ?? ''}`);
  return parts.join('');
}

/** `xl list`. */
export async function listAsXl({ words, options, flags, terminal }: XlCall): Promise<number> {
  const has = (letter: string): boolean => options.some((one) => one.letter === letter);
  if (words.length > 1) {
    printXlHelp('list', terminal);
    return FAILURE;
  }
  // XEN: the other options are those of the columns, and there are none.
  if (has('l')) return runListLong(words[0], flags, terminal);
  const columns = { isVerbose: has('v'), hasLabel: has('Z'), hasPool: has('c'), hasNodes: has('n') };
  return request(
    flags,
    terminal,
    (host) => host.list({ domain: words[0], withNodes: columns.hasNodes }),
    (domains, { timeline }) => {
      if (domains === undefined) {
        // XEN: the title stands there before xl asks how many nodes there are, but for its end.
        const isLate = timeline.at(-1)?.hypercalls.at(-1)?.name === 'sysctl.physinfo' && columns.hasNodes;
        if (isLate) print(terminal.out, title({ ...columns, hasNodes: false }));
        return;
      }
      printLine(terminal.out, title(columns));
      for (const domain of domains) printLine(terminal.out, line(domain, columns));
    },
  );
}

/** `xl info`, as far as a simulated host has an answer; with a name, the values of the lines that begin so. */
export function infoAsXl({ words, options, flags, terminal }: XlCall): Promise<number> {
  const isTopology = options.some(({ letter }) => letter === 'n');
  const [name] = isTopology ? [] : words;
  return request(
    flags,
    terminal,
    (host) => host.info(),
    (info: HostInfo | undefined) => {
      if (info === undefined) return;
      for (const one of hostInfoLines(info)) {
        if (name === undefined) printLine(terminal.out, one);
        else if (one.startsWith(name)) printLine(terminal.out, one.slice(one.indexOf(':') + 2));
      }
      if (isTopology) print(terminal.out, topology(info));
    },
  );
}

/** One node with all the CPUs, each a core of its own. */
function topology({ cpus, totalMib, freeMib }: HostInfo): string {
  const rows = Array.from(
    { length: cpus },
    (_, cpu) => `${String(cpu).padStart(3)}:    ${String(cpu).padStart(4)}        0        0`,
  );
  return [
    'cpu_topology           :',
    'cpu:    core    socket     node',
    ...rows,
    'device topology        :',
    'device           node',
    'No device topology data available',
    'numa_info              :',
    'node:    memsize    memfree    distances',
    `   0:    ${String(totalMib).padStart(6)}     ${String(freeMib).padStart(6)}      10`,
    '',
  ].join('\n');
}
