/** Guests that are waited for: what is told of them, and when. */
import type { DomainState } from '@dewar/toolstack';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { awaitEnds } from './await-ends.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function domain(
  domid: number,
  state: DomainState['state'],
  shutdownReason?: DomainState['shutdownReason'],
): DomainState {
  return {
    domid: domid as DomainState['domid'],
    name: `guest-${domid}`,
    uuid: '',
    label: undefined,
    memoryMib: 128,
    vcpus: 1,
    state,
    shutdownReason,
    isStranded: false,
  };
}

/** Waits for domains whose states are as `stateAt` says after so many seconds; answers what was told, and when. */
function wait(
  domids: readonly number[],
  stateAt: (seconds: number, domid: number) => DomainState | undefined,
  signal?: AbortSignal,
  untilDeath = false,
) {
  const begun = Date.now();
  const seconds = (): number => (Date.now() - begun) / 1000;
  const told: string[] = [];
  const tell = (line: string): void => void told.push(`${seconds()}: ${line}`);
  const ended = awaitEnds(async (domid) => stateAt(seconds(), domid), domids, { tell, signal, untilDeath });
  return { told, ended };
}

test('each guest is told of once it has stopped, with the reason as a number, or once it is gone', async () => {
  const { told, ended } = wait([1, 2, 3, 4], (seconds, domid) => {
    if (domid === 1) return seconds < 2 ? domain(1, 'running') : domain(1, 'shutdown', 'poweroff');
    if (domid === 2) return seconds < 1 ? domain(2, 'running') : domain(2, 'shutdown', 'crash');
    if (domid === 3) return seconds < 3 ? domain(3, 'running') : undefined;
    return seconds < 3 ? domain(4, 'running') : domain(4, 'dying');
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect([...(await ended)]).toEqual([
    [1, domain(1, 'shutdown', 'poweroff')],
    [2, domain(2, 'shutdown', 'crash')],
    [4, domain(4, 'dying')],
  ]);
  expect(told).toEqual([
    '0: Waiting for 4 domains',
    '1: Domain 2 has been shut down, reason code 3',
    '2: Domain 1 has been shut down, reason code 0',
    '3: Domain 3 has been destroyed',
    '3: Domain 4 has been destroyed',
  ]);
});

test('a guest that does not follow is told of after half a minute, and ever more seldom; a signal ends the waiting', async () => {
  const interruption = new AbortController();
  const running = domain(1, 'running');
  const { told, ended } = wait([1], (seconds) => (seconds < 100 ? running : domain(1, 'paused')), interruption.signal);
  await vi.advanceTimersByTimeAsync(125_250);
  interruption.abort();
  expect([...(await ended)]).toEqual([[1, domain(1, 'paused')]]);
  const why = 'its kernel has taken the request, and what is in it has not followed';
  expect(told).toEqual([
    '0: Waiting for 1 domains',
    `30: domain 1 still runs after 30 s: ${why}`,
    `60: domain 1 still runs after 60 s: ${why}`,
    `120: domain 1 is paused after 120 s: ${why}`,
  ]);
  expect(vi.getTimerCount()).toBe(0);
});

test('who is told to stop waiting before he begins looks once', async () => {
  const { told, ended } = wait([1], () => domain(1, 'running'), AbortSignal.abort());
  expect((await ended).get(1)?.state).toBe('running');
  expect(told).toEqual(['0: Waiting for 1 domains']);
});

test('who waits until they are destroyed hears first that they have stopped, once, and is reminded of one that stays so', async () => {
  const { told, ended } = wait(
    [1, 2],
    (seconds, domid) => {
      if (seconds < 1) return domain(domid, 'running');
      if (domid === 1) return seconds < 3 ? domain(1, 'shutdown', 'reboot') : undefined;
      return seconds < 40 ? domain(2, 'shutdown', 'poweroff') : domain(2, 'dying');
    },
    undefined,
    true,
  );
  await vi.advanceTimersByTimeAsync(60_000);
  expect([...(await ended)]).toEqual([[2, domain(2, 'dying')]]);
  expect(told).toEqual([
    '0: Waiting for 2 domains',
    '1: Domain 1 has been shut down, reason code 1',
    '1: Domain 1 continue waiting for death',
    '1: Domain 2 has been shut down, reason code 0',
    '1: Domain 2 continue waiting for death',
    '3: Domain 1 has been destroyed',
    '30: domain 2 has stopped, and nobody has destroyed it after 30 s',
    '40: Domain 2 has been destroyed',
  ]);
});
