/**
 * Diagnostics: what a user should know about their input, as values of one shape.
 *
 * Start reading at `defineDiagnostics`.
 *
 * @module
 */
import type { Origin } from './origin.ts';
import type { Span } from './source-text.ts';

/** An error lets no policy be made; a warning does; a note only explains. */
export type Severity = 'error' | 'warning' | 'note';

/** One replacement. A fix only ever edits text that a person wrote. */
export interface Edit {
  readonly span: Span;
  readonly newText: string;
}

/** A cure that can be applied: a title and the edits that carry it out. */
export interface Fix {
  readonly title: string;
  readonly edits: readonly Edit[];
}

/** A further fact, with the place it is about when there is one. */
export interface Note {
  readonly message: string;
  readonly origin?: Origin;
}

/** Something a user should know about their input. Never thrown. */
export interface Diagnostic {
  /** Stable name, `area/what-is-wrong`. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly origin: Origin | undefined;
  /** What it is about as a whole, where it has no place in a text: a binary, a policy directory. */
  readonly file?: string;
  readonly notes: readonly Note[];
  readonly fixes: readonly Fix[];
  /** The same for the same reason at other places, of which a note names a few. */
  readonly alike?: readonly Diagnostic[];
}

/** Takes one diagnostic; whoever collects them decides where they go. */
export type Report = (diagnostic: Diagnostic) => void;

/** The `{names}` in a message template, as a union of strings. */
type Placeholders<T extends string> = T extends `${string}{${infer P}}${infer Rest}` ? P | Placeholders<Rest> : never;

interface Entry {
  readonly severity: Severity;
  readonly message: string;
}

interface Extra {
  readonly notes?: readonly Note[];
  readonly fixes?: readonly Fix[];
}

/** A function for each diagnostic of an area; it takes a value for each `{name}` in the message. */
export type Creators<T extends Record<string, Entry>> = {
  readonly [K in keyof T]: (
    origin: Origin | undefined,
    args: { readonly [P in Placeholders<T[K]['message']>]: string | number },
    extra?: Extra,
  ) => Diagnostic;
};

/** A text of the user's side, in which no control character moves the cursor of a terminal or ends the line. */
function showControls(text: string): string {
  return text.replaceAll(/[\0-\x1f\x7f]/g, (c) => {
    const known = { '\t': '\\t', '\n': '\\n', '\r': '\\r' }[c];
    return known ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** Declares the diagnostics of one area and returns a typed function for each. */
export function defineDiagnostics<const T extends Record<string, Entry>>(area: string, entries: T): Creators<T> {
  const creators: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(entries)) {
    creators[name] = (
      origin: Origin | undefined,
      args: Record<string, string | number>,
      extra: Extra = {},
    ): Diagnostic => ({
      code: `${area}/${name}`,
      severity: entry.severity,
      message: entry.message.replaceAll(/\{(\w+)\}/g, (_, key: string) => showControls(String(args[key]))),
      origin,
      notes: extra.notes ?? [],
      fixes: extra.fixes ?? [],
    });
  }
  // The loop above made one creator for each key of `entries`.
  return creators as Creators<T>;
}

/** What was said about a file as a whole, with the name of that file; what has a place in a text names it already. */
export function aboutFile(file: string, diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const isNamed = ({ origin, file: known }: Diagnostic): boolean => origin !== undefined || known !== undefined;
  return diagnostics.every(isNamed) ? diagnostics : diagnostics.map((one) => (isNamed(one) ? one : { ...one, file }));
}

/** Whether any of these stops the work. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}
