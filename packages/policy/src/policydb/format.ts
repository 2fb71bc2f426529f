/**
 * Constants of the binary policy, with the names of libsepol's and Xen's headers.
 *
 * Format: Xen `xen/xsm/flask/ss/policydb.h`, `avtab.h`, `conditional.h`, `constraint.h`.
 *
 * @module
 */

/** The first word of a policy. */
export const POLICYDB_MAGIC = 0xf97cff8c;
/** The string after the magic number: a policy for Xen, not for a kernel. */
export const POLICYDB_XEN_STRING = 'XenFlask';
/** First version with `devicetreecon`, and with 64-bit ends of `iomemcon`. */
export const POLICYDB_VERSION_XEN_DEVICETREE = 30;
/** First version with `type_transition` by file name. */
export const POLICYDB_VERSION_FILENAME_TRANS = 25;
/** First version in which a role transition names a class. */
export const POLICYDB_VERSION_ROLETRANS = 26;
/** First version with `default_user`, `default_role` and `default_range`. */
export const POLICYDB_VERSION_NEW_OBJECT_DEFAULTS = 27;
/** First version with `default_type`. */
export const POLICYDB_VERSION_DEFAULT_TYPE = 28;
/** First version in which a constraint keeps the types as they were written. */
export const POLICYDB_VERSION_CONSTRAINT_NAMES = 29;

/** Flag in the header: the policy has MLS. */
export const POLICYDB_CONFIG_MLS = 1;
/** Flag in the header: refuse a policy that lacks a class or permission that is asked for. */
export const REJECT_UNKNOWN = 2;
/** Flag in the header: allow what the policy has no class or permission for. */
export const ALLOW_UNKNOWN = 4;

/** How many tables of symbols there are. */
export const SYM_NUM = 8;

/** Property of a type: it is the name itself, not an alias. */
export const TYPE_FLAG_PRIMARY = 1;
/** Property of a type: it is an attribute. */
export const TYPE_FLAG_ATTRIBUTE = 2;

/** Kind of rule: `allow`. */
export const AVTAB_ALLOWED = 0x1;
/** Kind of rule: `auditallow`. */
export const AVTAB_AUDITALLOW = 0x2;
/** Kind of rule: `auditdeny`, and `dontaudit` turned around. */
export const AVTAB_AUDITDENY = 0x4;
/** Kind of rule: `type_transition`. */
export const AVTAB_TRANSITION = 0x10;
/** Kind of rule: `type_member`. */
export const AVTAB_MEMBER = 0x20;
/** Kind of rule: `type_change`. */
export const AVTAB_CHANGE = 0x40;
/** All the kinds whose datum is a type. */
export const AVTAB_TYPE = 0x70;
/** Flag of a rule in a conditional block that holds. */
export const AVTAB_ENABLED = 0x8000;

/** Not in a file: a `dontaudit` rule as written; it is stored under `AVTAB_AUDITDENY`. */
export const AVRULE_DONTAUDIT = 0x8;
/** Not in a file: a `neverallow` rule as written; it is checked and not stored. */
export const AVRULE_NEVERALLOW = 0x80;

/** Step of a constraint: `not`. */
export const CEXPR_NOT = 1;
/** Step of a constraint: `and`. */
export const CEXPR_AND = 2;
/** Step of a constraint: `or`. */
export const CEXPR_OR = 3;
/** Step of a constraint that compares source and target. */
export const CEXPR_ATTR = 4;
/** Step of a constraint that compares one side with names. */
export const CEXPR_NAMES = 5;

/** What a constraint compares: users. */
export const CEXPR_USER = 1;
/** What a constraint compares: roles. */
export const CEXPR_ROLE = 2;
/** What a constraint compares: types. */
export const CEXPR_TYPE = 4;
/** Flag of a comparison with names: the target is meant, not the source. */
export const CEXPR_TARGET = 8;
/** Flag of a comparison with names: the third context is meant (`validatetrans`). */
export const CEXPR_XTARGET = 16;
/** What a constraint compares: low level of the source and low level of the target. */
export const CEXPR_L1L2 = 32;
/** What a constraint compares: low level of the source and high level of the target. */
export const CEXPR_L1H2 = 64;
/** What a constraint compares: high level of the source and low level of the target. */
export const CEXPR_H1L2 = 128;
/** What a constraint compares: high level of the source and high level of the target. */
export const CEXPR_H1H2 = 256;
/** What a constraint compares: low level and high level of the source. */
export const CEXPR_L1H1 = 512;
/** What a constraint compares: low level and high level of the target. */
export const CEXPR_L2H2 = 1024;

/** Comparison in a constraint: `==`. */
export const CEXPR_EQ = 1;
/** Comparison in a constraint: `!=`. */
export const CEXPR_NEQ = 2;
/** Comparison in a constraint: `dom`. */
export const CEXPR_DOM = 3;
/** Comparison in a constraint: `domby`. */
export const CEXPR_DOMBY = 4;
/** Comparison in a constraint: `incomp`. */
export const CEXPR_INCOMP = 5;

/** Deepest stack that a constraint expression may need (libsepol, Xen). */
export const CEXPR_MAXDEPTH = 5;

/** Step of a condition: the value of a boolean. */
export const COND_BOOL = 1;
/** Step of a condition: `!`. */
export const COND_NOT = 2;
/** Step of a condition: `||`. */
export const COND_OR = 3;
/** Step of a condition: `&&`. */
export const COND_AND = 4;
/** Step of a condition: `^`. */
export const COND_XOR = 5;
/** Step of a condition: `==`. */
export const COND_EQ = 6;
/** Step of a condition: `!=`. */
export const COND_NEQ = 7;

/** Deepest stack that a conditional expression may need. */
export const COND_EXPR_MAXDEPTH = 10;
/** Most booleans for which a conditional keeps a truth table. */
export const COND_MAX_BOOLS = 5;

/** List of object contexts: `sid`. */
export const OCON_XEN_ISID = 0;
/** List of object contexts: `pirqcon`. */
export const OCON_XEN_PIRQ = 1;
/** List of object contexts: `ioportcon`. */
export const OCON_XEN_IOPORT = 2;
/** List of object contexts: `iomemcon`. */
export const OCON_XEN_IOMEM = 3;
/** List of object contexts: `pcidevicecon`. */
export const OCON_XEN_PCIDEVICE = 4;
/** List of object contexts: `devicetreecon`. */
export const OCON_XEN_DEVICETREE = 5;

/** Default of a range: `glblub`. */
export const DEFAULT_GLBLUB = 7;
/** First version with the default `glblub`, which no Xen has. */
export const POLICYDB_VERSION_GLBLUB = 32;

/** Largest policy that `FLASK_LOAD` takes from the toolstack (Xen `xen/xsm/flask/flask_op.c`). At boot there is no such limit. */
export const MAX_POLICY_SIZE = 0x4000000;

/** The role of things: any type and any user may have it. Value of `object_r` in every policy. */
export const OBJECT_R = 1;

/** Policy capabilities in bit order. */
export const POLICY_CAPABILITIES = [
  'network_peer_controls',
  'open_perms',
  'extended_socket_class',
  'always_check_network',
  'cgroup_seclabel',
  'nnp_nosuid_transition',
  'genfs_seclabel_symlinks',
  'ioctl_skip_cloexec',
] as const;

/** The versions that exist for Xen. */
export type PolicyVersion = 24 | 30;
