/**
 * Labels of a log that are wrong, missing, or not what anybody gave.
 *
 * @module
 */
import { AVTAB_ALLOWED, AVTAB_TRANSITION, type ClassSymbol, type Context, rowKeys } from '../policydb/index.ts';
import type { LineGroup } from './group-lines.ts';
import { initialContext, permissionBit, type Subject, typeName } from './subject.ts';

/** A label, read. */
export type ReadLabel =
  | { readonly kind: 'context'; readonly context: Context }
  | {
      readonly kind: 'unknown';
      /** One clause, lower case. */
      readonly message: string;
      readonly suggestion: string | undefined;
      /** The label has a range where the policy has no MLS, or the other way round. */
      readonly isOfOtherMls: boolean;
    };

/** What the policy makes of a label in a line. A label that is not valid but has known names is taken as it is. */
export function readLabel({ view }: Subject, label: string | number): ReadLabel {
  if (typeof label === 'number')
    return {
      kind: 'unknown',
      message: `Xen had no label for SID ${label}`,
      suggestion: undefined,
      isOfOtherMls: false,
    };
  const valid = view.parse(label);
  if (!('part' in valid)) return { kind: 'context', context: valid };
  const known = view.read(label);
  if (known !== undefined) return { kind: 'context', context: known };
  const isOfOtherMls = valid.part === 'range' && (!view.policy.isMls || label.split(':').length <= 3);
  return { kind: 'unknown', message: valid.message, suggestion: valid.suggestion, isOfOtherMls };
}

/** Whether a label is that of things that nobody labelled. */
export function isUnlabeled(subject: Subject, context: Context): boolean {
  return initialContext(subject, 'unlabeled')?.type === context.type;
}

/** What has no label: a domain, an interrupt that no device has, or a port that is not connected to another domain. */
export type UnlabeledThing = 'domain' | 'irq' | 'device' | 'port';

/** The initial SIDs of resources that nobody labelled. */
const RESOURCE_SIDS: readonly (readonly [sid: string, thing: UnlabeledThing])[] = [
  ['irq', 'irq'],
  ['device', 'device'],
  ['iomem', 'device'],
  ['ioport', 'device'],
];

/**
 * Whether a domain other than dom0 asks for a resource that has no label of its own. dom0 is the one to administer all of
 * them, and policies let it.
 */
export function unlabeledResource(
  subject: Subject,
  { class: className }: LineGroup,
  source: Context,
  target: Context,
): UnlabeledThing | undefined {
  if (className !== 'resource' || initialContext(subject, 'dom0')?.type === source.type) return undefined;
  return RESOURCE_SIDS.find(([sid]) => initialContext(subject, sid)?.type === target.type)?.[1];
}

/** What an unlabeled target of a line is. */
export function unlabeledTarget({ class: className, details, first }: LineGroup): UnlabeledThing {
  if (className === 'event' && first.permissions.every((one) => ['send', 'status'].includes(one))) return 'port';
  if (className !== 'resource') return 'domain';
  const has = (name: string): boolean => details.some((one) => one.startsWith(`${name}=`));
  if (has('irq')) return 'irq';
  return has('device') || has('dtdevice') || has('range') ? 'device' : 'domain';
}

/**
 * Owners whose event channels to a domain get that domain's type, because no `type_transition` says otherwise: an
 * unlabeled domain first, then types under which a domain may be created. Undefined where the label is not such a one.
 */
export function ownersWithoutChannelType(subject: Subject, label: Context): number[] | undefined {
  const { view } = subject;
  const event = view.policy.classes.byName.get('event');
  if (event === undefined || view.names.roles[label.role] !== 'object_r') return undefined;
  // The type of a channel is one that some rule makes, or one that rules name as the source of `bind`.
  const { rules, typeSets } = view.policy;
  const bind = permissionBit(subject, event, 'bind');
  const making = rules.filter(
    (kind, _, __, tclass, data) => kind === AVTAB_TRANSITION && tclass === event.value && data === label.type,
  );
  for (let row = 0; row < making.length; row++) {
    const { sources, targets } = rowKeys(making, row, typeSets);
    if (sources.length > 0 && (targets.length > 0 || making.self[row] === 1)) return undefined;
  }
  const binding = view.rules
    .vectorsOf(event.value)
    .filter(
      (kind, source, _, __, data) =>
        kind === AVTAB_ALLOWED && (data & bind) !== 0 && typeSets.members(source).includes(label.type),
    );
  if (binding.length > 0) return undefined;
  const unlabeled = initialContext(subject, 'unlabeled');
  const gets = (owner: Context): boolean =>
    view.newContext(owner, label, event.value, AVTAB_TRANSITION).type === label.type;
  const owners = unlabeled !== undefined && gets(unlabeled) ? [unlabeled.type] : [];
  for (const type of creatableTypes(subject)) if (gets({ ...label, type }) && !owners.includes(type)) owners.push(type);
  return owners;
}

/** Types under which some type may create a domain. */
export function creatableTypes(subject: Subject): number[] {
  const { view } = subject;
  const domain = view.policy.classes.byName.get('domain');
  if (domain === undefined) return [];
  const create = permissionBit(subject, domain, 'create');
  const rules = view.rules.vectorsOf(domain.value);
  const found = new Set<number>();
  for (let row = 0; row < rules.length; row++) {
    if (rules.kind[row] !== AVTAB_ALLOWED) continue;
    if (((rules.data[row] ?? 0) & create) === 0) continue;
    for (const type of view.policy.typeSets.members(rules.target[row] ?? 0)) found.add(type);
  }
  return [...found].sort((a, b) => a - b);
}

/**
 * The types that the rules in force let do something to a type, ascending. Only those are asked about that some rule, of
 * whatever branch, names: a large policy has thousands of others.
 */
export function sourceTypes({ view }: Subject, target: number, tclass: ClassSymbol, bit: number): number[] {
  const { policy } = view;
  const isTarget = new Set([target, ...(policy.typeAttributeMap[target - 1]?.bits ?? []).map((one) => one + 1)]);
  const named = new Set<number>();
  for (const { length, kind, source, target: targets, data } of view.vectorsOf(tclass.value)) {
    for (let row = 0; row < length; row++) {
      if (kind[row] !== AVTAB_ALLOWED || ((data[row] ?? 0) & bit) === 0) continue;
      if (isTarget.has(targets[row] ?? 0)) named.add(source[row] ?? 0);
    }
  }
  const types = new Set([...named].flatMap((one) => [...policy.typeSets.members(one)]));
  return [...types]
    .filter((type) => (view.ruleVectors(type, target, tclass.value).allowed & bit) !== 0)
    .sort((a, b) => a - b);
}

/** The names of the types that may do something to a target's type, rules alone. */
export function typesThatMay(subject: Subject, target: Context, className: string, permission: string): string[] {
  const tclass = subject.view.policy.classes.byName.get(className);
  if (tclass === undefined) return [];
  return sourceTypes(subject, target.type, tclass, permissionBit(subject, tclass, permission))
    .map((type) => typeName(subject, type))
    .toSorted();
}
