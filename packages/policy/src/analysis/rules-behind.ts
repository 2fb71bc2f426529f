/**
 * The rules behind decisions.
 *
 * @module
 */
import { AVTAB_ALLOWED, type PolicyDb, type RuleTable } from '../policydb/index.ts';
import { RuleNames } from './rule-lines.ts';
import { type FoundRule, searchNamed } from './search-rules.ts';

/** Finds the `allow` rules of a policy behind one decision after the other. */
export class RulesBehind {
  readonly #policy: PolicyDb;
  readonly #names: RuleNames;
  /** The policy with no other rules than the `allow` rules about one class, by its name: a small part of them. */
  readonly #parts = new Map<string, PolicyDb>();

  /** @param policy a compiled one, whose rules know their statements, or one that was read */
  constructor(policy: PolicyDb) {
    this.#policy = policy;
    this.#names = new RuleNames(policy);
  }

  /**
   * The `allow` rules that give a type some permissions on another type, sorted by text: those outside conditional blocks
   * first, and of several with the same permissions all.
   */
  find(source: string, target: string, className: string, permissions: readonly string[]): FoundRule[] {
    const { rules } = searchNamed(this.#about(className), this.#names, {
      kinds: ['allow'],
      source: { text: source },
      target: { text: target },
      classes: [{ text: className }],
      permissions,
    });
    return rules.toSorted((a, b) => Number(a.condition !== undefined) - Number(b.condition !== undefined));
  }

  #about(className: string): PolicyDb {
    let part = this.#parts.get(className);
    if (part === undefined) {
      const tclass = this.#policy.classes.byName.get(className)?.value;
      const reduced = (table: RuleTable): RuleTable =>
        table.vectors().filter((kind, _source, _target, own) => kind === AVTAB_ALLOWED && own === tclass);
      const { rules, conditionals } = this.#policy;
      part = {
        ...this.#policy,
        rules: reduced(rules),
        conditionals: conditionals.map((one) => ({
          ...one,
          whenTrue: reduced(one.whenTrue),
          whenFalse: reduced(one.whenFalse),
        })),
      };
      this.#parts.set(className, part);
    }
    return part;
  }
}
