/**
 * `dewar compile` alone: the entry of a bundle of its own, which starts sooner than the one with all commands
 * (docs/decisions/bundled-command.md).
 *
 * @module
 */
import { processTerminal, runCommandLine } from './command-line.ts';
import { addCompileCommand } from './compile-command.ts';

/** The entry of the bundle. */
export async function main(version: string): Promise<void> {
  const terminal = processTerminal();
  const compile: Parameters<typeof runCommandLine>[1] = [
    {
      heading: 'Policies:',
      families: [(program, finish) => addCompileCommand(program, finish, terminal, version)],
    },
  ];
  process.exitCode = await runCommandLine(process.argv.slice(2), compile, terminal, version);
}
