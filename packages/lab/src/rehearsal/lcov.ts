/**
 * Coverage as an lcov tracefile, which editors and code hosts draw on the source.
 *
 * Format: `geninfo(1)`. A line counts as often as its rules were exercised together; where a line makes several rules, as a
 * macro call does, each of them is a branch.
 *
 * @module
 */
import { type Coverage, type CoveredFile, lineCount } from './coverage.ts';

function fileRecord({ source, lines }: CoveredFile): string[] {
  const record = ['TN:', `SF:${source.name}`];
  let branches = 0;
  let hit = 0;
  for (const { line, parts } of lines) {
    if (parts.length < 2) continue;
    const isReached = parts.some(({ count }) => count > 0);
    for (const [i, { count }] of parts.entries()) {
      branches++;
      if (count > 0) hit++;
      record.push(`BRDA:${line},0,${i},${isReached ? count : '-'}`);
    }
  }
  if (branches > 0) record.push(`BRF:${branches}`, `BRH:${hit}`);
  for (const one of lines) record.push(`DA:${one.line},${lineCount(one)}`);
  record.push(`LF:${lines.length}`, `LH:${lines.filter((one) => lineCount(one) > 0).length}`, 'end_of_record');
  return record;
}

/** The tracefile; sources stand under the names that they have in messages. */
export function lcovText({ files }: Coverage): string {
  return files
    .flatMap(fileRecord)
    .map((line) => `${line}\n`)
    .join('');
}
