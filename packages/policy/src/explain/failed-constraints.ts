/**
 * Constraints that take a permission away: which expression, which of its terms, and with what values.
 *
 * Start reading at `ConstraintFinder.failed`.
 *
 * @module
 */
import { type ConstraintNames, conditionText, constraintText, Names, readMembership } from '../decompiler/index.ts';
import {
  CEXPR_H1H2,
  CEXPR_H1L2,
  CEXPR_L1H1,
  CEXPR_L1H2,
  CEXPR_L1L2,
  CEXPR_L2H2,
  CEXPR_ROLE,
  CEXPR_TARGET,
  CEXPR_USER,
  type ClassSymbol,
  type ConditionStep,
  type ConstraintStep,
  type Context,
} from '../policydb/index.ts';
import { type ConstraintTermStep, constraintTree, decidingTerms } from '../security-server/index.ts';
import type { Origin } from '../text/index.ts';
import { ConstraintPlaces } from './constraint-places.ts';
import type { Subject } from './subject.ts';

/** A term of a constraint's expression that had to hold, and does not. */
export interface FailedTerm {
  /** As the policy language writes it: `u1 == u2`. */
  readonly text: string;
  /** What stands for each side: `u1` is `customer_1`. */
  readonly values: readonly { readonly name: string; readonly value: string }[];
}

/** A constraint that does not hold for two labels. */
export interface FailedConstraint {
  /** The whole expression, as the policy language writes it. */
  readonly expression: string;
  /** Permissions of those asked for that it takes away. */
  readonly bits: number;
  /** The terms on which it fails; where there are several, see `isAnyEnough`. */
  readonly terms: readonly FailedTerm[];
  /** One term that held would be enough, and not each must. */
  readonly isAnyEnough: boolean;
  /** Where it was written; undefined for a binary, or where the place cannot be told for certain. */
  readonly origin: Origin | undefined;
}

/** The levels that a comparison of levels compares. */
const LEVELS: Readonly<Record<number, readonly [string, string]>> = {
  [CEXPR_L1L2]: ['l1', 'l2'],
  [CEXPR_L1H2]: ['l1', 'h2'],
  [CEXPR_H1L2]: ['h1', 'l2'],
  [CEXPR_H1H2]: ['h1', 'h2'],
  [CEXPR_L1H1]: ['l1', 'h1'],
  [CEXPR_L2H2]: ['l2', 'h2'],
};

/** The sides that a comparison is about, each once. */
function sidesOf(step: ConstraintTermStep): readonly string[] {
  const levels = LEVELS[step.attribute];
  if (levels !== undefined) return levels;
  const letter = (step.attribute & CEXPR_USER) !== 0 ? 'u' : (step.attribute & CEXPR_ROLE) !== 0 ? 'r' : 't';
  if (step.kind === 'attribute') return [`${letter}1`, `${letter}2`];
  return [`${letter}${(step.attribute & CEXPR_TARGET) !== 0 ? 2 : 1}`];
}

/** The constraints of one policy, ready for questions. */
export class ConstraintFinder {
  readonly #subject: Subject;
  readonly #places: ConstraintPlaces;
  /** Made when a constraint is first put into words: of a large policy that takes longer than an answer without one. */
  #known: ConstraintNames | undefined;

  constructor(subject: Subject) {
    this.#subject = subject;
    this.#places = new ConstraintPlaces(subject);
  }

  get #words(): ConstraintNames {
    if (this.#known === undefined) {
      const { policy } = this.#subject.view;
      const names = new Names(policy, () => {});
      this.#known = { names, membership: readMembership(policy, names), version: 30, emptyRole: undefined };
    }
    return this.#known;
  }

  /** The condition of a conditional block as text. */
  condition(steps: readonly ConditionStep[]): string {
    return conditionText(this.#words.names, steps);
  }

  #text(steps: readonly ConstraintStep[]): string {
    // Before version 30 a policy keeps the members of a set alone.
    const text =
      constraintText(this.#words, steps, false) ?? constraintText({ ...this.#words, version: 24 }, steps, false);
    return text ?? 'an expression that policy text cannot say';
  }

  /** A value behind `u1`, `l2` and the like. */
  #valueOf(side: string, source: Context, target: Context): string {
    const { view } = this.#subject;
    const context = side.endsWith('1') ? source : target;
    switch (side[0]) {
      case 'u':
        return view.names.users[context.user] ?? '';
      case 'r':
        return view.names.roles[context.role] ?? '';
      case 't':
        return view.names.types[context.type] ?? '';
      case 'l':
        return view.levelText(context.range.low);
      default:
        return view.levelText(context.range.high);
    }
  }

  /** The constraints of a class that take some of the permissions away from two labels. */
  failed(source: Context, target: Context, tclass: ClassSymbol, bits: number): FailedConstraint[] {
    const failed: FailedConstraint[] = [];
    const { view } = this.#subject;
    for (const [index, { permissions, expression }] of tclass.constraints.entries()) {
      const taken = (permissions & bits) >>> 0;
      if (taken === 0) continue;
      const tree = constraintTree(expression, source, target, (role) => view.dominated(role));
      if (tree?.holds === true) continue;
      const terms = tree === undefined ? [] : decidingTerms(tree);
      failed.push({
        expression: this.#text(expression),
        bits: taken,
        terms: terms.map(({ step }) => ({
          text: this.#text([step]),
          values: sidesOf(step).map((name) => ({ name, value: this.#valueOf(name, source, target) })),
        })),
        isAnyEnough: tree?.kind === 'or',
        origin: this.#places.of(tclass.name)[index],
      });
    }
    return failed;
  }
}
