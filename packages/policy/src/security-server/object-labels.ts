/**
 * Labels of interrupts, ports, frames and devices.
 *
 * The lists are Xen's: an entry of the policy has no SID until it is first used, and what is found first counts.
 * Follows: Xen `xen/xsm/flask/ss/services.c` (`security_irq_sid`, `security_iterate_ioport_sids`, `security_ocontext_add`,
 * `security_ocontext_del`, `security_devicetree_setlabel`), `policydb.c` (`policydb_read`).
 *
 * @module
 */
import type { Context, PolicyDb, RangeContext } from '../policydb/index.ts';
import { type Sid, sidOf } from './sid-table.ts';

/** Things that are labelled in ranges. */
export type RangeKind = 'ioport' | 'iomem';
/** Things that are labelled one by one. */
export type NumberKind = 'pirq' | 'pcidevice';
/** Things with numbers that have labels. */
export type ObjectKind = RangeKind | NumberKind;

/** All of them. */
const OBJECT_KINDS: readonly ObjectKind[] = ['pirq', 'pcidevice', 'ioport', 'iomem'];

/** The labels of resources as plain data. Numbers are decimal: they may be larger than JSON's. */
export interface ObjectLabelsSnapshot {
  readonly numbered: readonly {
    readonly kind: ObjectKind;
    readonly low: string;
    readonly high: string;
    /** 0 where the entry is the policy's and nobody has asked for it yet. */
    readonly sid: number;
    /** Where the entry is the policy's. */
    readonly context: string | undefined;
  }[];
  readonly paths: readonly { readonly path: string; readonly sid: number; readonly context: string | undefined }[];
}

/** The SID of entries that nobody has asked for yet. */
const UNUSED = sidOf(0);

interface Labelled {
  readonly low: bigint;
  readonly high: bigint;
  /** Where the entry is the policy's. */
  readonly context: Context | undefined;
  sid: Sid;
}

interface LabelledPath {
  readonly path: string;
  readonly context: Context | undefined;
  sid: Sid;
}

/** A stretch of ports or frames that has one label; `undefined` where the initial SID stands for it. */
export interface LabelledStretch {
  readonly low: bigint;
  readonly high: bigint;
  readonly sid: Sid | undefined;
}

/** The bits of a number that Xen keeps. */
const WIDTHS: Record<ObjectKind, number> = { pirq: 16, pcidevice: 32, ioport: 32, iomem: 64 };

function isNumber(kind: ObjectKind): kind is NumberKind {
  return kind === 'pirq' || kind === 'pcidevice';
}

function ofNumbers(items: readonly { readonly number: number; readonly context: Context }[]): Labelled[] {
  return items.map(({ number, context }) => ({ low: BigInt(number), high: BigInt(number), context, sid: UNUSED }));
}

/**
 * XEN: policydb_read() keeps ranges in order; it goes back to the start where one does not come after the last.
 * Before 4.12 they stay as the file has them, and a range out of order may be passed over.
 */
function ofRanges(items: readonly RangeContext[], isSorted: boolean): Labelled[] {
  if (!isSorted) return items.map(({ low, high, context }) => ({ low, high, context, sid: UNUSED }));
  const list: Labelled[] = [];
  let at = 0;
  for (const { low, high, context } of items) {
    const last = list[at - 1];
    if (at < list.length || (last !== undefined && last.high >= low)) at = firstFrom(list, low);
    list.splice(at, 0, { low, high, context, sid: UNUSED });
    at++;
  }
  return list;
}

/** The place of the first entry that does not end before `low`. */
function firstFrom(list: readonly Labelled[], low: bigint): number {
  const at = list.findIndex((entry) => entry.high >= low);
  return at < 0 ? list.length : at;
}

const hex = (value: bigint): string => (value === 0n ? '0' : `0x${value.toString(16)}`);

/** A label that the policy gives to a resource, by what the policy says of it. */
export type UsedObjectLabel =
  | { readonly kind: ObjectKind; readonly low: bigint; readonly high: bigint }
  | { readonly kind: 'devicetree'; readonly path: string };

export interface ObjectLabelsOptions {
  /** Whether this Xen sorts the ranges of a policy. */
  readonly sortsRanges: boolean;
  readonly sidFor: (context: Context) => Sid;
  readonly log: (line: string) => void;
  /** Told each time that a label of the policy is given to who asks; not of labels that were added at run time. */
  readonly onUse: (used: UsedObjectLabel) => void;
}

/** The labels of a host's resources; those added at run time are lost when a policy is loaded. */
export class ObjectLabels {
  readonly #lists: Record<ObjectKind, Labelled[]>;
  readonly #paths: LabelledPath[];
  readonly #options: ObjectLabelsOptions;

  /** With the labels of a policy; without one there are none. */
  constructor(contexts: PolicyDb['objectContexts'] | undefined, options: ObjectLabelsOptions) {
    this.#lists = {
      pirq: ofNumbers(contexts?.pirqs ?? []),
      pcidevice: ofNumbers(contexts?.pciDevices ?? []),
      ioport: ofRanges(contexts?.ioports ?? [], options.sortsRanges),
      iomem: ofRanges(contexts?.iomem ?? [], options.sortsRanges),
    };
    this.#paths = (contexts?.deviceTree ?? []).map(({ path, context }) => ({ path, context, sid: UNUSED }));
    this.#options = options;
  }

  /** All labels in Xen's order, as `restore` takes them. */
  snapshot(textOf: (context: Context) => string): ObjectLabelsSnapshot {
    const textOrNone = (context: Context | undefined): string | undefined => context && textOf(context);
    const listed = (kind: ObjectKind): ObjectLabelsSnapshot['numbered'] =>
      this.#lists[kind].map(({ low, high, context, sid }) => ({
        kind,
        low: String(low),
        high: String(high),
        sid,
        context: textOrNone(context),
      }));
    return {
      numbered: OBJECT_KINDS.flatMap(listed),
      paths: this.#paths.map(({ path, context, sid }) => ({ path, sid, context: textOrNone(context) })),
    };
  }

  /** Puts a snapshot in the place of all labels. A label of the policy that cannot be read is left out. */
  restore({ numbered, paths }: ObjectLabelsSnapshot, read: (text: string) => Context | undefined): void {
    const readOrNone = (text: string | undefined): { readonly context: Context | undefined } | undefined => {
      if (text === undefined) return { context: undefined };
      const context = read(text);
      return context && { context };
    };
    for (const kind of OBJECT_KINDS) this.#lists[kind].length = 0;
    for (const { kind, low, high, sid, context } of numbered) {
      const label = readOrNone(context);
      if (label !== undefined)
        this.#lists[kind].push({ low: BigInt(low), high: BigInt(high), sid: sidOf(sid), ...label });
    }
    this.#paths.length = 0;
    for (const { path, sid, context } of paths) {
      const label = readOrNone(context);
      if (label !== undefined) this.#paths.push({ path, sid: sidOf(sid), ...label });
    }
  }

  #sidOf(entry: Labelled | LabelledPath): Sid {
    if (entry.sid === UNUSED && entry.context !== undefined) entry.sid = this.#options.sidFor(entry.context);
    return entry.sid;
  }

  #use(kind: ObjectKind, entry: Labelled): Sid {
    const { low, high, context } = entry;
    if (context !== undefined) this.#options.onUse({ kind, low, high });
    return this.#sidOf(entry);
  }

  find(kind: NumberKind, number: bigint): Sid | undefined {
    const entry = this.#lists[kind].find(({ low }) => low === number);
    return entry && this.#use(kind, entry);
  }

  findPath(path: string): Sid | undefined {
    const entry = this.#paths.find((one) => one.path === path);
    if (entry?.context !== undefined) this.#options.onUse({ kind: 'devicetree', path });
    return entry && this.#sidOf(entry);
  }

  /** The stretches of a range, one after the other; a label gets its SID when its stretch is asked for. */
  *stretches(kind: RangeKind, start: bigint, end: bigint): Generator<LabelledStretch, void, void> {
    const list = this.#lists[kind];
    let at = start;
    for (let i = firstFrom(list, start); i < list.length; i++) {
      const entry = list[i];
      if (entry === undefined || entry.low > end) break;
      const sid = this.#use(kind, entry);
      if (at < entry.low) {
        yield { low: at, high: entry.low - 1n, sid: undefined };
        at = entry.low;
      }
      if (end <= entry.high) {
        yield { low: at, high: end, sid };
        return;
      }
      yield { low: at, high: entry.high, sid };
      at = entry.high + 1n;
    }
    yield { low: at, high: end, sid: undefined };
  }

  add(kind: ObjectKind, low: bigint, high: bigint, sid: Sid): 'EEXIST' | 'EINVAL' | undefined {
    if (low > high || (isNumber(kind) && low !== high)) return 'EINVAL';
    const list = this.#lists[kind];
    const kept = (value: bigint): bigint => BigInt.asUintN(WIDTHS[kind], value);
    const entry: Labelled = { low: kept(low), high: kept(high), context: undefined, sid };
    if (isNumber(kind)) {
      const known = list.find((one) => one.low === entry.low);
      if (known !== undefined && known.sid !== sid) {
        this.#options.log(
          kind === 'pirq' ? `flask: Duplicate pirq ${entry.low}` : `flask: Duplicate PCI Device ${hex(entry.low)}`,
        );
        return 'EEXIST';
      }
      list.unshift(entry);
      return undefined;
    }
    const at = firstFrom(list, low);
    const next = list[at];
    if (next === undefined || next.low > high) {
      list.splice(at, 0, entry);
      return undefined;
    }
    if (next.low === low && next.high === high && next.sid === sid) return undefined;
    const what = kind === 'ioport' ? 'IO Port' : 'IO Memory';
    this.#options.log(`flask: ${what} overlap with entry ${hex(next.low)} - ${hex(next.high)}`);
    return 'EEXIST';
  }

  remove(kind: ObjectKind, low: bigint, high: bigint): 'ENOENT' | 'EINVAL' | undefined {
    if (low > high) return 'EINVAL';
    const list = this.#lists[kind];
    const at = list.findIndex((entry) => entry.low === low && (isNumber(kind) || entry.high === high));
    if (at >= 0) {
      list.splice(at, 1);
      return undefined;
    }
    const range = isNumber(kind) ? (kind === 'pirq' ? `${low}` : hex(low)) : `${hex(low)} - ${hex(high)}`;
    this.#options.log(`flask: ocontext not found: ${kind} ${range}`);
    return 'ENOENT';
  }

  /** The PCI devices that have a label from run time, with its SID, each once. */
  *addedDevices(): Generator<{ readonly device: bigint; readonly sid: Sid }, void, void> {
    const seen = new Set<bigint>();
    for (const { low, context, sid } of this.#lists.pcidevice) {
      if (context === undefined && !seen.has(low)) yield { device: low, sid };
      seen.add(low);
    }
  }

  /** Labels a node of the device tree, or with SID 0 takes its label away. */
  setPath(path: string, sid: Sid): 'EEXIST' | 'ENOENT' | undefined {
    const at = this.#paths.findIndex((entry) => entry.path === path);
    if (sid === UNUSED) {
      if (at < 0) return 'ENOENT';
      this.#paths.splice(at, 1);
      return undefined;
    }
    if (at >= 0) return 'EEXIST';
    this.#paths.unshift({ path, context: undefined, sid });
    return undefined;
  }
}
