/**
 * The console of a guest: this process becomes libxl's own program for it, as xl does.
 *
 * libxl knows where that program is, and which console a guest has. It takes over the terminal, and its exit status is
 * that of the console.
 *
 * Follows: Xen `tools/xl/xl_console.c`, `main_console`.
 *
 * @module
 */
import { CallFault } from '../call-fault.ts';
import { openHost } from './host-access.ts';
import { isSince, openLibraries } from './libraries.ts';

/** XEN: `libxl_console_type`; the words are those of xl. */
const TYPES: Readonly<Record<string, number>> = { serial: 1, pv: 2, vuart: 3 };

const SIGPIPE = 13;
/** XEN: xl's exit status when there is no console to attach to. */
const FAILURE = 1;
/** Where the command hears that the console is there. */
const NOTIFY = 3;

/** Takes RELEASE DOMID [TYPE NUMBER]. Comes back only when there is no such console. */
export async function execConsole([release = '', domain = '', type, number = '0']: readonly string[]): Promise<void> {
  try {
    const libraries = await openLibraries(release);
    const { context } = openHost(libraries);
    // What Node has set for itself would hold for the program that this process becomes, too: Node closes its streams then,
    // and ignores this signal.
    for (const fd of [0, 1, 2, NOTIFY]) libraries.now('libxl_fd_set_cloexec', context, fd, 0);
    libraries.now('signal', SIGPIPE, null);
    const domid = Number(domain);
    // XEN: since 4.18 the key that leaves the console can be chosen; null is the usual one.
    const leavingKey = isSince(release, '4.18') ? [null] : [];
    if (type === undefined) libraries.now('libxl_primary_console_exec', context, domid, NOTIFY, ...leavingKey);
    else libraries.now('libxl_console_exec', context, domid, Number(number), TYPES[type] ?? 0, NOTIFY, ...leavingKey);
  } catch (error) {
    if (!(error instanceof CallFault)) throw error;
    console.error(error.message);
  }
  console.error('Unable to attach console');
  process.exit(FAILURE);
}
