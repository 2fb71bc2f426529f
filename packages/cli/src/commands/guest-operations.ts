/**
 * What xl asks of a guest that exists, beside pausing and ending it: printed in xl's columns.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { hasErrors, SourceText } from '@dewar/policy/text';
import {
  type Domid,
  endLines,
  type GuestConsole,
  type Host,
  type HostInfo,
  type OperationReport,
  type RestoreOptions,
  type SaveOptions,
  type SchedulerState,
  type StopOptions,
  type VcpuState,
} from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import { EXIT, UsageError } from '../failures.ts';
import { readLatin1, writeWhole } from '../files.ts';
import { type HostInUse, meansRealHost, useAnyHost } from '../host-session.ts';
import { displayPath } from '../policy-input.ts';
import { byteText, print, printDiagnostics, printLine, type Terminal } from '../terminal.ts';
import { answer, type RequestFlags, request } from './lifecycle.ts';

/** A request that answers with nothing but done or not done. */
export function runPlain(
  ask: (host: Host, real: HostInUse['real']) => Promise<OperationReport<unknown>>,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return request(flags, terminal, ask, () => undefined);
}

/** Which guests are asked to stop. */
export interface StopChoice {
  readonly domain: string | undefined;
  readonly isAll: boolean;
  /** How often `-w` was given: once, to hear that they have stopped; twice, that they are destroyed. */
  readonly waits: number;
  /** Where a guest takes no requests, press its power button. */
  readonly isForced?: boolean;
}

export async function runStop(
  verb: 'shutdown' | 'reboot',
  { domain, isAll, waits, isForced = false }: StopChoice,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  if (!isAll && domain === undefined) {
    printLine(terminal.err, 'You must specify -a or a domain id.');
    printLine(terminal.err);
    return EXIT.problem;
  }
  const isPlainHost = flags.flask === undefined && flags.iommu === undefined;
  const wait = waits > 1 ? 'death' : waits === 1;
  if (wait !== false && isPlainHost && (await meansRealHost(flags))) {
    const { stopAndWait } = await import('./stop-on-xen.ts');
    const how = { isForced, untilDeath: wait === 'death' };
    return stopAndWait(verb, isAll ? undefined : domain, how, flags, terminal);
  }
  if (!isAll && domain !== undefined)
    return runPlain((host) => host[verb](domain, { wait, force: isForced }), flags, terminal);
  let guests: readonly string[] = [];
  const listed = await request(
    { ...flags, isJson: false, isVerbose: false },
    terminal,
    (host) => host.list(),
    (domains) => {
      guests = (domains ?? []).filter(({ domid }) => domid !== 0).map(({ domid }) => String(domid));
    },
  );
  if (listed !== EXIT.done) return listed;
  return stopAll(verb, guests, { wait, force: isForced }, flags, terminal);
}

/** XEN: `main_shutdown_or_reboot` ends at the first that cannot be asked, and waits once it has asked them all. */
function stopAll(
  verb: 'shutdown' | 'reboot',
  guests: readonly string[],
  { wait = false, force = false }: StopOptions,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return useAnyHost(flags, terminal, async ({ host }) => {
    const ends: string[] = [];
    const kept: string[] = [];
    for (const guest of guests) {
      const report = await host[verb](guest, { force });
      const code = answer(report, flags, terminal, () => undefined);
      if (code !== EXIT.done) return code;
      const { domain } = report;
      const isDestroyed = String(domain?.domid) !== guest || domain?.state === 'dying';
      const reason = verb === 'reboot' ? 'reboot' : 'poweroff';
      ends.push(...endLines(Number(guest) as Domid, reason, { untilDeath: wait === 'death', isDestroyed }));
      if (!isDestroyed) kept.push(guest);
    }
    if (wait === false) return EXIT.done;
    for (const line of [`Waiting for ${guests.length} domains`, ...ends]) printLine(terminal.err, line);
    if (wait !== 'death' || kept.length === 0) return EXIT.done;
    printLine(terminal.err, `dewar: nobody destroys ${kept.join(', ')}: xl waits for that for ever`);
    return EXIT.problem;
  });
}

export function runSave(
  domain: string,
  file: string,
  options: SaveOptions,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  return request(
    flags,
    terminal,
    async (host) => {
      const report = await host.save(domain, { ...options, file });
      if (report.value !== undefined) {
        writeWhole(file, Buffer.from(`${JSON.stringify(report.value, undefined, 2)}\n`, 'latin1'));
      }
      return report;
    },
    (saved) => {
      if (saved !== undefined && flags.isXl !== true)
        printLine(terminal.err, `Saving to ${file}: a simulated guest has labels, vCPUs and a size, but no content`);
    },
  );
}

/** The configuration that is to take the place of the one in the save file, and what xl says of it; undefined when it is not valid. */
async function readOtherConfig(
  path: string,
  terminal: Terminal,
): Promise<{ readonly config: DomainConfig; readonly says: readonly string[] } | undefined> {
  const { parseXlCfg, readDomainConfig } = await import('@dewar/toolstack/xl-cfg');
  const { config, diagnostics, xl } = readDomainConfig(
    parseXlCfg(new SourceText(byteText(displayPath(path)), readLatin1(path))),
  );
  printDiagnostics(terminal, diagnostics);
  if (config === undefined || hasErrors(diagnostics)) return undefined;
  return { config, says: xl.stderr.split('\n').slice(0, -1) };
}

/** The same without what xl says. */
export async function readConfig(path: string, terminal: Terminal): Promise<DomainConfig | undefined> {
  return (await readOtherConfig(path, terminal))?.config;
}

/** What a save file holds; it is looked at by the toolstack. */
function readSaved(file: string): unknown {
  const text = readLatin1(file);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export async function runRestore(
  files: { readonly config?: string; readonly saved: string },
  { isAttached, ...options }: Pick<RestoreOptions, 'paused' | 'unwatched'> & { readonly isAttached: boolean },
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  if (isAttached && flags.isJson) throw new UsageError('the console of a guest is no JSON');
  const { config: name } = files;
  const other = name === undefined ? undefined : await readOtherConfig(name, terminal);
  if (name !== undefined && other === undefined) return EXIT.problem;
  // What Dewar says of the file has been printed; xl's own words are for those who expect them.
  const configFile = name === undefined ? undefined : { name, says: flags.isXl === true ? (other?.says ?? []) : [] };
  const own = {
    ...options,
    ...(other === undefined || configFile === undefined ? {} : { config: other.config, configFile }),
  };
  const onConsole = ({ text }: GuestConsole): void => print(terminal.out, text);
  const all = { ...own, uuid: randomUUID(), file: files.saved, ...(isAttached ? { onConsole } : {}) };
  // A real host reads the file itself: it holds all of the guest's memory.
  return runPlain(
    (host, real) => host.restore(real === undefined ? readSaved(files.saved) : undefined, all),
    flags,
    terminal,
  );
}

/** One line of `xl vcpu-list`. XEN: `tools/xl/xl_vcpu.c`, `print_vcpuinfo`. */
function vcpuLine({ name, domid, vcpu, isOnline, isRunning, cpu, hard, soft, ...more }: VcpuState): string {
  const who = [(name ?? '(null)').padEnd(32), String(domid).padStart(5), String(vcpu).padStart(5)].join(' ');
  const how = isOnline
    ? `${String(cpu).padStart(5)} ${isRunning ? '  r' : '  -'}${more.isBlocked === true ? 'b' : '-'}- `
    : `${'-'.padStart(5)} ${'-'.padStart(3)}-p `;
  return `${who}${how}${(more.cpuSeconds ?? 0).toFixed(1).padStart(9)}  ${hard} / ${soft}`;
}

/** `isNext` for one of several domains that is not the first: the title is there already. */
export function runVcpuList(
  domain: string | undefined,
  flags: RequestFlags,
  terminal: Terminal,
  isNext = false,
): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.vcpuList(domain),
    (vcpus) => {
      if (vcpus === undefined && flags.isXl !== true) return;
      if (!isNext) {
        printLine(
          terminal.out,
          `${'Name'.padEnd(32)}${'ID'.padStart(6)} ${'VCPU'.padStart(5)} ${'CPU'.padStart(5)} State ${'Time(s)'.padStart(9)} Affinity (Hard / Soft)`,
        );
      }
      for (const vcpu of vcpus ?? []) printLine(terminal.out, vcpuLine(vcpu));
    },
  );
}

/** One line of `xl sched-credit2`. XEN: `tools/xl/xl_sched.c`, `sched_credit2_domain_output`. */
function schedulerLine({ name, domid, weight, cap }: SchedulerState): string {
  const columns = [String(domid).padStart(4), String(weight).padStart(6), String(cap).padStart(4)];
  return `${(name ?? '(null)').padEnd(33)} ${columns.join(' ')}`;
}

export function runScheduler(
  domain: string | undefined,
  { weight, cap }: { readonly weight?: number | undefined; readonly cap?: number | undefined },
  flags: RequestFlags,
  terminal: Terminal,
): Promise<number> {
  const isChange = weight !== undefined || cap !== undefined;
  if (domain === undefined && isChange) {
    printLine(terminal.err, 'Must specify a domain.');
    return Promise.resolve(EXIT.problem);
  }
  const change = { ...(weight === undefined ? {} : { weight }), ...(cap === undefined ? {} : { cap }) };
  return request(
    flags,
    terminal,
    (host) => host.schedCredit2(domain, change),
    (states) => {
      if (states === undefined || isChange) return;
      // XEN: the pool of all CPUs, with the rate limit that the scheduler starts with.
      if (domain === undefined) printLine(terminal.out, 'Cpupool Pool-0: ratelimit=1000us');
      printLine(terminal.out, `${'Name'.padEnd(33)} ${'ID'.padStart(4)} ${'Weight'.padStart(6)} ${'Cap'.padStart(4)}`);
      for (const state of states) printLine(terminal.out, schedulerLine(state));
    },
  );
}

export function runVmList(flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.vmList(),
    (domains) => {
      if (domains === undefined) return;
      printLine(terminal.out, `UUID${' '.repeat(34)}ID    name`);
      for (const { uuid, domid, name } of domains) {
        printLine(terminal.out, `${uuid}  ${domid}    ${(name ?? '(null)').padEnd(30)}`);
      }
    },
  );
}

export function runDomid(name: string, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.domid(name),
    (domid) => {
      if (domid !== undefined) printLine(terminal.out, String(domid));
    },
  );
}

export function runDomname(domid: string, flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.domname(domid),
    (name) => {
      if (name !== undefined) printLine(terminal.out, name);
    },
  );
}

/** The lines of `xl info` that a simulated host has an answer for; it has no hardware. */
export function hostInfoLines(info: HostInfo): string[] {
  const [major = '', minor = ''] = info.release.split('.');
  const lines: readonly (readonly [name: string, value: string | number])[] = [
    ['nr_cpus', info.cpus],
    ['max_cpu_id', info.cpus - 1],
    ['nr_nodes', 1],
    ['total_memory', info.totalMib],
    ['free_memory', info.freeMib],
    ['xen_major', major],
    ['xen_minor', minor],
    ['xen_extra', info.extraVersion],
    ['xen_version', `${info.release}${info.extraVersion}`],
    ['xen_scheduler', info.scheduler],
    ['xen_pagesize', 4096],
    ['xend_config_format', 4],
  ];
  return lines.map(([name, value]) => `${name.padEnd(22)} : ${value}`);
}

export function runHostInfo(flags: RequestFlags, terminal: Terminal): Promise<number> {
  return request(
    flags,
    terminal,
    (host) => host.info(),
    (info) => {
      if (info === undefined) return;
      for (const line of hostInfoLines(info)) printLine(terminal.out, line);
    },
  );
}
