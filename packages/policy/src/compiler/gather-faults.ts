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
  // What stands in the body of a macro is changed there, not where the macro is called.
  const placeOf = ({ origin }: Diagnostic): string[] => (origin === undefined ? [] : [placeText(origin.span)]);
  const here = new Set(placeOf(first));
  const places = [...new Set(others.flatMap(placeOf))].filter((place) => !here.has(place));
  const left = places.length - NAMED;
  const named = `${places.slice(0, NAMED).join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
  const uses =
    places.length === 1 ? 'it is used at another place too' : `it is used at ${places.length} other places too`;
  const fixes = first.fixes.map(({ title, edits }) => {
    const alike = others.flatMap((one) => one.fixes.filter((fix) => fix.title === title));
    return { title, edits: [...edits, ...alike.flatMap((fix) => fix.edits)] };
  });
  const notes = places.length === 0 ? first.notes : [...first.notes, { message: `${uses}: ${named}` }];
  return { ...first, fixes, notes, alike: others };
}

/** What is said of a fault that several calls of a macro come to. */
export function otherCalls(count: number): Note {
  return { message: `${count === 1 ? 'another call comes' : `${count} other calls come`} to the same` };
}

/** How many other calls a report speaks of. */
function callsIn({ notes }: Diagnostic): number {
  for (const { message } of notes) {
    const [, some] = /^(another|\d+) .*\bto the same$/.exec(message) ?? [];
    if (some !== undefined) return some === 'another' ? 1 : Number(some);
  }
  return 0;
}

/** Arguments that fit wherever a body puts them: each is one plain name. */
const PLAIN_ARGUMENTS = /^\(\s*\w+\s*(?:,\s*\w+\s*)*\)/;

/** How much of a call is looked at. */
const LONGEST_CALL = 500;

/**
 * The place in the body of a macro where the form of a policy is broken whatever is passed, with what is said there;
 * undefined for any other report. What follows on the macro may be another thing behind each call.
 */
function bodyFault({ code, message, origin }: Diagnostic): string | undefined {
  if (!code.startsWith('language/') || OF_NAME.test(code) || origin?.kind !== 'expanded') return undefined;
  const call = userSpan(origin);
  if (!PLAIN_ARGUMENTS.test(call.source.text.slice(call.end, call.end + LONGEST_CALL))) return undefined;
  const said = / after `/.test(message) ? message.replace(/, found `[^`]*`$/, '') : message;
  return `${code}|${said}|${origin.span.source.name}|${origin.span.start}`;
}

/** Joins what several calls of a macro with plain arguments come to in its body. */
export function gatherBodies(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const groups = new Map<string, Diagnostic[]>();
  for (const one of diagnostics) {
    const fault = bodyFault(one);
    if (fault !== undefined) groups.set(fault, [...(groups.get(fault) ?? []), one]);
  }
  return diagnostics.flatMap((one) => {
    const [first, ...others] = groups.get(bodyFault(one) ?? '') ?? [];
    if (first === undefined || others.length === 0) return [one];
    if (first !== one) return [];
    const count = [one, ...others].reduce((sum, each) => sum + callsIn(each), others.length);
    const notes = one.notes.filter(({ message }) => !/ calls? comes? to the same$/.test(message));
    return [{ ...one, notes: [...notes, otherCalls(count)] }];
  });
}

/** The rule in which a permission stands that its class does not have, and the classes that have it. */
function misplacedPermission({
  code,
  message,
  notes,
  origin,
}: Diagnostic): { readonly rule: string; readonly owners: readonly string[] } | undefined {
  if (code !== 'te/unknown-permission' || origin === undefined) return undefined;
  const owners = notes.flatMap((note) => [
    ...(/^it is a permission of class(?:es)? (.*)$/.exec(note.message)?.[1]?.matchAll(/`([^`]+)`/g) ?? []),
  ]);
  const { source, start } = origin.span;
  const begins = source.text.lastIndexOf(';', start);
  const call = origin.kind === 'written' ? '' : placeText(userSpan(origin));
  const rule = `${source.name}|${begins}|${call}|${/^class `[^`]*`/.exec(message)?.[0]}`;
  return owners.length === 0 ? undefined : { rule, owners: owners.map(([, name = '']) => name) };
}

/** Joins what is said of the permissions of one rule where another class has them all: the class is the fault. */
export function gatherPermissions(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const rules = new Map<string, { readonly one: Diagnostic; readonly owners: readonly string[] }[]>();
  for (const one of diagnostics) {
    const found = misplacedPermission(one);
    if (found !== undefined) rules.set(found.rule, [...(rules.get(found.rule) ?? []), { one, owners: found.owners }]);
  }
  return diagnostics.flatMap((one) => {
    const members = rules.get(misplacedPermission(one)?.rule ?? '') ?? [];
    const [first, ...others] = members;
    const meant = first?.owners.find((owner) => members.every(({ owners }) => owners.includes(owner)));
    if (first === undefined || meant === undefined || others.length === 0) return [one];
    if (first.one !== one) return [];
    const names = others.map((other) => /no permission (`[^`]*`)/.exec(other.one.message)?.[1] ?? '');
    const message = `class \`${meant}\` has it, and the others of this rule that are unknown: ${names.join(', ')}`;
    const calls = callsIn(one);
    const notes = [{ message }, ...(calls === 0 ? [] : [otherCalls(calls)])];
    return [{ ...one, notes, fixes: [], alike: others.map((other) => other.one) }];
  });
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
