/**
 * Finds the simulated host that a command is about, and uses it.
 *
 * @module
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { FlaskMode, LabSlot, RunningHost } from '@dewar/lab';
import type { CompileOptions } from '@dewar/policy/compiler';
import { hasErrors } from '@dewar/policy/text';
import { EXIT, UsageError } from './failures.ts';
import { displayPath, EXAMPLE_POLICY, hostNameFor, type PolicyReading, readPolicy, sha256 } from './policy-input.ts';
import { coloursFor, print, printDiagnostics, printLine, type Terminal } from './terminal.ts';

/** How a command names its host. */
export interface HostChoice {
  /** A host by its own name. */
  readonly host?: string | undefined;
  /** The host of a policy. */
  readonly policy?: string | undefined;
  readonly compile?: CompileOptions;
  /** Xen's boot parameter `flask=`; a host that was booted otherwise is booted anew. */
  readonly flask?: FlaskMode | undefined;
  readonly isQuiet?: boolean;
}

/** Where simulated hosts are kept. `DEWAR_STATE_DIR` overrides the place that XDG names. */
function stateFolder(): string {
  const own = process.env['DEWAR_STATE_DIR'];
  if (own !== undefined && own !== '') return own;
  const state = process.env['XDG_STATE_HOME'];
  return join(state !== undefined && state !== '' ? state : join(homedir(), '.local', 'state'), 'dewar');
}

/** What a command does with a host. */
export type UseHost = (running: RunningHost, policy: PolicyReading | undefined) => Promise<number>;

/**
 * Uses the host that is named, or that of the policy, or the one used last, or that of the example policy.
 * A host that was never booted, or whose policy has changed, is booted first. Answers the exit code.
 */
export async function useHost(choice: HostChoice, terminal: Terminal, use: UseHost): Promise<number> {
  const { Lab } = await import('@dewar/lab');
  const lab = new Lab(stateFolder());
  const known = choice.host ?? (choice.policy === undefined ? lab.current : undefined);
  if (choice.host !== undefined && choice.policy === undefined && !lab.names().includes(choice.host)) {
    const names = lab.names();
    const hint = names.length === 0 ? 'none exists yet' : `there is ${names.map((name) => `\`${name}\``).join(', ')}`;
    throw new UsageError(`there is no simulated host \`${choice.host}\`: ${hint}`);
  }
  if (known !== undefined && choice.policy === undefined) {
    return lab.transact(known, async (slot) => {
      if (slot.running === undefined) return bootAndUse(slot, await readFor(choice, terminal), choice, terminal, use);
      const { mode } = slot.running.hypervisor.flask;
      if (choice.flask !== undefined && choice.flask !== mode) {
        throw new UsageError(
          `the simulated host \`${known}\` was booted with \`flask=${mode}\`: name its policy with \`--policy\` to boot it anew`,
        );
      }
      return use(slot.running, undefined);
    });
  }
  const policy = await readFor(choice, terminal);
  return lab.transact(choice.host ?? hostNameFor(policy.path), (slot) =>
    bootAndUse(slot, policy, choice, terminal, use),
  );
}

async function readFor(choice: HostChoice, terminal: Terminal): Promise<PolicyReading> {
  const policy = await readPolicy(choice.policy, choice.compile ?? {});
  const shown = choice.isQuiet ? policy.diagnostics.filter(({ severity }) => severity === 'error') : policy.diagnostics;
  printDiagnostics(terminal, shown);
  if (policy.errorOutput !== '') print(terminal.err, policy.errorOutput);
  return policy;
}

async function bootAndUse(
  slot: LabSlot,
  policy: PolicyReading,
  { flask }: HostChoice,
  terminal: Terminal,
  use: UseHost,
): Promise<number> {
  const { bytes, name } = policy;
  if (bytes === undefined || hasErrors(policy.diagnostics)) return EXIT.problem;
  const identity = sha256(bytes);
  let { running } = slot;
  const isOtherMode = flask !== undefined && running?.hypervisor.flask.mode !== flask;
  if (running?.policy.sha256 !== identity || isOtherMode) {
    if (running !== undefined) {
      const isSamePolicy = running.policy.sha256 === identity;
      const why = isSamePolicy
        ? `the simulated host was booted with \`flask=${running.hypervisor.flask.mode}\``
        : `\`${name}\` is not the policy that the simulated host booted with`;
      await warnOfReboot(running, why, terminal);
    }
    const outcome = slot.boot({ name, bytes, sha256: identity }, flask === undefined ? {} : { flask });
    if ('refused' in outcome) {
      const colours = coloursFor(terminal.err);
      printLine(
        terminal.err,
        `${colours.error('error:')} Xen does not start with the policy \`${name}\`: ${outcome.refused}`,
      );
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
