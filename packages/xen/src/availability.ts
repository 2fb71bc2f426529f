/**
 * Whether this machine is a Xen host that this process may manage, from what the kernel tells in files.
 *
 * Follows: Linux `drivers/xen/sys-hypervisor.c`, `drivers/xen/xenfs/super.c`, `drivers/xen/privcmd.c`.
 *
 * @module
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { XenError } from './xen-error.ts';

/** Devices by which libraries reach Xen; the first that exists is used. */
const PRIVCMD = ['dev/xen/privcmd', 'proc/xen/privcmd'];

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The release of Xen that runs, such as `4.17`; undefined where the kernel does not tell. */
export function runningRelease(root = '/'): string | undefined {
  const version = (part: string): string | undefined => read(join(root, 'sys/hypervisor/version', part));
  const [major, minor] = [version('major'), version('minor')];
  return major === undefined || minor === undefined || !/^[0-9]+$/.test(major + minor)
    ? undefined
    : `${major}.${minor}`;
}

/** Its version with the point release, such as `4.17.5`, where the kernel tells that too. */
export function runningVersion(root = '/'): string | undefined {
  const release = runningRelease(root);
  const [, point] = /^\.(\d{1,3})/.exec(read(join(root, 'sys/hypervisor/version/extra')) ?? '') ?? [];
  return release === undefined || point === undefined ? release : `${release}.${point}`;
}

/** Why this process cannot manage a Xen host, or undefined when it can. `root` is for tests. */
export function hindrance(root = '/'): XenError | undefined {
  const hypervisor = read(join(root, 'sys/hypervisor/type'));
  const capabilities = read(join(root, 'proc/xen/capabilities'));
  const driver = PRIVCMD.map((path) => join(root, path)).find((path) => existsSync(path));
  if (hypervisor !== 'xen' && capabilities === undefined) {
    const found = hypervisor === undefined ? 'this machine does not run on Xen' : `this machine runs on ${hypervisor}`;
    return new XenError('no-xen', `there is no Xen here: ${found}`);
  }
  const isControl = capabilities?.split(/\s+/).includes('control_d');
  if (isControl === false)
    return new XenError('not-dom0', 'this is a guest of Xen, not dom0: only the control domain manages a host');
  if (driver === undefined) {
    return new XenError(
      'no-driver',
      'this machine runs on Xen, but `/dev/xen/privcmd` is missing: load the kernel module `xen-privcmd`',
    );
  }
  try {
    accessSync(driver, constants.R_OK | constants.W_OK);
  } catch (error) {
    return new XenError('no-permission', `may not open \`${driver}\`: managing a Xen host takes root`, error);
  }
  return undefined;
}
