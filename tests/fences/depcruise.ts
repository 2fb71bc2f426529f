/**
 * dependency-cruiser, run as `npm run imports` runs it.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** The file that holds the law of imports. */
export const LAW = '.dependency-cruiser.cjs';

/** An import that a rule forbids. */
export interface Violation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** All violations of the law that a folder holds under its root. */
export function violations(folder: string): readonly Violation[] {
  const depcruise = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [depcruise, '--config', LAW, '--output-type', 'json', '.'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (!stdout.startsWith('{')) throw new Error(`dependency-cruiser did not answer: ${stderr}`);
  // The shape is dependency-cruiser's own, documented as its `json` reporter's.
  const answer = JSON.parse(stdout) as {
    readonly modules: readonly unknown[];
    readonly summary: {
      readonly violations: readonly (Omit<Violation, 'rule'> & { readonly rule: { readonly name: string } })[];
    };
  };
  if (answer.modules.length === 0) throw new Error('dependency-cruiser saw no file');
  return answer.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }));
}
