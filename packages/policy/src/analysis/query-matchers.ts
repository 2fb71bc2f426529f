/**
 * What a question means in a certain policy: names become sets of numbers, patterns become regular expressions.
 *
 * A rule's type or attribute answers to a name "indirectly" where the two share a type, as with `sesearch`.
 *
 * @module
 */
import type { PolicyDb } from '../policydb/index.ts';
import { nearestName, type Report } from '../text/index.ts';
import { search } from './diagnostics.ts';
import type { RuleNames } from './rule-lines.ts';

/** A name to look for. */
export interface NamePattern {
  readonly text: string;
  /** `text` is a regular expression, and matches anywhere in a name. */
  readonly isRegex?: boolean;
  /** The name itself is meant: an attribute does not stand for its types, nor a type for its attributes. */
  readonly isDirect?: boolean;
}

/** Whether a number is meant. */
export type Matcher = (value: number) => boolean;

const EVERY: Matcher = () => true;
const NONE: Matcher = () => false;

/** The pattern's test of a name; undefined, after a report, where it is no regular expression. */
export function nameTest({ text, isRegex }: NamePattern, report: Report): ((name: string) => boolean) | undefined {
  if (isRegex !== true) return (name) => name === text;
  try {
    const pattern = new RegExp(text);
    return (name) => pattern.test(name);
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(': ').at(-1) ?? '').toLowerCase() : 'malformed';
    report(search['bad-pattern'](undefined, { pattern: text, why }));
    return undefined;
  }
}

/** Reports a name that the policy does not have. */
export function reportUnknown(report: Report, what: string, name: string, candidates: Iterable<string>): void {
  const near = nearestName(name, candidates);
  const fixes = near === undefined ? [] : [{ title: `did you mean \`${near}\`?`, edits: [] }];
  const notes = near === undefined ? [] : [{ message: `did you mean \`${near}\`?` }];
  report(search['unknown-name'](undefined, { what, name }, { fixes, notes }));
}

/** Types of a policy as questions see them. */
export class TypeMatchers {
  readonly #policy: PolicyDb;
  readonly #names: RuleNames;
  readonly #report: Report;

  constructor(policy: PolicyDb, names: RuleNames, report: Report) {
    this.#policy = policy;
    this.#names = names;
    this.#report = report;
  }

  /** Matches types and attributes. Without `mustExist`, a name that is no type matches nothing, in silence. */
  types(pattern: NamePattern | undefined, mustExist: boolean): Matcher {
    if (pattern === undefined) return EVERY;
    const { types, typeSets } = this.#policy;
    const test = nameTest(pattern, this.#report);
    if (test === undefined) return NONE;
    const matched = new Set<number>();
    if (pattern.isRegex === true) {
      for (const [value, name] of this.#names.types) if (test(name)) matched.add(value);
    } else {
      const found = types.byName.get(pattern.text);
      if (found === undefined) {
        if (mustExist) reportUnknown(this.#report, 'type or attribute', pattern.text, types.byName.keys());
        return NONE;
      }
      matched.add(found.value);
    }
    if (pattern.isDirect === true) return (value) => matched.has(value);
    // A regular expression asks the names of types; a name, written out, stands for its types.
    const wanted = new Set<number>();
    for (const value of matched) {
      if (!this.#names.isAttribute(value)) wanted.add(value);
      else if (pattern.isRegex !== true) for (const member of typeSets.members(value)) wanted.add(member);
    }
    const isWanted = (value: number): boolean =>
      this.#names.isAttribute(value) ? typeSets.members(value).some((one) => wanted.has(one)) : wanted.has(value);
    // A large policy is gone through, and names the same types again and again: 0 unknown, 1 not wanted, 2 wanted.
    const answers = new Uint8Array(types.primaryCount + 1);
    return (value) => {
      if (answers[value] === 0) answers[value] = isWanted(value) ? 2 : 1;
      return answers[value] === 2;
    };
  }

  roles(pattern: NamePattern | undefined): Matcher {
    if (pattern === undefined) return EVERY;
    const test = nameTest(pattern, () => undefined);
    const matched = new Set(
      this.#policy.roles.entries.filter(({ name }) => test?.(name) === true).map(({ value }) => value),
    );
    return (value) => matched.has(value);
  }

  classes(patterns: readonly NamePattern[] | undefined): Matcher {
    if (patterns === undefined) return EVERY;
    const { classes } = this.#policy;
    const matched = new Set<number>();
    for (const pattern of patterns) {
      const test = nameTest(pattern, this.#report);
      if (pattern.isRegex !== true && !classes.byName.has(pattern.text))
        reportUnknown(this.#report, 'class', pattern.text, classes.byName.keys());
      for (const { name, value } of classes.entries) if (test?.(name) === true) matched.add(value);
    }
    return (value) => matched.has(value);
  }
}
