/**
 * Dewar's example policy as a policy directory in memory, with changes of a test's own.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PolicyFiles } from '@dewar/policy/compiler';

const EXAMPLE = fileURLToPath(new URL('../../../policies/example', import.meta.url));

/** The directory, with some of its files changed. Paths are relative to it. */
export function examplePolicy(changes: Readonly<Record<string, (text: string) => string>> = {}): PolicyFiles {
  return {
    readText(path) {
      const file = join(EXAMPLE, path);
      const text = existsSync(file) ? readFileSync(file, 'latin1') : undefined;
      return text === undefined ? undefined : (changes[path]?.(text) ?? text);
    },
    listNames: (directory) => (existsSync(join(EXAMPLE, directory)) ? readdirSync(join(EXAMPLE, directory)) : []),
    describe: (path) => path,
  };
}
