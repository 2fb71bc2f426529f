/**
 * Classes, permissions, initial SIDs and defaults as text.
 *
 * @module
 */
import {
  type ClassSymbol,
  DEFAULT_GLBLUB,
  type PermissionSymbol,
  type PolicyDb,
  type PolicyVersion,
  SYMTAB_SIZES,
} from '../policydb/index.ts';
import { setText, wrap } from './layout.ts';
import type { Names } from './names.ts';
import { isCounted, isInsertedOrder } from './numbering.ts';

const byValue = (a: { readonly value: number }, b: { readonly value: number }): number => a.value - b.value;

/** Checks that permissions are numbered from `first` on and stand in the order of their table. */
function checkPermissions(names: Names, owner: string, permissions: readonly PermissionSymbol[], first: number): void {
  names.checkNames(`a permission of ${owner}`, permissions);
  const isNumbered = permissions.toSorted(byValue).every(({ value }, i) => value === first + i);
  if (!isNumbered || !isInsertedOrder(permissions, SYMTAB_SIZES.permissions))
    names.otherOrder(`permissions of ${owner}`);
}

function checkClass(names: Names, tclass: ClassSymbol): void {
  const { name, common: commonName, permissions, permissionCount } = tclass;
  const common = commonName === undefined ? undefined : names.policy.commons.byName.get(commonName);
  if (commonName !== undefined && common === undefined)
    names.lost(`class \`${name}\` has a common that does not exist`);
  const inherited = common?.permissions.length ?? 0;
  checkPermissions(names, `class \`${name}\``, permissions, inherited + 1);
  if (permissionCount !== inherited + permissions.length) names.otherOrder(`permission count of class \`${name}\``);
}

/** `class`, `common` and access vector statements. */
export function classText(
  policy: PolicyDb,
  names: Names,
): { declarations: string[]; commons: string[]; vectors: string[] } {
  const { classes, commons } = policy;
  names.checkNames('a class', classes.entries);
  names.checkNames('a common', commons.entries);
  for (const [what, table, initial] of [
    ['classes', classes, SYMTAB_SIZES.classes],
    ['commons', commons, SYMTAB_SIZES.commons],
  ] as const) {
    if (!isInsertedOrder(table.entries, initial)) names.otherOrder(what);
    if (!isCounted(table.entries) || table.primaryCount !== table.entries.length)
      names.otherOrder(`numbers of ${what}`);
  }
  const sorted = classes.entries.toSorted(byValue);
  const block = (head: string, permissions: readonly PermissionSymbol[]): string =>
    permissions.length === 0
      ? head
      : [head, '{', ...permissions.toSorted(byValue).map(({ name }) => `    ${name}`), '}'].join('\n');
  for (const common of commons.entries) {
    checkPermissions(names, `common \`${common.name}\``, common.permissions, 1);
    if (common.permissions.length === 0) names.lost(`common \`${common.name}\` has no permissions`);
    if (common.permissionCount !== common.permissions.length)
      names.otherOrder(`permission count of common \`${common.name}\``);
  }
  for (const tclass of classes.entries) checkClass(names, tclass);
  return {
    declarations: sorted.map(({ name }) => `class ${name}`),
    commons: commons.entries.toSorted(byValue).map(({ name, permissions }) => block(`common ${name}`, permissions)),
    vectors: sorted
      .filter(({ common, permissions }) => common !== undefined || permissions.length > 0)
      .map(({ name, common, permissions }) =>
        block(`class ${name}${common === undefined ? '' : ` inherits ${common}`}`, permissions),
      ),
  };
}

const SIDES = ['', 'source', 'target'];
const RANGES = ['', 'source low', 'source high', 'source low-high', 'target low', 'target high', 'target low-high'];

/** `default_user` and its kin, one statement for the classes that share a value. */
export function defaultText(policy: PolicyDb, names: Names): string[] {
  const statements: string[] = [];
  const sorted = policy.classes.entries.toSorted(byValue);
  for (const part of ['user', 'role', 'type', 'range'] as const) {
    const texts = part === 'range' ? RANGES : SIDES;
    for (let value = 1; value < texts.length; value++) {
      const classes = sorted.filter(({ defaults }) => defaults[part] === value).map(({ name }) => name);
      if (classes.length > 0) statements.push(wrap(`default_${part} ${setText(classes)} ${texts[value] ?? ''};`));
    }
  }
  for (const { name, defaults } of sorted) {
    if (defaults.range === DEFAULT_GLBLUB)
      names.lost(`the default range of class \`${name}\` is \`glblub\`, at a version that has no such default`);
  }
  return statements;
}

/** The name of an initial SID of Xen, or a made-up one where the release has none of this number. */
export function sidName(sid: number, known: readonly string[]): string {
  return known[sid - 1] ?? `sid_${sid}`;
}

const MAX_SID = 0xffff;

/** `sid` declarations, and the labels of SIDs. */
export function sidText(
  policy: PolicyDb,
  names: Names,
  known: readonly string[],
): { declarations: string[]; labels: string[] } {
  const { initialSids } = policy.objectContexts;
  const highest = initialSids.reduce((most, { sid }) => Math.max(most, sid), 0);
  if (initialSids.some(({ sid }) => sid === 0 || sid > MAX_SID)) {
    names.lost('an initial SID has the number 0, or one that no Xen can have');
    return { declarations: [], labels: [] };
  }
  // SPEC: checkpolicy puts the SID that was declared last first.
  if (!initialSids.every(({ sid }, i) => i === 0 || sid < (initialSids[i - 1]?.sid ?? 0)))
    names.otherOrder('initial SIDs');
  if (initialSids.length === 0) names.lost('no initial SID has a label');
  return {
    declarations: Array.from({ length: Math.max(highest, 1) }, (_, i) => `sid ${sidName(i + 1, known)}`),
    labels: initialSids.toReversed().map(({ sid, context }) => `sid ${sidName(sid, known)} ${names.context(context)}`),
  };
}

/** What a version cannot hold, yet the binary does; and names in texts that the version decides. */
export function checkVersion(policy: PolicyDb, names: Names, version: PolicyVersion): void {
  if (version === 24 && policy.roleTransitions.length > 0)
    names.lost('role transitions of version 24, which compiling leaves out');
}
