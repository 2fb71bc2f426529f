/**
 * A command at a terminal: for what is asked only where somebody can answer.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

const O_RDWR = 2;

/** What koffi gives for a function of C. */
type Native = (...args: readonly unknown[]) => unknown;

interface Ffi {
  load(file: string): { func(prototype: string): Native };
}

/** How a command at a terminal ended, and all that was on the screen. */
export interface AtTerminal {
  readonly code: number | null;
  readonly screen: string;
}

/**
 * Runs a program at a terminal of its own, and types `answer` once `question` is on the screen. `modules` is a file beside
 * whose `node_modules` koffi is found.
 */
export async function runAtTerminal(
  modules: string,
  [program = '', ...args]: readonly string[],
  question: string,
  answer: string,
): Promise<AtTerminal> {
  // koffi's own types are not needed for four functions.
  const { load } = createRequire(modules)('koffi') as Ffi;
  const libc = load('libc.so.6');
  const master = Number(libc.func('int posix_openpt(int flags)')(O_RDWR));
  if (master < 0) throw new Error('there is no terminal to be had');
  libc.func('int grantpt(int fd)')(master);
  libc.func('int unlockpt(int fd)')(master);
  const slave = openSync(String(libc.func('char *ptsname(int fd)')(master)), 'r+');
  const child = spawn(program, args, { stdio: [slave, slave, slave] });
  closeSync(slave);
  let screen = '';
  let isAsked = false;
  const shown = new Promise<void>((resolve) => {
    const stream = createReadStream('', { fd: master, encoding: 'latin1' });
    stream.on('data', (data) => {
      screen += String(data);
      if (isAsked || !screen.includes(question)) return;
      isAsked = true;
      writeSync(master, answer);
    });
    // When the last who has the terminal open is gone, reading from it is an error.
    stream.on('error', () => resolve());
    stream.on('end', () => resolve());
  });
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  await shown;
  return { code, screen: screen.replaceAll('\r\n', '\n') };
}
