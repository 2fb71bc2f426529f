/**
 * `dewar create`: builds a guest on a simulated host and tells what Xen checked on the way.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { FlaskState } from '@dewar/lab';
import { BASELINE_RELEASE, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { hasErrors, SourceText } from '@dewar/policy/text';
import type { ForeignMapProbe, Host, OperationReport } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import { type DiagnosticFormat, diagnosticReport } from '../diagnostic-formats.ts';
import { EXIT } from '../failures.ts';
import { readLatin1 } from '../files.ts';
import { type HostChoice, policyTitle, useHost } from '../host-session.ts';
import { displayPath } from '../policy-input.ts';
import { diagnosticJson, jsonText, reportJson } from '../report-json.ts';
import { byteText, type Colours, coloursFor, print, printDiagnostics, printLine, type Terminal } from '../terminal.ts';
import { labelNames, legendLines, refusalLines, timelineLines } from '../timeline.ts';

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
}

/** The report of the creation, and of the attempts to map the guest's memory afterwards. */
interface Creation {
  readonly report: OperationReport;
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
  return useHost(flags, terminal, async ({ host, hypervisor, policy }) => {
    const { isPaused: paused, isUnwatched: unwatched } = flags;
    const report = await host.create(config, { uuid: randomUUID(), paused, unwatched });
    const creation: Creation = { report, probes: report.outcome === 'done' ? await probe(host, report) : [] };
    if (isForProgram) diagnosticReport([...shown, ...report.diagnostics], target, terminal);
    else if (flags.isJson) {
      const { labelChanges, domain } = report;
      print(
        terminal.out,
        jsonText({
          xen: hypervisor.release,
          policy,
          guest: source.name,
          labels: reading.labels.build === undefined ? undefined : labelTexts(config),
          domain,
          labelChanges,
          create: reportJson(report),
          probes: creation.probes.map(reportJson),
          configuration: shown.map(diagnosticJson),
        }),
      );
    } else {
      const { flask, release } = hypervisor;
      const heading = { policyName: policy.name, cfgName: source.name, flask, release };
      printCreation(creation, config, heading, flags, terminal);
    }
    if (report.outcome === 'done') return EXIT.done;
    return report.xlExitCode === 0 ? EXIT.problem : report.xlExitCode;
  });
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
  readonly flask: FlaskState;
  readonly release: XenReleaseName;
}

/** How FLASK stands, in a word or a few. */
function flaskText({ mode, isEnforcing, isLoaded }: FlaskState): string {
  if (mode === 'disabled') return 'FLASK disabled';
  if (!isLoaded) return 'no policy loaded, everything allowed';
  return isEnforcing ? 'enforcing' : 'permissive';
}

function printCreation(
  { report, probes }: Creation,
  config: DomainConfig,
  { policyName, cfgName, flask, release }: Heading,
  flags: CreateFlags,
  terminal: Terminal,
): void {
  const { out } = terminal;
  const colours = coloursFor(out);
  const names = labelNames(report);
  if (!flags.isQuiet) {
    const { built, runs } = labelTexts(config);
    printLine(out, `guest     ${colours.strong(config.name ?? '?')} from ${cfgName}`);
    printLine(out, `policy    ${policyTitle(policyName)}`);
    const state = flaskText(flask);
    printLine(out, `host      simulated Xen ${release}, ${state === 'enforcing' ? state : colours.warning(state)}`);
    if (release !== BASELINE_RELEASE) {
      printLine(out, `          the checks are those of Xen ${release}, the steps those of the toolstack of Xen 4.17`);
    }
    if (config.labels.run !== undefined) {
      printLine(out, `built     under ${built ?? '?'}`);
      printLine(out, `runs      under ${runs ?? '?'}`);
    } else if (built !== undefined) {
      printLine(out, `label     ${built}, from the first step of the build on`);
    } else {
      const sid = xenRelease(release).initialSids.includes('domU') ? 'domU' : 'unlabeled';
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
  printEnd(report, colours, terminal);
  if (!flags.isQuiet) for (const one of probes) printProbe(one, colours, terminal);
  const notes = report.diagnostics.filter(({ severity }) => severity !== 'note' || !flags.isQuiet);
  if (notes.length > 0 && !flags.isQuiet) printLine(out);
  printDiagnostics(terminal, notes);
  if (report.outcome === 'failed') for (const message of report.xlMessages) printLine(terminal.err, `xl: ${message}`);
}

function printEnd({ outcome, domain }: OperationReport, colours: Colours, { out }: Terminal): void {
  if (domain === undefined) {
    printLine(out, `${colours.error('failed:')} no guest was created, and nothing of it is left`);
    return;
  }
  const { domid, name, state, memoryMib, vcpus, isStranded } = domain;
  const label = domain.label === '' ? 'no label' : (domain.label ?? 'a label that dom0 may not see');
  const size = `${memoryMib} MiB, ${vcpus} vCPU${vcpus === 1 ? '' : 's'}`;
  const who = name === undefined ? `domain ${domid}` : `${colours.strong(name)} (domain ${domid}, ${size})`;
  if (outcome === 'done') {
    printLine(out, `${colours.good('done:')} ${who} is ${state} under ${colours.strong(label)}`);
  } else {
    const fate = isStranded ? 'is stranded' : `is left ${state}`;
    printLine(out, `${colours.error('failed:')} ${who} ${fate} under ${colours.strong(label)}`);
  }
}

function printProbe({ value }: OperationReport<ForeignMapProbe>, colours: Colours, { out }: Terminal): void {
  if (value === undefined) return;
  const what = value.access === 'read' ? 'to read it' : 'to write it';
  if (value.outcome === 'denied') {
    printLine(out, `probe: dom0 maps a page of the guest ${what}: ${colours.good('denied')}`);
    if (value.avcLine !== undefined) printLine(out, `       ${colours.faint(`(XEN) ${value.avcLine}`)}`);
  } else {
    printLine(
      out,
      `probe: dom0 maps a page of the guest ${what}: ${colours.warning('MAPPED; dom0 can see this memory')}`,
    );
    if (value.avcLine !== undefined) printLine(out, `       ${colours.faint(`(XEN) ${value.avcLine}`)}`);
  }
}
