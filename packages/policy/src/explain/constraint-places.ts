/**
 * Where the constraints of a class were written.
 *
 * A policydb keeps no place of a constraint, so the statements are found again in the text, one for each node of the class.
 *
 * @module
 */
import type { Origin } from '../text/index.ts';
import type { Subject } from './subject.ts';

/** A `constrain` statement: where it begins, and the classes that it names. */
interface Found {
  readonly start: number;
  readonly length: number;
  readonly classes: string;
}

/** The statements of a text that begin a line or follow a statement. Comments have none. */
function statementsIn(text: string): Found[] {
  const found: Found[] = [];
  const word = /\b(?:mls)?constrain\b/g;
  for (let match = word.exec(text); match !== null; match = word.exec(text)) {
    const line = text.slice(text.lastIndexOf('\n', match.index) + 1, match.index);
    if (line.includes('#') || (line.trim() !== '' && !/[;)}]\s*$/.test(line))) continue;
    const rest = text.slice(word.lastIndex, word.lastIndex + 4096).replaceAll(/#[^\n]*/g, ' ');
    const classes = /^\s*(\{[^}]*\}|[\w.-]+)/.exec(rest)?.[1];
    if (classes !== undefined) found.push({ start: match.index, length: match[0].length, classes });
  }
  return found;
}

/** The places of one policy's constraints. */
export class ConstraintPlaces {
  readonly #subject: Subject;
  #found: readonly Found[] | undefined;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /**
   * The place of each constraint of a class, in the order of its nodes. Empty for a binary, and where the statements found
   * are not as many as the nodes: then no place can be told for certain.
   */
  of(className: string): readonly Origin[] {
    const { source } = this.#subject;
    if (source === undefined) return [];
    const { origins } = source.compiled.text;
    return this.#statementsOf(className).map(({ start, length }) => origins.originAt(start, start + length));
  }

  /** Where they begin in the text after m4; else as `of`. */
  startsOf(className: string): readonly number[] {
    return this.#statementsOf(className).map(({ start }) => start);
  }

  #statementsOf(className: string): readonly Found[] {
    const { view, source } = this.#subject;
    if (source === undefined) return [];
    this.#found ??= statementsIn(source.compiled.text.text);
    const named = this.#found.flatMap((one) => {
      const times = one.classes.match(/[\w.-]+/g)?.filter((name) => name === className).length ?? 0;
      return Array.from({ length: times }, () => one);
    });
    const nodes = view.policy.classes.byName.get(className)?.constraints.length ?? 0;
    // XEN: checkpolicy puts each new node before those that the class has.
    return named.length === nodes ? named.toReversed() : [];
  }
}
