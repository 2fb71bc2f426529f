/**
 * What an xl.cfg file says, before anyone gives the keys a meaning.
 *
 * Follows Xen `tools/libs/util/libxlu_internal.h`, `XLU_ConfigSetting` and `XLU_ConfigValue`.
 * Texts hold one character per byte, as `SourceText` does; a NUL byte never gets into a value.
 *
 * @module
 */
import type { Diagnostic, SourceText, Span } from '@dewar/policy/text';

/** A single value. Numbers and quoted strings are not told apart: both are text. */
export interface XlString {
  readonly kind: 'string';
  /** The text without its quotes and with its escapes carried out; after `+=`, the joined text. */
  readonly text: string;
  /** The line as libxlutil counts it. */
  readonly line: number;
  /** Where it was written, quotes included; after `+=`, where the last piece was written. */
  readonly span: Span;
}

/** A list; its items may be lists again. */
export interface XlList {
  readonly kind: 'list';
  readonly items: readonly XlValue[];
  /** The line as libxlutil counts it: that of the first item, or of the closing bracket of an empty list. */
  readonly line: number;
  /** From the opening to the closing bracket. */
  readonly span: Span;
}

/** What a key is set to. */
export type XlValue = XlString | XlList;

/** One assignment. */
export interface Setting {
  readonly key: string;
  readonly op: '=' | '+=';
  /**
   * What the key holds after this assignment, joined with the earlier value for `+=`.
   * When a later `+=` took over the items of this list, it is empty, as in libxlutil.
   */
  readonly value: XlValue;
  /** The line as libxlutil counts it: that on which the value begins. */
  readonly line: number;
  readonly keySpan: Span;
}

/**
 * How the parse ended in libxlutil.
 *
 * `parsed`: without an error.
 * `refused`: with at least one error; xl stops with `EINVAL`. Settings up to the first error are known.
 * `aborted`: xl dies of an assertion, because a string holds a NUL byte.
 */
export type ParseOutcome = 'parsed' | 'refused' | 'aborted';

/** A parsed xl.cfg file. */
export interface XlCfg {
  readonly source: SourceText;
  readonly outcome: ParseOutcome;
  /** All settings that libxlutil keeps, in the order of the file. */
  readonly settings: readonly Setting[];
  /** The setting that counts for each key: the last one. */
  readonly byKey: ReadonlyMap<string, Setting>;
  /** Exactly what libxlutil writes to its report stream. */
  readonly libxlReport: string;
  readonly diagnostics: readonly Diagnostic[];
}
