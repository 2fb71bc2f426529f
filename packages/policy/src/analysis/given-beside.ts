/**
 * Whether a policy gives already what a release asks for beside a permission that covers less there.
 *
 * @module
 */
import { hasMember, type PolicyDb, type RuleTable } from '../policydb/index.ts';
import { type ClassPermission, type XenReleaseName, xenRelease } from '../releases/index.ts';
import type { PermissionChange } from './compat.ts';
import { rulesGiving } from './giving-rules.ts';
import { initialContext } from './memory/reach.ts';

/** Whether a type, by its name, has on another all that is asked for beside a permission. */
export type GivenBeside = (change: PermissionChange, source: string, target: string) => boolean;

/** Whether types have by some rule of a policy what is asked for beside. The policy has the classes of the later release. */
export function givenBeside(policy: PolicyDb): GivenBeside {
  const types = new Map(policy.types.entries.map(({ name, value }) => [name, value]));
  const hasRule = (source: number, target: number, one: ClassPermission): boolean => {
    const tclass = policy.classes.byName.get(one.class);
    const own = tclass?.permissions.find(({ name }) => name === one.permission);
    if (tclass === undefined || own === undefined) return false;
    return rulesGiving(policy, source, target, tclass.value, (1 << (own.value - 1)) >>> 0).length > 0;
  };
  return ({ replacements }, sourceName, targetName) => {
    const [source, target] = [types.get(sourceName), types.get(targetName)];
    // A type that the release has not is none that lacks something there.
    if (source === undefined || target === undefined) return true;
    return replacements.every((one) => hasRule(source, target, one));
  };
}

/**
 * Whether nothing is lacking for a row of rules that gives a permission which covers less: each of its sources is not asked
 * for more, or has it.
 */
export function coversAll(
  policy: PolicyDb,
  release: XenReleaseName,
  change: PermissionChange,
  rules: RuleTable,
  row: number,
  isGiven: GivenBeside | undefined,
): boolean {
  const { typeSets, types } = policy;
  const exempt = change.exempt && initialContext(policy, xenRelease(release).initialSids, change.exempt)?.type;
  const sources = [...typeSets.members(rules.source[row] ?? 0)].filter((type) => type !== exempt);
  if (sources.length === 0 || isGiven === undefined) return sources.length === 0;
  const targets = typeSets.members(rules.target[row] ?? 0);
  const hasSelf = rules.self[row] === 1;
  const names = new Map(types.entries.filter(({ kind }) => kind === 'type').map(({ name, value }) => [value, name]));
  return sources.every((source) =>
    [...targets, ...(hasSelf && !hasMember(targets, source) ? [source] : [])].every((target) =>
      isGiven(change, names.get(source) ?? '', names.get(target) ?? ''),
    ),
  );
}
