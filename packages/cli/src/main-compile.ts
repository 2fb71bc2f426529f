/**
 * `dewar compile` alone: the entry of a bundle of its own, which starts sooner than the one with all commands
 * (docs/decisions/bundled-command.md).
 *
 * @module
 */
import { type PlainRequest, plainRequest } from './plain-compile.ts';
import { processTerminal } from './process-terminal.ts';
import type { Terminal } from './terminal.ts';

/**
 * The entry of the bundle. Answers whether nothing is left to do: Node ends sooner when it is told to than when it finds
 * out, as it then gives nothing back piece by piece.
 */
export async function main(version: string): Promise<boolean> {
  const terminal = processTerminal();
  const args = process.argv.slice(2);
  const plain = plainRequest(args);
  if (plain === undefined) {
    process.exitCode = await runAny(args, terminal, version);
    return false;
  }
  process.exitCode = await runPlain(plain, terminal, version);
  return terminal.isWritten;
}

async function runPlain(request: PlainRequest, terminal: Terminal, version: string): Promise<number> {
  try {
    const { runCompile } = await import('./commands/compile.ts');
    const { policy, output, isQuiet } = request;
    return await runCompile(policy, { output, format: 'text', version, isQuiet, compile: {} }, terminal);
  } catch (error) {
    const { explainFailure } = await import('./command-line.ts');
    return explainFailure(error, terminal);
  }
}

/** Runs any command line, with the library that reads them. */
async function runAny(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  const { runCommandLine } = await import('./command-line.ts');
  const { addCompileCommand } = await import('./compile-command.ts');
  const groups: Parameters<typeof runCommandLine>[1] = [
    {
      heading: 'Policies:',
      families: [(program, finish) => addCompileCommand(program, finish, terminal, version)],
    },
  ];
  return runCommandLine(args, groups, terminal, version);
}
