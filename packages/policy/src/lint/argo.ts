/**
 * Guests that share nothing with other guests, but for Argo, which a rule for all domains may give them.
 *
 * @module
 */
import { LabelSpace } from '../analysis/index.ts';
import type { Report } from '../text/index.ts';
import { lint } from './diagnostics.ts';
import type { Rights } from './rights.ts';

const SHARING: readonly (readonly [tclass: string, permission: string])[] = [
  ['grant', 'map_read'],
  ['grant', 'map_write'],
  ['grant', 'copy'],
  ['grant', 'transfer'],
  ['mmu', 'map_read'],
  ['mmu', 'map_write'],
  ['hvm', 'share_mem'],
];
const SHOWN = 4;

/** Types of guests that only Argo connects with other guests. */
export function lintArgo(rights: Rights, report: Report): void {
  const { view } = rights.subject;
  const tclass = view.policy.classes.byName.get('argo')?.value;
  const send = view.policy.classes.byName.get('argo')?.permissions.find(({ name }) => name === 'send');
  if (tclass === undefined || send === undefined) return;
  const bit = (1 << (send.value - 1)) >>> 0;
  const space = new LabelSpace(view, []);
  /** Constraints may keep apart what rules connect. */
  const sends = (from: number, to: number): boolean =>
    rights.may(from, to, 'argo', 'send') &&
    space
      .labelsOf(from)
      .some((source) => space.labelsOf(to).some((target) => view.constrained(source, target, tclass, bit) === 0));
  const shares = (a: number, b: number): boolean =>
    SHARING.some(([name, permission]) =>
      [
        [a, b],
        [b, a],
        // Another domain of the same type is not seen as its own target.
        ...(a === b
          ? []
          : [
              [a, rights.seenBy(b, a)],
              [b, rights.seenBy(a, b)],
            ]),
      ].some(([from = 0, to = 0]) => rights.may(from, to, name, permission)),
    );
  const all = rights.runTypes();
  // What serves every guest, as a xenstore domain does, is none of the others.
  const isService = (type: number): boolean =>
    all.length > 2 && all.every((other) => other === type || shares(type, other));
  const guests = all.filter((type) => !isService(type));
  for (const type of guests) {
    if (guests.some((other) => shares(type, other))) continue;
    const others = guests.filter((other) => other !== type && (sends(type, other) || sends(other, type)));
    const [first] = others;
    if (first === undefined) continue;
    const more = others.length > SHOWN ? ` and ${others.length - SHOWN} more` : '';
    const names = others.slice(0, SHOWN).map((one) => `\`${rights.name(one)}\``);
    const [from, to] = sends(type, first) ? [type, first] : [first, type];
    report(
      lint['argo-connects'](
        rights.originOf(from, to, 'argo', 'send'),
        { type: rights.name(type), others: names.join(', ') + more },
        { notes: [{ message: 'who may send with Argo passes data without a grant or an event channel' }] },
      ),
    );
  }
}
