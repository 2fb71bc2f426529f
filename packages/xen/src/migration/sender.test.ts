/** A sender whose command is gone: what the receiver hears last. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BANNER, MigrationChannel, STREAM_START } from './channel.ts';
import { MigrationSender, type SenderActs } from './sender.ts';

let folder: string;
let fds: readonly number[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-sender-'));
});
afterEach(() => {
  for (const fd of fds) closeSync(fd);
  rmSync(folder, { recursive: true });
});

const done = async (): Promise<void> => undefined;

test('who abandons an offer says that the guest begins, then that nothing more comes', async () => {
  const [answers, stream] = [join(folder, 'answers'), join(folder, 'stream')];
  writeFileSync(answers, BANNER);
  const [input, output] = [openSync(answers, 'r'), openSync(stream, 'w')];
  fds = [input, output];
  const acted: string[] = [];
  const acts: SenderActs = {
    configuration: async () => '{"c_info":{"name":"g"}}',
    suspend: async () => void acted.push('suspend'),
    isSuspended: async () => false,
    resume: done,
    nameOf: async () => undefined,
    rename: done,
    destroy: done,
    closeStream: () => void acted.push(`close at ${readFileSync(stream).length}`),
  };
  const sender = new MigrationSender(acts, new MigrationChannel(input, output, 'receiver'));
  await sender.offer({ domid: 1, json: undefined, keepsDomid: false });
  const offered = readFileSync(stream).length;
  await sender.abandon();
  const heard = readFileSync(stream);
  expect(heard.subarray(offered)).toEqual(STREAM_START);
  expect(acted).toEqual([`close at ${offered + STREAM_START.length}`]);
  // What the command had asked for before it went does not begin any more.
  await expect(sender.send({ domid: 1, isDebugged: false })).rejects.toThrow();
  expect(acted).not.toContain('suspend');
});
