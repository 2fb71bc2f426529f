/**
 * A process, and not another one that has its number later.
 *
 * @module
 */
import { readFileSync } from 'node:fs';

/** By which a process is known again. */
export interface ProcessMark {
  readonly pid: number;
  /** When it was started: field 22 of Linux's `/proc/PID/stat`; empty where that could not be read. */
  readonly start: string;
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program, in parentheses, may hold anything.
    const { 0: state = '', 19: start } = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // What is dead and was not waited for does nothing any more.
    return state === 'Z' || state === 'X' ? undefined : start;
  } catch {
    return undefined;
  }
}

/** The mark of a process. */
export function markOf(pid: number): ProcessMark {
  return { pid, start: startOf(pid) ?? '' };
}

/** Whether it is still there. */
export function isAlive({ pid, start }: ProcessMark): boolean {
  return startOf(pid) === start;
}

/** Whether something that was read is a mark. */
export function isMark(value: unknown): value is ProcessMark {
  return typeof value === 'object' && value !== null && 'pid' in value && 'start' in value;
}
