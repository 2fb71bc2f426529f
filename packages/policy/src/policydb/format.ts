/**
 * Constants of the binary policy, with the names of libsepol's and Xen's headers.
 *
 * Format: Xen `xen/xsm/flask/ss/policydb.h`, `avtab.h`, `conditional.h`, `constraint.h`.
 *
 * @module
 */

export const POLICYDB_MAGIC = 0xf97cff8c;
export const POLICYDB_XEN_STRING = 'XenFlask';
export const POLICYDB_VERSION_XEN_DEVICETREE = 30;
export const POLICYDB_VERSION_FILENAME_TRANS = 25;
export const POLICYDB_VERSION_ROLETRANS = 26;
export const POLICYDB_VERSION_NEW_OBJECT_DEFAULTS = 27;
export const POLICYDB_VERSION_DEFAULT_TYPE = 28;
export const POLICYDB_VERSION_CONSTRAINT_NAMES = 29;

export const POLICYDB_CONFIG_MLS = 1;
export const REJECT_UNKNOWN = 2;
export const ALLOW_UNKNOWN = 4;

export const SYM_NUM = 8;

export const TYPE_FLAG_PRIMARY = 1;
export const TYPE_FLAG_ATTRIBUTE = 2;

export const AVTAB_ALLOWED = 0x1;
export const AVTAB_AUDITALLOW = 0x2;
export const AVTAB_AUDITDENY = 0x4;
export const AVTAB_TRANSITION = 0x10;
export const AVTAB_MEMBER = 0x20;
export const AVTAB_CHANGE = 0x40;
/** All the kinds whose datum is a type. */
export const AVTAB_TYPE = 0x70;
export const AVTAB_ENABLED = 0x8000;

/** Not in a file: a `dontaudit` rule as written; it is stored under `AVTAB_AUDITDENY`. */
export const AVRULE_DONTAUDIT = 0x8;
/** Not in a file: a `neverallow` rule as written; it is checked and not stored. */
export const AVRULE_NEVERALLOW = 0x80;

export const CEXPR_NOT = 1;
export const CEXPR_AND = 2;
export const CEXPR_OR = 3;
export const CEXPR_ATTR = 4;
export const CEXPR_NAMES = 5;

export const CEXPR_USER = 1;
export const CEXPR_ROLE = 2;
export const CEXPR_TYPE = 4;
export const CEXPR_TARGET = 8;
export const CEXPR_XTARGET = 16;
export const CEXPR_L1L2 = 32;
export const CEXPR_L1H2 = 64;
export const CEXPR_H1L2 = 128;
export const CEXPR_H1H2 = 256;
export const CEXPR_L1H1 = 512;
export const CEXPR_L2H2 = 1024;

export const CEXPR_EQ = 1;
export const CEXPR_NEQ = 2;
export const CEXPR_DOM = 3;
export const CEXPR_DOMBY = 4;
export const CEXPR_INCOMP = 5;

/** Deepest stack that a constraint expression may need (libsepol, Xen). */
export const CEXPR_MAXDEPTH = 5;

export const COND_BOOL = 1;
export const COND_NOT = 2;
export const COND_OR = 3;
export const COND_AND = 4;
export const COND_XOR = 5;
export const COND_EQ = 6;
export const COND_NEQ = 7;

/** Deepest stack that a conditional expression may need. */
export const COND_EXPR_MAXDEPTH = 10;
/** Most booleans for which a conditional keeps a truth table. */
export const COND_MAX_BOOLS = 5;

export const OCON_XEN_ISID = 0;
export const OCON_XEN_PIRQ = 1;
export const OCON_XEN_IOPORT = 2;
export const OCON_XEN_IOMEM = 3;
export const OCON_XEN_PCIDEVICE = 4;
export const OCON_XEN_DEVICETREE = 5;

export const DEFAULT_GLBLUB = 7;
export const POLICYDB_VERSION_GLBLUB = 32;

/** Largest policy that `FLASK_LOAD` takes (Xen `xen/xsm/flask/flask_op.c`). */
export const MAX_POLICY_SIZE = 0x4000000;

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
