/**
 * Which pairs of labels are meant, in the words of constraints: a few comparisons, joined by `and` or by `or`.
 *
 * Start reading at `wordPairs`.
 *
 * @module
 */
import { constraintText, readMembership } from '../../decompiler/index.ts';
import { CEXPR_TYPE, type ConstraintStep } from '../../policydb/index.ts';
import { constraintTree } from '../../security-server/index.ts';
import type { JointLabel, JointLabels } from './joint-labels.ts';
import type { SharedNames, Side } from './shared-names.ts';

/** A comparison that constraints make of labels. */
export interface Term {
  readonly text: string;
  readonly side: Side;
  readonly step: ConstraintStep;
}

/** More terms than this are not looked at. */
const TERM_LIMIT = 24;
/** More terms than this say less than an example. */
const WORD_LIMIT = 4;

type Pair = readonly [source: JointLabel, target: JointLabel];

/** The comparisons that constraints of a class make on either side, but for those with sets of types, which blocks name. */
export function termTexts(shared: SharedNames, tclass: number): Term[] {
  const found = new Map<string, Term>();
  for (const side of ['new', 'old'] as const) {
    const { policy, names, classOf } = shared[side];
    const all = { names, membership: readMembership(policy, names), version: 30 as const, emptyRole: undefined };
    const symbol = policy.classes.entries.find(({ value }) => classOf[value] === tclass);
    for (const { expression } of symbol?.constraints ?? []) {
      for (const step of expression) {
        if (step.kind !== 'attribute' && step.kind !== 'names') continue;
        if (step.kind === 'names' && (step.attribute & CEXPR_TYPE) !== 0) continue;
        const text = constraintText(all, [step], false);
        if (text !== undefined && !found.has(text)) found.set(text, { text, side, step });
      }
    }
  }
  return [...found.values()].slice(0, TERM_LIMIT);
}

/** A term, or its opposite, with what it comes to for each pair. */
interface Literal {
  readonly text: string;
  readonly chosen: readonly boolean[];
  readonly others: readonly boolean[];
}

function opposite(text: string): string {
  if (text.includes(' == ')) return text.replace(' == ', ' != ');
  if (text.includes(' != ')) return text.replace(' != ', ' == ');
  return `not (${text})`;
}

/** Says which pairs are chosen, so that no other is meant; undefined where a few terms cannot say it. */
export function wordPairs(
  terms: readonly Term[],
  { oldView, newView }: JointLabels,
  chosen: readonly Pair[],
  others: readonly Pair[],
): string | undefined {
  const literals = terms.flatMap(({ text, side, step }): Literal[] => {
    const view = side === 'old' ? oldView : newView;
    const holds = ([source, target]: Pair): boolean =>
      constraintTree([step], source[side], target[side], (role) => view.dominated(role))?.holds === true;
    const [inside, outside] = [chosen.map(holds), others.map(holds)];
    const flip = (values: readonly boolean[]): boolean[] => values.map((value) => !value);
    return [
      { text, chosen: inside, others: outside },
      { text: opposite(text), chosen: flip(inside), others: flip(outside) },
    ];
  });
  // A conjunction of what holds for all that are chosen, or a disjunction of what holds for none of the others.
  const both = fewest(
    literals.filter((literal) => literal.chosen.every(Boolean)),
    others.length,
    (literal, i) => literal.others[i] === false,
  );
  if (both !== undefined) return both.map(({ text }) => text).join(' and ');
  const either = fewest(
    literals.filter((literal) => !literal.others.some(Boolean)),
    chosen.length,
    (literal, i) => literal.chosen[i] === true,
  );
  return either?.map(({ text }) => text).join(' or ');
}

/** A few literals of which each pair is settled by at least one; undefined where there are none, or too many are needed. */
function fewest(
  literals: readonly Literal[],
  pairs: number,
  settles: (literal: Literal, pair: number) => boolean,
): readonly Literal[] | undefined {
  let open = Array.from({ length: pairs }, (_, i) => i);
  const taken: Literal[] = [];
  while (open.length > 0) {
    const counts = literals.map((literal) => open.filter((i) => settles(literal, i)).length);
    const most = Math.max(0, ...counts);
    const best = literals[counts.indexOf(most)];
    if (best === undefined || most === 0 || taken.length === WORD_LIMIT) return undefined;
    taken.push(best);
    open = open.filter((i) => !settles(best, i));
  }
  const all = Array.from({ length: pairs }, (_, i) => i);
  // The first that was taken may be implied by the later ones.
  const needed = taken.filter(
    (one) => taken.length === 1 || !all.every((i) => taken.some((other) => other !== one && settles(other, i))),
  );
  return all.every((i) => needed.some((one) => settles(one, i))) ? needed : taken;
}
