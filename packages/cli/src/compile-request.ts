/**
 * The options of commands that compile a policy before they answer.
 *
 * @module
 */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { CompileOptions } from '@dewar/policy/compiler';
import {
  findXenRelease,
  nearestXenRelease,
  POINT_RELEASES,
  XEN_RELEASES,
  type XenReleaseName,
} from '@dewar/policy/releases';
import type { DiagnosticFormat } from './diagnostic-formats.ts';
import { byteText } from './terminal.ts';

type Definition = { readonly name: string; readonly value: string };

function collectDefinition(text: string, before: readonly Definition[]): Definition[] {
  const at = text.indexOf('=');
  const name = at === -1 ? text : text.slice(0, at);
  if (name === '') throw new InvalidArgumentError('it must be `name` or `name=value`.');
  return [...before, { name: byteText(name), value: at === -1 ? '' : byteText(text.slice(at + 1)) }];
}

/** One more value of an option that may be repeated. */
export function collect(text: string, before: readonly string[]): string[] {
  return [...before, text];
}

/** Macros for m4. */
export const definitionOption = (): Option<'-D, --define <name[=value]>', undefined, Definition[], Definition[]> =>
  new Option('-D, --define <name[=value]>', 'define a macro before the policy is read')
    .argParser(collectDefinition)
    .default([] as Definition[], 'none');
/** Whether MLS is compiled in. */
export const mlsOption = (): Option<'--mls'> => new Option('--mls', 'compile with multi-level security');
/** The version of the binary. */
export const versionOption = (): Option<
  '-c, --policy-version <version>',
  undefined,
  undefined,
  undefined,
  false,
  '24' | '30'
> =>
  new Option(
    '-c, --policy-version <version>',
    'version of the binary policy (default: the newest that the release of Xen reads)',
  ).choices(['24', '30'] as const);
/** What becomes of what the policy does not know. */
export const unknownOption = (): Option<
  '-U, --handle-unknown <how>',
  undefined,
  'deny',
  undefined,
  false,
  'allow' | 'deny' | 'reject'
> =>
  new Option('-U, --handle-unknown <how>', 'what the policy says of classes and permissions that it lacks')
    .choices(['deny', 'allow', 'reject'] as const)
    .default('deny' as const);
/** The releases of Xen that `--xen` takes, for its help. */
export const RELEASES_IN_WORDS: string = XEN_RELEASES.join(', ');

/** A release of Xen, by the name of its tables or as a point release that they stand for. */
export function parseRelease(text: string): XenReleaseName {
  const found = findXenRelease(text);
  if (found !== undefined) return found;
  const near = nearestXenRelease(text);
  const points = near === undefined || near === 'master' ? undefined : POINT_RELEASES[near];
  const instead = points === undefined ? '' : ` For Xen ${text} the nearest is ${near}, read from ${points[0]}.`;
  throw new InvalidArgumentError(`there are tables for ${RELEASES_IN_WORDS}.${instead}`);
}

/** Of which release scenarios are run. */
export const scenarioReleaseOption = (): Option<'--xen <release>', undefined, undefined, XenReleaseName> =>
  new Option(
    '--xen <release>',
    `release of Xen of the simulated hosts, where a scenario says none, and of policies: ${RELEASES_IN_WORDS}`,
  ).argParser(parseRelease);

/** Which release's classes are meant. */
export const releaseOption = (): Option<'--xen <release>', undefined, undefined, XenReleaseName> =>
  new Option(
    '--xen <release>',
    `release of Xen whose classes a policy directory outside of a Xen tree means: ${RELEASES_IN_WORDS}`,
  ).argParser(parseRelease);
/** How diagnostics are printed. */
export const formatOption = (): Option<'--format <format>', undefined, 'text', undefined, false, DiagnosticFormat> =>
  new Option('--format <format>', 'how diagnostics are printed')
    .choices(['text', 'json', 'sarif', 'github'] as const satisfies readonly DiagnosticFormat[])
    .default('text' as const);
/** Beside `--format`, `--json` is another way to write `--format json`. */
export const jsonFormatOption = (): Option<'--json'> =>
  new Option('--json', 'the same as `--format json`').conflicts('format');

interface CompileArgs {
  readonly policyVersion?: '24' | '30' | undefined;
  readonly mls?: true | undefined;
  readonly optimize?: true | undefined;
  readonly define?: readonly Definition[];
  readonly handleUnknown?: 'deny' | 'allow' | 'reject';
  readonly xen?: CompileOptions['release'] | undefined;
}

/** How the options say that a policy is compiled. */
export function compileOptions(args: CompileArgs): CompileOptions {
  return {
    ...(args.policyVersion === undefined ? {} : { version: args.policyVersion === '24' ? 24 : 30 }),
    isMls: args.mls === true,
    isOptimized: args.optimize === true,
    definitions: args.define ?? [],
    handleUnknown: args.handleUnknown ?? 'deny',
    ...(args.xen === undefined ? {} : { release: args.xen }),
  };
}
