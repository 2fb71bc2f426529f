/**
 * The corpus of xl.cfg files: our reader finds the keys, types, values, lines, warnings and errors that libxlutil finds.
 *
 * `corpus/expected.json` was recorded from libxlutil 4.17; where the library is installed it is asked again.
 */
import { SourceText } from '@dewar/policy/text';
import {
  getBoundedLong,
  getList,
  getLong,
  getString,
  parseXlCfg,
  type Reading,
  type XlCfg,
  type XlValue,
} from '@dewar/toolstack/xl-cfg';
import { afterAll, describe, expect, test } from 'vitest';
import { corpusFiles, expectedAnswers } from './corpus-files.ts';
import { ourAnswer } from './our-answer.ts';
import { xluReference } from './xlu-reference.ts';

/** JSON as it stands in the recorded answers. */
type Json = string | number | null | readonly Json[] | JsonObject;

interface JsonObject {
  readonly [name: string]: Json;
}

/** A `long` does not fit into a JavaScript number, so numbers that readers returned are compared as text. */
const numbersAsText = (json: string): string => json.replaceAll(/"value": (-?\d+)/g, '"value": "$1"');

const recorded: JsonObject = JSON.parse(numbersAsText(expectedAnswers()));

function valueJson(value: XlValue): Json {
  return value.kind === 'string'
    ? { line: value.line, type: 'string', value: value.text }
    : { line: value.line, type: 'list', value: value.items.map(valueJson) };
}

function readingJson<T>(reading: Reading<T>, show: (value: T) => JsonObject): Json {
  return reading.kind === 'value'
    ? { rc: '0', ...show(reading.value) }
    : { rc: reading.errno, warning: `${reading.warning}\n` };
}

function lookupsJson(cfg: XlCfg): Json {
  const text = (value: string | bigint): JsonObject => ({ value: String(value) });
  return Object.fromEntries(
    Array.from(cfg.byKey.keys(), (key) => [
      key,
      {
        get_bounded_long_0_INT_MAX: readingJson(getBoundedLong(cfg, key, 0n, 2147483647n), text),
        get_list: readingJson(getList(cfg, key), (list) => ({ length: list.items.length })),
        get_long: readingJson(getLong(cfg, key), text),
        get_string: readingJson(getString(cfg, key), text),
      },
    ]),
  );
}

/** Our answer in the form of the recorded ones. */
function answerJson(name: string, text: string): Json {
  const cfg = parseXlCfg(new SourceText(name, text));
  if (cfg.outcome === 'aborted') return 'crash';
  const statements = cfg.settings.map(({ key, op, line, value }) => ({ key, line, op, value: valueJson(value) }));
  const answer = { error: cfg.outcome === 'parsed' ? null : 'EINVAL', report: cfg.libxlReport, statements };
  return cfg.outcome === 'parsed' ? { ...answer, lookups: lookupsJson(cfg) } : answer;
}

const isCrash = (answer: Json | undefined): boolean =>
  typeof answer === 'object' && answer !== null && 'crash' in answer;

const reference = xluReference();
afterAll(() => {
  if ('dispose' in reference) reference.dispose();
});

describe('files of the corpus', () => {
  test('each has a recorded answer, and each answer its file', () => {
    expect(corpusFiles().map(({ name }) => name)).toEqual(Object.keys(recorded).sort());
  });

  test.each(corpusFiles())('$name says what libxlutil was recorded to find in it', ({ name, text }) => {
    const answer = recorded[name];
    expect(answerJson(name, text)).toEqual(isCrash(answer) ? 'crash' : answer);
  });

  test('each says what the installed libxlutil finds in it', ({ skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    const files = corpusFiles();
    const theirs = reference.ask(files.map(({ text }) => text));
    for (const [index, { name, text }] of files.entries()) expect(ourAnswer(text), name).toBe(theirs[index]);
  });
});
