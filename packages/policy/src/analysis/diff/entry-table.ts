/**
 * The rules of one side of a comparison in shared numbers: columns, sorted, each key once.
 *
 * What kind of rule it is, for which class and on which page of permissions is one number, the group.
 * Start reading at `entryTable`.
 *
 * @module
 */
import {
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_AUDITDENY,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  type RuleTable,
} from '../../policydb/index.ts';
import { ALWAYS, NEVER } from './conditions.ts';
import { PAGES, pageBits, type SharedNames, type SideNames } from './shared-names.ts';

/** Kinds of rules in an access vector table; the first ones give permissions, the others a type. */
const ENTRY_KINDS = ['allow', 'auditallow', 'dontaudit', 'type_transition', 'type_member', 'type_change'] as const;

/** A kind of rule. */
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** How many of the kinds give permissions. */
const PERMISSION_KINDS = 3;

const KIND_NUMBERS: Readonly<Record<number, number>> = {
  [AVTAB_ALLOWED]: 0,
  [AVTAB_AUDITALLOW]: 1,
  [AVTAB_AUDITDENY]: 2,
  [AVTAB_TRANSITION]: 3,
  [AVTAB_MEMBER]: 4,
  [AVTAB_CHANGE]: 5,
};

/** The parts of a group's number. */
export interface EntryGroup {
  readonly kind: EntryKind;
  readonly tclass: number;
  readonly page: number;
}

/** The parts of a group's number, of so many classes. */
export function groupParts(classes: number, group: number): EntryGroup {
  const kindAndClass = Math.floor(group / PAGES);
  return {
    kind: ENTRY_KINDS[Math.floor(kindAndClass / classes)] ?? 'allow',
    tclass: kindAndClass % classes,
    page: group % PAGES,
  };
}

/** Whether the entries of a group give permissions. */
export function isPermissionGroup(classes: number, group: number): boolean {
  return group < PERMISSION_KINDS * classes * PAGES;
}

/** Entries by source, group, condition and target; `data` is permissions of the group's page, or a shared type. */
export interface EntryTable {
  readonly count: number;
  readonly source: Uint32Array;
  readonly group: Uint32Array;
  readonly condition: Uint32Array;
  readonly target: Uint32Array;
  readonly data: Uint32Array;
  /** Where the entries of each source begin; one more than there are types. */
  readonly starts: Uint32Array;
}

/** Columns that grow. */
class Columns {
  count = 0;
  source = new Uint32Array(1024);
  group = new Uint32Array(1024);
  condition = new Uint32Array(1024);
  target = new Uint32Array(1024);
  data = new Uint32Array(1024);

  push(source: number, group: number, condition: number, target: number, data: number): void {
    if (this.count === this.source.length) {
      const wider = (column: Uint32Array): Uint32Array<ArrayBuffer> => {
        const grown = new Uint32Array(column.length * 2);
        grown.set(column);
        return grown;
      };
      this.source = wider(this.source);
      this.group = wider(this.group);
      this.condition = wider(this.condition);
      this.target = wider(this.target);
      this.data = wider(this.data);
    }
    const at = this.count++;
    this.source[at] = source;
    this.group[at] = group;
    this.condition[at] = condition;
    this.target[at] = target;
    this.data[at] = data;
  }
}

function addRules(columns: Columns, side: SideNames, rules: RuleTable, condition: number, classes: number): void {
  const { typeOf, classOf } = side;
  for (let row = 0; row < rules.length; row++) {
    const kind = KIND_NUMBERS[rules.kind[row] ?? 0];
    if (kind === undefined) continue;
    const source = typeOf[rules.source[row] ?? 0] ?? 0;
    const target = typeOf[rules.target[row] ?? 0] ?? 0;
    const tclass = rules.tclass[row] ?? 0;
    const data = rules.data[row] ?? 0;
    const group = (kind * classes + (classOf[tclass] ?? 0)) * PAGES;
    if (kind >= PERMISSION_KINDS) {
      columns.push(source, group, condition, target, typeOf[data] ?? 0);
      continue;
    }
    // A `dontaudit` is kept as what is still audited.
    const bits = kind === KIND_NUMBERS[AVTAB_AUDITDENY] ? ~data >>> 0 : data;
    for (let page = 0; page < PAGES; page++) {
      const own = pageBits(side, tclass, bits, page);
      if (own !== 0) columns.push(source, group + page, condition, target, own);
    }
  }
}

/** The order of rows by a column, equal ones as they were. */
function orderBy(order: Uint32Array, column: Uint32Array, limit: number): Uint32Array {
  const places = new Uint32Array(limit + 1);
  for (let i = 0; i < order.length; i++) {
    const at = (column[order[i] ?? 0] ?? 0) + 1;
    places[at] = (places[at] ?? 0) + 1;
  }
  for (let i = 1; i <= limit; i++) places[i] = (places[i] ?? 0) + (places[i - 1] ?? 0);
  const sorted = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) {
    const row = order[i] ?? 0;
    const key = column[row] ?? 0;
    const at = places[key] ?? 0;
    sorted[at] = row;
    places[key] = at + 1;
  }
  return sorted;
}

/** Sorts, and makes one of the entries of one key: permissions add up, of types the first one counts, as in Xen. */
function sortEntries(columns: Columns, shared: SharedNames): EntryTable {
  const types = shared.types.length;
  const classes = shared.classes.length;
  let order: Uint32Array = Uint32Array.from({ length: columns.count }, (_, i) => i);
  order = orderBy(order, columns.target, types);
  order = orderBy(order, columns.condition, shared.conditions.count);
  order = orderBy(order, columns.group, ENTRY_KINDS.length * classes * PAGES);
  order = orderBy(order, columns.source, types);
  const source = new Uint32Array(columns.count);
  const group = new Uint32Array(columns.count);
  const condition = new Uint32Array(columns.count);
  const target = new Uint32Array(columns.count);
  const data = new Uint32Array(columns.count);
  let count = 0;
  for (let i = 0; i < order.length; i++) {
    const row = order[i] ?? 0;
    const s = columns.source[row] ?? 0;
    const g = columns.group[row] ?? 0;
    const c = columns.condition[row] ?? 0;
    const t = columns.target[row] ?? 0;
    const d = columns.data[row] ?? 0;
    const last = count - 1;
    if (count > 0 && source[last] === s && group[last] === g && condition[last] === c && target[last] === t) {
      if (isPermissionGroup(classes, g)) data[last] = ((data[last] ?? 0) | d) >>> 0;
      continue;
    }
    source[count] = s;
    group[count] = g;
    condition[count] = c;
    target[count] = t;
    data[count++] = d;
  }
  const starts = new Uint32Array(types + 1);
  for (let i = 0; i < count; i++) {
    const at = (source[i] ?? 0) + 1;
    starts[at] = (starts[at] ?? 0) + 1;
  }
  for (let i = 1; i <= types; i++) starts[i] = (starts[i] ?? 0) + (starts[i - 1] ?? 0);
  return { count, source, group, condition, target, data, starts };
}

/** The entries of one side, those of conditional blocks under the condition of their branch. */
export function entryTable(shared: SharedNames, side: SideNames): EntryTable {
  const columns = new Columns();
  const { policy, branches } = side;
  const classes = shared.classes.length;
  addRules(columns, side, policy.rules, ALWAYS, classes);
  policy.conditionals.forEach(({ whenTrue, whenFalse }, i) => {
    const { whenTrue: held = NEVER, whenFalse: other = NEVER } = branches[i] ?? {};
    if (held !== NEVER) addRules(columns, side, whenTrue, held, classes);
    if (other !== NEVER) addRules(columns, side, whenFalse, other, classes);
  });
  return sortEntries(columns, shared);
}

/** Where the entries of one source in a group of at least `group` begin. */
export function lowerBound({ group: groups, starts }: EntryTable, source: number, group: number): number {
  let low = starts[source] ?? 0;
  let high = starts[source + 1] ?? 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((groups[middle] ?? 0) < group) low = middle + 1;
    else high = middle;
  }
  return low;
}
