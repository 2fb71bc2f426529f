/**
 * Expressions of conditional blocks and of constraints.
 *
 * @module
 */
import type { SetWriter } from './sets.ts';

const BINARY = ['&&', '||', '^', '==', '!=', 'and', 'or', 'xor', 'eq', 'AND', 'OR'];

/** A condition over some of `names`. */
export function condition(sets: SetWriter, names: readonly string[], depth = 0): string {
  const { choices } = sets;
  if (depth > 3 || choices.chance(40)) return sets.slip(choices.pickOr(names, 'nothing'));
  const below = (): string => condition(sets, names, depth + 1);
  if (choices.chance(30)) {
    const nots = choices.pick(['!', '! ', 'not ', '!!', '!!!', '! ! ! !', '!!!!!']);
    return choices.chance(50) ? `${nots}(${below()})` : `${nots}${below()}`;
  }
  const text = `${below()} ${choices.pick(BINARY)} ${below()}`;
  return choices.chance(60) ? `(${text})` : text;
}

/** What a constraint may say where it stands. */
interface ConstraintPlace {
  /** Users are declared after the MLS section, so that nothing there can name them. */
  readonly hasUsers: boolean;
  readonly validatesTransition: boolean;
}

const EQUAL = ['==', '!=', 'eq'];
const ORDER = ['==', '!=', 'eq', 'dom', 'domby', 'incomp'];
const LEVELS = ['l1 l2', 'l1 h2', 'h1 l2', 'h1 h2', 'l1 h1', 'l2 h2'];

function term(sets: SetWriter, place: ConstraintPlace): string {
  const { choices, names } = sets;
  const side = choices.pick(place.validatesTransition ? ['1', '2', '3'] : ['1', '2']);
  switch (choices.below(9)) {
    case 0:
      return choices.pick(['sameuser', 'u1 == u2', 'u1 != u2', 't1 eq t2', 't1 != t2']);
    case 1:
      return choices.chance(70) ? `r1 ${choices.pick(ORDER)} r2` : `role ${choices.pick(ORDER)}`;
    case 2: {
      const [low = '', high = ''] = choices.pick(LEVELS).split(' ');
      return `${low} ${choices.pick(ORDER)} ${high}`;
    }
    case 3:
      if (place.hasUsers || choices.chance(sets.sloppiness))
        return `u${side} ${choices.pick(EQUAL)} ${sets.some(names.users)}`;
      return 'sameuser';
    case 4:
    case 5:
      return `r${side} ${choices.pick(EQUAL)} ${sets.rolesOrAttributes()}`;
    case 6:
      return choices.chance(50)
        ? `${choices.pick(['source', 'target'])} role ${sets.rolesOrAttributes()}`
        : `${choices.pick(['source', 'target'])} type ${sets.typeOrAttribute()}`;
    default: {
      const some = Array.from({ length: choices.between(1, 4) }, () => sets.typeOrAttribute());
      return `t${side} ${choices.pick(EQUAL)} ${some.length === 1 ? (some[0] ?? '') : `{ ${some.join(' ')} }`}`;
    }
  }
}

/** The expression of a constraint. */
export function constraintExpression(sets: SetWriter, place: ConstraintPlace, depth = 0): string {
  const { choices } = sets;
  if (depth > 2 || choices.chance(40)) return term(sets, place);
  const below = (): string => constraintExpression(sets, place, depth + 1);
  if (choices.chance(25)) return choices.chance(50) ? `not (${below()})` : `! ${below()}`;
  const text = `${below()} ${choices.pick(['and', 'or', '&&', '||'])} ${below()}`;
  return choices.chance(60) ? `(${text})` : text;
}
