/**
 * Rules that no constraint lets hold, and constraints that no rule can meet.
 *
 * @module
 */

import type { Label } from '../../analysis/index.ts';
import { readSet, type Statement, type SyntaxTree, wordOf } from '../../language/index.ts';
import { AVTAB_ALLOWED, type Constraint, OBJECT_R, type RuleTable, ruleTables } from '../../policydb/index.ts';
import { evaluateConstraint } from '../../security-server/index.ts';
import type { Diagnostic, Origin } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import type { LintSubject } from '../lint-subject.ts';

/** So many pairs of labels are tried for one rule; a rule that gives more pairs is left alone. */
const MOST_PAIRS = 20_000;

interface ConstraintNode extends Constraint {
  /** Permissions that some rule gives and that some labels keep. */
  met: number;
  /** Permissions that some rule gives. */
  given: number;
  /** Whether all rules about it were looked at to the end. */
  isKnown: boolean;
}

/** Looks at each `allow` rule whose class has constraints. */
class ConstraintLint {
  readonly #subject: LintSubject;
  readonly #labels = new Map<number, readonly Label[]>();
  readonly #nodes = new Map<number, readonly ConstraintNode[]>();
  /** Bits that were told of, by statement and class. */
  readonly #told = new Map<number, number>();
  readonly found: Diagnostic[] = [];

  constructor(subject: LintSubject) {
    this.#subject = subject;
    for (const { value, constraints } of subject.policy.classes.entries) {
      if (constraints.length === 0) continue;
      this.#nodes.set(
        value,
        constraints.map((node) => ({ ...node, met: 0, given: 0, isKnown: true })),
      );
    }
  }

  run(): Diagnostic[] {
    for (const table of ruleTables(this.#subject.written)) this.#table(table);
    this.#constraints();
    return this.found;
  }

  #table(rules: RuleTable): void {
    for (let row = 0; row < rules.length; row++) {
      if (rules.kind[row] !== AVTAB_ALLOWED) continue;
      const tclass = rules.tclass[row] ?? 0;
      const nodes = this.#nodes.get(tclass);
      if (nodes === undefined) continue;
      const bits = nodes.reduce((all, node) => all | node.permissions, 0) & (rules.data[row] ?? 0);
      if (bits !== 0) this.#row(rules, row, tclass, bits >>> 0, nodes);
    }
  }

  #row(rules: RuleTable, row: number, tclass: number, bits: number, nodes: readonly ConstraintNode[]): void {
    for (const node of nodes) node.given |= node.permissions & bits;
    let left = bits;
    let open = nodes.filter((node) => (node.permissions & bits & ~node.met) !== 0);
    let pairs = 0;
    const { view } = this.#subject.decisions;
    for (const [sourceType, targetType] of this.#typePairs(rules, row)) {
      for (const source of this.#labelsOf(sourceType)) {
        for (const target of this.#labelsOf(targetType)) {
          if (pairs++ > MOST_PAIRS) {
            for (const node of open) node.isKnown = false;
            return;
          }
          left &= view.constrained(source, target, tclass, left);
          for (const node of open) {
            if (evaluateConstraint(node.expression, source, target, (role) => view.dominated(role)))
              node.met |= node.permissions & bits;
          }
          open = open.filter((node) => (node.permissions & bits & ~node.met) !== 0);
          if (left === 0 && open.length === 0) return;
        }
      }
    }
    // Types without labels are told of by themselves.
    if (left === 0 || pairs === 0) return;
    this.#tell(rules.statement[row] ?? 0, tclass, left >>> 0);
  }

  #tell(statement: number, tclass: number, bits: number): void {
    const key = statement * 256 + tclass;
    const before = this.#told.get(key) ?? 0;
    this.#told.set(key, before | bits);
    if ((bits & ~before) === 0) return;
    const origin = this.#subject.statementOrigin(statement);
    this.found.push(lint['rule-never-holds'](origin, this.#rights(tclass, bits)));
  }

  #rights(tclass: number, bits: number): { class: string; permissions: string } {
    const names = this.#subject.permissionNames(tclass, bits);
    const permissions = names.length === 1 ? (names[0] ?? '') : `{ ${names.join(' ')} }`;
    return { class: this.#subject.decisions.view.className(tclass), permissions };
  }

  /** The pairs of types that a row is about. */
  *#typePairs(rules: RuleTable, row: number): Generator<readonly [number, number]> {
    const sources = this.#subject.membersOf(rules.source[row] ?? 0);
    const targets = this.#subject.membersOf(rules.target[row] ?? 0);
    const isSelf = rules.self[row] === 1;
    for (const source of sources) {
      if (isSelf && !targets.includes(source)) yield [source, source];
      for (const target of targets) yield [source, target];
    }
  }

  /** The labels of a type; those of domains, which no one names `object_r`, where it has such. */
  #labelsOf(type: number): readonly Label[] {
    let found = this.#labels.get(type);
    if (found === undefined) {
      const all = this.#subject.decisions.labels.labelsOf(type);
      const own = all.filter(({ role }) => role !== OBJECT_R);
      found = own.length > 0 ? own : all;
      this.#labels.set(type, found);
    }
    return found;
  }

  /** Constraints whose permissions rules give, and that no labels meet. */
  #constraints(): void {
    const { tree } = this.#subject;
    for (const [tclass, nodes] of this.#nodes) {
      const places = tree === undefined ? [] : constraintOrigins(this.#subject, tree, tclass, nodes.length);
      for (const [i, { permissions, given, met, isKnown }] of nodes.entries()) {
        if (!isKnown || given === 0 || met !== 0) continue;
        const rights = this.#rights(tclass, permissions & given);
        this.found.push(lint['constraint-never-met'](places[i], rights));
      }
    }
  }
}

/** Where the constraints of a class are written, in the order of its nodes; empty where that cannot be told. */
function constraintOrigins(subject: LintSubject, tree: SyntaxTree, tclass: number, count: number): Origin[] {
  const name = subject.decisions.view.className(tclass);
  const isAbout = (statement: Statement): boolean =>
    statement.kind === 'constrain' &&
    readSet(tree.tokens, statement.classes).members.some(({ token }) => wordOf(tree.tokens, token) === name);
  const written = tree.statements.filter(isAbout);
  if (written.length !== count) return [];
  // checkpolicy puts each new node before those that the class has.
  return written.toReversed().flatMap(({ at }) => subject.tokenOrigin(at) ?? []);
}

/** Rules that hold for nobody because of a constraint, and constraints that hold for nobody. */
export function constraintFaults(subject: LintSubject): Diagnostic[] {
  return new ConstraintLint(subject).run();
}
