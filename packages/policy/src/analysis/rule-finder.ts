/**
 * From what the rules of a compiled policy give back to the statements that give it.
 *
 * Start reading at `RuleFinder`.
 *
 * @module
 */
import {
  AVRULE_DONTAUDIT,
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  type PolicyDb,
  permissionNames,
  type RuleTable,
} from '../policydb/index.ts';
import { hasTarget, type RuleBlock } from './giving-rules.ts';

/** Kinds of rules that stand behind a decision or a new type. */
export type FinderKind = 'allow' | 'auditallow' | 'dontaudit' | 'type_transition' | 'type_member' | 'type_change';

const KINDS: Readonly<Record<number, FinderKind>> = {
  [AVTAB_ALLOWED]: 'allow',
  [AVTAB_AUDITALLOW]: 'auditallow',
  [AVRULE_DONTAUDIT]: 'dontaudit',
  [AVTAB_TRANSITION]: 'type_transition',
  [AVTAB_MEMBER]: 'type_member',
  [AVTAB_CHANGE]: 'type_change',
};

/** A rule of a compiled policy as it was written: one class of one statement. */
export interface WrittenRule {
  readonly kind: FinderKind;
  /** As the `statement` column of the rule table has it. */
  readonly statement: number;
  readonly class: string;
  /** Those that the rule names; none for a rule that gives a type. */
  readonly permissions: readonly string[];
  /** Undefined outside of conditional blocks. */
  readonly block: RuleBlock | undefined;
}

/** A question about two types. */
export interface RuleQuestion {
  readonly kind: FinderKind;
  readonly source: string;
  readonly target: string;
  readonly class: string;
  /** A rule is meant that names one of them; all rules where undefined. */
  readonly permissions?: readonly string[] | undefined;
}

interface Row {
  /** Its place in the order of the tables. */
  readonly order: number;
  readonly rules: RuleTable;
  readonly row: number;
  readonly written: WrittenRule;
}

/** The rules of a compiled policy, to be asked which of them stand behind something. */
export class RuleFinder {
  readonly #policy: PolicyDb;
  readonly #rows: Row[] = [];
  /** Rows by kind, class and source set. */
  readonly #bySource = new Map<string, Row[]>();
  /** The source sets of rows that have a type in them; made when it is first needed. */
  #setsWith: Map<number, number[]> | undefined;
  readonly #answers = new Map<string, readonly WrittenRule[]>();

  /** @param policy as the compiler made it; of a policy that was read, entries stand for statements */
  constructor(policy: PolicyDb) {
    this.#policy = policy;
    this.#add(policy.rules, undefined);
    policy.conditionals.forEach(({ whenTrue, whenFalse }, conditional) => {
      this.#add(whenTrue, { conditional, branch: true });
      this.#add(whenFalse, { conditional, branch: false });
    });
  }

  /** All rules, each class of a statement by itself, in the order of the tables. */
  all(): WrittenRule[] {
    return this.#rows.map(({ written }) => written);
  }

  #add(rules: RuleTable, block: WrittenRule['block']): void {
    const symbols = new Map(this.#policy.classes.entries.map((symbol) => [symbol.value, symbol]));
    for (let row = 0; row < rules.length; row++) {
      const kind = KINDS[rules.kind[row] ?? 0];
      const symbol = symbols.get(rules.tclass[row] ?? 0);
      if (kind === undefined || symbol === undefined) continue;
      const data = rules.data[row] ?? 0;
      const permissions = kind.startsWith('type') ? [] : permissionNames(this.#policy, symbol, data);
      const statement = rules.statement[row] ?? 0;
      const written: WrittenRule = { kind, statement, class: symbol.name, permissions, block };
      const found: Row = { order: this.#rows.length, rules, row, written };
      this.#rows.push(found);
      const key = `${kind} ${symbol.name} ${rules.source[row] ?? 0}`;
      const list = this.#bySource.get(key);
      if (list === undefined) this.#bySource.set(key, [found]);
      else list.push(found);
    }
  }

  /** The rules behind an answer, in the order of the tables; none where the policy lacks a name. */
  find({ kind, source, target, class: tclass, permissions }: RuleQuestion): readonly WrittenRule[] {
    const key = `${kind} ${tclass} ${source} ${target} ${permissions?.join() ?? '*'}`;
    let found = this.#answers.get(key);
    if (found === undefined) {
      const { byName } = this.#policy.types;
      const [from, to] = [byName.get(source)?.value, byName.get(target)?.value];
      found = from === undefined || to === undefined ? [] : this.#search(`${kind} ${tclass}`, from, to, permissions);
      this.#answers.set(key, found);
    }
    return found;
  }

  #search(key: string, source: number, target: number, permissions: readonly string[] | undefined): WrittenRule[] {
    const found: Row[] = [];
    for (const set of this.#sourceSets(source)) {
      for (const one of this.#bySource.get(`${key} ${set}`) ?? []) {
        const { rules, row, written } = one;
        if (permissions !== undefined && !permissions.some((name) => written.permissions.includes(name))) continue;
        if (hasTarget(this.#policy, rules, row, source, target)) found.push(one);
      }
    }
    return found.sort((a, b) => a.order - b.order).map(({ written }) => written);
  }

  #sourceSets(type: number): readonly number[] {
    if (this.#setsWith === undefined) {
      this.#setsWith = new Map();
      for (const set of new Set(this.#rows.map(({ rules, row }) => rules.source[row] ?? 0))) {
        for (const member of this.#policy.typeSets.members(set)) {
          const known = this.#setsWith.get(member);
          if (known === undefined) this.#setsWith.set(member, [set]);
          else known.push(set);
        }
      }
    }
    return this.#setsWith.get(type) ?? [];
  }
}
