/**
 * The origins of a text as columns of numbers, which can be kept in a file.
 *
 * @module
 */
import type { Origin, OriginMap } from './origin.ts';
import type { SourceText } from './source-text.ts';

/**
 * A text as stretches, each with the place that it came from. All numbers count from 0, and `NONE` stands for nothing.
 *
 * A frame is a source text seen through one call of a macro; a call stands in a frame of its own.
 */
export interface OriginRuns {
  /** For each stretch: where it begins, its frame, the place there, and the length of the span that all of it stands for, or 0. */
  readonly starts: Uint32Array;
  readonly frames: Uint32Array;
  readonly offsets: Uint32Array;
  readonly fixed: Uint32Array;
  /** For each frame: its source, and the call that its text belongs to. */
  readonly frameSources: Uint32Array;
  readonly frameCalls: Uint32Array;
  /** For each call: its macro, the frame that it stands in, and its place there. Calls come after those around them. */
  readonly callMacros: Uint32Array;
  readonly callFrames: Uint32Array;
  readonly callStarts: Uint32Array;
  readonly callEnds: Uint32Array;
  readonly macros: readonly string[];
  readonly sources: readonly SourceText[];
}

/** No call. */
export const NONE = 0xffffffff;

/** The runs of a text that is as it was written. */
export function writtenRuns(source: SourceText): OriginRuns {
  const none = new Uint32Array(0);
  const first = Uint32Array.of(0);
  return {
    starts: first,
    frames: first,
    offsets: first,
    fixed: first,
    frameSources: first,
    frameCalls: Uint32Array.of(NONE),
    callMacros: none,
    callFrames: none,
    callStarts: none,
    callEnds: none,
    macros: [],
    sources: [source],
  };
}

/** The number of the stretch that a place of a text is in; `starts` has `count` of them, ascending. */
export function runAt(starts: { readonly [index: number]: number }, count: number, at: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((starts[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The origins that these stretches of a text of `length` characters tell. */
export function runOrigins(runs: OriginRuns, length: number): OriginMap {
  const { starts, frames, offsets, fixed, frameSources, frameCalls, macros, sources } = runs;
  const calls: (Origin | undefined)[] = [];
  const frameOrigin = (frame: number, start: number, end: number): Origin => {
    const source = sources[frameSources[frame] ?? NONE];
    if (source === undefined) throw new RangeError(`there is no frame ${frame}`);
    const span = { source, start, end };
    const call = frameCalls[frame] ?? NONE;
    if (call === NONE) return { kind: 'written', span };
    const origin = calls[call] ?? callOrigin(call);
    calls[call] = origin;
    return { kind: 'expanded', span, macro: macros[runs.callMacros[call] ?? NONE] ?? '', call: origin };
  };
  const callOrigin = (call: number): Origin => {
    const frame = runs.callFrames[call] ?? NONE;
    const outer = frameCalls[frame] ?? NONE;
    // INVARIANT: calls come after those around them, so that the recursion ends.
    if (outer !== NONE && outer >= call) throw new RangeError(`call ${call} stands within itself`);
    return frameOrigin(frame, runs.callStarts[call] ?? 0, runs.callEnds[call] ?? 0);
  };
  return {
    originAt(start, end) {
      const run = runAt(starts, starts.length, Math.max(0, Math.min(start, length - 1)));
      const frame = frames[run] ?? NONE;
      const offset = offsets[run] ?? 0;
      const whole = fixed[run] ?? 0;
      if (whole !== 0) return frameOrigin(frame, offset, offset + whole);
      const runStart = starts[run] ?? 0;
      const runEnd = starts[run + 1] ?? length;
      const from = offset + Math.min(start, length) - runStart;
      return frameOrigin(frame, from, Math.max(from, offset + Math.min(end, runEnd) - runStart));
    },
    runs: () => runs,
  };
}
