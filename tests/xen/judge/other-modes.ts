/**
 * What Dewar must say on a host whose Xen was booted with `flask=permissive`, and with `flask=disabled`.
 *
 *     tsx tests/xen/judge/other-modes.ts MODE
 *
 * prints a script for dom0 that leaves behind, for each command, a file with its output and its exit status.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OtherMode } from './parts.ts';

/** One command, and what must come of it. */
interface Expectation {
  readonly args: string;
  readonly code: number;
  readonly says: string;
}

const OTHER = `'seclabel="customer_2:vm_r:nomigrate_t"'`;

/** Commands in their order. `guest.cfg` is the example's guest, `plain.cfg` the same without labels. */
const EXPECTATIONS: Readonly<Record<OtherMode, readonly Expectation[]>> = {
  permissive: [
    { args: 'getenforce', code: 0, says: 'Permissive' },
    { args: `create -q guest.cfg ${OTHER}`, code: 0, says: 'is running under customer_2:vm_r:nomigrate_t' },
    { args: 'probe nomigrate-guest', code: 0, says: 'mapped: dom0 can see this memory' },
    { args: 'setenforce 1', code: 0, says: '' },
    { args: 'probe nomigrate-guest', code: 0, says: 'denied' },
    { args: 'destroy nomigrate-guest', code: 0, says: '' },
    { args: `create -q guest.cfg ${OTHER}`, code: 3, says: 'lacks `domain { transition }`' },
  ],
  disabled: [
    { args: 'list', code: 0, says: 'Domain-0' },
    { args: 'getenforce', code: 255, says: 'FLASK is disabled on this host' },
    { args: 'setenforce 1', code: 255, says: 'FLASK is disabled on this host' },
    { args: 'get-bool', code: 1, says: 'FLASK is disabled on this host' },
    { args: 'loadpolicy --yes example.policy', code: 255, says: 'Flask XSM disabled' },
    { args: 'trace --host xen --policy example.policy -- xl list', code: 1, says: 'FLASK is disabled on this host' },
    { args: 'create guest.cfg', code: 1, says: 'FLASK is disabled on this host; nothing was created' },
    { args: 'create -q plain.cfg', code: 0, says: 'is running under' },
    { args: 'watch --seconds 1', code: 0, says: 'watching the console of Xen SERIES' },
  ],
};

/** What became of one command. */
export interface OtherModeResult {
  readonly command: string;
  /** What it printed. */
  readonly said: string;
  /** Why it was not as it has to be; undefined when all was. */
  readonly problem: string | undefined;
}

/** Reads what a boot with a mode has left in a folder. `series` is that of the Xen that was booted, such as `4.17`. */
export function resultsOf(mode: OtherMode, folder: string, series: string): readonly OtherModeResult[] {
  return EXPECTATIONS[mode].map(({ args, code, says: words }, i) => {
    const says = words.replace('SERIES', series);
    const command = `dewar ${args}`;
    const path = join(folder, `${i}.txt`);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const said = text.replace(/exit \d+\n$/, '');
    const is = /exit (\d+)\n$/.exec(text)?.[1] ?? 'nothing';
    if (is !== String(code)) return { command, said, problem: `ended with ${is}, not ${code}: ${said.trim()}` };
    return { command, said, problem: said.includes(says) ? undefined : `does not say \`${says}\`: ${said.trim()}` };
  });
}

function script(mode: OtherMode): string {
  const lines = EXPECTATIONS[mode].map(({ args }, i) => `say ${i} ${args}`);
  return `cd /judge
export DEWAR_STATE_DIR=/run/dewar NO_COLOR=1
say() {
	file=results/$1.txt
	shift
	node /judge/dewar/packages/cli/bin/dewar.js "$@" >"$file" 2>&1
	echo "exit $?" >>"$file"
}
grep -v seclabel guest.cfg >plain.cfg
${lines.join('\n')}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , mode] = process.argv;
  if (mode !== 'permissive' && mode !== 'disabled') throw new Error('name the mode: permissive or disabled');
  process.stdout.write(script(mode));
}
