/** Command lines of xl: the same answers as the installed xl gave, which stand in `tests/xl-cli`. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';

const ANSWERS = new URL('../../../../tests/xl-cli/', import.meta.url);

/** A command line, and what xl did with it. */
interface Recorded {
  readonly words: readonly string[];
  readonly hasOutput: boolean;
  readonly stderr: string;
  readonly status: number;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-xl-'));
  process.env['DEWAR_STATE_DIR'] = folder;
});
afterAll(() => {
  delete process.env['DEWAR_STATE_DIR'];
  rmSync(folder, { recursive: true });
});

describe('a command line that xl answers by itself', () => {
  const recorded: Recorded[] = JSON.parse(readFileSync(new URL('golden.json', ANSWERS), 'utf8'));
  test.each(recorded)('xl $words', async ({ words, ...wanted }) => {
    const { code, out, err } = await dewar('xl', ...words);
    expect({ hasOutput: out !== '', stderr: err, status: code }).toEqual(wanted);
  });
});
