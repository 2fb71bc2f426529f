/**
 * `dewar create`: builds a guest on a simulated or real host and tells what Xen checked on the way.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { FlaskState } from '@dewar/lab';
import { BASELINE_RELEASE, xenRelease } from '@dewar/policy/releases';
import { hasErrors, SourceText } from '@dewar/policy/text';
import type { ForeignMapProbe, GuestConsole, Host, OperationReport } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import { type DiagnosticFormat, diagnosticReport } from '../diagnostic-formats.ts';
import { EXIT, UsageError } from '../failures.ts';
import { readLatin1 } from '../files.ts';
import { type HostChoice, meansRealHost, policyTitle, tablesOf, useHost, useRealHost } from '../host-session.ts';
import { displayPath } from '../policy-input.ts';
import { diagnosticJson, jsonText, reportJson } from '../report-json.ts';
import { byteText, type Colours, coloursFor, print, printDiagnostics, printLine, type Terminal } from '../terminal.ts';
import { labelNames, legendLines, refusalLines, timelineLines } from '../timeline.ts';
import type { Rehearsal } from './rehearse-build.ts';
import { mayFollow } from './tell-rehearsal.ts';

export interface CreateFlags extends HostChoice {
  readonly isJson: boolean;
  /** `sarif` and `github` print the diagnostics and nothing else. */
  readonly format: DiagnosticFormat;
  /** Dewar's own version. */
  readonly version: string;
  readonly isQuiet: boolean;
  readonly isPaused: boolean;
  readonly isDryRun: boolean;
  /** Print the configuration first, as `xl create -d`. */
  readonly isDebug: boolean;
  /** Nobody waits for the guest's end, as with `xl create -e`. */
  readonly isUnwatched: boolean;
  /** Attach to the console of the guest, as `xl create -c`. */
  readonly isAttached: boolean;
  /** Holds the build before the relabel: for so many seconds, or until Enter is pressed. */
  readonly hold: number | 'enter' | undefined;
  /** What to do when others have pages of the guest mapped at the relabel. */
  readonly onResidual: 'warn' | 'refuse';
  /** Build on a real host although the rehearsal was refused. */
  readonly isForced: boolean;
}

/** The report of the creation, and of the attempts to map the guest's memory afterwards. */
interface Creation {
  readonly report: OperationReport;
  /** What was tried while the build was held. */
  readonly held: readonly OperationReport<ForeignMapProbe>[];
  readonly probes: readonly OperationReport<ForeignMapProbe>[];
}

export async function runCreate(
  file: string,
  extraWords: readonly string[],
  flags: CreateFlags,
  terminal: Terminal,
): Promise<number> {
  const { parseXlCfg, printDomainConfigJson, readDomainConfig } = await import('@dewar/toolstack/xl-cfg');
  const source = new SourceText(byteText(displayPath(file)), readLatin1(file));
  const reading = readDomainConfig(parseXlCfg(source, extraWords.map(byteText)));
  const { config } = reading;
  const shown = flags.isQuiet ? reading.diagnostics.filter(({ severity }) => severity !== 'note') : reading.diagnostics;
  const { format, version: ownVersion } = flags;
  const isForProgram = format === 'sarif' || format === 'github';
  const stream = flags.isDryRun ? terminal.err : terminal.out;
  const target = { format, version: ownVersion, subject: source.name, stream };
  if (config === undefined || hasErrors(reading.diagnostics)) {
    if (isForProgram) diagnosticReport(shown, { ...target, stream: terminal.out }, terminal);
    else if (flags.isJson) print(terminal.out, jsonText({ outcome: 'failed', diagnostics: shown.map(diagnosticJson) }));
    else printDiagnostics(terminal, shown);
    return EXIT.problem;
  }
  if (!flags.isJson && !isForProgram) printDiagnostics(terminal, shown);
  if (flags.isDryRun) {
    if (isForProgram) diagnosticReport(shown, target, terminal);
    print(terminal.out, printDomainConfigJson(config));
    return EXIT.done;
  }
  if (flags.isDebug && !flags.isJson && !isForProgram) print(terminal.out, printDomainConfigJson(config));
  const { isPaused: paused, isUnwatched: unwatched, hold, onResidual } = flags;
  let onScreen = '';
  const onConsole = ({ text }: GuestConsole): void => {
    onScreen = text;
  };
  const options = { uuid: randomUUID(), paused, unwatched, onResidual, ...(flags.isAttached ? { onConsole } : {}) };
  if (flags.isAttached && (flags.isJson || isForProgram)) throw new UsageError('the console of a guest is no JSON');
  const tell = (creation: Creation, heading: Heading, policy: unknown): number => {
    const { report } = creation;
    if (isForProgram) diagnosticReport([...shown, ...report.diagnostics], target, terminal);
    else if (flags.isJson) {
      const { labelChanges, domain } = report;
      print(
        terminal.out,
        jsonText({
          xen: heading.xen,
          policy,
          guest: source.name,
          labels: reading.labels.build === undefined ? undefined : labelTexts(config),
          domain,
          labelChanges,
          create: reportJson(report),
          ...(creation.held.length === 0 ? {} : { held: creation.held.map(reportJson) }),
          probes: creation.probes.map(reportJson),
          configuration: shown.map(diagnosticJson),
        }),
      );
    } else {
      printCreation(creation, config, heading, flags, terminal);
      if (onScreen !== '') printLine(terminal.out);
      print(terminal.out, onScreen);
    }
    if (report.outcome === 'done') return EXIT.done;
    return report.xlExitCode === 0 ? EXIT.problem : report.xlExitCode;
  };
  if (await meansRealHost(flags)) {
    if (flags.flask !== undefined) throw new UsageError('`--flask` boots a simulated host; a real one has been booted');
    if (onResidual === 'refuse')
      throw new UsageError(
        '`--on-residual refuse` needs a simulated host: a real Xen tells nobody who has a page mapped',
      );
    return useRealHost(terminal, async (host) => {
      const { rehearseBuild } = await import('./rehearse-build.ts');
      const rehearsal = await rehearseBuild(host, config, { uuid: options.uuid, policy: flags.policy }, terminal);
      const refusal = tellRehearsal(rehearsal, flags, terminal);
      if (refusal !== undefined) return refusal;
      const { holdBuild } = await import('./hold-build.ts');
      const held: Creation['probes'][number][] = [];
      const whileHeld = hold === undefined ? {} : { hold: holdBuild(host, hold, held, terminal) };
      const mode = (await host.getenforce()).value;
      const report = await host.create(config, { ...options, ...whileHeld });
      const probes = report.outcome === 'done' ? await probe(host, report) : [];
      if (report.outcome === 'done' && !unwatched && !flags.isQuiet && !flags.isJson) {
        const words = 'nobody waits for the end of this guest, as the daemon of xl does';
        printLine(terminal.err, `note: ${words}: when it stops, it stays until it is destroyed`);
      }
      const state = mode === undefined ? NO_MODE : mode ? 'enforcing' : 'permissive';
      const policyName = rehearsal.kind === 'none' ? 'the one that the host has loaded' : policyTitle(rehearsal.policy);
      const named = { policyName, cfgName: source.name, host: `Xen ${host.release}`, xen: host.release };
      return tell({ report, held, probes }, { ...named, state }, undefined);
    });
  }
  if (hold !== undefined) throw new UsageError('`--hold` holds a build on a real host; a simulated one takes no time');
  return useHost(flags, terminal, async ({ host, hypervisor, policy }) => {
    const report = await host.create(config, options);
    const probes = report.outcome === 'done' ? await probe(host, report) : [];
    const { flask, release } = hypervisor;
    const named = { policyName: policyTitle(policy.name), cfgName: source.name, xen: release };
    const words = `the checks are those of Xen ${release}, the steps those of the toolstack of Xen ${BASELINE_RELEASE}`;
    const heading = { ...named, host: `simulated Xen ${release}`, state: flaskText(flask) };
    const reservation = release === BASELINE_RELEASE ? {} : { reservation: words };
    return tell({ report, held: [], probes }, { ...heading, ...reservation }, policy);
  });
}

/** Says what a rehearsal came to. Answers the exit status when the build must not begin. */
function tellRehearsal(
  rehearsal: Rehearsal,
  { isForced, isJson, isQuiet }: CreateFlags,
  terminal: Terminal,
): number | undefined {
  if (rehearsal.kind === 'none' && isQuiet) return undefined;
  const left = 'nothing was created: that was a rehearsal under the policy of this host; `--force` builds nevertheless';
  if (rehearsal.kind === 'refused' && isJson && !isForced) {
    print(terminal.out, jsonText({ outcome: 'refused', rehearsal: reportJson(rehearsal.report) }));
    printLine(terminal.err, left);
    return EXIT.problem;
  }
  return mayFollow(rehearsal, { isForced, goesOn: 'the guest is built', left }, terminal) ? undefined : EXIT.problem;
}

/** What the promise is about: dom0 tries to read and to write the guest that now runs. */
async function probe(host: Host, report: OperationReport): Promise<OperationReport<ForeignMapProbe>[]> {
  if (report.domain === undefined) return [];
  const domain = String(report.domain.domid);
  return [await host.probeForeignMap(domain, 'read'), await host.probeForeignMap(domain, 'read-write')];
}

function labelTexts({ labels }: DomainConfig): {
  readonly built: string | undefined;
  readonly runs: string | undefined;
} {
  return { built: labels.build?.text, runs: (labels.run ?? labels.build)?.text };
}

interface Heading {
  readonly policyName: string;
  readonly cfgName: string;
  readonly host: string;
  /** The release of Xen. */
  readonly xen: string;
  /** Where the checks of a simulated host are not those of the steps that it takes. */
  readonly reservation?: string;
  /** How FLASK stands. */
  readonly state: string;
}

/** How FLASK stands where there is none. */
const NO_MODE = 'FLASK disabled';

/** How FLASK stands, in a word or a few. */
function flaskText({ mode, isEnforcing, isLoaded }: FlaskState): string {
  if (mode === 'disabled') return NO_MODE;
  if (!isLoaded) return 'no policy loaded, everything allowed';
  return isEnforcing ? 'enforcing' : 'permissive';
}

function printCreation(
  { report, held, probes }: Creation,
  config: DomainConfig,
  { policyName, cfgName, host, xen, reservation, state }: Heading,
  flags: CreateFlags,
  terminal: Terminal,
): void {
  const { out } = terminal;
  const colours = coloursFor(out);
  const names = labelNames(report);
  if (!flags.isQuiet) {
    const { built, runs } = labelTexts(config);
    printLine(out, `guest     ${colours.strong(config.name ?? '?')} from ${cfgName}`);
    printLine(out, `policy    ${policyName}`);
    printLine(out, `host      ${host}, ${state === 'enforcing' ? state : colours.warning(state)}`);
    if (reservation !== undefined) printLine(out, `          ${reservation}`);
    if (config.labels.run !== undefined) {
      printLine(out, `built     under ${built ?? '?'}`);
      printLine(out, `runs      under ${runs ?? '?'}`);
    } else if (built !== undefined) {
      printLine(out, `label     ${built}, from the first step of the build on`);
    } else {
      const sid = xenRelease(tablesOf(xen)).initialSids.includes('domU') ? 'domU' : 'unlabeled';
      printLine(out, `label     the default one, of the initial SID ${sid}`);
    }
    printLine(out);
    for (const line of legendLines(names, colours)) printLine(out, line);
    printLine(out);
    for (const line of timelineLines(report, names, colours)) printLine(out, line);
    printLine(out);
  } else if (report.outcome === 'failed') {
    for (const line of refusalLines(report, names, colours)) printLine(out, line);
  }
  if (!flags.isQuiet) for (const one of held) printProbe(one, 'while it was built', colours, terminal);
  printEnd(report, state, colours, terminal);
  if (!flags.isQuiet) for (const one of probes) printProbe(one, undefined, colours, terminal);
  const notes = report.diagnostics.filter(({ severity }) => severity !== 'note' || !flags.isQuiet);
  if (notes.length > 0 && !flags.isQuiet) printLine(out);
  printDiagnostics(terminal, notes);
  if (report.outcome === 'failed') for (const message of report.xlMessages) printLine(terminal.err, `xl: ${message}`);
}

function printEnd({ outcome, domain }: OperationReport, mode: string, colours: Colours, { out }: Terminal): void {
  if (domain === undefined) {
    printLine(out, `${colours.error('failed:')} no guest was created, and nothing of it is left`);
    return;
  }
  const { domid, name, state, memoryMib, vcpus, isStranded } = domain;
  const unseen = mode === NO_MODE ? 'no label' : 'a label that dom0 may not see';
  const label = domain.label === '' ? 'no label' : (domain.label ?? unseen);
  const size = `${memoryMib} MiB, ${vcpus} vCPU${vcpus === 1 ? '' : 's'}`;
  const who = name === undefined ? `domain ${domid}` : `${colours.strong(name)} (domain ${domid}, ${size})`;
  if (outcome === 'done') {
    printLine(out, `${colours.good('done:')} ${who} is ${state} under ${colours.strong(label)}`);
  } else {
    const fate = isStranded ? 'is stranded' : `is left ${state}`;
    printLine(out, `${colours.error('failed:')} ${who} ${fate} under ${colours.strong(label)}`);
  }
}

function printProbe(
  { value }: OperationReport<ForeignMapProbe>,
  when: string | undefined,
  colours: Colours,
  { out }: Terminal,
): void {
  if (value === undefined) return;
  const what = `${value.access === 'read' ? 'to read it' : 'to write it'}${when === undefined ? '' : ` ${when}`}`;
  if (value.outcome === 'denied') {
    printLine(out, `probe: dom0 maps a page of the guest ${what}: ${colours.good('denied')}`);
    if (value.avcLine !== undefined) printLine(out, `       ${colours.faint(`(XEN) ${value.avcLine}`)}`);
  } else {
    printLine(
      out,
      `probe: dom0 maps a page of the guest ${what}: ${colours.warning('MAPPED; dom0 can see this memory')}`,
    );
    if (value.content !== undefined) printLine(out, `       ${colours.faint(value.content)}`);
    if (value.avcLine !== undefined) printLine(out, `       ${colours.faint(`(XEN) ${value.avcLine}`)}`);
  }
}
