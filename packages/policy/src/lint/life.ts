/**
 * Types with which a domain's life comes to no good: it cannot be ended, never starts, goes back, or cannot use what is its own.
 *
 * @module
 */
import { placeFor } from '../explain/index.ts';
import type { Fix, Report, SourceText } from '../text/index.ts';
import { lint } from './diagnostics.ts';
import type { Rights } from './rights.ts';

/** A fix that adds rules between two types, one for each class, where a text has a place for them. */
function addRule(
  { subject: { source: written } }: Rights,
  modules: readonly SourceText[],
  source: string,
  target: string,
  missing: readonly string[],
): readonly Fix[] {
  const place = written && placeFor(written, modules, source, target);
  if (place === undefined) return [];
  const { source: file, offset } = place;
  const before = offset > 0 && file.text[offset - 1] !== '\n' ? '\n' : '';
  const newText = before + missing.map((one) => `allow ${source} ${target}:${one};\n`).join('');
  return [{ title: 'allow it', edits: [{ span: { source: file, start: offset, end: offset }, newText }] }];
}

/** Domains that whoever made them may not destroy, under the label of their making or one that they get then. */
export function lintDestruction(rights: Rights, modules: readonly SourceText[], report: Report): void {
  for (const [creator, targets] of rights.relation('domain', 'create')) {
    if (creator === rights.bootType) continue;
    const missing = new Map<number, number>();
    for (const made of targets) {
      const labels = [made, ...[...rights.relabelsOf(made)].filter(([, by]) => by.has(creator)).map(([to]) => to)];
      for (const label of labels)
        if (!rights.may(creator, label, 'domain', 'destroy') && !missing.has(label)) missing.set(label, made);
    }
    for (const [type, made] of missing) {
      const names = { creator: rights.name(creator), type: rights.name(type) };
      const lacks = ['pause', 'destroy'].filter((one) => !rights.may(creator, type, 'domain', one));
      const wanted = lacks.length === 1 ? `domain ${lacks[0]}` : `domain { ${lacks.join(' ')} }`;
      report(
        lint['cannot-destroy'](rights.originOf(creator, made, 'domain', 'create'), names, {
          notes: [{ message: 'a build that fails leaves a domain behind that only a reboot of the host ends' }],
          fixes: addRule(rights, modules, names.creator, names.type, [wanted]),
        }),
      );
    }
  }
}

/** Types of domains that stay paused for ever. */
export function lintUnpause(rights: Rights, report: Report): void {
  for (const type of rights.guests()) {
    if (rights.sources(type, 'domain', 'unpause').length > 0 || rights.relabelsOf(type).size > 0) continue;
    const [creator] = rights.sources(type, 'domain', 'create').filter((one) => one !== rights.bootType);
    const origin = creator === undefined ? undefined : rights.originOf(creator, type, 'domain', 'create');
    report(lint['never-unpaused'](origin, { type: rights.name(type) }));
  }
}

/** Relabels that can be undone: what the new label keeps from others is theirs again. */
export function lintRelabelBack(rights: Rights, report: Report): void {
  const edges = new Map<number, ReadonlySet<number>>();
  for (const type of rights.relation('domain', 'transition').keys())
    edges.set(type, new Set(rights.relabelsOf(type).keys()));
  const guests = rights.guests();
  for (const from of guests) {
    for (const to of edges.get(from) ?? []) {
      // Of two types that are both created, neither is the one to go back to.
      if (guests.has(to) || !reaches(edges, to, from)) continue;
      const way = firstStep(edges, to, from);
      report(
        lint['relabel-back'](
          way === undefined ? undefined : rights.originOf(to, way, 'domain', 'transition'),
          { from: rights.name(from), to: rights.name(to) },
          { notes: [{ message: `\`${rights.name(to)}\` is a label for running: what it keeps apart is open again` }] },
        ),
      );
    }
  }
}

function reaches(edges: ReadonlyMap<number, ReadonlySet<number>>, from: number, to: number): boolean {
  const seen = new Set([from]);
  for (const one of seen) for (const next of edges.get(one) ?? []) seen.add(next);
  return seen.has(to);
}

function firstStep(edges: ReadonlyMap<number, ReadonlySet<number>>, from: number, to: number): number | undefined {
  return [...(edges.get(from) ?? [])].find((next) => next === to || reaches(edges, next, to));
}

/** What a domain of any kind asks for on itself before its first process runs. */
const OWN_RIGHTS: readonly (readonly [tclass: string, permissions: readonly string[]])[] = [
  ['mmu', ['map_read', 'map_write']],
  ['grant', ['setup', 'query']],
];

/** Types of guests that lack rights on themselves. */
export function lintOwnRights(rights: Rights, modules: readonly SourceText[], report: Report): void {
  for (const type of rights.runTypes()) {
    const self = rights.seenBy(type, type);
    const missing = OWN_RIGHTS.flatMap(([tclass, permissions]) => {
      const lacks = permissions.filter((one) => !rights.may(type, self, tclass, one));
      return lacks.length === 0 ? [] : [`${tclass} { ${lacks.join(' ')} }`];
    });
    if (missing.length === 0) continue;
    const names = [rights.name(type), rights.name(self)] as const;
    const [creator] = rights.sources(type, 'domain', 'unpause');
    report(
      lint['no-self-access'](
        creator === undefined ? undefined : rights.originOf(creator, type, 'domain', 'unpause'),
        { type: names[0], missing: missing.join(', ') },
        {
          notes: self === type ? [] : [{ message: `as its own target it has the type \`${names[1]}\`` }],
          fixes: addRule(rights, modules, ...names, missing),
        },
      ),
    );
  }
}
