/**
 * `dewar check`: what is wrong with the configuration of a guest, or will silently not apply.
 *
 * @module
 */
import { SourceText } from '@dewar/policy/text';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { type DiagnosticFormat, diagnosticReport } from '../diagnostic-formats.ts';
import { EXIT } from '../failures.ts';
import { readLatin1 } from '../files.ts';
import { displayPath } from '../policy-input.ts';
import { byteText, printLine, type Terminal } from '../terminal.ts';

export interface CheckFlags {
  readonly format: DiagnosticFormat;
  /** Dewar's own version. */
  readonly version: string;
}

/** Reads the file as `xl create` does, and says all that can be said of it without a host. */
export function runCheck(
  file: string,
  settings: readonly string[],
  { format, version }: CheckFlags,
  terminal: Terminal,
): number {
  const source = new SourceText(byteText(file === '-' ? 'stdin' : displayPath(file)), readLatin1(file));
  const { config, diagnostics } = readDomainConfig(parseXlCfg(source, settings.map(byteText)));
  diagnosticReport(diagnostics, { format, version, subject: source.name, stream: terminal.out }, terminal);
  // A warning is of what xl passes over in silence, or of what comes out otherwise than it reads.
  const isInOrder = config !== undefined && diagnostics.every(({ severity }) => severity === 'note');
  if (isInOrder && format === 'text') printLine(terminal.out, `${source.name} is in order`);
  return isInOrder ? EXIT.done : EXIT.problem;
}
