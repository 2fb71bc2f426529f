/**
 * Opens the Xen host that this machine is, or says what is missing.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { hindrance, runningRelease } from './availability.ts';
import { HelperProcess } from './helper-process.ts';
import { XenError } from './xen-error.ts';
import { XenHost, type XenHostOptions } from './xen-host.ts';

/** Folders where libraries of Xen may lie, beside those that the loader knows. */
const LIBRARY_FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/usr/local/lib64', '/usr/lib/x86_64-linux-gnu'];

/** The releases that there is a libxenlight for. */
function installedReleases(): string[] {
  const releases = new Set<string>();
  for (const folder of [...LIBRARY_FOLDERS, '/usr/lib/aarch64-linux-gnu']) {
    let names: readonly string[] = [];
    try {
      names = readdirSync(folder);
    } catch {
      continue;
    }
    for (const name of names) {
      const match = /^libxenlight\.so\.(\d+\.\d+)$/.exec(name);
      if (match?.[1] !== undefined) releases.add(match[1]);
    }
  }
  return [...releases].sort();
}

function libraryError(release: string, reason: string): XenError {
  const others = installedReleases().filter((one) => one !== release);
  const hint =
    others.length === 0
      ? 'install the toolstack of that release (Debian: `xen-utils`)'
      : `there is one of Xen ${others.join(' and ')}: the toolstack and the running hypervisor must be of one release`;
  return new XenError('no-library', `Xen ${release} runs here, but ${reason}; ${hint}`);
}

/** Opens the Xen host that this machine is. Throws a `XenError` that says what is missing. */
export async function openXenHost(options: XenHostOptions): Promise<XenHost> {
  const { root } = options;
  const missing = hindrance(root);
  if (missing !== undefined) throw missing;
  const release = runningRelease(root);
  if (release === undefined)
    throw new XenError('no-library', 'the kernel does not tell which release of Xen runs (`/sys/hypervisor/version`)');
  const helper = new HelperProcess(options.helperFile, options.patienceMs);
  const opened = await helper.call('open', { release, isBare: options.isBare });
  if (opened.kind === 'ok') return new XenHost(helper, release, options);
  await helper.close();
  const { failure, log } = opened;
  if (failure.kind !== 'world') throw new XenError('no-connection', 'the host could not be opened');
  switch (failure.code) {
    case 'no-library':
      throw libraryError(release, failure.reason);
    case 'other-library':
      throw new XenError('other-library', `${failure.reason}: this version of Dewar cannot work with Xen ${release}`);
    case 'no-ffi':
      throw new XenError('no-ffi', `${failure.reason}; run \`npm ci\` on this machine`);
    case 'no-connection': {
      const said = log.length === 0 ? '' : ` (${log.slice(-2).join('; ')})`;
      throw new XenError('no-connection', `${failure.reason}: is xenstored running?${said}`);
    }
  }
}
