/**
 * Which checks are meant: `dom0_t nomigrate_t:mmu { map_read map_write }`, as an `allow` rule says it.
 *
 * Source and target are a type, a whole label, or `*`.
 *
 * @module
 */
import type { CheckRecord, OperationReport } from '@dewar/toolstack';

/** Checks of one class between two labels. */
export interface CheckPattern {
  readonly text: string;
  readonly source: string;
  readonly target: string;
  readonly class: string;
  readonly permissions: readonly string[];
}

const PATTERN = /^\s*(\S+)\s+(\S+)\s*:\s*([\w-]+)\s+(?:\{\s*([\w\s-]+?)\s*\}|([\w-]+))\s*;?\s*$/;
/** Longer texts are no pattern. */
const MAX_PATTERN = 1000;

/** The pattern that a text is; undefined where it is none. */
export function parsePattern(text: string): CheckPattern | undefined {
  // The class follows the last colon: a label has colons of its own.
  const match = text.length > MAX_PATTERN ? null : PATTERN.exec(text);
  if (match === null) return undefined;
  const [, source = '', target = '', tclass = '', list, one] = match;
  return { text: text.trim(), source, target, class: tclass, permissions: (list ?? one ?? '').trim().split(/\s+/) };
}

/** The type in a label. */
export function typeOf(label: string): string {
  return label.split(':')[2] ?? label;
}

function isMeant(wanted: string, label: string): boolean {
  return wanted === '*' || wanted === label || wanted === typeOf(label);
}

/** Whether a pattern is about a check, whatever its permissions. */
export function isBetween({ source, target, class: tclass }: CheckPattern, check: CheckRecord): boolean {
  return tclass === check.class && isMeant(source, check.source) && isMeant(target, check.target);
}

/** The checks of an operation in their order. */
export function checksOf(report: OperationReport<unknown>): CheckRecord[] {
  return report.timeline.flatMap(({ hypercalls }) => hypercalls.flatMap(({ checks }) => checks));
}

/** A check that was denied, as a pattern would say it. */
export function denialText({ source, target, class: tclass, denied }: CheckRecord): string {
  const list = denied.length === 1 ? (denied[0] ?? '') : `{ ${denied.join(' ')} }`;
  return `${typeOf(source)} ${typeOf(target)}:${tclass} ${list}`;
}
