/**
 * From what was found to what is told: one report for one fault.
 *
 * A name that nobody declares is one fault, wherever it is used; so is a module that is read twice. What is told stands in
 * the order of the text.
 * Start reading at `gatherNames`.
 *
 * @module
 */
import { type Diagnostic, type Note, placeText, type SourceText, userSpan } from '../text/index.ts';

/** How many places a note names. */
const NAMED = 3;

const OF_NAME = /^(?:te\/(?:unknown|undeclared)-|language\/unknown-macro|mls\/unknown-)/;

/** What is unknown, without where it was used; undefined for a report that is not of a name. */
function nameOf({ code, message }: Diagnostic): string | undefined {
  // An attribute that is not declared is unknown in rules too.
  const type = /^te\/(?:unknown-type|undeclared-attribute)$/.test(code) ? /`[^`]*`/.exec(message)?.[0] : undefined;
  if (type !== undefined) return `type ${type}`;
  return OF_NAME.test(code) ? `${code} ${message.replace(/ in `[^`]*`$/, '')}` : undefined;
}

/** The report of the first use of a name, with the places of the others. */
function joined(first: Diagnostic, others: readonly Diagnostic[]): Diagnostic {
  if (others.length === 0) return first;
  const places = others.flatMap(({ origin }) => (origin === undefined ? [] : [placeText(userSpan(origin))]));
  const left = places.length - NAMED;
  const named = `${places.slice(0, NAMED).join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
  const uses =
    others.length === 1 ? 'it is used at another place too' : `it is used at ${others.length} other places too`;
  const fixes = first.fixes.map(({ title, edits }) => {
    const alike = others.flatMap((one) => one.fixes.filter((fix) => fix.title === title));
    return { title, edits: [...edits, ...alike.flatMap((fix) => fix.edits)] };
  });
  return { ...first, fixes, notes: [...first.notes, { message: `${uses}: ${named}` }], alike: others };
}

/** Joins what is said of one name into the report of its first use. */
export function gatherNames(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const uses = new Map<string, Diagnostic[]>();
  for (const one of diagnostics) {
    const name = nameOf(one);
    if (name === undefined) continue;
    const known = uses.get(name);
    if (known === undefined) uses.set(name, [one]);
    else known.push(one);
  }
  return diagnostics.flatMap((one) => {
    const name = nameOf(one);
    if (name === undefined) return [one];
    const [first, ...others] = uses.get(name) ?? [];
    return first === one ? [joined(one, others)] : [];
  });
}

/** Of what is declared twice only because its file is read twice, keeps the first of each file. */
export function gatherRereads(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.flatMap((one) => {
    const [earlier] = one.notes;
    if (one.code !== 'te/duplicate' || one.origin === undefined || earlier?.origin === undefined) return [one];
    const [here, there] = [userSpan(one.origin), userSpan(earlier.origin)];
    if (here.source.name !== there.source.name || here.start !== there.start) return [one];
    if (seen.has(here.source.name)) return [];
    seen.add(here.source.name);
    const note: Note = { message: 'it is one place, read twice: `modules.conf` switches the module on twice' };
    return [{ ...one, notes: [note] }];
  });
}

/** In the order in which m4 reads the sources. What has no place comes first, and what is of m4: it may be the cause of others. */
export function inOrderOfText(diagnostics: readonly Diagnostic[], sources: readonly SourceText[]): Diagnostic[] {
  const ranks = new Map(sources.map((source, i) => [source.name, i + 1]));
  const rank = ({ code, origin }: Diagnostic): number =>
    origin === undefined || /^(?:m4|source)\//.test(code) ? 0 : (ranks.get(userSpan(origin).source.name) ?? 0);
  const start = ({ origin }: Diagnostic): number => (origin === undefined ? 0 : userSpan(origin).start);
  return [...diagnostics].sort((a, b) => rank(a) - rank(b) || start(a) - start(b));
}
