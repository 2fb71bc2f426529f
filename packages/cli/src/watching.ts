/**
 * Doing work again whenever its files change.
 *
 * @module
 */
import { statSync } from 'node:fs';
import { dirname, resolve, sep } from 'node:path';
import { watch } from 'chokidar';
import { EXIT, FileError, RequestError } from './failures.ts';
import { displayPath } from './policy-input.ts';
import { byteText, coloursFor, printLine, type Terminal } from './terminal.ts';

/** Changes that come this close together, in milliseconds, are one: an editor writes a file in several steps. */
const SETTLING = 100;

/** What work came to, and the files that it was done with. */
interface Work {
  readonly files: readonly string[];
  readonly code: number;
}

interface WatchedWork {
  /** Does the work, and answers what to watch for the next time: folders, with all that is in them, and files. */
  readonly run: () => Promise<Work>;
  /** Told when no change will be missed any more. */
  readonly onReady: () => void;
  /** Told before each repetition which files have changed. */
  readonly onChange: (changed: readonly string[]) => void;
  /** A file that the work itself writes. */
  readonly output: string | undefined;
}

/** Drafts of a file carry its name as their beginning. */
function isOutput(path: string, output: string | undefined): boolean {
  return output !== undefined && path.startsWith(output);
}

/** The files that were written since a moment, or are gone. */
function writtenSince(files: readonly string[], moment: number): string[] {
  return files.filter((file) => {
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats === undefined || (stats.isFile() && stats.mtimeMs >= moment);
  });
}

/** Folders to watch, not their files: an editor that writes by rename leaves the old file behind. */
function foldersOf(files: readonly string[]): Set<string> {
  const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return new Set(files.map((file) => (isFolder(file) ? file : dirname(file))));
}

/** Does work, and again after each change of its files, until the process is interrupted. Answers the last exit code. */
async function watchWork({ run, onReady, onChange, output }: WatchedWork): Promise<number> {
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  const start = Date.now();
  let { files, code } = await run();
  const isAround = (path: string): boolean =>
    files.some((file) => path === file || file.startsWith(`${path}${sep}`) || path.startsWith(`${file}${sep}`));
  const watched = foldersOf(files);
  const watcher = watch([...watched], {
    ignoreInitial: true,
    ignored: (path) => isOutput(path, output) || !isAround(path),
  });
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let isBusy = false;
  const again = async (): Promise<void> => {
    if (isBusy || changed.size === 0) return;
    isBusy = true;
    const list = [...changed];
    changed.clear();
    onChange(list);
    try {
      ({ files, code } = await run());
      watcher.add([...foldersOf(files)].filter((folder) => !watched.has(folder)));
    } finally {
      isBusy = false;
    }
    await again();
  };
  const failed = new Promise<never>((_resolve, reject) => {
    const note = (paths: readonly string[]): void => {
      for (const path of paths) changed.add(path);
      clearTimeout(timer);
      if (changed.size > 0) timer = setTimeout(() => again().catch(reject), SETTLING);
    };
    watcher.on('all', (_event, path) => note([path]));
    watcher.on('error', reject);
    watcher.on('ready', () => {
      // What changed before the watcher was there.
      note(writtenSince(files, start));
      onReady();
    });
  });
  try {
    await Promise.race([interrupted, failed]);
  } finally {
    clearTimeout(timer);
    await watcher.close();
  }
  return code;
}

/** More names than these are only counted: a folder that comes back has all its files changed. */
const MOST_NAMES = 5;

function namesOf(paths: readonly string[]): string {
  const names = paths.slice(0, MOST_NAMES).map((path) => byteText(displayPath(path)));
  return names.join(', ') + (paths.length > MOST_NAMES ? ` and ${paths.length - MOST_NAMES} more` : '');
}

/** Runs a command, and again after each change of what it reads; says which files have changed. */
export function watchCommand(
  once: () => Promise<Work>,
  output: string | undefined,
  { err }: Terminal,
): Promise<number> {
  const say = (text: string): void => printLine(err, coloursFor(err).faint(text));
  let files: readonly string[] = [];
  return watchWork({
    output: output === undefined ? undefined : resolve(output),
    onReady: () => say('watching; interrupt to end'),
    onChange: (changed) => say(`changed: ${namesOf(changed)}`),
    async run() {
      try {
        const done = await once();
        files = done.files;
        return done;
      } catch (error) {
        // A file that is being moved is missing for a moment. The first time, there is nothing to watch.
        if (files.length === 0 || !(error instanceof FileError || error instanceof RequestError)) throw error;
        printLine(err, `dewar: ${byteText(error.message)}`);
        return { files, code: EXIT.world };
      }
    },
  });
}
