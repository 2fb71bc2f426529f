/**
 * What keeps Dewar from a real host.
 *
 * @module
 */

/**
 * What is missing: Xen itself; the right of dom0; the permission of this user; the driver of the kernel; the library of
 * the running release; one that has all functions; the FFI; a toolstack that answers; the helper process.
 */
export type XenErrorCode =
  | 'no-xen'
  | 'not-dom0'
  | 'no-driver'
  | 'no-permission'
  | 'no-library'
  | 'other-library'
  | 'no-ffi'
  | 'no-connection'
  | 'helper-ended';

/** A real host cannot be used, or not any more; the message says what is missing. */
export class XenError extends Error {
  override readonly name = 'XenError';
  readonly code: XenErrorCode;

  constructor(code: XenErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
