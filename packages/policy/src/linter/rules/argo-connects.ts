/**
 * Guests that share no memory and no event channel, and that Argo connects all the same.
 *
 * @module
 */
import { initialContext, type Label, type Request, requestOf } from '../../analysis/index.ts';
import type { Diagnostic, Origin } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import type { LintSubject } from '../lint-subject.ts';
import { canBeUnpaused } from './lives-of-domains.ts';

/** More pairs of types than this are not looked at: the answer is some examples for each rule. */
const MOST_PAIRS = 20_000;

/** What Argo needs between two domains. XEN: `xen/xsm/flask/hooks.c`, `flask_argo_…`. */
interface ArgoRequests {
  readonly send: Request;
  readonly registerSingle: Request;
  readonly registerAny: Request;
  readonly enable: Request;
}

function argoRequests(subject: LintSubject): ArgoRequests | undefined {
  const of = (permission: string): Request | undefined => requestOf(subject.policy, 'argo', [permission]);
  const [send, registerSingle] = [of('send'), of('register_single_source')];
  const [registerAny, enable] = [of('register_any_source'), of('enable')];
  if (send === undefined || registerSingle === undefined || registerAny === undefined || enable === undefined)
    return undefined;
  return { send, registerSingle, registerAny, enable };
}

/** The types of guests: those under which domains are made and run, with the labels that they have. */
function guestLabels(subject: LintSubject): ReadonlyMap<number, readonly Label[]> {
  const found = new Map<number, readonly Label[]>();
  for (const [type, { labels }] of subject.madeTypes) {
    const running = [...labels].filter((label) => canBeUnpaused(subject, label));
    if (running.length > 0) found.set(type, running);
  }
  return found;
}

/** The types with which domains of a type can share pages or events, by whatever rule. */
function sharingTypes(subject: LintSubject, type: number): ReadonlySet<number> {
  const { decisions, policy } = subject;
  const pages = requestOf(policy, 'grant', ['map_read', 'map_write', 'copy'], true);
  const bind = requestOf(policy, 'event', ['bind']);
  const found = new Set<number>();
  const add = (types: Iterable<number> | undefined): void => {
    for (const one of types ?? decisions.types) found.add(one);
  };
  if (pages !== undefined) {
    add(decisions.sourceTypes(type, pages));
    add(decisions.targetTypes(type, pages));
  }
  // The channel that a domain makes stands for it where events are bound.
  if (bind !== undefined) {
    for (const channel of subject.channelTypes(type)) add(decisions.targetTypes(channel, bind));
    for (const channel of decisions.sourceTypes(type, bind)) add(subject.channelOwners(channel));
  }
  return found;
}

/** Pairs of types of guests that only Argo connects, together for each rule that lets them send. */
export function argoConnects(subject: LintSubject): Diagnostic[] {
  const argo = argoRequests(subject);
  const xenContext = initialContext(subject.policy, subject.release.initialSids, 'xen');
  if (argo === undefined || xenContext === undefined) return [];
  const { decisions } = subject;
  const xen = decisions.labels.label(xenContext);
  const guests = guestLabels(subject);
  const found = new Map<string, Pairs>();
  const [first] = subject.settings;
  if (first !== undefined) subject.setBooleans(first);
  const connects = (one: Label, other: Label): boolean =>
    decisions.allows(one, other, argo.send) &&
    decisions.allows(one, xen, argo.enable) &&
    decisions.allows(other, xen, argo.enable) &&
    (decisions.allows(other, one, argo.registerSingle) || decisions.allows(other, xen, argo.registerAny));
  let tried = 0;
  for (const [type, ones] of guests) {
    const sharing = sharingTypes(subject, type);
    for (const otherType of decisions.targetTypes(type, argo.send) ?? guests.keys()) {
      const others = guests.get(otherType);
      if (others === undefined || sharing.has(otherType) || tried++ > MOST_PAIRS) continue;
      if (!ones.some((one) => others.some((other) => connects(one, other)))) continue;
      const origin = subject.ruleOrigin(type, otherType, 'argo', 'send');
      const key = origin === undefined ? 'binary' : `${origin.span.source.name}:${origin.span.start}`;
      const known = found.get(key) ?? { origin, names: new Map<string, readonly [string, string]>() };
      found.set(key, known);
      // Each way is one of two; the second says nothing new.
      const names: [string, string] = [subject.typeName(type), subject.typeName(otherType)];
      names.sort();
      known.names.set(names.join(' '), names);
    }
  }
  return [...found.values()].map(diagnosticOf);
}

/** The pairs of types that one rule connects. */
interface Pairs {
  readonly origin: Origin | undefined;
  readonly names: Map<string, readonly [string, string]>;
}

/** Pairs that are named; the others are counted. */
const NAMED = 4;

function diagnosticOf({ origin, names }: Pairs): Diagnostic {
  // Guests of one type that are to know nothing of each other are the plainest case.
  const sorted = [...names.values()].toSorted((a, b) => Number(a[0] !== a[1]) - Number(b[0] !== b[1]));
  const [first, ...others] = sorted;
  const [one = '', other = ''] = first ?? [];
  const notes = [{ message: 'where Xen runs with `argo=1`, each can send messages to the other' }];
  if (others.length > 0) {
    const named = others.slice(0, NAMED).map(([a, b]) => `\`${a}\` and \`${b}\``);
    const more = others.length > NAMED ? `; and ${others.length - NAMED} pairs more` : '';
    notes.push({ message: `the same holds for ${named.join('; ')}${more}` });
  }
  return lint['argo-connects'](origin, { one, other }, { notes });
}
