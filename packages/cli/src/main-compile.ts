/**
 * `dewar compile` alone: the entry of a bundle of its own, which starts sooner than the one with all commands
 * (docs/decisions/bundled-command.md).
 *
 * @module
 */
import { plainRequest } from './plain-compile.ts';
import { processTerminal } from './process-terminal.ts';
import type { Terminal } from './terminal.ts';

/** The entry of the bundle. */
export async function main(version: string): Promise<void> {
  const terminal = processTerminal();
  process.exitCode = await run(process.argv.slice(2), terminal, version);
}

async function run(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  const plain = plainRequest(args);
  if (plain === undefined) return runAny(args, terminal, version);
  try {
    const { runCompile } = await import('./commands/compile.ts');
    const { policy, output, isQuiet } = plain;
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
