/**
 * Prints what Xen checked while a command ran.
 *
 * @module
 */

import { jsonText } from './report-json.ts';
import {
  byteText,
  type Colours,
  coloursFor,
  print,
  printLine,
  type Stream,
  safeLine,
  type Terminal,
} from './terminal.ts';
import { type LabelNames, legendLines, shortNames } from './timeline.ts';
import type { CheckEntry, TraceEntry, TraceRecord } from './trace-entries.ts';

/** What is said beside the checks. */
export interface TraceHeading {
  readonly command: readonly string[];
  /** How the command ended. */
  readonly exit: number;
  readonly host: string;
  readonly xen: string;
  /** `enforcing`, `permissive`, or another state of FLASK. */
  readonly mode: string;
  readonly policy: string | undefined;
  /** What is missing from the trace, or may be too much in it. */
  readonly notes: readonly string[];
  /** The notes as facts, for a program. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** So many lines that repeat together are folded. */
const LONGEST_CYCLE = 8;
const OPERATIONS_SHOWN = 2;

/** Some entries, and how often they came one after the other. */
interface Cycle {
  readonly entries: readonly TraceEntry[];
  readonly times: number;
}

/** Folds entries that repeat together: the shortest cycle at each place, as often as it comes. */
export function foldCycles(entries: readonly TraceEntry[]): Cycle[] {
  const keys = entries.map((entry) => JSON.stringify(entry));
  const cycles: Cycle[] = [];
  for (let at = 0; at < entries.length; ) {
    let length = 1;
    let times = 1;
    for (let period = 2; period <= LONGEST_CYCLE && at + 2 * period <= entries.length; period++) {
      let same = 0;
      while (at + period + same < keys.length && keys[at + same] === keys[at + period + same]) same++;
      const repeats = 1 + Math.floor(same / period);
      if (repeats < 2) continue;
      length = period;
      times = repeats;
      break;
    }
    cycles.push({ entries: entries.slice(at, at + length), times });
    at += length * times;
  }
  return cycles;
}

const isCheck = (entry: TraceEntry): entry is CheckEntry => entry.kind === 'check';

/** A party: its number, if it is known, and its label. */
function partyText(domid: number | undefined, label: string, names: LabelNames): string {
  return `${domid === undefined ? '' : `d${domid} `}${names.name(label)}`;
}

interface Row {
  readonly who: string;
  readonly what: string;
  readonly outcome: string;
  readonly asked: string;
}

function outcomeText({ outcome, isEnforced }: CheckEntry): string {
  if (outcome === 'granted') return 'granted';
  return isEnforced ? 'DENIED' : 'denied, but permissive';
}

function rowOf(entry: CheckEntry, names: LabelNames): Row {
  const [source, target] = [
    partyText(entry.sourceDomid, entry.source, names),
    partyText(entry.targetDomid, entry.target, names),
  ];
  const shown = entry.operations.slice(0, OPERATIONS_SHOWN).join(' or ');
  const rest = entry.operations.length - OPERATIONS_SHOWN;
  const operations = rest > 0 ? `${shown} or ${rest} others` : shown;
  const times = entry.count === 1 ? '' : ` x${entry.count}`;
  return {
    who: `${source} → ${target}`,
    what: `${entry.class} { ${entry.permissions.join(' ')} }`,
    outcome: `${outcomeText(entry)}${times}`,
    asked: entry.process === undefined ? operations : `${operations} by ${entry.process}`,
  };
}

function* checkLines(entries: readonly TraceEntry[], names: LabelNames, colours: Colours): Generator<string> {
  const rows = entries.filter(isCheck).map((entry) => rowOf(entry, names));
  const widest = (most: number, cell: (row: Row) => string): number =>
    rows.reduce((width, row) => Math.max(width, Math.min(most, cell(row).length)), 0);
  const [who, what, outcome] = [
    widest(56, (row) => row.who),
    widest(36, (row) => row.what),
    widest(16, (row) => row.outcome),
  ];
  for (const { entries: part, times } of foldCycles(entries)) {
    for (const entry of part) {
      if (!isCheck(entry)) {
        yield `  ${colours.warning(safeLine(entry.text))}${entry.count === 1 ? '' : ` x${entry.count}`}`;
        continue;
      }
      const row = rowOf(entry, names);
      const paint = entry.outcome === 'granted' ? colours.good : colours.error;
      yield `  ${row.who.padEnd(who)}  ${row.what.padEnd(what)}  ${paint(row.outcome.padEnd(outcome))}  ${colours.faint(row.asked)}`.trimEnd();
    }
    if (times > 1) yield colours.faint(`  └ these ${part.length} lines ${times} times in a row`);
  }
}

function printText(record: TraceRecord, heading: TraceHeading, out: Stream): void {
  const colours = coloursFor(out);
  const { entries, total, denied, dropped } = record;
  const command = safeLine(byteText(heading.command.join(' ')));
  printLine(out, `trace     ${colours.strong(command)}, which ended with ${heading.exit}`);
  const { mode } = heading;
  printLine(out, `host      ${heading.host}, ${mode === 'enforcing' ? mode : colours.warning(mode)}`);
  if (heading.policy !== undefined) printLine(out, `policy    ${safeLine(heading.policy)}`);
  const labels = new Set(entries.filter(isCheck).flatMap(({ source, target }) => [source, target]));
  const names = shortNames(labels);
  for (const line of legendLines(names, colours)) printLine(out, line);
  printLine(out);
  for (const line of checkLines(entries, names, colours)) printLine(out, line);
  if (total > 0) printLine(out);
  const checks = total === 1 ? '1 check' : `${total} checks`;
  printLine(out, total === 0 ? 'no check was recorded' : `${checks}, ${denied === 0 ? 'none' : denied} denied`);
  if (dropped > 0) printLine(out, colours.warning(`${dropped} of them came after the last that was kept`));
  for (const note of heading.notes) printLine(out, colours.faint(`note: ${safeLine(byteText(note))}`));
}

/** Prints a trace on the output stream. */
export function printTrace(record: TraceRecord, heading: TraceHeading, isJson: boolean, { out }: Terminal): void {
  if (!isJson) {
    printText(record, heading, out);
    return;
  }
  const { command, exit, xen, mode, policy, facts, notes } = heading;
  const { entries, total, denied, dropped } = record;
  print(out, jsonText({ command, exit, xen, mode, policy, total, denied, notKept: dropped, ...facts, notes, entries }));
}
