/**
 * A command at a terminal: for what is asked, or shown, only where somebody can answer.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PATIENCE_S } from './patience.ts';

const O_RDWR = 2;

/** What koffi gives for a function of C. */
type Native = (...args: readonly unknown[]) => unknown;

interface Ffi {
  load(file: string): { func(prototype: string): Native };
}

/** Something that is done once a text is on the screen, behind that of the turn before: keys, or a signal to the command. */
export type Turn = { readonly after: string } & ({ readonly type: string } | { readonly signal: NodeJS.Signals });

/** How a command at a terminal ended, and all that was on the screen. */
export interface AtTerminal {
  readonly code: number | null;
  readonly screen: string;
  /** Whether the terminal is set as it was before. */
  readonly isAsBefore: boolean;
}

/** Room for a `struct termios`. */
const TERMIOS_ROOM = 256;

/**
 * Runs a program at a terminal of its own, and does what is to be done there. `modules` is a file beside whose `node_modules`
 * koffi is found.
 */
export async function runAtTerminal(
  modules: string,
  [program = '', ...args]: readonly string[],
  script: readonly Turn[],
  env: NodeJS.ProcessEnv,
): Promise<AtTerminal> {
  // koffi's own types are not needed for a few functions.
  const { load } = createRequire(modules)('koffi') as Ffi;
  const libc = load('libc.so.6');
  const master = Number(libc.func('int posix_openpt(int flags)')(O_RDWR));
  if (master < 0) throw new Error('there is no terminal to be had');
  libc.func('int grantpt(int fd)')(master);
  libc.func('int unlockpt(int fd)')(master);
  const getAttributes = libc.func('int tcgetattr(int fd, void *attributes)');
  const attributes = (): string => {
    const room = Buffer.alloc(TERMIOS_ROOM);
    getAttributes(master, room);
    return room.toString('hex');
  };
  const slave = openSync(String(libc.func('char *ptsname(int fd)')(master)), 'r+');
  const before = attributes();
  const child = spawn(program, args, { stdio: [slave, slave, slave], env });
  let screen = '';
  let seen = 0;
  const turns = [...script];
  const shown = new Promise<void>((resolve) => {
    const stream = createReadStream('', { fd: master, encoding: 'latin1' });
    stream.on('data', (data) => {
      screen += String(data);
      for (let [turn] = turns; turn !== undefined && screen.includes(turn.after, seen); [turn] = turns) {
        seen = screen.indexOf(turn.after, seen) + turn.after.length;
        turns.shift();
        if ('type' in turn) writeSync(master, turn.type);
        else child.kill(turn.signal);
      }
    });
    // When the last who has the terminal open is gone, reading from it is an error.
    stream.on('error', () => resolve());
    stream.on('end', () => resolve());
  });
  // Where a text does not come, nothing is done, and the command would wait for ever.
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_S * 1000);
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  clearTimeout(timer);
  const isAsBefore = attributes() === before;
  closeSync(slave);
  await shown;
  return { code, screen: screen.replaceAll('\r\n', '\n'), isAsBefore };
}
