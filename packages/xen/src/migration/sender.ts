/**
 * The side of a migration that a guest leaves, as `xl migrate` plays it: any `xl migrate-receive` understands it.
 *
 * Who ends in the middle leaves one guest: up to the word that hands it over it is the one here, which goes on; from then
 * on it is for the receiver to say. What is under way when the command is gone is ended so, too.
 *
 * Follows Xen `tools/xl/xl_migrate.c`, `migrate_domain`.
 * Start reading at `MigrationSender.send`.
 *
 * @module
 */
import { CallFault } from '../call-fault.ts';
import type { HandOver, HelperCalls } from '../protocol.ts';
import { saveHead } from '../save-format.ts';
import { BANNER, GO, type MigrationChannel, READY, REPORT, STREAM_START } from './channel.ts';

/** What is done to the guest. A method that fails throws. */
export interface SenderActs {
  /** The JSON of `libxl_domain_config`, as it stands. */
  configuration(domid: number): Promise<string>;
  /** Sends the guest, which runs on until little of it is left; then it is suspended. */
  suspend(domid: number, isDebugged: boolean): Promise<void>;
  /** Whether it has suspended itself, so that it needs to be told to go on. */
  isSuspended(domid: number): Promise<boolean>;
  /** Has a suspended guest go on as if nothing had been. */
  resume(domid: number): Promise<void>;
  /** Its name in xenstore; undefined where it has none. */
  nameOf(domid: number): Promise<string | undefined>;
  /** Gives it another name. */
  rename(domid: number, name: string): Promise<void>;
  /** Destroys what is left of it. */
  destroy(domid: number): Promise<void>;
  /** Nothing more goes to the receiver: what is being written fails, and the receiver sees the end. */
  closeStream(): void;
}

/** How far it is. */
type Stage = 'before' | 'sending' | 'sent' | 'handing-over' | 'gone' | 'over';

/** So long a receiver has to destroy what it has built and to say so, in milliseconds. */
const CLEANUP_MS = 30_000;

/**
 * A receiver that cannot begin, for a label that it does not know, say, ends so soon, in milliseconds. XEN: libxl calls a null
 * pointer where its stream ends before its helper writes to it (`libxl_save_callout.c`, `helper_done`), up to 4.22.
 */
const EARLY_END_MS = 500;

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** One migration. */
export class MigrationSender {
  readonly #acts: SenderActs;
  readonly #channel: MigrationChannel;
  #stage: Stage = 'before';
  #domid = -1;
  #isAbandoned = false;

  constructor(acts: SenderActs, channel: MigrationChannel) {
    this.#acts = acts;
    this.#channel = channel;
  }

  /** Waits for the receiver, and tells it what comes. */
  async offer({
    domid,
    json,
    keepsDomid,
  }: HelperCalls['migration.offer']['params']): Promise<HelperCalls['migration.offer']['result']> {
    const config = json ?? withDomid(await this.#acts.configuration(domid), keepsDomid ? domid : undefined);
    await this.#channel.expect(BANNER, 'its banner');
    const head = saveHead(Buffer.from(`${config}\0`, 'latin1'));
    await this.#channel.write(head, 'the configuration of the guest');
    return { configBytes: Buffer.byteLength(config, 'latin1') + 1 };
  }

  /** Sends the guest. When it cannot be sent, or does not arrive, it goes on here. */
  async send({ domid, isDebugged }: HelperCalls['migration.send']['params']): Promise<void> {
    this.#domid = domid;
    this.#stage = 'sending';
    let isSent = false;
    try {
      await this.#channel.mustStay(EARLY_END_MS, 'the guest was sent');
      this.#mustBeWanted();
      await this.#acts.suspend(domid, isDebugged);
      isSent = true;
      await this.#channel.expect(READY, 'the word that it has the guest');
      this.#stage = 'sent';
      // Nobody would hand it over any more.
      this.#mustBeWanted();
    } catch (error) {
      await this.#keep(isSent);
      throw error;
    }
  }

  #mustBeWanted(): void {
    if (this.#isAbandoned) throw new CallFault({ kind: 'refused', reason: 'the command has ended' });
  }

  /** The guest goes on here. A receiver that has all of it sees that it is not its own, and destroys it. */
  async #keep(isSent: boolean): Promise<void> {
    this.#stage = 'over';
    // libxl may have ended before its first word.
    if (!isSent) this.#channel.tryWrite(STREAM_START);
    this.#acts.closeStream();
    await this.#resume();
    // XEN: a receiver that cannot say how it went ends without destroying its copy.
    if (isSent) await this.#channel.drain(CLEANUP_MS);
  }

  /** Has the guest go on, if it has suspended itself. */
  async #resume(): Promise<boolean> {
    try {
      if (await this.#acts.isSuspended(this.#domid)) await this.#acts.resume(this.#domid);
      return true;
    } catch {
      // How the guest stands is looked at afterwards.
      return false;
    }
  }

  /** Hands the guest over, and hears whether it runs there. */
  async handOver({ domid }: HelperCalls['migration.handOver']['params']): Promise<HandOver> {
    this.#stage = 'handing-over';
    const outcome = await this.#handOver(domid);
    if (outcome.kind === 'started') {
      this.#stage = 'gone';
      if (this.#isAbandoned) await this.finish({ domid });
    } else this.#stage = 'over';
    return outcome;
  }

  async #handOver(domid: number): Promise<HandOver> {
    const name = await this.#acts.nameOf(domid);
    try {
      if (name !== undefined) await this.#acts.rename(domid, `${name}--migratedaway`);
      // Who does not get all of it may not go, so that a write that fails has handed nothing over.
      await this.#channel.write(GO, 'the permission to go on with the guest');
    } catch (error) {
      await this.#rename(domid, name);
      await this.#keep(true);
      return { kind: 'kept', reason: reasonOf(error) };
    }
    try {
      await this.#channel.expect(REPORT, 'the word how the start went');
      const [status = 0] = await this.#channel.read(1, 'the status of the start');
      if (status === 0) return { kind: 'started' };
      await this.#channel.expect(GO, 'the word that the guest may go on here');
      await this.#rename(domid, name);
      return { kind: 'not-started', status, isResumed: await this.#resume() };
    } catch (error) {
      return { kind: 'unknown', reason: reasonOf(error) };
    }
  }

  async #rename(domid: number, name: string | undefined): Promise<void> {
    try {
      if (name !== undefined) await this.#acts.rename(domid, name);
    } catch {
      // Its name tells afterwards.
    }
  }

  /** The guest runs at the receiver: what is left of it here goes. */
  async finish({ domid }: HelperCalls['migration.finish']['params']): Promise<void> {
    this.#stage = 'over';
    await this.#acts.destroy(domid);
  }

  /** The command is gone: ends what is under way, so that there is one guest. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    switch (this.#stage) {
      case 'before':
      case 'sending':
        // What waits or writes fails now, and the guest goes on.
        this.#channel.giveUp();
        this.#channel.tryWrite(STREAM_START);
        this.#acts.closeStream();
        return;
      case 'sent':
        return this.#keep(true);
      case 'gone':
        return this.finish({ domid: this.#domid });
      case 'handing-over':
      case 'over':
        return;
    }
  }
}

/** A configuration with a number that the domain is to have, or without: the receiver then takes any. */
function withDomid(json: string, domid: number | undefined): string {
  // libxl has printed it.
  const config = JSON.parse(json) as Readonly<Record<string, unknown>> & { readonly c_info?: object };
  const { domid: _domid, ...info }: { readonly domid?: unknown } = config.c_info ?? {};
  return JSON.stringify({ ...config, c_info: { ...(domid === undefined ? {} : { domid }), ...info } });
}
