/**
 * What Xen's console tells of FLASK, line by line: avc lines, operations without a check, and what was said of labels.
 *
 * @module
 */

/** A domain as an avc line names it: `0`, or a name in brackets such as `[IDLE]`. */
export type DomainName = string;

/** One avc line, of any release. */
export interface AvcLine {
  readonly kind: 'avc';
  /** Line of the log, from 1. */
  readonly line: number;
  readonly outcome: 'denied' | 'granted';
  readonly permissions: readonly string[];
  /** Bits without a name in the Xen that wrote the line; 0 where there is none. */
  readonly unnamedBits: number;
  /** The label of the source, or its SID where Xen had no label for it. */
  readonly source: string | number;
  readonly target: string | number;
  readonly class: string;
  /** Who asked: `source=`, or `domid=` before Xen 4.17. */
  readonly sourceDomain: DomainName | undefined;
  /** About whom: `target=`. */
  readonly targetDomain: DomainName | undefined;
  /** Who was running, where the check named no domain: `current=`. */
  readonly currentDomain: DomainName | undefined;
  /** What else the line names: `device`, `irq`, `range`, `pte`, `mfn`, `dtdevice`, as written. */
  readonly details: Readonly<Partial<Record<DetailName, string>>>;
  /** `domid=`: the line is of a Xen before 4.17. */
  readonly hasOldNames: boolean;
}

/** What a line can name beside domains and labels. */
export type DetailName = 'device' | 'irq' | 'range' | 'pte' | 'mfn' | 'dtdevice';

/** Xen met an operation that FLASK has no check for. */
export interface UnknownOperationLine {
  readonly kind: 'unknown-operation';
  readonly line: number;
  readonly outcome: 'denied' | 'allowed';
  /** The group of operations as Xen calls it: `domctl`, `sysctl`, `platform_op`, … */
  readonly group: string;
  readonly number: number;
}

/** Xen said something of a label. */
export interface LabelLine {
  readonly kind: 'label';
  readonly line: number;
  /** `invalidated`: a new policy does not know it. `invalid`: it was kept, or computed, and is not valid. */
  readonly event: 'invalidated' | 'invalid' | 'computed-invalid';
  readonly label: string;
  /** The labels that it was computed from. */
  readonly source: string | undefined;
  readonly target: string | undefined;
  readonly class: string | undefined;
}

/** Xen said in which mode FLASK is. */
export interface ModeLine {
  readonly kind: 'mode';
  readonly line: number;
  readonly mode: 'enforcing' | 'permissive' | 'late' | 'disabled';
}

/** A line that Xen's FLASK wrote. */
export type LogLine = AvcLine | UnknownOperationLine | LabelLine | ModeLine;

/** What a log holds. */
export interface LogReading {
  readonly lines: readonly LogLine[];
  /** Lines in all. */
  readonly lineCount: number;
  /** Lines with an avc message that is cut off or garbled: their numbers, from 1. */
  readonly broken: readonly number[];
  /** avc lines of SELinux in Linux, which are none of Xen's. */
  readonly linuxLines: number;
  /** avc lines that a guest wrote to its console, which Xen marks with its number: they prove nothing. */
  readonly guestLines: number;
  /** Messages that a limit on their rate left out, as the log itself says; avc lines may be among them. */
  readonly suppressed: number;
  /** Lines that FLASK wrote beyond the limit, and that were not looked at. */
  readonly skipped: number;
}

/** How much of a log is looked at. */
export interface LogLimits {
  /** Lines that FLASK wrote. */
  readonly lines: number;
  /** Characters of one line. */
  readonly lineLength: number;
}

/** What is looked at where nothing else is said. Xen's own buffer for an avc line has 1 KiB. */
export const DEFAULT_LOG_LIMITS: LogLimits = { lines: 200_000, lineLength: 16_384 };
