/**
 * Draws the report of an operation: each step with its hypercalls, each hypercall with its checks.
 *
 * @module
 */
import type { CheckRecord, HypercallRecord, LabelChange, OperationReport, TimelineStep } from '@dewar/toolstack';
import type { Colours } from './terminal.ts';

type AnyReport = OperationReport<unknown>;

/** Short names for labels: the type, where only one label of the report has it. */
export interface LabelNames {
  readonly short: ReadonlyMap<string, string>;
  name(label: string): string;
}

function typeOf(label: string): string {
  return label.split(':')[2] ?? label;
}

/** Collects the labels that a report speaks of. */
export function labelNames(report: AnyReport): LabelNames {
  const labels = new Set<string>();
  for (const { source, target } of checksOf(report)) labels.add(source).add(target);
  for (const { from, to } of report.labelChanges) labels.add(from).add(to);
  return shortNames(labels);
}

/** Names for some labels. */
export function shortNames(labels: ReadonlySet<string>): LabelNames {
  const count = new Map<string, number>();
  for (const label of labels) count.set(typeOf(label), (count.get(typeOf(label)) ?? 0) + 1);
  const short = new Map([...labels].map((label) => [label, count.get(typeOf(label)) === 1 ? typeOf(label) : label]));
  return { short, name: (label) => short.get(label) ?? label };
}

function checksOf(report: AnyReport): CheckRecord[] {
  return report.timeline.flatMap(({ hypercalls }) => hypercalls.flatMap(({ checks }) => checks));
}

/** The labels with their short names, one on a line. */
export function legendLines(names: LabelNames, colours: Colours): string[] {
  const shortened = [...names.short].filter(([label, short]) => label !== short);
  const width = Math.max(0, ...shortened.map(([, short]) => short.length));
  return shortened.map(([label, short], index) => {
    const head = index === 0 ? 'labels  ' : '        ';
    return `${head}  ${short.padEnd(width)}  ${colours.faint(label)}`;
  });
}

interface Columns {
  readonly hypercall: number;
  readonly permission: number;
  readonly labels: number;
}

function permissionText({ class: className, permissions }: CheckRecord): string {
  return `${className} { ${permissions.join(' ')} }`;
}

function labelText(check: CheckRecord, names: LabelNames): string {
  return `${names.name(check.source)} → ${names.name(check.target)}`;
}

function hypercallText({ name, count }: HypercallRecord): string {
  return count === 1 ? name : `${name} x${count}`;
}

function columnsOf(report: AnyReport, names: LabelNames): Columns {
  const checks = checksOf(report);
  const calls = report.timeline.flatMap(({ hypercalls }) => hypercalls);
  const widest = (texts: readonly string[], most: number): number =>
    Math.min(most, Math.max(0, ...texts.map((text) => text.length)));
  return {
    hypercall: widest(calls.map(hypercallText), 34),
    permission: widest(checks.map(permissionText), 36),
    labels: widest(
      checks.map((check) => labelText(check, names)),
      48,
    ),
  };
}

function outcomeText(check: CheckRecord, colours: Colours): string {
  const times = check.count === 1 ? '' : ` x${check.count}`;
  if (check.outcome === 'granted') return colours.good('granted') + times;
  return `${colours.error(check.isEnforced ? 'DENIED' : 'denied, but permissive')}${times}`;
}

function hypercallLines(call: HypercallRecord, columns: Columns, names: LabelNames, colours: Colours): string[] {
  const head = hypercallText(call).padEnd(columns.hypercall);
  const result = call.result === 'ok' ? '' : `  ${colours.error(call.result)}`;
  if (call.checks.length === 0) return [`      ${head}  ${colours.faint('no check')}${result}`];
  return call.checks.map((check, index) => {
    const first = index === 0 ? head : ' '.repeat(columns.hypercall);
    const permission = permissionText(check).padEnd(columns.permission);
    const labels = labelText(check, names).padEnd(columns.labels);
    const last = index === call.checks.length - 1 ? result : '';
    return `      ${first}  ${permission}  ${labels}  ${outcomeText(check, colours)}${last}`;
  });
}

function stepMark(step: TimelineStep, colours: Colours): string {
  switch (step.outcome) {
    case 'done':
      return colours.good('✓');
    case 'failed':
      return colours.error('✗');
    default:
      return colours.warning('~');
  }
}

function changeLine({ domid, from, to }: LabelChange, colours: Colours): string {
  return `    ${colours.strong(`══ the label of domain ${domid} is now ${to}`)} ${colours.faint(`(was ${from})`)}`;
}

/** The steps of an operation with everything that Xen checked, one line for each check. */
export function timelineLines(report: AnyReport, names: LabelNames, colours: Colours): string[] {
  const columns = columnsOf(report, names);
  const lines: string[] = [];
  for (const [index, step] of report.timeline.entries()) {
    const ignored = step.outcome === 'ignored-failure' ? colours.faint('  (refused, and gone on)') : '';
    lines.push(`${String(index + 1).padStart(3)} ${stepMark(step, colours)} ${colours.strong(step.title)}${ignored}`);
    for (const call of step.hypercalls) lines.push(...hypercallLines(call, columns, names, colours));
    for (const change of report.labelChanges) if (change.step === index) lines.push(changeLine(change, colours));
  }
  return lines;
}

/** Only the hypercalls that were refused, with the steps that they belong to. */
export function refusalLines(report: AnyReport, names: LabelNames, colours: Colours): string[] {
  const timeline = report.timeline
    .map((step) => ({
      ...step,
      hypercalls: step.hypercalls
        .map((call) => ({ ...call, checks: call.checks.filter(({ outcome }) => outcome === 'denied') }))
        .filter(({ checks }) => checks.length > 0),
    }))
    .filter(({ hypercalls }) => hypercalls.length > 0);
  return timelineLines({ ...report, timeline, labelChanges: [] }, names, colours);
}
