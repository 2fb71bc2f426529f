/**
 * Policies that lack something on purpose.
 *
 * @module
 */
import { AVTAB_ALLOWED, expandPolicyRules, readPolicydb, writePolicydb } from '@dewar/policy/policydb';

/** A binary policy that grants one permission to nobody, whatever the booleans are. */
export function withoutPermission(bytes: Uint8Array, className: string, permission: string): Uint8Array {
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  const { policy, version } = read;
  const tclass = policy.classes.byName.get(className);
  const bit = tclass?.permissions.find(({ name }) => name === permission)?.value;
  if (tclass === undefined || bit === undefined) throw new Error(`there is no ${className} { ${permission} }`);
  const tables = [policy.rules, ...policy.conditionals.flatMap(({ whenTrue, whenFalse }) => [whenTrue, whenFalse])];
  for (const rules of tables) {
    for (let row = 0; row < rules.length; row++) {
      if (((rules.kind[row] ?? 0) & AVTAB_ALLOWED) !== 0 && rules.tclass[row] === tclass.value)
        rules.data[row] = ((rules.data[row] ?? 0) & ~(1 << (bit - 1))) >>> 0;
    }
  }
  return writePolicydb(policy, expandPolicyRules(policy).rules, version);
}
