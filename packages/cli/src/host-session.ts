/**
 * Finds the host that a command is about, real or simulated, and uses it.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hypervisor } from '@dewar/hypervisor';
import type { FlaskMode, IommuKind, Lab, LabSlot, RunningHost } from '@dewar/lab';
import type { CompileOptions } from '@dewar/policy/compiler';
import { BASELINE_RELEASE, isSince, nearestXenRelease, type XenReleaseName } from '@dewar/policy/releases';
import { hasErrors } from '@dewar/policy/text';
import type { Host } from '@dewar/toolstack';
import type { XenHost } from '@dewar/xen';
import { EXIT, UsageError } from './failures.ts';
import {
  displayPath,
  EXAMPLE_POLICY,
  hostNameFor,
  type PolicyReading,
  policyPath,
  readPolicy,
  sha256,
} from './policy-input.ts';
import { coloursFor, print, printDiagnostics, printLine, type Terminal } from './terminal.ts';

/** How a command names its host. */
export interface HostChoice {
  /** `xen`, `simulated`, or a simulated host by its own name. */
  readonly host?: string | undefined;
  /** The host of a policy. */
  readonly policy?: string | undefined;
  readonly compile?: CompileOptions;
  /** Xen's boot parameter `flask=`; a host that was booted otherwise is booted anew. */
  readonly flask?: FlaskMode | undefined;
  /** The release of Xen; a host of another is booted anew. */
  readonly release?: XenReleaseName | undefined;
  /** What keeps devices within bounds; a host of another kind is booted anew. */
  readonly iommu?: IommuKind | undefined;
  readonly isQuiet?: boolean;
}

/** Where simulated hosts are kept. `DEWAR_STATE_DIR` overrides the place that XDG names. */
function stateFolder(): string {
  const own = process.env['DEWAR_STATE_DIR'];
  if (own !== undefined && own !== '') return own;
  const state = process.env['XDG_STATE_HOME'];
  return join(state !== undefined && state !== '' ? state : join(homedir(), '.local', 'state'), 'dewar');
}

/** The name of the real host that this machine is. */
export const REAL_HOST = 'xen';
/** The name of whichever simulated host comes next. */
export const ANY_SIMULATED = 'simulated';

/** The helper process of a real host. Its place is the same seen from the sources and from the bundle. */
const HELPER_FILE: string = fileURLToPath(new URL('../dist/xen-helper.mjs', import.meta.url));

/** Where what belongs to a real host is kept: the journal, and the policies that were loaded. */
export function realHostFolder(): string {
  const own = process.env['DEWAR_STATE_DIR'];
  return own !== undefined && own !== '' ? join(own, 'xen') : '/var/lib/dewar';
}

/**
 * Whether a command is about the Xen host that this machine is. Without `--host` it is, where this process may manage
 * one, unless an option speaks of a simulated host.
 */
export async function meansRealHost({ host, policy, flask }: HostChoice): Promise<boolean> {
  if (host !== undefined) return host === REAL_HOST;
  if (policy !== undefined || flask !== undefined) return false;
  // Nothing more is loaded where there is no Xen.
  if (!existsSync('/dev/xen/privcmd') && !existsSync('/proc/xen/privcmd')) return false;
  const { hindrance } = await import('@dewar/xen');
  return hindrance() === undefined;
}

/** The exit status of a shell command that was interrupted. */
export const INTERRUPTED = 130;

/**
 * Opens the Xen host that this machine is, `isBare` one that has no xenstore yet, and puts back what a command that was
 * killed has left behind.
 */
export async function openRealHost(terminal: Terminal, isBare = false): Promise<XenHost> {
  const { hasAuditRecord, openXenHost } = await import('@dewar/xen');
  const folder = realHostFolder();
  const host = await openXenHost({ helperFile: HELPER_FILE, stateFolder: folder, isBare, ...terminal.realHost });
  if (!hasAuditRecord(folder)) return host;
  const { settleLeftOver } = await import('./left-over-auditing.ts');
  await settleLeftOver(host, folder, terminal);
  return host;
}

/** What ends a command before its time, and can be caught. */
export const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Uses the Xen host that this machine is. When the command is interrupted, what is half done is undone first. With
 * `ending`, the first interruption only says its words and begins it: `use` then ends by itself.
 */
export async function useRealHost(
  terminal: Terminal,
  use: (host: XenHost) => Promise<number>,
  ending?: { readonly words: string; readonly begin: () => void },
  isBare = false,
): Promise<number> {
  const host = await openRealHost(terminal, isBare);
  let isEnding = false;
  const interrupt = (): void => {
    if (ending !== undefined && !isEnding) {
      isEnding = true;
      printLine(terminal.err, ending.words);
      ending.begin();
      return;
    }
    // Once more ends the command at once, as signals do.
    for (const signal of INTERRUPTS) process.off(signal, interrupt);
    printLine(terminal.err, 'interrupted: what is half done is undone first');
    void host.close().then(() => process.exit(INTERRUPTED));
  };
  for (const signal of INTERRUPTS) process.on(signal, interrupt);
  try {
    return await use(host);
  } finally {
    for (const signal of INTERRUPTS) process.off(signal, interrupt);
    await host.close();
  }
}

/** The tables for the Xen of a real host, by its version, such as `4.17.5`. */
export function tablesOf(version: string): XenReleaseName {
  return nearestXenRelease(version) ?? BASELINE_RELEASE;
}

/** The host of a request; `real` is the same host where it is not simulated. */
export interface HostInUse {
  readonly host: Host;
  readonly real: XenHost | undefined;
  /** The simulated Xen, where it is one. */
  readonly simulated: Hypervisor | undefined;
  /** The tables that its policy is compiled with. */
  readonly release: XenReleaseName;
}

/** Uses the host that is meant, whatever kind it is. */
export async function useAnyHost(
  choice: HostChoice,
  terminal: Terminal,
  use: (host: HostInUse) => Promise<number>,
): Promise<number> {
  if (!(await meansRealHost(choice)))
    return useHost(choice, terminal, ({ host, hypervisor }) =>
      use({ host, real: undefined, simulated: hypervisor, release: hypervisor.release }),
    );
  if (choice.flask !== undefined)
    throw new UsageError('`--flask` boots a simulated host; a real one was booted with a mode of its own');
  if (choice.iommu !== undefined) throw new UsageError('`--iommu` boots a simulated host; a real one has what it has');
  return useRealHost(terminal, (real) =>
    use({ host: real, real, simulated: undefined, release: tablesOf(real.version) }),
  );
}

/** Whether `--host` with this word means something else than a simulated host of that name. */
export function isReservedName(name: string): boolean {
  return name === REAL_HOST || name === ANY_SIMULATED;
}

/** All simulated hosts of this user. */
export async function openLab({ onHost }: Terminal): Promise<Lab> {
  const { Lab } = await import('@dewar/lab');
  return new Lab(stateFolder(), onHost);
}

/** What to say of a host that does not exist. */
export function noSuchHost(lab: Lab, name: string): UsageError {
  const names = lab.names();
  const hint = names.length === 0 ? 'none exists yet' : `there is ${names.map((one) => `\`${one}\``).join(', ')}`;
  return new UsageError(`there is no simulated host \`${name}\`: ${hint}`);
}

/** What a command does with a simulated host. */
export type UseHost = (running: RunningHost, policy: PolicyReading | undefined) => Promise<number>;

/**
 * Uses the simulated host that is named, or that of the policy, or the one used last, or that of the example policy.
 * A host that was never booted, or whose policy has changed, is booted first. Answers the exit code.
 */
export async function useHost(given: HostChoice, terminal: Terminal, use: UseHost): Promise<number> {
  const choice = given.host === ANY_SIMULATED ? { ...given, host: undefined } : given;
  const lab = await openLab(terminal);
  const known = choice.host ?? (choice.policy === undefined ? lab.current : undefined);
  if (choice.host !== undefined && choice.policy === undefined && !lab.names().includes(choice.host)) {
    throw noSuchHost(lab, choice.host);
  }
  if (known !== undefined && choice.policy === undefined) {
    return lab.transact(known, async (slot) => {
      if (slot.running === undefined) return bootAndUse(slot, choice, terminal, use);
      const { release, flask, iommu } = slot.running.hypervisor;
      const { mode } = flask;
      if (choice.release !== undefined && choice.release !== release) {
        throw new UsageError(
          `the simulated host \`${known}\` runs Xen ${release}: name its policy with \`--policy\` to boot it anew`,
        );
      }
      if (choice.flask !== undefined && choice.flask !== mode) {
        throw new UsageError(
          `the simulated host \`${known}\` was booted with \`flask=${mode}\`: name its policy with \`--policy\` to boot it anew`,
        );
      }
      if (choice.iommu !== undefined && choice.iommu !== iommu) {
        throw new UsageError(
          `the simulated host \`${known}\` was booted with the IOMMU \`${iommu}\`: name its policy with \`--policy\` to boot it anew`,
        );
      }
      return use(slot.running, undefined);
    });
  }
  const name = choice.host ?? hostNameFor(policyPath(choice.policy));
  return lab.transact(name, (slot) => bootAndUse(slot, choice, terminal, use));
}

/** The oldest release that the example policy compiles for. */
const EXAMPLE_SINCE: XenReleaseName = '4.13';

/** Reads the policy for the release that the host has or is to have. */
async function readFor(
  choice: HostChoice,
  release: XenReleaseName | undefined,
  terminal: Terminal,
): Promise<PolicyReading> {
  const policy = await readPolicy(choice.policy, { ...choice.compile, ...(release === undefined ? {} : { release }) });
  const shown = choice.isQuiet ? policy.diagnostics.filter(({ severity }) => severity === 'error') : policy.diagnostics;
  printDiagnostics(terminal, shown);
  if (policy.errorOutput !== '') print(terminal.err, policy.errorOutput);
  return policy;
}

async function bootAndUse(slot: LabSlot, choice: HostChoice, terminal: Terminal, use: UseHost): Promise<number> {
  const { flask } = choice;
  // A host that runs stays with its release and its IOMMU as long as nobody asks for another.
  const release = choice.release ?? slot.running?.hypervisor.release;
  const iommu = choice.iommu ?? slot.running?.hypervisor.iommu;
  const policy = await readFor(choice, release, terminal);
  const { bytes, name } = policy;
  if (bytes === undefined || hasErrors(policy.diagnostics)) {
    if (choice.policy === undefined && release !== undefined && !isSince(release, EXAMPLE_SINCE)) {
      const words = `Dewar's example policy is for Xen ${EXAMPLE_SINCE} and later: name a policy for Xen ${release} with \`--policy\``;
      printLine(terminal.err, `${coloursFor(terminal.err).warning('note:')} ${words}`);
    }
    return EXIT.problem;
  }
  const identity = sha256(bytes);
  let { running } = slot;
  const isOtherMode = flask !== undefined && running?.hypervisor.flask.mode !== flask;
  const isOtherRelease = running !== undefined && running.hypervisor.release !== release;
  const isOtherIommu = running !== undefined && running.hypervisor.iommu !== iommu;
  if (running?.policy.sha256 !== identity || isOtherMode || isOtherRelease || isOtherIommu) {
    if (running !== undefined) {
      const { release: before, flask: state, iommu: iommuBefore } = running.hypervisor;
      const whyBootedAnew = isOtherRelease
        ? `the simulated host ran Xen ${before}`
        : running.policy.sha256 === identity
          ? isOtherMode
            ? `the simulated host was booted with \`flask=${state.mode}\``
            : `the simulated host was booted with the IOMMU \`${iommuBefore}\``
          : `\`${name}\` is not the policy that the simulated host booted with`;
      await warnOfReboot(running, whyBootedAnew, terminal);
    }
    const options = {
      ...(flask === undefined ? {} : { flask }),
      ...(release === undefined ? {} : { release }),
      // A host keeps the memory and the devices that it was made with.
      ...(running === undefined ? {} : { memoryMib: running.hypervisor.memoryMib }),
      ...(running === undefined ? {} : { devices: running.hypervisor.pciDevices() }),
      ...(iommu === undefined ? {} : { iommu }),
    };
    const outcome = slot.boot({ name, bytes, sha256: identity }, options);
    if ('refused' in outcome) {
      const colours = coloursFor(terminal.err);
      const xen = release === undefined ? 'Xen' : `Xen ${release}`;
      printLine(
        terminal.err,
        `${colours.error('error:')} ${xen} does not start with the policy \`${name}\`: ${outcome.refused}`,
      );
      const other = await releaseOf(bytes);
      if (other !== undefined && other !== (release ?? BASELINE_RELEASE)) {
        printLine(terminal.err, `${colours.warning('note:')} it is a policy for Xen ${other}: try \`--xen ${other}\``);
      }
      return EXIT.problem;
    }
    if (outcome.policyRefused !== undefined) {
      printLine(
        terminal.err,
        `${coloursFor(terminal.err).warning('warning:')} Xen did not take the policy \`${name}\` and allows everything: ${outcome.policyRefused}`,
      );
    }
    running = outcome;
  }
  return use(running, policy);
}

/** The release whose classes and permissions a binary has, each at its place. */
async function releaseOf(bytes: Uint8Array): Promise<XenReleaseName | undefined> {
  const { readPolicydb } = await import('@dewar/policy/policydb');
  const { findRelease } = await import('@dewar/policy/decompiler');
  const read = readPolicydb(bytes);
  const match = 'policy' in read ? findRelease(read.policy) : undefined;
  return match?.isExact === true ? match.release : undefined;
}

/** A simulated host runs as it was booted; anything else needs a reboot, which ends its guests. */
async function warnOfReboot(running: RunningHost, why: string, { err }: Terminal): Promise<void> {
  const domains = (await running.host.list()).value ?? [];
  const guests = domains.filter(({ domid }) => domid !== 0).map((guest) => guest.name ?? `domain ${guest.domid}`);
  const gone = guests.length === 0 ? 'it ran no guest' : `these guests are gone: ${guests.join(', ')}`;
  printLine(err, `${coloursFor(err).warning('note:')} ${why}; it was booted anew, and ${gone}`);
}

/** How a policy is called in a heading. */
export function policyTitle(name: string): string {
  return name === displayPath(EXAMPLE_POLICY) ? `${name} (Dewar's example policy)` : name;
}
