/**
 * Labels of devices as text, in the order of the binary.
 *
 * @module
 */
import type { PolicyDb } from '../policydb/index.ts';
import type { Names } from './names.ts';

/** Text cannot name a greater interrupt: Xen keeps 16 bits of it. */
const MAX_PIRQ = 0xffff;

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

function rangeText(low: bigint, high: bigint): string {
  return low === high ? hex(low) : `${hex(low)}-${hex(high)}`;
}

/** A path as a token: quoted where it has blanks. */
function pathText(path: string, names: Names): string {
  const isPlain = /^\/[^ \n\r\t\f]*$/.test(path);
  const isQuotable = /^\/[^"\n]*$/.test(path);
  if ((!isPlain && !isQuotable) || path.length > 8000) names.lost('a device tree path that is no token');
  return isPlain ? path : `"${path}"`;
}

/** `pirqcon`, `ioportcon`, `iomemcon`, `pcidevicecon` and `devicetreecon` statements. */
export function deviceText(policy: PolicyDb, names: Names): string[] {
  const { pirqs, ioports, iomem, pciDevices, deviceTree } = policy.objectContexts;
  for (const [what, list] of [
    ['interrupts', pirqs.map(({ number }) => number)],
    ['PCI devices', pciDevices.map(({ number }) => number)],
    ['device tree nodes', deviceTree.map(({ path }) => path)],
  ] as const) {
    if (new Set<number | string>(list).size !== list.length) names.lost(`two labels of the same of the ${what}`);
  }
  for (const [what, list] of [
    ['I/O ports', ioports],
    ['frames', iomem],
  ] as const) {
    const sorted = list.toSorted((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
    const isSound = sorted.every(({ low, high }, i) => low <= high && (i === 0 || (sorted[i - 1]?.high ?? 0n) < low));
    if (!isSound) names.lost(`ranges of ${what} that overlap or end before they begin`);
  }
  if (pirqs.some(({ number }) => number > MAX_PIRQ)) names.lost('an interrupt with more than 16 bits');
  return [
    ...pirqs.map(({ number, context }) => `pirqcon ${number} ${names.context(context)}`),
    ...ioports.map(({ low, high, context }) => `ioportcon ${rangeText(low, high)} ${names.context(context)}`),
    ...iomem.map(({ low, high, context }) => `iomemcon ${rangeText(low, high)} ${names.context(context)}`),
    ...pciDevices.map(({ number, context }) => `pcidevicecon ${hex(number)} ${names.context(context)}`),
    ...deviceTree.map(({ path, context }) => `devicetreecon ${pathText(path, names)} ${names.context(context)}`),
  ];
}
