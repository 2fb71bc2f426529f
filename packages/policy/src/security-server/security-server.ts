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
import type { XenRelease } from '../releases/index.ts';
import type { Diagnostic } from '../text/index.ts';
import { type ContextFault, contextFault, parseContext } from './context-text.ts';
import { type AvDecision, decision, PolicyView } from './decisions.ts';
import { server as messages } from './diagnostics.ts';
import { type NumberKind, type ObjectKind, ObjectLabels, type RangeKind } from './object-labels.ts';
import { type Sid, SidTable, sidOf } from './sid-table.ts';

export interface SecurityServerOptions {
  readonly release: XenRelease;
  /** Whether denials are enforced; Xen is stricter about invalid contexts then. */
  readonly isEnforcing?: () => boolean;
  /** Takes the lines that the server itself logs. */
  readonly log?: (line: string) => void;
}

export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly seqno: number }
  | { readonly kind: 'refused'; readonly errno: 'EINVAL'; readonly diagnostics: readonly Diagnostic[] };

export type ContextOutcome =
  | { readonly kind: 'sid'; readonly sid: Sid }
  | { readonly kind: 'invalid'; readonly errno: 'EINVAL'; readonly reason: ContextFault };

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
  readonly seqno: number;
}

const ALL = 0xffffffff;

/** Xen's security server. */
export class SecurityServer {
  readonly release: XenRelease;
  readonly #isEnforcing: () => boolean;
  readonly #log: (line: string) => void;
  readonly #listeners: (() => void)[] = [];
  #view: PolicyView | undefined;
  #sids = new SidTable();
  #labels: ObjectLabels | undefined;
  #pending = new Map<number, boolean>();
  #seqno = 0;

  constructor({ release, isEnforcing = () => true, log = () => {} }: SecurityServerOptions) {
    this.release = release;
    this.#isEnforcing = isEnforcing;
    this.#log = log;
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
    const { policy } = read;
    const faults = this.#missing(policy);
    if (faults.length > 0) return refused(...faults);
    const old = this.#view;
    if (old !== undefined && old.policy.isMls !== policy.isMls) return refused(messages['mls-changed'](undefined, {}));
    const view = new PolicyView(policy);
    if (old === undefined) {
      for (const { sid, context } of policy.objectContexts.initialSids) this.#sids.insert(sid, context);
    } else {
      for (const { name, value } of policy.booleans.entries) {
        const before = old.policy.booleans.byName.get(name);
        if (before !== undefined) view.booleans[value] = old.booleans[before.value] ?? false;
      }
      view.applyBooleans();
      this.#sids = this.#convertSids(old, view);
    }
    this.#view = view;
    this.#labels = new ObjectLabels(policy);
    this.#pending = new Map();
    this.#reset();
    return { kind: 'loaded', seqno: this.#seqno };
  }

  /** What a policy must have for this release and has not: the numbers are fixed in Xen. */
  #missing(policy: PolicyDb): Diagnostic[] {
    const faults: Diagnostic[] = [];
    const release = `Xen ${this.release.name}`;
    for (const { name, id, permissions } of this.release.classes) {
      const symbol = policy.classes.byName.get(name);
      if (symbol === undefined || symbol.value !== id) {
        faults.push(messages['missing-class'](undefined, { class: name, number: id, release }));
        continue;
      }
      permissions.forEach((permission, bit) => {
        const found = symbol.permissions.find((one) => one.name === permission);
        if (found?.value === bit + 1) return;
        faults.push(messages['missing-permission'](undefined, { class: name, permission, bit, release }));
      });
    }
    return faults;
  }

  /** Carries the contexts of a reload over by name; those that the new policy does not know are gone. */
  #convertSids(old: PolicyView, view: PolicyView): SidTable {
    const table = new SidTable();
    for (const sid of this.#sids.sids) {
      const before = this.#sids.get(sid);
      if (before === undefined) continue;
      const text = old.text(before);
      const context = parseContext(text, view.policy, view.lookup);
      if (!('part' in context)) table.insert(sid, context);
      else {
        const kept = this.#isEnforcing() ? undefined : contextByNames(before, old, view);
        if (kept === undefined) this.#log(`Flask:  invalidating context ${text}`);
        else {
          this.#log(`Flask:  context ${text} is invalid`);
          table.insert(sid, kept);
        }
      }
    }
    table.next = Math.max(table.next, this.#sids.next);
    return table;
  }

  contextToSid(text: string): ContextOutcome {
    const view = this.#view;
    if (view === undefined) {
      // XEN: without a policy the names of the initial SIDs stand for contexts, the last one left out; all else is `xen`.
      const known = this.release.initialSids.slice(0, -1).indexOf(text);
      return { kind: 'sid', sid: known < 0 ? this.initialSid('xen') : sidOf(known + 1) };
    }
    const context = parseContext(text, view.policy, view.lookup);
    if ('part' in context) return { kind: 'invalid', errno: 'EINVAL', reason: context };
    return { kind: 'sid', sid: this.#sids.sidFor(context) };
  }

  /** The context of a SID; one that names nothing is unlabeled. */
  sidToContext(sid: number): string {
    const view = this.#view;
    if (view === undefined) return this.release.initialSids[sid - 1] ?? 'unlabeled';
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
    return decision(view.computeAv(source, target, tclass), this.#seqno, view.isPermissive(source.type));
  }

  #newSid(ssid: number, tsid: number, tclass: number, kind: number): Sid | 'EACCES' | 'EINVAL' {
    const view = this.#view;
    if (view === undefined) return sidOf(tclass === this.#releaseClass('domain') ? ssid : tsid);
    const source = this.#context(ssid);
    const target = this.#context(tsid);
    if (source === undefined || target === undefined) return 'EINVAL';
    const context = view.newContext(source, target, tclass, kind);
    if (contextFault(context, view.policy, view.lookup) !== undefined && this.#isEnforcing()) return 'EACCES';
    return this.#sids.sidFor(context);
  }

  #releaseClass(name: string): number {
    return this.release.classes.find((one) => one.name === name)?.id ?? 0;
  }

  transitionSid(ssid: number, tsid: number, tclass: number): Sid | 'EACCES' | 'EINVAL' {
    return this.#newSid(ssid, tsid, tclass, AVTAB_TRANSITION);
  }

  memberSid(ssid: number, tsid: number, tclass: number): Sid | 'EACCES' | 'EINVAL' {
    return this.#newSid(ssid, tsid, tclass, AVTAB_MEMBER);
  }

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
        const now = view.booleans[value] ?? false;
        return { name, value: now, pending: this.#pending.get(value) ?? now };
      });
  }

  /** Notes a new value; it holds after a commit. */
  setBoolean(name: string, value: boolean): 'ENOENT' | undefined {
    const symbol = this.#view?.policy.booleans.byName.get(name);
    if (symbol === undefined) return 'ENOENT';
    this.#pending.set(symbol.value, value);
    return undefined;
  }

  /** Makes noted values hold. */
  commitBooleans(): void {
    const view = this.#view;
    if (view === undefined || this.#pending.size === 0) return;
    for (const [value, state] of this.#pending) view.booleans[value] = state;
    this.#pending.clear();
    view.applyBooleans();
    const list = this.booleans().map(({ name, value }) => `${name}:${value ? 1 : 0}`);
    this.#log(`Flask: committed booleans { ${list.join(', ')} }`);
    this.#reset();
  }

  #labelSid(label: Context | Sid | undefined, initial: string): Sid {
    if (label === undefined) return this.initialSid(initial);
    return typeof label === 'number' ? label : this.#sids.sidFor(label);
  }

  /** The label of an interrupt or a PCI device. */
  numberSid(kind: NumberKind, number: bigint): Sid {
    return this.#labelSid(this.#labels?.find(kind, number), kind === 'pirq' ? 'irq' : 'device');
  }

  deviceTreeSid(path: string): Sid {
    return this.#labelSid(this.#labels?.path(path), 'device');
  }

  /** The labels of a range of ports or frames, stretch by stretch. */
  rangeSids(
    kind: RangeKind,
    low: bigint,
    high: bigint,
  ): { readonly low: bigint; readonly high: bigint; readonly sid: Sid }[] {
    const stretches = this.#labels?.stretches(kind, low, high) ?? [{ low, high, label: undefined }];
    return stretches.map((one) => ({ low: one.low, high: one.high, sid: this.#labelSid(one.label, kind) }));
  }

  /** Labels a resource until the next policy is loaded. */
  addObjectLabel(kind: ObjectKind, low: bigint, high: bigint, sid: Sid): 'EEXIST' | 'EINVAL' | undefined {
    return this.#labels?.add(kind, low, high, sid);
  }

  removeObjectLabel(kind: ObjectKind, low: bigint, high: bigint): 'ENOENT' | undefined {
    return this.#labels?.remove(kind, low, high);
  }

  /** What `restore` needs. */
  snapshot(): SecurityServerSnapshot {
    return {
      sids: [...this.#sids.sids].map((sid) => ({ sid, context: this.sidToContext(sid) })),
      nextSid: this.#sids.next,
      booleans: Object.fromEntries(this.booleans().map(({ name, value }) => [name, value])),
      seqno: this.#seqno,
    };
  }

  /** Puts a snapshot back after its policy was loaded into a fresh server. Contexts that are not valid are left out. */
  restore({ sids, nextSid, booleans, seqno }: SecurityServerSnapshot): void {
    const view = this.#view;
    if (view === undefined) return;
    const table = new SidTable();
    for (const { sid, context: text } of sids) {
      const context = parseContext(text, view.policy, view.lookup);
      if (!('part' in context)) table.insert(sid, context);
    }
    table.next = Math.max(table.next, nextSid);
    this.#sids = table;
    for (const { name, value } of view.policy.booleans.entries) {
      if (Object.hasOwn(booleans, name)) view.booleans[value] = booleans[name] === true;
    }
    view.applyBooleans();
    this.#reset();
    this.#seqno = seqno;
  }
}

/** A context of the old policy in numbers of the new one, valid or not; undefined where a name is gone. */
function contextByNames(context: Context, old: PolicyView, view: PolicyView): Context | undefined {
  const user = view.policy.users.byName.get(old.names.users[context.user] ?? '');
  const role = view.policy.roles.byName.get(old.names.roles[context.role] ?? '');
  const type = view.policy.types.byName.get(old.names.types[context.type] ?? '');
  if (user === undefined || role === undefined || type === undefined || type.kind === 'attribute') return undefined;
  return { user: user.value, role: role.value, type: type.value, range: context.range };
}
