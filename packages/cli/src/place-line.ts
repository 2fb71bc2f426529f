/**
 * How a place is said in one line.
 *
 * @module
 */
import { type Origin, placeText, userSpan } from '@dewar/policy/text';

/** Where a person wrote it, and the macros that it came through. */
export function placeLine(origin: Origin): string {
  const macros: string[] = [];
  for (let at = origin; at.kind === 'expanded'; at = at.call) macros.push(`\`${at.macro}\``);
  const through = macros.length === 0 ? '' : `, through ${macros.toReversed().join(', ')}`;
  return `${placeText(userSpan(origin))}${through}`;
}
