/**
 * Compiles the example policy of every release of Xen in a clone of its repository, and compares the bytes with what m4 and
 * checkpolicy make of the same files: `npx tsx tests/xen-tree/compare-policies.ts CLONE`.
 *
 * m4 is given the files in the order in which Xen's makefiles name them, not in ours.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileDirectory } from '@dewar/policy/compiler';
import { referenceTool } from '@dewar/testkit';
import { editedPolicy } from './edited-tree.ts';

const POLICY = 'tools/flask/policy';
const TABLES = 'xen/xsm/flask/policy';
const VERSION = 30;

/** The files in the order of `Makefile.common`, or of the `Makefile` before Xen 4.8; those that are not there are left out. */
function filesOf(policy: string): string[] {
  const isOld = !existsSync(join(policy, 'modules/modules.conf'));
  const conf = readFileSync(join(policy, isOld ? 'policy/modules.conf' : 'modules/modules.conf'), 'latin1');
  const on = [...conf.matchAll(/^[ \t]*([a-z]\S*)[ \t]+\S+[ \t]+on[ \t]*$/gm)].map(([, name = '']) => name);
  const modules = on.map((name) => (isOld ? `policy/modules/xen/${name}` : `modules/${name}`));
  const support = readdirSync(join(policy, 'policy/support')).filter((name) => name.endsWith('.spt'));
  return [
    `../../../${TABLES}/security_classes`,
    'policy/security_classes',
    `../../../${TABLES}/initial_sids`,
    `../../../${TABLES}/access_vectors`,
    'policy/access_vectors',
    ...support.toSorted().map((name) => `policy/support/${name}`),
    'policy/mls',
    ...modules.map((path) => `${path}.if`),
    'policy/global_tunables',
    ...modules.map((path) => `${path}.te`),
    'policy/users',
    ...(isOld ? ['policy/constraints'] : modules.map((path) => `${path}.cons`)),
    'policy/initial_sids',
    'policy/device_contexts',
  ].filter((path) => existsSync(join(policy, path)));
}

const [clone] = process.argv.slice(2);
const m4 = referenceTool('m4');
const checkpolicy = referenceTool('checkpolicy');
if (clone === undefined || m4 === undefined || checkpolicy === undefined)
  throw new Error('needs a clone of Xen, m4 and checkpolicy');

const git = (...args: string[]): Buffer => execFileSync('git', ['-C', clone, ...args], { maxBuffer: 1 << 28 });
const tags = git('tag', '--list', 'RELEASE-4.*', '--sort=version:refname').toString().trim().split('\n');
const seen = new Set<string>();
const folder = mkdtempSync(join(tmpdir(), 'dewar-trees-'));
let different = 0;
try {
  for (const tag of tags.filter((name) => Number(/^RELEASE-4\.(\d+)/.exec(name)?.[1]) >= 3)) {
    const key = git('rev-parse', `${tag}:${POLICY}`, `${tag}:${TABLES}`).toString();
    if (seen.has(key)) continue;
    seen.add(key);
    const tree = mkdtempSync(join(folder, 'tree-'));
    execFileSync('tar', ['-x', '-C', tree], { input: git('archive', tag, POLICY, TABLES) });
    const policy = join(tree, POLICY);
    const names = ['-D', 'self_contained_policy', '-D', 'mls_num_sens=16', '-D', 'mls_num_cats=256'];
    const text = m4.run([...names, '-s', ...filesOf(policy)], { cwd: policy });
    const [conf, out] = [join(tree, 'policy.conf'), join(tree, 'policy.bin')];
    writeFileSync(conf, text.stdout);
    const made = checkpolicy.run(['-t', 'Xen', '-c', `${VERSION}`, '-o', out, conf]);
    const theirs = existsSync(out) ? readFileSync(out) : undefined;
    const { bytes, diagnostics } = compileDirectory(editedPolicy(tree), { version: VERSION });
    const isSame = theirs !== undefined && bytes !== undefined && theirs.equals(bytes);
    if (!isSame) different++;
    console.log(`${tag.slice('RELEASE-'.length)}: ${isSame ? `the same ${theirs.length} bytes` : 'DIFFERENT'}`);
    if (!isSame) console.log(made.stderr, diagnostics.map(({ message }) => message).join('\n'));
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${seen.size} policies, ${different} different`);
process.exitCode = different === 0 ? 0 : 1;
