/** Sessions with xl: each command says on a simulated host what it said on real Xen. See `tests/xl-host`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lab } from '@dewar/lab';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';

const RECORDED = new URL('../../../../tests/xl-host/', import.meta.url);

/** A command, and what was said. */
interface Answer {
  readonly line: string;
  readonly said: readonly string[];
}

/** What `on-host.sh` wrote down. */
function readRecording(text: string): Answer[] {
  const parts = text.split(/^\$ /m).slice(1);
  return parts.map((part) => {
    const [line = '', ...said] = part.trimEnd().split('\n');
    return { line, said };
  });
}

/** Words of a line, as a shell has them, without anything but quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''));
}

/** Lines behind a mark, of help only that it is help; where the last has no end, a line says so. */
function marked(mark: string, text: string): string[] {
  if (text === '') return [];
  if (/^Usage: /m.test(text)) return [`${mark} (help)`];
  const lines = text.replace(/\n$/, '').split('\n');
  return [...lines.map((line) => `${mark} ${line}`), ...(text.endsWith('\n') ? [] : ['\\'])];
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-xl-'));
  process.env['DEWAR_STATE_DIR'] = folder;
});
afterEach(() => {
  delete process.env['DEWAR_STATE_DIR'];
  rmSync(folder, { recursive: true });
});

/** The host on which the sessions were recorded. */
async function bootHost(): Promise<void> {
  const policy = join(folder, 'policy');
  await dewar('compile', fileURLToPath(new URL('../../../../policies/example', import.meta.url)), '-o', policy);
  const bytes = readFileSync(policy);
  await new Lab(folder).transact('host', async (slot) => {
    expect(slot.boot({ name: 'example', bytes, sha256: '' }, { memoryMib: 3072, dom0MemoryMib: 1536 })).toHaveProperty(
      'host',
    );
  });
}

const guests = fileURLToPath(new URL('guests', RECORDED));

/** Without what is another one each time, as `on-host.sh` leaves it out; and what Dewar says beside xl is not xl's. */
function asRecorded(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !line.startsWith('! dewar: '))
    .map((line) =>
      line
        .replaceAll(guests, 'guests')
        .replaceAll(folder, '/run')
        .replace(/mfn 0x[0-9a-f]+/, 'mfn 0x-')
        .replace(/( {5})(?:r-|-b)(---- {2}) *[0-9]+\.[0-9]/, '$1up$2-')
        .replace(/( {5}--[-psrcwd]{4} {2}) *[0-9]+\.[0-9]/, '$1-')
        .replace(/^(.{34} +[0-9]+ +[0-9]+) +[0-9]+ {3}[-r][-b]- +[0-9.]+ /, '$1 on '),
    );
}

const sessions = readdirSync(new URL('golden/', RECORDED)).map((file) => file.replace('.txt', ''));

describe.each(sessions)('the session %s', (session) => {
  test('says what it said on real Xen', { timeout: 120_000 }, async () => {
    const recorded = readRecording(readFileSync(new URL(`golden/${session}.txt`, RECORDED), 'latin1'));
    await bootHost();
    const found: Answer[] = [];
    for (const { line } of recorded) {
      const words = wordsOf(line).map((word) =>
        word.replace(/(?<=^|=)guests(?=\/|$)/, guests).replace(/^\/run\//, `${folder}/`),
      );
      const { code, out, err } = await dewar('xl', '--host', 'host', ...words);
      const said = [...marked('>', out), ...marked('!', err), `exit ${code}`];
      found.push({ line, said: asRecorded(said) });
    }
    expect(found).toEqual(recorded);
  });
});
