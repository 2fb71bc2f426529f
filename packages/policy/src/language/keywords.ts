/**
 * The reserved words of the policy language. Each is a keyword in all lower or all upper case, and an identifier otherwise.
 *
 * SPEC: checkpolicy `policy_scan.l`.
 *
 * @module
 */

const WORDS =
  'clone common class constrain validatetrans inherits sid role roles roleattribute attribute_role types typealias ' +
  'typeattribute typebounds type bool tunable if else alias attribute expandattribute type_transition type_member ' +
  'type_change role_transition range_transition sensitivity dominance category level range mlsconstrain ' +
  'mlsvalidatetrans user neverallow allow auditallow auditdeny dontaudit allowxperm auditallowxperm dontauditxperm ' +
  'neverallowxperm source target sameuser module require optional or and not xor eq true false dom domby incomp fscon ' +
  'ibpkeycon ibendportcon portcon netifcon nodecon pirqcon iomemcon ioportcon pcidevicecon devicetreecon fs_use_xattr ' +
  'fs_use_task fs_use_trans genfscon r1 r2 r3 u1 u2 u3 t1 t2 t3 l1 l2 h1 h2 policycap permissive default_user ' +
  'default_role default_type default_range low-high high low glblub';

/** From each spelling of a keyword to the keyword in lower case. */
export const KEYWORDS: ReadonlyMap<string, string> = new Map(
  WORDS.split(' ').flatMap((word): [string, string][] => [
    [word, word],
    [word.toUpperCase(), word],
  ]),
);
