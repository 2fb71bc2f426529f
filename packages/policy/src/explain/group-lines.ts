/**
 * Lines that say the same, as one.
 *
 * @module
 */
import type { AvcLine } from './log-lines.ts';

/** avc lines with the same outcome, labels, class and permissions. */
export interface LineGroup {
  readonly outcome: AvcLine['outcome'];
  readonly source: string | number;
  readonly target: string | number;
  readonly class: string;
  readonly permissions: readonly string[];
  readonly unnamedBits: number;
  readonly count: number;
  /** The first of them. */
  readonly first: AvcLine;
  /** Line of the last of them. */
  readonly lastLine: number;
  /** The domains that asked, and those that it was about, as far as the lines name them. */
  readonly sourceDomains: readonly string[];
  readonly targetDomains: readonly string[];
  /** What the lines name beside labels, such as `irq=16`; a few of them. */
  readonly details: readonly string[];
}

/** Domains and details that are kept of a group. */
const KEPT = 8;

interface Growing {
  readonly first: AvcLine;
  count: number;
  lastLine: number;
  readonly sources: Set<string>;
  readonly targets: Set<string>;
  readonly details: Set<string>;
}

function addUpTo(set: Set<string>, value: string | undefined): void {
  if (value !== undefined && set.size < KEPT) set.add(value);
}

/** Groups of equal lines, in the order of their first lines. */
export function groupLines(lines: readonly AvcLine[]): LineGroup[] {
  const groups = new Map<string, Growing>();
  for (const line of lines) {
    const { outcome, source, target, permissions, unnamedBits } = line;
    const key = [outcome, source, target, line.class, permissions.toSorted().join(), unnamedBits].join(' ');
    let group = groups.get(key);
    if (group === undefined) {
      const empty = (): Set<string> => new Set();
      group = { first: line, count: 0, lastLine: line.line, sources: empty(), targets: empty(), details: empty() };
      groups.set(key, group);
    }
    group.count++;
    group.lastLine = line.line;
    addUpTo(group.sources, line.sourceDomain ?? line.currentDomain);
    addUpTo(group.targets, line.targetDomain);
    for (const [name, value] of Object.entries(line.details)) addUpTo(group.details, `${name}=${value}`);
  }
  return Array.from(groups.values(), ({ first, count, lastLine, sources, targets, details }) => ({
    outcome: first.outcome,
    source: first.source,
    target: first.target,
    class: first.class,
    permissions: first.permissions,
    unnamedBits: first.unnamedBits,
    count,
    first,
    lastLine,
    sourceDomains: [...sources],
    targetDomains: [...targets],
    details: [...details],
  }));
}
