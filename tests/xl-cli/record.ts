/**
 * Records what the installed xl says to command lines: `npx tsx tests/xl-cli/record.ts`. The records are xl's, never ours.
 *
 * @module
 */
import { xlReference } from '../xl-cfg/xl-reference.ts';
import { commandLines, writeAnswers } from './command-lines.ts';

const reference = xlReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}
const answers = commandLines().map((words) => {
  const { stdout, stderr, end } = reference.run(words);
  if (typeof end === 'string') throw new Error(`xl ${words.join(' ')}: ${end}`);
  return { words, hasOutput: stdout !== '', stderr, status: end };
});
reference.dispose();
writeAnswers(answers);
