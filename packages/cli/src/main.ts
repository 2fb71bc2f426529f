/**
 * The `dewar` command: arguments in, exit code out. Each command's work is loaded when it is asked for.
 *
 * Start reading at `makeProgram`; the main job is `commands/create.ts`.
 *
 * @module
 */
import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { CompileOptions } from '@dewar/policy/compiler';
import { isXenRelease, XEN_RELEASES, type XenReleaseName } from '@dewar/policy/releases';
import { CommanderError } from 'commander';
import { addDeviceCommands } from './device-commands.ts';
import type { DiagnosticFormat } from './diagnostic-formats.ts';
import { EXIT, FileError, RequestError, UsageError } from './failures.ts';
import { addGuestCommands, type Finish } from './guest-commands.ts';
import { addHostCommands } from './host-commands.ts';
import { addLabCommands } from './lab-commands.ts';
import {
  flaskOption,
  hostOption,
  iommuOption,
  jsonOption,
  policyOption,
  requestFlags,
  verboseOption,
  xenOption,
} from './request-options.ts';
import { byteText, coloursFor, printLine, type Stream, type Terminal } from './terminal.ts';

type Definition = { readonly name: string; readonly value: string };

function collectDefinition(text: string, before: readonly Definition[]): Definition[] {
  const at = text.indexOf('=');
  const name = at === -1 ? text : text.slice(0, at);
  if (name === '') throw new InvalidArgumentError('it must be `name` or `name=value`.');
  return [...before, { name: byteText(name), value: at === -1 ? '' : byteText(text.slice(at + 1)) }];
}

function collectRelease(text: string, before: readonly XenReleaseName[]): XenReleaseName[] {
  if (!isXenRelease(text)) throw new InvalidArgumentError(`it must be one of ${XEN_RELEASES.join(', ')}.`);
  return [...before, text];
}

function collect(text: string, before: readonly string[]): string[] {
  return [...before, text];
}

const definitionOption = () =>
  new Option('-D, --define <name[=value]>', 'define a macro before the policy is read')
    .argParser(collectDefinition)
    .default([] as Definition[], 'none');
const mlsOption = () => new Option('--mls', 'compile with multi-level security');
const versionOption = () =>
  new Option(
    '-c, --policy-version <version>',
    'version of the binary policy (default: the newest that the release of Xen reads)',
  ).choices(['24', '30'] as const);
const unknownOption = () =>
  new Option('-U, --handle-unknown <how>', 'what the policy says of classes and permissions that it lacks')
    .choices(['deny', 'allow', 'reject'] as const)
    .default('deny' as const);
const releaseOption = () =>
  new Option('--xen <release>', 'release of Xen whose classes a policy directory outside of a Xen tree means').choices(
    XEN_RELEASES,
  );
const formatOption = () =>
  new Option('--format <format>', 'how diagnostics are printed')
    .choices(['text', 'json', 'sarif', 'github'] as const satisfies readonly DiagnosticFormat[])
    .default('text' as const);
/** Beside `--format`, `--json` is another way to write `--format json`. */
const jsonFormatOption = () => new Option('--json', 'the same as `--format json`').conflicts('format');

interface CompileArgs {
  readonly policyVersion?: '24' | '30' | undefined;
  readonly mls?: true | undefined;
  readonly optimize?: true | undefined;
  readonly define?: readonly Definition[];
  readonly handleUnknown?: 'deny' | 'allow' | 'reject';
  readonly xen?: CompileOptions['release'] | undefined;
}

function compileOptions(args: CompileArgs): CompileOptions {
  return {
    ...(args.policyVersion === undefined ? {} : { version: args.policyVersion === '24' ? 24 : 30 }),
    isMls: args.mls === true,
    isOptimized: args.optimize === true,
    definitions: args.define ?? [],
    handleUnknown: args.handleUnknown ?? 'deny',
    ...(args.xen === undefined ? {} : { release: args.xen }),
  };
}

function parseMode(text: string): boolean {
  const word = text.toLowerCase();
  if (word === '1' || word === 'enforcing') return true;
  if (word === '0' || word === 'permissive') return false;
  throw new InvalidArgumentError('it must be 0, 1, permissive or enforcing.');
}

function parseSeconds(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text)) throw new InvalidArgumentError('it must be a number of seconds.');
  return Number(text);
}

function parseTruth(text: string): boolean {
  if (['1', 'true', 'on'].includes(text)) return true;
  if (['0', 'false', 'off'].includes(text)) return false;
  throw new InvalidArgumentError('it must be 0 or 1.');
}

function parseCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new InvalidArgumentError('it must be a number from 1 up.');
  return count;
}

function parseShard(text: string): { readonly index: number; readonly count: number } {
  const [, part, whole] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const [index, count] = [Number(part) - 1, Number(whole)];
  if (!(index >= 0 && index < count)) throw new InvalidArgumentError('it must be a part of a whole, such as 2/4.');
  return { index, count };
}

/** All commands. Each hands its exit code to `finish`. */
function makeProgram(terminal: Terminal, version: string, finish: Finish): Command {
  const program = new Command('dewar')
    .description("The toolkit for Xen's XSM/FLASK: compile policy, decide as Xen decides, rehearse a guest's life.")
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out.write(Buffer.from(text)),
      writeErr: (text) => terminal.err.write(Buffer.from(text)),
    })
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError('(`dewar --help` lists commands, `dewar help COMMAND` or `dewar help CODE` explains one)');

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

  program
    .command('create')
    .description('build and start a guest on a host, and show what Xen checks')
    .argument('<config>', 'xl.cfg file of the guest')
    .argument('[settings...]', '`key=value`, as if at the end of the file')
    .addOption(policyOption())
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(iommuOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(formatOption())
    .addOption(jsonFormatOption())
    .option('-q, --quiet', 'print only how it ended and what was refused')
    .option('-p, --paused', 'leave the guest paused')
    .option('-n, --dryrun', 'print the configuration as `xl create -n` does, and create nothing')
    .option('-d, --debug', 'print the configuration first')
    .option('-e, --no-wait', 'nobody waits for the end of the guest, to clean up or to build it anew')
    .option('-F, --foreground', 'accepted as by xl; nothing stays in the background here')
    .option('--force', 'on a real host, build even what the rehearsal before it was refused')
    .option(
      '--hold [seconds]',
      'on a real host, hold the build before the relabel; without a number, until Enter',
      parseSeconds,
    )
    .action(async (config, settings, args) => {
      const { runCreate } = await import('./commands/create.ts');
      const flags = {
        ...requestFlags(args),
        isJson: args.json === true || args.format === 'json',
        format: args.format,
        version,
        compile: compileOptions(args),
        isQuiet: args.quiet === true,
        isPaused: args.paused === true,
        isDryRun: args.dryrun === true,
        isDebug: args.debug === true,
        isUnwatched: !args.wait,
        isForced: args.force === true,
        hold: args.hold === true ? ('enter' as const) : args.hold,
      };
      await finish(runCreate(config, settings, flags, terminal));
    });

  program
    .command('list')
    .description('list the domains of a host, as `xl list` does')
    .argument('[domain]', 'name or number')
    .option('-Z, --context', 'with their labels')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .addOption(verboseOption())
    .action(async (domain, args) => {
      const { runList } = await import('./commands/lifecycle.ts');
      await finish(runList(domain, args.context === true, requestFlags(args), terminal));
    });

  for (const [verb, text] of [
    ['pause', 'pause a domain'],
    ['unpause', 'let a paused domain run'],
    ['destroy', 'end a domain at once'],
  ] as const) {
    program
      .command(verb)
      .description(text)
      .argument('<domain>', 'name or number')
      .addOption(hostOption())
      .addOption(flaskOption())
      .addOption(xenOption())
      .addOption(policyOption())
      .addOption(jsonOption())
      .addOption(verboseOption())
      .action(async (domain, args) => {
        const { runOnDomain } = await import('./commands/lifecycle.ts');
        await finish(runOnDomain(verb, domain, requestFlags(args), terminal));
      });
  }

  program
    .command('rename')
    .description('give a domain another name')
    .argument('<domain>', 'name or number')
    .argument('<name>', 'the new name')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .addOption(verboseOption())
    .action(async (domain, name, args) => {
      const { runRename } = await import('./commands/lifecycle.ts');
      await finish(runRename(domain, name, requestFlags(args), terminal));
    });

  program
    .command('dump-core')
    .description('have dom0 read the whole memory of a domain')
    .argument('<domain>', 'name or number')
    .argument('[file]', 'what messages call the core', 'core')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .addOption(verboseOption())
    .action(async (domain, file, args) => {
      const { runDumpCore } = await import('./commands/lifecycle.ts');
      await finish(runDumpCore(domain, file, requestFlags(args), terminal));
    });

  addGuestCommands(program, finish, terminal);
  addHostCommands(program, finish, terminal);
  addLabCommands(program, finish, terminal, version);
  addDeviceCommands(program, finish, terminal);

  program
    .command('probe')
    .description('have dom0 try to map one page of a domain')
    .argument('<domain>', 'name or number')
    .option('-w, --write', 'to write it, not only to read it')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .addOption(verboseOption())
    .action(async (domain, args) => {
      const { runProbe } = await import('./commands/lifecycle.ts');
      await finish(runProbe(domain, args.write === true, requestFlags(args), terminal));
    });

  program
    .command('dmesg')
    .description('print the console ring of Xen, with its avc lines')
    .option('-c, --clear', 'and empty it')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .action(async (args) => {
      const { runDmesg } = await import('./commands/lifecycle.ts');
      await finish(runDmesg(args.clear === true, requestFlags(args), terminal));
    });

  program
    .command('getenforce')
    .description('print the mode; the exit status is 1 when enforcing, as with xl')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .action(async (args) => {
      const { runGetenforce } = await import('./commands/lifecycle.ts');
      await finish(runGetenforce(requestFlags(args), terminal));
    });

  program
    .command('setenforce')
    .description('set the mode')
    .argument('<mode>', '0, 1, permissive or enforcing', parseMode)
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .action(async (mode, args) => {
      const { runSetenforce } = await import('./commands/lifecycle.ts');
      await finish(runSetenforce(mode, requestFlags(args), terminal));
    });

  program
    .command('get-bool')
    .description('print the booleans of the policy')
    .argument('[name]')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .action(async (name, args) => {
      const { runGetBooleans } = await import('./commands/lifecycle.ts');
      await finish(runGetBooleans(name, requestFlags(args), terminal));
    });

  program
    .command('set-bool')
    .description('set a boolean of the policy')
    .argument('<name>')
    .argument('<value>', '0 or 1', parseTruth)
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .action(async (name, value, args) => {
      const { runSetBoolean } = await import('./commands/lifecycle.ts');
      await finish(runSetBoolean(name, value, requestFlags(args), terminal));
    });

  program
    .command('loadpolicy')
    .description('load a policy into a running host')
    .argument('[policy]', 'a policy directory, a policy.conf or a binary')
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(jsonOption())
    .option('-y, --yes', 'on a real host, do not ask')
    .option('--force', 'on a real host, load even a policy that locks dom0 out')
    .option('--back', 'on a real host, load what was in force before the last load')
    .action(async (policy, args) => {
      const { runLoadPolicy } = await import('./commands/lifecycle.ts');
      const how = { isSure: args.yes === true, isForced: args.force === true, isBack: args.back === true };
      await finish(runLoadPolicy(policy, { ...requestFlags(args), ...how, compile: compileOptions(args) }, terminal));
    });

  program
    .command('fmt')
    .description('lay out policy sources, in place; nothing that they compile to changes')
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
    .command('decide')
    .description('say what a policy lets one label do to another')
    .argument('<source>', 'label of the one who acts')
    .argument('<target>', 'label of what is acted on')
    .argument('[class]', 'object class (default: all that something is granted for)')
    .addOption(policyOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .action(async (source, target, className, args) => {
      const { runDecide } = await import('./commands/decide.ts');
      const flags = { policy: args.policy, isJson: args.json === true, compile: compileOptions(args) };
      await finish(runDecide(source, target, className, flags, terminal));
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

  program
    .command('search')
    .description('find rules, as `sesearch` does, with their places in the source; without a kind, rules of all kinds')
    .argument('[policy]', 'a binary, a policy directory or a policy.conf (default: the example policy)')
    .option('-A, --allow', 'allow rules')
    .option('--auditallow', 'auditallow rules')
    .option('--dontaudit', 'dontaudit rules')
    .option('--neverallow', 'neverallow rules, which only sources have')
    .option('-T, --type-trans', 'type_transition rules')
    .option('--type-change', 'type_change rules')
    .option('--type-member', 'type_member rules')
    .option('--role-allow', 'allow rules between roles')
    .option('--role-trans', 'role_transition rules')
    .option('--range-trans', 'range_transition rules')
    .option('-s, --source <name>', 'source type, attribute or role')
    .option('-t, --target <name>', 'target type, attribute or role')
    .option('-c, --class <names>', 'object classes, separated by commas')
    .option('-p, --perms <names>', 'permissions, separated by commas')
    .option('--default <name>', 'type, role or range that something new gets')
    .option('-b, --bool <names>', 'booleans of the condition, separated by commas')
    .option('--source-direct', 'the source itself, not through attributes (-ds of sesearch)')
    .option('--target-direct', 'the target itself, not through attributes (-dt)')
    .option('--source-regex', 'the source is a regular expression (-rs)')
    .option('--target-regex', 'the target is a regular expression (-rt)')
    .option('--class-regex', 'the class is a regular expression (-rc)')
    .option('--default-regex', 'the default is a regular expression (-rd)')
    .option('--bool-regex', 'the boolean is a regular expression (-rb)')
    .option('--bool-equal', 'just these booleans (-eb)')
    .option('--perms-equal', 'just these permissions (-ep)')
    .option('--perms-subset', 'all of these permissions, and maybe others (-Sp)')
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .action(async (policy, args) => {
      const { kindsOf, runSearch } = await import('./commands/search.ts');
      const flags = { ...args, kinds: kindsOf(args), isJson: args.json === true, compile: compileOptions(args) };
      await finish(runSearch(policy, flags, terminal));
    });

  program
    .command('explain')
    .description('say why Xen denied what a log shows, and what to do; the status is 1 where this policy denies it')
    .argument('[log]', 'a file with lines of `xl dmesg`, whatever else is in it (default: the standard input)')
    .option('--policy <policy>', 'a policy directory, a policy.conf or a binary (default: the example policy)')
    .option(
      '--host <name>',
      'the console, the policy and the booleans of a simulated host; `xen`: console and booleans of this machine',
    )
    .option(
      '--fix',
      'write what is proposed, if the policy then compiles and the denials are gone; else change nothing',
    )
    .option('--least', 'propose rules alone where the macro call gives more than was denied')
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit status: 0 when this policy denies nothing of the log (any more), 1 when it does, 2 for wrong use, 3 when a\nfile cannot be read or written.\n\nExamples:\n  xl dmesg | dewar explain --policy tools/flask/policy\n  dewar explain --policy site --fix xl-dmesg.log',
    )
    .action(async (log, args) => {
      const { runExplain } = await import('./commands/explain.ts');
      const { policy, host } = args;
      const flags = { isJson: args.json === true, isFix: args.fix === true, isLeast: args.least === true };
      await finish(runExplain({ log, policy, host, ...flags, compile: compileOptions(args) }, terminal));
    });

  program
    .command('reach')
    .description('say who reads or writes the memory of a guest in each part of its life, or can come to it')
    .argument('[config]', 'xl.cfg file of the guest (default: a guest without a label)')
    .option('-l, --label <label>', 'the label that the guest runs under, in place of a file')
    .option('-b, --build-label <label>', 'the label that it is built under, where that is another one')
    .option('--domain <domain>', 'a domain of the host, by its name')
    .option('--by <name>', 'only what this type, or types with this attribute, have')
    .option('--device <label>', 'and whether the guest can be given a device with this label')
    .addOption(hostOption())
    .addOption(policyOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .option('-v, --verbose', 'name every way, every rule, and what each rests on')
    .action(async (config, args) => {
      const { runReach } = await import('./commands/reach.ts');
      const flags = {
        ...requestFlags(args),
        label: args.label,
        buildLabel: args.buildLabel,
        domain: args.domain,
        by: args.by,
        device: args.device,
        compile: compileOptions(args),
      };
      await finish(runReach(config, flags, terminal));
    });

  program
    .command('prove')
    .description('say whether properties hold of a policy, for every label and every setting of its booleans')
    .argument('<file>', 'a file of properties, such as policies/example/policy.prove')
    .addOption(policyOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit status: 0 when all properties are proved, 1 when one is refuted, 2 when the file or the policy is wrong or a\nproperty is undecided, 3 when a file cannot be read.',
    )
    .action(async (file, args) => {
      const { runProve } = await import('./commands/prove.ts');
      const flags = { policy: args.policy, isJson: args.json === true, compile: compileOptions(args) };
      await finish(runProve(file, flags, terminal));
    });

  program
    .command('compat')
    .description('say what changes for a policy from one release of Xen to another; the status is 1 when it breaks')
    .argument('[policy]', 'a policy directory, a policy.conf or a binary (default: the example policy)')
    .addOption(
      new Option('--xen <release>', `the release before, and once more the release after: ${XEN_RELEASES.join(', ')}`)
        .argParser(collectRelease)
        .default([] as XenReleaseName[], 'none'),
    )
    .addOption(versionOption())
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(unknownOption())
    .addOption(jsonOption())
    .action(async (policy, { xen, ...args }) => {
      const { runCompat } = await import('./commands/compat.ts');
      const flags = { releases: xen, isJson: args.json === true, compile: compileOptions(args) };
      await finish(runCompat(policy, flags, terminal));
    });

  program
    .command('diff')
    .description('say what changed in meaning from one policy to another')
    .argument('<old>', 'a policy directory, a policy.conf or a binary')
    .argument('<new>', 'another one')
    .option('--no-new-access', 'the status is 1 if the new policy may allow what the old one does not')
    .addOption(
      new Option(
        '--guest <config>',
        'xl.cfg of a guest: which operations of its life start or stop working (repeatable)',
      )
        .argParser(collect)
        .default([] as string[], 'none'),
    )
    .option('--rules', 'also rule by rule, attributes replaced by their types, as `sediff` does')
    .option('--full', 'all names and places, however many')
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .action(async (old, next, args) => {
      const { runDiff } = await import('./commands/diff.ts');
      const flags = {
        isJson: args.json === true,
        showsRules: args.rules === true,
        isFull: args.full === true,
        refusesNewAccess: !args.newAccess,
        guests: args.guest,
        compile: compileOptions(args),
      };
      await finish(runDiff(old, next, flags, terminal));
    });

  program
    .command('test')
    .description('run scenarios on simulated hosts; the status is 1 where something came otherwise than it must')
    .argument('[path]', 'a folder with `.scenario.yaml` files, or one of them', '.')
    .option('--filter <text>', 'only scenarios with this text in their file or name')
    .addOption(
      new Option('--coverage [how]', 'which rules were exercised; `summary` shows what was not, `source` whole sources')
        .choices(['summary', 'source'] as const)
        .preset('summary'),
    )
    .option('--lcov <file>', 'write the coverage as an lcov tracefile')
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--host <kind>', 'on what hosts', 'simulated')
    .option('--jobs <number>', 'threads at most; many scenarios get as many as there are processors', parseCount)
    .option('--shard <part>', 'only one of several parts, such as `2/4`', parseShard)
    .option('-w, --watch', 'run again after each change')
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption())
    .action(async (path, args) => {
      const { runTest, runWatchedTest } = await import('./commands/test.ts');
      const flags = {
        filter: args.filter,
        host: args.host,
        junit: args.junit,
        lcov: args.lcov,
        coverage: args.coverage,
        isJson: args.json === true,
        isWatched: args.watch === true,
        jobs: args.jobs,
        shard: args.shard,
        compileWords: [
          ...args.define.flatMap(({ name, value }) => ['--define', `${name}=${value}`]),
          ...(args.xen === undefined ? [] : ['--xen', args.xen]),
        ],
        compile: compileOptions(args),
      };
      await finish(args.watch === true ? runWatchedTest(path, flags, terminal) : runTest(path, flags, terminal));
    });

  program
    .command('help')
    .description('explain a diagnostic code, such as `te/unknown-type`, or a command')
    .argument('[topic]', 'a code, an area of codes such as `te`, or a command')
    .action(async (topic) => {
      const { runHelp } = await import('./help.ts');
      await finish(Promise.resolve(runHelp(program, topic, terminal)));
    });

  return program as unknown as Command;
}

function stream(target: NodeJS.WriteStream): Stream {
  return { write: (bytes) => void target.write(bytes), isTerminal: target.isTTY === true };
}

/** Runs one command line and answers the exit code. */
export async function run(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  let code: number = EXIT.done;
  const program = makeProgram(terminal, version, async (result) => {
    code = await result;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return explain(error, terminal);
  }
}

/** Says why a command ended without an answer. */
function explain(error: unknown, { err }: Terminal): number {
  const colours = coloursFor(err);
  const say = (message: string): void => printLine(err, `${colours.error('dewar:')} ${message}`);
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageError) {
    say(error.message);
    return EXIT.usage;
  }
  if (error instanceof RequestError) {
    say(error.message);
    return EXIT.problem;
  }
  // The errors of files, of the lab and of a real host carry a code of their own.
  const isOfTheWorld = error instanceof Error && (error.name === 'LabError' || error.name === 'XenError');
  if (error instanceof FileError || isOfTheWorld) {
    say(error.message);
    return EXIT.world;
  }
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  say('this is a fault of Dewar, not of your input. Please report it with the lines below.');
  printLine(err, what);
  return EXIT.bug;
}

/** The entry of the bundle. */
export async function main(version: string): Promise<void> {
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.world);
  });
  const terminal: Terminal = { out: stream(process.stdout), err: stream(process.stderr) };
  process.exitCode = await run(process.argv.slice(2), terminal, version);
}
