/**
 * Constraints and `validatetrans` rules as text, one statement for the classes that share one.
 *
 * @module
 */
import { CEXPR_L1L2, CEXPR_USER, type ClassSymbol, type Constraint, type ConstraintStep } from '../policydb/index.ts';
import { type ConstraintNames, constraintText } from './expressions.ts';
import { setText, wrap } from './layout.ts';
import { fullMask, permissionNames } from './permission-text.ts';

/** One statement for one class, before classes are joined. */
interface Item {
  readonly tclass: ClassSymbol;
  /** What stands behind the classes. */
  readonly rest: string;
  readonly isMls: boolean;
  /** How often the class is named: each further time stands for a copy without permissions. */
  repeated: number;
}

const isLevel = (step: ConstraintStep): boolean => step.kind === 'attribute' && step.attribute >= CEXPR_L1L2;
const isUserName = (step: ConstraintStep): boolean => step.kind === 'names' && (step.attribute & CEXPR_USER) !== 0;

/** How the constraints of one class are split: those of MLS were written first, so they stand last in the binary. */
function countMls(constraints: readonly Constraint[], isWanted: (one: Constraint) => boolean): number {
  let count = 0;
  while (count < constraints.length) {
    const one = constraints[constraints.length - 1 - count];
    if (one === undefined || !isWanted(one) || one.expression.some(isUserName)) break;
    count++;
  }
  return count;
}

/** Items of one class in the order written. */
function itemsOf(
  all: ConstraintNames,
  tclass: ClassSymbol,
  validates: boolean,
  isWanted: (one: Constraint) => boolean,
): Item[] {
  const { names } = all;
  const list = validates ? tclass.validateTransitions : tclass.constraints;
  const firstMls = list.length - countMls(list, isWanted);
  const items: Item[] = [];
  list.forEach(({ permissions, expression }, i) => {
    const isMls = i >= firstMls;
    const lost = (): void => names.lost(`a constraint of class \`${tclass.name}\``);
    const text = constraintText(all, expression, validates);
    if (text === undefined) {
      lost();
      return;
    }
    if (validates) {
      if (permissions !== 0) lost();
      items.push({ tclass, isMls, repeated: 1, rest: text });
      return;
    }
    const mask = fullMask(tclass);
    const listed = permissionNames(names, tclass, permissions);
    const isAll = permissions === mask && (tclass.permissionCount > 1 || mask === 0);
    if (permissions === 0 && !isAll) {
      // XEN: a class that a statement names twice gets two nodes, and only the one written last has permissions.
      const last = items.at(-1);
      if (last?.rest.endsWith(`\n${text}`) === true && last.isMls === isMls) last.repeated++;
      else lost();
    } else if ((permissions & ~mask) !== 0 || (listed === undefined && !isAll)) lost();
    else items.push({ tclass, isMls, repeated: 1, rest: `${isAll ? '*' : setText(listed ?? [])}\n${text}` });
  });
  return items.reverse();
}

/** Joins equal statements of several classes as far as the order within each class allows it. */
function joinClasses(queues: readonly Item[][], keyword: string): string[] {
  const waiting = queues.map((items) => items.toReversed()).filter((items) => items.length > 0);
  const keyOf = ({ rest, repeated }: Item): string => `${repeated} ${rest}`;
  const left = new Map<string, number>();
  for (const item of waiting.flat()) left.set(keyOf(item), (left.get(keyOf(item)) ?? 0) + 1);
  const statements: string[] = [];
  for (;;) {
    const heads = new Map<string, Item[][]>();
    for (const queue of waiting) {
      const head = queue.at(-1);
      if (head !== undefined) heads.set(keyOf(head), [...(heads.get(keyOf(head)) ?? []), queue]);
    }
    const whole = [...heads].find(([key, found]) => found.length === left.get(key)) ?? [...heads][0];
    if (whole === undefined) return statements;
    const [key, found] = whole;
    const items = found.flatMap((queue) => queue.pop() ?? []);
    left.set(key, (left.get(key) ?? 0) - items.length);
    const classes = items.flatMap(({ tclass, repeated }) => Array.from({ length: repeated }, () => tclass.name));
    const [first = '', second] = (items[0]?.rest ?? '').split('\n');
    const head = wrap(`${keyword} ${setText(classes)}${second === undefined ? '' : ` ${first}`}`);
    statements.push(`${head}\n${wrap(`(${second ?? first});`, '    ')}`);
  }
}

/** The statements of the MLS section, and those of the section after the users. */
export function constraintStatements(all: ConstraintNames): { mls: string[]; others: string[] } {
  const { policy } = all.names;
  const classes = policy.classes.entries.toSorted((a, b) => a.value - b.value);
  const build = (isWanted: (one: Constraint) => boolean): { mls: string[]; others: string[] } => {
    const mls: string[] = [];
    const others: string[] = [];
    for (const validates of [false, true]) {
      const queues = classes.map((tclass) => itemsOf(all, tclass, validates, isWanted));
      const word = validates ? 'validatetrans' : 'constrain';
      mls.push(
        ...joinClasses(
          queues.map((items) => items.filter(({ isMls }) => isMls)),
          `mls${word}`,
        ),
      );
      others.push(
        ...joinClasses(
          queues.map((items) => items.filter(({ isMls }) => !isMls)),
          word,
        ),
      );
    }
    return { mls, others };
  };
  if (!policy.isMls) return build(() => false);
  const found = build(({ expression }) => expression.some(isLevel));
  if (found.mls.length > 0) return found;
  const second = build(() => true);
  if (second.mls.length > 0) return second;
  // A policy with MLS must have a constraint of MLS. One that names no permission is left out by the compiler.
  const tclass = classes.find((one) => one.permissionCount > 0);
  const listed = tclass && permissionNames(all.names, tclass, fullMask(tclass));
  if (tclass === undefined || listed === undefined) return second;
  return { mls: [wrap(`mlsconstrain ${tclass.name} ~${setText(listed)} (l1 == l2);`)], others: second.others };
}
