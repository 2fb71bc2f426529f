/**
 * The program that reads and writes guests for libxl: what it asks for, and what it says when that is refused.
 *
 * Follows Xen `tools/helpers/libxl-save-helper.c`, `tools/libs/guest/xg_sr_common.c` and `xg_sr_save_x86_hvm.c`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { Domid, FrameRange, HvmParam, Process } from '../hypercalls.ts';
import type { Operation } from './operation.ts';
import type { AnyResult } from './recorder.ts';
import { logLibxc } from './said.ts';

/** Its name among the programs that make hypercalls. */
export const HELPER: Process = 'libxl-save-helper';

/** Pages that it works on at a time. XEN: `MAX_BATCH_SIZE`. */
export const BATCH_PAGES = 1024;

/** The parameters of an HVM container that are saved, in their order, with their numbers. XEN: `write_hvm_params`. */
const PARAM_NUMBERS: ReadonlyMap<HvmParam, number> = new Map<HvmParam, number>([
  ['STORE_PFN', 1],
  ['IOREQ_PFN', 5],
  ['BUFIOREQ_PFN', 6],
  ['PAGING_RING_PFN', 27],
  ['MONITOR_RING_PFN', 28],
  ['SHARING_RING_PFN', 29],
  ['VM86_TSS_SIZED', 37],
  ['CONSOLE_PFN', 17],
  ['ACPI_IOPORTS_LOCATION', 19],
  ['VIRIDIAN', 9],
  ['IDENT_PT', 12],
  ['VM_GENERATION_ID_ADDR', 34],
  ['IOREQ_SERVER_PFN', 32],
  ['NR_IOREQ_SERVER_PAGES', 33],
  ['X87_FIP_WIDTH', 36],
  ['MCA_CAP', 38],
]);

/** Those parameters in their order. */
export const SAVED_PARAMS: readonly HvmParam[] = [...PARAM_NUMBERS.keys()];

/** The number of a parameter that is saved. XEN: `HVM_PARAM_*`. */
export function paramNumber(param: HvmParam): number {
  return PARAM_NUMBERS.get(param) ?? 0;
}

/** Maps pages of a guest, to read them or to write into them, and gives them back at once. */
export function mapBriefly({ recorder }: Operation, domid: Domid, frames: FrameRange, isWritable: boolean): AnyResult {
  const mapped = recorder.ask(HELPER, 'mmu_update.map_foreign', { domid, frames, isWritable });
  if (mapped.kind === 'ok') recorder.ask(HELPER, 'mmu_update.unmap_foreign', { mapping: mapped.value.mapping });
  return mapped;
}

/** A request of the save helper, and what it says when that is refused. */
export type HelperRequest = readonly [ask: () => AnyResult, words: string];

/** Makes requests as far as they are granted; the helper says which was not. */
export function askAll(operation: Operation, requests: readonly HelperRequest[]): TimelineStep['outcome'] {
  for (const [ask, words] of requests) {
    const answer = ask();
    if (answer.kind === 'ok') continue;
    logLibxc(operation, words, answer.errno);
    return 'failed';
  }
  return 'done';
}
