/** The libraries of Xen that are installed here have every function that the helper calls; without Xen they open nothing. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { HelperProcess } from './helper-process.ts';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/libxenlight.so.4.17';
const isHere = existsSync(LIBRARY);
if (!isHere && process.env['DEWAR_REQUIRE_TOOLS'] === '1') throw new Error(`${LIBRARY} is not installed`);

/** Made by `npm run build`, which runs before the tests. */
const HELPER = fileURLToPath(new URL('../../cli/dist/xen-helper.mjs', import.meta.url));

describe.skipIf(!isHere || !existsSync(HELPER) || existsSync('/proc/xen/capabilities'))(
  'on a machine without Xen',
  () => {
    test('all functions are found, and the host is not', async () => {
      const helper = new HelperProcess(HELPER);
      const opened = await helper.call('open', { release: '4.17' });
      await helper.close();
      expect(opened.kind === 'failed' && opened.failure).toMatchObject({ kind: 'world', code: 'no-connection' });
      expect(opened.log.join()).toContain('privileged command interface');
    });

    test('a command that is killed in the middle of a request, and has others behind, is gone for good', async () => {
      const helper = spawn(process.execPath, [HELPER], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
      let [said, answered] = ['', ''];
      helper.stderr?.on('data', (data) => (said += String(data)));
      helper.stdio[3]?.on('data', (data) => (answered += String(data)));
      const ended = new Promise((resolve) => helper.on('close', resolve));
      const open = JSON.stringify({ id: 1, call: 'open', params: { release: '4.99' } });
      const next = JSON.stringify({ id: 2, call: 'flask.getenforce', params: {} });
      helper.stdin?.end(`${open}\n${next}\n{"id":3,"call":"flask.lo`);
      expect(await ended).toBe(0);
      expect(said).toBe('');
      // The first had begun; the others never did.
      expect(answered).not.toMatch(/"id":[23]/);
    });

    test('the library of another release is missing by its name', async () => {
      const helper = new HelperProcess(HELPER);
      const opened = await helper.call('open', { release: '4.99' });
      await helper.close();
      expect(opened.kind === 'failed' && opened.failure).toMatchObject({
        kind: 'world',
        code: 'no-library',
        reason: expect.stringContaining('libxenlight.so.4.99'),
      });
    });
  },
);
