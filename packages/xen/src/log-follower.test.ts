/** The console ring is handed out in whole lines, and what it lost is counted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { HelperProcess } from './helper-process.ts';
import { LogFollower } from './log-follower.ts';

const folder = mkdtempSync(join(tmpdir(), 'dewar-follower-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A follower of a ring that answers one piece after the other, and in the end nothing. */
async function piecesOf(...pieces: readonly { readonly text: string; readonly lost?: number }[]) {
  const file = join(folder, 'ring.mjs');
  writeFileSync(
    file,
    `
    import { writeSync } from 'node:fs';
    import { createInterface } from 'node:readline';
    const pieces = ${JSON.stringify(pieces)};
    const lines = createInterface({ input: process.stdin });
    lines.on('line', (line) => {
      const { id, params } = JSON.parse(line);
      const { text = '', lost = 0 } = pieces.shift() ?? {};
      const value = { text, lost, index: params.index + lost + text.length, isEnd: true };
      writeSync(3, JSON.stringify({ id, ok: true, value }) + '\\n');
    });
    lines.on('close', () => process.exit(0));
    `,
  );
  const helper = new HelperProcess(file);
  const follower = new LogFollower(helper);
  const found: unknown[] = [];
  for (let i = 0; i <= pieces.length; i++) found.push(await follower.next());
  await helper.close();
  return found;
}

test('a line that comes in two pieces is handed out whole', async () => {
  expect(await piecesOf({ text: 'one\ntw' }, { text: 'o' }, { text: '\nthree\n' })).toEqual([
    { text: 'one\n', lost: 0 },
    { text: '', lost: 0 },
    { text: 'two\nthree\n', lost: 0 },
    { text: '', lost: 0 },
  ]);
});

test('what is begun before a gap is not joined with what is behind it', async () => {
  expect(await piecesOf({ text: 'one\ntw' }, { text: 'ght\nnine\n', lost: 40 })).toEqual([
    { text: 'one\n', lost: 0 },
    { text: 'tw\nght\nnine\n', lost: 40 },
    { text: '', lost: 0 },
  ]);
});

test('a line without an end is handed out in parts', async () => {
  const long = 'x'.repeat(70_000);
  const [first, second] = await piecesOf({ text: long }, { text: 'y\n' });
  expect([first, second]).toEqual([
    { text: long, lost: 0 },
    { text: 'y\n', lost: 0 },
  ]);
});
