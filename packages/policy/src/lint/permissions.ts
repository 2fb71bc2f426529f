/**
 * Rules that name a permission for which a release of Xen never asks.
 *
 * @module
 */
import { findWord } from '../analysis/index.ts';
import { ruleOrigin } from '../compiler/index.ts';
import { permissionBit, type Subject, writtenPolicy } from '../explain/index.ts';
import { AVTAB_ALLOWED } from '../policydb/index.ts';
import { neverChecked } from '../releases/index.ts';
import type { Report } from '../text/index.ts';
import { lint } from './diagnostics.ts';
import { ruleTables } from './rights.ts';

/** Permissions without an effect, where each is written. */
export function lintPermissions(subject: Subject, report: Report): void {
  const policy = writtenPolicy(subject);
  const { source, release } = subject;
  for (const { class: tclass, permission, instead, why } of neverChecked(release.name)) {
    const symbol = policy.classes.byName.get(tclass);
    const bit = symbol === undefined ? 0 : permissionBit(subject, symbol, permission);
    if (symbol === undefined || bit === 0) continue;
    const message = `${why}; it asks for \`${instead.class} ${instead.permission}\``;
    const seen = new Set<string>();
    for (const { length, kind, tclass: classes, data, statement } of ruleTables(policy)) {
      for (let row = 0; row < length; row++) {
        const isMeant = classes[row] === symbol.value && ((kind[row] ?? 0) & AVTAB_ALLOWED) !== 0;
        if (!isMeant || ((data[row] ?? 0) & bit) === 0) continue;
        const word = source && findWord(source.compiled.text.text, statement[row] ?? 0, permission);
        // `*` means what the release has, and names nothing in vain.
        if (source !== undefined && word === undefined) continue;
        const origin = source === undefined || word === undefined ? undefined : ruleOrigin(source.compiled, word);
        const key = origin === undefined ? '' : `${origin.span.source.name}:${origin.span.start}`;
        if (seen.has(key)) continue;
        seen.add(key);
        const names = { release: release.name, class: tclass, permission };
        // A macro is shown where its text is written, once for all of its calls.
        const written = origin && { kind: 'written' as const, span: origin.span };
        report(lint['permission-without-effect'](written, names, { notes: [{ message }] }));
      }
    }
  }
}
