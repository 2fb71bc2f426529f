/**
 * Rights to relabel that are wider than needed: such that lead back, so that what a domain was kept from under its new label
 * it can have again under the old one; and such that lead nowhere.
 *
 * @module
 */
import { type Request, relabellingsOf, requestOf } from '../../analysis/index.ts';
import { type Diagnostic, userSpan } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import type { LintSubject } from '../lint-subject.ts';

/** Which types a domain of a type can be given, in one step, under any setting that the host can come to. */
function relabelGraph(subject: LintSubject): ReadonlyMap<number, ReadonlySet<number>> {
  const graph = new Map<number, Set<number>>();
  for (const setting of subject.settings) {
    subject.setBooleans(setting);
    for (const old of subject.possible.labels) {
      for (const { next } of relabellingsOf(subject.decisions, old, subject.actorsOf)) {
        if (next.type === old.type) continue;
        const nexts = graph.get(old.type) ?? new Set();
        graph.set(old.type, nexts.add(next.type));
      }
    }
  }
  return graph;
}

/** The shortest way from one type to another; undefined where there is none. */
function pathBetween(graph: ReadonlyMap<number, ReadonlySet<number>>, from: number, to: number): number[] | undefined {
  const before = new Map<number, number>([[from, from]]);
  for (const [at] of before) {
    for (const next of graph.get(at) ?? []) {
      if (!before.has(next)) before.set(next, at);
    }
    if (!before.has(to)) continue;
    const path = [to];
    for (let one = to; one !== from; ) {
      one = before.get(one) ?? from;
      path.unshift(one);
    }
    return path;
  }
  return undefined;
}

/** Relabelling from which there is a way back, each loop once. */
export function relabelBack(subject: LintSubject): Diagnostic[] {
  const graph = relabelGraph(subject);
  const told = new Set<number>();
  const found: Diagnostic[] = [];
  for (const [from, nexts] of graph) {
    for (const to of nexts) {
      if (told.has(from) && told.has(to)) continue;
      const back = pathBetween(graph, to, from);
      if (back === undefined) continue;
      for (const type of back) told.add(type);
      const [old, next] = [subject.typeName(from), subject.typeName(to)];
      const steps = back.slice(1).map((type, i) => ({
        message: `the way back: from \`${subject.typeName(back[i] ?? to)}\` to \`${subject.typeName(type)}\``,
        ...withOrigin(subject, back[i] ?? to, type),
      }));
      const why = {
        message: 'whoever was kept from its memory under the one label can come to it under the other',
      };
      const origin = subject.ruleOrigin(from, to, 'domain', 'transition');
      found.push(lint['relabel-back'](origin, { from: old, to: next }, { notes: [why, ...steps] }));
    }
  }
  return found;
}

function withOrigin(subject: LintSubject, from: number, to: number): object {
  const origin = subject.ruleOrigin(from, to, 'domain', 'transition');
  return origin === undefined ? {} : { origin };
}

/** The permissions of a relabel, and whether one of a source and a target is part of a relabel that rules allow. */
function relabelParts(subject: LintSubject): readonly {
  readonly permission: string;
  readonly isPart: (source: number, target: number) => boolean;
}[] {
  const { decisions, policy } = subject;
  const of = (className: string, permission: string): Request | undefined => requestOf(policy, className, [permission]);
  const transition = of('domain', 'transition');
  const [from, to] = [of('domain2', 'relabelfrom'), of('domain2', 'relabelto')];
  const targets = (source: number, request: Request | undefined): readonly number[] =>
    request === undefined ? [] : (decisions.targetTypes(source, request) ?? decisions.types);
  const canBecome = (old: number, next: number): boolean => targets(old, transition).includes(next);
  return [
    { permission: 'relabelfrom', isPart: (by, old) => targets(by, to).some((next) => canBecome(old, next)) },
    { permission: 'relabelto', isPart: (by, next) => targets(by, from).some((old) => canBecome(old, next)) },
    { permission: 'relabelself', isPart: canBecome },
  ];
}

/** Rules that give a part of a relabel of which the policy lacks another part: each place once. */
export function relabelUnused(subject: LintSubject): Diagnostic[] {
  const found = new Map<string, Diagnostic>();
  for (const { permission, isPart } of relabelParts(subject)) {
    const request = requestOf(subject.policy, 'domain2', [permission]);
    if (request === undefined) continue;
    subject.eachAllow(request, (origin, sources, targets) => {
      if (sources.some((source) => targets(source).some((target) => isPart(source, target)))) return;
      const span = origin === undefined ? undefined : userSpan(origin);
      const key = `${permission} ${span?.source.name}:${span?.start}`;
      if (!found.has(key)) found.set(key, lint['relabel-unused'](origin, { permission }));
    });
  }
  return [...found.values()];
}
