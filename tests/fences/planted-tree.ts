/**
 * A copy of the workspaces with their real doors and the real law, but with empty files behind the doors, in which
 * forbidden imports can be planted without a trace in the repository.
 *
 * @module
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LAW, root } from './depcruise.ts';

/** The packages of the repository, by the names of their folders. */
export const packageFolders: readonly string[] = readdirSync(join(root, 'packages'));

/** The folders of the policy package. */
export const policyFolders: readonly string[] = readdirSync(join(root, 'packages/policy/src'));

/** A third-party package that the copy has, and that no manifest names. */
export const THIRD_PARTY = 'third-party';

/** What calls functions of C. */
const FFI = 'koffi';

/** The tree, until it is disposed of. */
export interface PlantedTree {
  readonly folder: string;
  dispose(): void;
}

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string>>;
}

/** Makes the copy, with these files in it besides. */
export function plantTree(files: ReadonlyMap<string, string>): PlantedTree {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dewar-fences-')));
  const dispose = (): void => rmSync(folder, { recursive: true });
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  try {
    for (const file of [LAW, 'package.json', 'tsconfig.json', 'tsconfig.base.json']) {
      cpSync(join(root, file), join(folder, file));
    }
    for (const name of [THIRD_PARTY, FFI]) {
      write(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
      write(`node_modules/${name}/index.js`, 'module.exports = {};\n');
    }
    for (const name of packageFolders) {
      const text = readFileSync(join(root, 'packages', name, 'package.json'), 'utf8');
      // The manifests are ours; npm would refuse one without a name.
      const manifest = JSON.parse(text) as Manifest;
      write(`packages/${name}/package.json`, text);
      for (const door of Object.values(manifest.exports ?? {})) {
        write(join('packages', name, door), 'export const door = 1;\n');
      }
      const link = join(folder, 'node_modules', manifest.name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(folder, 'packages', name), link);
    }
    for (const [path, text] of files) write(path, text);
  } catch (error) {
    dispose();
    throw error;
  }
  return { folder, dispose };
}
