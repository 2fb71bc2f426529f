/** Holds the recorded answers to command lines against the installed xl. */
import { expect, test } from 'vitest';
import { xlReference } from '../xl-cfg/xl-reference.ts';
import { commandLines, recordedAnswers } from './command-lines.ts';

test('the installed xl answers command lines as recorded', ({ skip }) => {
  const reference = xlReference();
  if ('reason' in reference) return skip(reference.reason);
  const recorded = recordedAnswers();
  const found = commandLines().map((words) => {
    const { stdout, stderr, end } = reference.run(words);
    return { words, hasOutput: stdout !== '', stderr, status: end };
  });
  reference.dispose();
  expect(found).toEqual(recorded);
});
