/**
 * `dewar trace`: what Xen checks while a command runs; any command on a real host, one of Dewar's on a simulated one.
 *
 * @module
 */

import type { Hypervisor } from '@dewar/hypervisor';
import type { FlaskState } from '@dewar/lab';
import { UsageError } from '../failures.ts';
import { writeWhole } from '../files.ts';
import { type HostChoice, meansRealHost } from '../host-session.ts';
import type { Terminal } from '../terminal.ts';
import { recordSimulated, TraceRecord } from '../trace-entries.ts';
import { printTrace } from '../trace-report.ts';
import type { TellTrace, TraceFlags } from '../trace-request.ts';

/** Runs one of Dewar's own commands, and answers its exit code. */
export type RunDewar = (args: readonly string[], terminal: Terminal) => Promise<number>;

/** A way to print a trace: on the standard output, or into a file. */
function tellWith({ isJson, output }: TraceFlags, terminal: Terminal): TellTrace {
  return (record, heading) => {
    if (output === undefined) return printTrace(record, heading, isJson, terminal);
    const parts: Uint8Array[] = [];
    const out = { write: (bytes: Uint8Array) => void parts.push(bytes), isTerminal: false };
    printTrace(record, heading, isJson, { ...terminal, out });
    writeWhole(output, Buffer.concat(parts));
  };
}

/** The mode of a simulated host in a word or some. */
function modeText({ mode, isEnforcing, isLoaded }: FlaskState): string {
  if (mode === 'disabled') return 'FLASK disabled';
  if (!isLoaded) return 'no policy loaded';
  return isEnforcing ? 'enforcing' : 'permissive';
}

/** The options of the host that a command is to be given, as words. */
function hostWords({ host, policy, flask, release, iommu }: HostChoice): string[] {
  const given = { host, policy, flask, xen: release, iommu };
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
}

/** Runs one of Dewar's commands on a simulated host, with the record that the host itself gives. */
async function traceSimulated(
  command: readonly string[],
  flags: TraceFlags,
  takesHost: (name: string) => boolean,
  runDewar: RunDewar,
  terminal: Terminal,
): Promise<number> {
  if (flags.types.length > 0 || flags.isWhole)
    throw new UsageError(
      '`--type` and `--everything` choose what a real Xen logs; a simulated one tells of all checks',
    );
  const words = command[0] === 'dewar' ? command.slice(1) : command;
  const [name = '', ...rest] = words;
  if (!takesHost(name)) {
    const hint = "on a simulated host only Dewar's own commands can be traced, and only those that ask a host";
    throw new UsageError(`\`${name}\` is no such command: ${hint}`);
  }
  const record = new TraceRecord();
  let last: Hypervisor | undefined;
  const onHost = (hypervisor: Hypervisor): void => {
    last = hypervisor;
    recordSimulated(hypervisor, record);
  };
  const out = flags.isJson && flags.output === undefined ? terminal.err : terminal.out;
  const exit = await runDewar([name, ...hostWords(flags), ...rest], { ...terminal, out, onHost });
  const { release: xen = '', flask } = last ?? {};
  tellWith(flags, terminal)(record, {
    command: words,
    exit,
    host: last === undefined ? 'a simulated host, which was not asked' : `simulated Xen ${xen}`,
    xen,
    mode: flask === undefined ? 'not asked' : modeText(flask),
    policy: undefined,
    notes: [],
    facts: {},
  });
  return exit;
}

/** Traces a command. `takesHost` tells whether Dewar has a command of that name which asks a host. */
export async function runTrace(
  command: readonly string[],
  flags: TraceFlags,
  takesHost: (name: string) => boolean,
  runDewar: RunDewar,
  terminal: Terminal,
): Promise<number> {
  // A policy is that of the real host, where there is one: what Xen has loaded has to be known.
  const isReal = await meansRealHost({ ...flags, policy: undefined });
  if (!isReal) return traceSimulated(command, flags, takesHost, runDewar, terminal);
  if (flags.flask !== undefined || flags.release !== undefined)
    throw new UsageError('`--flask` and `--xen` boot a simulated host; a real one has been booted');
  const { traceOnXen } = await import('./trace-on-xen.ts');
  return traceOnXen(command, flags, tellWith(flags, terminal), terminal);
}
