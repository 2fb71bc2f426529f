/** What we say about the form of a file, where libxlutil says `syntax error`. */
import { type Diagnostic, SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { parseXlCfg } from './parser.ts';

/** The text without its marks `«…»`, and the places that they mark. */
function unmark(marked: string): { text: string; marks: (readonly [number, number])[] } {
  const marks: (readonly [number, number])[] = [];
  let text = '';
  let start = 0;
  for (const piece of marked.split(/(?=[«»])/)) {
    if (piece.startsWith('«')) start = text.length;
    if (piece.startsWith('»')) marks.push([start, text.length]);
    text += piece.replace(/^[«»]/, '');
  }
  return { text, marks };
}

const spanOf = ({ origin }: Diagnostic): readonly (number | undefined)[] => [origin?.span.start, origin?.span.end];

function applyFix({ fixes }: Diagnostic, text: string): string {
  const edits = [...(fixes[0]?.edits ?? [])].sort((a, b) => b.span.start - a.span.start);
  return edits.reduce((left, { span, newText }) => left.slice(0, span.start) + newText + left.slice(span.end), text);
}

/** A file with one problem: what it is called, the place, and the file once the first fix is applied. */
type Row = readonly [what: string, marked: string, code: string, fixed?: string];

const rows: readonly Row[] = [
  ['a word for a number', 'acpi = «yes»\n', 'word-value', 'acpi = 1\n'],
  ['a word in capitals', 'acpi = «False»\n', 'word-value', 'acpi = 0\n'],
  [
    'a path without quotes',
    "kernel = «/boot/vmlinuz»\nname = 'x'\n",
    'unquoted-value',
    "kernel = '/boot/vmlinuz'\nname = 'x'\n",
  ],
  [
    'words without quotes before a remark',
    'extra = «root=/dev/xvda ro» # x\n',
    'unquoted-value',
    "extra = 'root=/dev/xvda ro' # x\n",
  ],
  [
    'an item without quotes',
    'vif = [ «bridge=xenbr0», "x" ]\n',
    'unquoted-value',
    'vif = [ \'bridge=xenbr0\', "x" ]\n',
  ],
  ['a unit after a number', 'memory = «512M»\n', 'bad-number'],
  ['a number in capital hexadecimal', 'memory = «0x2A»\n', 'bad-number', "memory = '0x2A'\n"],
  ['a sign before a number', 'cpu_weight = «-1»\n', 'bad-number', "cpu_weight = '-1'\n"],
  ['a fraction', 'memory = «1.5»\n', 'bad-number'],
  ['two strings side by side', 'a = "b" «"c"»\n', 'two-values'],
  ['two strings with a plus', 'a = "b" «+» "c"\n', 'two-values'],
  ['two assignments on a line', 'a = 1 «b» = 2\n', 'two-statements', 'a = 1 ; b = 2\n'],
  ['a comma after a value', 'a = 1«,»2\n', 'unexpected'],
  ['a bracket that opens nothing', 'a = 1«]»\n', 'unopened-list', 'a = 1\n'],
  ['a bracket for a value', 'a = «]»\n', 'unexpected'],
  ['a list that the next assignment ends', 'a = «[» "x"\nb = 1\nc = 2\n', 'unclosed-list'],
  ['a list that the end of the file ends', 'a = «[» "x",\n', 'unclosed-list'],
  ['items without a comma', 'a = [ "x" «"y"» ]\n', 'no-comma', 'a = [ "x" , "y" ]\n'],
  ['a comma twice', 'a = [ "x",«,» "y" ]\n', 'empty-item', 'a = [ "x", "y" ]\n'],
  ['a comma alone', 'a = [ «,» ]\n', 'empty-item', 'a = [  ]\n'],
  ['a semicolon in a list', 'a = [ "x" «;» "y" ]\n', 'unexpected'],
  ['an open string', 'a = «"x»\n', 'unclosed-string', 'a = "x"\n'],
  ['an open string before a remark', 'a = «"x # y»\n', 'unclosed-string'],
  ['an open string at a backslash', 'a = «"x\\»\ny"\n', 'unclosed-string'],
  ['a string over two lines', "a = [ «'x,»\n y' ]\n", 'unclosed-string'],
  ['a string closed by the other quote', 'a = «\'x"» \n', 'unclosed-string', "a = 'x\"' \n"],
  ['a remark without a line end', 'a = 1 «# end»', 'unclosed-comment', 'a = 1 # end\n'],
  ['an unknown escape', 'a = "«\\q»"\n', 'bad-escape', 'a = "\\\\q"\n'],
  ['a hexadecimal escape', 'a = "«\\x»41"\n', 'bad-escape'],
  ['an octal escape', 'a = "«\\1»"\n', 'bad-escape'],
  ['a string added to a list', 'a = [ 1 ]\na += «"x"»\n', 'mixed-append'],
  ['a list added to a string', 'a = "x"\na += «[ 1 ]»\n', 'mixed-append'],
  ['a NUL byte in a string', 'a = "x«\0»"\n', 'nul-in-string'],
  ['lines that end with CR and LF', 'a = 1«\r»\nb = [ 2,\r\n3 ]\r\n', 'carriage-return', 'a = 1\nb = [ 2,\n3 ]\n'],
  ['a carriage return in a line', 'a = «\r»1\n', 'carriage-return'],
  ['a blank that is none', 'a =«\xc2\xa0»1\n', 'not-ascii', 'a = 1\n'],
  ['curly quotes', 'a = «\xe2\x80\x9c»x\xe2\x80\x9d # y\n', 'not-ascii', 'a = "x" # y\n'],
  ['curly quotes around a label', 'a = «\xe2\x80\x98»u:r:t\xe2\x80\x99\n', 'not-ascii', "a = 'u:r:t'\n"],
  ['a letter outside ASCII', '«\xc3\xa9» = 1\n', 'not-ascii'],
  ['a byte that is no character', 'a = «\xff»\n', 'not-ascii'],
  ['a colon for the equals sign', 'a«:» 1\n', 'no-equals', 'a = 1\n'],
  ['no equals sign', 'a «"x"»\n', 'no-equals', 'a = "x"\n'],
  ['a statement of Python', 'import «os»\n', 'no-equals'],
  ['a plus apart from its equals sign', 'a «+ =» 1\n', 'split-append', 'a += 1\n'],
  ['no value', 'a «=»\n"x"\n', 'no-value'],
  ['no value at the end', 'a «=»', 'no-value'],
  ['a value for a key', '«"x"» = 1\n', 'no-key'],
  ['an equals sign for a key', '«=» 1\n', 'no-key'],
  ['a key with a capital letter', '«Name» = 1\n', 'bad-key', 'name = 1\n'],
  ['a key with a capital letter inside', '«onReboot» = "restart"\n', 'bad-key', 'on_reboot = "restart"\n'],
  ['a key with a dash', '«on-reboot» = "restart"\n', 'bad-key', 'on_reboot = "restart"\n'],
  ['a key with an underscore at the front', '«_a» = 1\n', 'bad-key'],
  ['a remark of C', 'a = 1 «//» x\n', 'stray-text'],
  ['a line that a backslash continues', 'a = «\\»\n1\n', 'stray-text'],
  ['a tuple', 'a = «(1,» 2)\n', 'stray-text'],
  ['a dictionary', 'a = «{}»\n', 'stray-text'],
];

const cases = rows.map(([what, marked, code, fixed]) => ({ what, marked, code, fixed }));

describe('the form of a file', () => {
  test.each(cases)('$what: one diagnostic, at its place', ({ marked, code }) => {
    const { text, marks } = unmark(marked);
    const { diagnostics, outcome } = parseXlCfg(new SourceText('guest.cfg', text));
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual([`cfg/${code}`]);
    expect(diagnostics.map(spanOf)).toEqual(marks);
    expect(outcome).not.toBe('parsed');
  });

  test.each(cases)('$what: the fix, if there is one, makes a file that xl takes', ({ marked, code, fixed }) => {
    const { text } = unmark(marked);
    const [diagnostic] = parseXlCfg(new SourceText('guest.cfg', text)).diagnostics;
    expect(diagnostic?.code).toBe(`cfg/${code}`);
    const result = diagnostic === undefined ? '' : applyFix(diagnostic, text);
    expect(result).toBe(fixed ?? text);
    if (fixed !== undefined) expect(parseXlCfg(new SourceText('guest.cfg', result)).outcome).toBe('parsed');
  });

  // Its bytes hold one that is a mark of these tests.
  test('a byte order mark: one diagnostic, and a fix that removes it', () => {
    const text = '\xef\xbb\xbfname = "x"\n';
    const { diagnostics } = parseXlCfg(new SourceText('guest.cfg', text));
    expect(diagnostics.map(({ code }) => code)).toEqual(['cfg/byte-order-mark']);
    expect(diagnostics.map(spanOf)).toEqual([[0, 3]]);
    expect(diagnostics.map((diagnostic) => applyFix(diagnostic, text))).toEqual(['name = "x"\n']);
  });

  test('problems on two lines are two diagnostics, those on one line are one', () => {
    const { diagnostics } = parseXlCfg(new SourceText('guest.cfg', 'a = @ $ %\nb = ^ "\nc = 1\n'));
    expect(diagnostics.map(({ code }) => code)).toEqual(['cfg/stray-text', 'cfg/stray-text']);
  });

  test('after a hundred problems one more line says that there are more', () => {
    const { diagnostics } = parseXlCfg(new SourceText('guest.cfg', '@ x\n'.repeat(500)));
    expect(diagnostics.length).toBe(101);
    expect(diagnostics.at(-1)).toMatchObject({ code: 'cfg/too-many-problems', severity: 'note' });
  });

  test('where libxlutil gives up, we go on and say so', () => {
    const { diagnostics, libxlReport } = parseXlCfg(new SourceText('guest.cfg', 'a = 1 b = 2\nc = yes\n'));
    expect(libxlReport).toBe(
      "guest.cfg:1: config parsing error near `b': syntax error, unexpected IDENT, expecting $end\n",
    );
    expect(diagnostics.map(({ code, notes }) => [code, notes.at(-1)?.message])).toEqual([
      ['cfg/two-statements', undefined],
      ['cfg/word-value', 'xl says nothing here: it has given up on the file before this line'],
    ]);
  });

  test('what xl reads over in silence is a warning', () => {
    const vanished = parseXlCfg(new SourceText('guest.cfg', 'a = "x\\0123y"\n'));
    expect(vanished.byKey.get('a')?.value).toMatchObject({ kind: 'string', text: 'xy' });
    expect(vanished.diagnostics).toMatchObject([{ code: 'cfg/vanished-escape', severity: 'warning' }]);
    const unread = parseXlCfg(new SourceText('guest.cfg', 'a = 1@'));
    expect(unread.byKey.get('a')?.value).toMatchObject({ kind: 'string', text: '1' });
    expect(unread.diagnostics).toMatchObject([{ code: 'cfg/unread-character', severity: 'warning' }]);
  });
});
