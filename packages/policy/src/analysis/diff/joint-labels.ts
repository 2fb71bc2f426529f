/**
 * The labels that two policies both have, each kind of them at least once: what their constraints can be held against each
 * other for.
 *
 * Start reading at `jointLabels`.
 *
 * @module
 */
import type { Names } from '../../decompiler/index.ts';
import {
  CEXPR_USER,
  type ConstraintStep,
  type Context,
  Ebitmap,
  type MlsLevel,
  type MlsRange,
  type PolicyDb,
} from '../../policydb/index.ts';
import { PolicyView } from '../../security-server/index.ts';
import { LabelSpace, LEVELS } from '../memory/label-space.ts';
import type { SharedNames } from './shared-names.ts';

/** A label that is valid on both sides. */
export interface JointLabel {
  readonly old: Context;
  readonly new: Context;
  /** Its type by shared number. */
  readonly type: number;
}

/** Labels of both sides. */
export interface JointLabels {
  readonly labels: readonly JointLabel[];
  readonly oldView: PolicyView;
  readonly newView: PolicyView;
  /** What was left out, in words; empty where every label of both sides is stood for. */
  readonly bounds: readonly string[];
}

/** The steps of the constraints of a policy's classes. */
export function constraintSteps({ classes }: PolicyDb, isMeant: (tclass: number) => boolean): ConstraintStep[] {
  return classes.entries
    .filter(({ value }) => isMeant(value))
    .flatMap(({ constraints }) => constraints.flatMap(({ expression }) => expression));
}

const anyClass = (): boolean => true;

/** More labels than this are not looked at. */
const LABEL_LIMIT = 60_000;

/** Turns what one policy numbers into what another does, by names. */
class Translation {
  readonly #from: Names;
  readonly #to: PolicyDb;

  constructor(from: Names, to: PolicyDb) {
    this.#from = from;
    this.#to = to;
  }

  user(value: number): number | undefined {
    return this.#to.users.byName.get(this.#from.user(value))?.value;
  }

  type(value: number): number | undefined {
    return this.#to.types.byName.get(this.#from.type(value))?.value;
  }

  range({ low, high }: MlsRange): MlsRange | undefined {
    const [from, to] = [this.#level(low), this.#level(high)];
    return from === undefined || to === undefined ? undefined : { low: from, high: to };
  }

  context(context: Context): Context | undefined {
    const [user, type] = [this.user(context.user), this.type(context.type)];
    const role = this.#to.roles.byName.get(this.#from.role(context.role))?.value;
    const range = this.#to.isMls ? this.range(context.range) : context.range;
    if (user === undefined || role === undefined || type === undefined || range === undefined) return undefined;
    return { user, role, type, range };
  }

  #level({ sensitivity, categories }: MlsLevel): MlsLevel | undefined {
    const level = this.#to.sensitivities.byName.get(this.#from.sensitivity(sensitivity))?.level;
    if (level === undefined) return undefined;
    const bits: number[] = [];
    for (const bit of categories) {
      const category = this.#to.categories.byName.get(this.#from.category(bit + 1));
      if (category === undefined) return undefined;
      bits.push(category.value - 1);
    }
    return { sensitivity: level.sensitivity, categories: Ebitmap.of(bits) };
  }
}

/** The users that each thing of a policy tells from others, as sets. */
function userSetsOf(policy: PolicyDb): number[][] {
  const named = constraintSteps(policy, anyClass).flatMap((step) =>
    step.kind === 'names' && (step.attribute & CEXPR_USER) !== 0 ? [[...step.names].map((bit) => bit + 1)] : [],
  );
  const users = policy.users.entries;
  const byRole = policy.roles.entries.map(({ value }) =>
    users.filter(({ roles }) => roles.has(value - 1)).map((user) => user.value),
  );
  const byRange = new Map<string, number[]>();
  for (const { value, range } of users) {
    const key = [range.low, range.high].map((one) => `${one.sensitivity}:${[...one.categories].join()}`).join('-');
    byRange.set(key, [...(byRange.get(key) ?? []), value]);
  }
  return [...named, ...byRole, ...(policy.isMls ? byRange.values() : [])];
}

/** Labels valid on both sides, or why there are none to look at. */
export function jointLabels(shared: SharedNames): JointLabels | { readonly refused: string } {
  const { policy: old } = shared.old;
  const { policy: next } = shared.new;
  if (old.isMls !== next.isMls) return { refused: 'no label is one of both policies, of which one has MLS' };
  const [oldView, newView] = [new PolicyView(old), new PolicyView(next)];
  const forward = new Translation(shared.old.names, next);
  const back = new Translation(shared.new.names, old);
  const userSets = userSetsOf(old).map(
    (set) => new Set(set.flatMap((user) => forward.user(user) ?? [])) as ReadonlySet<number>,
  );
  const ranges = [...old.users.entries.map(({ range }) => range), ...old.rangeTransitions.map(({ range }) => range)];
  const pinned = old.isMls
    ? ranges.flatMap((one) => {
        const range = forward.range(one);
        return range === undefined ? [] : [{ user: 0, role: 0, type: 0, range }];
      })
    : [];
  const comparesLevels = constraintSteps(old, anyClass).some(
    (step) => step.kind === 'attribute' && (step.attribute & LEVELS) !== 0,
  );
  const space = new LabelSpace(newView, pinned, userSets, comparesLevels);
  const labels: JointLabel[] = [];
  for (const { value, kind } of next.types.entries) {
    if (kind !== 'type' || back.type(value) === undefined) continue;
    for (const label of space.labelsOf(value)) {
      const context = back.context(label);
      if (context !== undefined && oldView.fault(context) === undefined)
        labels.push({ old: context, new: label, type: shared.new.typeOf[value] ?? 0 });
    }
    if (labels.length > LABEL_LIMIT) return { refused: `there are more than ${LABEL_LIMIT} labels` };
  }
  return { labels, oldView, newView, bounds: space.bounds };
}
