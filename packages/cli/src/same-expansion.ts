/**
 * Whether a change of layout leaves what m4 makes of a policy source as it is.
 *
 * A source is a program: `len`, `substr`, `ifelse` and `__line__` see blanks and lines that the policy language does not. So
 * the source is expanded as it was and as it would be, alone and in the policy directory around it, and what the policy
 * language sees of both is compared.
 * Start reading at `expandsAlike`.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { PolicyFiles } from '@dewar/policy/compiler';
import { policyFolder } from './policy-input.ts';

/** How far above a source the policy directory is looked for. */
const MAX_STEPS_UP = 4;

/** The policy directory that a source is in; undefined where it is in none. */
function policyAround(file: string): string | undefined {
  let folder = dirname(resolve(file));
  for (let steps = 0; steps < MAX_STEPS_UP; steps++) {
    if (['modules/modules.conf', 'policy/modules.conf'].some((conf) => existsSync(join(folder, conf)))) return folder;
    folder = dirname(folder);
  }
  return undefined;
}

/** What the policy language sees of a text: its words and signs, without blanks, lines and comments. */
function wordsOf(text: string): string {
  return text
    .replaceAll(/#[^\n]*/g, ' ')
    .replaceAll(/[{}();,:~*!&|^=]/g, ' $& ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** A policy directory with other text in some of its files. */
function withTexts(files: PolicyFiles, texts: ReadonlyMap<string, string>): PolicyFiles {
  return { ...files, readText: (path) => texts.get(path) ?? files.readText(path) };
}

/** Whether m4 makes the same words of `file` with the text `after` as with `before`. */
export async function expandsAlike(file: string, before: string, after: string): Promise<boolean> {
  const { expandDirectory, expandSource } = await import('@dewar/policy/compiler');
  const { SourceText } = await import('@dewar/policy/text');
  const folder = policyAround(file);
  const path = folder === undefined ? file : relative(folder, resolve(file)).split(sep).join('/');
  return [{ isMls: false }, { isMls: true }].every((options) => {
    const alone = (text: string): string => wordsOf(expandSource(new SourceText(file, text), options));
    if (alone(before) !== alone(after)) return false;
    if (folder === undefined) return true;
    const within = (text: string): string => {
      const files = withTexts(
        policyFolder(folder, () => undefined),
        new Map([[path, text]]),
      );
      return wordsOf(expandDirectory(files, options));
    };
    return within(before) === within(after);
  });
}
