/**
 * Permissions that the release of Xen never asks for.
 *
 * @module
 */

import { requestOf } from '../../analysis/index.ts';
import { neverChecked } from '../../releases/index.ts';
import type { Diagnostic, Origin } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import type { LintSubject } from '../lint-subject.ts';

/** Each place that gives such a permission, once: a macro is one place, however often it is called. */
export function idlePermissions(subject: LintSubject): Diagnostic[] {
  return neverChecked(subject.release.name).flatMap(({ class: className, permission, instead, why }) => {
    const request = requestOf(subject.policy, className, [permission]);
    if (request === undefined) return [];
    const places = new Map<string, Origin | undefined>();
    subject.eachAllow(request, (origin) => {
      // The body of the macro is where a person can change it.
      const span = origin?.span;
      const key = span === undefined ? '' : `${span.source.name}:${span.start}`;
      if (!places.has(key)) places.set(key, span === undefined ? undefined : { kind: 'written', span });
    });
    const notes = [{ message: why }, { message: `what it asks for is \`${instead.class} ${instead.permission}\`` }];
    return [...places.values()].map((origin) =>
      lint['permission-does-nothing'](
        origin,
        { class: className, permission, release: subject.release.name },
        { notes },
      ),
    );
  });
}
