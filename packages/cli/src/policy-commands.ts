/**
 * The commands that read and lay out policies, beside the one that makes them.
 *
 * @module
 */
import { type Command, Option } from '@commander-js/extra-typings';
import {
  collect,
  compileOptions,
  definitionOption,
  formatOption,
  jsonFormatOption,
  mlsOption,
  releaseOption,
  versionOption,
} from './compile-request.ts';
import type { Finish } from './guest-commands.ts';
import { hostOption, jsonOption } from './request-options.ts';
import type { Terminal } from './terminal.ts';

/** Adds the commands. */
export function addPolicyCommands(program: Command, finish: Finish, terminal: Terminal, version: string): void {
  program
    .command('fmt')
    .description(
      'lay out policy sources, in place; nothing that they compile to changes: a file of which m4 would then make something else is left as it is',
    )
    .argument('<paths...>', '.te, .if, .cons and .spt files, or directories with such files')
    .option('--check', 'only name the files that are not in order; the exit status is then 1')
    .action(async (paths, args) => {
      const { runFmt } = await import('./commands/fmt.ts');
      await finish(runFmt(paths, { isCheck: args.check === true }, terminal));
    });

  program
    .command('m4')
    .description('expand macros, with the text of GNU m4')
    .argument('<files...>', 'files in order, `-` for the standard input')
    .addOption(definitionOption())
    .addOption(formatOption())
    .option('-s, --synclines', 'mark the lines that the text came from')
    .addOption(
      new Option('-I, --include <folder>', 'where `include` looks too')
        .argParser(collect)
        .default([] as string[], 'none'),
    )
    .action(async (files, args) => {
      const { runM4Command } = await import('./commands/compile.ts');
      const flags = {
        definitions: args.define,
        syncLines: args.synclines === true,
        include: args.include,
        format: args.format,
        version,
      };
      await finish(runM4Command(files, flags, terminal));
    });

  program
    .command('lint')
    .description('say what compiles and is wrong; the status is 1 where something is found')
    .argument('[policy]', 'a policy directory, a policy.conf or a binary (default: the example policy)')
    .addOption(hostOption())
    .addOption(
      new Option('--only <codes>', 'only these findings, separated by commas')
        .argParser(collect)
        .default([] as string[], 'all'),
    )
    .addOption(new Option('--ignore <codes>', 'not these findings').argParser(collect).default([] as string[], 'none'))
    .option('--fix', 'write the cures that are named into the sources')
    .option('-q, --quiet', 'only the findings')
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(formatOption())
    .addOption(jsonFormatOption())
    .addHelpText(
      'after',
      '\nA comment `# dewar: ignore lint/CODE` on the line, or alone on the line above, takes a finding back.\n`dewar help lint` lists all codes; `dewar help lint/CODE` explains one.\n\nExit status: 0 when nothing is found, 1 when something is or the policy does not compile, 2 for wrong use, 3 when a\nfile cannot be read or written.',
    )
    .action(async (policy, args) => {
      const { runLint } = await import('./commands/lint.ts');
      const flags = {
        host: args.host,
        only: args.only.length === 0 ? undefined : args.only,
        ignore: args.ignore,
        isFix: args.fix === true,
        isQuiet: args.quiet === true,
        format: args.json === true ? ('json' as const) : args.format,
        version: version,
        compile: compileOptions(args),
      };
      await finish(runLint(policy, flags, terminal));
    });

  program
    .command('info')
    .description('say what is in a policy, as `seinfo` does')
    .argument('[policy]', 'a binary, a policy directory or a policy.conf (default: the example policy)')
    .option('-x, --expand', 'with names and statements, not only counts')
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .action(async (policy, args) => {
      const { runInfo } = await import('./commands/info.ts');
      const flags = { isWhole: args.expand === true, isJson: args.json === true, release: args.xen };
      await finish(runInfo(policy, { ...flags, compile: compileOptions(args) }, terminal));
    });

  program
    .command('decompile')
    .description('write a binary policy as text that compiles to the same bytes')
    .argument('<policy>', 'a binary; a policy directory or a policy.conf is compiled first')
    .option('-o, --output <file>', 'where the text goes (default: the standard output)')
    .addOption(versionOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .action(async (policy, args) => {
      const { runDecompile } = await import('./commands/decompile.ts');
      const flags = { output: args.output, isJson: args.json === true, release: args.xen };
      await finish(runDecompile(policy, { ...flags, compile: compileOptions(args) }, terminal));
    });
}
