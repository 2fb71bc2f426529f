/**
 * Opens the Xen host that this machine is, or says what is missing.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { hindrance, runningRelease } from './availability.ts';
import { HelperProcess } from './helper-process.ts';
import { hasXenstored } from './operations/xenstore-domain.ts';
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

/** So long a xenstore has to answer that is not in dom0. */
const XENSTORE_PATIENCE_MS = 15_000;

/**
 * Whether there is a xenstore. libxl takes the kernel's word where no xenstored listens in dom0, and the kernel waits without
 * end for a xenstore domain that may never come.
 */
async function hasXenstore(helper: HelperProcess, { root = '/', patienceMs }: XenHostOptions): Promise<boolean> {
  if (await hasXenstored(root)) return true;
  const told = helper.call('xenstore.read', { path: '/tool/xenstored/domid' }).then(
    () => true,
    () => false,
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.min(patienceMs ?? XENSTORE_PATIENCE_MS, XENSTORE_PATIENCE_MS));
  });
  try {
    return await Promise.race([told, late]);
  } finally {
    clearTimeout(timer);
  }
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
  if (opened.kind === 'ok') {
    if (options.isBare !== true && !(await hasXenstore(helper, options))) {
      if (helper.pid !== undefined) process.kill(helper.pid, 'SIGKILL');
      await helper.close();
      throw new XenError('no-connection', 'nobody answers as the xenstore of this host: is xenstored running?');
    }
    return new XenHost(helper, release, options);
  }
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
