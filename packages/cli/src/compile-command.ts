/**
 * What `dewar compile` takes.
 *
 * @module
 */
import type { Command } from '@commander-js/extra-typings';
import {
  compileOptions,
  definitionOption,
  formatOption,
  jsonFormatOption,
  mlsOption,
  releaseOption,
  unknownOption,
  versionOption,
} from './compile-request.ts';
import type { Finish } from './guest-commands.ts';
import type { Terminal } from './terminal.ts';

/** Adds the command. */
export function addCompileCommand(program: Command, finish: Finish, terminal: Terminal, version: string): void {
  program
    .command('compile')
    .description('compile a policy to the binary that Xen loads')
    .argument('[policy]', 'a policy directory or a policy.conf (default: the example policy)')
    .option(
      '-o, --output <file>',
      'where the binary goes, `-` for the standard output; without it the policy is only checked',
    )
    .addOption(versionOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(unknownOption())
    .addOption(releaseOption())
    .addOption(formatOption())
    .addOption(jsonFormatOption())
    .option('-q, --quiet', 'print diagnostics only')
    .option('-O, --optimize', 'leave out rules that others imply, as `checkpolicy -O` does')
    .option('-w, --watch', 'compile again whenever a file of the policy changes, until interrupted')
    .action(async (policy, args) => {
      const { runCompile, runWatchedCompile } = await import('./commands/compile.ts');
      const flags = {
        output: args.output,
        format: args.json === true ? 'json' : args.format,
        version,
        isQuiet: args.quiet === true,
        compile: compileOptions(args),
      };
      await finish((args.watch === true ? runWatchedCompile : runCompile)(policy, flags, terminal));
    });
}
