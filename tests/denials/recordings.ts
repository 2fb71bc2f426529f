/**
 * The recordings of real Xen 4.17.5 in `golden`, and how the simulated host compares.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type Course, course } from './course.ts';
import { DIFFERENCES } from './differences.ts';
import { OPERATIONS } from './operations.ts';
import { NOTHING, policyWithout, type Variant } from './permissions.ts';
import { simulate } from './simulate.ts';

/** An operation without a permission, as it went on real Xen. */
export interface Recording extends Variant {
  readonly course: Course;
}

/** The operations of which there are recordings. */
export const RECORDED: readonly string[] = readdirSync(new URL('./golden', import.meta.url))
  .map((file) => file.replace(/\.txt$/, ''))
  .sort();

/** The recordings of an operation. */
export function recordingsOf(operation: string): readonly Recording[] {
  const text = readFileSync(new URL(`./golden/${operation}.txt`, import.meta.url), 'latin1');
  return text
    .split(/^## /m)
    .slice(1)
    .map((block) => {
      const [title = '', ...lines] = block.trimEnd().split('\n');
      const at = (start: string): readonly string[] =>
        lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
      return {
        operation,
        missing: title.slice(operation.length + 1),
        course: course({
          said: at('! '),
          exitCode: Number(at('exit ')[0] ?? Number.NaN),
          denials: lines.filter((line) => line.startsWith('avc:')),
          left: at('= '),
        }),
      };
    });
}

/** A recording beside what the simulated host makes of the same. */
export interface Comparison extends Recording {
  readonly simulated: Course;
  readonly isSame: boolean;
  /** Why the two differ, where that is known. */
  readonly reason: string | undefined;
}

/** Holds the simulated host against the recordings of an operation. */
export async function compare(name: string): Promise<readonly Comparison[]> {
  const operation = OPERATIONS[name];
  if (operation === undefined) throw new Error(`there is no operation \`${name}\``);
  const whole = policyWithout(NOTHING);
  const comparisons: Comparison[] = [];
  for (const recording of recordingsOf(name)) {
    const lacking = recording.missing === NOTHING ? whole : policyWithout(recording.missing);
    const simulated = await simulate(operation, whole, lacking);
    const isSame = JSON.stringify(simulated) === JSON.stringify(recording.course);
    const reason = DIFFERENCES[`${name} ${recording.missing}`];
    comparisons.push({ ...recording, simulated, isSame, reason });
  }
  return comparisons;
}
