/**
 * The lines in which Xen tells of a decision.
 *
 * Follows: Xen `xen/xsm/flask/avc.c` (`avc_audit`, `avc_dump_av`).
 *
 * @module
 */

/** What a check was about, besides labels. */
export interface AuditData {
  /** The domain that asked, where the record names one. */
  readonly source?: number;
  readonly target?: number;
  /** The domain that runs now: named where the record names no domain. */
  readonly current: number;
  /** PCI device (SBDF). */
  readonly device?: number;
  readonly irq?: number;
  readonly range?: { readonly low: bigint; readonly high: bigint };
  readonly dtdevice?: string;
}

/** What an avc line tells. */
export interface AvcRecord {
  readonly outcome: 'denied' | 'granted';
  /** Bits to name. */
  readonly permissions: number;
  readonly permissionNames: readonly string[];
  /** The label of the source, or its SID where Xen has no label for it. */
  readonly scontext: string | number;
  readonly tcontext: string | number;
  readonly tclass: string;
  readonly data: AuditData;
  /** Before 4.17 the line names domains by `domid=`. */
  readonly hasOldNames: boolean;
  /** In 4.3 and 4.4 a zero has the prefix of a hexadecimal number too. */
  readonly hasPrefixedZero?: boolean;
}

const SPECIAL_DOMAINS: ReadonlyMap<number, string> = new Map([
  [0x7ff1, '[IO]'],
  [0x7ff2, '[XEN]'],
  [0x7ff3, '[COW]'],
  [0x7fff, '[IDLE]'],
]);

function domains({ source, target, current }: AuditData, hasOldNames: boolean): string {
  if (hasOldNames) {
    if (source !== undefined && target !== undefined && source !== target) return `domid=${source} target=${target}`;
    if (source === undefined && target !== undefined) return `target=${target}`;
    return `domid=${source ?? current}`;
  }
  const name = (domid: number): string => `d${SPECIAL_DOMAINS.get(domid) ?? domid}`;
  if (source !== undefined && target !== undefined && source !== target)
    return `source=${name(source)} target=${name(target)}`;
  if (source !== undefined) return `source=${name(source)}`;
  return target === undefined ? `current=${name(current)}` : `target=${name(target)}`;
}

function permissionText(bits: number, names: readonly string[]): string {
  if (bits === 0) return ' null';
  let text = ' {';
  let rest = bits >>> 0;
  for (const [bit, name] of names.entries()) {
    const mask = (1 << bit) >>> 0;
    if ((rest & mask) === 0) continue;
    text += ` ${name}`;
    rest = (rest & ~mask) >>> 0;
  }
  return rest === 0 ? `${text} }` : `${text} 0x${rest.toString(16)} }`;
}

/** The line, without the console's prefix and without its end. */
export function formatAvcLine(record: AvcRecord): string {
  const { device, irq, range, dtdevice } = record.data;
  const zero = record.hasPrefixedZero === true ? '0x0' : '0';
  const hex = (value: bigint | number): string => (BigInt(value) === 0n ? zero : `0x${value.toString(16)}`);
  const parts = [`avc:  ${record.outcome} ${permissionText(record.permissions, record.permissionNames)} for`];
  parts.push(domains(record.data, record.hasOldNames));
  if (device !== undefined) parts.push(`device=${hex(device)}`);
  if (irq !== undefined) parts.push(`irq=${irq}`);
  if (range !== undefined) parts.push(`range=${hex(range.low)}-${hex(range.high)}`);
  if (dtdevice !== undefined) parts.push(`dtdevice=${dtdevice}`);
  const { scontext, tcontext } = record;
  parts.push(typeof scontext === 'number' ? `ssid=${scontext}` : `scontext=${scontext}`);
  parts.push(typeof tcontext === 'number' ? `tsid=${tcontext}` : `tcontext=${tcontext}`);
  parts.push(`tclass=${record.tclass}`);
  return parts.join(' ');
}
