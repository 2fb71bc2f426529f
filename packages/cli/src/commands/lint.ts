/**
 * `dewar lint`: what compiles and is wrong.
 *
 * @module
 */
import type { CompileOptions } from '@dewar/policy/compiler';
import { type DiagnosticFormat, diagnosticReport } from '../diagnostic-formats.ts';
import { readSubject } from '../explain-subject.ts';
import { EXIT, UsageError } from '../failures.ts';
import { helpPage } from '../help.ts';
import { diagnosticJson, jsonText } from '../report-json.ts';
import { coloursFor, print, printLine, type Terminal } from '../terminal.ts';

export interface LintFlags {
  readonly host: string | undefined;
  readonly format: DiagnosticFormat;
  /** Codes that are not told. */
  readonly ignored: readonly string[];
  /** Dewar's own version. */
  readonly version: string;
  readonly compile: CompileOptions;
}

/** What the answer rests on, and what it leaves out. */
const SCOPE =
  'rules count under any setting of the booleans; labels, levels and constraints are asked for constraints and Argo only';

export async function runLint(policy: string | undefined, flags: LintFlags, terminal: Terminal): Promise<number> {
  for (const code of flags.ignored)
    if (!code.startsWith('lint/') || helpPage(code) === undefined)
      throw new UsageError(`\`--ignore ${code}\`: there is no such code; \`dewar help lint\` lists them`);
  const found = await readSubject({ policy, host: flags.host, compile: flags.compile }, terminal);
  if (found === undefined) return EXIT.problem;
  const { lintPolicy } = await import('@dewar/policy/lint');
  const diagnostics = lintPolicy(found.subject).filter(({ code }) => !flags.ignored.includes(code));
  const { format, version } = flags;
  const { name } = found.reading;
  if (format === 'json') {
    const outcome = diagnostics.length === 0 ? 'clean' : 'found';
    const shown = diagnostics.map(diagnosticJson);
    print(terminal.out, jsonText({ policy: name, outcome, scope: SCOPE, diagnostics: shown }));
  } else {
    diagnosticReport(diagnostics, { format, version, subject: name, stream: terminal.out }, terminal);
    if (format === 'text') {
      printLine(terminal.out, coloursFor(terminal.out).faint(SCOPE));
      const { length } = diagnostics;
      printLine(
        terminal.out,
        length === 0 ? `${name}: nothing was found` : `${name}: ${length} warning${length === 1 ? '' : 's'}`,
      );
    }
  }
  return diagnostics.length === 0 ? EXIT.done : EXIT.problem;
}
