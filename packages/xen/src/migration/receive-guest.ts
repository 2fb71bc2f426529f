/**
 * A guest that comes to a real host from another one: what it is to be is known before anything is built.
 *
 * Start reading at `receiveGuest`.
 *
 * @module
 */
import type { Diagnostic } from '@dewar/policy/text';
import { guestDiagnostics, type OperationReport } from '@dewar/toolstack';
import type { HelperProcess } from '../helper-process.ts';
import type { JournalDetails } from '../journal.ts';
import { isFlaskDisabled } from '../operations/flask-operations.ts';
import { type RealOperation, rcOf } from '../operations/real-operation.ts';
import type { HelperFailure, Taken } from '../protocol.ts';
import { XenError } from '../xen-error.ts';

/** What comes in, as its configuration says. */
export interface Arrival {
  readonly name: string;
  readonly uuid: string | undefined;
  /** The labels that it is built and runs under. */
  readonly built: string | undefined;
  readonly runs: string | undefined;
  /** XEN: `libxl_domain_config` as JSON. */
  readonly json: string;
}

/** How a guest is taken in. */
export interface RealReceiveOptions {
  readonly isPaused: boolean;
  /** Hears at once what the sender is to hear, too. */
  readonly tell: (line: string) => void;
}

type Report = Promise<OperationReport>;

type Members = Readonly<Record<string, unknown>>;

const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? { ...value } : {});

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** What a configuration says; undefined where it names no guest. */
function arrivalOf(json: string): Arrival | undefined {
  let config: Members;
  try {
    config = membersOf(JSON.parse(json));
  } catch {
    return undefined;
  }
  const [c, b] = [membersOf(config['c_info']), membersOf(config['b_info'])];
  const name = textOf(c['name']);
  if (name === undefined) return undefined;
  const built = textOf(c['ssid_label']);
  return { name, uuid: textOf(c['uuid']), built, runs: textOf(b['exec_ssid_label']) ?? built, json };
}

/** The same with the name that it has until it is ours. */
function incoming({ name, json }: Arrival): string {
  const config = membersOf(JSON.parse(json));
  return JSON.stringify({ ...config, c_info: { ...membersOf(config['c_info']), name: incomingName(name) } });
}

const incomingName = (name: string): string => `${name}--incoming`;

/** What a host lends: an operation that changes nothing, and one that is written down. */
export interface ReceptionDesk {
  readonly begin: () => Promise<RealOperation>;
  readonly changing: (details: JournalDetails, work: (operation: RealOperation) => Report) => Report;
}

/** Takes in the guest that comes through a helper that has the way to the sender, if `approve` says so. */
export async function receiveGuest(
  helper: HelperProcess,
  release: string,
  options: RealReceiveOptions,
  approve: (arrival: Arrival) => Promise<boolean>,
  { begin, changing }: ReceptionDesk,
): Report {
  try {
    const operation = await begin();
    const arrival = await awaitArrival(operation, helper, release, options);
    if ('operation' in arrival) return arrival;
    if (!(await approve(arrival))) return operation.report({ isDone: false, xlExitCode: 1 });
    const { name, built, runs } = arrival;
    return await changing({ name, built, runs }, (own) => receiveDomain(own, helper, arrival, options));
  } finally {
    await helper.close();
  }
}

/** Opens the host for a helper that has the way to the sender, and hears what comes; a report where nothing does. */
async function awaitArrival(
  operation: RealOperation,
  helper: HelperProcess,
  release: string,
  { tell }: RealReceiveOptions,
): Promise<Arrival | OperationReport> {
  const fail = (failure: HelperFailure | string): OperationReport => {
    const notes = typeof failure === 'string' ? [{ message: failure }] : operation.notesOn(failure);
    const request = 'take a guest in';
    operation.diagnostics.push(guestDiagnostics['request-failed'](undefined, { operation: request }, { notes }));
    return operation.report({ isDone: false, xlExitCode: 1 });
  };
  const opened = await helper.call('open', { release });
  if (opened.kind === 'failed') return fail(opened.failure);
  tell('migration target: Ready to receive domain.');
  const begun = await helper.call('reception.begin', {});
  if (begun.kind === 'failed') return fail(begun.failure);
  return arrivalOf(begun.value.json) ?? fail('what comes in is no configuration of a guest');
}

/** Takes in the guest that comes. */
async function receiveDomain(
  operation: RealOperation,
  helper: HelperProcess,
  arrival: Arrival,
  options: RealReceiveOptions,
): Report {
  try {
    return await new Reception(operation, helper, arrival, options).run();
  } catch (error) {
    if (!(error instanceof XenError) || error.code !== 'helper-ended') throw error;
    throw new XenError('helper-ended', `${error.message}; ${await cleanUp(operation, arrival)}`, error);
  }
}

/** The helper is gone. What has its own name already is ours; by the other one it is known that it is not. */
async function cleanUp(operation: RealOperation, { name, uuid }: Arrival): Promise<string> {
  const list = await operation.call('domain.list', {});
  if (list.kind === 'failed') return 'whether anything of the guest is left could not be found out';
  const left = list.value.find((one) => one.name === incomingName(name) && (uuid === undefined || one.uuid === uuid));
  if (left === undefined) {
    const whole = list.value.find((one) => one.name === name && one.uuid === uuid);
    return whole === undefined
      ? 'nothing of the guest is left'
      : `domain ${whole.domid}, \`${name}\`, is left as it is`;
  }
  const destroyed = await operation.call('domain.destroy', { domid: left.domid });
  if (destroyed.kind === 'ok') return `domain ${left.domid}, which was half built, was destroyed`;
  return `domain ${left.domid} is half built, and could not be destroyed`;
}

class Reception {
  readonly #operation: RealOperation;
  readonly #helper: HelperProcess;
  readonly #arrival: Arrival;
  readonly #options: RealReceiveOptions;

  constructor(operation: RealOperation, helper: HelperProcess, arrival: Arrival, options: RealReceiveOptions) {
    this.#operation = operation;
    this.#helper = helper;
    this.#arrival = arrival;
    this.#options = options;
  }

  async run(): Report {
    const { built, runs } = this.#arrival;
    const wanted = runs ?? built;
    if (wanted !== undefined && (await isFlaskDisabled(this.#operation)))
      return this.#fail(
        guestDiagnostics['label-ignored'](undefined, {
          label: wanted,
          reason: 'FLASK is disabled on this host; nothing was created',
        }),
      );
    const json = incoming(this.#arrival);
    const title = 'libxl builds the guest that comes in';
    const build = await this.#operation.callStep(title, 'reception.build', { json }, { by: this.#helper });
    if (build.kind === 'failed') return this.#notBuilt(build.failure);
    const { domid } = build.value;
    const label = (await this.#operation.stateOf(domid))?.label;
    if (wanted !== undefined && label !== undefined && label !== wanted) {
      await this.#helper.call('reception.refuse', {});
      const reason = `the guest has the label \`${label}\`; it was destroyed`;
      return this.#fail(guestDiagnostics['label-ignored'](undefined, { label: wanted, reason }), domid);
    }
    return this.#take(domid);
  }

  async #fail(diagnostic: Diagnostic, domid?: number): Report {
    this.#operation.diagnostics.push(diagnostic);
    const domain = domid === undefined ? undefined : await this.#operation.stateOf(domid);
    return this.#operation.report({ isDone: false, xlExitCode: 1, domain });
  }

  #notBuilt(failure: HelperFailure): Report {
    const { name } = this.#arrival;
    this.#options.tell(`migration target: Domain creation failed (code ${rcOf(failure)}).`);
    const notes = this.#operation.notesOn(failure);
    const step = 'the build by libxl';
    return this.#fail(guestDiagnostics['step-failed'](undefined, { guest: name, step }, { notes }));
  }

  async #take(domid: number): Report {
    const { name } = this.#arrival;
    const { isPaused, tell } = this.#options;
    tell('migration target: Transfer complete, requesting permission to start domain.');
    const title = isPaused ? 'the guest is handed over, and stays paused' : 'the guest is handed over, and started';
    const taken = await this.#operation.callStep(
      title,
      'reception.take',
      { name, isPaused },
      { by: this.#helper, isDone: ({ kind }) => kind !== 'not-started' },
    );
    if (taken.kind === 'ok') return this.#settle(domid, taken.value);
    tell('migration target: Failure, destroying our copy.');
    const notes = [
      ...this.#operation.notesOn(taken.failure),
      { message: 'the guest was not handed over, and goes on at the sender' },
    ];
    const failed = guestDiagnostics['operation-failed'](undefined, { operation: 'take over', domid }, { notes });
    return this.#fail(failed, domid);
  }

  async #settle(domid: number, taken: Taken): Report {
    const { tell } = this.#options;
    switch (taken.kind) {
      case 'started':
        tell('migration target: Got permission, starting domain.');
        tell('migration target: Domain started successsfully.');
        return this.#done(domid);
      case 'not-heard': {
        const message = 'the sender has gone without hearing that the guest runs here: what it has is not to run';
        this.#operation.messages.push(message);
        return this.#done(domid);
      }
      case 'not-started': {
        tell('migration target: Failure, destroying our copy.');
        const isGone = taken.isDestroyed;
        if (isGone) tell('migration target: Cleanup OK, granting sender permission to resume.');
        const failure: HelperFailure = { kind: 'libxl', call: 'the start', rc: -taken.status };
        const fate = isGone ? 'it was destroyed, and goes on at the sender' : 'it could not be destroyed';
        const notes = [...this.#operation.notesOn(failure), { message: fate }];
        return this.#fail(
          guestDiagnostics['operation-failed'](undefined, { operation: 'start', domid }, { notes }),
          domid,
        );
      }
    }
  }

  async #done(domid: number): Report {
    return this.#operation.report({ isDone: true, xlExitCode: 0, domain: await this.#operation.stateOf(domid) });
  }
}
