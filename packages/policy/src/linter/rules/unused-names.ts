/**
 * Names that are declared and that nothing uses. Of a binary only what it shows: booleans and roles.
 *
 * @module
 */
import {
  readList,
  readSet,
  type Statement,
  type SyntaxTree,
  type Token,
  TokenKind,
  wordOf,
} from '../../language/index.ts';
import { COND_BOOL, OBJECT_R } from '../../policydb/index.ts';
import type { Diagnostic } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import { type LintSubject, takeAway } from '../lint-subject.ts';

/** Which names a policy uses: those that stand in it elsewhere than where they are declared or handed out. */
class NameUses {
  readonly #tokens: SyntaxTree['tokens'];
  /** How often each word stands as a name, declarations taken off. */
  readonly #counts = new Map<string, number>();
  readonly #attributes: ReadonlySet<string>;
  /** The attributes of each type, and its other names. */
  readonly #given = new Map<string, string[]>();

  constructor({ tokens, statements }: SyntaxTree) {
    this.#tokens = tokens;
    const counts = new Uint32Array(tokens.wordTexts.length);
    for (let token = 0; token < tokens.count; token++) {
      const word = tokens.words[token] ?? 0;
      if (tokens.kinds[token] === TokenKind.identifier) counts[word] = (counts[word] ?? 0) + 1;
    }
    for (const [word, text] of tokens.wordTexts.entries())
      this.#counts.set(text, (this.#counts.get(text) ?? 0) + (counts[word] ?? 0));
    this.#attributes = new Set(
      statements.flatMap((one) => (one.kind === 'attribute' ? [wordOf(tokens, one.name)] : [])),
    );
    for (const statement of statements) this.#takeOff(statement);
  }

  /** Takes off what a statement says without using it. */
  #takeOff(statement: Statement): void {
    const tokens = this.#tokens;
    const take = (list: readonly Token[]): void => {
      for (const token of list) {
        const word = wordOf(tokens, token);
        this.#counts.set(word, (this.#counts.get(word) ?? 0) - 1);
      }
    };
    const give = (type: Token, names: readonly Token[]): void => {
      take([type, ...names]);
      const key = wordOf(tokens, type);
      this.#given.set(key, [...(this.#given.get(key) ?? []), ...names.map((name) => wordOf(tokens, name))]);
    };
    const membersOf = (set: Token | undefined): Token[] =>
      set === undefined ? [] : readSet(tokens, set).members.map(({ token }) => token);
    switch (statement.kind) {
      case 'attribute':
        take([statement.name]);
        break;
      case 'type': {
        const attributes = statement.attributes === undefined ? [] : readList(tokens, statement.attributes);
        give(statement.name, [...attributes, ...membersOf(statement.aliases)]);
        break;
      }
      case 'typealias':
        give(statement.name, membersOf(statement.aliases));
        break;
      case 'typeattribute':
        give(statement.name, readList(tokens, statement.others));
        break;
      case 'role-types':
        // That a role may have a type says nothing about the type; what it may have by an attribute uses the attribute.
        take(membersOf(statement.types).filter((token) => !this.#attributes.has(wordOf(tokens, token))));
        break;
      default:
        break;
    }
  }

  /** Whether anything uses a name. */
  has(name: string): boolean {
    return (this.#counts.get(name) ?? 0) > 0;
  }

  /** Whether anything says something about a type, by its name, another name, or an attribute. */
  hasType(name: string): boolean {
    return this.has(name) || (this.#given.get(name) ?? []).some((one) => this.has(one));
  }
}

/** Names without a use, in the order of their kinds. */
export function unusedNames(subject: LintSubject): Diagnostic[] {
  const { policy, tree } = subject;
  const found: Diagnostic[] = [];
  if (tree !== undefined) {
    const uses = new NameUses(tree);
    for (const { name, kind } of policy.types.entries) {
      if (kind === 'alias' || (kind === 'type' ? uses.hasType(name) : uses.has(name))) continue;
      const origin = subject.declarationOrigin(kind, name);
      // What a macro declares together with other things is no slip of the one who calls it.
      if (origin?.kind !== 'written') continue;
      found.push(lint[kind === 'type' ? 'unused-type' : 'unused-attribute'](origin, { name }));
    }
  }
  const asked = new Set(
    policy.conditionals.flatMap(({ expression }) =>
      expression.flatMap(({ operator, boolean }) => (operator === COND_BOOL ? [boolean] : [])),
    ),
  );
  for (const { name, value } of policy.booleans.entries) {
    if (asked.has(value)) continue;
    const origin = subject.declarationOrigin('boolean', name);
    found.push(lint['unused-boolean'](origin, { name }, { fixes: takeAway(origin, 'take it out') }));
  }
  for (const { name, value } of policy.roles.entries) {
    if (value === OBJECT_R || policy.users.entries.some(({ roles }) => roles.has(value - 1))) continue;
    const notes = [{ message: 'no label can have it, and no rule about it ever matters' }];
    found.push(lint['unused-role'](subject.declarationOrigin('role', name), { name }, { notes }));
  }
  return found;
}
