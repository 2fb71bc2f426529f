/**
 * Conditional blocks: normal form, joining of equal conditions, tunables.
 *
 * libsepol normalises a condition at three moments and once more, without swapping the branches, when it writes. The
 * bytes show it, so the same happens here. Format: libsepol `conditional.c` (`cond_normalize_expr`, `cond_expr_equal`),
 * `expand.c` (`cond_node_copy`, `discard_tunables`).
 * Start reading at `ConditionalCompiler`.
 *
 * @module
 */
import type { ConditionNode, Statement } from '../language/index.ts';
import {
  COND_BOOL,
  COND_MAX_BOOLS,
  COND_NOT,
  type Conditional,
  evaluateCondition,
  RuleTable,
} from '../policydb/index.ts';
import type { BooleanDeclaration } from './declarations.ts';
import { policy } from './diagnostics.ts';
import type { RuleCompiler } from './rules.ts';
import type { Scope } from './scope.ts';

interface Step {
  readonly operator: number;
  /** Set where the operator is `COND_BOOL`. */
  readonly boolean: BooleanDeclaration | undefined;
}

/** A condition in normal form, and what it is compared by. */
interface Normal {
  readonly steps: readonly Step[];
  readonly isSwapped: boolean;
  readonly key: string;
}

interface Block {
  steps: readonly Step[];
  whenTrue: RuleTable;
  whenFalse: RuleTable;
}

const stepText = ({ operator, boolean }: Step): string =>
  boolean === undefined ? String(operator) : `#${boolean.name}`;

/**
 * Takes one final NOT away, and finds what makes two conditions equal: for at most five booleans the set of booleans and
 * a truth table, for more the whole expression.
 *
 * XEN: the table's bits follow the order in which the booleans appear, yet tables are compared whatever the order was.
 */
function normalise(steps: readonly Step[]): Normal {
  const isSwapped = steps.at(-1)?.operator === COND_NOT;
  const kept = isSwapped ? steps.slice(0, -1) : steps;
  const booleans: BooleanDeclaration[] = [];
  let count = 0;
  for (const { boolean } of kept) {
    if (boolean === undefined || (count <= COND_MAX_BOOLS && booleans.includes(boolean))) continue;
    if (count < COND_MAX_BOOLS) booleans.push(boolean);
    count++;
  }
  if (count > COND_MAX_BOOLS) return { steps: kept, isSwapped, key: `${count}|${kept.map(stepText).join(' ')}` };
  let table = 0;
  for (let test = 0; test < 1 << count; test++) {
    if (evaluateCondition(kept, (boolean) => boolean !== undefined && ((test >> booleans.indexOf(boolean)) & 1) === 1))
      table |= 1 << test;
  }
  const names = booleans.map(({ name }) => name).sort();
  return { steps: kept, isSwapped, key: `${names.join(' ')}|${table >>> 0}` };
}

const defaultState = (boolean: BooleanDeclaration | undefined): boolean => boolean?.state === true;

/** Collects the conditional blocks of a policy. */
export class ConditionalCompiler {
  readonly #scope: Scope;
  readonly #rules: RuleCompiler;
  /** In the order written; equal conditions are one block. */
  readonly #blocks: Block[] = [];
  /** Those of the parts that have ended. */
  readonly #ended: Block[] = [];
  readonly #byKey = new Map<string, Block>();

  constructor(scope: Scope, rules: RuleCompiler) {
    this.#scope = scope;
    this.#rules = rules;
  }

  /** XEN: what a condition mixes is looked at only where rules stand under it. */
  #steps(condition: readonly ConditionNode[], hasRules: boolean): Step[] | undefined {
    const steps: Step[] = [];
    let isWhole = true;
    for (const { operator, at } of condition) {
      const boolean = operator === COND_BOOL ? this.#scope.boolean(at) : undefined;
      if (operator === COND_BOOL && boolean === undefined) isWhole = false;
      steps.push({ operator, boolean });
    }
    const booleans = steps.flatMap(({ boolean }) => boolean ?? []);
    const tunable = booleans.find(({ isTunable }) => isTunable);
    const plain = booleans.find(({ isTunable }) => !isTunable);
    const [first] = condition;
    if (hasRules && tunable !== undefined && plain !== undefined && first !== undefined) {
      this.#scope.report(
        policy['mixed-condition'](this.#scope.origin(first.at), { boolean: plain.name, tunable: tunable.name }),
      );
    }
    return isWhole ? steps : undefined;
  }

  /** Takes one `if` statement. */
  add(node: Extract<Statement, { kind: 'if' }>): void {
    const isEmpty = (rules: typeof node.whenTrue): boolean => rules.every(({ kind }) => kind === 'require');
    const hasRules = !isEmpty(node.whenTrue) || !isEmpty(node.whenFalse);
    let steps: readonly Step[] | undefined = this.#steps(node.condition, hasRules);
    // A branch is kept last rule first.
    const branch = (rules: typeof node.whenTrue): RuleTable => {
      const table = new RuleTable();
      for (const rule of rules.toReversed()) if (rule.kind !== 'require') this.#rules.add(rule, table);
      return table;
    };
    let whenTrue = branch(node.whenTrue);
    let whenFalse = branch(node.whenFalse);
    if (steps === undefined || !hasRules) return;
    if (isEmpty(node.whenTrue)) {
      [whenTrue, whenFalse] = [whenFalse, whenTrue];
      steps = [...steps, { operator: COND_NOT, boolean: undefined }];
    }
    const normal = normalise(steps);
    if (normal.isSwapped) [whenTrue, whenFalse] = [whenFalse, whenTrue];
    const equal = this.#byKey.get(normal.key);
    if (equal === undefined) {
      const block: Block = { steps: normal.steps, whenTrue, whenFalse };
      this.#blocks.push(block);
      this.#byKey.set(normal.key, block);
    } else {
      appendRows(equal.whenTrue, whenTrue);
      appendRows(equal.whenFalse, whenFalse);
    }
  }

  /** Ends a part of the policy, in which equal conditions are one: its rules of tunables go to the end of `rules`. */
  endPart(rules: RuleTable): void {
    for (const block of this.#blocks) normaliseBlock(block);
    for (const block of this.#blocks.toReversed()) {
      if (!isTunable(block)) continue;
      appendRows(rules, evaluateCondition(block.steps, defaultState) ? block.whenTrue : block.whenFalse);
    }
    this.#ended.push(...this.#blocks.splice(0).filter((block) => !isTunable(block)));
    this.#byKey.clear();
  }

  /** The blocks of all parts as they are written, last one first. */
  finish(): Conditional[] {
    const written: Block[] = [];
    const byKey = new Map<string, Block>();
    for (const block of this.#ended) {
      normaliseBlock(block);
      // XEN: the last normalisation drops a NOT without swapping the branches; four NOTs in a row come out wrong.
      const { steps, key } = normalise(block.steps);
      const equal = byKey.get(key);
      if (equal === undefined) {
        const copy: Block = { ...block, steps };
        written.unshift(copy);
        byKey.set(key, copy);
      } else {
        appendRows(equal.whenTrue, block.whenTrue);
        appendRows(equal.whenFalse, block.whenFalse);
      }
    }
    return written.map(({ steps, whenTrue, whenFalse }) => ({
      expression: steps.map(({ operator, boolean }) => ({ operator, boolean: boolean?.value ?? 0 })),
      state: evaluateCondition(steps, defaultState),
      whenTrue,
      whenFalse,
    }));
  }
}

function appendRows(to: RuleTable, from: RuleTable): void {
  for (let row = 0; row < from.length; row++) to.pushRow(from, row);
}

function normaliseBlock(block: Block): void {
  const normal = normalise(block.steps);
  block.steps = normal.steps;
  if (normal.isSwapped) [block.whenTrue, block.whenFalse] = [block.whenFalse, block.whenTrue];
}

function isTunable({ steps }: Block): boolean {
  const booleans = steps.flatMap(({ boolean }) => boolean ?? []);
  return booleans.length > 0 && booleans.every(({ isTunable: tunable }) => tunable);
}
