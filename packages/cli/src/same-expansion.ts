/**
 * Whether a change of layout leaves what m4 makes of policy sources as it is.
 *
 * A source is a program: `len`, `substr`, `ifelse` and `__line__` see blanks and lines that the policy language does not. So
 * each source is expanded as it was and as it would be, alone and in the policy directory around it, and what the policy
 * language sees of both is compared. A directory is expanded with all changes at once; only where that makes a difference is
 * it looked for which of them does.
 * Start reading at `changesToLeave`.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { PolicyFiles } from '@dewar/policy/compiler';
import { policyFolder } from './policy-input.ts';

/** A source, as it is and as it would be. */
export interface Change {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

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

const SETTINGS = [{ isMls: false }, { isMls: true }] as const;

/** What m4 makes of a policy directory in which some sources are changed, without and with MLS. */
async function directoryExpansion(
  folder: string,
  changes: readonly Change[],
): Promise<(changed: readonly Change[]) => string> {
  const { expandDirectory } = await import('@dewar/policy/compiler');
  const pathOf = ({ file }: Change): string => relative(folder, resolve(file)).split(sep).join('/');
  return (changed) => {
    const texts = new Map(changes.map((one) => [pathOf(one), changed.includes(one) ? one.after : one.before]));
    const files = withTexts(
      policyFolder(folder, () => undefined),
      texts,
    );
    return SETTINGS.map((options) => wordsOf(expandDirectory(files, options))).join('\n');
  };
}

/** The changes that make a difference to a policy directory, which has all of them. */
async function differencesIn(folder: string, changes: readonly Change[]): Promise<Change[]> {
  const expand = await directoryExpansion(folder, changes);
  const before = expand([]);
  const search = (some: readonly Change[]): Change[] => {
    if (some.length === 0 || expand(some) === before) return [];
    if (some.length === 1) return [...some];
    const half = some.length >> 1;
    const found = [...search(some.slice(0, half)), ...search(some.slice(half))];
    // What only several make together is left to none of them.
    return found.length === 0 ? [...some] : found;
  };
  const left = search(changes);
  const kept = changes.filter((one) => !left.includes(one));
  return left.length === 0 || expand(kept) === before ? left : [...changes];
}

/** Those of the changes after which m4 would make other words, and which are therefore to be left. */
export async function changesToLeave(changes: readonly Change[]): Promise<ReadonlySet<Change>> {
  const { expandSource } = await import('@dewar/policy/compiler');
  const { SourceText } = await import('@dewar/policy/text');
  const left = new Set<Change>();
  const within = new Map<string, Change[]>();
  for (const change of changes) {
    const { file, before, after } = change;
    const alone = (text: string): string =>
      SETTINGS.map((options) => wordsOf(expandSource(new SourceText(file, text), options))).join('\n');
    if (alone(before) !== alone(after)) {
      left.add(change);
      continue;
    }
    const folder = policyAround(file);
    if (folder !== undefined) within.set(folder, [...(within.get(folder) ?? []), change]);
  }
  for (const [folder, some] of within) for (const one of await differencesIn(folder, some)) left.add(one);
  return left;
}
