/**
 * `dewar explain`: the causes of what Xen's FLASK denied, and what to do about each.
 *
 * Start reading at `runExplain`.
 *
 * @module
 */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type {
  Cause,
  ExplainedLines,
  Finding,
  FixTrial,
  Insertion,
  LineGroup,
  LogExplanation,
  LogReading,
} from '@dewar/policy/explain';
import { hasErrors, placeText, userSpan } from '@dewar/policy/text';
import { askedBy, outlooks } from '../explain-operations.ts';
import type { HeldExplanation } from '../explain-properties.ts';
import { type ExplainChoice, type ExplainInput, readExplainInput } from '../explain-subject.ts';
import { type Described, describeFinding, domainText, type Namer, pairsText } from '../explain-words.ts';
import { EXIT, NO_ANSWER, UsageError } from '../failures.ts';
import { writeWhole } from '../files.ts';
import { tellPolicyFaults } from '../policy-faults.ts';
import { jsonText } from '../report-json.ts';
import { type Colours, coloursFor, print, printDiagnostics, printLine, safeLine, type Terminal } from '../terminal.ts';

export interface ExplainFlags extends ExplainChoice {
  readonly isJson: boolean;
  /** Write what is proposed into the policy's files. */
  readonly isFix: boolean;
  /** Propose the rules alone where a macro call gives more than is needed. */
  readonly isLeast: boolean;
  /** A file of properties, as `dewar prove` takes it; without it, the one in the policy directory. */
  readonly properties: string | undefined;
}

/** Lines of a finding that are shown; the count says how many there are. */
const LINES_SHOWN = 6;

/** Causes that say nothing is wrong with this policy. */
const HARMLESS: readonly Cause['kind'][] = ['stale', 'granted'];

function namerOf({ subject }: ExplainInput): Namer {
  const { names, policy } = subject.view;
  const symbol = (tclass: number) => policy.classes.entries.find(({ value }) => value === tclass);
  return {
    type: (value) => names.types[value] ?? String(value),
    class: (value) => symbol(value)?.name ?? String(value),
    permissions: (tclass, bits) =>
      (symbol(tclass)?.permissions ?? [])
        .filter(({ value }) => ((bits >>> (value - 1)) & 1) === 1)
        .map(({ name }) => name),
  };
}

/** What a fix of a finding adds, and where; undefined where there is no such thing to add. */
function insertionOf({ cause, placement }: Finding, isLeast: boolean): Insertion | undefined {
  if ((cause.kind !== 'no-rule' && cause.kind !== 'protective') || placement === undefined) return undefined;
  const { chosen, least } = cause.fix;
  return { place: placement, lines: (isLeast ? (least ?? chosen) : chosen).lines };
}

/** Whether a fix is one that `--fix` writes. */
function isFixable({ cause, placement }: Finding): boolean {
  return cause.kind === 'no-rule' && cause.constraints.length === 0 && placement !== undefined;
}

function lineTexts({ lines }: Finding): string[] {
  return lines.map(({ group, permissions }) => {
    const { count, first, lastLine, details } = group;
    const domains = [
      group.sourceDomains.length > 0 ? group.sourceDomains.map(domainText).join(', ') : undefined,
      group.targetDomains.length > 0 ? `on ${group.targetDomains.map(domainText).join(', ')}` : undefined,
    ].filter((one) => one !== undefined);
    const where = count === 1 ? `line ${first.line}` : `lines ${first.line} to ${lastLine}, ${count} times`;
    const about = [...domains, ...details].join(' ');
    const label = (one: string | number): string => (typeof one === 'number' ? `SID ${one}` : one);
    return (
      `${group.outcome} ${group.class} { ${permissions.join(' ')} }: ` +
      `${label(group.source)} -> ${label(group.target)}${about === '' ? '' : ` (${about})`}, ${where}`
    );
  });
}

/** What the answer rests on, and what it does not cover. */
function basis(
  input: ExplainInput,
  log: LogReading,
  held: HeldExplanation,
): { restsOn: string[]; notCovered: string[] } {
  const { explained } = held;
  const { subject, policyName, host } = input;
  const booleans = subject.view.policy.booleans.entries.length;
  const modes = new Set(log.lines.flatMap((line) => (line.kind === 'mode' ? [line.mode] : [])));
  const old = log.lines.some((line) => line.kind === 'avc' && line.hasOldNames);
  return {
    restsOn: [
      `${policyName}${input.isPolicyOfHost ? `, which host ${host ?? ''} runs` : ''}`,
      ...(booleans === 0
        ? []
        : [subject.hasHostBooleans ? 'booleans as they are on that host' : 'booleans as they are after a boot']),
      `operations from hooks.c of Xen 4.17.5 and, for younger permissions, of later releases, commands of xl as recorded on a simulated host, for PV and PVH guests together; names from Xen ${subject.release.name}`,
      ...held.restsOn,
    ],
    notCovered: [
      ...held.notCovered,
      ...(input.isPolicyOfHost ? [] : ['whether the host of the log runs this policy']),
      'ways to a guest over a third domain; commands that were not recorded (passthrough, migration, HVM guests with a device model)',
      ...(subject.source === undefined ? ['lines and `neverallow` rules: a binary has none'] : []),
      ...(modes.has('permissive')
        ? [
            'what permissive Xen does not log: each permission of a pair of labels is told once, with the first device or range that it was asked for',
          ]
        : []),
      ...(old ? ['that lines with `domid=` are of a Xen before 4.17, which checks some operations otherwise'] : []),
      ...(log.broken.length > 0
        ? [`${counted(log.broken.length, 'avc line')} cut off or garbled: ${log.broken.slice(0, 8).join(', ')}`]
        : []),
      ...(explained.withoutPermission > 0
        ? [`${counted(explained.withoutPermission, 'line')} without the name of a permission`]
        : []),
      ...(log.suppressed > 0
        ? [
            `${counted(log.suppressed, 'message')} that the log leaves out, as it says itself: denials may be among them`,
          ]
        : []),
      ...(modes.has('disabled') ? ['what FLASK would have denied: the log says that it was disabled at boot'] : []),
      ...(modes.has('late')
        ? ['what happened before a policy was loaded: the log says that nothing was checked until then']
        : []),
      ...(log.guestLines > 0
        ? [`${counted(log.guestLines, 'avc line')} that a guest wrote to its console, and not Xen`]
        : []),
      ...(log.linuxLines > 0 ? [`${counted(log.linuxLines, 'avc line')} of SELinux in Linux`] : []),
      ...(log.skipped + explained.groupsLeft > 0
        ? [`${log.skipped} lines and ${explained.groupsLeft} kinds of lines beyond the limit`]
        : []),
    ],
  };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function summary(input: ExplainInput, log: LogReading, { findings }: LogExplanation): string {
  const avc = log.lines.filter(({ kind }) => kind === 'avc').length;
  const others = log.lines.filter(({ kind }) => kind === 'unknown-operation').length;
  const told = [
    counted(avc, 'avc line'),
    ...(others > 0 ? [`${counted(others, 'line')} about operations without a check`] : []),
  ];
  return `${safeLine(input.logName)}: ${told.join(', ')} of ${counted(log.lineCount, 'line')}; ${counted(findings.length, 'cause')}`;
}

async function diffOf(finding: Finding, isLeast: boolean): Promise<string[]> {
  const { insertionDiff } = await import('@dewar/policy/explain');
  const insertion = insertionOf(finding, isLeast);
  return insertion === undefined ? [] : insertionDiff(insertion.place.source, [insertion]);
}

async function printFinding(
  number: number,
  finding: Finding,
  input: ExplainInput,
  flags: ExplainFlags,
  { out }: Terminal,
): Promise<void> {
  const colours = coloursFor(out);
  const { title, because, remedy } = describeFinding(finding, namerOf(input), input.policyName);
  const isHarmless = HARMLESS.includes(finding.cause.kind);
  printLine(out);
  printLine(out, `${number}. ${(isHarmless ? colours.good : colours.error)(safeLine(title))}`);
  const texts = lineTexts(finding);
  for (const text of texts.slice(0, LINES_SHOWN)) printLine(out, `   ${safeLine(text)}`);
  if (texts.length > LINES_SHOWN) printLine(out, `   and ${texts.length - LINES_SHOWN} more`);
  const say = (word: string, sentences: readonly string[], paint: (text: string) => string): void => {
    for (const [i, sentence] of sentences.entries())
      printLine(out, `   ${paint((i === 0 ? word : '').padEnd(7))} ${safeLine(sentence)}`);
  };
  say('why', because, colours.strong);
  say('asked', askedLines(finding, input), colours.strong);
  say('do', remedy, colours.strong);
  if (finding.cause.kind === 'no-rule')
    for (const line of await diffOf(finding, flags.isLeast)) printLine(out, `   ${paintDiff(line, colours)}`);
}

function paintDiff(line: string, colours: Colours): string {
  const safe = line.split('\t').map(safeLine).join('\t');
  if (/^(?:---|\+\+\+|@@)/.test(line)) return colours.faint(safe);
  return line.startsWith('+') ? colours.good(safe) : safe;
}

const MAX_NAMES = 8;

function some(names: readonly string[]): string {
  return names.length <= MAX_NAMES
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMES).join(', ')} and ${names.length - MAX_NAMES} more`;
}

function askedLines({ cause, lines }: Finding, { subject }: ExplainInput): string[] {
  if (lines.length === 0 || cause.kind === 'unknown-name') return [];
  const { operations, commands, effect } = askedBy(subject, lines);
  if (operations.length === 0) return ['by no operation of Xen 4.17'];
  const said = [
    `by ${some(operations)}${commands.length === 0 ? '; by no recorded command of xl' : `; in ${some(commands)}`}`,
  ];
  if (HARMLESS.includes(cause.kind)) return said;
  if (effect === 'does-less') said.push('denied, the operation goes on with less and returns no error');
  // XEN: avc_audit() names a target beside the source only where the two are different domains.
  const isSameDomain = (one: LineGroup): boolean =>
    one.targetDomains.length === 0 || one.targetDomains.join() === one.sourceDomains.join();
  const isOfItself = lines.every(({ group }) => isSameDomain(group) && isSelf(group.source, group.target));
  const permissive = lines.flatMap(({ group }) => {
    const source = typeof group.source === 'number' ? undefined : subject.view.read(group.source);
    return source !== undefined && subject.view.isPermissive(source.type)
      ? [subject.view.names.types[source.type]]
      : [];
  });
  if (permissive.length > 0) said.push(`\`${permissive[0]}\` is permissive in this policy: it is told, and let pass`);
  if (isOfItself)
    said.push('a domain asks it of itself: no step of the toolstack waits for it, and only its own request fails');
  if (isOfItself && lines.every(isResetOfChannels))
    said.push(
      'its kernel closes its event channels so when it starts anew, after a crash say: it is no cause of that crash',
    );
  if (cause.kind !== 'no-rule' && cause.kind !== 'protective') return said;
  for (const { command, asked, denied } of outlooks(subject, lines))
    said.push(
      `${command} makes ${asked} checks between dom0 and such a guest; denied here: ${denied.length === 0 ? 'none' : some(denied)}`,
    );
  return said;
}

/** A domain on itself: the same label, or that which it has as it sees itself. */
function isResetOfChannels({ group, permissions }: ExplainedLines): boolean {
  return group.class === 'event' && permissions.every((one) => one === 'reset');
}

function isSelf(source: string | number, target: string | number): boolean {
  if (typeof source === 'number' || typeof target === 'number') return false;
  return target === source || target === source.replace(/^([^:]*:[^:]*:[^:]*)/, '$1_self');
}

async function printExplanation(
  input: ExplainInput,
  log: LogReading,
  held: HeldExplanation,
  flags: ExplainFlags,
  terminal: Terminal,
): Promise<void> {
  const { out } = terminal;
  const { explained } = held;
  printLine(out, summary(input, log, explained));
  for (const [i, finding] of explained.findings.entries()) await printFinding(i + 1, finding, input, flags, terminal);
  const { restsOn, notCovered } = basis(input, log, held);
  printLine(out);
  printLine(out, `rests on: ${safeLine(restsOn.join('; '))}`);
  printLine(out, `does not cover: ${safeLine(notCovered.join('; '))}`);
}

function findingJson(finding: Finding, described: Described, diff: readonly string[], input: ExplainInput): object {
  const { cause, lines, placement } = finding;
  const place = (origin: Parameters<typeof userSpan>[0] | undefined): string | undefined =>
    origin && placeText(userSpan(origin));
  const namer = namerOf(input);
  return {
    cause: cause.kind,
    ...described,
    lines: lines.map(({ group: { first, ...group }, permissions }) => ({
      ...group,
      permissions,
      firstLine: first.line,
    })),
    asked: lines.length === 0 ? undefined : askedBy(input.subject, lines),
    outlook: cause.kind === 'no-rule' || cause.kind === 'protective' ? outlooks(input.subject, lines) : undefined,
    rules: 'rules' in cause ? cause.rules.map(({ text, origin }) => ({ text, place: place(origin) })) : undefined,
    constraints:
      'constraints' in cause
        ? cause.constraints.map(({ origin, bits: _, ...one }) => ({ ...one, place: place(origin) }))
        : undefined,
    conditions:
      'conditions' in cause
        ? cause.conditions.map(({ origin, ...one }) => ({ ...one, place: place(origin) }))
        : undefined,
    setters: 'setters' in cause ? cause.setters : undefined,
    unknown: 'unknown' in cause ? cause.unknown : undefined,
    operation: 'operation' in cause ? { ...cause.line, ...cause.operation, count: cause.count } : undefined,
    fix:
      'fix' in cause
        ? {
            kind: cause.fix.chosen.kind,
            lines: cause.fix.chosen.lines,
            least: cause.fix.least?.lines,
            wider: cause.fix.wider?.lines,
            surplus: pairsText(cause.fix.chosen.surplus, namer),
            opens: cause.fix.chosen.openings.map(({ way, does, source, target }) => ({
              way,
              does,
              source: namer.type(source.type),
              target: namer.type(target.type),
            })),
            breaks: cause.fix.chosen.neverallows.map(({ origin }) => place(origin)),
            refutes: cause.kind === 'protective' ? cause.refuted : [],
            file: placement?.source.name,
            line: placement?.line,
            diff: diff.length === 0 ? undefined : `${diff.join('\n')}\n`,
          }
        : undefined,
  };
}

async function explanationJson(
  input: ExplainInput,
  log: LogReading,
  held: HeldExplanation,
  flags: ExplainFlags,
  fix: object | undefined,
): Promise<string> {
  const findings: object[] = [];
  for (const finding of held.explained.findings) {
    const described = describeFinding(finding, namerOf(input), input.policyName);
    findings.push(findingJson(finding, described, await diffOf(finding, flags.isLeast), input));
  }
  return jsonText({
    log: input.logName,
    policy: input.policyName,
    host: input.host,
    lines: log.lineCount,
    avcLines: log.lines.filter(({ kind }) => kind === 'avc').length,
    broken: log.broken,
    linuxLines: log.linuxLines,
    guestLines: log.guestLines,
    suppressed: log.suppressed,
    findings,
    fix,
    ...basis(input, log, held),
  });
}

/** What became of `--fix`. */
interface FixResult {
  readonly outcome: 'written' | 'nothing-to-write' | 'refused';
  readonly files: readonly string[];
  readonly reasons: readonly string[];
  readonly trial: FixTrial | undefined;
}

/** Tries the fixes on a copy in memory, and writes them only where they compile and do what they are for. */
async function applyFixes(input: ExplainInput, { findings }: LogExplanation, isLeast: boolean): Promise<FixResult> {
  const { tryInsertions } = await import('@dewar/policy/explain');
  const fixable = findings.filter(isFixable);
  const insertions = fixable.flatMap((one) => insertionOf(one, isLeast) ?? []);
  if (insertions.length === 0) return { outcome: 'nothing-to-write', files: [], reasons: [], trial: undefined };
  const needs = fixable.flatMap(({ cause }) => (cause.kind === 'no-rule' ? cause.fix.needs : []));
  const trial = tryInsertions(input.subject, insertions, needs);
  if (trial === undefined) return { outcome: 'nothing-to-write', files: [], reasons: [], trial };
  const faults = hasErrors(trial.compiled.diagnostics)
    ? ['the policy does not compile with it']
    : trial.stillDenied.map((one) => `still denied: ${one}`);
  if (faults.length > 0) return { outcome: 'refused', files: [], reasons: faults, trial };
  // A link stays one: what it leads to is replaced.
  const files = trial.files.map(({ path }) =>
    realpathSync(path === '' ? input.reading.path : resolve(input.reading.path, path)),
  );
  for (const [i, { text }] of trial.files.entries()) writeWhole(files[i] ?? '', Buffer.from(text, 'latin1'));
  const names = insertions.map(({ place }) => `${place.source.name}:${place.line}`);
  return { outcome: 'written', files: names, reasons: [], trial };
}

function printFix({ outcome, files, reasons, trial }: FixResult, terminal: Terminal): void {
  const { out, err } = terminal;
  printLine(out);
  if (outcome === 'written') {
    printLine(out, `written: ${safeLine(files.join(', '))}; compiled anew, and what it is for is granted`);
  } else if (outcome === 'nothing-to-write') {
    printLine(out, 'nothing written: no cause is one that a rule in a source file ends');
  } else {
    if (trial !== undefined) printDiagnostics(terminal, trial.compiled.diagnostics);
    for (const reason of reasons) printLine(err, `${coloursFor(err).error('error:')} ${safeLine(reason)}`);
    printLine(out, 'nothing written');
  }
}

/**
 * Explains a log. The exit code is 0 where this policy denies nothing of it (any more), 1 where it does, and 2 where it does
 * not compile.
 */
export async function runExplain(flags: ExplainFlags, terminal: Terminal): Promise<number> {
  if (flags.isFix && flags.host !== undefined && flags.policy === undefined)
    throw new UsageError('`--fix` changes files: name the policy of the host with `--policy`');
  if (flags.policy === '-') {
    if (flags.isFix) throw new UsageError('`--fix` changes files: the standard input is none');
    if (flags.host === undefined && (flags.log === undefined || flags.log === '-'))
      throw new UsageError('only one of the log and the policy can come from the standard input');
  }
  const input = await readExplainInput(flags, terminal, (policy, faults) => {
    tellPolicyFaults(policy, faults, flags.isJson, terminal);
  });
  if (input === undefined) return NO_ANSWER;
  const { explainLog, readLog } = await import('@dewar/policy/explain');
  const log = readLog(input.logText);
  const { holdToProperties } = await import('../explain-properties.ts');
  const held = await holdToProperties(flags.properties, input, explainLog(log, input.subject), terminal);
  const { explained } = held;
  if (!flags.isJson) await printExplanation(input, log, held, flags, terminal);
  const fixed = flags.isFix ? await applyFixes(input, explained, flags.isLeast) : undefined;
  if (flags.isJson) {
    const { trial: _, ...fix } = fixed ?? { trial: undefined };
    print(terminal.out, await explanationJson(input, log, held, flags, fixed === undefined ? undefined : fix));
  } else if (fixed !== undefined) printFix(fixed, terminal);
  if (fixed?.outcome === 'refused') return EXIT.problem;
  const isDone = (finding: Finding): boolean =>
    HARMLESS.includes(finding.cause.kind) || (fixed?.outcome === 'written' && isFixable(finding));
  return explained.findings.every(isDone) ? EXIT.done : EXIT.problem;
}
