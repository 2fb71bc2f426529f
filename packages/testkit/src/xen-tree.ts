/**
 * A source tree of Xen 4.17.5, for what can only be seen on Xen's own example policy. That policy is not ours to ship.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHED = fileURLToPath(new URL('../../../.cache/xen-4.17/src', import.meta.url));

/**
 * The tree that `DEWAR_XEN_TREE` names, or the one that `scripts/fetch-xen-source.sh` left; undefined where there is
 * none, which under `DEWAR_REQUIRE_TOOLS=1` is a failure.
 */
export function xenTree(): string | undefined {
  const tree = process.env['DEWAR_XEN_TREE'] ?? CACHED;
  if (existsSync(join(tree, 'tools/flask/policy/modules/modules.conf'))) return tree;
  if (process.env['DEWAR_REQUIRE_TOOLS'] === '1')
    throw new Error('there is no source tree of Xen; scripts/fetch-xen-source.sh brings one');
  return undefined;
}
