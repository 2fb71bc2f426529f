/**
 * The side of a migration that a guest comes to, as `xl migrate-receive` plays it: any `xl migrate` understands it.
 *
 * What was built is destroyed again, and the sender told so, until the sender has said that the guest is ours; from then on
 * it is the one that there is.
 *
 * Follows Xen `tools/xl/xl_migrate.c`, `migrate_receive`.
 * Start reading at `MigrationReceiver.take`.
 *
 * @module
 */
import { CallFault } from '../call-fault.ts';
import type { HelperCalls, Taken } from '../protocol.ts';
import { configInData, readSaveHeader, SAVE_HEADER_BYTES } from '../save-format.ts';
import { BANNER, GO, type MigrationChannel, READY, REPORT } from './channel.ts';

/** What is done to the guest. A method that fails throws. */
export interface ReceiverActs {
  /** Builds a guest out of what comes in; it stays paused. Answers its number. */
  restore(json: string): Promise<number>;
  /** Gives it the name that the configuration had. */
  rename(domid: number, name: string): Promise<void>;
  /** Starts it. */
  unpause(domid: number): Promise<void>;
  /** Destroys it; what is left then may not run anywhere. */
  destroy(domid: number): Promise<void>;
  /** Nothing more comes in, where it comes through a socket: what is being read fails. */
  closeStream(): void;
}

/** How far it is. */
type Stage = 'before' | 'building' | 'built' | 'taken' | 'over';

/** XEN: what the status of a start stands for that failed for no reason of libxl's. */
const OTHER_REASON = 1;

/** libxl's number without its sign, which is what the sender is told. */
function statusOf(error: unknown): number {
  const failure = error instanceof CallFault ? error.failure : undefined;
  const status = failure?.kind === 'libxl' ? -failure.rc : OTHER_REASON;
  return status > 0 && status < 256 ? status : OTHER_REASON;
}

/** One migration. */
export class MigrationReceiver {
  readonly #acts: ReceiverActs;
  readonly #channel: MigrationChannel;
  #stage: Stage = 'before';
  #domid = -1;
  #isAbandoned = false;

  constructor(acts: ReceiverActs, channel: MigrationChannel) {
    this.#acts = acts;
    this.#channel = channel;
  }

  /** Says that somebody is here, and hears what comes: the configuration as JSON. */
  async begin(): Promise<HelperCalls['reception.begin']['result']> {
    const refuse = (reason: string): never => {
      throw new CallFault({ kind: 'refused', reason });
    };
    await this.#channel.write(BANNER, 'the banner');
    const header = readSaveHeader(
      await this.#channel.read(SAVE_HEADER_BYTES, 'the header of a guest'),
      'guest that `xl migrate` or `dewar migrate` sends',
    );
    if (header.kind === 'refused') return refuse(header.reason);
    const data = await this.#channel.read(header.length, 'the configuration of the guest');
    return { json: header.isJson ? configInData(data) : refuse('it has no configuration in JSON') };
  }

  /** Builds the guest. One that nobody waits for is destroyed at once. */
  async build({ json }: HelperCalls['reception.build']['params']): Promise<HelperCalls['reception.build']['result']> {
    this.#stage = 'building';
    try {
      this.#domid = await this.#acts.restore(json);
    } catch (error) {
      this.#stage = 'over';
      throw error;
    }
    this.#stage = 'built';
    if (this.#isAbandoned) {
      await this.#giveBack();
      throw new CallFault({ kind: 'refused', reason: 'the command has ended; the guest was destroyed again' });
    }
    return { domid: this.#domid };
  }

  /** Says that the whole guest is here, and starts it once it is ours. */
  async take({ name, isPaused }: HelperCalls['reception.take']['params']): Promise<Taken> {
    try {
      await this.#channel.write(READY, 'the word that the guest is here');
      await this.#channel.expect(GO, 'the permission to go on with the guest');
    } catch (error) {
      await this.#giveBack();
      throw error;
    }
    this.#stage = 'taken';
    try {
      await this.#acts.rename(this.#domid, name);
      if (!isPaused) await this.#acts.unpause(this.#domid);
    } catch (error) {
      const status = statusOf(error);
      const isDestroyed = await this.#giveBack(status);
      return { kind: 'not-started', status, isDestroyed };
    }
    this.#stage = 'over';
    try {
      await this.#channel.write(Buffer.concat([REPORT, Buffer.from([0])]), 'the word that the guest runs here');
      return { kind: 'started' };
    } catch {
      return { kind: 'not-heard' };
    }
  }

  /** The guest is not to stay. */
  async refuse(): Promise<HelperCalls['reception.refuse']['result']> {
    return { isDestroyed: await this.#giveBack() };
  }

  /** Destroys what was built; only then the sender may go on with its own. Answers whether it is gone. */
  async #giveBack(status = OTHER_REASON): Promise<boolean> {
    this.#stage = 'over';
    const say = async (bytes: Buffer): Promise<void> => {
      // A sender that is gone has given no permission, and goes on with its own.
      await this.#channel.write(bytes, 'how it went').catch(() => undefined);
    };
    await say(Buffer.concat([REPORT, Buffer.from([status])]));
    try {
      await this.#acts.destroy(this.#domid);
    } catch {
      return false;
    }
    await say(GO);
    return true;
  }

  /** The command is gone: there is to be no guest that is half ours. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    this.#channel.giveUp();
    if (this.#stage === 'building') this.#acts.closeStream();
    // Whoever waits for the permission gives it back himself.
    if (this.#stage === 'built' && !this.#channel.isWaiting) await this.#giveBack();
  }
}
