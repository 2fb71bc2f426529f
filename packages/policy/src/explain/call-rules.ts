/**
 * What the text of a macro call says: its `allow` rules by name, and whatever else is in it.
 *
 * @module
 */
import { type NameSet, parsePolicy, readSet, type Tokens, wordOf } from '../language/index.ts';
import { SourceText, writtenText } from '../text/index.ts';

/** A set of names as written. */
export interface NameGroup {
  /** `*` or `~`: more than the names say. */
  readonly isOpen: boolean;
  readonly names: readonly string[];
  readonly excluded: readonly string[];
}

/** An `allow` rule as written. */
export interface TextRule {
  readonly source: NameGroup;
  readonly target: NameGroup;
  readonly classes: NameGroup;
  readonly permissions: NameGroup;
}

/** What a text says. */
export interface TextRules {
  readonly rules: readonly TextRule[];
  /** Types and attributes that it declares. */
  readonly declared: readonly string[];
  /** It could be read as a whole, and has nothing but rules and declarations of types. */
  readonly isPlain: boolean;
}

function groupOf(tokens: Tokens, set: NameSet): NameGroup {
  const { isStar, isComplement, members } = readSet(tokens, set);
  const names: string[] = [];
  const excluded: string[] = [];
  for (const { token, isExcluded } of members) (isExcluded ? excluded : names).push(wordOf(tokens, token));
  return { isOpen: isStar || isComplement, names, excluded };
}

/** Reads the text of a call. */
export function readCallRules(text: string): TextRules {
  let isPlain = true;
  const tree = parsePolicy(writtenText(new SourceText('call', text)), ({ code }) => {
    // A fragment has none of the sections of a policy.
    if (code !== 'language/missing-section') isPlain = false;
  });
  const rules: TextRule[] = [];
  const declared: string[] = [];
  const { tokens } = tree;
  for (const statement of tree.statements) {
    if (statement.kind === 'av-rule') {
      if (statement.rule !== 'allow') continue;
      rules.push({
        source: groupOf(tokens, statement.source),
        target: groupOf(tokens, statement.target),
        classes: groupOf(tokens, statement.classes),
        permissions: groupOf(tokens, statement.permissions),
      });
    } else if (statement.kind === 'type' || statement.kind === 'attribute') {
      declared.push(wordOf(tokens, statement.name));
    } else if (statement.kind !== 'empty' && statement.kind !== 'type-rule') isPlain = false;
  }
  return { rules, declared, isPlain: isPlain && tree.skippedNames.length === 0 };
}
