/**
 * What compiles and is wrong: one pass for each way in which a policy can say what nobody meant.
 *
 * All passes ask rules under any setting of the booleans; `constraints` and `argo` ask labels too.
 *
 * @module
 */
import { macroSources } from '../compiler/index.ts';
import type { Subject } from '../explain/index.ts';
import { type Diagnostic, userSpan } from '../text/index.ts';
import { lintArgo } from './argo.ts';
import { lintConstraints } from './constraints.ts';
import { lintDeviceLabels } from './device-labels.ts';
import { lintDestruction, lintOwnRights, lintRelabelBack, lintUnpause } from './life.ts';
import { lintPermissions } from './permissions.ts';
import { lintRedundantRules } from './redundant-rules.ts';
import { lintRelabelRights } from './relabel-rights.ts';
import { Rights } from './rights.ts';
import { lintUnusedNames } from './unused-names.ts';

/** All that is found in a policy, for the release of Xen that it is meant for, in the order of the places. */
export function lintPolicy(subject: Subject): Diagnostic[] {
  const found: Diagnostic[] = [];
  const report = (diagnostic: Diagnostic): void => void found.push(diagnostic);
  const rights = new Rights(subject);
  const { source } = subject;
  const modules = source?.files === undefined ? [] : macroSources(source.files, source.options).modules;
  lintDestruction(rights, modules, report);
  lintUnpause(rights, report);
  lintRelabelBack(rights, report);
  lintRelabelRights(rights, report);
  lintOwnRights(rights, modules, report);
  lintConstraints(rights, report);
  lintRedundantRules(subject, report);
  lintUnusedNames(subject, report);
  lintDeviceLabels(rights, report);
  lintArgo(rights, report);
  lintPermissions(subject, report);
  const key = ({ origin, code, message }: Diagnostic): string => {
    const span = origin && userSpan(origin);
    const place = span === undefined ? '' : `${span.source.name} ${String(span.start).padStart(9, '0')}`;
    return `${place} ${code} ${message}`;
  };
  return found
    .map((one) => ({ one, key: key(one) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ one }) => one);
}
