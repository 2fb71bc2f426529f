/** Thrown only for our own mistakes; never for a user's input. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Makes the compiler list every case; reaching it at run time is our bug. */
export function unreachable(value: never): never {
  throw new InvariantError(`unhandled case: ${JSON.stringify(value)}`);
}
