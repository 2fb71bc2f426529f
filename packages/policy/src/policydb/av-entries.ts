/**
 * Entries of an access vector table, laid out as in the file: three 32-bit words each.
 *
 * Word 0 is source and target, word 1 class and kind (lower half first), word 2 the permissions or the result type.
 *
 * @module
 */
import { AVRULE_DONTAUDIT, AVTAB_ALLOWED, AVTAB_AUDITALLOW, AVTAB_AUDITDENY, AVTAB_TYPE } from './format.ts';

/** Words of one entry. */
export const ENTRY_WORDS = 3;

/** Entries of an access vector table in the order of the file, packed into words. */
export interface AvEntries {
  readonly count: number;
  /** `count * ENTRY_WORDS` words, or more. */
  readonly words: Uint32Array;
}

/** The kind under which a rule is stored. */
export function storedKind(kind: number): number {
  return kind === AVRULE_DONTAUDIT ? AVTAB_AUDITDENY : kind;
}

/** The datum with which a rule of this kind starts an entry. */
export function firstDatum(kind: number, data: number): number {
  return kind === AVRULE_DONTAUDIT ? ~data >>> 0 : data;
}

/** The datum of an entry after one more rule of this kind. */
export function mergedDatum(kind: number, old: number, data: number): number {
  switch (kind) {
    case AVTAB_ALLOWED:
    case AVTAB_AUDITALLOW:
      return (old | data) >>> 0;
    case AVTAB_AUDITDENY:
      return (old & data) >>> 0;
    case AVRULE_DONTAUDIT:
      return (old & ~data) >>> 0;
    default:
      return data;
  }
}

/** Whether the datum of this kind is a type. */
export function isTypeKind(kind: number): boolean {
  return (kind & AVTAB_TYPE) !== 0;
}

/** Two type rules that cannot both hold: same key, and not the same rule repeated. */
export interface RuleClash {
  /** `conflict`: different results. `duplicate`: same result where libsepol takes no repetition. */
  readonly kind: 'conflict' | 'duplicate';
  readonly ruleKind: number;
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly oldResult: number;
  readonly newResult: number;
}
