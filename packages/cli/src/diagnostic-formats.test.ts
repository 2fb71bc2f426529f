/** Diagnostics as editors, forges and workflows read them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileText } from '@dewar/policy/compiler';
import { type Diagnostic, type Origin, SourceText } from '@dewar/policy/text';
import { afterAll, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';
import { githubText, sarifText } from './diagnostic-formats.ts';

const scratch = mkdtempSync(join(tmpdir(), 'dewar-formats-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Region {
  readonly startLine: number;
  readonly startColumn: number;
  readonly endLine: number;
  readonly endColumn: number;
}

interface Location {
  readonly physicalLocation: { readonly artifactLocation: { readonly uri: string }; readonly region?: Region };
  readonly message?: { readonly text: string };
}

interface Result {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly Location[];
  readonly relatedLocations?: readonly (Location & { readonly id: number })[];
  readonly fixes?: readonly {
    readonly description: { readonly text: string };
    readonly artifactChanges: readonly {
      readonly artifactLocation: { readonly uri: string };
      readonly replacements: readonly {
        readonly deletedRegion: Region;
        readonly insertedContent: { readonly text: string };
      }[];
    }[];
  }[];
}

interface Rule {
  readonly id: string;
  readonly shortDescription: { readonly text: string };
  readonly fullDescription: { readonly text: string };
  readonly help: { readonly text: string; readonly markdown: string };
  readonly defaultConfiguration: { readonly level: string };
}

interface Run {
  readonly tool: {
    readonly driver: { readonly name: string; readonly version: string; readonly rules: readonly Rule[] };
  };
  readonly columnKind: string;
  readonly results: readonly Result[];
}

function readSarif(text: string): Run {
  const log = JSON.parse(text) as { readonly version: string; readonly $schema: string; readonly runs: readonly Run[] };
  expect([log.version, log.$schema]).toEqual(['2.1.0', 'https://json.schemastore.org/sarif-2.1.0.json']);
  const [only, ...others] = log.runs;
  expect(others).toEqual([]);
  if (only === undefined) throw new Error('the log has no run');
  return only;
}

function sarifOf(diagnostics: readonly Diagnostic[]): Run {
  return readSarif(sarifText(diagnostics, '1.2.3', 'policy.conf'));
}

/** What an editor does with a replacement: lines and columns of UTF-16 units. */
function edited(text: string, { startLine, startColumn, endLine, endColumn }: Region, inserted: string): string {
  const lines = text.split('\n');
  const offset = (line: number, column: number): number =>
    lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
  return text.slice(0, offset(startLine, startColumn)) + inserted + text.slice(offset(endLine, endColumn));
}

const written = (source: SourceText, start: number, end: number): Origin => ({
  kind: 'written',
  span: { source, start, end },
});

function diagnostic(parts: Partial<Diagnostic>): Diagnostic {
  return {
    code: 'te/unknown-type',
    severity: 'error',
    message: 'wrong',
    origin: undefined,
    notes: [],
    fixes: [],
    ...parts,
  };
}

const POLICY = `class domain
sid xen
class domain { create }
type xen_t; # größer \u{1f427}
role xen_r; role xen_r types xen_t;
allow xen_t xen_tt:domain create;
user xen_u roles xen_r;
sid xen xen_u:xen_r:xen_t
`;

function compile(text: string): readonly Diagnostic[] {
  return compileText(new SourceText('site/a b.conf', Buffer.from(text, 'utf8').toString('latin1'))).diagnostics;
}

test('a fix in SARIF, applied as an editor applies it, makes the policy compile', () => {
  const { results } = sarifOf(compile(POLICY));
  expect(results).toHaveLength(1);
  const change = results[0]?.fixes?.[0]?.artifactChanges[0];
  const replacement = change?.replacements[0];
  if (replacement === undefined) throw new Error('there is no fix');
  expect(change?.artifactLocation.uri).toBe('site/a%20b.conf');
  const fixed = edited(POLICY, replacement.deletedRegion, replacement.insertedContent.text);
  expect(fixed).toBe(POLICY.replace('xen_tt', 'xen_t'));
  expect(compile(fixed)).toEqual([]);
});

test('columns in SARIF and GitHub count UTF-16 units, not bytes', () => {
  const line = 'ü\u{1f427} wrong';
  const source = new SourceText('a.te', Buffer.from(line, 'utf8').toString('latin1'));
  // ü has 2 bytes and 1 unit, the penguin 4 bytes and 2 units.
  const one = diagnostic({ origin: written(source, 7, 12) });
  expect(sarifOf([one]).results[0]?.locations[0]?.physicalLocation.region).toEqual({
    startLine: 1,
    startColumn: 5,
    endLine: 1,
    endColumn: 10,
  });
  expect(githubText([one])).toBe(
    '::error file=a.te,line=1,endLine=1,col=5,endColumn=10,title=te/unknown-type::wrong\n',
  );
});

test('each rule of SARIF has the page of its code, and each result its rule', () => {
  const { tool, results, columnKind } = sarifOf(compile(`${POLICY}sid xen xen_u:xen_r:xen_t\n`));
  expect([tool.driver.name, tool.driver.version, columnKind]).toEqual(['Dewar', '1.2.3', 'utf16CodeUnits']);
  expect(results.map(({ ruleId }) => ruleId).toSorted()).toEqual(['context/sid-twice', 'te/unknown-type']);
  for (const { ruleId, ruleIndex, level } of results) {
    const rule = tool.driver.rules[ruleIndex];
    expect([rule?.id, rule?.defaultConfiguration.level]).toEqual([ruleId, level]);
    expect(rule?.help.markdown).toContain(`# ${ruleId}: `);
    expect(rule?.shortDescription.text).not.toBe('');
    expect(rule?.fullDescription.text).not.toMatch(/^Error\./);
  }
});

test('the calls that a text came through, and notes with a place, are related locations', () => {
  const body = new SourceText('site.if', "define(`f', `allow $1')");
  const user = new SourceText('site.te', 'first\nf(x)\n');
  const origin: Origin = {
    kind: 'expanded',
    span: { source: body, start: 13, end: 18 },
    macro: 'f',
    call: written(user, 6, 10),
  };
  const notes = [{ message: 'declared here', origin: written(user, 0, 5) }, { message: 'why not' }];
  const { results } = sarifOf([diagnostic({ origin, notes, fixes: [{ title: 'write `y`', edits: [] }] })]);
  const [result] = results;
  expect(result?.locations[0]?.physicalLocation).toMatchObject({
    artifactLocation: { uri: 'site.te' },
    region: { startLine: 2, startColumn: 1, endLine: 2, endColumn: 5 },
  });
  expect(
    result?.relatedLocations?.map(({ message, physicalLocation }) => [
      message?.text,
      physicalLocation.artifactLocation.uri,
    ]),
  ).toEqual([
    ['in the expansion of `f`, called at site.te:2:1', 'site.if'],
    ['declared here', 'site.te'],
  ]);
  expect(result?.message.text).toBe('wrong\nnote: why not\nhelp: write `y`');
  expect(result?.fixes).toBeUndefined();
  expect(githubText([diagnostic({ origin, notes })])).toBe(
    '::error file=site.te,line=2,endLine=2,col=1,endColumn=5,title=te/unknown-type::wrong' +
      '%0Anote: in the expansion of `f`, called at site.te:2:1 (site.if:1:14)%0Anote: declared here (site.te:1:1)%0Anote: why not\n',
  );
});

test('what has no place in a text has the file that was read as its place', () => {
  const { results } = sarifOf([diagnostic({ severity: 'warning' })]);
  expect(results[0]).toMatchObject({
    level: 'warning',
    locations: [{ physicalLocation: { artifactLocation: { uri: 'policy.conf' } } }],
  });
  expect(githubText([diagnostic({ severity: 'warning' })])).toBe('::warning title=te/unknown-type::wrong\n');
});

test('names of files become URIs: absolute, with a colon, with bytes that are no UTF-8', () => {
  const uriOf = (name: string): string | undefined => {
    const origin = written(new SourceText(name, 'x'), 0, 1);
    return sarifOf([diagnostic({ origin })]).results[0]?.locations[0]?.physicalLocation.artifactLocation.uri;
  };
  expect(uriOf('/srv/a b.te')).toBe('file:///srv/a%20b.te');
  expect(uriOf('c:d.te')).toBe('c%3Ad.te');
  expect(uriOf('../x/\xc3\xbc.te')).toBe('../x/%C3%BC.te');
  expect(uriOf('\xff.te')).toBe('%EF%BF%BD.te');
});

test('nothing in a name or a message ends a workflow command or adds a property to it', () => {
  const source = new SourceText('a,line=9::b%.te', 'one\ntwo');
  const one = diagnostic({ severity: 'note', message: '50%\r\n::error::x', origin: written(source, 0, 7) });
  expect(githubText([one])).toBe(
    '::notice file=a%2Cline=9%3A%3Ab%25.te,line=1,endLine=2,title=te/unknown-type::50%25%0D%0A::error::x\n',
  );
});

const wrong = join(scratch, 'wrong.conf');
writeFileSync(wrong, POLICY);
const right = join(scratch, 'right.conf');
writeFileSync(right, POLICY.replace('xen_tt', 'xen_t'));

test('every format ends with the same exit code, and only text writes to the error stream', async () => {
  for (const format of ['text', 'json', 'sarif', 'github']) {
    const failed = await dewar('compile', wrong, '--format', format);
    expect([failed.code, failed.err === ''], format).toEqual([1, format !== 'text']);
    const done = await dewar('compile', right, '--format', format);
    expect([done.code, done.err], format).toEqual([0, '']);
  }
});

test('`--json` is `--format json`, and stands beside no other format', async () => {
  expect(await dewar('compile', wrong, '--json')).toEqual(await dewar('compile', wrong, '--format', 'json'));
  expect((await dewar('compile', wrong, '--json', '--format', 'sarif')).code).toBe(2);
  expect((await dewar('compile', wrong, '--format', 'xml')).code).toBe(2);
});

test('a policy without a fault is a SARIF log without results', async () => {
  const { results, tool } = readSarif((await dewar('compile', right, '--format', 'sarif')).out);
  expect([results, tool.driver.rules]).toEqual([[], []]);
});

test('with the binary on the standard output, the report goes to the error stream', async () => {
  const { code, out, err } = await dewar('compile', right, '-o', '-', '--format', 'sarif');
  expect(code).toBe(0);
  expect(out.length).toBeGreaterThan(100);
  expect(readSarif(err).results).toEqual([]);
});

test('m4 and the configuration of a guest speak the same formats', async () => {
  const macros = join(scratch, 'a.m4');
  writeFileSync(macros, "define(`a', `b");
  const m4 = await dewar('m4', macros, '--format', 'sarif');
  expect([m4.code, m4.err]).toEqual([1, '']);
  expect(readSarif(m4.out).results.map(({ ruleId }) => ruleId)).toContain('m4/unterminated-quote');
  const cfg = join(scratch, 'guest.cfg');
  writeFileSync(cfg, "name = 'x'\ntype = 'pv'\nkernel = '/k'\nsec_label = 'a:b:c'\n");
  const github = await dewar('create', cfg, '--format', 'github');
  expect([github.code, github.err]).toEqual([1, '']);
  expect(github.out).toMatch(
    /^::error file=\S*guest\.cfg,line=4,endLine=4,col=1,endColumn=10,title=cfg\/misspelt-label-key::/,
  );
  const json = await dewar('create', cfg, '--format', 'json');
  expect(json).toEqual(await dewar('create', cfg, '--json'));
});
