/** What is missing on a machine is named. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hindrance, runningRelease, runningVersion } from './availability.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dewar-root-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
}

test('a machine without Xen has none', () => {
  expect(hindrance(root)?.code).toBe('no-xen');
  write('sys/hypervisor/type', 'kvm\n');
  expect(hindrance(root)?.message).toContain('runs on kvm');
});

test('a guest of Xen is not dom0', () => {
  write('sys/hypervisor/type', 'xen\n');
  write('proc/xen/capabilities', '\n');
  expect(hindrance(root)?.code).toBe('not-dom0');
});

test('dom0 without the driver lacks it, and with it nothing', () => {
  write('sys/hypervisor/type', 'xen\n');
  write('proc/xen/capabilities', 'control_d\n');
  expect(hindrance(root)?.code).toBe('no-driver');
  write('dev/xen/privcmd', '');
  expect(hindrance(root)).toBeUndefined();
});

test('the release is what the kernel says', () => {
  expect(runningRelease(root)).toBeUndefined();
  write('sys/hypervisor/version/major', '4\n');
  write('sys/hypervisor/version/minor', '17\n');
  expect(runningRelease(root)).toBe('4.17');
  expect(runningVersion(root)).toBe('4.17');
  write('sys/hypervisor/version/extra', '.7-pre\n');
  expect(runningVersion(root)).toBe('4.17.7');
  write('sys/hypervisor/version/extra', '-unstable\n');
  expect(runningVersion(root)).toBe('4.17');
});
