/**
 * What a rehearsal came to, for who is about to do the real thing.
 *
 * @module
 */

import { coloursFor, printDiagnostics, printLine, type Terminal } from '../terminal.ts';
import { labelNames, refusalLines } from '../timeline.ts';
import type { Rehearsal } from './rehearse-build.ts';

/** What is about to be done. */
export interface Rehearsed {
  /** It is to be done although the rehearsal was refused. */
  readonly isForced: boolean;
  /** What happens then: `the guest is built`. */
  readonly goesOn: string;
  /** What is said where it does not happen. */
  readonly left: string;
}

/** Says what a rehearsal came to, and answers whether the real thing may begin. */
export function mayFollow(rehearsal: Rehearsal, { isForced, goesOn, left }: Rehearsed, terminal: Terminal): boolean {
  const { err } = terminal;
  const colours = coloursFor(err);
  if (rehearsal.kind === 'passed') return true;
  if (rehearsal.kind === 'none') {
    printLine(err, `${colours.warning('note:')} not rehearsed: ${rehearsal.reason}`);
    return true;
  }
  const { report } = rehearsal;
  for (const line of refusalLines(report, labelNames(report), colours)) printLine(err, line);
  printDiagnostics(terminal, report.diagnostics);
  printLine(err, isForced ? `${colours.warning('warning:')} the rehearsal failed; ${goesOn} nevertheless` : left);
  return isForced;
}
