/**
 * What the readers of device entries have in common: the place of a part of an entry, and libxl's structure.
 *
 * @module
 */
import type { Note, Origin } from '@dewar/policy/text';
import { cfg as report } from '../diagnostics.ts';
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { showBytes } from '../show-text.ts';
import type { XlReader } from '../xl-reader.ts';

/** The members of a structure of libxl, in the order of its definition. */
export type Members = Device['members'];

/** A member that has its default is not printed, so it is not given either. */
export function inOrder(names: readonly string[], values: ReadonlyMap<string, JsonValue | undefined>): Members {
  return names.flatMap((name) => {
    const value = values.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
}

/** Where a part of an entry was written; the whole entry when escapes or `+=` hide the place. */
function partOrigin(spec: DeviceSpec, start: number, end: number): Origin {
  const { span } = spec.origin;
  const written = span.source.text.slice(span.start + 1, span.end - 1);
  if (written !== spec.text || end <= start) return spec.origin;
  return { kind: 'written', span: { ...span, start: span.start + 1 + start, end: span.start + 1 + end } };
}

/** No more diagnostics than this about the entries of one key. */
const LIMIT = 50;

/** Tells what is wrong with entries of one key, but not without end. */
export class DeviceAdvisor {
  readonly #reader: XlReader;
  readonly #key: string;
  #count = 0;

  constructor(reader: XlReader, key: string) {
    this.#reader = reader;
    this.#key = key;
  }

  /** An entry that ends xl. */
  refuse(spec: DeviceSpec, start: number, end: number, why: string): void {
    if (this.#count++ >= LIMIT) return;
    const args = { key: this.#key, why };
    this.#reader.diagnostics.push(report['bad-entry'](partOrigin(spec, start, end), args));
  }

  /** A part that xl leaves out of the entry, with a line that says so. */
  ignore(spec: DeviceSpec, start: number, end: number, why: string): void {
    this.#ignore(spec, start, end, why, []);
  }

  /** A part that xl takes for something else, or leaves out, without a word. */
  ignoreSilently(spec: DeviceSpec, start: number, end: number, why: string): void {
    this.#ignore(spec, start, end, why, [{ message: 'xl says nothing here' }]);
  }

  #ignore(spec: DeviceSpec, start: number, end: number, why: string, notes: readonly Note[]): void {
    if (this.#count++ >= LIMIT) return;
    const args = { key: this.#key, part: showBytes(spec.text.slice(start, end)), why };
    this.#reader.diagnostics.push(report['ignored-part'](partOrigin(spec, start, end), args, { notes }));
  }

  /** A part by an older name. */
  deprecate(spec: DeviceSpec, start: number, end: number, name: string, use: string): void {
    if (this.#count++ >= LIMIT) return;
    const args = { key: name, how: `deprecated: use \`${use}\`` };
    this.#reader.diagnostics.push(report.deprecated(partOrigin(spec, start, end), args));
  }
}

/** A part of an entry that stands between commas, and where it begins. */
export interface Part {
  readonly text: string;
  readonly start: number;
}

/** The parts of an entry as C's `strtok` finds them, without the blanks at their front; empty ones are left out. */
export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  for (const match of text.matchAll(/[^,]+/g)) {
    const trimmed = match[0].replace(/^ +/, '');
    parts.push({ text: trimmed, start: match.index + match[0].length - trimmed.length });
  }
  return parts;
}
