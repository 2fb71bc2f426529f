import { Command } from '@commander-js/extra-typings';
import { expect, test } from 'vitest';
import { addCompileCommand } from './compile-command.ts';
import { type PlainRequest, plainRequest } from './plain-compile.ts';
import type { Terminal } from './terminal.ts';

const QUIET: Terminal = {
  out: { write: () => undefined, isTerminal: false },
  err: { write: () => undefined, isTerminal: false },
};

/** What the library reads out of a command line; undefined where something is wrong. */
function libraryRequest(args: readonly string[]): PlainRequest | undefined {
  let seen: PlainRequest | undefined;
  const program: Command = new Command('dewar').exitOverride().configureOutput({ writeErr: () => undefined });
  addCompileCommand(program, async () => undefined, QUIET, '0');
  const compile = program.commands[0];
  compile?.action(() => {
    const { output, quiet }: { output?: string; quiet?: true } = compile.opts();
    seen = { policy: compile.args[0], output, isQuiet: quiet === true };
  });
  try {
    program.parse(args, { from: 'user' });
    return seen;
  } catch {
    return undefined;
  }
}

const WORDS = [
  '-q',
  '--quiet',
  '-o',
  '--output',
  '-',
  'policy',
  'policy.bin',
  '-qo',
  '-ofile',
  '--output=file',
  '--',
  '-O',
  '',
];

test('a command line that is read without the library asks for what the library reads', () => {
  let plain = 0;
  const look = (words: readonly string[]): void => {
    const args = ['compile', ...words];
    const request = plainRequest(args);
    if (request !== undefined) {
      plain++;
      expect(libraryRequest(args), args.join(' ')).toEqual(request);
    }
    if (words.length < 4) for (const word of WORDS) look([...words, word]);
  };
  look([]);
  expect(plain).toBeGreaterThan(100);
});

test('the usual command lines are read without the library, and no others', () => {
  expect(plainRequest(['compile', '-q', '-o', 'policy.bin', 'policy'])).toEqual({
    policy: 'policy',
    output: 'policy.bin',
    isQuiet: true,
  });
  expect(plainRequest(['compile'])).toEqual({ policy: undefined, output: undefined, isQuiet: false });
  for (const line of ['search', 'compile --mls policy', 'compile --help', 'compile -o', 'compile a b'])
    expect(plainRequest(line.split(' ')), line).toBeUndefined();
});
