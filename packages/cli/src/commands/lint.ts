/**
 * `dewar lint`: what compiles and is wrong.
 *
 * @module
 */
import type { CompileOptions } from '@dewar/policy/compiler';
import type { LintInput } from '@dewar/policy/linter';
import { type Diagnostic, type Edit, hasErrors } from '@dewar/policy/text';
import { type DiagnosticFormat, diagnosticReport } from '../diagnostic-formats.ts';
import { readSubject } from '../explain-subject.ts';
import { EXIT, FileError, NO_ANSWER, UsageError } from '../failures.ts';
import { writeWhole } from '../files.ts';
import { displayPath, type PolicyReading, readBinary, readPolicy } from '../policy-input.ts';
import { diagnosticJson, jsonText } from '../report-json.ts';
import { byteText, coloursFor, print, printLine, type Terminal } from '../terminal.ts';
import { releaseFor } from './reach.ts';

/** The options of the command line. */
export interface LintFlags {
  readonly host: string | undefined;
  readonly only: readonly string[] | undefined;
  readonly ignore: readonly string[];
  readonly isFix: boolean;
  readonly format: DiagnosticFormat;
  readonly isQuiet: boolean;
  /** Dewar's own version. */
  readonly version: string;
  readonly compile: CompileOptions;
}

/** The words of options that name codes, with or without the area. */
function codesIn(named: readonly string[], known: readonly string[]): string[] {
  const codes = named.flatMap((one) => one.split(',')).map((one) => one.trim().replace(/^lint\//, ''));
  const stranger = codes.find((one) => !known.includes(one));
  if (stranger !== undefined)
    throw new UsageError(`there is no lint \`${stranger}\`; there are ${known.map((one) => `\`${one}\``).join(', ')}`);
  return codes;
}

/** A policy with what is found in it. */
interface Linted {
  readonly reading: PolicyReading;
  readonly found: readonly Diagnostic[];
  /** What kept the policy from being looked at. */
  readonly faults: readonly Diagnostic[];
  /** The codes that are not looked for here, as there are no sources. */
  readonly leftOut: readonly string[];
}

async function lintOnce(policy: string | undefined, flags: LintFlags, terminal: Terminal): Promise<Linted | undefined> {
  const { lintPolicy, LINT_CODES, SOURCE_CODES } = await import('@dewar/policy/linter');
  const only = flags.only === undefined ? undefined : codesIn(flags.only, LINT_CODES);
  const ignore = codesIn(flags.ignore, LINT_CODES);
  const { host, compile } = flags;
  if (host !== undefined) {
    const asked = await readSubject({ policy, host, compile }, terminal);
    if (asked === undefined) return undefined;
    const { reading, subject } = asked;
    const { view, release, source } = subject;
    const setting = new Map(view.policy.booleans.entries.map(({ value }) => [value, view.booleans[value] === true]));
    const input: LintInput = { policy: view.policy, compiled: source?.compiled, release, setting };
    const leftOut = source === undefined ? SOURCE_CODES : [];
    return { reading, found: lintPolicy(input, { only, ignore }), faults: [], leftOut };
  }
  const reading = await readPolicy(policy, compile);
  const read = hasErrors(reading.diagnostics) ? undefined : await readBinary(reading);
  if (read === undefined) return { reading, found: [], faults: reading.diagnostics, leftOut: [] };
  if ('diagnostic' in read) return { reading, found: [], faults: [read.diagnostic], leftOut: [] };
  const release = await releaseFor(read.policy, compile.release);
  const input: LintInput = { policy: read.policy, compiled: reading.compiled, release };
  const found = [...reading.diagnostics, ...lintPolicy(input, { only, ignore })];
  return { reading, found, faults: [], leftOut: reading.compiled === undefined ? SOURCE_CODES : [] };
}

/** What the answer rests on, and what it does not cover. */
function scopeOf({ leftOut }: Linted): string {
  const scope =
    'asked about the labels that domains can come to have, under the settings of booleans that somebody can make';
  const names = leftOut.map((code) => `\`${code}\``);
  return names.length === 0 ? scope : `${scope}; without sources, ${joined(names)} are not looked for`;
}

function joined(names: readonly string[]): string {
  return [names.slice(0, -1).join(', '), ...names.slice(-1)].filter((one) => one !== '').join(' and ');
}

export async function runLint(policy: string | undefined, flags: LintFlags, terminal: Terminal): Promise<number> {
  if (flags.isFix && policy === '-') throw new UsageError('`--fix` changes files: the standard input is none');
  let linted = await lintOnce(policy, flags, terminal);
  if (linted === undefined) return NO_ANSWER;
  let written: readonly string[] = [];
  if (flags.isFix && linted.faults.length === 0) {
    // One cure can make another one needless, or possible: they are applied as long as they help.
    for (let round = 0; round < ROUNDS; round++) {
      const files = await applyFixes(linted);
      if (files.length === 0) break;
      written = [...new Set([...written, ...files])];
      linted = (await lintOnce(policy, flags, terminal)) ?? linted;
    }
  }
  const { reading, found, faults } = linted;
  const { format, version } = flags;
  const told = faults.length > 0 ? faults : found;
  if (format === 'json') {
    const outcome = faults.length > 0 ? 'failed' : found.length > 0 ? 'found' : 'clean';
    const answer = { policy: reading.name, outcome, scope: scopeOf(linted), changed: written };
    print(terminal.out, jsonText({ ...answer, diagnostics: told.map(diagnosticJson) }));
  } else diagnosticReport(told, { format, version, subject: reading.name, stream: terminal.out }, terminal);
  if (format === 'text' && !flags.isQuiet) {
    for (const file of written) printLine(terminal.out, `${file}: changed`);
    if (faults.length === 0) printLine(terminal.out, coloursFor(terminal.out).faint(scopeOf(linted)));
    const words = reading.compiled === undefined ? 'cannot be read' : 'does not compile';
    if (faults.length > 0) printLine(terminal.err, `${reading.name}: it ${words}, so nothing was looked at`);
    else if (found.length === 0) printLine(terminal.out, `${reading.name}: nothing found`);
    else printLine(terminal.out, `${reading.name}: ${countText(found)}`);
  }
  if (faults.length > 0) return NO_ANSWER;
  return found.length === 0 ? EXIT.done : EXIT.problem;
}

function countText(found: readonly Diagnostic[]): string {
  const places = found.reduce((sum, { alike = [] }) => sum + 1 + alike.length, 0);
  const findings = `${found.length} finding${found.length === 1 ? '' : 's'}`;
  return places === found.length ? findings : `${findings}, at ${places} places`;
}

/** More rounds than this would mean that cures call for each other. */
const ROUNDS = 5;

/** Edits that do not overlap, in the order of their places. */
function apart(edits: readonly Edit[]): Edit[] {
  const kept: Edit[] = [];
  for (const edit of edits.toSorted((a, b) => a.span.start - b.span.start || a.span.end - b.span.end)) {
    const last = kept.at(-1);
    const isSame = last !== undefined && last.span.start === edit.span.start && last.newText === edit.newText;
    if (!isSame && (last === undefined || last.span.end <= edit.span.start)) kept.push(edit);
  }
  return kept;
}

/** Writes the first cure of each finding that has one; answers the files that were changed. */
async function applyFixes({ reading, found }: Linted): Promise<string[]> {
  const edits = found
    .filter(({ code }) => code.startsWith('lint/'))
    .flatMap((one) => [one, ...(one.alike ?? [])])
    .flatMap(({ fixes }) => fixes.find((one) => one.edits.length > 0)?.edits ?? []);
  const names = [...new Set(edits.map(({ span }) => span.source.name))];
  for (const name of names) {
    const own = apart(edits.filter(({ span }) => span.source.name === name));
    const [first] = own;
    const path = reading.files.find((file) => byteText(displayPath(file)) === name);
    if (first === undefined || path === undefined) throw new FileError(`cannot find the file \`${name}\` again`);
    const text = own
      .toReversed()
      .reduce(
        (left, { span, newText }) => left.slice(0, span.start) + newText + left.slice(span.end),
        first.span.source.text,
      );
    writeWhole(path, Buffer.from(text, 'latin1'));
  }
  return names;
}
