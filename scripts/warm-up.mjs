// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
/**
 * Runs commands of a bundle and keeps what V8 compiled meanwhile as the bundle's code cache:
 *
 *     node scripts/warm-up.mjs FOLDER WORD CACHE
 *
 * The commands are those that must start fast: the rehearsal of the README, a compilation that finds no fault and one
 * that does, and questions about a policy that is kept. They work in a folder that is removed afterwards.
 *
 * @module
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALL, loadBundle, setStartFlags } from 'dewar/bundle';

const [folder, word, cache] = process.argv.slice(2);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(join(tmpdir(), 'dewar-build-'));

try {
  process.env.DEWAR_STATE_DIR = scratch;
  process.env.DEWAR_CACHE = join(scratch, 'cache');
  const { exports, script } = loadBundle(folder, word);
  const binary = join(scratch, 'policy.bin');
  const faulty = join(scratch, 'faulty.conf');
  writeFileSync(faulty, 'class domain\nallow a b:domain;\n');
  const commands = [
    ['compile', '-o', binary, join(root, 'policies/example')],
    ['compile', faulty],
    ['create', join(root, 'examples/nomigrate/guest.cfg')],
    ['list', '-Z'],
    ['explain', join(root, 'examples/denials/xl-dmesg.log')],
    ['search', '-A', '-s', 'dom0_t', '-t', 'nomigrate_t'],
    // What they run where the policy is kept, and where it is a binary.
    ['explain', '--policy', binary, join(root, 'examples/denials/xl-dmesg.log')],
    ['explain', join(root, 'examples/denials/xl-dmesg.log')],
    ['search', binary, '-A', '-s', 'dom0_t', '-t', 'nomigrate_t'],
    ['search', '-A', '-s', 'dom0_t', '-t', 'nomigrate_t'],
    ['reach', join(root, 'examples/nomigrate/guest.cfg')],
    ['reach', '--policy', binary, join(root, 'examples/nomigrate/guest.cfg')],
    ['diff', binary, join(root, 'policies/example')],
  ];
  for (const command of commands) {
    // The binary that some of them read comes of the first.
    if (word !== ALL && command[0] !== word && command !== commands[0]) continue;
    process.argv = [process.execPath, 'dewar', ...command];
    await exports.main('0');
  }
  process.exitCode = 0;
  setStartFlags();
  writeFileSync(`${cache}.tmp`, script.createCachedData());
  renameSync(`${cache}.tmp`, cache);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
