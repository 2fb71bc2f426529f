/**
 * A real host whose console ring was full before it was read: a helper process that answers so stands for libxl and Xen.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openXenHost } from '@dewar/xen';

/** Answers each call; at the second look the ring has lost a hundred characters. */
const HELPER = `
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
let looks = 0;
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, call } = JSON.parse(line);
  const ring = () => ({ text: '', index: 1, lost: ++looks === 2 ? 100 : 0, isEnd: true });
  const value = call === 'ring.read' ? ring() : { isEnforcing: true };
  writeSync(3, JSON.stringify({ id, ok: true, value }) + '\\n');
});
lines.on('close', () => process.exit(0));
`;

const SYSTEM = {
  'sys/hypervisor/type': 'xen\n',
  'sys/hypervisor/version/major': '4\n',
  'sys/hypervisor/version/minor': '17\n',
  'proc/xen/capabilities': 'control_d\n',
  'dev/xen/privcmd': '',
};

/** The codes of an operation during which text was lost. */
export async function codesOfTornReport(): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'dewar-torn-'));
  try {
    for (const [path, text] of Object.entries({ ...SYSTEM, 'helper.mjs': HELPER })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const host = await openXenHost({ helperFile: join(root, 'helper.mjs'), root, stateFolder: root, isBare: true });
    const { diagnostics } = await host.getenforce();
    await host.close();
    return diagnostics.map(({ code }) => code);
  } finally {
    rmSync(root, { recursive: true });
  }
}
