/**
 * Reads keys straight into members of libxl's structures, with the conversions of C.
 *
 * Follows Xen `tools/libs/light/libxl_types.idl`: a member that has its default is not printed.
 *
 * @module
 */
import { cfg as report } from './diagnostics.ts';
import type { JsonValue } from './json.ts';
import { showBytes } from './show-text.ts';
import { type Voice, valueOrigin, type XlReader } from './xl-reader.ts';

/** A libxl "default boolean" as JSON has it. */
export function flagJson(value: boolean): string {
  return value ? 'True' : 'False';
}

export function textMember(reader: XlReader, key: string, path: string): string | undefined {
  const text = reader.text(key);
  if (text !== undefined) reader.assign(path, text);
  return text;
}

export function flagMember(reader: XlReader, key: string, path: string, voice: Voice = 'warns'): boolean | undefined {
  const value = reader.flag(key, voice);
  if (value !== undefined) reader.assign(path, flagJson(value));
  return value;
}

/** A C `int`. */
export function intMember(reader: XlReader, key: string, path: string, byDefault = 0): void {
  const value = reader.long(key);
  if (value !== undefined) assignNumber(reader, path, BigInt.asIntN(32, value), BigInt(byDefault));
}

/** A C `uint32_t`. */
export function uint32Member(reader: XlReader, key: string, path: string): void {
  const value = reader.long(key);
  if (value !== undefined) assignNumber(reader, path, BigInt.asUintN(32, value), 0n);
}

const NO_MEMORY = 2n ** 64n - 1n;

/** MiB in the file, KiB in the structure; the product may wrap around, as in C. */
export function kibibytes(mebibytes: bigint): bigint {
  return BigInt.asUintN(64, mebibytes * 1024n);
}

export function memoryMember(reader: XlReader, key: string, path: string): void {
  const value = reader.long(key);
  if (value !== undefined) assignNumber(reader, path, kibibytes(value), NO_MEMORY);
}

export function assignNumber(reader: XlReader, path: string, value: bigint, byDefault: bigint): void {
  reader.assign(path, value === byDefault ? undefined : value);
}

/** The words of an enumeration, and what libxl prints for each; an empty text for the default, which is not printed. */
export type Choices = readonly (readonly [word: string, json: string])[];

/** The JSON of a word; case does not count, as in libxl's `_from_string` functions. */
export function choose(choices: Choices, word: string): string | undefined {
  const plain = word.toLowerCase();
  return choices.find(([choice]) => choice === plain)?.[1];
}

export function assignChoice(reader: XlReader, path: string, json: string): void {
  reader.assign(path, json === '' ? undefined : json);
}

/** Our own word about a value that is not among the words of a key. */
export function badChoice(reader: XlReader, key: string, choices: readonly string[]): void {
  const setting = reader.setting(key);
  if (setting === undefined || setting.value.kind === 'list') return;
  const { text } = setting.value;
  const near = choices.find((choice) => choice === text.trim().toLowerCase());
  const fixes =
    near === undefined
      ? []
      : [{ title: `did you mean \`${near}\`?`, edits: [{ span: setting.value.span, newText: `'${near}'` }] }];
  const notes = [{ message: `values are ${choices.map((choice) => `\`${choice}\``).join(', ')}` }];
  reader.diagnostics.push(
    report['bad-choice'](valueOrigin(setting), { key, value: showBytes(text) }, { notes, fixes }),
  );
}

export interface ChoiceFailure {
  readonly code: number;
  readonly line: (text: string) => string;
}

/** xl exits with 1 and this line for most words that it does not know. */
export const invalidValue = (key: string): ChoiceFailure => ({
  code: 1,
  line: (text) => `ERROR: invalid value "${text}" for "${key}"`,
});

/** A key whose value is one of some words. */
export function choiceMember(
  reader: XlReader,
  key: string,
  path: string,
  choices: Choices,
  failure: ChoiceFailure,
  voice: Voice = 'warns',
): void {
  const text = reader.text(key, voice);
  if (text === undefined) return;
  const json = choose(choices, text);
  if (json !== undefined) {
    assignChoice(reader, path, json);
    return;
  }
  reader.exit(failure.code, failure.line(text));
  badChoice(
    reader,
    key,
    choices.map(([choice]) => choice),
  );
}

/** A list of texts that libxl keeps; an empty one is not printed. */
export function textsJson(texts: readonly string[]): JsonValue | undefined {
  return texts.length === 0 ? undefined : texts;
}
