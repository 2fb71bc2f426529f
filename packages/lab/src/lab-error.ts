/** What can go wrong with the files of simulated hosts. */
export type LabErrorCode = 'bad-name' | 'busy' | 'unreadable' | 'not-a-host' | 'unwritable' | 'lost-lock';

/** The world failed: a file could not be read, written or locked. */
export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
