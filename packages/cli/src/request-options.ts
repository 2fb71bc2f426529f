/**
 * The options of every command that makes a request of a host.
 *
 * @module
 */
import { type Command, Option } from '@commander-js/extra-typings';
import type { FlaskMode, IommuKind } from '@dewar/lab';
import type { XenReleaseName } from '@dewar/policy/releases';
import { parseRelease, RELEASES_IN_WORDS } from './compile-request.ts';

/** Which policy the host runs. */
export const policyOption = (
  text = 'a policy directory, a policy.conf or a binary (default: the example policy)',
): Option<'--policy <policy>'> => new Option('--policy <policy>', text);

const FLASK_MODES: readonly ['enforcing', 'permissive', 'late', 'disabled'] & readonly FlaskMode[] = [
  'enforcing',
  'permissive',
  'late',
  'disabled',
];

/** How Xen's FLASK is booted. */
export const flaskOption = (): Option<
  '--flask <mode>',
  undefined,
  undefined,
  undefined,
  false,
  (typeof FLASK_MODES)[number]
> => new Option('--flask <mode>', "boot the simulated host with Xen's parameter `flask=<mode>`").choices(FLASK_MODES);

/** Which Xen is simulated. */
export const xenOption = (): Option<'--xen <release>', undefined, undefined, XenReleaseName> =>
  new Option(
    '--xen <release>',
    `boot the simulated host with this release of Xen: ${RELEASES_IN_WORDS} (default: 4.17)`,
  ).argParser(parseRelease);

const IOMMU_KINDS: readonly ['none', 'without-remapping', 'with-remapping'] & readonly IommuKind[] = [
  'none',
  'without-remapping',
  'with-remapping',
];

/** What keeps devices of guests within bounds. */
export const iommuOption = (): Option<
  '--iommu <kind>',
  undefined,
  undefined,
  undefined,
  false,
  (typeof IOMMU_KINDS)[number]
> =>
  new Option(
    '--iommu <kind>',
    'boot the simulated host without an IOMMU, or with one that remaps interrupts too or not (default: with-remapping)',
  ).choices(IOMMU_KINDS);

/** Which host is meant. */
export const hostOption = (
  text = '`xen`: the host that this machine is; `simulated`; or a simulated host by its name',
): Option<'--host <name>'> => new Option('--host <name>', text);

/** For a command that is about the real host, whoever asks. */
export const realHostOption = (): Option<'--host <name>', undefined, undefined, 'xen', false, 'xen'> =>
  new Option('--host <name>', 'the host that this machine is; no other has what is shown').choices(['xen'] as const);

/** The answer for another program. */
export const jsonOption = (): Option<'--json'> => new Option('--json', 'print the answer as JSON');

/** The answer with all that led to it. */
export const verboseOption = (): Option<'-v, --verbose'> =>
  new Option('-v, --verbose', 'show every step and every check');

/** The options of a request as the parser leaves them. An alias: the parser's own types ask for an index signature. */
export type RequestArgs = {
  readonly json?: true | undefined;
  readonly verbose?: true | undefined;
  readonly host?: string | undefined;
  readonly policy?: string | undefined;
  readonly flask?: FlaskMode | undefined;
  readonly xen?: XenReleaseName | undefined;
  readonly iommu?: IommuKind | undefined;
};

/** The options of a request as its command takes them. */
export function requestFlags(args: RequestArgs): {
  readonly isJson: boolean;
  readonly isVerbose: boolean;
  readonly host: string | undefined;
  readonly policy: string | undefined;
  readonly flask: FlaskMode | undefined;
  readonly release: XenReleaseName | undefined;
  readonly iommu: IommuKind | undefined;
} {
  const { host, policy, flask, xen: release, iommu } = args;
  return { isJson: args.json === true, isVerbose: args.verbose === true, host, policy, flask, release, iommu };
}

/** Adds a command that asks something of a host, with the options by which all of them name it. */
export function requestCommand(program: Command, name: string, text: string): Command<[], RequestArgs> {
  return program
    .command(name)
    .description(text)
    .addOption(hostOption())
    .addOption(flaskOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption());
}

/** Adds a command that has a host do something, of which every step can be shown. */
export function operationCommand(program: Command, name: string, text: string): Command<[], RequestArgs> {
  return requestCommand(program, name, text).addOption(verboseOption());
}
