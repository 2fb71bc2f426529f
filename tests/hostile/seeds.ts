/**
 * Sound binaries to start from: small ones that have everything, at both versions.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { compileDirectory, compileText, type PolicyFiles } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';

const NAMES = ['hw-dotted.conf', 'hw-quirks.conf', 'fuzz-9029.conf', 'fuzz-9006-mls.conf', 'fuzz-9026-mls.conf'];

const example = new URL('../../policies/example/', import.meta.url);

const exampleFiles: PolicyFiles = {
  readText: (path) => {
    const file = new URL(path, example);
    return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
  },
  listNames: (folder) => (existsSync(new URL(folder, example)) ? readdirSync(new URL(folder, example)) : []),
  describe: (path) => path,
};

/** The example policy: the one that a host can load. */
function exampleBinary(version: 24 | 30, isMls: boolean): Uint8Array {
  const { bytes } = compileDirectory(exampleFiles, { version, isMls });
  if (bytes === undefined) throw new Error('the example policy does not compile');
  return bytes;
}

/** The binaries, smallest first. */
export function seedBinaries(): Uint8Array[] {
  const found = NAMES.flatMap((name) => {
    const text = readFileSync(new URL(`../checkpolicy/policies/${name}`, import.meta.url), 'latin1');
    return ([24, 30] as const).map((version) => {
      const { bytes } = compileText(new SourceText(name, text), { version, isMls: name.includes('-mls') });
      if (bytes === undefined) throw new Error(`${name} does not compile`);
      return bytes;
    });
  });
  return [...found, exampleBinary(30, true), exampleBinary(24, false)].sort((a, b) => a.length - b.length);
}
