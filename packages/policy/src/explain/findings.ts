/**
 * What an explanation of a log consists of.
 *
 * Start reading at `Finding`.
 *
 * @module
 */
import type { NumberedOperation } from '../releases/index.ts';
import type { Origin } from '../text/index.ts';
import type { ChosenFix } from './choose-fix.ts';
import type { FailedConstraint } from './failed-constraints.ts';
import type { LineGroup } from './group-lines.ts';
import type { UnlabeledThing } from './label-faults.ts';
import type { LabelLine, UnknownOperationLine } from './log-lines.ts';
import type { BrokenNeverallow } from './neverallows.ts';
import type { Placement } from './place-statement.ts';
import type { UnknownName } from './unknown-names.ts';

/** A rule that is in the policy, as a reader can find it. */
export interface RulePlace {
  /** The statement or the macro call as written; for a binary the rule itself. */
  readonly text: string;
  /** Undefined for a binary. */
  readonly origin: Origin | undefined;
}

/** A permission of this policy in the place of one that it does not have, between two types. */
export interface Successor {
  readonly class: string;
  readonly permission: string;
  readonly source: string;
  readonly target: string;
  readonly isAllowed: boolean;
  /** Those that give it; empty where nothing does. */
  readonly rules: readonly RulePlace[];
}

/** A conditional block that a rule stands in. */
export interface ConditionPlace {
  /** The head of the block as written, `if (!prot_doms_locked)`; for a binary the condition as it is kept. */
  readonly text: string;
  /** The rule stands in the branch for when the condition of `text` does not hold. */
  readonly isElse: boolean;
  readonly origin: Origin | undefined;
  readonly booleans: readonly { readonly name: string; readonly value: boolean }[];
  /** Booleans of which one, set otherwise, brings the rule into force; empty where it takes more than one. */
  readonly changes: readonly { readonly name: string; readonly value: boolean }[];
}

/**
 * Why lines were written.
 *
 * `no-rule`: nothing in the policy gives it. `protective`: nothing gives it, and what would give it opens a guest's memory
 * or power over the policy, breaks a rule about rules, or ends a
 * stated property. `constraint`, `role`, `bounds`: a rule gives it, and something
 * takes it away. `boolean`: the rule stands in a conditional block. `unlabeled`: a domain, or something else, has no label.
 * `label`: the policy does not know a label, or nobody gave it. `unknown-name`: the policy does not have the class, the
 * permission or the bit. `unknown-operation`: Xen has no check for the operation. `stale`: the policy allows it, so the log
 * is of another one. `granted`: it was allowed, and a rule asks for the line.
 */
export type Cause =
  | { readonly kind: 'no-rule'; readonly fix: ChosenFix; readonly constraints: readonly FailedConstraint[] }
  | {
      readonly kind: 'protective';
      readonly fix: ChosenFix;
      readonly constraints: readonly FailedConstraint[];
      /** Stated properties of the policy that would no longer hold; filled in by who has such statements. */
      readonly refuted: readonly { readonly text: string; readonly place: string }[];
    }
  | {
      readonly kind: 'constraint';
      readonly constraints: readonly FailedConstraint[];
      readonly rules: readonly RulePlace[];
    }
  | { readonly kind: 'role'; readonly from: string; readonly to: string; readonly rules: readonly RulePlace[] }
  | { readonly kind: 'bounds'; readonly types: readonly string[]; readonly rules: readonly RulePlace[] }
  | {
      readonly kind: 'boolean';
      /** The policy would allow it as it stands, so that the booleans of the host are otherwise, or the policy. */
      readonly isAllowedHere: boolean;
      readonly conditions: readonly ConditionPlace[];
      readonly rules: readonly RulePlace[];
      /** Types that may set booleans. */
      readonly setters: readonly string[];
      readonly constraints: readonly FailedConstraint[];
    }
  | {
      readonly kind: 'unlabeled';
      readonly thing: UnlabeledThing;
      readonly type: string;
      /** Domains without a label, as far as the lines name them. */
      readonly domains: readonly string[];
      /** The label that xl gives to a guest that names none. */
      readonly defaultLabel: string | undefined;
      readonly neverallows: readonly BrokenNeverallow[];
      /** Labels of event channels that follow from it. */
      readonly derivedLabels: readonly string[];
    }
  | {
      readonly kind: 'label';
      /** Labels of which the same is to be said. */
      readonly labels: readonly string[];
      /** One clause, lower case. */
      readonly message: string;
      readonly suggestion: string | undefined;
      /** The labels have ranges where the policy has no MLS, or the other way round. */
      readonly isOfOtherMls: boolean;
      /** Types whose event channels get such a label. */
      readonly owners: readonly string[];
    }
  | {
      readonly kind: 'unknown-name';
      readonly unknown: readonly UnknownName[];
      /** What other releases ask for instead, as far as this policy has it, for the labels of the lines. */
      readonly successors: readonly Successor[];
    }
  | {
      readonly kind: 'unknown-operation';
      readonly line: UnknownOperationLine;
      readonly operation: NumberedOperation;
      readonly count: number;
    }
  | { readonly kind: 'label-event'; readonly line: LabelLine; readonly count: number }
  | {
      readonly kind: 'stale';
      readonly rules: readonly RulePlace[];
      /** Labels of the lines that nothing can have under this policy, with what is wrong with each: one clause, lower case. */
      readonly invalid: readonly { readonly label: string; readonly message: string }[];
    }
  | { readonly kind: 'granted'; readonly rules: readonly RulePlace[] };

/** A part of a group of lines: some of its permissions. */
export interface ExplainedLines {
  readonly group: LineGroup;
  readonly permissions: readonly string[];
}

/** One cause, and the lines that it explains. */
export interface Finding {
  readonly cause: Cause;
  readonly lines: readonly ExplainedLines[];
  /** Where the fix belongs, for `no-rule` and `protective`; undefined where there is no text to change. */
  readonly placement: Placement | undefined;
}

/** What a log means for a policy. */
export interface LogExplanation {
  readonly findings: readonly Finding[];
  /** Groups beyond the limit, that were not explained. */
  readonly groupsLeft: number;
  /** Lines that name no permission (`null`), and so tell nothing. */
  readonly withoutPermission: number;
}
