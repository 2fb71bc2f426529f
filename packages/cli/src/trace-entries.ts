/**
 * What Xen checked while a command ran, in order, with equal neighbours folded.
 *
 * @module
 */
import { type Hypervisor, hypercallsAsking } from '@dewar/hypervisor';
import { type LogLine, readLog } from '@dewar/policy/explain';
import { operationsOf, type XenReleaseName } from '@dewar/policy/releases';
import type { Actor, HypercallName } from '@dewar/toolstack';

/** One check, made `count` times in a row. */
export interface CheckEntry {
  readonly kind: 'check';
  readonly outcome: 'granted' | 'denied';
  /** Whether what was denied did not happen. Where nobody knows the mode, it is taken for enforcing. */
  readonly isEnforced: boolean;
  readonly class: string;
  /** All that was asked for, or only what was denied of it, as Xen logs it. */
  readonly permissions: readonly string[];
  /** Labels, or SIDs that Xen had no label for. */
  readonly source: string;
  readonly target: string;
  /** The domains behind the labels, where Xen says it. */
  readonly sourceDomid: number | undefined;
  readonly targetDomid: number | undefined;
  /** Hypercalls that ask for this: one where it is known which it was. */
  readonly operations: readonly string[];
  /** The program that asked; a real Xen cannot tell. */
  readonly process: string | undefined;
  readonly count: number;
}

/** Something else that Xen's FLASK said meanwhile. */
interface RemarkEntry {
  readonly kind: 'remark';
  readonly text: string;
  readonly count: number;
}

export type TraceEntry = CheckEntry | RemarkEntry;

/** So many entries are kept; what comes then is counted. */
const ENTRIES_KEPT = 50_000;

/** Takes entries one after the other. */
export class TraceRecord {
  readonly entries: TraceEntry[] = [];
  /** How many came in all, before folding. */
  total = 0;
  denied = 0;
  /** Entries that were counted, and not kept. */
  dropped = 0;
  #lastKey = '';

  add(entry: TraceEntry): void {
    const { count, ...rest } = entry;
    if (entry.kind === 'check') {
      this.total += count;
      if (entry.outcome === 'denied') this.denied += count;
    }
    const key = JSON.stringify(rest);
    const last = this.entries.at(-1);
    if (last !== undefined && key === this.#lastKey) {
      this.entries.splice(-1, 1, { ...last, count: last.count + count });
      return;
    }
    if (this.entries.length >= ENTRIES_KEPT) {
      this.dropped += count;
      this.#lastKey = '';
      return;
    }
    this.#lastKey = key;
    this.entries.push(entry);
  }
}

/** The hypercalls that ask for one of some permissions: those of the tables of checks, then all others. */
function operationsAsking(className: string, permissions: readonly string[], release: XenReleaseName): string[] {
  const names = permissions.map((permission) => {
    const simulated = hypercallsAsking(className, permission, release).map(({ hypercall }) => String(hypercall));
    const others = operationsOf(className, permission).filter(
      (one) => !simulated.some((name) => name === one || name.startsWith(`${one}.`)),
    );
    return [...simulated, ...others];
  });
  // A hypercall that asks for all at once is what made the check.
  const [first = [], ...rest] = names;
  const common = first.filter((name) => rest.every((list) => list.includes(name)));
  return [...new Set(common.length > 0 ? common : names.flat())];
}

/** Reads what a real Xen logged. */
export class LogReader {
  readonly #release: XenReleaseName;
  readonly #isEnforcing: boolean;
  readonly #operations = new Map<string, readonly string[]>();
  /** Lines of FLASK that were cut off or garbled. */
  broken = 0;
  /** Lines that Xen did not write, because it writes only so many in some time. */
  suppressed = 0;

  constructor(release: XenReleaseName, isEnforcing: boolean) {
    this.#release = release;
    this.#isEnforcing = isEnforcing;
  }

  /** The entries in some whole lines. */
  read(text: string): TraceEntry[] {
    const { lines, broken, skipped } = readLog(text);
    this.broken += broken.length + skipped;
    // XEN: `__printk_ratelimit`.
    for (const [, count] of text.matchAll(/printk: (\d{1,9}) messages suppressed\./g)) this.suppressed += Number(count);
    return lines.flatMap((line) => {
      const entry = this.#entryOf(line);
      return entry === undefined ? [] : [entry];
    });
  }

  #operationsOf(className: string, permissions: readonly string[]): readonly string[] {
    const key = `${className} ${permissions.join(' ')}`;
    const known = this.#operations.get(key);
    if (known !== undefined) return known;
    const found = operationsAsking(className, permissions, this.#release);
    this.#operations.set(key, found);
    return found;
  }

  #entryOf(line: LogLine): TraceEntry | undefined {
    switch (line.kind) {
      case 'avc': {
        const domid = (text: string | undefined): number | undefined =>
          text === undefined || !/^\d{1,5}$/.test(text) ? undefined : Number(text);
        const sourceDomid = domid(line.sourceDomain) ?? domid(line.currentDomain);
        return {
          kind: 'check',
          outcome: line.outcome,
          isEnforced: line.outcome === 'denied' && this.#isEnforcing,
          class: line.class,
          permissions: line.permissions,
          source: String(line.source),
          target: String(line.target),
          sourceDomid,
          // XEN: a check of a domain on itself names it once, as its source.
          targetDomid: domid(line.targetDomain) ?? domid(line.sourceDomain),
          operations: this.#operationsOf(line.class, line.permissions),
          process: undefined,
          count: 1,
        };
      }
      case 'unknown-operation': {
        const outcome = line.outcome === 'denied' ? 'denied' : 'let through';
        return {
          kind: 'remark',
          text: `${line.group} ${line.number} has no check in FLASK, and was ${outcome}`,
          count: 1,
        };
      }
      case 'label':
        return line.event === 'computed-invalid'
          ? { kind: 'remark', text: `the label \`${line.label}\` was computed, and is not valid`, count: 1 }
          : undefined;
      case 'mode':
        return undefined;
    }
  }
}

/** Records what a simulated Xen checks from now on. */
export function recordSimulated(hypervisor: Hypervisor, record: TraceRecord): void {
  let current: { readonly actor: Actor; readonly name: HypercallName } | undefined;
  hypervisor.observeCalls((actor, name) => {
    current = { actor, name };
  });
  hypervisor.observe((check) => {
    record.add({
      kind: 'check',
      outcome: check.outcome,
      isEnforced: check.isEnforced,
      class: check.class,
      permissions: check.permissions,
      source: check.source,
      target: check.target,
      sourceDomid: check.sourceDomid ?? current?.actor.domid,
      targetDomid: check.targetDomid,
      operations: current === undefined ? [] : [current.name],
      process: current?.actor.process,
      count: 1,
    });
  });
}
