/**
 * Records the digests of the suite's answers, once libsepol has confirmed them: `npx tsx tests/libsepol/record.ts`.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { compareWith } from './comparison.ts';
import { sepolReference } from './sepol-reference.ts';
import { digestOf, recordedDigests, suite } from './suite.ts';

const reference = sepolReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}
const lines: string[] = [];
for (const { name, subject, asked } of suite()) {
  const { differences } = compareWith(reference, subject, asked);
  for (const difference of differences) console.error(`${name}: ${difference}`);
  if (differences.length > 0) process.exit(1);
  lines.push(`${digestOf(asked.ours)} ${name}\n`);
}
reference.dispose();
writeFileSync(recordedDigests, lines.join(''), 'latin1');
