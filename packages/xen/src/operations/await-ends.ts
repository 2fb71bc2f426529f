/**
 * Guests that were asked to stop, and are waited for.
 *
 * @module
 */
import { type DomainState, SHUTDOWN_CODES } from '@dewar/toolstack';

/** How somebody waits for guests to stop. */
export interface WaitOptions {
  /** Hears what becomes of each guest, as xl says it, and now and then of those that run on. */
  readonly tell: (line: string) => void;
  /** Waits until they are destroyed, too. */
  readonly untilDeath?: boolean;
  /** Ends the waiting; nothing is done to the guests. */
  readonly signal?: AbortSignal | undefined;
}

/** How often the guests are looked at. */
const POLL_MS = 500;

/** Those that run on are told of after so long, and each time after twice as long. */
const FIRST_REMINDER_MS = 30_000;

/**
 * Waits until each of some domains has stopped or is gone, or with `untilDeath` until it is gone, and tells of it. Answers how each stands then, without those
 * that are gone. XEN: `wait_for_domain_deaths` of xl, which waits without a limit, too.
 */
export async function awaitEnds(
  stateOf: (domid: number) => Promise<DomainState | undefined>,
  domids: readonly number[],
  { tell, signal, untilDeath = false }: WaitOptions,
): Promise<ReadonlyMap<number, DomainState>> {
  const states = new Map<number, DomainState>();
  const waiting = new Set(domids);
  const told = new Map<number, string>();
  tell(`Waiting for ${waiting.size} domains`);
  const begun = Date.now();
  let reminder = FIRST_REMINDER_MS;
  for (;;) {
    for (const domid of waiting) {
      const state = await stateOf(domid);
      if (state === undefined) states.delete(domid);
      else states.set(domid, state);
      const end = endOf(domid, state);
      if (end === undefined || told.get(domid) === end) continue;
      told.set(domid, end);
      tell(end);
      if (untilDeath && state?.state === 'shutdown') tell(`Domain ${domid} continue waiting for death`);
      else waiting.delete(domid);
    }
    if (waiting.size === 0 || signal?.aborted === true) return states;
    if (Date.now() - begun >= reminder) {
      for (const domid of waiting) tell(reminderOf(states.get(domid), domid, reminder / 1000));
      reminder *= 2;
    }
    await pause(signal);
  }
}

/** What xl says of a domain that has stopped; undefined while it has not. */
function endOf(domid: number, state: DomainState | undefined): string | undefined {
  // XEN: libxl takes a domain that is dying for dead (`domain_death_xswatch_callback`).
  if (state === undefined || state.state === 'dying') return `Domain ${domid} has been destroyed`;
  if (state.state !== 'shutdown') return undefined;
  return `Domain ${domid} has been shut down, reason code ${SHUTDOWN_CODES[state.shutdownReason ?? 'poweroff']}`;
}

function reminderOf(state: DomainState | undefined, domid: number, seconds: number): string {
  if (state?.state === 'shutdown') return `domain ${domid} has stopped, and nobody has destroyed it after ${seconds} s`;
  const how = state?.state === 'paused' ? 'is paused' : 'still runs';
  return `domain ${domid} ${how} after ${seconds} s: its kernel has taken the request, and what is in it has not followed`;
}

/** The time until the next look; a signal makes it shorter. */
function pause(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, POLL_MS);
    signal?.addEventListener('abort', end);
  });
}
