/** How functions of libxl are called: as the release has them, and with memory that lasts as long as the call. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { callLater, declarationFor, isSince } from './libraries.ts';

test('releases are compared by their numbers', () => {
  expect(['4.9', '4.14', '4.18', '4.20', '5.0'].map((release) => isSince(release, '4.18'))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
});

test('the console takes the key that leaves it since 4.18, and what did not change is the same everywhere', () => {
  const before = 'int libxl_console_exec(void *ctx, uint32_t domid, int number, int type, int notify)';
  expect(declarationFor('4.17', before)).toBe(before);
  expect(declarationFor('4.18', before)).toMatch(/, int notify, void \*escape\)$/);
  const primary = 'int libxl_primary_console_exec(void *ctx, uint32_t domid, int notify)';
  expect(declarationFor('4.20', primary)).toMatch(/^int libxl_primary_console_exec\(.*, void \*escape\)$/);
  const pause = 'int libxl_domain_pause(void *ctx, uint32_t domid, void *how)';
  expect(declarationFor('4.20', pause)).toBe(pause);
});

test('memory that was handed over is not given back before the call has ended', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  /** As koffi: of what it is given it keeps the function alone. */
  class Call {
    ended: ((error: unknown, result: unknown) => void) | undefined;
    async(...args: readonly unknown[]): void {
      // The last one is the function.
      this.ended = args.at(-1) as typeof this.ended;
    }
  }
  const call = new Call();
  let handed: WeakRef<object> | undefined;
  const isThere = async (): Promise<boolean> => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      collect();
    }
    return handed?.deref() !== undefined;
  };
  const begin = (): Promise<unknown> => {
    const room = Buffer.alloc(64 * 1024);
    handed = new WeakRef(room);
    return callLater(call, [room]);
  };
  const answered = begin();
  expect(await isThere()).toBe(true);
  call.ended?.(null, 7);
  call.ended = undefined;
  expect(await answered).toBe(7);
  expect(await isThere()).toBe(false);
});
