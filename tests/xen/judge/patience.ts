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
