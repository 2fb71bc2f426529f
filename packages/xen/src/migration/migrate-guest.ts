/**
 * `migrate` on a real host: the guest is sent by a helper of its own, to a receiver that a command of the shell starts.
 *
 * Start reading at `migrateDomain`.
 *
 * @module
 */
import type { Note } from '@dewar/policy/text';
import { type DomainState, guestDiagnostics, HANDSHAKE_FAILED, type OperationReport } from '@dewar/toolstack';
import { type DomainConfig, printDomainConfigJson } from '@dewar/toolstack/xl-cfg';
import type { CallOutcome, HelperProcess } from '../helper-process.ts';
import { failureText, type RealOperation, rcOf } from '../operations/real-operation.ts';
import type { HandOver, HelperCallName, HelperCalls, HelperFailure } from '../protocol.ts';
import { XenError } from '../xen-error.ts';
import { STREAM_START } from './channel.ts';
import { MigrationTransport } from './transport.ts';

/** How a guest leaves a real host. */
export interface RealMigrateOptions {
  /** Where it goes, as it is to be written down. */
  readonly to: string;
  /** The command of the shell that starts the receiver; its input and output are those of the receiver. */
  readonly command: string;
  /** Takes the place of the configuration that libxl stored, its labels included. */
  readonly config?: DomainConfig | undefined;
  /** It is to have the number there that it has here. */
  readonly keepsDomid?: boolean;
  /** libxl compares what it has sent once more, which takes long. */
  readonly isDebugged?: boolean;
  /** Hears each line that the receiver says beside the protocol. */
  readonly tell: (line: string) => void;
  /** The guest is to stay, unless it has been handed over. */
  readonly signal?: AbortSignal | undefined;
}

/** What a host lends. */
export interface MigrationTools {
  readonly release: string;
  /** Starts a helper that has some more descriptors. */
  readonly startHelper: (streams: MigrationTransport['streams']) => HelperProcess;
}

/** How far it is: a guest that is being handed over is not to be let down. */
type Phase = 'offering' | 'sending' | 'handing-over' | 'gone';

/** XEN: `ERROR_GUEST_TIMEDOUT`. */
const GUEST_TIMEDOUT = -8;
/** So long a receiver may take to end once all is said, in milliseconds: where it failed, it has a domain to destroy. */
const [SOON_MS, CLEANUP_MS] = [2000, 10_000];
/** How often it is looked whether a guest has suspended itself late, and how long that may take, in milliseconds. */
const [LOOK_MS, LOOKS] = [300, 10];

/** So long after it was told to send, libxl has surely begun, in milliseconds. */
const BEGUN_MS = 3000;

type Report = Promise<OperationReport>;

/** Sends a guest to another host. */
export async function migrateDomain(
  operation: RealOperation,
  domid: number,
  options: RealMigrateOptions,
  { release, startHelper }: MigrationTools,
): Report {
  if (domid === 0) {
    // XEN: xl has the kernel of dom0 suspend itself, at which Xen boots the machine anew (`hwdom_shutdown`).
    operation.diagnostics.push(guestDiagnostics['is-dom0'](undefined, { operation: 'migrate' }));
    return operation.report({ isDone: false, xlExitCode: 1, domain: await operation.stateOf(0) });
  }
  const transport = new MigrationTransport(options.command, options.tell);
  const helper = startHelper(transport.streams);
  const migration = new RealMigration(operation, domid, helper, transport, options);
  const stop = (): void => migration.stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted === true) stop();
  try {
    return await migration.run(release);
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await helper.close();
  }
}

class RealMigration {
  readonly #operation: RealOperation;
  readonly #domid: number;
  readonly #helper: HelperProcess;
  readonly #transport: MigrationTransport;
  readonly #options: RealMigrateOptions;
  #phase: Phase = 'offering';
  #sendingSince = Number.POSITIVE_INFINITY;
  #name: string | undefined;

  constructor(
    operation: RealOperation,
    domid: number,
    helper: HelperProcess,
    transport: MigrationTransport,
    options: RealMigrateOptions,
  ) {
    this.#operation = operation;
    this.#domid = domid;
    this.#helper = helper;
    this.#transport = transport;
    this.#options = options;
  }

  /** The guest is to stay. What cannot be stopped any more goes on. */
  stop(): void {
    if (this.#phase === 'offering') this.#cut(SOON_MS);
    if (this.#phase === 'sending') this.#cut(CLEANUP_MS);
  }

  /** Nothing more goes to the receiver. One that has heard nothing of the guest yet hears how it begins. */
  #cut(graceMs: number): void {
    const hasBegun = Date.now() - this.#sendingSince > BEGUN_MS;
    this.#transport.cut(graceMs, hasBegun ? undefined : STREAM_START);
  }

  async run(release: string): Report {
    try {
      return await this.#run(release);
    } catch (error) {
      if (!(error instanceof XenError) || error.code !== 'helper-ended') throw error;
      return this.#helperGone(error);
    }
  }

  /** A call of the helper that sends, as a step. */
  #step<N extends HelperCallName>(
    title: string,
    call: N,
    params: HelperCalls[N]['params'],
    isDone: (value: HelperCalls[N]['result']) => boolean = () => true,
  ): Promise<CallOutcome<N>> {
    return this.#operation.callStep(title, call, params, { by: this.#helper, isDone });
  }

  async #run(release: string): Report {
    const { messages } = this.#operation;
    const domid = this.#domid;
    const { config, keepsDomid = false, isDebugged = false } = this.#options;
    this.#name = (await this.#operation.stateOf(domid))?.name;
    const opened = await this.#helper.call('open', { release });
    if (opened.kind === 'failed') return this.#stays(opened.failure, 'the opening of the host once more');
    const json = config === undefined ? undefined : printDomainConfigJson(config);
    const offered = await this.#step('the receiver is told what comes', 'migration.offer', { domid, json, keepsDomid });
    if (offered.kind === 'failed') return this.#stays(offered.failure, 'the way to the receiver');
    // XEN: with the length of the configuration before it.
    messages.push(`Saving to migration stream new xl format (info 0x3/0x0/${offered.value.configBytes + 4})`);
    this.#phase = 'sending';
    this.#sendingSince = Date.now();
    const sent = await this.#step(`libxl sends domain ${domid}`, 'migration.send', { domid, isDebugged });
    if (sent.kind === 'failed') return this.#notSent(sent.failure);
    messages.push('migration sender: Target has acknowledged transfer.');
    if (this.#options.signal?.aborted === true) return this.#stays(STOPPED, 'the migration');
    this.#phase = 'handing-over';
    messages.push('migration sender: Giving target permission to start.');
    const title = 'the guest is handed over';
    const handed = await this.#step(title, 'migration.handOver', { domid }, ({ kind }) => kind === 'started');
    // It answers whatever becomes of the guest; what fails is Dewar.
    if (handed.kind === 'failed') return this.#unknown(failureText(handed.failure));
    return this.#settle(handed.value);
  }

  async #settle(outcome: HandOver): Report {
    const { messages } = this.#operation;
    switch (outcome.kind) {
      case 'started':
        messages.push('migration sender: Target reports successful startup.');
        return this.#left();
      case 'not-started':
        messages.push(
          `migration sender: Target reports startup failure (status code ${outcome.status}).`,
          'migration sender: Trying to resume at our end.',
          ...(outcome.isResumed ? ['migration sender: Resumed OK.'] : []),
          'Migration failed due to problems at target.',
        );
        return this.#stays(undefined, 'the start of the guest on the other host');
      case 'kept':
        messages.push('Migration failed, resuming at sender.');
        return this.#stays({ kind: 'refused', reason: outcome.reason }, 'the handing over');
      case 'unknown':
        return this.#unknown(outcome.reason);
    }
  }

  /** It runs elsewhere. XEN: the sender does not look at how the destroy went. */
  async #left(): Report {
    this.#phase = 'gone';
    const domid = this.#domid;
    const ended = await this.#step(`libxl destroys what is left of domain ${domid}`, 'migration.finish', { domid });
    this.#operation.messages.push('Migration successful.');
    await this.#transport.end(SOON_MS);
    return this.#reportLeft(ended.kind === 'failed' ? ended.failure : undefined);
  }

  async #reportLeft(failure: HelperFailure | undefined): Report {
    const domid = this.#domid;
    const domain = await this.#operation.stateOf(domid);
    if (failure !== undefined) {
      const notes = [...this.#operation.notesOn(failure), { message: 'the guest runs on the other host' }];
      this.#operation.diagnostics.push(
        guestDiagnostics['operation-failed'](undefined, { operation: 'destroy what is left of', domid }, { notes }),
      );
    }
    return this.#operation.report({ isDone: failure === undefined, xlExitCode: 0, domain });
  }

  #notSent(failure: HelperFailure): Report {
    const { messages } = this.#operation;
    const isSuspend = failure.kind === 'libxl' && failure.call === 'libxl_domain_suspend';
    if (isSuspend) messages.push(`migration sender: libxl_domain_suspend failed (rc=${rcOf(failure)})`);
    const isSilent = isSuspend && failure.rc === GUEST_TIMEDOUT;
    messages.push(`Migration failed, ${isSilent ? 'failed to suspend' : 'resuming'} at sender.`);
    return this.#stays(failure, 'the sending of the guest');
  }

  /** The guest was not handed over. */
  async #stays(failure: HelperFailure | undefined, what: string): Report {
    const isStopped = this.#options.signal?.aborted === true;
    // What is still to be done, it does first: a guest that has been sent goes on.
    await this.#helper.close();
    // Nobody needs a receiver any more that does not end.
    this.#cut(CLEANUP_MS);
    const status = await this.#transport.end(CLEANUP_MS + SOON_MS);
    const domid = this.#domid;
    const domain = await this.#operation.stateOf(domid);
    const why: Note[] = isStopped
      ? [{ message: 'it was interrupted' }]
      : failure === undefined
        ? []
        : this.#operation.notesOn(failure);
    const ended = status === undefined || status === 0 ? [] : [{ message: `the way to it ended with ${status}` }];
    const notes = [{ message: `${what} failed` }, ...why, ...(isStopped ? [] : ended), standing(domid, domain)];
    this.#operation.diagnostics.push(
      guestDiagnostics['operation-failed'](undefined, { operation: 'migrate', domid }, { notes }),
    );
    return this.#operation.report({ isDone: false, xlExitCode: 1, domain });
  }

  /** Whether the guest runs on the other host nobody knows, so that it must not go on here. */
  async #unknown(reason: string): Report {
    await this.#transport.end(SOON_MS);
    const domid = this.#domid;
    const domain = await this.#operation.stateOf(domid);
    this.#operation.messages.push(...HANDSHAKE_FAILED);
    const notes = [{ message: reason }, standing(domid, domain)];
    this.#operation.diagnostics.push(guestDiagnostics['fate-unknown'](undefined, { domid }, { notes }));
    return this.#operation.report({ isDone: false, xlExitCode: 1, domain });
  }

  /** The helper was killed, or has crashed: what it would have done is done from here. */
  async #helperGone(error: XenError): Report {
    const failure: HelperFailure = { kind: 'refused', reason: error.message };
    const domid = this.#domid;
    if (this.#phase === 'gone') {
      const destroyed = await this.#operation.call('domain.destroy', { domid });
      await this.#transport.end(SOON_MS);
      return this.#reportLeft(destroyed.kind === 'failed' ? destroyed.failure : undefined);
    }
    this.#cut(CLEANUP_MS);
    const isKept = this.#phase !== 'handing-over' || (await this.#operation.stateOf(domid))?.name === this.#name;
    // The other name is given before the guest is handed over.
    if (!isKept) return this.#unknown(error.message);
    await this.#resumeLate();
    return this.#stays(failure, 'the migration');
  }

  /** A guest may suspend itself a little after it was asked to. */
  async #resumeLate(): Promise<void> {
    if (this.#phase === 'offering') return;
    for (let look = 0; look < LOOKS; look++) {
      const state = await this.#operation.stateOf(this.#domid);
      if (state === undefined) return;
      if (state.state === 'shutdown' && state.shutdownReason === 'suspend') {
        await this.#operation.call('domain.resume', { domid: this.#domid });
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

const STOPPED: HelperFailure = { kind: 'refused', reason: 'it was interrupted' };

/** How the guest stands here, in words. */
function standing(domid: number, domain: DomainState | undefined): Note {
  if (domain === undefined) return { message: `domain ${domid} is gone from this host` };
  const { state, shutdownReason, name } = domain;
  const who = `domain ${domid}${name === undefined ? '' : `, \`${name}\`,`}`;
  if (state === 'shutdown' && shutdownReason === 'suspend')
    return { message: `${who} is suspended here, with all that it had` };
  if (state === 'running') return { message: `${who} goes on here` };
  return { message: `${who} is ${state} here` };
}
