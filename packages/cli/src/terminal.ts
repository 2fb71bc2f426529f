/**
 * What the command line prints on: streams that take bytes, and colours where a person looks on.
 *
 * Policy texts hold one character per byte, so what is printed of them goes out as it came in.
 *
 * @module
 */
import { styleText } from 'node:util';
import type { Hypervisor } from '@dewar/hypervisor';
import { type Diagnostic, type Paint, renderDiagnostic } from '@dewar/policy/text';
import type { ExtraStreams } from '@dewar/xen';

/** One of the two output streams. */
export interface Stream {
  write(bytes: Uint8Array): void;
  readonly isTerminal: boolean;
}

export interface Terminal {
  readonly out: Stream;
  readonly err: Stream;
  /** Told of each simulated host that a command opens: somebody looks at what it is asked (`dewar trace`). */
  readonly onHost?: (hypervisor: Hypervisor) => void;
  /** Through which a guest comes in, and how it went is told, where these are not the standard streams. */
  readonly migrationStreams?: ExtraStreams;
  /** Where the real host is, if it is not the one that this machine is. */
  readonly realHost?: { readonly helperFile: string; readonly root: string; readonly patienceMs?: number };
}

/** A text as the bytes that it stands for; characters beyond a byte are ours, and go out as UTF-8. */
function encode(text: string): Uint8Array {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 255) return encodeMixed(text);
  }
  return Buffer.from(text, 'latin1');
}

function encodeMixed(text: string): Uint8Array {
  const parts: Buffer[] = [];
  for (const run of text.match(/[\0-\xff]+|[^\0-\xff]+/g) ?? [])
    parts.push(Buffer.from(run, run.charCodeAt(0) > 255 ? 'utf8' : 'latin1'));
  return Buffer.concat(parts);
}

/** A text from the user's side (an argument, a path) with one character per byte, as policy texts have. */
export function byteText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A text out of a binary, which may hold anything, as one line that is safe to print. */
export function safeLine(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\xa0-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export function print(stream: Stream, text: string): void {
  stream.write(encode(text));
}

export function printLine(stream: Stream, line = ''): void {
  print(stream, `${line}\n`);
}

const PLAIN = { error: String, warning: String, note: String, strong: String, good: String, faint: String };

/** How words are painted on a stream. */
export interface Colours extends Paint {
  readonly good: (text: string) => string;
  readonly faint: (text: string) => string;
}

/** Colours for a terminal, unless `NO_COLOR` is set; plain text for anything else. */
export function coloursFor(stream: Stream): Colours {
  const isForced = (process.env['FORCE_COLOR'] ?? '') !== '' && process.env['FORCE_COLOR'] !== '0';
  const isRefused = (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb';
  if (isRefused || !(stream.isTerminal || isForced)) return PLAIN;
  const paint =
    (style: Parameters<typeof styleText>[0]) =>
    (text: string): string =>
      styleText(style, text);
  return {
    error: paint('red'),
    warning: paint('yellow'),
    note: paint('cyan'),
    strong: paint('bold'),
    good: paint('green'),
    faint: paint('dim'),
  };
}

/** Prints diagnostics on the error stream. */
export function printDiagnostics({ err }: Terminal, diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.length === 0) return;
  const colours = coloursFor(err);
  for (const diagnostic of diagnostics) printLine(err, renderDiagnostic(diagnostic, colours));
}
