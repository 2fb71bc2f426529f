/**
 * One finding for each cause: what a macro lacks is lacking wherever the macro is called.
 *
 * @module
 */
import { type Diagnostic, type Origin, placeText, userSpan } from '../text/index.ts';

/** Codes whose findings are each about what stands at one place, and not about the macro that it came from. */
const EACH_BY_ITSELF: readonly string[] = ['lint/repeated-rule'];

/** Other places that are named in the text of a finding. */
const NAMED = 3;

/** The calls that a place came through, outermost first: names, and the place in the innermost macro. */
function wayOf(origin: Origin): string {
  const names: string[] = [];
  for (let at = origin; at.kind === 'expanded'; at = at.call) names.unshift(at.macro);
  return `${names.join(' ')} ${origin.span.source.name}:${origin.span.start}`;
}

function causeOf({ code, origin }: Diagnostic): string | undefined {
  if (origin === undefined || EACH_BY_ITSELF.includes(code)) return undefined;
  return `${code} ${wayOf(origin)}`;
}

/** The call that a person wrote; undefined for what came from no macro. */
function outermostMacro(origin: Origin | undefined): string | undefined {
  let macro: string | undefined;
  for (let at = origin; at?.kind === 'expanded'; at = at.call) macro = at.macro;
  return macro;
}

/** What else a call, or a place outside of macros, has the same fault about. */
function hereToo(others: readonly Diagnostic[]): { readonly message: string } {
  const messages = others.slice(0, NAMED).map(({ message }) => message);
  const left = others.length - messages.length;
  return { message: `here too: ${messages.join('; ')}${left > 0 ? `; and ${left} more` : ''}` };
}

function joined(first: Diagnostic, others: readonly Diagnostic[]): Diagnostic {
  const placeOf = ({ origin }: Diagnostic): string => (origin === undefined ? '' : placeText(userSpan(origin)));
  const macro = outermostMacro(first.origin);
  const here = macro === undefined ? others : others.filter((one) => placeOf(one) === placeOf(first));
  const notes = [...first.notes, ...(here.length === 0 ? [] : [hereToo(here)])];
  if (macro === undefined) return { ...first, notes, alike: others };
  const calls = [...new Set(others.map(placeOf))].filter((place) => place !== placeOf(first));
  if (calls.length > 0) {
    const left = calls.length - NAMED;
    const named = `${calls.slice(0, NAMED).join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
    const who =
      calls.length === 1 ? `another call of \`${macro}\` has` : `${calls.length} other calls of \`${macro}\` have`;
    notes.push({ message: `${who} the same fault: ${named}` });
  }
  notes.push({ message: `a change of \`${macro}\`, or of what it calls, would end all of them` });
  return { ...first, notes, alike: others };
}

/** The findings, those with one cause as one, at the place of the first. */
export function gatherFindings(found: readonly Diagnostic[]): Diagnostic[] {
  const groups = new Map<string, Diagnostic[]>();
  for (const [i, one] of found.entries()) {
    const key = causeOf(one) ?? `alone ${i}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [one]);
    else known.push(one);
  }
  const startOf = ({ origin }: Diagnostic): number => (origin === undefined ? 0 : userSpan(origin).start);
  const nameOf = ({ origin }: Diagnostic): string => (origin === undefined ? '' : userSpan(origin).source.name);
  const byPlace = (a: Diagnostic, b: Diagnostic): number =>
    nameOf(a) === nameOf(b) ? startOf(a) - startOf(b) : nameOf(a) < nameOf(b) ? -1 : 1;
  return [...groups.values()].flatMap((group) => {
    const [first, ...others] = group.sort(byPlace);
    if (first === undefined) return [];
    return [others.length === 0 ? first : joined(first, others)];
  });
}
