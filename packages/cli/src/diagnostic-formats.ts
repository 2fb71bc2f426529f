/**
 * Diagnostics as other programs take them: JSON, SARIF 2.1.0 for code scanning, and workflow commands of GitHub.
 *
 * Start reading at `diagnosticReport`.
 *
 * @module
 */
import { pathToFileURL } from 'node:url';
import {
  type Diagnostic,
  type Edit,
  expansionNotes,
  type Note,
  type Severity,
  type Span,
  userSpan,
} from '@dewar/policy/text';
import { helpPage } from './help.ts';
import { diagnosticJson } from './report-json.ts';
import { printDiagnostics, type Stream, type Terminal } from './terminal.ts';

/** The ways to print diagnostics. */
export type DiagnosticFormat = 'text' | 'json' | 'sarif' | 'github';

const SARIF_SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json';
const LEVELS = { error: 'error', warning: 'warning', note: 'note' } as const satisfies Record<Severity, string>;
const COMMANDS = { error: 'error', warning: 'warning', note: 'notice' } as const satisfies Record<Severity, string>;

/** A text of one character per byte as Unicode; what is not UTF-8 becomes U+FFFD, and our own signs stay. */
function unicode(text: string): string {
  return text.replaceAll(/[\x80-\xff]+/g, (run) => Buffer.from(run, 'latin1').toString('utf8'));
}

/** A stretch as editors count it: lines and columns from 1, columns in UTF-16 units, the end column one past it. */
interface Region {
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}

function regionOf({ source, start, end }: Span): Region {
  const place = (offset: number): { line: number; column: number } => {
    const { line, column } = source.positionAt(offset);
    return { line, column: unicode(source.lineText(line).slice(0, column - 1)).length + 1 };
  };
  const from = place(start);
  const to = place(Math.max(start, end));
  return { startLine: from.line, startColumn: from.column, endLine: to.line, endColumn: to.column };
}

/** All that explains a diagnostic: the calls it came through, then its own notes. */
function notesOf({ origin, notes }: Diagnostic): Note[] {
  return [...(origin === undefined ? [] : expansionNotes(origin)), ...notes];
}

/** The message, with the notes that have no place and the cures. */
function fullMessage(diagnostic: Diagnostic, notes: readonly Note[]): string {
  const lines = [diagnostic.message, ...notes.map(({ message }) => `note: ${message}`)];
  for (const { title } of diagnostic.fixes) lines.push(`help: ${title}`);
  return unicode(lines.join('\n'));
}

/** A path as a URI reference; a relative one stays relative, so that a forge finds it in its repository. */
function uriOf(name: string): string {
  const path = unicode(name);
  if (path.startsWith('/')) return pathToFileURL(path).href;
  const uri = path.split('/').map(encodeURIComponent).join('/');
  return /^[^/]*:/.test(uri) ? `./${uri}` : uri;
}

function physicalLocation(span: Span): object {
  const { line } = span.source.positionAt(span.start);
  const snippet = unicode(span.source.lineText(line));
  return {
    artifactLocation: { uri: uriOf(span.source.name) },
    region: regionOf(span),
    ...(snippet.trim() === ''
      ? {}
      : { contextRegion: { startLine: line, endLine: line, snippet: { text: `${snippet}\n` } } }),
  };
}

/** What SARIF calls a rule: a code with its page. */
function sarifRule(code: string, severity: Severity): object {
  const page = helpPage(code);
  const rule = { id: code, defaultConfiguration: { level: LEVELS[severity] } };
  if (page === undefined) return rule;
  return {
    ...rule,
    shortDescription: { text: unicode(page.title) },
    fullDescription: { text: unicode(page.summary) },
    help: { text: unicode(page.text), markdown: unicode(page.text) },
  };
}

function replacement({ span, newText }: Edit): object {
  return { deletedRegion: regionOf(span), insertedContent: { text: unicode(newText) } };
}

/** The cures that can be applied, their edits gathered by file; the first one takes those of findings that are alike along. */
function sarifFixes({ fixes, alike = [] }: Diagnostic): object[] {
  return fixes
    .filter(({ edits }) => edits.length > 0)
    .map(({ title, edits }, i) => {
      const others = i > 0 ? [] : alike.flatMap((one) => one.fixes.find((fix) => fix.edits.length > 0)?.edits ?? []);
      const more = others.length === 0 ? '' : `, and the same at ${others.length} other places`;
      return { title: `${title}${more}`, edits: [...edits, ...others] };
    })
    .map(({ title, edits }) => {
      const files = [...new Set(edits.map(({ span }) => span.source.name))];
      const artifactChanges = files.map((name) => ({
        artifactLocation: { uri: uriOf(name) },
        replacements: edits.filter(({ span }) => span.source.name === name).map(replacement),
      }));
      return { description: { text: unicode(title) }, artifactChanges };
    });
}

function sarifResult(diagnostic: Diagnostic, ruleIndex: number, subject: string): object {
  const { code, severity, origin, file = subject } = diagnostic;
  const notes = notesOf(diagnostic);
  const placed = [
    ...notes.flatMap(({ message, origin: at }) => (at === undefined ? [] : [{ message, span: at.span }])),
    ...(diagnostic.alike ?? []).flatMap(({ message, origin: at }) =>
      at === undefined ? [] : [{ message, span: userSpan(at) }],
    ),
  ];
  const fixes = sarifFixes(diagnostic);
  return {
    ruleId: code,
    ruleIndex,
    level: LEVELS[severity],
    message: {
      text: fullMessage(
        diagnostic,
        notes.filter((note) => note.origin === undefined),
      ),
    },
    // A forge shows no result without a place.
    locations: [
      {
        physicalLocation:
          origin === undefined ? { artifactLocation: { uri: uriOf(file) } } : physicalLocation(userSpan(origin)),
      },
    ],
    ...(placed.length === 0
      ? {}
      : {
          relatedLocations: placed.map(({ message, span }, id) => ({
            id,
            physicalLocation: physicalLocation(span),
            message: { text: unicode(message) },
          })),
        }),
    ...(fixes.length === 0 ? {} : { fixes }),
  };
}

/** One SARIF 2.1.0 log with one run. SPEC: OASIS SARIF 2.1.0, sections 3.13 to 3.59. */
export function sarifText(diagnostics: readonly Diagnostic[], version: string, subject: string): string {
  const severities = new Map<string, Severity>();
  for (const { code, severity } of diagnostics) if (!severities.has(code)) severities.set(code, severity);
  const codes = [...severities.keys()].sort();
  const indexes = new Map(codes.map((code, index) => [code, index]));
  const log = {
    $schema: SARIF_SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Dewar',
            version,
            rules: codes.map((code) => sarifRule(code, severities.get(code) ?? 'error')),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: diagnostics.map((diagnostic) => sarifResult(diagnostic, indexes.get(diagnostic.code) ?? 0, subject)),
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

/** Escapes the text of a workflow command: it ends at a line end. */
function commandData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** Escapes a property of a workflow command: it ends at a comma or at the colons before the text. */
function commandProperty(text: string): string {
  return commandData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

function commandOf(diagnostic: Diagnostic): string {
  const { severity, code, origin, file } = diagnostic;
  const properties: string[] = [];
  if (origin === undefined && file !== undefined) properties.push(`file=${commandProperty(unicode(file))}`);
  if (origin !== undefined) {
    const span = userSpan(origin);
    const { startLine, startColumn, endLine, endColumn } = regionOf(span);
    properties.push(`file=${commandProperty(unicode(span.source.name))}`, `line=${startLine}`);
    // GitHub takes columns only where the stretch ends on its first line.
    if (endLine === startLine) {
      properties.push(`endLine=${endLine}`, `col=${startColumn}`, `endColumn=${Math.max(startColumn, endColumn)}`);
    } else properties.push(`endLine=${endLine}`);
  }
  properties.push(`title=${commandProperty(code)}`);
  const notes = notesOf(diagnostic).map(({ message, origin: at }) => {
    if (at === undefined) return { message };
    const { line, column } = at.span.source.positionAt(at.span.start);
    return { message: `${message} (${at.span.source.name}:${line}:${column})` };
  });
  return `::${COMMANDS[severity]} ${properties.join(',')}::${commandData(fullMessage(diagnostic, notes))}\n`;
}

/** Diagnostics as workflow commands, one line each, which GitHub shows at the lines of a change. */
export function githubText(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map(commandOf).join('');
}

/** Diagnostics in a format that another program reads. */
function machineText(
  format: Exclude<DiagnosticFormat, 'text'>,
  list: readonly Diagnostic[],
  { version, subject }: ReportTarget,
): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify({ diagnostics: list.map(diagnosticJson) }, (_, value: unknown) => (typeof value === 'string' ? unicode(value) : value), 2)}\n`;
    case 'sarif':
      return sarifText(list, version, subject);
    case 'github':
      return githubText(list);
  }
}

/** Where and how the diagnostics of a command go. */
export interface ReportTarget {
  readonly format: DiagnosticFormat;
  /** Dewar's own version. */
  readonly version: string;
  /** The file that was read, as the user named it: the place of what has no place in a text. */
  readonly subject: string;
  /** Where a format for programs goes; text goes to the error stream always. */
  readonly stream: Stream;
}

/** Prints all diagnostics of a command at once. */
export function diagnosticReport(diagnostics: readonly Diagnostic[], target: ReportTarget, terminal: Terminal): void {
  if (target.format === 'text') printDiagnostics(terminal, diagnostics);
  else target.stream.write(Buffer.from(machineText(target.format, diagnostics, target), 'utf8'));
}
