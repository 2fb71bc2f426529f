/**
 * The corpus of xl.cfg files, read as one character per byte.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('corpus/', import.meta.url);

export interface CorpusFile {
  readonly name: string;
  readonly text: string;
}

/** All files of the corpus, in the order of their names. */
export function corpusFiles(): CorpusFile[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.cfg'));
  return names.sort().map((name) => ({ name, text: readFileSync(new URL(name, FOLDER), 'latin1') }));
}

/** The recorded answers of libxlutil 4.17; its strings hold one character per byte. */
export function expectedAnswers(): string {
  return readFileSync(new URL('expected.json', FOLDER), 'latin1');
}
