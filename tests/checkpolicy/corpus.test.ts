/**
 * Policies that use every corner of the language: our bytes are those of checkpolicy 3.4.
 *
 * `expected.sha256` was recorded from checkpolicy; where it is installed it is asked again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { compileText } from '@dewar/policy/compiler';
import { renderDiagnostic, SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { checkpolicy, compileWithCheckpolicy } from './checkpolicy.ts';

const folder = new URL('./', import.meta.url);

const expected = readFileSync(new URL('expected.sha256', folder), 'latin1')
  .trim()
  .split('\n')
  .map((line) => {
    const [sha256 = '', version = '', name = ''] = line.split(' ');
    return { sha256, version: version === '24' ? (24 as const) : (30 as const), name, isMls: name.includes('-mls') };
  });

function read(name: string): string {
  return readFileSync(new URL(`policies/${name}`, folder), 'latin1');
}

describe.each(expected)('$name at version $version', ({ name, version, isMls, sha256 }) => {
  const { bytes, diagnostics } = compileText(new SourceText(name, read(name)), { version, isMls });

  test('compiles to the recorded bytes', () => {
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors.map((error) => renderDiagnostic(error))).toEqual([]);
    expect(
      createHash('sha256')
        .update(bytes ?? '')
        .digest('hex'),
    ).toBe(sha256);
  });

  test.skipIf(checkpolicy === undefined)('compiles to what the installed checkpolicy writes', () => {
    if (checkpolicy === undefined) return;
    const theirs = compileWithCheckpolicy(checkpolicy, read(name), { version, isMls });
    expect(theirs).toBeDefined();
    expect(Buffer.from(bytes ?? []).equals(theirs ?? new Uint8Array())).toBe(true);
  });
});
