/** The console ring is handed out in whole lines, and what it lost is counted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { HelperProcess } from './helper-process.ts';
import { LogFollower, LogListener, RingReader } from './log-follower.ts';

const folder = mkdtempSync(join(tmpdir(), 'dewar-follower-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Piece = { readonly text: string; readonly lost?: number; readonly isEnd?: boolean };

/** A helper whose ring answers one piece after the other, and in the end nothing. */
function helperWith(...pieces: readonly Piece[]): HelperProcess {
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
      const { text = '', lost = 0, isEnd = true } = pieces.shift() ?? {};
      const value = { text, lost, index: params.index + lost + text.length, isEnd };
      writeSync(3, JSON.stringify({ id, ok: true, value }) + '\\n');
    });
    lines.on('close', () => process.exit(0));
    `,
  );
  return new HelperProcess(file);
}

/** What a follower of such a ring hands out. */
async function piecesOf(...pieces: readonly Piece[]) {
  const helper = helperWith(...pieces);
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

test('all that is there is read to its end, and what comes behind that the next time', async () => {
  const helper = helperWith({ text: 'one\ntw', isEnd: false }, { text: 'o\n', lost: 2 }, { text: 'three\n' });
  const follower = new LogFollower(helper);
  expect([await follower.read(), await follower.read()]).toEqual([
    { text: 'one\ntw\no\n', lost: 2 },
    { text: 'three\n', lost: 0 },
  ]);
  await helper.close();
});

test('a reader that comes now and then counts what was lost since it came first', async () => {
  const helper = helperWith({ text: 'old\n', lost: 90 }, { text: 'new\n', lost: 7 });
  const reader = new RingReader(helper);
  expect([await reader.read(), await reader.read(), await reader.read()]).toEqual([
    { text: 'old\n', lost: 0 },
    { text: 'new\n', lost: 7 },
    { text: '', lost: 0 },
  ]);
  await helper.close();
});

test('each reader of a listener gets all that came since it read last', async () => {
  const helper = helperWith({ text: 'one\n' }, { text: 'tw' }, { text: 'o\n', lost: 3 });
  const listener = new LogListener(new LogFollower(helper));
  const [first, second] = [listener.reader(), listener.reader()];
  let [text, lost] = ['', 0];
  while (!text.endsWith('o\n')) {
    const piece = await first.read();
    text += piece?.text ?? '';
    lost += piece?.lost ?? 0;
  }
  expect([text, lost]).toEqual(['one\ntw\no\n', 3]);
  expect(await second.read()).toEqual({ text, lost });
  expect([await first.read(), await second.read()]).toEqual(Array(2).fill({ text: '', lost: 0 }));
  await listener.stop();
  await helper.close();
});

test('whoever reads a listener is told that its helper is gone', async () => {
  const helper = helperWith();
  const listener = new LogListener(new LogFollower(helper));
  const reader = listener.reader();
  process.kill(helper.pid ?? 0, 'SIGKILL');
  await expect(
    (async () => {
      for (;;) await reader.read();
    })(),
  ).rejects.toThrow('ended by SIGKILL');
  await listener.stop();
  await helper.close();
});
