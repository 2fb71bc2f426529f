/**
 * Domains that are stranded: their maker cannot end them, or nobody can let them run.
 *
 * @module
 */
import { initialContext, type Label, type Request, relabellingsOf, requestOf } from '../../analysis/index.ts';
import type { Diagnostic } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import { addBehind, type LintSubject } from '../lint-subject.ts';

/** Labels that the maker of a domain can give it, and cannot destroy it under. */
export function cannotDestroy(subject: LintSubject): Diagnostic[] {
  const { decisions, policy, settings } = subject;
  const destroy = requestOf(policy, 'domain', ['destroy']);
  if (destroy === undefined) return [];
  const told = new Map<string, Diagnostic>();
  const { makings } = subject;
  for (const later of settings) {
    subject.setBooleans(later);
    for (const { by, first, made, setting } of makings) {
      const key = `${by.type}/${made.type}`;
      if (told.has(key) || decisions.allows(by, made, destroy)) continue;
      const [creator, type] = [subject.typeName(by.type), subject.typeName(made.type)];
      const origin = subject.ruleOrigin(by.type, first.type, 'domain', 'create');
      const [when, ends] = [subject.when(setting), subject.when(later)];
      const notes = [
        { message: 'a build that fails here leaves a domain behind that keeps its memory until the host reboots' },
      ];
      const fixes = addBehind(origin, `allow ${creator} ${type}:domain destroy;`);
      // No rule puts it right where a constraint takes the permission away, nor one in a block that a boolean switches.
      const isOther = ends !== when || decisions.view.constrained(by, made, destroy.tclass, destroy.mask) !== 0;
      told.set(
        key,
        lint['cannot-destroy'](
          origin,
          { creator, type, when, later: ends === when ? '' : ends },
          { notes, fixes: isOther ? [] : fixes },
        ),
      );
    }
  }
  return [...told.values()];
}

/** Every label that a domain can come to have from one, itself included, under any setting. */
function labelsFrom(subject: LintSubject, first: Label): readonly Label[] {
  const found = new Set([first]);
  for (const old of found) {
    for (const setting of subject.settings) {
      subject.setBooleans(setting);
      for (const { next } of relabellingsOf(subject.decisions, old, subject.actorsOf)) found.add(next);
    }
  }
  return [...found];
}

/** Who serves as the xenstore: dom0 where it may, else whoever may. */
function xenstoreds({ decisions, policy, release, actorsOf }: LintSubject, look: Request): readonly Label[] {
  const domxen = initialContext(policy, release.initialSids, 'domxen');
  const dom0 = initialContext(policy, release.initialSids, 'dom0');
  if (domxen === undefined || dom0 === undefined) return [];
  const target = decisions.labels.label(domxen);
  const may = (label: Label): boolean => decisions.allows(label, target, look);
  const own = decisions.labels.label(dom0);
  return may(own) ? [own] : decisions.sourceTypes(target.type, look).flatMap(actorsOf).filter(may);
}

/**
 * Types that a domain can have while no xenstored may look at it. XEN: `get_domain_state`, which since 4.21 passes over a
 * domain that its caller may not look at; xenstored keeps what it has of such a one.
 */
export function unseenByXenstored(subject: LintSubject): Diagnostic[] {
  const { decisions, policy, settings, madeTypes } = subject;
  const look = requestOf(policy, 'domain2', ['get_domain_state']);
  if (look === undefined) return [];
  const create = requestOf(policy, 'domain', ['create']);
  const told = new Map<number, Diagnostic>();
  for (const { by, first, labels } of madeTypes.values()) {
    const all = new Set([...labels].flatMap((label) => labelsFrom(subject, label)));
    // A domain that was made while a boolean let it be made is there when that no longer does.
    const isSwitched = settings.some((setting) => {
      subject.setBooleans(setting);
      return create !== undefined && !decisions.allows(by, first, create);
    });
    for (const setting of settings) {
      subject.setBooleans(setting);
      const [xenstored, ...others] = xenstoreds(subject, look);
      if (xenstored === undefined) continue;
      for (const label of all) {
        if (told.has(label.type) || [xenstored, ...others].some((one) => decisions.allows(one, label, look))) continue;
        const origin = subject.ruleOrigin(by.type, first.type, 'domain', 'create');
        const [type, who] = [subject.typeName(label.type), subject.typeName(xenstored.type)];
        const rule = `allow ${who} ${type}:domain2 get_domain_state;`;
        const isOther = decisions.view.constrained(xenstored, label, look.tclass, look.mask) !== 0;
        const fixes = isOther || isSwitched ? [] : addBehind(origin, rule);
        const notes = [
          { message: 'its pages stay mapped, and `xl list` has it as `(null)` until the host reboots' },
          ...(isSwitched && !isOther ? [{ message: `add \`${rule}\` outside of the conditional block` }] : []),
        ];
        const when = subject.when(setting);
        told.set(label.type, lint['unseen-by-xenstored'](origin, { type, when, xenstored: who }, { notes, fixes }));
      }
    }
  }
  return [...told.values()];
}

/** Whether some domain can let one with this label run. */
export function canBeUnpaused(subject: LintSubject, label: Label): boolean {
  const unpause = requestOf(subject.policy, 'domain', ['unpause']);
  if (unpause === undefined) return true;
  const actors = (target: Label): readonly Label[] =>
    subject.decisions.sourceTypes(target.type, unpause).flatMap(subject.actorsOf);
  return subject.canEver(actors, label, unpause);
}

/** Types under which a domain can be made that never comes to run. */
export function neverUnpaused(subject: LintSubject): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [type, { by, first, labels }] of subject.madeTypes) {
    const isRun = [...labels].some((label) => labelsFrom(subject, label).some((one) => canBeUnpaused(subject, one)));
    if (isRun) continue;
    const origin = subject.ruleOrigin(by.type, first.type, 'domain', 'create');
    const name = subject.typeName(type);
    const notes = [{ message: '`xl create` ends with a domain that stays paused' }];
    const fixes = addBehind(origin, `allow ${subject.typeName(by.type)} ${name}:domain unpause;`);
    found.push(lint['never-unpaused'](origin, { type: name }, { notes, fixes }));
  }
  return found;
}
