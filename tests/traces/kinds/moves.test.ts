/** Holds saves, restores and migrations of each kind of guest against what real Xen 4.17.5 was seen to check. */
import { expect, test } from 'vitest';
import { KINDS, recordedMoves, simulateMoves } from './moves.ts';

test.each(KINDS)('a %s guest is saved, restored and migrated with the checks of real Xen', async (kind) => {
  const found = await simulateMoves(kind);
  for (const [name, lines] of recordedMoves(kind)) expect.soft(found.get(name), name).toEqual(lines);
});
