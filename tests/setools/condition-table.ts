/**
 * Conditions as tables of their values, for tests that hold one text of a condition against another.
 *
 * @module
 */

/** A condition as a function: its booleans, and its value for each setting of them. */
export interface ConditionTable {
  readonly names: readonly string[];
  readonly rows: string;
}

/** The table of a condition over these booleans. */
export function tableOf(
  names: readonly string[],
  valueIn: (isTrue: (name: string) => boolean) => boolean,
): ConditionTable {
  const rows = Array.from({ length: 1 << names.length }, (_, row) =>
    valueIn((name) => ((row >>> names.indexOf(name)) & 1) === 1) ? '1' : '0',
  );
  return { names, rows: rows.join('') };
}

/** The value of an operator of two sides; of `^` that of `!=`. */
export function joinValues(operator: string, a: boolean, b: boolean): boolean {
  if (operator === '||') return a || b;
  if (operator === '&&') return a && b;
  return operator === '==' ? a === b : a !== b;
}

/** How the operators of policy text stand to each other, from loose to tight. */
const LEVELS: readonly (readonly string[])[] = [['||'], ['^'], ['&&'], ['==', '!=']];

/** A condition in policy text as a function; `!` binds looser than `==`. */
export function readText(text: string): ConditionTable {
  const tokens = text.match(/\|\||&&|==|!=|[!^()]|[^\s()!^&|=]+/g) ?? [];
  const names = [...new Set(tokens.filter((token) => /^[\w.-]/.test(token)))].sort();
  return tableOf(names, (isTrue) => {
    let at = 0;
    const level = (depth: number): boolean => {
      if (depth === 3 && tokens[at] === '!') {
        at++;
        return !level(3);
      }
      const operators = LEVELS[depth];
      if (operators === undefined) {
        const token = tokens[at++] ?? '';
        if (token !== '(') return token === '!' ? !level(3) : isTrue(token);
        const inner = level(0);
        at++;
        return inner;
      }
      let value = level(depth + 1);
      while (operators.includes(tokens[at] ?? '')) {
        const operator = tokens[at++] ?? '';
        value = joinValues(operator, value, level(depth + 1));
      }
      return value;
    };
    return level(0);
  });
}
