/**
 * Auditing for a while: a policy that logs what it grants stands in for the one in force, which is put back by this
 * process when the command that asked for it is gone.
 *
 * Follows: Xen `xen/xsm/flask/ss/services.c`, `security_load_policy` and `security_preserve_bools`.
 *
 * @module
 */
import type { BooleanState } from '@dewar/toolstack';
import { CallFault } from '../call-fault.ts';
import type { AuditBooleans, AuditWitness, HelperCalls } from '../protocol.ts';
import { decide, listBooleans, loadPolicy, setBoolean } from './flask.ts';
import type { HostAccess } from './host-access.ts';

type Ending = HelperCalls['audit.end']['params'];

/** What stands in for what, on one host. */
export class Auditor {
  readonly #access: HostAccess;
  #open: Ending | undefined;

  constructor(access: HostAccess) {
    this.#access = access;
  }

  /** Loads a policy, and sees to it that the booleans are as they were. */
  #load(bytes: string): AuditBooleans {
    const before = listBooleans(this.#access);
    loadPolicy(this.#access, bytes);
    const after = new Map(listBooleans(this.#access).map((one) => [one.name, one]));
    const known = before.filter(({ name }) => after.has(name));
    // XEN: the values in force are kept by name. Should that ever not be so, it is mended.
    const changed = known.filter(({ name, enforcing }) => after.get(name)?.enforcing !== enforcing);
    for (const { name, enforcing } of changed) setBoolean(this.#access, name, enforcing);
    const isPending = ({ enforcing, pending }: BooleanState): boolean => enforcing !== pending;
    return {
      setAgain: changed.map(({ name }) => name),
      noLongerPending: known.filter(isPending).map(({ name }) => name),
    };
  }

  begin({ audited, original, witnesses }: HelperCalls['audit.begin']['params']): HelperCalls['audit.begin']['result'] {
    // Before the load: who is killed in between puts back what is in force anyway.
    this.#open = { original, witnesses };
    try {
      return { booleans: this.#load(audited) };
    } catch (error) {
      // A policy that Xen refuses changes nothing; it may be the booleans that failed.
      if (!this.#isAudited(witnesses)) this.#open = undefined;
      throw error;
    }
  }

  end({ original, witnesses }: Ending): HelperCalls['audit.end']['result'] {
    if (!this.#isAudited(witnesses)) {
      this.#open = undefined;
      return { outcome: 'replaced', booleans: { setAgain: [], noLongerPending: [] } };
    }
    const booleans = this.#load(original);
    this.#open = undefined;
    return { outcome: 'put-back', booleans };
  }

  /** The command is gone. What cannot be put back now, the next command tries again. */
  abandon(): void {
    if (this.#open === undefined) return;
    try {
      this.end(this.#open);
    } catch (error) {
      console.error(`the policy could not be put back: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Whether the policy in force is the one with auditing: somebody may have loaded another meanwhile. */
  #isAudited(witnesses: readonly AuditWitness[]): boolean {
    try {
      const answers = decide(this.#access, { questions: witnesses });
      return witnesses.every(({ auditAllow }, i) => answers[i]?.auditAllow === auditAllow);
    } catch (error) {
      // XEN: a label that the policy does not have.
      if (error instanceof CallFault && error.failure.kind === 'errno' && error.failure.errno === 'EINVAL')
        return false;
      throw error;
    }
  }
}
