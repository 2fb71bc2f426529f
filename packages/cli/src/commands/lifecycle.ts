/**
 * The commands of xl about guests that exist and about the host: one request, one answer.
 *
 * @module
 */
import { aboutFile } from '@dewar/policy/text';
import type { DomainState, Host, OperationReport, ShutdownReason } from '@dewar/toolstack';
import type { JsonObject } from '@dewar/toolstack/xl-cfg';
import { EXIT, UsageError } from '../failures.ts';
import { type HostChoice, type HostInUse, useAnyHost } from '../host-session.ts';
import { readPolicy } from '../policy-input.ts';
import { jsonText, reportJson } from '../report-json.ts';
import { coloursFor, print, printDiagnostics, printLine, type Terminal } from '../terminal.ts';
import { labelNames, legendLines, refusalLines, timelineLines } from '../timeline.ts';
import type { LoadFlags } from './load-on-xen.ts';

export interface RequestFlags extends HostChoice {
  readonly isJson: boolean;
  readonly isVerbose: boolean;
  /** Speak as xl does, and end with its exit status. */
  readonly isXl?: boolean;
}

/** Makes one request, prints what xl would say and what Xen refused, and answers the exit code. */
export async function request<T>(
  flags: RequestFlags,
  terminal: Terminal,
  ask: (host: Host, real: HostInUse['real']) => Promise<OperationReport<T>>,
  show: (value: T | undefined, report: OperationReport<T>) => void,
): Promise<number> {
  return useAnyHost(flags, terminal, async ({ host, real }) => answer(await ask(host, real), flags, terminal, show));
}

/** Prints what came back. */
export function answer<T>(
  report: OperationReport<T>,
  flags: RequestFlags,
  terminal: Terminal,
  show: (value: T | undefined, report: OperationReport<T>) => void,
): number {
  if (flags.isXl === true) return answerAsXl(report, terminal, show);
  if (flags.isJson) {
    print(terminal.out, jsonText(reportJson(report)));
  } else {
    if (flags.isVerbose) printTimeline(report, terminal);
    show(report.value, report);
    printRefusals(report, terminal, flags.isVerbose);
  }
  return exitCodeOf(report);
}

/** The exit code of an operation: that of xl, unless xl keeps silent about a failure. */
export function exitCodeOf({ xlExitCode, outcome }: OperationReport<unknown>): number {
  if (xlExitCode !== 0) return xlExitCode;
  return outcome === 'done' ? EXIT.done : EXIT.problem;
}

/** What xl prints, and its exit status. What xl keeps silent about is said by us. */
function answerAsXl<T>(
  report: OperationReport<T>,
  terminal: Terminal,
  show: (value: T | undefined, report: OperationReport<T>) => void,
): number {
  show(report.value, report);
  for (const message of report.xlMessages) printLine(terminal.err, message);
  const isSilent = report.xlExitCode === 0 || report.xlMessages.length === 0;
  for (const { severity, message } of isSilent ? report.diagnostics : []) {
    if (severity === 'error') printLine(terminal.err, `dewar: ${message}`);
  }
  return report.xlExitCode;
}

function printTimeline(report: OperationReport<unknown>, { err }: Terminal): void {
  const colours = coloursFor(err);
  const names = labelNames(report);
  for (const line of [...legendLines(names, colours), ...timelineLines(report, names, colours)]) printLine(err, line);
}

function printRefusals(report: OperationReport<unknown>, terminal: Terminal, isVerbose: boolean): void {
  const { err } = terminal;
  if (report.outcome === 'failed' && !isVerbose) {
    const colours = coloursFor(err);
    const names = labelNames(report);
    for (const line of refusalLines(report, names, colours)) printLine(err, line);
  }
  for (const message of report.xlMessages) printLine(err, message);
  printDiagnostics(terminal, report.diagnostics);
}

/** Why a domain stopped, in one letter. */
const REASON_LETTERS: Readonly<Record<ShutdownReason, string>> = {
  poweroff: '-',
  reboot: 'r',
  suspend: 's',
  crash: 'c',
  watchdog: 'w',
  'soft-reset': 'S',
};

/** The columns of `xl list`. */
export function listTitle(): string {
  return `Name${' '.repeat(40)}ID   Mem VCPUs\tState\tTime(s)`;
}

/** One line of `xl list`. XEN: `tools/xl/xl_info.c`, `list_domains`. */
export function listLine(domain: DomainState, withLabels: boolean): string {
  const { domid, name, memoryMib, vcpus, state, shutdownReason, label } = domain;
  const stopped = shutdownReason === undefined ? '-' : REASON_LETTERS[shutdownReason];
  const flags = [
    state === 'running' && domain.isBlocked !== true ? 'r' : '-',
    state === 'running' && domain.isBlocked === true ? 'b' : '-',
    state === 'paused' ? 'p' : '-',
    state === 'shutdown' ? 's' : '-',
    stopped,
    state === 'dying' ? 'd' : '-',
  ].join('');
  const columns = [
    (name ?? '(null)').padEnd(40),
    String(domid).padStart(5),
    String(memoryMib).padStart(5),
    String(vcpus).padStart(5),
  ];
  const line = `${columns.join(' ')}     ${flags}  ${(domain.cpuSeconds ?? 0).toFixed(1).padStart(8)}`;
  return withLabels ? `${line} ${(label ?? '-').padStart(16)}` : line;
}

/** `list -l`: what libxl would build each domain from if it had to be built again, as xl prints it. */
export function runListLong(domain: string | undefined, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    async (host) => {
      const { plainJson, printJson } = await import('@dewar/toolstack/xl-cfg');
      const report = await host.listLong(domain);
      if (report.value === undefined) return { ...report, value: undefined };
      const all = report.value.map((one): JsonObject => ({ members: Object.entries(one) }));
      // XEN: `puts` ends what already ends with a line.
      return { ...report, value: flags.isJson ? plainJson(all) : `${printJson(all)}\n` };
    },
    (text) => {
      if (typeof text === 'string') print(terminal.out, text);
    },
  );
}

export function runList(
  domain: string | undefined,
  { withLabels, withNodes }: { readonly withLabels: boolean; readonly withNodes: boolean },
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.list({ domain, withNodes }),
    (domains) => {
      if (domains === undefined) return;
      const title = `${listTitle()}${withLabels ? '   Security Label' : ''}${withNodes ? ' NODE Affinity' : ''}`;
      printLine(terminal.out, title);
      for (const one of domains)
        printLine(terminal.out, `${listLine(one, withLabels)}${withNodes ? ` ${one.nodes ?? ''}` : ''}`);
      const stranded = domains.filter(({ isStranded }) => isStranded);
      for (const { domid, label } of stranded) {
        const under = label === undefined ? '' : ` under \`${label}\``;
        printLine(
          terminal.err,
          `${coloursFor(terminal.err).warning('note:')} domain ${domid} is stranded${under}: the policy did not let dom0 destroy it`,
        );
      }
    },
  );
}

/** A request about one domain that answers with nothing but done or not done. */
export function runOnDomain(
  verb: 'pause' | 'unpause' | 'destroy',
  domain: string,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host[verb](domain),
    () => undefined,
  );
}

export function runRename(domain: string, name: string, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.rename(domain, name),
    () => undefined,
  );
}

export function runDumpCore(domain: string, file: string, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.dumpCore(domain, file),
    (core) => {
      if (core === undefined || flags.isXl === true) return;
      if (core.bytesWritten !== undefined) {
        printLine(terminal.out, `the core of domain ${core.domid} is in \`${file}\`: ${core.bytesWritten} bytes`);
        return;
      }
      const size = `${core.pages} pages and ${core.vcpus} vCPU${core.vcpus === 1 ? '' : 's'}`;
      printLine(
        terminal.out,
        `dom0 could read ${size} of domain ${core.domid}. A simulated guest has no content: \`${file}\` was not written.`,
      );
    },
  );
}

export function runDmesg(clear: boolean, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.dmesg({ clear }),
    (text) => print(terminal.out, text ?? ''),
  );
}

export function runGetenforce(flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.getenforce(),
    (isEnforcing, { timeline }) => {
      const calls = timeline.flatMap(({ hypercalls }) => hypercalls);
      if (isEnforcing !== undefined) printLine(terminal.out, isEnforcing ? 'Enforcing' : 'Permissive');
      else if (calls.some(({ result }) => result === 'ENOSYS')) printLine(terminal.out, 'Flask XSM Disabled');
    },
  );
}

export function runSetenforce(isEnforcing: boolean, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.setenforce(isEnforcing),
    (_, { outcome }) => {
      // XEN: `avc_has_perm` adds what it let pass to the cached decision, and so tells of it once.
      if (isEnforcing || outcome !== 'done' || flags.isXl === true) return;
      const note = coloursFor(terminal.err).note('note:');
      printLine(
        terminal.err,
        `${note} a permissive Xen allows everything, to every domain; of what it would deny it logs each permission of a pair of labels once`,
      );
    },
  );
}

export function runGetBooleans(name: string | undefined, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    async (host) => {
      const report = await host.booleans();
      const value = report.value?.filter((one) => name === undefined || one.name === name);
      if (name === undefined || value === undefined || value.length > 0) return { ...report, value };
      return { ...report, value, outcome: 'failed', xlExitCode: 1, xlMessages: [`there is no boolean ${name}`] };
    },
    (booleans) => {
      for (const { name: boolean, enforcing, pending } of booleans ?? [])
        printLine(
          terminal.out,
          `${boolean}: ${enforcing ? 1 : 0}${enforcing === pending ? '' : ` (pending ${pending ? 1 : 0})`}`,
        );
    },
  );
}

export function runSetBoolean(name: string, value: boolean, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.setBoolean(name, value),
    () => undefined,
  );
}

export async function runLoadPolicy(
  file: string | undefined,
  flags: RequestFlags & LoadFlags,
  terminal: Terminal,
): Promise<number> {
  return useAnyHost(flags, terminal, async ({ host, real, release, simulated }) => {
    if (real !== undefined) {
      const { loadOnXen } = await import('./load-on-xen.ts');
      return loadOnXen(file, real, flags, terminal);
    }
    if (flags.isBack) throw new UsageError('`--back` is for a real host');
    if (file === undefined) throw new UsageError('name a policy');
    const policy = await readPolicy(file, { ...flags.compile, release });
    printDiagnostics(terminal, policy.diagnostics);
    const { bytes } = policy;
    if (bytes === undefined) return EXIT.problem;
    const given = simulated?.addedDeviceLabels ?? [];
    const loaded = await host.loadPolicy(bytes);
    const report = { ...loaded, diagnostics: aboutFile(policy.name, loaded.diagnostics) };
    const status = answer(report, flags, terminal, () => {
      if (report.outcome === 'done') printLine(terminal.out, 'Successfully loaded policy.');
    });
    if (report.outcome === 'done') {
      const { sbdfText } = await import('@dewar/toolstack');
      const { tellLostLabels } = await import('../lost-labels.ts');
      tellLostLabels(
        given.map(({ device, label }) => ({ device: sbdfText(device), label })),
        terminal,
      );
    }
    return status;
  });
}

/** Tries to map a page of a guest from dom0. */
export function runProbe(
  domain: string,
  isWritable: boolean,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.probeForeignMap(domain, isWritable ? 'read-write' : 'read'),
    (probe) => {
      if (probe === undefined) return;
      printLine(terminal.out, `${probe.outcome === 'mapped' ? 'mapped: dom0 can see this memory' : 'denied'}`);
      if (probe.content !== undefined) printLine(terminal.out, probe.content);
      if (probe.avcLine !== undefined) printLine(terminal.out, `(XEN) ${probe.avcLine}`);
    },
  );
}
