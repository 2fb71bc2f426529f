/**
 * Labels of interrupts, ports, frames and devices.
 *
 * Follows: Xen `xen/xsm/flask/ss/services.c` (`security_irq_sid`, `security_iterate_ioport_sids`, `security_ocontext_add`).
 *
 * @module
 */
import type { Context, PolicyDb } from '../policydb/index.ts';
import type { Sid } from './sid-table.ts';

export type RangeKind = 'ioport' | 'iomem';
export type NumberKind = 'pirq' | 'pcidevice';
export type ObjectKind = RangeKind | NumberKind;

interface Labelled {
  readonly low: bigint;
  readonly high: bigint;
  readonly label: Context | Sid;
}

/** A stretch of ports or frames that has one label; `undefined` where the initial SID stands for it. */
export interface LabelledStretch {
  readonly low: bigint;
  readonly high: bigint;
  readonly label: Context | Sid | undefined;
}

/** The labels of a host's resources; those added at run time are lost when a policy is loaded. */
export class ObjectLabels {
  readonly #ranges: Record<ObjectKind, Labelled[]> = { pirq: [], ioport: [], iomem: [], pcidevice: [] };
  readonly #paths = new Map<string, Context | Sid>();

  constructor(policy: PolicyDb) {
    const { pirqs, ioports, iomem, pciDevices, deviceTree } = policy.objectContexts;
    const byLow = (a: Labelled, b: Labelled): number => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0);
    const numbered = (items: readonly { readonly number: number; readonly context: Context }[]): Labelled[] =>
      items.map(({ number, context }) => ({ low: BigInt(number), high: BigInt(number), label: context }));
    const ranged = (items: PolicyDb['objectContexts']['ioports']): Labelled[] =>
      items.map(({ low, high, context }) => ({ low, high, label: context })).sort(byLow);
    this.#ranges.pirq = numbered(pirqs);
    this.#ranges.pcidevice = numbered(pciDevices);
    this.#ranges.ioport = ranged(ioports);
    this.#ranges.iomem = ranged(iomem);
    for (const { path, context } of deviceTree) this.#paths.set(path, context);
  }

  find(kind: NumberKind, number: bigint): Context | Sid | undefined {
    return this.#ranges[kind].find(({ low }) => low === number)?.label;
  }

  path(path: string): Context | Sid | undefined {
    return this.#paths.get(path);
  }

  /** The stretches of a range, each with its label, without gaps. */
  stretches(kind: RangeKind, start: bigint, end: bigint): LabelledStretch[] {
    const found: LabelledStretch[] = [];
    let at = start;
    for (const { low, high, label } of this.#ranges[kind]) {
      if (high < start) continue;
      if (low > end) break;
      if (at < low) {
        found.push({ low: at, high: low - 1n, label: undefined });
        at = low;
      }
      const last = high < end ? high : end;
      found.push({ low: at, high: last, label });
      at = last + 1n;
    }
    if (at <= end) found.push({ low: at, high: end, label: undefined });
    return found;
  }

  /** Adds a label; a stretch that has one already is refused. */
  add(kind: ObjectKind, low: bigint, high: bigint, sid: Sid): 'EEXIST' | 'EINVAL' | undefined {
    const isNumber = kind === 'pirq' || kind === 'pcidevice';
    if (low > high || (isNumber && low !== high)) return 'EINVAL';
    const list = this.#ranges[kind];
    const overlapping = list.find((item) => item.low <= high && low <= item.high);
    if (overlapping !== undefined) return isNumber && overlapping.label === sid ? undefined : 'EEXIST';
    const at = list.findIndex((item) => item.low > low);
    list.splice(at < 0 ? list.length : at, 0, { low, high, label: sid });
    return undefined;
  }

  /** Takes away exactly this stretch. */
  remove(kind: ObjectKind, low: bigint, high: bigint): 'ENOENT' | undefined {
    const list = this.#ranges[kind];
    const at = list.findIndex((item) => item.low === low && item.high === high);
    if (at < 0) return 'ENOENT';
    list.splice(at, 1);
    return undefined;
  }

  labelPath(path: string, sid: Sid): 'EEXIST' | undefined {
    if (this.#paths.has(path)) return 'EEXIST';
    this.#paths.set(path, sid);
    return undefined;
  }

  unlabelPath(path: string): 'ENOENT' | undefined {
    return this.#paths.delete(path) ? undefined : 'ENOENT';
  }
}
