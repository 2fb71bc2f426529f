/**
 * Waiting, in dom0 of an emulated machine that takes its time.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** So long is enough for whatever is waited for, also when the machine below is busy. */
export const PATIENCE_S = 180;

/** Whether something holds within some time. */
export async function within(seconds: number, holds: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await delay(200)) if (await holds()) return true;
  return holds();
}

/** The first process of a guest has written on the guest's console. */
export function isAlive(name: string): Promise<boolean> {
  const log = `/var/log/xen/guest-${name}.log`;
  return within(PATIENCE_S, () => existsSync(log) && readFileSync(log, 'latin1').includes('GUEST IS ALIVE'));
}

/** No part of the judgement takes so long but where something in the machine hangs. */
const LIMIT_S = 600;

/** What an answer says that did not come in time. */
export const DID_NOT_END: string = `did not end within ${LIMIT_S} s`;

/** Waits for something, but not for ever: throws where it does not end. */
export async function bounded<T>(what: string, work: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const late = delay(LIMIT_S * 1000, undefined, { signal: stop.signal }).then(
    () => {
      throw new Error(`${what} ${DID_NOT_END}`);
    },
    // It is not waited for any more.
    () => work,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
  }
}
