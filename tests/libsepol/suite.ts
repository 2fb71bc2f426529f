/**
 * The questions that the suite asks, and what was recorded of their answers.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { type Asked, askDewar, corpusSubjects, randomSubject, type Subject } from './comparison.ts';

const SEED = 20260801;
const RANDOM_POLICIES = 85;
/** libsepol is slow on the large policies of the corpus, so most questions are about the random ones. */
const CORPUS_QUESTIONS = 500;
const RANDOM_QUESTIONS = 1150;

/** Where the digests of answers are kept: one line of digest and name for each policy. */
export const recordedDigests: URL = new URL('decisions.sha256', import.meta.url);

export interface SuiteEntry {
  readonly name: string;
  readonly subject: Subject;
  readonly asked: Asked;
}

/** All policies of the suite, and Dewar's answers about them. */
export function suite(): SuiteEntry[] {
  const entry = (subject: Subject, count: number, seed: number): SuiteEntry => ({
    name: subject.name,
    subject,
    asked: askDewar(subject, count, seed),
  });
  return [
    ...corpusSubjects().map((subject, i) => entry(subject, CORPUS_QUESTIONS, SEED + i)),
    ...Array.from({ length: RANDOM_POLICIES }, (_, i) => entry(randomSubject(SEED + i), RANDOM_QUESTIONS, SEED + i)),
  ];
}

export function digestOf(answers: readonly string[]): string {
  return createHash('sha256').update(answers.join('\n'), 'latin1').digest('hex');
}
