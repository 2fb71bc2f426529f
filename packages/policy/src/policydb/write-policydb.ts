/**
 * Writes a policy in the binary format that Xen loads.
 *
 * Format: libsepol `write.c`; Xen `xen/xsm/flask/ss/policydb.c` reads it.
 * Start reading at `writePolicydb`.
 *
 * @module
 */
import type { AvEntries } from './av-entries.ts';
import { ByteWriter, joinedParts } from './byte-writer.ts';
import { Ebitmap } from './ebitmap.ts';
import type { ConditionalEntries } from './expand-conditionals.ts';
import * as format from './format.ts';
import type {
  Constraint,
  Context,
  HandleUnknown,
  MlsLevel,
  MlsRange,
  PermissionSymbol,
  PolicyDb,
  SymbolTable,
} from './policydb.ts';

/** The access vector table and the conditional blocks of a policy, ready to be written. */
export interface ExpandedRules {
  readonly entries: AvEntries;
  readonly blocks: readonly ConditionalEntries[];
}

const UNKNOWN_BITS: Readonly<Record<HandleUnknown, number>> = {
  deny: 0,
  reject: format.REJECT_UNKNOWN,
  allow: format.ALLOW_UNKNOWN,
};

function writeLevel(out: ByteWriter, level: MlsLevel): void {
  out.u32(level.sensitivity);
  out.ebitmap(level.categories);
}

function writeRange(out: ByteWriter, { low, high }: MlsRange): void {
  if (low.sensitivity === high.sensitivity && low.categories.equals(high.categories)) {
    out.u32(1, low.sensitivity);
    out.ebitmap(low.categories);
  } else {
    out.u32(2, low.sensitivity, high.sensitivity);
    out.ebitmap(low.categories);
    out.ebitmap(high.categories);
  }
}

function writeContext(out: ByteWriter, context: Context): void {
  out.u32(context.user, context.role, context.type);
  writeRange(out, context.range);
}

function writePermissions(out: ByteWriter, permissions: readonly PermissionSymbol[]): void {
  for (const { name, value } of permissions) {
    out.u32(name.length, value);
    out.string(name);
  }
}

function writeConstraints(out: ByteWriter, constraints: readonly Constraint[], version: format.PolicyVersion): void {
  for (const { permissions, expression } of constraints) {
    out.u32(permissions, expression.length);
    for (const step of expression) {
      switch (step.kind) {
        case 'not':
          out.u32(format.CEXPR_NOT, 0, 0);
          break;
        case 'and':
          out.u32(format.CEXPR_AND, 0, 0);
          break;
        case 'or':
          out.u32(format.CEXPR_OR, 0, 0);
          break;
        case 'attribute':
          out.u32(format.CEXPR_ATTR, step.attribute, step.operator);
          break;
        case 'names':
          out.u32(format.CEXPR_NAMES, step.attribute, step.operator);
          out.ebitmap(step.names);
          if (version >= format.POLICYDB_VERSION_CONSTRAINT_NAMES) {
            out.ebitmap(step.written);
            out.ebitmap(Ebitmap.empty);
            out.u32(0);
          }
          break;
      }
    }
  }
}

function writeTable<T extends { readonly name: string }>(
  out: ByteWriter,
  table: SymbolTable<T>,
  write: (symbol: T) => void,
  primaryCount = table.primaryCount,
): void {
  out.u32(primaryCount, table.entries.length);
  for (const symbol of table.entries) write(symbol);
}

function writeClasses(out: ByteWriter, policy: PolicyDb, version: format.PolicyVersion): void {
  writeTable(out, policy.classes, (symbol) => {
    const common = symbol.common ?? '';
    out.u32(
      symbol.name.length,
      common.length,
      symbol.value,
      symbol.permissionCount,
      symbol.permissions.length,
      symbol.constraints.length,
    );
    out.string(symbol.name);
    out.string(common);
    writePermissions(out, symbol.permissions);
    writeConstraints(out, symbol.constraints, version);
    out.u32(symbol.validateTransitions.length);
    writeConstraints(out, symbol.validateTransitions, version);
    const { user, role, range, type } = symbol.defaults;
    // No version that Xen takes can hold glblub; libsepol drops it.
    const writtenRange = range === format.DEFAULT_GLBLUB ? 0 : range;
    if (version >= format.POLICYDB_VERSION_NEW_OBJECT_DEFAULTS) out.u32(user, role, writtenRange);
    if (version >= format.POLICYDB_VERSION_DEFAULT_TYPE) out.u32(type);
  });
}

function writeSymbols(out: ByteWriter, policy: PolicyDb, version: format.PolicyVersion): void {
  writeTable(out, policy.commons, (symbol) => {
    out.u32(symbol.name.length, symbol.value, symbol.permissionCount, symbol.permissions.length);
    out.string(symbol.name);
    writePermissions(out, symbol.permissions);
  });
  writeClasses(out, policy, version);
  writeTable(out, policy.roles, (symbol) => {
    out.u32(symbol.name.length, symbol.value, symbol.bounds);
    out.string(symbol.name);
    out.ebitmap(symbol.dominates);
    out.ebitmap(symbol.types);
  });
  writeTable(out, policy.types, (symbol) => {
    const properties =
      symbol.kind === 'alias'
        ? 0
        : format.TYPE_FLAG_PRIMARY | (symbol.kind === 'attribute' ? format.TYPE_FLAG_ATTRIBUTE : 0);
    out.u32(symbol.name.length, symbol.value, properties, symbol.bounds);
    out.string(symbol.name);
  });
  writeTable(out, policy.users, (symbol) => {
    out.u32(symbol.name.length, symbol.value, symbol.bounds);
    out.string(symbol.name);
    out.ebitmap(symbol.roles);
    writeRange(out, symbol.range);
    writeLevel(out, symbol.defaultLevel);
  });
  writeTable(out, policy.booleans, (symbol) => {
    out.u32(symbol.value, symbol.state ? 1 : 0, symbol.name.length);
    out.string(symbol.name);
  });
  // Aliases count among the primaries in these two tables.
  writeTable(
    out,
    policy.sensitivities,
    (symbol) => {
      out.u32(symbol.name.length, symbol.isAlias ? 1 : 0);
      out.string(symbol.name);
      writeLevel(out, symbol.level);
    },
    policy.sensitivities.entries.length,
  );
  writeTable(
    out,
    policy.categories,
    (symbol) => {
      out.u32(symbol.name.length, symbol.value, symbol.isAlias ? 1 : 0);
      out.string(symbol.name);
    },
    policy.categories.entries.length,
  );
}

function writeConditionals(out: ByteWriter, policy: PolicyDb, blocks: readonly ConditionalEntries[]): void {
  out.u32(blocks.length);
  blocks.forEach((block, i) => {
    const conditional = policy.conditionals[i];
    if (conditional === undefined) return;
    out.u32(conditional.state ? 1 : 0, conditional.expression.length);
    for (const step of conditional.expression) out.u32(step.operator, step.boolean);
    for (const list of [block.whenTrue, block.whenFalse]) {
      out.u32(list.count);
      out.entries(list);
    }
  });
}

function writeTransitions(out: ByteWriter, policy: PolicyDb, version: format.PolicyVersion): void {
  // Version 24 has no class in a role transition, so libsepol drops them all.
  const roleTransitions = version >= format.POLICYDB_VERSION_ROLETRANS ? policy.roleTransitions : [];
  out.u32(roleTransitions.length);
  for (const { role, type, newRole, tclass } of roleTransitions) out.u32(role, type, newRole, tclass);
  out.u32(policy.roleAllows.length);
  for (const { role, newRole } of policy.roleAllows) out.u32(role, newRole);
  if (version >= format.POLICYDB_VERSION_FILENAME_TRANS) {
    out.u32(policy.filenameTransitions.length);
    for (const { name, source, target, tclass, result } of policy.filenameTransitions) {
      out.u32(name.length);
      out.string(name);
      out.u32(source, target, tclass, result);
    }
  }
}

function writeObjectContexts(out: ByteWriter, policy: PolicyDb, version: format.PolicyVersion): void {
  const { initialSids, pirqs, ioports, iomem, pciDevices, deviceTree } = policy.objectContexts;
  const list = <T extends { readonly context: Context }>(items: readonly T[], writeKey: (item: T) => void): void => {
    out.u32(items.length);
    for (const item of items) {
      writeKey(item);
      writeContext(out, item.context);
    }
  };
  const has64Bit = version >= format.POLICYDB_VERSION_XEN_DEVICETREE;
  list(initialSids, (item) => out.u32(item.sid));
  list(pirqs, (item) => out.u32(item.number));
  list(ioports, (item) => out.u32(Number(item.low), Number(item.high)));
  list(iomem, (item) => {
    if (has64Bit) {
      out.u64(item.low);
      out.u64(item.high);
    } else {
      out.u32(Number(item.low), Number(item.high));
    }
  });
  list(pciDevices, (item) => out.u32(item.number));
  if (has64Bit) {
    list(deviceTree, (item) => {
      out.u32(item.path.length);
      out.string(item.path);
    });
  }
}

/** What stands in the way of writing a policy at a version: frames that 32 bits cannot hold. */
export function unwritableAt(
  policy: PolicyDb,
  version: format.PolicyVersion,
): readonly PolicyDb['objectContexts']['iomem'][number][] {
  if (version >= format.POLICYDB_VERSION_XEN_DEVICETREE) return [];
  return policy.objectContexts.iomem.filter((item) => item.high > 0xffffffffn);
}

/**
 * The bytes of a policy.
 *
 * @param rules the entries of the policy's rules, from `expandPolicyRules`
 */
export function writePolicydb(policy: PolicyDb, rules: ExpandedRules, version: format.PolicyVersion): Uint8Array {
  return joinedParts(writePolicyParts(policy, rules, version));
}

/** What `writePolicydb` writes, in parts that follow one another: a large policy is mostly one table, which is not copied. */
export function writePolicyParts(
  policy: PolicyDb,
  rules: ExpandedRules,
  version: format.PolicyVersion,
): readonly Uint8Array[] {
  const out = new ByteWriter();
  const config = (policy.isMls ? format.POLICYDB_CONFIG_MLS : 0) | UNKNOWN_BITS[policy.handleUnknown];
  out.u32(format.POLICYDB_MAGIC, format.POLICYDB_XEN_STRING.length);
  out.string(format.POLICYDB_XEN_STRING);
  out.u32(version, config, format.SYM_NUM, version >= format.POLICYDB_VERSION_XEN_DEVICETREE ? 6 : 5);
  out.ebitmap(policy.policyCapabilities);
  out.ebitmap(policy.permissive);
  writeSymbols(out, policy, version);
  out.u32(rules.entries.count);
  out.entries(rules.entries);
  writeConditionals(out, policy, rules.blocks);
  writeTransitions(out, policy, version);
  writeObjectContexts(out, policy, version);
  out.u32(0); // No genfs contexts in a policy for Xen.
  out.u32(policy.rangeTransitions.length);
  for (const { source, target, tclass, range } of policy.rangeTransitions) {
    out.u32(source, target, tclass);
    writeRange(out, range);
  }
  for (const map of policy.typeAttributeMap) out.ebitmap(map);
  return out.take();
}
