/**
 * What libxl, libxc and xl print on their standard error when something fails.
 *
 * Follows Xen `tools/libs/light/libxl_internal.c`, `libxl__logv`, `tools/libs/ctrl/xc_private.c`, `xc_report_error`, and
 * `tools/libs/ctrl/xc_flask.c`, `xc_flask_op`.
 *
 * @module
 */
import type { Errno } from '../hypercalls.ts';

/** What is under way, with what it has said so far. */
interface Speaking {
  readonly messages: string[];
}

/** An errno, or that there was none to be blamed. */
export type Cause = Errno | 'none';

/** The number of an errno on Linux, and what the C library says of it. */
const ERRNOS: Readonly<Record<Cause, readonly [number: number, text: string]>> = {
  none: [0, 'Success'],
  EPERM: [1, 'Operation not permitted'],
  ENOENT: [2, 'No such file or directory'],
  ESRCH: [3, 'No such process'],
  EAGAIN: [11, 'Resource temporarily unavailable'],
  ENOMEM: [12, 'Cannot allocate memory'],
  EACCES: [13, 'Permission denied'],
  EBUSY: [16, 'Device or resource busy'],
  EEXIST: [17, 'File exists'],
  ENODEV: [19, 'No such device'],
  EINVAL: [22, 'Invalid argument'],
  ERANGE: [34, 'Numerical result out of range'],
  ENOSYS: [38, 'Function not implemented'],
  ENODATA: [61, 'No data available'],
  EOVERFLOW: [75, 'Value too large for defined data type'],
  EOPNOTSUPP: [95, 'Operation not supported'],
  ENOBUFS: [105, 'No buffer space available'],
};

/** What the C library says of an errno. */
export function errnoText(errno: Cause): string {
  return ERRNOS[errno][1];
}

/** The number of an errno. */
export function errnoNumber(errno: Cause): number {
  return ERRNOS[errno][0];
}

/** XEN: `DOMID_FIRST_RESERVED`. */
const FIRST_RESERVED = 0x7ff0;

/** libxl names the domain that a line is about if it could be a guest. XEN: `libxl_domid_valid_guest`. */
function withDomain(text: string): string {
  const [whole, digits] = /^Domain ([0-9]+):/.exec(text) ?? [];
  const domid = Number(digits);
  return whole !== undefined && (domid === 0 || domid >= FIRST_RESERVED) ? text.slice(whole.length) : text;
}

/** What libxl logs; with an errno where it says why. A text about a domain begins with `Domain NUMBER:`. */
export function logLibxl({ messages }: Speaking, place: string, text: string, errno?: Cause): void {
  const why = errno === undefined ? '' : `: ${errnoText(errno)}`;
  messages.push(...`libxl: error: ${place}: ${withDomain(text)}${why}`.split('\n'));
}

/** What libxl warns of. */
export function warnLibxl({ messages }: Speaking, place: string, text: string): void {
  messages.push(`libxl: warning: ${place}: ${withDomain(text)}`);
}

/** What libxc reports; with an errno where it says why. XEN: `ERROR`, `PERROR`. */
export function logLibxc({ messages }: Speaking, text: string, errno?: Cause): void {
  const why = errno === undefined ? '' : ` (${errnoNumber(errno)} = ${errnoText(errno)})`;
  // Some texts end with a line break, before the kind of error.
  messages.push(...`xc: error: ${text}${why}: Internal error`.split('\n'));
}

/** What the builder of domains reports before it gives up. XEN: `xc_dom_panic`. */
export function panicLibxc({ messages }: Speaking, place: string, text: string, kind = 'Internal error'): void {
  messages.push(...`xc: error: panic: ${place}: ${text}: ${kind}`.split('\n'));
}

/** XEN: `xc_flask_op` says so of each request to FLASK that is denied, whatever the caller makes of it. */
export function sayXsmDenied({ messages }: Speaking, errno: Errno): void {
  if (errno === 'EACCES') messages.push('XSM operation failed!');
}
