/**
 * Xen's example policy with changes of a test's own, without a copy on disk.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyFiles } from '@dewar/policy/compiler';

/** What a site does to the policy that comes with Xen. */
export interface Edits {
  /** Text of one more module, switched on just before `all_system_role`. */
  readonly site?: string;
  /** Lines at the end of `policy/device_contexts`. */
  readonly deviceContexts?: string;
  /** A replacement in one file. */
  readonly replace?: { readonly path: string; readonly from: string | RegExp; readonly to: string };
}

/** The policy directory of a Xen tree, edited. */
export function editedPolicy(tree: string, edits: Edits = {}): PolicyFiles {
  const folder = join(tree, 'tools/flask/policy');
  const edit = (path: string, text: string): string => {
    let edited = text;
    if (edits.site !== undefined && path === 'modules/modules.conf')
      edited = edited.replace('all_system_role = on', 'site = on\n\nall_system_role = on');
    if (edits.deviceContexts !== undefined && path === 'policy/device_contexts') edited += edits.deviceContexts;
    if (edits.replace?.path === path) edited = edited.replace(edits.replace.from, edits.replace.to);
    return edited;
  };
  return {
    readText(path) {
      if (path === 'modules/site.te') return edits.site;
      const file = join(folder, path);
      return existsSync(file) ? edit(path, readFileSync(file, 'latin1')) : undefined;
    },
    listNames: (directory) => (existsSync(join(folder, directory)) ? readdirSync(join(folder, directory)) : []),
    describe: (path) => path,
  };
}
