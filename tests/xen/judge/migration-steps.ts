/**
 * Guests that leave a real host, by Dewar, for the same one, where xl takes them in; and migrations that come to nothing: the
 * guest goes on where it was, and nothing else is left.
 *
 * Start reading at `MIGRATION_STEPS`.
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import type { Commands, Step } from './commands.ts';
import { withGuest } from './device-steps.ts';
import { isAlive, PATIENCE_S, within } from './patience.ts';

const RECEIVE = 'xl migrate-receive -e';
/** Takes the guest in, and lets the sender wait for the word that it has it, once the banner has passed. */
const RECEIVE_LATE = `${RECEIVE} | { dd bs=1 count=54 2>/dev/null; sleep 30; cat; }`;
/** Has the guest wait on the way. */
const RECEIVE_SLOWLY = `{ sleep 30; cat; } | ${RECEIVE}`;

/** `dewar migrate` with a receiver on this host. The policy in force need not have been loaded by Dewar, so it is named. */
function send(
  { places }: Commands,
  name: string,
  receive: string,
  ...more: readonly string[]
): Parameters<Commands['run']>[0] {
  return ['migrate', '--host', 'xen', '--policy', places.example, ...more, '-s', '', name, receive];
}

function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

interface Listed {
  readonly domid: number;
  readonly text: string;
}

/** The guests of a step, with their states. */
async function guestsOf({ host }: Commands, name: string): Promise<Listed[]> {
  const all = (await host.list()).value ?? [];
  return all
    .filter((one) => one.domid !== 0 && (one.name === undefined || one.name.startsWith(name)))
    .map(({ domid, name: own, state }) => ({ domid, text: `${own} ${state}` }));
}

/** The guest runs, under its number, and is alone. */
async function mustGoOn(commands: Commands, name: string, domid: number, why: string): Promise<void> {
  let left: Listed[] = [];
  const isSo = await within(PATIENCE_S, async () => {
    left = await guestsOf(commands, name);
    return left.length === 1 && left[0]?.domid === domid && left[0].text === `${name} running`;
  });
  must(isSo, `${why}: left is ${JSON.stringify(left)}`);
}

/** Whether a process has the way to another host: from 4 on. Other helpers have something of Node's own there. */
function isMover(pid: number): boolean {
  try {
    const [stream, answers] = [readlinkSync(`/proc/${pid}/fd/4`), readlinkSync(`/proc/${pid}/fd/5`)];
    return /^(?:socket|pipe):/.test(stream) && answers.startsWith('socket:');
  } catch {
    return false;
  }
}

/** The helper of a command that sends a guest, or takes one in. */
function moverOf(command: number): number | undefined {
  const children = readFileSync(`/proc/${command}/task/${command}/children`, 'utf8').trim().split(' ').map(Number);
  return children.find(isMover);
}

const sending: Step = async (commands) => {
  await withGuest(commands, 'moved', async () => {
    must(await isAlive('moved'), 'the guest did not come up');
    const [before] = await guestsOf(commands, 'moved');
    const { err } = await commands.run(
      send(commands, 'moved', RECEIVE),
      0,
      'migration sender: Target has acknowledged transfer.',
      'migration target: Domain started successsfully.',
      'Migration successful.',
      'was not rehearsed: name it with `--target-policy`',
    );
    must(!err.includes('not rehearsed: the policy'), `it was not rehearsed: ${err}`);
    const after = await guestsOf(commands, 'moved');
    must(
      after.length === 1 && after[0]?.text === 'moved running' && after[0].domid !== before?.domid,
      `after ${JSON.stringify(before)} there is ${JSON.stringify(after)}`,
    );
    // It runs on: it hears what is typed at its console.
    const talk = await commands.atTerminal(
      ['console', 'moved'],
      [
        { after: '', type: 'hello\r' },
        { after: 'GUEST HEARD: hello', type: '\x1d' },
      ],
    );
    must(talk.screen.includes('GUEST HEARD: hello'), `the guest does not run on: ${talk.screen}`);
    await commands.run(send(commands, 'moved', `${RECEIVE} -p`, '-p', '--target-policy', commands.places.example), 0);
    const paused = await guestsOf(commands, 'moved');
    must(paused.length === 1 && paused[0]?.text === 'moved paused', `paused: ${JSON.stringify(paused)}`);
  });
};

const refusing: Step = async (commands) => {
  await withGuest(commands, 'kept', async () => {
    must(await isAlive('kept'), 'the guest did not come up');
    const [{ domid } = { domid: -1 }] = await guestsOf(commands, 'kept');
    await commands.run(
      send(commands, 'kept', 'echo nobody is here'),
      1,
      'before its banner came, after "nobody is here',
      'goes on here',
    );
    await mustGoOn(commands, 'kept', domid, 'no receiver');
    await commands.run(send(commands, 'kept', 'exit 3'), 1, 'the way to it ended with 3');
    await mustGoOn(commands, 'kept', domid, 'a way that ends');
    await commands.run(send(commands, 'kept', RECEIVE, '-D'), 1, 'File exists', 'goes on here');
    await mustGoOn(commands, 'kept', domid, 'a number that is taken');
    // It arrives, and cannot have its name there.
    const file = '/run/nomigrate.cfg';
    const config = readFileSync('/run/kept.cfg', 'utf8');
    writeFileSync(file, config.replace("'kept'", "'nomigrate-guest'"));
    const { err } = await commands.run(
      send(commands, 'kept', RECEIVE, '-C', file),
      1,
      'Target reports startup failure',
    );
    must(err.includes('migration sender: Resumed OK.') && err.includes('goes on here'), `a name that is taken: ${err}`);
    await mustGoOn(commands, 'kept', domid, 'a name that is taken');
    // A label that nobody knows ends it before the guest is suspended.
    writeFileSync(file, config.replace('domU_t', 'nobody_t'));
    await commands.run(send(commands, 'kept', RECEIVE, '--force', '-C', file), 1, 'goes on here');
    await mustGoOn(commands, 'kept', domid, 'a label that is not known');
  });
  const refused = 'nothing was sent: that was a rehearsal under the policy of this host';
  await commands.run(send(commands, 'nomigrate-guest', RECEIVE), 1, refused, 'lacks `domain2 { get_vnumainfo }`');
  const [{ domid } = { domid: -1 }] = await guestsOf(commands, 'nomigrate-guest');
  await commands.run(send(commands, 'nomigrate-guest', RECEIVE, '--force'), 1, 'lacks `', 'goes on here');
  await mustGoOn(commands, 'nomigrate-guest', domid, 'memory that may not be read');
};

/**
 * Ends it in the middle, in some ways, at three places: before libxl has begun, while the guest is on the way, and when all of
 * it was sent.
 */
const interrupting: Step = async (commands) => {
  await withGuest(commands, 'held', async () => {
    must(await isAlive('held'), 'the guest did not come up');
    const [{ domid } = { domid: -1 }] = await guestsOf(commands, 'held');
    const isSuspended = async (): Promise<boolean> =>
      (await commands.host.list()).value?.some((one) => one.domid === domid && one.state === 'shutdown') === true;
    type Started = ReturnType<Commands['start']>;
    const isReady = (command: Started) => async (): Promise<boolean> => command.said().includes('Ready to receive');
    const isUnderWay = (command: Started) => async (): Promise<boolean> => moverOf(command.pid) !== undefined;
    const ways: readonly (readonly [how: string, end: (command: number) => void, code: number | null])[] = [
      ['SIGINT', (command) => process.kill(command, 'SIGINT'), 130],
      ['the command is killed', (command) => process.kill(command, 'SIGKILL'), null],
      ['the helper is killed', (command) => process.kill(moverOf(command) ?? 0, 'SIGKILL'), 1],
    ];
    const places = [
      ['before it begins', RECEIVE, isReady],
      ['on the way', RECEIVE_SLOWLY, isUnderWay],
      ['sent', RECEIVE_LATE, () => isSuspended],
    ] as const;
    for (const [place, receive, hasCome] of places) {
      for (const [how, end, code] of ways) {
        const what = `${place}, ${how}`;
        const command = commands.start(send(commands, 'held', receive));
        must(await within(PATIENCE_S, hasCome(command)), `${what}: it does not come so far: ${command.said()}`);
        if (place === 'on the way') await within(3, () => false);
        end(command.pid);
        const ended = await command.ended;
        must(ended.code === code, `${what}: ended with ${ended.code}: ${ended.out}${ended.err}`);
        if (code !== null) must(ended.err.includes('goes on here'), `${what}: it does not say so: ${ended.err}`);
        await mustGoOn(commands, 'held', domid, what);
      }
    }
  });
};

/** Dewar as the receiver. */
const ours = ({ places }: Commands): string =>
  `${process.execPath} ${places.cli}/bin/dewar.js migrate-receive --host xen --policy ${places.example}`;

/** The command that takes a guest in. */
function receiverCommand(): number | undefined {
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
  const found = pids.find((pid) => {
    try {
      const [, program, command] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return program?.endsWith('/dewar.js') === true && command === 'migrate-receive';
    } catch {
      return false;
    }
  });
  return found === undefined ? undefined : Number(found);
}

/** Dewar takes in what Dewar and xl send; ended in the middle, it leaves nothing, and the sender's guest goes on. */
const receiving: Step = async (commands) => {
  await withGuest(commands, 'comes', async () => {
    must(await isAlive('comes'), 'the guest did not come up');
    await commands.run(
      send(commands, 'comes', ours(commands)),
      0,
      'migration target: Domain started successsfully.',
      'nobody waits for the end of this guest',
      'Migration successful.',
    );
    await commands.xl('migrate', '-s', '', 'comes', ours(commands));
    const [{ domid, text } = { domid: -1, text: '' }] = await guestsOf(commands, 'comes');
    must(text === 'comes running', `after two migrations there is ${text}`);
    await commands.run(['log'], 0, /migrate-receive +done +name=comes/);
    await commands.run(
      send(commands, 'comes', `${ours(commands)} --policy ${commands.places.stock}`),
      1,
      'goes on here',
    );
    await mustGoOn(commands, 'comes', domid, 'another policy than the one in force');
    const ways: readonly (readonly [how: string, end: (receiver: number) => void])[] = [
      ['the receiver gets SIGINT', (receiver) => process.kill(receiver, 'SIGINT')],
      ['the receiver is killed', (receiver) => process.kill(receiver, 'SIGKILL')],
      ['its helper is killed', (receiver) => process.kill(moverOf(receiver) ?? 0, 'SIGKILL')],
    ];
    for (const [how, end] of ways) {
      const command = commands.start(send(commands, 'comes', `{ sleep 20; cat; } | ${ours(commands)}`));
      const isThere = (): boolean => {
        const receiver = receiverCommand();
        return receiver !== undefined && moverOf(receiver) !== undefined;
      };
      must(await within(PATIENCE_S, isThere), `${how}: no receiver: ${command.said()}`);
      // It opens the host, and says that it is there.
      must(await within(PATIENCE_S, () => command.said().includes('Ready to receive')), `${how}: ${command.said()}`);
      end(receiverCommand() ?? 0);
      const { code, err } = await command.ended;
      must(code === 1 && err.includes('goes on here'), `${how}: the sender ended with ${code}: ${err}`);
      await mustGoOn(commands, 'comes', domid, how);
    }
  });
};

/** Where Xen cannot watch a PV guest there is one thing to be seen: it goes on. */
const ifItCan =
  (step: Step): Step =>
  async (commands) => {
    if (commands.places.canMigrate) return step(commands);
    await withGuest(commands, 'stays-here', async () => {
      const [{ domid } = { domid: -1 }] = await guestsOf(commands, 'stays-here');
      await commands.run(send(commands, 'stays-here', RECEIVE), 1, 'goes on here');
      await mustGoOn(commands, 'stays-here', domid, 'a Xen without shadow paging');
    });
  };

/** What is tried with guests that migrate, while the guest of the example runs. */
export const MIGRATION_STEPS: Readonly<Record<string, Step>> = {
  'a guest goes to another host as xl sends it': ifItCan(sending),
  'a guest that cannot go, or not arrive, goes on': ifItCan(refusing),
  'a migration that is interrupted leaves one guest, which goes on': ifItCan(interrupting),
  'a guest comes in as xl takes it in': ifItCan(receiving),
};
