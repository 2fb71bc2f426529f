/**
 * FLASK inside of the simulated Xen: the security server, its cache, and the mode.
 *
 * Imports: `@dewar/policy/security-server`, `@dewar/policy/releases`.
 * Start reading at `Flask`.
 *
 * @module
 */
import { type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import {
  type AuditData,
  Avc,
  type AvcSnapshot,
  type ContextFault,
  type ObjectKind,
  SecurityServer,
  type SecurityServerSnapshot,
  sidOf,
  type UsedObjectLabel,
} from '@dewar/policy/security-server';
import { InvariantError } from '@dewar/policy/text';
import type { BooleanState, SidNumber } from '@dewar/toolstack';

/** How one check came out. */
export interface CheckAnswer {
  /** The hypercall must not go on. */
  readonly isRefused: boolean;
  /** What the policy does not give, whether or not it was let pass. */
  readonly denied: readonly string[];
  readonly logged: string | undefined;
}

export type PolicyLoad = { readonly kind: 'loaded' } | { readonly kind: 'refused'; readonly reason: string };

/** A class by name, with the bits of its permissions. */
interface ClassBits {
  readonly id: number;
  readonly bits: ReadonlyMap<string, number>;
}

/** A label that something new got. */
export interface ObservedTransition {
  /** Contexts of what made it, and of what it is related to. */
  readonly source: string;
  readonly target: string;
  readonly class: string;
  readonly result: string;
}

/** A label that a statement of the policy gave, and that something was asked with. */
export type ObservedLabel = UsedObjectLabel | { readonly kind: 'initial SID'; readonly name: string };

/** What Xen's boot parameter `flask=` can be. */
export const FLASK_MODES = ['enforcing', 'permissive', 'late', 'disabled'] as const;

/** How FLASK starts: `late` waits for a policy and allows all until it comes; `disabled` leaves Xen without FLASK. */
export type FlaskMode = (typeof FLASK_MODES)[number];

/** What is kept of FLASK from one run to the next. */
export interface FlaskSnapshot {
  readonly mode: FlaskMode;
  readonly release: XenReleaseName;
  /** It was switched off while it ran. */
  readonly isSwitchedOff: boolean;
  /** The policy that is loaded, two hexadecimal digits for each byte; empty where none is. */
  readonly policy: string;
  readonly isEnforcing: boolean;
  readonly server: SecurityServerSnapshot;
  readonly avc: AvcSnapshot;
}

const NONE: readonly string[] = [];

/** The security module of one host. */
export class Flask {
  readonly mode: FlaskMode;
  readonly server: SecurityServer;
  readonly avc: Avc;
  readonly #classes: ReadonlyMap<string, ClassBits>;
  #isEnforcing: boolean;
  #isSwitchedOff = false;
  #policy: Uint8Array = new Uint8Array();
  readonly #transitionListeners = new Set<(transition: ObservedTransition) => void>();
  readonly #labelListeners = new Set<(label: ObservedLabel) => void>();

  constructor(release: XenReleaseName, mode: FlaskMode, log: (line: string) => void) {
    this.mode = mode;
    // XEN: flask_init() leaves the flag set for `late`: the first policy enforces at once.
    this.#isEnforcing = mode !== 'permissive';
    const tables = xenRelease(release);
    const isEnforcing = (): boolean => this.#isEnforcing;
    this.server = new SecurityServer({ release: tables, isEnforcing, log });
    this.avc = new Avc(this.server, { isEnforcing, log });
    this.#classes = new Map(
      tables.classes.map(({ name, id, permissions }) => [
        name,
        { id, bits: new Map(permissions.map((permission, bit) => [permission, (1 << bit) >>> 0])) },
      ]),
    );
  }

  get isEnforcing(): boolean {
    return this.#isEnforcing;
  }

  get isDisabled(): boolean {
    return this.mode === 'disabled' || this.#isSwitchedOff;
  }

  /** XEN: `flask_disable`, which puts the rules without a security module in the place of FLASK's. */
  switchOff(): void {
    this.#isSwitchedOff = true;
  }

  setEnforcing(isEnforcing: boolean): void {
    // XEN: flask_security_setenforce() empties the cache only on the way to enforcing.
    if (isEnforcing && !this.#isEnforcing) this.avc.flush();
    this.#isEnforcing = isEnforcing;
  }

  initialSid(name: string): SidNumber {
    return this.server.initialSid(name);
  }

  /** Empty where there are no labels: FLASK is disabled. */
  sidToContext(sid: SidNumber): string {
    return this.isDisabled ? '' : this.server.sidToContext(sid);
  }

  contextToSid(
    text: string,
  ): { readonly kind: 'sid'; readonly sid: SidNumber } | { readonly kind: 'invalid'; readonly reason: string } {
    const answer = this.server.contextToSid(text);
    return answer.kind === 'sid' ? answer : { kind: 'invalid', reason: faultText(answer.reason) };
  }

  /** The label that something new gets; undefined when that label would not be valid. */
  transitionSid(source: SidNumber, target: SidNumber, className: string): SidNumber | undefined {
    const sid = this.server.transitionSid(source, target, this.#class(className).id);
    this.#tellSids(source, target);
    if (typeof sid !== 'number') return undefined;
    for (const listener of this.#transitionListeners) {
      const [from, to, result] = [source, target, sid].map((one) => this.sidToContext(one));
      listener({ source: from ?? '', target: to ?? '', class: className, result: result ?? '' });
    }
    return sid;
  }

  /** Tells of each label that something new gets; answers how to stop. */
  observeTransitions(listener: (transition: ObservedTransition) => void): () => void {
    this.#transitionListeners.add(listener);
    return () => {
      this.#transitionListeners.delete(listener);
    };
  }

  /**
   * Tells of each label that a statement of the policy gave and that is now used: that of an initial SID when a check or a
   * new label is asked for with that SID, that of a resource when the resource is looked up. Xen gives the SID of the first
   * initial SID with the same context to whoever names that context. Answers how to stop.
   */
  observeLabels(listener: (label: ObservedLabel) => void): () => void {
    this.#labelListeners.add(listener);
    const stop = this.server.observeObjectLabels(listener);
    return () => {
      stop();
      this.#labelListeners.delete(listener);
    };
  }

  #tellSids(...sids: readonly SidNumber[]): void {
    if (this.#labelListeners.size === 0) return;
    for (const sid of sids) {
      const name = this.server.release.initialSids[sid - 1];
      if (name !== undefined) for (const listener of this.#labelListeners) listener({ kind: 'initial SID', name });
    }
  }

  /** Makes one check, as Xen does: through the cache, with a line for what is audited. */
  hasPerm(
    source: SidNumber,
    target: SidNumber,
    className: string,
    permissions: readonly string[],
    data: AuditData,
  ): CheckAnswer {
    if (this.#labelListeners.size > 0) this.#tellSids(source, target);
    const { id, bits } = this.#class(className);
    let requested = 0;
    for (const permission of permissions) requested = (requested | this.#bit(bits, permission)) >>> 0;
    const outcome = this.avc.hasPerm(source, target, id, requested, data);
    // What was let pass counts as missing too: the policy does not give it.
    const { missing } = outcome;
    return {
      isRefused: outcome.kind === 'denied',
      denied: missing === 0 ? NONE : permissions.filter((permission) => (missing & this.#bit(bits, permission)) !== 0),
      logged: outcome.line,
    };
  }

  computeAv(
    source: SidNumber,
    target: SidNumber,
    tclass: number,
  ): { allowed: number; auditAllow: number; auditDeny: number; seqno: number } | undefined {
    const decision = this.server.computeAv(source, target, tclass);
    if (decision === 'EINVAL') return undefined;
    const { allowed, auditAllow, auditDeny, seqno } = decision;
    return { allowed, auditAllow, auditDeny, seqno };
  }

  loadPolicy(bytes: Uint8Array): PolicyLoad {
    const outcome = this.server.loadPolicy(bytes);
    if (outcome.kind === 'refused') {
      return { kind: 'refused', reason: outcome.diagnostics[0]?.message ?? 'the policy is not valid' };
    }
    this.#policy = bytes.slice();
    return { kind: 'loaded' };
  }

  booleans(): BooleanState[] {
    return this.server.booleans().map(({ name, value, pending }) => ({ name, enforcing: value, pending }));
  }

  /** Whether there is such a boolean. */
  setBoolean(name: string, value: boolean, commit: boolean): boolean {
    return this.server.setBoolean(name, value, commit) === undefined;
  }

  commitBooleans(): void {
    this.server.commitBooleans();
  }

  addObjectLabel(kind: ObjectKind, low: bigint, high: bigint, sid: SidNumber): 'EEXIST' | 'EINVAL' | undefined {
    return this.server.addObjectLabel(kind, low, high, sidOf(sid));
  }

  /** Labels a node of the device tree; SID 0 takes its label away. */
  setDeviceTreeLabel(path: string, sid: SidNumber): 'EEXIST' | 'ENOENT' | undefined {
    return this.server.setDeviceTreeLabel(path, sidOf(sid));
  }

  snapshot(): FlaskSnapshot {
    let policy = '';
    for (const byte of this.#policy) policy += byte.toString(16).padStart(2, '0');
    return {
      mode: this.mode,
      release: this.server.release.name,
      isSwitchedOff: this.#isSwitchedOff,
      policy,
      isEnforcing: this.#isEnforcing,
      server: this.server.snapshot(),
      avc: this.avc.snapshot(),
    };
  }

  /** Goes on where another one was; false when Xen would not take its policy. */
  resume(bytes: Uint8Array | undefined, { isEnforcing, isSwitchedOff, server, avc }: FlaskSnapshot): boolean {
    this.#isEnforcing = isEnforcing;
    this.#isSwitchedOff = isSwitchedOff;
    if (!this.server.resume(bytes, server)) return false;
    this.#policy = bytes?.slice() ?? new Uint8Array();
    this.avc.restore(avc);
    return true;
  }

  #class(name: string): ClassBits {
    const found = this.#classes.get(name);
    if (found === undefined) throw new InvariantError(`this release has no class \`${name}\``);
    return found;
  }

  #bit(bits: ReadonlyMap<string, number>, permission: string): number {
    const bit = bits.get(permission);
    if (bit === undefined) throw new InvariantError(`this release has no permission \`${permission}\``);
    return bit;
  }
}

/** What is wrong with a context, and what may have been meant. */
function faultText(fault: ContextFault): string {
  return fault.suggestion === undefined ? fault.message : `${fault.message}; did you mean \`${fault.suggestion}\`?`;
}
