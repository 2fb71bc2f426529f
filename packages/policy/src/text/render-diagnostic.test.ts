import { expect, test } from 'vitest';
import { defineDiagnostics, renderDiagnostic, SourceText, type Span } from './index.ts';

const te = defineDiagnostics('te', {
  'unknown-type': { severity: 'error', message: 'unknown type `{type}`' },
});

function mark(text: string, start: number, length: number): Span {
  return { source: new SourceText('a.te', text), start, end: start + length };
}

test('a diagnostic shows the call, the place in the body of the macro, and the cure there', () => {
  const call = mark('one\n  create(dom0_t)\n', 6, 6);
  const body = mark('allow domU_tt self:domain pause;', 6, 7);
  const rendered = renderDiagnostic(
    te['unknown-type'](
      { kind: 'expanded', span: body, macro: 'create', call: { kind: 'written', span: call } },
      { type: 'domU_tt' },
      { fixes: [{ title: 'did you mean `domU_t`?', edits: [] }] },
    ),
  );
  expect(rendered.split('\n')).toEqual([
    'a.te:2:3: error: unknown type `domU_tt` [te/unknown-type]',
    '  2 |   create(dom0_t)',
    '    |   ^^^^^^',
    'a.te:1:7: note: in the expansion of `create`, called at a.te:2:3',
    '  1 | allow domU_tt self:domain pause;',
    '    |       ^^^^^^^ did you mean `domU_t`?',
  ]);
});

test('a tab before the mark stays a tab, so that both lines are shifted alike', () => {
  const rendered = renderDiagnostic(
    te['unknown-type']({ kind: 'written', span: mark('\tx_t', 1, 3) }, { type: 'x_t' }),
  );
  expect(rendered.split('\n').slice(1)).toEqual(['  1 | \tx_t', '    | \t^^^']);
});

test('of a very long line only the part around the mark is shown', () => {
  const text = `${'a '.repeat(50_000)}wrong_t${' b'.repeat(50_000)}`;
  const rendered = renderDiagnostic(
    te['unknown-type']({ kind: 'written', span: mark(text, 100_000, 7) }, { type: 'wrong_t' }),
  );
  const [head = '', line = '', marks = ''] = rendered.split('\n');
  expect(head).toContain('a.te:1:100001:');
  expect(line.length).toBeLessThan(250);
  expect(line.slice(marks.indexOf('^'), marks.lastIndexOf('^') + 1)).toBe('wrong_t');
});

test('a mark that goes on beyond its line ends with the line', () => {
  const rendered = renderDiagnostic(
    te['unknown-type']({ kind: 'written', span: mark('abc\ndef', 1, 6) }, { type: 'x' }),
  );
  expect(rendered.split('\n').slice(1)).toEqual(['  1 | abc', '    |  ^^']);
});

test('nothing in a source can steer the terminal', () => {
  const esc = '\x1b]0;owned\x07';
  const source = new SourceText(`a${esc}.te`, `x${esc}y`);
  const rendered = renderDiagnostic(
    te['unknown-type'](
      { kind: 'written', span: { source, start: 0, end: 1 } },
      { type: esc },
      { notes: [{ message: esc }], fixes: [{ title: esc, edits: [] }] },
    ),
  );
  expect(rendered.replaceAll(/[^\0-\x09\x0b-\x1f]/g, '')).toBe('');
});

test('a mark stands below what it marks, whatever characters come before it', () => {
  const bytes = Buffer.from('# ü, é: größe_t', 'utf8').toString('latin1');
  const start = bytes.indexOf('gr');
  const span = mark(bytes, start, bytes.length - start);
  const rendered = renderDiagnostic(te['unknown-type']({ kind: 'written', span }, { type: 'x' }));
  expect(Buffer.from(rendered, 'latin1').toString('utf8').split('\n').slice(1)).toEqual([
    '  1 | # ü, é: größe_t',
    '    |         ^^^^^^^',
  ]);
});

test('a message is one line, whatever a name holds', () => {
  const { message } = te['unknown-type'](undefined, { type: 'a\nb\t\x1b[31m' });
  expect(message).toBe('unknown type `a\\nb\\t\\x1b[31m`');
});
