/**
 * `dewar fmt`: lays out policy sources.
 *
 * @module
 */
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formatSource } from '@dewar/policy/formatter';
import { EXIT, FileError, RequestError, reasonOf } from '../failures.ts';
import { readLatin1, writeWhole } from '../files.ts';
import { displayPath } from '../policy-input.ts';
import { type Change, changesToLeave } from '../same-expansion.ts';
import { byteText, printLine, type Terminal } from '../terminal.ts';

/** How `dewar fmt` is used. */
export interface FmtFlags {
  /** Name the files that are not in order, and write none. */
  readonly isCheck: boolean;
}

const SOURCE = /\.(?:te|if|cons|spt)$/;

/** The sources at a path: the file itself, or all of a directory. */
function sourcesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { recursive: true })
      .map((name) => join(path, String(name)))
      .filter((file) => SOURCE.test(file) && statSync(file).isFile())
      .sort();
  } catch (error) {
    throw new FileError(`cannot read \`${path}\`: ${reasonOf(error)}`, { cause: error });
  }
}

/** The sources at some paths, each once. */
function sourcesOnce(paths: readonly string[]): string[] {
  const files = new Map<string, string>();
  for (const file of paths.flatMap(sourcesAt)) if (!files.has(resolve(file))) files.set(resolve(file), file);
  return [...files.values()];
}

/**
 * Formats files and directories in place; with `isCheck` ends with 1 where one is not in order. A file of which m4 would
 * then make something else is left as it is, and told.
 */
export async function runFmt(paths: readonly string[], { isCheck }: FmtFlags, terminal: Terminal): Promise<number> {
  const changes: Change[] = [];
  for (const file of sourcesOnce(paths)) {
    const before = readLatin1(file);
    if (/[\0-\x08\x0e-\x1f\x7f]/.test(before)) throw new RequestError(`\`${file}\` is no text, and was left as it is`);
    const after = formatSource(before);
    if (after !== before) changes.push({ file, before, after });
  }
  const left = changes.length === 0 ? new Set() : await changesToLeave(changes);
  let changed = 0;
  for (const change of changes) {
    const { file, after } = change;
    if (left.has(change)) {
      printLine(
        terminal.err,
        byteText(
          `${displayPath(file)}: left as it is: a macro counts its blanks or lines, so that another layout would be another policy`,
        ),
      );
      continue;
    }
    changed++;
    if (!isCheck) writeWhole(file, Buffer.from(after, 'latin1'));
    printLine(terminal.out, byteText(displayPath(file)));
  }
  return isCheck && changed > 0 ? EXIT.problem : EXIT.done;
}
