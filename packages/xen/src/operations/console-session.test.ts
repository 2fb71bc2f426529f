/** The program that shows a console, held against a few lines that stand for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';
import { openConsole } from './console-session.ts';

const folder = mkdtempSync(join(tmpdir(), 'dewar-console-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(body: string): string {
  const file = join(folder, `${body.length}.mjs`);
  writeFileSync(file, body);
  return file;
}

const PIPES = ['ignore', 'pipe', 'pipe'] as const;

test('it is told the release, the domain and the console, and its exit status is passed on', async () => {
  const file = program('console.log(process.argv.slice(2).join(" ")); process.exitCode = 22;');
  const choices = [undefined, { type: 'pv', number: 2 }] as const;
  const sessions = choices.map((choice) => openConsole(file, '4.17', { domid: 3, choice }, PIPES));
  const shown = sessions.map(async ({ process: { stdout } }) => (stdout === null ? '' : text(stdout)));
  expect(await Promise.all(shown)).toEqual(['console 4.17 3\n', 'console 4.17 3 pv 2\n']);
  expect(await Promise.all(sessions.map(({ ended }) => ended))).toEqual([22, 22]);
});

test('one that a signal ends has the status that a shell gives it', async () => {
  const file = program('process.kill(process.pid, "SIGINT"); setTimeout(() => undefined, 10_000);');
  expect(await openConsole(file, '4.17', { domid: 3, choice: undefined }, PIPES).ended).toBe(130);
});

test('closing it lets it give the terminal back', async () => {
  const file = program(
    'process.on("SIGTERM", () => process.exit(5)); console.log("up"); setTimeout(() => undefined, 10_000);',
  );
  const session = openConsole(file, '4.17', { domid: 3, choice: undefined }, PIPES);
  await new Promise((resolve) => session.process.stdout?.once('data', resolve));
  session.close();
  expect(await session.ended).toBe(5);
});
