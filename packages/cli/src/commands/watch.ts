/**
 * `dewar watch`: follows the console ring of a Xen, and prints each denial once, with what it means.
 *
 * Start reading at `runWatch`.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { commandsAsking, hypercallsAsking } from '@dewar/hypervisor';
import type { Lab } from '@dewar/lab';
import { BASELINE_RELEASE, type XenReleaseName } from '@dewar/policy/releases';
import { denialNotes } from '@dewar/toolstack';
import { type AvcEntry, checkOf, type LogPiece, parseAvcLines } from '@dewar/xen';
import { EXIT, RequestError, UsageError } from '../failures.ts';
import { ANY_SIMULATED, meansRealHost, noSuchHost, openLab, tablesOf, useRealHost } from '../host-session.ts';
import { byteText, coloursFor, printLine, safeLine, type Terminal } from '../terminal.ts';

/** How long to wait between two looks at the ring. */
const POLL_MS = 1000;
/** So many different denials are remembered; then the oldest may be told again. */
const REMEMBERED = 10_000;
/** So many commands are named. */
const COMMANDS_SHOWN = 6;

/** Tells of one denial. */
function tell(entry: AvcEntry, isEnforcing: boolean, release: XenReleaseName, { out }: Terminal): void {
  const colours = coloursFor(out);
  printLine(out, colours.strong(safeLine(byteText(entry.line))));
  if (!isEnforcing) printLine(out, '  FLASK is permissive: what was denied was done nevertheless');
  for (const { message } of denialNotes(checkOf(entry, isEnforcing)))
    if (message !== entry.line) printLine(out, `  ${safeLine(byteText(message))}`);
  for (const permission of entry.permissions) {
    const asking = hypercallsAsking(entry.class, permission, release).map(({ hypercall }) => hypercall);
    const commands = commandsAsking(entry.class, permission, release).map(({ command }) => command);
    if (asking.length > 0) printLine(out, `  \`${permission}\` is asked for by ${[...new Set(asking)].join(', ')}`);
    const rest = commands.length - COMMANDS_SHOWN;
    const shown = commands.slice(0, COMMANDS_SHOWN).join(', ');
    if (commands.length > 0) printLine(out, `  in ${shown}${rest > 0 ? `, and ${rest} more commands` : ''}`);
  }
}

/** A console that is followed. */
interface WatchedConsole {
  /** What to call it. */
  readonly title: string;
  readonly release: XenReleaseName;
  /** What has come since the last time; undefined where dom0 may not read the console. */
  next(): Promise<LogPiece | undefined>;
  /** Whether what is denied is not done. */
  isEnforcing(): Promise<boolean>;
}

/** Nobody may read what is to be followed. */
function unreadable(): RequestError {
  return new RequestError('dom0 may not read the console of Xen (`xen { readconsole }`), so there is nothing to watch');
}

/** Follows the ring until it is interrupted, or for some seconds. */
async function follow(console: WatchedConsole, seconds: number | undefined, terminal: Terminal): Promise<number> {
  const { err } = terminal;
  printLine(err, `watching the console of ${console.title}; Ctrl-C ends it`);
  const seen = new Set<string>();
  const end = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1000;
  for (let isLast = false; !isLast; ) {
    await delay(Math.min(POLL_MS, Math.max(0, end - Date.now())));
    isLast = Date.now() >= end;
    const { text = '', lost = 0 } = (await console.next()) ?? {};
    if (lost > 0)
      printLine(
        err,
        `note: ${lost} characters of the console were gone before they could be read, and denials perhaps`,
      );
    const fresh = parseAvcLines(text).filter((entry) => {
      // Domain numbers change with each guest; what is denied does not.
      const key = [entry.source, entry.target, entry.class, ...entry.permissions].join(' ');
      if (entry.outcome !== 'denied' || seen.has(key)) return false;
      if (seen.size >= REMEMBERED) seen.delete([...seen][0] ?? '');
      seen.add(key);
      return true;
    });
    if (fresh.length === 0) continue;
    const isEnforcing = await console.isEnforcing();
    for (const entry of fresh) tell(entry, isEnforcing, console.release, terminal);
  }
  return EXIT.done;
}

/** The console of a simulated host, which is looked at and not taken: other commands use the host meanwhile. */
class SimulatedConsole implements WatchedConsole {
  readonly title: string;
  readonly #lab: Lab;
  readonly #name: string;
  #release: XenReleaseName = BASELINE_RELEASE;
  #isEnforcing = true;
  #text: string | undefined;

  constructor(lab: Lab, name: string) {
    this.#lab = lab;
    this.#name = name;
    this.title = `the simulated host \`${name}\``;
  }

  get release(): XenReleaseName {
    return this.#release;
  }

  async isEnforcing(): Promise<boolean> {
    return this.#isEnforcing;
  }

  async next(): Promise<LogPiece | undefined> {
    const now = await this.#lab.look(this.#name, async ({ host, hypervisor }) => ({
      text: (await host.dmesg()).value,
      release: hypervisor.release,
      isEnforcing: (await host.getenforce()).value !== false,
    }));
    if (now === undefined) throw noSuchHost(this.#lab, this.#name);
    const { text, release, isEnforcing } = now;
    const before = this.#text;
    [this.#release, this.#isEnforcing, this.#text] = [release, isEnforcing, text];
    return text === undefined ? undefined : { text: before === undefined ? '' : addedText(before, text), lost: 0 };
  }
}

/** What came to a ring whose oldest lines make room for the newest, or that was cleared meanwhile. */
function addedText(before: string, now: string): string {
  // Without the first few lines of what was there it may be the beginning of what is there.
  for (let at = 0; at < before.length; at = before.indexOf('\n', at) + 1) {
    if (now.startsWith(before.slice(at))) return now.slice(before.length - at);
    if (!before.includes('\n', at)) break;
  }
  return now;
}

/** Follows a simulated host: the one that is named, or the one that was used last. */
async function watchSimulated(
  host: string | undefined,
  seconds: number | undefined,
  terminal: Terminal,
): Promise<number> {
  const lab = await openLab(terminal);
  const name = host === undefined || host === ANY_SIMULATED ? lab.current : host;
  if (name === undefined)
    throw new UsageError('there is nothing to watch: this machine manages no Xen, and no simulated host exists yet');
  const console = new SimulatedConsole(lab, name);
  // Passes over what is there.
  if ((await console.next()) === undefined) throw unreadable();
  return follow(console, seconds, terminal);
}

/** Follows the console of a host, until it is interrupted or for some seconds. */
export async function runWatch(
  { host, seconds }: { readonly host: string | undefined; readonly seconds: number | undefined },
  terminal: Terminal,
): Promise<number> {
  if (!(await meansRealHost({ host }))) return watchSimulated(host, seconds, terminal);
  return useRealHost(terminal, async (real) => {
    const log = real.followLog();
    if (!(await log.skip())) throw unreadable();
    const console: WatchedConsole = {
      title: `Xen ${real.release}`,
      release: tablesOf(real.version),
      next: () => log.next(),
      isEnforcing: async () => (await real.getenforce()).value !== false,
    };
    return follow(console, seconds, terminal);
  });
}
