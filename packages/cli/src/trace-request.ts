/**
 * What `dewar trace` is asked for, on a real host and on a simulated one.
 *
 * @module
 */
import type { HostChoice } from './host-session.ts';
import type { TraceRecord } from './trace-entries.ts';
import type { TraceHeading } from './trace-report.ts';

/** How a command is traced. */
export interface TraceFlags extends HostChoice {
  readonly isJson: boolean;
  /** A file for the trace; without one it goes to the standard output, behind what the command prints there. */
  readonly output: string | undefined;
  /** On a real host: only checks with one of these types as source or target. */
  readonly types: readonly string[];
  /** On a real host: also what is checked page by page and at each event. */
  readonly isWhole: boolean;
}

/** Prints a trace where it is to go. */
export type TellTrace = (record: TraceRecord, heading: TraceHeading) => void;
