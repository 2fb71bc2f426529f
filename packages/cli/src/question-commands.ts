/**
 * The commands that ask something of a policy, and answer.
 *
 * @module
 */
import { type Command, InvalidArgumentError, Option, type OptionValues } from '@commander-js/extra-typings';
import type { XenReleaseName } from '@dewar/policy/releases';
import {
  collect,
  compileOptions,
  definitionOption,
  mlsOption,
  parseRelease,
  RELEASES_IN_WORDS,
  releaseOption,
  scenarioReleaseOption,
  unknownOption,
  versionOption,
} from './compile-request.ts';
import type { Finish } from './guest-commands.ts';
import { hostOption, jsonOption, policyOption, requestFlags } from './request-options.ts';
import type { Terminal } from './terminal.ts';

function collectRelease(text: string, before: readonly XenReleaseName[]): XenReleaseName[] {
  return [...before, parseRelease(text)];
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

/** The options of a command that compiles a policy and answers in text or as data. */
function asking<A extends unknown[], O extends OptionValues>(command: Command<A, O>) {
  return command
    .addOption(mlsOption())
    .addOption(definitionOption())
    .addOption(releaseOption())
    .addOption(jsonOption());
}

/** Adds the commands. */
export function addQuestionCommands(program: Command, finish: Finish, terminal: Terminal): void {
  asking(
    program
      .command('decide')
      .description('say what a policy lets one label do to another')
      .argument('<source>', 'label of the one who acts')
      .argument('<target>', 'label of what is acted on')
      .argument('[class]', 'object class (default: all that something is granted for)')
      .addOption(hostOption('a host that answers itself: `xen`, or a simulated one by its name'))
      .addOption(policyOption()),
  ).action(async (source, target, className, args) => {
    const { runDecide } = await import('./commands/decide.ts');
    const { policy, host } = args;
    const flags = { policy, host, isJson: args.json === true, compile: compileOptions(args) };
    await finish(runDecide(source, target, className, flags, terminal));
  });

  asking(
    program
      .command('search')
      .description(
        'find rules, as `sesearch` does, with their places in the source; without a kind, rules of all kinds',
      )
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
      .option('--perms-subset', 'all of these permissions, and maybe others (-Sp)'),
  ).action(async (policy, args) => {
    const { kindsOf, runSearch } = await import('./commands/search.ts');
    const flags = { ...args, kinds: kindsOf(args), isJson: args.json === true, compile: compileOptions(args) };
    await finish(runSearch(policy, flags, terminal));
  });

  asking(
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
      .option(
        '--properties <file>',
        'what the policy states of itself, as `dewar prove` takes it: a fix that ends one is none (default: the `.prove` file in the policy directory)',
      )
      .option('--least', 'propose rules alone where the macro call gives more than was denied'),
  )
    .addHelpText(
      'after',
      '\nExit status: 0 when this policy denies nothing of the log (any more), 1 when it does, 2 for wrong use, 3 when a\nfile cannot be read or written.\n\nExamples:\n  xl dmesg | dewar explain --policy tools/flask/policy\n  dewar explain --policy site --fix xl-dmesg.log',
    )
    .action(async (log, args) => {
      const { runExplain } = await import('./commands/explain.ts');
      const { policy, host } = args;
      const flags = { isJson: args.json === true, isFix: args.fix === true, isLeast: args.least === true };
      await finish(
        runExplain(
          { log, policy, host, properties: args.properties, ...flags, compile: compileOptions(args) },
          terminal,
        ),
      );
    });

  asking(
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
      .addOption(policyOption()),
  )
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

  asking(
    program
      .command('prove')
      .description('say whether properties hold of a policy, for every label and every setting of its booleans')
      .argument('<file>', 'a file of properties, such as policies/example/policy.prove')
      .addOption(policyOption()),
  )
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
      new Option('--xen <release>', `the release before, and once more the release after: ${RELEASES_IN_WORDS}`)
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

  asking(
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
      .option('--full', 'all names and places, however many'),
  ).action(async (old, next, args) => {
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
    .description(
      'run scenarios on simulated hosts, or on a real one; the status is 1 where something came otherwise than it must',
    )
    .argument('[path]', 'a folder with `.scenario.yaml` files, or one of them', '.')
    .option('--filter <text>', 'only scenarios with this text in their file or name')
    .addOption(
      new Option('--coverage [how]', 'which rules were exercised; `summary` shows what was not, `source` whole sources')
        .choices(['summary', 'source'] as const)
        .preset('summary'),
    )
    .option('--lcov <file>', 'write the coverage as an lcov tracefile')
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--host <kind>', 'on what hosts: `simulated`, or `xen`, the host that this machine is', 'simulated')
    .option('--audit', 'on `xen`: load the policy with auditing meanwhile, so that Xen logs what it grants')
    .option('--jobs <number>', 'threads at most; many scenarios get as many as there are processors', parseCount)
    .option('--shard <part>', 'only one of several parts, such as `2/4`', parseShard)
    .option('-w, --watch', 'run again after each change')
    .addOption(definitionOption())
    .addOption(scenarioReleaseOption())
    .addOption(jsonOption())
    .action(async (path, args) => {
      const { runTest, runWatchedTest } = await import('./commands/test.ts');
      const flags = {
        filter: args.filter,
        host: args.host,
        isAudited: args.audit === true,
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
}
