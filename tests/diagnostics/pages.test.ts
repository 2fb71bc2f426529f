/** Every diagnostic code has a page, and what the page calls wrong and right is so. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Diagnostic, Fix } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { arisesByCode } from './arises-by-code.ts';
import { declaredCodes, ROOT } from './declared-codes.ts';
import { runSnippet, runText, wholeText } from './run-snippet.ts';
import { otherCodes, type Snippet, snippetsOf } from './snippets.ts';

const folder = join(ROOT, 'docs/diagnostics');
const declared = declaredCodes();
const pages = readdirSync(folder, { recursive: true })
  .map(String)
  .filter((path) => path.endsWith('.md') && path.includes('/'))
  .map((path) => path.slice(0, -'.md'.length))
  .sort();

/** A page fits on half a screen besides its snippets. */
const MOST_WORDS = 170;

/** Two places contradict each other: the diagnostic must show both. */
const SHOW_BOTH_PLACES: ReadonlySet<string> = new Set([
  'cfg/key-twice',
  'cfg/mixed-append',
  'context/duplicate',
  'context/overlap',
  'context/sid-twice',
  'language/repeated-dominance',
  'mls/repeated-level',
  'te/conflicting-bounds',
  'te/conflicting-default',
  'te/conflicting-range-transition',
  'te/conflicting-type-rule',
  'te/duplicate',
  'te/duplicate-filename-transition',
  'te/duplicate-role-transition',
  'te/duplicate-type-rule',
  'te/inherited-permission',
  'te/neverallow-violated',
]);

/** The text after a fix. */
function applied(text: string, { edits }: Fix): string {
  return edits
    .toSorted((a, b) => b.span.start - a.span.start)
    .reduce((left, { span, newText }) => left.slice(0, span.start) + newText + left.slice(span.end), text);
}

/** What is left of a code after each fix that its diagnostics offer was applied by itself. */
function leftAfterFixes(snippet: Snippet, code: string, found: readonly Diagnostic[]): string[] {
  const text = wholeText(snippet);
  if (text === undefined) return [];
  const own = found.filter((one) => one.code === code);
  return own.flatMap(({ fixes }) =>
    fixes
      .filter(({ edits }) => edits.length > 0 && edits.every(({ span }) => span.source.text === text))
      .map((fix) => ({ fix, left: runText(snippet, applied(text, fix)).filter((one) => one.code === code) }))
      .filter(({ left }) => left.length >= own.length)
      .map(({ fix }) => fix.title),
  );
}

test('every code has a page, and every page has a code', () => {
  expect(declared.length).toBeGreaterThan(100);
  expect(pages).toEqual(declared.map(({ code }) => code));
});

test('the index of the pages names each of them once', () => {
  const index = readFileSync(join(folder, 'README.md'), 'utf8');
  const named = [...index.matchAll(/\]\(([a-z0-9]+\/[a-z0-9-]+)\.md\)/g)].map((match) => match[1] ?? '');
  expect(named.toSorted()).toEqual(pages);
});

test('messages have the shape that the style asks for', () => {
  for (const { code, severity, message } of declared) {
    expect(['error', 'warning', 'note'], code).toContain(severity);
    expect(code).toMatch(/^[a-z0-9]+\/[a-z][a-z0-9-]*$/);
    // A name that is always written with a capital may begin a message.
    expect(message, code).toMatch(/^(?:[a-z0-9`{(]|Xen\b|PVH?\b)/);
    expect(message, code).not.toMatch(/[.\n]$|\n/);
  }
});

describe.each(declared)('$code', ({ code, severity }) => {
  const file = join(folder, `${code}.md`);
  const page = existsSync(file) ? readFileSync(file, 'latin1') : '';
  const snippets = snippetsOf(page);

  test('its page says what it means and how severe it is', () => {
    const [heading = '', , first = ''] = page.split('\n');
    expect(heading).toMatch(new RegExp(`^# ${code}: \\S.*[^.]$`));
    expect(first.toLowerCase()).toMatch(new RegExp(`^${severity}\\.`));
    expect(page).toContain('**On Xen.**');
    expect(page).toContain('**Put it right.**');
    const prose = page.replaceAll(/^```[\s\S]*?^```$/gm, '');
    expect(prose.split(/\s+/).length).toBeLessThanOrEqual(MOST_WORDS);
  });

  const byCode = arisesByCode.get(code);
  if (byCode === undefined) {
    test('its page shows it wrong and right', () => {
      expect(snippets.map(({ isRight }) => isRight).toSorted()).toEqual(expect.arrayContaining([false, true]));
    });
  } else {
    test('it arises as its page says', async () => {
      expect(page).toContain('**How it arises.**');
      expect(await byCode()).toContain(code);
    });
  }

  test.each(
    snippets.map((snippet, index) => ({ snippet, index: index + 1, verdict: snippet.isRight ? 'right' : 'wrong' })),
  )('snippet $index of its page is $verdict', async ({ snippet }) => {
    const found = await runSnippet(snippet);
    const told = found.map((one) => `${one.code}: ${one.message}`);
    const codes = [...new Set(found.map((one) => one.code))].toSorted();
    const also = otherCodes(snippet);
    expect(codes, told.join('\n')).toEqual((snippet.isRight ? also : [code, ...also]).toSorted());
    if (snippet.isRight) return;
    expect(leftAfterFixes(snippet, code, found)).toEqual([]);
    if (!SHOW_BOTH_PLACES.has(code)) return;
    const one = found.find((diagnostic) => diagnostic.code === code);
    expect(one?.notes.some(({ origin }) => origin !== undefined)).toBe(true);
  });
});
