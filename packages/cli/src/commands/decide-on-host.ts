/**
 * `dewar decide --host`: what the policy that a host has in force lets one label do to another, by Xen's own answer
 * (`security { compute_av }`, which `xl` and Dewar's rehearsals rest on).
 *
 * @module
 */
import type { Hypervisor } from '@dewar/hypervisor';
import { xenRelease } from '@dewar/policy/releases';
import { nearestName } from '@dewar/policy/text';
import type { Actor, Domid } from '@dewar/toolstack';
import type { XenHost } from '@dewar/xen';
import { RequestError } from '../failures.ts';
import { type HostInUse, useAnyHost } from '../host-session.ts';
import { byteText, type Terminal } from '../terminal.ts';
import { classDecision, showDecisions } from './show-decisions.ts';

/** One decision, a bit for each permission of the class. */
interface Vectors {
  readonly allowed: number;
  readonly auditAllow: number;
  readonly auditDeny: number;
}

/** Who is asked. Each answers undefined where dom0 may not ask. */
interface Oracle {
  /** FLASK decides nothing there. */
  isDisabled(): Promise<boolean>;
  knowsLabel(label: string): Promise<boolean | undefined>;
  /** For some classes, by their numbers. */
  decide(source: string, target: string, classes: readonly number[]): Promise<readonly Vectors[] | undefined>;
}

const MAY_NOT_ASK = 'dom0 may not ask what the policy decides (`security { compute_av }`)';
const MAY_NOT_NAME = 'dom0 may not ask for labels (`security { check_context }`)';

function realOracle(host: XenHost): Oracle {
  return {
    isDisabled: () => host.isFlaskDisabled(),
    knowsLabel: (label) => host.knowsLabel(label),
    decide: (source, target, classes) => host.decide(classes.map((tclass) => ({ source, target, tclass }))),
  };
}

function simulatedOracle(hypervisor: Hypervisor): Oracle {
  // Xen's own number of dom0.
  const dom0: Actor = { domid: 0 as Domid, process: 'some program' };
  const sidOf = (context: string) => hypervisor.call(dom0, 'xsm_op.context_to_sid', { context });
  return {
    isDisabled: async () => hypervisor.flask.mode === 'disabled',
    async knowsLabel(label) {
      const answer = sidOf(label);
      return answer.kind === 'ok' || (answer.errno === 'EACCES' ? undefined : false);
    },
    async decide(source, target, classes) {
      const [from, to] = [sidOf(source), sidOf(target)];
      if (from.kind === 'error' || to.kind === 'error') return undefined;
      const vectors: Vectors[] = [];
      for (const tclass of classes) {
        const sids = { source: from.value.sid, target: to.value.sid };
        const answer = hypervisor.call(dom0, 'xsm_op.access', { ...sids, tclass });
        if (answer.kind === 'error') return undefined;
        vectors.push(answer.value);
      }
      return vectors;
    },
  };
}

function oracleOf({ real, simulated }: HostInUse): Oracle {
  if (real !== undefined) return realOracle(real);
  if (simulated !== undefined) return simulatedOracle(simulated);
  throw new Error('a host is real or simulated');
}

/** Asks the host that is named. */
export function decideOnHost(
  [source, target]: readonly [source: string, target: string],
  className: string | undefined,
  { host, isJson }: { readonly host: string; readonly isJson: boolean },
  terminal: Terminal,
): Promise<number> {
  return useAnyHost({ host, isQuiet: true }, terminal, async (inUse) => {
    const { real, release } = inUse;
    const oracle = oracleOf(inUse);
    if (await oracle.isDisabled()) throw new RequestError('FLASK is disabled on this host: it decides nothing');
    for (const label of [source, target]) {
      const isKnown = await oracle.knowsLabel(byteText(label));
      if (isKnown === undefined) throw new RequestError(MAY_NOT_NAME);
      if (!isKnown) throw new RequestError(`the policy of this host has no label \`${byteText(label)}\``);
    }
    const { classes } = xenRelease(release);
    const wanted = [...classes.entries()].filter(([, { name }]) => className === undefined || name === className);
    if (wanted.length === 0) {
      const near = nearestName(
        className ?? '',
        classes.map(({ name }) => name),
      );
      const hint = near === undefined ? '' : `; did you mean \`${near}\`?`;
      throw new RequestError(`Xen ${release} has no class \`${className}\`${hint}`);
    }
    const numbers = wanted.map(([at]) => at + 1);
    const vectors = await oracle.decide(byteText(source), byteText(target), numbers);
    if (vectors === undefined) throw new RequestError(MAY_NOT_ASK);
    const decisions = wanted.map(([, { name, permissions }], at) => {
      const { [at]: given = { allowed: 0, auditAllow: 0, auditDeny: 0 } } = vectors;
      return classDecision(name, given, (vector) => permissions.filter((_, bit) => ((vector >>> bit) & 1) === 1));
    });
    const policy = real === undefined ? host : `Xen ${real.release}`;
    return showDecisions(
      { policy, source, target, decisions },
      { isOneClass: className !== undefined, isJson },
      terminal,
    );
  });
}
