/**
 * The same questions to Dewar and to libsepol.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { compileText } from '@dewar/policy/compiler';
import { type PolicyDb, readPolicydb } from '@dewar/policy/policydb';
import { renderDiagnostic, SourceText } from '@dewar/policy/text';
import { Choices } from './choices.ts';
import { generatePolicy } from './generate-policy.ts';
import { type KnownDifference, knownDifference } from './known-differences.ts';
import { OurAnswers } from './our-answers.ts';
import { makeQuestions, type Question, questionText } from './questions.ts';
import type { SepolReference } from './sepol-reference.ts';

/** A policy in binary, and as read from it. */
export interface Subject {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly policy: PolicyDb;
}

/** The subject that these bytes are. */
export function subjectOf(name: string, bytes: Uint8Array): Subject {
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) throw new Error(`${name}: ${renderDiagnostic(read.diagnostic)}`);
  return { name, bytes, policy: read.policy };
}

function compileSubject(name: string, text: string, version: 24 | 30, isMls: boolean): Subject {
  const { bytes, diagnostics } = compileText(new SourceText(name, text), { version, isMls });
  if (bytes === undefined) throw new Error(diagnostics.map((diagnostic) => renderDiagnostic(diagnostic)).join('\n'));
  return subjectOf(`${name} at version ${version}`, bytes);
}

const corpus = new URL('../checkpolicy/policies/', import.meta.url);

/** What checkpolicy writes for these, which Dewar equals to the byte (`tests/checkpolicy`), libsepol 3.4 does not read. */
const UNREADABLE: ReadonlySet<string> = new Set(['optional-roles.conf', 'optional-users-mls.conf']);

/** The policies that `tests/checkpolicy` holds against checkpolicy, at one of its versions: these bytes are checkpolicy's. */
export function corpusSubjects(): Subject[] {
  const names = readdirSync(corpus).filter((name) => name.endsWith('.conf') && !UNREADABLE.has(name));
  return names.sort().map((name, i) => {
    const text = readFileSync(new URL(name, corpus), 'latin1');
    return compileSubject(name, text, i % 2 === 0 ? 24 : 30, name.includes('-mls'));
  });
}

/** The random policy of a seed. */
export function randomSubject(seed: number): Subject {
  const { name, text, isMls } = generatePolicy(seed);
  return compileSubject(name, text, seed % 4 < 2 ? 24 : 30, isMls);
}

export interface Asked {
  readonly questions: readonly Question[];
  readonly ours: readonly string[];
}

/** Asks Dewar about `count` questions. */
export function askDewar({ policy }: Subject, count: number, seed: number): Asked {
  const questions = makeQuestions(policy, count, new Choices(seed));
  const answers = new OurAnswers(policy);
  return { questions, ours: questions.map((question) => answers.answer(question)) };
}

export interface Comparison {
  readonly known: ReadonlyMap<KnownDifference, number>;
  /** What is not equal and not known: question, our answer, libsepol's. */
  readonly differences: readonly string[];
}

/** Asks libsepol the same, and compares. */
export function compareWith(
  reference: SepolReference,
  { bytes, policy }: Subject,
  { questions, ours }: Asked,
): Comparison {
  const theirs = reference.ask(bytes, questions.map(questionText));
  if (theirs === undefined) return { known: new Map(), differences: ['libsepol does not read the policy'] };
  const known = new Map<KnownDifference, number>();
  const differences: string[] = [];
  const answers = new OurAnswers(policy);
  for (const [i, question] of questions.entries()) {
    if (question.kind === 'c' || question.kind === 'b') answers.answer(question);
    const our = ours[i] ?? '';
    const their = theirs.lines[i] ?? '';
    if (our === their) continue;
    const name = knownDifference(answers, question, our, their);
    if (name === undefined) differences.push(`${inWords(question, questions)}: dewar ${our}, libsepol ${their}`);
    else known.set(name, (known.get(name) ?? 0) + 1);
  }
  return { known, differences };
}

function inWords(question: Question, questions: readonly Question[]): string {
  if (question.kind === 'c' || question.kind === 'b') return questionText(question);
  const context = (number: number): string => {
    const asked = questions[number];
    return asked?.kind === 'c' ? asked.text : String(number);
  };
  return `${question.kind} ${context(question.source)} ${context(question.target)} ${question.tclass}`;
}
