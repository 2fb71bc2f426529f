/**
 * Where the pages of a guest are that runs in an HVM container.
 *
 * @module
 */
import type { Domid, FrameRange } from '../hypercalls.ts';
import { firstFreeFrame, hvmFrames } from './build-hvm.ts';
import { pvhFrames } from './build-pvh.ts';
import { modelPlanOf } from './device-model.ts';
import type { Operation } from './operation.ts';

/** Its ranges of frames; undefined for a PV guest, whose memory is in one piece. */
export function containerFrames(
  { recorder, state }: Operation,
  domid: Domid,
  totalPages: number,
): FrameRange[] | undefined {
  if (recorder.hypercalls.inspectDomain(domid)?.info.isHvm !== true) return undefined;
  const config = state.guests.get(domid)?.config;
  if (config?.type !== 'hvm') return pvhFrames(totalPages);
  return hvmGuestFrames(modelPlanOf(config, domid).ramPages, totalPages);
}

/** Those of an HVM guest with this memory of its own, and so many pages with what its device model added. */
export function hvmGuestFrames(ramPages: number, totalPages: number): FrameRange[] {
  const own = hvmFrames(ramPages);
  const counted = own.reduce((sum, { count }) => sum + count, 0);
  // What its device model added comes right after the memory.
  return [...own, { first: firstFreeFrame(ramPages), count: totalPages - counted }].filter(({ count }) => count > 0);
}
