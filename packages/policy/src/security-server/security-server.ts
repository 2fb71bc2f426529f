/**
 * The security server: SIDs, decisions, booleans, loading of policies.
 *
 * It works on policies read from bytes, as Xen does.
 * Follows: Xen `xen/xsm/flask/ss/services.c`.
 * Start reading at `SecurityServer`.
 *
 * @module
 */
import {
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  type Context,
  type PolicyDb,
  readPolicydb,
} from '../policydb/index.ts';
import { isSince, type XenRelease } from '../releases/index.ts';
import type { Diagnostic } from '../text/index.ts';
import { element } from './checked-element.ts';
import { type ContextFault, convertContext } from './context-text.ts';
import { type AvDecision, decision, type OnBounds, PolicyView } from './decisions.ts';
import { server as messages } from './diagnostics.ts';
import { loadFaults } from './load-checks.ts';
import {
  type NumberKind,
  type ObjectKind,
  ObjectLabels,
  type ObjectLabelsSnapshot,
  type RangeKind,
  type UsedObjectLabel,
} from './object-labels.ts';
import { type Sid, SidTable, sidOf } from './sid-table.ts';

/** What the server needs of its host. */
export interface SecurityServerOptions {
  readonly release: XenRelease;
  /** Whether denials are enforced; Xen is stricter about invalid contexts then. */
  readonly isEnforcing?: () => boolean;
  /** Takes the lines that the server itself logs. */
  readonly log?: (line: string) => void;
}

/** Whether a policy is in force now, or why not. */
export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly seqno: number }
  | { readonly kind: 'refused'; readonly errno: 'EINVAL'; readonly diagnostics: readonly Diagnostic[] };

/** The SID of a context, or which part of it is wrong. */
export type ContextOutcome =
  | { readonly kind: 'sid'; readonly sid: Sid }
  | { readonly kind: 'invalid'; readonly errno: 'EINVAL'; readonly reason: ContextFault };

/** A boolean of the policy in force. */
export interface PolicyBoolean {
  readonly name: string;
  readonly value: boolean;
  /** What a commit would make of it. */
  readonly pending: boolean;
}

/** What must be kept, besides the policy's bytes, to go on with a server later. Contexts are kept as text. */
export interface SecurityServerSnapshot {
  readonly sids: readonly { readonly sid: number; readonly context: string }[];
  readonly nextSid: number;
  readonly booleans: Readonly<Record<string, boolean>>;
  /** Values noted for a commit; undefined where none was ever noted for this policy. */
  readonly pending: Readonly<Record<string, boolean>> | undefined;
  readonly objectLabels: ObjectLabelsSnapshot;
  readonly seqno: number;
}

/** A stretch of ports or frames with one label. */
export interface LabelledRange {
  readonly low: bigint;
  readonly high: bigint;
  readonly sid: Sid;
}

const ALL = 0xffffffff;

/** XEN: `security_dump_masked_av`. */
function boundsLog(view: PolicyView, log: (line: string) => void): OnBounds {
  return (source, target, tclass, removed) => {
    const names: string[] = [];
    for (let bit = 0; bit < 32; bit++) {
      if ((removed & (1 << bit)) === 0) continue;
      names.push(view.classSymbol(tclass)?.permissions.find(({ value }) => value === bit + 1)?.name ?? '????');
    }
    log(
      `Flask: op=security_compute_av reason=bounds scontext=${view.text(source)} tcontext=${view.text(target)} ` +
        `tclass=${view.className(tclass)} perms=${names.join()}`,
    );
  };
}

/** Xen's security server. */
export class SecurityServer {
  readonly release: XenRelease;
  readonly #isEnforcing: () => boolean;
  readonly #log: (line: string) => void;
  readonly #listeners: (() => void)[] = [];
  #view: PolicyView | undefined;
  /** Tells of what bounds take away from the decisions of `#view`. */
  #onBounds: OnBounds | undefined;
  /** The number of class `domain` in this release. */
  readonly #domainClass: number;
  #sids = new SidTable();
  #labels: ObjectLabels;
  readonly #labelListeners = new Set<(used: UsedObjectLabel) => void>();
  /** Values noted for a commit, by the boolean's number. */
  #pending: boolean[] | undefined;
  #seqno = 0;

  constructor({ release, isEnforcing = () => true, log = () => {} }: SecurityServerOptions) {
    this.release = release;
    this.#isEnforcing = isEnforcing;
    this.#log = log;
    this.#domainClass = 1 + release.classes.findIndex(({ name }) => name === 'domain');
    this.#labels = this.#newLabels(undefined);
  }

  #use(view: PolicyView): void {
    this.#view = view;
    this.#onBounds = boundsLog(view, this.#log);
  }

  #newLabels(policy: PolicyDb | undefined): ObjectLabels {
    return new ObjectLabels(policy?.objectContexts, {
      sortsRanges: isSince(this.release.name, '4.13'),
      sidFor: (context) => this.#sids.sidFor(context),
      log: this.#log,
      onUse: (used) => {
        for (const listener of this.#labelListeners) listener(used);
      },
    });
  }

  get isLoaded(): boolean {
    return this.#view !== undefined;
  }

  get policy(): PolicyDb | undefined {
    return this.#view?.policy;
  }

  /** Rises with each load and each commit of booleans. */
  get seqno(): number {
    return this.#seqno;
  }

  /** Calls `listener` when cached decisions become stale. */
  onReset(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #reset(): void {
    this.#seqno++;
    for (const listener of this.#listeners) listener();
  }

  /** The number of an initial SID. */
  initialSid(name: string): Sid {
    return sidOf(this.release.initialSids.indexOf(name) + 1);
  }

  /** Loads a policy. A refused one leaves the old one in force. */
  loadPolicy(bytes: Uint8Array): LoadOutcome {
    const refused = (...diagnostics: Diagnostic[]): LoadOutcome => ({ kind: 'refused', errno: 'EINVAL', diagnostics });
    const read = readPolicydb(bytes);
    if ('diagnostic' in read) return refused(read.diagnostic);
    const { policy, version } = read;
    const { newestPolicyVersion, name } = this.release;
    if (version > newestPolicyVersion) {
      return refused(messages['version-too-new'](undefined, { release: `Xen ${name}`, version, newestPolicyVersion }));
    }
    const old = this.#view;
    if (old !== undefined && old.policy.isMls !== policy.isMls) return refused(messages['mls-changed'](undefined, {}));
    const view = new PolicyView(policy);
    const faults = loadFaults(view, this.release, old === undefined);
    if (faults.length > 0) return refused(...faults);
    if (old === undefined) {
      for (const { sid, context } of policy.objectContexts.initialSids) this.#sids.insert(sid, context);
    } else {
      for (const { name, value } of policy.booleans.entries) {
        const before = old.policy.booleans.byName.get(name);
        if (before !== undefined) view.booleans[value] = element(old.booleans, before.value);
      }
      view.applyBooleans();
      this.#sids = this.#convertSids(old, view);
    }
    this.#use(view);
    this.#labels = this.#newLabels(policy);
    this.#pending = undefined;
    this.#reset();
    return { kind: 'loaded', seqno: this.#seqno };
  }

  /** Carries the contexts of a reload over by name; those that the new policy does not know are gone. */
  #convertSids(old: PolicyView, view: PolicyView): SidTable {
    const table = new SidTable();
    for (const [sid, before] of this.#sids.entries) {
      // XEN: all are cloned before some are taken out, and the highest of them counts for the next number.
      table.next = Math.max(table.next, sid + 1);
      const context = convertContext(before, old.names, view.policy);
      const isValid = context !== undefined && view.fault(context) === undefined;
      if (context === undefined || (!isValid && this.#isEnforcing())) {
        this.#log(`Flask:  invalidating context ${old.text(before)}`);
        continue;
      }
      if (!isValid) this.#log(`Flask:  context ${old.text(before)} is invalid`);
      table.insert(sid, context);
    }
    return table;
  }

  /** The SID of a context; a valid one that is new gets a new SID. */
  contextToSid(text: string): ContextOutcome {
    const view = this.#view;
    if (view === undefined) {
      // XEN: without a policy the names of the initial SIDs stand for contexts, the last one left out; all else is `xen`.
      const known = this.release.initialSids.slice(0, -1).indexOf(text);
      return { kind: 'sid', sid: known < 0 ? this.initialSid('xen') : sidOf(known + 1) };
    }
    const context = view.parse(text);
    if ('part' in context) return { kind: 'invalid', errno: 'EINVAL', reason: context };
    return { kind: 'sid', sid: this.#sids.sidFor(context) };
  }

  /** Whether Xen can say the context of a SID: it cannot for high numbers before a policy, nor without `unlabeled`. */
  hasContext(sid: number): boolean {
    if (this.#view === undefined) return sid <= this.release.initialSids.length;
    return this.#context(sid) !== undefined;
  }

  /** The context of a SID; one that names nothing is unlabeled. Empty where there is none (see `hasContext`). */
  sidToContext(sid: number): string {
    const view = this.#view;
    if (view === undefined) return sid === 0 ? 'null' : (this.release.initialSids[sid - 1] ?? '');
    const context = this.#context(sid);
    return context === undefined ? '' : view.text(context);
  }

  #context(sid: number): Context | undefined {
    return this.#sids.get(sid) ?? this.#sids.get(this.initialSid('unlabeled'));
  }

  /** The context of a SID as numbers of the policy; undefined before a policy is loaded. */
  contextOf(sid: number): Context | undefined {
    return this.#view === undefined ? undefined : this.#context(sid);
  }

  /** What the source may do to the target. Before a policy is loaded that is everything. */
  computeAv(ssid: number, tsid: number, tclass: number): AvDecision | 'EINVAL' {
    const view = this.#view;
    if (view === undefined) return decision({ allowed: ALL, auditAllow: 0, auditDeny: ALL }, this.#seqno, false);
    const source = this.#context(ssid);
    const target = this.#context(tsid);
    if (source === undefined || target === undefined || view.classSymbol(tclass) === undefined) return 'EINVAL';
    const vectors = view.computeAv(source, target, tclass, this.#onBounds);
    return decision(vectors, this.#seqno, view.isPermissive(source.type));
  }

  #newSid(ssid: number, tsid: number, tclass: number, kind: number): Sid | 'EACCES' | 'EINVAL' {
    const view = this.#view;
    // XEN: before a policy, the classes are those that Xen was built with.
    if (view === undefined) return sidOf(tclass === this.#domainClass ? ssid : tsid);
    const source = this.#context(ssid);
    const target = this.#context(tsid);
    if (source === undefined || target === undefined) return 'EINVAL';
    const context = view.newContext(source, target, tclass, kind);
    if (view.fault(context) !== undefined) {
      // XEN: compute_sid_handle_invalid_context() leaves the line open; the console's next message goes on behind it.
      this.#log(
        `security_compute_sid:  invalid context ${view.text(context)} for scontext=${view.text(source)} ` +
          `tcontext=${view.text(target)} tclass=${view.className(tclass)}`,
      );
      if (this.#isEnforcing()) return 'EACCES';
    }
    return this.#sids.sidFor(context);
  }

  /** The label of something new that the source makes in, or of, the target. */
  transitionSid(ssid: number, tsid: number, tclass: number): Sid | 'EACCES' | 'EINVAL' {
    return this.#newSid(ssid, tsid, tclass, AVTAB_TRANSITION);
  }

  /** The label of a member of the target that the source is to get (`type_member`). */
  memberSid(ssid: number, tsid: number, tclass: number): Sid | 'EACCES' | 'EINVAL' {
    return this.#newSid(ssid, tsid, tclass, AVTAB_MEMBER);
  }

  /** The label that the target is to get from the source (`type_change`). */
  changeSid(ssid: number, tsid: number, tclass: number): Sid | 'EACCES' | 'EINVAL' {
    return this.#newSid(ssid, tsid, tclass, AVTAB_CHANGE);
  }

  /** Booleans in the order of their numbers. */
  booleans(): PolicyBoolean[] {
    const view = this.#view;
    if (view === undefined) return [];
    return [...view.policy.booleans.entries]
      .sort((a, b) => a.value - b.value)
      .map(({ name, value }) => {
        const now = element(view.booleans, value);
        return { name, value: now, pending: this.#pending?.[value] ?? now };
      });
  }

  /** Notes a new value, which holds after a commit; with `commit` it holds at once, and values noted before stay noted. */
  setBoolean(name: string, value: boolean, commit = false): 'ENOENT' | undefined {
    const view = this.#view;
    const symbol = view?.policy.booleans.byName.get(name);
    if (view === undefined || symbol === undefined) return 'ENOENT';
    // XEN: the first value that is only noted makes an array of all values; it lasts until a policy is loaded.
    if (!commit) this.#pending ??= [...view.booleans];
    if (this.#pending !== undefined) this.#pending[symbol.value] = value;
    if (commit) {
      const values = [...view.booleans];
      values[symbol.value] = value;
      this.#setBooleans(view, values);
    }
    return undefined;
  }

  /** Makes noted values hold. Nothing happens where none was ever noted for this policy. */
  commitBooleans(): void {
    if (this.#view !== undefined && this.#pending !== undefined) this.#setBooleans(this.#view, this.#pending);
  }

  /** XEN: security_set_bools(). */
  #setBooleans(view: PolicyView, values: readonly boolean[]): void {
    for (const { value } of view.policy.booleans.entries) view.booleans[value] = element(values, value);
    view.applyBooleans();
    const list = this.booleans().map(({ name, value }) => `${name}:${value ? 1 : 0}`);
    this.#log(`Flask: committed booleans { ${list.join(', ')} }`);
    this.#reset();
  }

  /** The label of an interrupt or a PCI device. */
  numberSid(kind: NumberKind, number: bigint): Sid {
    return this.#labels.find(kind, number) ?? this.initialSid(kind === 'pirq' ? 'irq' : 'device');
  }

  /** The label of a node of the device tree. */
  deviceTreeSid(path: string): Sid {
    return this.#labels.findPath(path) ?? this.initialSid('device');
  }

  /**
   * The labels of a range of ports or frames, stretch by stretch. A label gets its SID only when its stretch is asked
   * for: Xen stops at the first stretch that is denied, and the numbers of later SIDs depend on it.
   */
  *rangeSids(kind: RangeKind, low: bigint, high: bigint): Generator<LabelledRange, void, void> {
    for (const one of this.#labels.stretches(kind, low, high)) {
      yield { low: one.low, high: one.high, sid: one.sid ?? this.initialSid(kind) };
    }
  }

  /** Tells of each label that the policy gives to a resource when it is asked for; answers how to stop. */
  observeObjectLabels(listener: (used: UsedObjectLabel) => void): () => void {
    this.#labelListeners.add(listener);
    return () => {
      this.#labelListeners.delete(listener);
    };
  }

  /** Labels a resource until the next policy is loaded. */
  addObjectLabel(kind: ObjectKind, low: bigint, high: bigint, sid: Sid): 'EEXIST' | 'EINVAL' | undefined {
    return this.#labels.add(kind, low, high, sid);
  }

  /** Takes back what `addObjectLabel` gave. */
  removeObjectLabel(kind: ObjectKind, low: bigint, high: bigint): 'ENOENT' | 'EINVAL' | undefined {
    return this.#labels.remove(kind, low, high);
  }

  /** The PCI devices that were labelled at run time, by their machine SBDF: labels that the next policy takes away. */
  addedDeviceLabels(): { readonly device: number; readonly label: string }[] {
    return [...this.#labels.addedDevices()].map(({ device, sid }) => ({
      device: Number(device),
      label: this.sidToContext(sid),
    }));
  }

  /** Labels a node of the device tree until the next policy is loaded; SID 0 takes its label away. */
  setDeviceTreeLabel(path: string, sid: Sid): 'EEXIST' | 'ENOENT' | undefined {
    return this.#labels.setPath(path, sid);
  }

  /** What `resume` needs beside the policy's bytes. */
  snapshot(): SecurityServerSnapshot {
    const booleans = this.booleans();
    const pending = booleans.map((one) => [one.name, one.pending] as const);
    return {
      sids: this.#sids.entries.map(([sid]) => ({ sid, context: this.sidToContext(sid) })),
      nextSid: this.#sids.next,
      booleans: Object.fromEntries(booleans.map(({ name, value }) => [name, value])),
      pending: this.#pending && Object.fromEntries(pending),
      objectLabels: this.#labels.snapshot((context) => this.#view?.text(context) ?? ''),
      seqno: this.#seqno,
    };
  }

  /**
   * Puts a fresh server in the state of another one: `bytes` is the policy that was in force, if any. Nothing is logged.
   * A label that cannot be read is left out. False when Xen would not take the policy.
   */
  resume(bytes: Uint8Array | undefined, snapshot: SecurityServerSnapshot): boolean {
    const { sids, nextSid, booleans, pending, objectLabels, seqno } = snapshot;
    if (bytes !== undefined) {
      const read = readPolicydb(bytes);
      if ('diagnostic' in read) return false;
      const view = new PolicyView(read.policy);
      // What is asked of the initial SIDs was asked at the first load, maybe of another policy.
      if (loadFaults(view, this.release, false).length > 0) return false;
      this.#use(view);
      const valuesOf = (before: readonly boolean[], states: Readonly<Record<string, boolean>>): boolean[] => {
        const values = [...before];
        for (const { name, value } of view.policy.booleans.entries) {
          if (Object.hasOwn(states, name)) values[value] = states[name] === true;
        }
        return values;
      };
      for (const [value, state] of valuesOf(view.booleans, booleans).entries()) view.booleans[value] = state;
      view.applyBooleans();
      this.#pending = pending && valuesOf(view.booleans, pending);
    }
    const readContext = (text: string): Context | undefined => this.#view?.read(text);
    const table = new SidTable();
    for (const { sid, context: text } of sids) {
      const context = readContext(text);
      if (context !== undefined) table.insert(sid, context);
    }
    table.next = Math.max(table.next, nextSid);
    this.#sids = table;
    this.#labels = this.#newLabels(this.#view?.policy);
    this.#labels.restore(objectLabels, readContext);
    this.#reset();
    this.#seqno = seqno;
    return true;
  }
}
