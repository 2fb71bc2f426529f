/**
 * What Xen refuses in a policy whose bytes can be read.
 *
 * Follows: Xen `xen/xsm/flask/ss/policydb.c` (`policydb_read`, `policydb_bounds_sanity_check`), `avtab.c`
 * (`avtab_insert`), `conditional.c` (`cond_insertf`), `services.c` (`validate_classes`).
 * Start reading at `loadFaults`.
 *
 * @module
 */
import { AVTAB_TYPE, CEXPR_XTARGET, type Context, type PolicyDb, type RuleTable } from '../policydb/index.ts';
import type { XenRelease } from '../releases/index.ts';
import type { Diagnostic } from '../text/index.ts';
import { half, word } from './checked-element.ts';
import { nameOf, rangeFault } from './context-text.ts';
import type { PolicyView } from './decisions.ts';
import { server as messages } from './diagnostics.ts';

/** Everything for which this release would not load the policy; the initial SIDs count at the first load only. */
export function loadFaults(view: PolicyView, release: XenRelease, isFirst: boolean): Diagnostic[] {
  const { policy } = view;
  return [
    ...unsupportedFaults(policy),
    ...ruleFaults(view),
    ...constraintFaults(policy),
    ...contextFaults(view),
    ...(isFirst ? initialSidFaults(policy) : []),
    ...rangeFaults(view),
    ...boundsFaults(view),
    ...classFaults(policy, release),
  ];
}

function* unsupportedFaults({ classes, filenameTransitions, rules }: PolicyDb): Generator<Diagnostic> {
  for (const { name, common } of classes.entries) {
    if (common !== undefined) yield messages['class-with-common'](undefined, { class: name });
  }
  const [named] = filenameTransitions;
  if (named !== undefined) yield messages['filename-transition'](undefined, { name: named.name });
  if (rules.length === 0) yield messages['no-rules'](undefined, {});
}

/** A rule's key: source, target, class and kind; below 2^52 as kinds are below 16 once numbered. */
function rowKey({ source, target, tclass, kind }: RuleTable, row: number): number {
  const bit = 31 - Math.clz32(half(kind, row) & 0x77);
  return ((half(tclass, row) * 0x10000 + word(source, row)) * 0x10000 + word(target, row)) * 8 + bit;
}

function namesOf(view: PolicyView, rules: RuleTable, row: number): { source: string; target: string; class: string } {
  return ruleNames(view, word(rules.source, row), word(rules.target, row), half(rules.tclass, row));
}

function ruleNames(
  view: PolicyView,
  source: number,
  target: number,
  tclass: number,
): { source: string; target: string; class: string } {
  const { types } = view.names;
  return {
    source: nameOf(types, source),
    target: nameOf(types, target),
    class: view.className(tclass),
  };
}

function* ruleFaults(view: PolicyView): Generator<Diagnostic> {
  const { rules, conditionals } = view.policy;
  for (const row of view.rules.duplicates) yield messages['duplicate-rule'](undefined, namesOf(view, rules, row));
  /** The conditional type rules so far, and in which list each was. */
  const typeRules = new Map<number, RuleTable>();
  for (const { whenTrue, whenFalse } of conditionals) {
    // XEN: cond_insertf() lets a rule of the false list stand beside one of its own true list, and no other.
    const doubled = new Set<number>();
    for (const list of [whenTrue, whenFalse]) {
      for (let row = 0; row < list.length; row++) {
        if ((half(list.kind, row) & AVTAB_TYPE) === 0) continue;
        const key = rowKey(list, row);
        const other = typeRules.get(key);
        const isOwnOther = list === whenFalse && other === whenTrue && !doubled.has(key);
        if (hasTypeRule(view, list, row) || (other !== undefined && !isOwnOther)) {
          yield messages['conflicting-type-rule'](undefined, namesOf(view, list, row));
        }
        if (other === undefined) typeRules.set(key, list);
        else doubled.add(key);
      }
    }
  }
}

/** Whether a type rule outside of conditional blocks has the key of this row. */
function hasTypeRule({ rules }: PolicyView, list: RuleTable, row: number): boolean {
  const kind = half(list.kind, row) & AVTAB_TYPE;
  const type = rules.typeRule(kind, word(list.source, row), word(list.target, row), half(list.tclass, row));
  return type !== undefined;
}

function* constraintFaults({ classes }: PolicyDb): Generator<Diagnostic> {
  for (const { name, constraints } of classes.entries) {
    const hasThird = constraints.some(({ expression }) =>
      expression.some((step) => step.kind === 'names' && (step.attribute & CEXPR_XTARGET) !== 0),
    );
    if (hasThird) yield messages['third-context'](undefined, { class: name });
  }
}

function* contextFaults(view: PolicyView): Generator<Diagnostic> {
  const { initialSids, pirqs, ioports, iomem, pciDevices, deviceTree } = view.policy.objectContexts;
  const check = function* (what: string, context: Context): Generator<Diagnostic> {
    const fault = view.fault(context);
    if (fault === undefined) return;
    yield messages['invalid-context'](undefined, { what, context: view.text(context), why: fault.message });
  };
  for (const { sid, context } of initialSids) yield* check(`initial SID ${sid}`, context);
  for (const { number, context } of pirqs) yield* check(`interrupt ${number}`, context);
  for (const { low, high, context } of ioports)
    yield* check(`ports 0x${low.toString(16)}-0x${high.toString(16)}`, context);
  for (const { low, high, context } of iomem)
    yield* check(`frames 0x${low.toString(16)}-0x${high.toString(16)}`, context);
  for (const { number, context } of pciDevices) yield* check(`device 0x${number.toString(16)}`, context);
  for (const { path, context } of deviceTree) yield* check(`device tree node ${path}`, context);
}

function* initialSidFaults({ objectContexts }: PolicyDb): Generator<Diagnostic> {
  const seen = new Set<number>();
  for (const { sid } of objectContexts.initialSids) {
    if (seen.has(sid)) yield messages['duplicate-initial-sid'](undefined, { sid });
    seen.add(sid);
  }
}

function* rangeFaults(view: PolicyView): Generator<Diagnostic> {
  for (const { source, target, tclass, range } of view.policy.rangeTransitions) {
    if (rangeFault(range, view.lookup) === undefined) continue;
    yield messages['invalid-range'](undefined, ruleNames(view, source, target, tclass));
  }
}

/** XEN: POLICYDB_BOUNDS_MAXDEPTH. */
const BOUNDS_DEPTH = 4;

/** The chain of bounds of a symbol, nearest first; undefined where it is too long. */
function boundsChain<T extends { readonly bounds: number }>(
  symbol: T,
  byValue: readonly (T | undefined)[],
): T[] | undefined {
  const chain: T[] = [];
  for (let at = byValue[symbol.bounds]; at !== undefined; at = byValue[at.bounds]) {
    chain.push(at);
    if (chain.length === BOUNDS_DEPTH) return undefined;
  }
  return chain;
}

function* boundsFaults({ policy, lookup, names }: PolicyView): Generator<Diagnostic> {
  const tooDeep = (kind: string, name: string): Diagnostic => messages['bounds-too-deep'](undefined, { kind, name });
  for (const user of policy.users.entries) {
    const chain = boundsChain(user, lookup.users);
    if (chain === undefined) yield tooDeep('user', user.name);
    for (const upper of chain ?? []) {
      const over = user.roles.bits.find((bit) => !upper.roles.has(bit));
      if (over === undefined) continue;
      const memberName = nameOf(names.roles, over + 1);
      const place = { kind: 'user', name: user.name, bound: upper.name, member: 'role', memberName };
      yield messages['bounds-exceeded'](undefined, place);
    }
  }
  for (const role of policy.roles.entries) {
    const chain = boundsChain(role, lookup.roles);
    if (chain === undefined) yield tooDeep('role', role.name);
    for (const upper of chain ?? []) {
      const over = role.types.bits.find((bit) => !upper.types.has(bit));
      if (over === undefined) continue;
      const memberName = nameOf(names.types, over + 1);
      const place = { kind: 'role', name: role.name, bound: upper.name, member: 'type', memberName };
      yield messages['bounds-exceeded'](undefined, place);
    }
  }
  for (const type of policy.types.entries) {
    const chain = boundsChain(type, lookup.types);
    if (chain === undefined) yield tooDeep('type', type.name);
    const attribute = chain?.find(({ kind }) => kind === 'attribute');
    if (attribute === undefined) continue;
    yield messages['bounds-attribute'](undefined, { name: type.name, bound: attribute.name });
  }
}

/** What a policy must have for this release and has not: the numbers are fixed in Xen. */
function* classFaults({ classes }: PolicyDb, { name: number, classes: needed }: XenRelease): Generator<Diagnostic> {
  const release = `Xen ${number}`;
  for (const { name, id, permissions } of needed) {
    const symbol = classes.byName.get(name);
    if (symbol === undefined || symbol.value !== id) {
      yield messages['missing-class'](undefined, { class: name, number: id, release });
      continue;
    }
    for (const [bit, permission] of permissions.entries()) {
      const found = symbol.permissions.find((one) => one.name === permission);
      if (found?.value === bit + 1) continue;
      yield messages['missing-permission'](undefined, { class: name, permission, bit, release });
    }
  }
}
