/**
 * Where the characters of a text came from, kept compactly while m4 moves text about.
 *
 * A `Provenance` is a tree over stretches of source texts. Copying text shares the tree, and expanding a macro
 * wraps it, so a macro that is redefined by appending to itself costs one node each time. Origins as the rest of
 * the compiler knows them are made only when somebody asks.
 *
 * Start reading at `Provenance`.
 *
 * @module
 */
import {
  InvariantError,
  type MappedText,
  NONE,
  type Origin,
  type OriginRuns,
  runAt,
  type SourceText,
  type Span,
} from '../text/index.ts';

/** One source text seen through one macro call; stretches of text point at these. */
export interface Frame {
  readonly source: SourceText;
  /** The call whose expansion the text belongs to; undefined for text as it was written. */
  readonly call: Call | undefined;
}

/** Longest chain of calls that is kept; a deeper one keeps its innermost and its outermost part. */
const MAX_CHAIN = 200;

/** One macro call: the name and where it stood. */
export class Call {
  readonly macro: string;
  readonly frame: Frame;
  readonly start: number;
  readonly end: number;
  readonly depth: number;
  #frames: Frame[] = [];
  #origin: Origin | undefined;

  constructor(macro: string, frame: Frame, start: number, end: number) {
    this.macro = macro;
    const parent = frame.call;
    if (parent !== undefined && parent.depth >= MAX_CHAIN) {
      let outermost = parent;
      while (outermost.frame.call !== undefined) outermost = outermost.frame.call;
      this.frame = outermost.frameOf(frame.source);
      this.depth = 2;
    } else {
      this.frame = frame;
      this.depth = parent === undefined ? 1 : parent.depth + 1;
    }
    this.start = start;
    this.end = end;
  }

  /** The frame for text of `source` that this call expanded. */
  frameOf(source: SourceText): Frame {
    for (const frame of this.#frames) if (frame.source === source) return frame;
    const frame: Frame = { source, call: this };
    this.#frames.push(frame);
    return frame;
  }

  /** Where the macro's name stood. Chains are at most `MAX_CHAIN` long, so the recursion is bounded. */
  get origin(): Origin {
    this.#origin ??= frameOrigin(this.frame, this.start, this.end);
    return this.#origin;
  }
}

/** The origin of a stretch of one frame's source. */
function frameOrigin(frame: Frame, start: number, end: number): Origin {
  const span: Span = { source: frame.source, start, end };
  if (frame.call === undefined) return { kind: 'written', span };
  return { kind: 'expanded', span, macro: frame.call.macro, call: frame.call.origin };
}

/**
 * Where `length` characters came from. One of three shapes:
 * a leaf (`frame` is set), a sequence (`parts`), or `parts` seen through the expansion `call`.
 */
export interface Provenance {
  readonly length: number;
  readonly frame: Frame | undefined;
  readonly offset: number;
  /** When not 0, all characters stand for the same span of this length: text that m4 made, such as a number. */
  readonly fixed: number;
  readonly parts: readonly Provenance[];
  readonly call: Call | undefined;
}

const NO_PARTS: readonly Provenance[] = [];

/** All nodes are made here, with one shape: there are as many as there are tokens. */
function node(
  length: number,
  frame: Frame | undefined,
  offset: number,
  fixed: number,
  parts: readonly Provenance[],
  call: Call | undefined,
): Provenance {
  return { length, frame, offset, fixed, parts, call };
}

/** Text that stands in a source as it is. */
export function leaf(length: number, frame: Frame, offset: number): Provenance {
  return node(length, frame, offset, 0, NO_PARTS, undefined);
}

/** Text that m4 made; it points at one span however long it is. */
export function fixedLeaf(length: number, frame: Frame, offset: number, span: number): Provenance {
  return node(length, frame, offset, Math.max(1, span), NO_PARTS, undefined);
}

/** The same place with another length. */
export function withLength(leafNode: Provenance, length: number): Provenance {
  return node(length, leafNode.frame, leafNode.offset, leafNode.fixed, NO_PARTS, undefined);
}

/** Several stretches one after the other. */
export function sequence(parts: readonly Provenance[], length: number): Provenance {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return node(length, undefined, 0, 0, parts, undefined);
}

/** The text of a macro's body as the expansion of `call`. */
export function expandedBy(provenance: Provenance, call: Call): Provenance {
  if (provenance.frame !== undefined) {
    return node(
      provenance.length,
      call.frameOf(provenance.frame.source),
      provenance.offset,
      provenance.fixed,
      NO_PARTS,
      undefined,
    );
  }
  return node(provenance.length, undefined, 0, 0, [provenance], call);
}

/** Part of a leaf. */
export function leafSlice(whole: Provenance, from: number, to: number): Provenance {
  if (from === 0 && to === whole.length) return whole;
  const offset = whole.fixed === 0 ? whole.offset + from : whole.offset;
  return node(to - from, whole.frame, offset, whole.fixed, NO_PARTS, undefined);
}

/** The leaves of a tree in order. Trees may be as deep as a text has been appended to, so this keeps its own stack. */
export function leavesOf(provenance: Provenance): Provenance[] {
  if (provenance.frame !== undefined) return [provenance];
  const leaves: Provenance[] = [];
  const nodes: Provenance[] = [provenance];
  const calls: (Call | undefined)[] = [undefined];
  for (let at = nodes.pop(); at !== undefined; at = nodes.pop()) {
    const outer = calls.pop();
    if (at.frame !== undefined) {
      if (at.length > 0) leaves.push(outer === undefined ? at : expandedBy(at, outer));
      continue;
    }
    // The outermost expansion is the one that put the text where it is now.
    const call = outer ?? at.call;
    for (let i = at.parts.length - 1; i >= 0; i--) {
      const part = at.parts[i];
      if (part === undefined) continue;
      nodes.push(part);
      calls.push(call);
    }
  }
  return leaves;
}

/** The first leaf of a tree, or undefined for no text. */
export function firstLeaf(provenance: Provenance): Provenance | undefined {
  let at: Provenance | undefined = provenance;
  let call: Call | undefined;
  while (at !== undefined && at.frame === undefined) {
    call ??= at.call;
    at = at.parts.find((part) => part.length > 0);
  }
  return at === undefined || call === undefined ? at : expandedBy(at, call);
}

/** The origin of the first character of a text, spanning its first stretch. */
export function originOf(provenance: Provenance): Origin | undefined {
  const first = firstLeaf(provenance);
  if (first?.frame === undefined) return undefined;
  return frameOrigin(first.frame, first.offset, first.offset + (first.fixed === 0 ? first.length : first.fixed));
}

/** The stretches of an output text, in columns. */
export class RunList {
  count = 0;
  starts: Int32Array<ArrayBuffer> = new Int32Array(64);
  offsets: Int32Array<ArrayBuffer> = new Int32Array(64);
  fixed: Int32Array<ArrayBuffer> = new Int32Array(64);
  frames: Frame[] = [];

  /** Adds a stretch that begins at `start`; one that goes on where the last ended is joined to it. */
  add(start: number, length: number, frame: Frame, offset: number, fixed: number): void {
    if (length === 0) return;
    const last = this.count - 1;
    if (
      last >= 0 &&
      this.frames[last] === frame &&
      this.fixed[last] === fixed &&
      (fixed === 0
        ? (this.offsets[last] ?? 0) + start - (this.starts[last] ?? 0) === offset
        : this.offsets[last] === offset)
    ) {
      return;
    }
    if (this.count === this.starts.length) {
      this.starts = grown(this.starts);
      this.offsets = grown(this.offsets);
      this.fixed = grown(this.fixed);
    }
    this.starts[this.count] = start;
    this.offsets[this.count] = offset;
    this.fixed[this.count] = fixed;
    this.frames.push(frame);
    this.count++;
  }

  /** Adds the stretches of a tree, beginning at `start`. */
  addTree(start: number, provenance: Provenance): void {
    if (provenance.frame !== undefined) {
      this.add(start, provenance.length, provenance.frame, provenance.offset, provenance.fixed);
      return;
    }
    let at = start;
    for (const part of leavesOf(provenance)) {
      if (part.frame !== undefined) this.add(at, part.length, part.frame, part.offset, part.fixed);
      at += part.length;
    }
  }

  /** Adds another list whose text now begins at `start`. */
  addAll(start: number, other: RunList, length: number): void {
    for (let i = 0; i < other.count; i++) {
      const frame = other.frames[i];
      if (frame === undefined) continue;
      const from = other.starts[i] ?? 0;
      const to = i + 1 < other.count ? (other.starts[i + 1] ?? 0) : length;
      this.add(start + from, to - from, frame, other.offsets[i] ?? 0, other.fixed[i] ?? 0);
    }
  }
}

function grown(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(column.length * 2);
  wider.set(column);
  return wider;
}

/** The stretches as numbers alone. */
function runColumns({ count, starts, offsets, fixed, frames }: RunList): OriginRuns {
  const sources = new Numbered<SourceText>();
  const macros = new Numbered<string>();
  const allFrames = new Numbered<Frame>();
  const calls = new Numbered<Call>();
  const callFrames: number[] = [];
  const frameCalls: number[] = [];
  /** Calls are at most `MAX_CHAIN` deep. Those around a call get their numbers before it. */
  const frameNumber = (frame: Frame): number => {
    const known = allFrames.find(frame);
    if (known !== undefined) return known;
    const { call } = frame;
    const number = call === undefined ? NONE : (calls.find(call) ?? callNumber(call));
    frameCalls.push(number);
    return allFrames.add(frame);
  };
  const callNumber = (call: Call): number => {
    const frame = frameNumber(call.frame);
    callFrames.push(frame);
    return calls.add(call);
  };
  const runFrames = Uint32Array.from({ length: count }, (_, i) => {
    const frame = frames[i];
    if (frame === undefined) throw new InvariantError(`stretch ${i} has no frame`);
    return frameNumber(frame);
  });
  const ofCalls = (value: (call: Call) => number): Uint32Array => Uint32Array.from(calls.all, value);
  return {
    starts: Uint32Array.from(starts.subarray(0, count)),
    frames: runFrames,
    offsets: Uint32Array.from(offsets.subarray(0, count)),
    fixed: Uint32Array.from(fixed.subarray(0, count)),
    frameSources: Uint32Array.from(allFrames.all, ({ source }) => sources.of(source)),
    frameCalls: Uint32Array.from(frameCalls),
    callMacros: ofCalls(({ macro }) => macros.of(macro)),
    callFrames: Uint32Array.from(callFrames),
    callStarts: ofCalls(({ start }) => start),
    callEnds: ofCalls(({ end }) => end),
    macros: macros.all,
    sources: sources.all,
  };
}

/** Gives each different thing a number from 0 up. */
class Numbered<T> {
  readonly all: T[] = [];
  readonly #numbers = new Map<T, number>();

  find(one: T): number | undefined {
    return this.#numbers.get(one);
  }

  add(one: T): number {
    this.#numbers.set(one, this.all.length);
    return this.all.push(one) - 1;
  }

  of(one: T): number {
    return this.find(one) ?? this.add(one);
  }
}

/** The finished text with its origins, found by binary search. `nowhere` answers for a text without characters. */
export function mappedText(
  text: string,
  runs: RunList,
  nowhere: SourceText,
): MappedText & { readonly origins: Required<MappedText['origins']> } {
  return {
    text,
    origins: {
      originAt(start: number, end: number): Origin {
        if (runs.count === 0) return { kind: 'written', span: { source: nowhere, start: 0, end: 0 } };
        const at = Math.max(0, Math.min(start, text.length - 1));
        const low = runAt(runs.starts, runs.count, at);
        const frame = runs.frames[low];
        if (frame === undefined) return { kind: 'written', span: { source: nowhere, start: 0, end: 0 } };
        const offset = runs.offsets[low] ?? 0;
        const fixed = runs.fixed[low] ?? 0;
        if (fixed !== 0) return frameOrigin(frame, offset, offset + fixed);
        const runStart = runs.starts[low] ?? 0;
        const runEnd = low + 1 < runs.count ? (runs.starts[low + 1] ?? 0) : text.length;
        const from = offset + Math.min(start, text.length) - runStart;
        return frameOrigin(frame, from, Math.max(from, offset + Math.min(end, runEnd) - runStart));
      },
      runs: () => runColumns(runs),
    },
  };
}
