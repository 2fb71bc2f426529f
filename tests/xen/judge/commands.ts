/**
 * The commands of Dewar that only a real Xen can answer, run in its dom0: `trace`, `test --audit`, `watch`, `loadpolicy` with
 * its question, rehearsals before a build. Each command's exit status and words are held against what they must be.
 *
 * Start reading at `runCommands`.
 *
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ScenarioResult } from '@dewar/lab/rehearsal';
import { BASELINE_RELEASE, nearestXenRelease, xenRelease } from '@dewar/policy/releases';
import { sbdfText } from '@dewar/toolstack';
import type { XenHost } from '@dewar/xen';
import { DEVICE_STEPS } from './device-steps.ts';
import { MIGRATION_STEPS } from './migration-steps.ts';
import type { EnforcingPart } from './parts.ts';
import { bounded, isAlive, PATIENCE_S, within } from './patience.ts';
import { type AtTerminal, runAtTerminal, type Turn } from './pty.ts';

/** A part of the questions that is made of commands. */
export type CommandsPart = Extract<EnforcingPart, 'commands' | 'devices' | 'migration'>;

/** How one of them went. */
export interface CommandResult {
  readonly name: string;
  /** Why it was not as it has to be; undefined when all was. */
  readonly problem: string | undefined;
}

/** Where things are in dom0. */
export interface CommandPlaces {
  /** The folder of the command line. */
  readonly cli: string;
  /** A policy that is the one in force. */
  readonly example: string;
  readonly stock: string;
  /** The configuration of a guest. */
  readonly guest: string;
  /** A policy that takes from dom0 the right to load another one. */
  readonly locked: string;
  /** Where this run of the commands keeps its journal and its policies. */
  readonly state: string;
  /** A block device, and a PCI device, that nobody needs; there may be none of the latter. */
  readonly disk: string;
  readonly pciDevice: string | undefined;
  /** Whether Xen can watch what a PV guest writes, as it has to while one migrates. */
  readonly canMigrate: boolean;
}

/** How a command ended, and what it printed. */
export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const DOM0 = 'system_u:system_r:dom0_t';
const RUN = 'customer_1:vm_r:nomigrate_t';

/** Runs commands, and says what is not as it has to be. */
export class Commands {
  readonly places: CommandPlaces;
  readonly host: XenHost;
  readonly #running = new Set<ChildProcess>();

  constructor(places: CommandPlaces, host: XenHost) {
    this.places = places;
    this.host = host;
  }

  get #program(): string[] {
    return [process.execPath, `${this.places.cli}/bin/dewar.js`];
  }

  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, DEWAR_STATE_DIR: this.places.state, NO_COLOR: '1' };
  }

  /** Starts a command of Dewar's. */
  start(args: readonly string[]): {
    readonly pid: number;
    /** What it has printed so far. */
    readonly said: () => string;
    readonly ended: Promise<Ran>;
  } {
    const [program = '', ...before] = this.#program;
    const child = spawn(program, [...before, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: this.environment });
    this.#running.add(child);
    child.on('exit', () => this.#running.delete(child));
    let [out, err] = ['', ''];
    child.stdout.on('data', (data) => (out += String(data)));
    child.stderr.on('data', (data) => (err += String(data)));
    // A command that is traced can outlive the trace, and keeps its outputs open.
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve)).then(async (code) => {
      await delay(200);
      return { code, out, err };
    });
    return { pid: child.pid ?? 0, said: () => out + err, ended };
  }

  /** Kills the commands that still run. */
  stopAll(): void {
    for (const child of this.#running) child.kill('SIGKILL');
  }

  /** Runs a command; it must end with a status, and say some things, each a text or a pattern. */
  async run(args: readonly string[], code: number, ...says: readonly (string | RegExp)[]): Promise<Ran> {
    const ran = await this.start(args).ended;
    const all = ran.out + ran.err;
    const missing = says.find((one) => (typeof one === 'string' ? !all.includes(one) : !one.test(all)));
    const what = `dewar ${args.join(' ')}`;
    if (ran.code !== code) throw new Error(`${what}: ended with ${ran.code}, not ${code}: ${all.slice(-600)}`);
    if (missing !== undefined) throw new Error(`${what}: does not say ${String(missing)}: ${all.slice(-600)}`);
    return ran;
  }

  /** What xl prints; it must be content. */
  async xl(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('xl', args);
    return stdout;
  }

  /** Runs a command at a terminal, where somebody does things as they come. */
  atTerminal(args: readonly string[], script: readonly Turn[]): Promise<AtTerminal> {
    return runAtTerminal(`${this.places.cli}/package.json`, [...this.#program, ...args], script, this.environment);
  }

  /** Whether Xen logs what dom0 is granted on itself: the policy in force is one with auditing. */
  async isAudited(): Promise<boolean> {
    const classes = [1, 2, 3, 4, 5, 6];
    const answers = await this.host.decide(classes.map((tclass) => ({ source: DOM0, target: DOM0, tclass })));
    if (answers === undefined) throw new Error('dom0 may not ask for decisions');
    return answers.some(({ auditAllow }) => auditAllow !== 0);
  }

  /** What Xen logs of what dom0 is granted of FLASK itself; with auditing of whatever it is all. */
  async securityAudit(): Promise<number> {
    const tclass = xenRelease(nearestXenRelease(this.host.version) ?? BASELINE_RELEASE).classes.findIndex(
      ({ name }) => name === 'security',
    );
    const question = { source: DOM0, target: 'system_u:system_r:security_t', tclass: tclass + 1 };
    const answers = await this.host.decide([question]);
    if (answers === undefined) throw new Error('dom0 may not ask for decisions');
    return answers[0]?.auditAllow ?? 0;
  }

  async mustNotBeAudited(): Promise<void> {
    if (await this.isAudited()) throw new Error('the policy in force has auditing');
  }

  async boolean(name: string): Promise<boolean | undefined> {
    return (await this.host.booleans()).value?.find((one) => one.name === name)?.enforcing;
  }
}

/** The first child of a process whose command line has a word in it. */
function childOf(parent: number, word: string): number | undefined {
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ').map(Number);
    return children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word));
  } catch {
    // One of them has ended meanwhile.
    return undefined;
  }
}

/** Tries something; throws where it is not as it has to be. */
export type Step = (commands: Commands) => Promise<void>;

/** Checks of a trace, as text: who asks what of whom. */
function checksIn(json: string): string[] {
  // The command has printed it.
  const { entries } = JSON.parse(json) as {
    readonly entries: readonly {
      readonly kind: string;
      readonly class: string;
      readonly permissions: readonly string[];
      readonly source: string;
      readonly target: string;
      readonly outcome: string;
    }[];
  };
  const typeOf = (label: string): string => label.split(':')[2] ?? label;
  return entries
    .filter(({ kind }) => kind === 'check')
    .map(
      (one) => `${one.outcome} ${typeOf(one.source)} ${typeOf(one.target)} ${one.class} ${one.permissions.join('+')}`,
    );
}

const loading: Step = async (commands) => {
  const { example, locked, stock } = commands.places;
  await commands.run(['loadpolicy', '--yes', example], 0, 'verified: Xen decides as this policy');
  const back = await commands.run(['loadpolicy', '--yes', '--back'], 1, 'there is no policy to put back');
  if (back.out !== '') throw new Error('something was loaded');
  await commands.run(['loadpolicy', example], 2, 'nobody can be asked here: say `--yes`');
  const answered = (type: string): readonly Turn[] => [{ after: '[y/N]', type }];
  const no = await commands.atTerminal(['loadpolicy', stock], answered('n\n'));
  if (no.code !== 1 || !no.screen.includes('nothing was loaded')) throw new Error(`"n": ${no.code}: ${no.screen}`);
  const yes = await commands.atTerminal(['loadpolicy', example], answered('y\n'));
  if (yes.code !== 0 || !yes.screen.includes('Successfully loaded policy.'))
    throw new Error(`"y": ${yes.code}: ${yes.screen}`);
  await commands.run(['loadpolicy', '--yes', locked], 1, 'would lock dom0 out: dom0 lacks `security { setenforce }`');
  await commands.run(['loadpolicy', '--yes', '--force', locked], 0, 'Successfully loaded policy.');
  await commands.run(['setenforce', '0'], 255);
  await commands.run(['loadpolicy', '--yes', '--back'], 0, 'Successfully loaded policy.');
  await commands.run(['setenforce', '1'], 0);
};

const rehearsing: Step = async (commands) => {
  const { example, stock, guest } = commands.places;
  const other = 'seclabel="customer_2:vm_r:nomigrate_t"';
  const refused = 'nothing was created: that was a rehearsal under the policy of this host';
  await commands.run(['create', '-q', guest, other], 1, refused, /domain \{ transition \}.*DENIED/);
  await commands.run(
    ['create', '--host', 'xen', '-q', '--policy', stock, guest],
    1,
    'is not the policy that this host has loaded',
  );
  const own = ['--policy', example, guest, 'name="rehearsed"'];
  await commands.run(['create', '--host', 'xen', '-q', ...own], 0, `is running under ${RUN}`);
  await commands.run(['destroy', 'rehearsed'], 0);
};

/** A guest that `create` has made, by a program of either kind, is the same to libxl; and both list it in the same words. */
/** Every class, between dom0 and a guest and back, by Xen and by the policy that it has loaded. */
const deciding: Step = async (commands) => {
  const { places, host } = commands;
  for (const labels of [
    [DOM0, RUN],
    [RUN, DOM0],
    [DOM0, DOM0],
  ]) {
    const decisionsOf = async (...by: readonly string[]): Promise<string> => {
      const { out } = await commands.run(['decide', ...labels, '--json', ...by], 0);
      // The command has printed it.
      const { decisions } = JSON.parse(out) as {
        readonly decisions: readonly { readonly granted: readonly string[] }[];
      };
      return JSON.stringify(decisions);
    };
    const [is, must] = [
      await decisionsOf('--host', 'xen'),
      await decisionsOf('--policy', places.example, '--xen', host.release),
    ];
    if (is !== must) throw new Error(`${labels.join(' to ')}: Xen decides ${is}, and the policy ${must}`);
  }
  await commands.run(['decide', '--host', 'xen', DOM0, 'no_u:such_r:label_t'], 1, 'has no label');
};

const listing: Step = async (commands) => {
  const { guest } = commands.places;
  const words = ['-p', '-q', guest, 'name="listed"', 'uuid="6d1cf4ae-0b3e-4c57-8d7e-6a7d5a0c1e42"', 'maxvcpus=2'];
  const made: string[] = [];
  for (const create of [() => commands.run(['create', ...words], 0), () => commands.xl('create', '-e', ...words)]) {
    await create();
    await commands.xl('vcpu-set', 'listed', '2');
    await commands.xl('mem-set', 'listed', '120');
    for (const which of [['listed'], []]) {
      const [ours, theirs] = [
        await commands.run(['list', '-l', ...which], 0),
        await commands.xl('list', '-l', ...which),
      ];
      if (ours.out !== theirs) throw new Error(`list -l ${which.join('')}: ${ours.out} is not ${theirs}`);
    }
    made.push((await commands.xl('list', '-l', 'listed')).replace(/"domid": [0-9]+/, ''));
    await commands.xl('destroy', 'listed');
  }
  if (made[0] !== made[1]) throw new Error(`what Dewar made is another guest than what xl made: ${made.join('\n')}`);
  await commands.run(['list', '-l', 'no-such-guest'], 1, 'no-such-guest is an invalid domain identifier');
};

const tracing: Step = async (commands) => {
  const traced = async (code: number, ...command: readonly string[]): Promise<string[]> => {
    const { out } = await commands.run(['trace', '--json', '--', ...command], code);
    await commands.mustNotBeAudited();
    return checksIn(out);
  };
  const list = await traced(0, 'xl', 'list');
  if (!list.includes('granted dom0_t nomigrate_t domain getdomaininfo')) throw new Error(`xl list: ${list.join(', ')}`);
  const paused = await traced(0, 'xl', 'pause', 'nomigrate-guest');
  if (!paused.includes('granted dom0_t nomigrate_t domain pause')) throw new Error(`xl pause: ${paused.join(', ')}`);
  await traced(0, 'xl', 'unpause', 'nomigrate-guest');
  const dumped = await traced(1, 'xl', 'dump-core', 'nomigrate-guest', '/run/core');
  if (!dumped.includes('denied dom0_t nomigrate_t mmu map_read')) throw new Error(`xl dump-core: ${dumped.join(', ')}`);
  await traced(7, 'sh', '-c', 'exit 7');
  await traced(127, 'no-such-program');
  const chosen = await commands.run(
    ['trace', '--type', 'nomigrate_t', '--', 'xl', 'list'],
    0,
    'only checks with nomigrate_t',
  );
  if (/xen \{ physinfo \}/.test(chosen.out)) throw new Error(`a check of another type is in it: ${chosen.out}`);
  await commands.run(['trace', '--everything', '--type', 'nomigrate_t', '--', 'xl', 'list'], 0);
  await commands.mustNotBeAudited();
};

/** What a command changes while it is traced stays changed; nothing else is. */
const tracingChanges: Step = async (commands) => {
  const { stock, example } = commands.places;
  await commands.run(['set-bool', 'guest_writeconsole', '0'], 0);
  await commands.run(['trace', '--', 'flask-set-bool', 'prot_doms_locked', '1'], 0, /security \{ setbool \} +granted/);
  if ((await commands.boolean('guest_writeconsole')) !== false) throw new Error('a boolean lost its value');
  if ((await commands.boolean('prot_doms_locked')) !== true) throw new Error('the boolean that was set is not set');
  await commands.run(['set-bool', 'guest_writeconsole', '1'], 0);
  await commands.run(['set-bool', 'prot_doms_locked', '0'], 0);
  await commands.run(['setenforce', '0'], 0);
  await commands.run(
    ['trace', '--', 'xl', 'list'],
    0,
    `Xen ${commands.host.release}, permissive`,
    'in permissive mode Xen logs a denial once',
  );
  if ((await commands.host.getenforce()).value !== false) throw new Error('the mode has changed');
  await commands.run(['setenforce', '1'], 0);
  // No guest may run then: the other policy has not the labels that guests have here, and they would be unlabeled.
  await commands.run(['destroy', 'nomigrate-guest'], 0);
  await commands.run(['trace', '--', 'xl', 'loadpolicy', stock], 0, 'another policy was loaded meanwhile; it stays');
  await commands.mustNotBeAudited();
  // Xen's own policy has not this one.
  if ((await commands.boolean('policy_locked')) !== undefined) throw new Error('the policy that was loaded is gone');
  await commands.run(['trace', '--', 'true'], 1, 'is not known to Dewar, so it could not be put back');
  await commands.run(['loadpolicy', '--yes', example], 0);
};

const killing: Step = async (commands) => {
  const begin = async () => {
    const command = commands.start(['trace', '--', 'sleep', '300']);
    const record = `${commands.places.state}/xen/auditing.json`;
    const isUnderWay = (): boolean => existsSync(record) && childOf(command.pid, 'sleep') !== undefined;
    if (!(await within(PATIENCE_S, isUnderWay))) throw new Error(`the trace did not begin: ${command.said()}`);
    if (!(await commands.isAudited())) throw new Error('the policy in force has no auditing');
    const helper = childOf(command.pid, 'xen-helper');
    if (helper === undefined) throw new Error('the command has no helper');
    return { ...command, helper };
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    const interrupted = await begin();
    process.kill(interrupted.pid, signal);
    const { code, err } = await interrupted.ended;
    // `sleep` gets the signal too, and its end is that of the trace.
    if (code !== 128 + constants.signals[signal]) throw new Error(`${signal}: ended with ${code}: ${err}`);
    await commands.mustNotBeAudited();
  }

  const alone = await begin();
  process.kill(alone.pid, 'SIGKILL');
  if (!(await within(PATIENCE_S, async () => !(await commands.isAudited()))))
    throw new Error('the helper did not put it back');
  await commands.run(['getenforce'], 1, 'a trace of `sleep 300` was killed');

  const both = await begin();
  process.kill(both.pid, 'SIGKILL');
  process.kill(both.helper, 'SIGKILL');
  await both.ended;
  await commands.run(['getenforce'], 1, 'a trace of `sleep 300` was killed; the policy before it was put back');
  await commands.mustNotBeAudited();

  const helpless = await begin();
  process.kill(helpless.helper, 'SIGKILL');
  const { err } = await helpless.ended;
  if (!err.includes('helper') && !err.includes('libxl')) throw new Error(`the helper is killed: ${err}`);
  await commands.mustNotBeAudited();
  const { out } = await commands.run(['getenforce'], 1);
  if (out !== 'Enforcing\n') throw new Error(`something was left: ${out}`);
};

/** Scenarios that say what is granted, of which one comes out otherwise, for a host whose policy is in a file. */
function grantingScenarios({ example, guest }: CommandPlaces): string {
  const head = (name: string): string => `name: ${name}\npolicy: ${example}\nguests:\n  vault: ${guest}\nsteps:\n`;
  const create = "  - create: vault\n    settings: name='granted'\n";
  return `${head('a guest is built, relabelled and paused')}${create}    expect:
      denied: []
      granted:
        - dom0_t nomigrate_t_building:domain { create max_vcpus setvcpucontext }
        - dom0_t nomigrate_t_building:grant { map_read map_write }
        - dom0_t nomigrate_t:domain2 relabelto
        - nomigrate_t_building nomigrate_t:domain transition
        - '* nomigrate_t:domain unpause'
  - pause: vault
    expect: { granted: [dom0_t nomigrate_t:domain pause] }
---
${head('nobody asks whether a guest may resume')}  - list:
    expect: { granted: [dom0_t nomigrate_t:domain resume] }
`;
}

/** What is granted, as real Xen logs it and as a simulated one says it; and a run that is interrupted. */
const testing: Step = async (commands) => {
  const file = '/run/granted.scenario.yaml';
  writeFileSync(file, grantingScenarios(commands.places));
  const before = await commands.securityAudit();
  const mustBePutBack = async (): Promise<void> => {
    if ((await commands.securityAudit()) !== before) throw new Error('the policy in force has auditing');
    const names = ((await commands.host.list()).value ?? []).map(({ name }) => name);
    if (names.includes('granted')) throw new Error('the guest of the scenario is left');
  };
  const real = ['test', '--host', 'xen', file];
  await commands.run(real, 2, '`granted`: Xen logs what it denies', '`--audit`');
  const verdictOf = ({ out }: Ran): string => {
    // The command has printed it.
    const { scenarios } = JSON.parse(out) as { readonly scenarios: readonly ScenarioResult[] };
    return JSON.stringify(scenarios.map(({ outcome, failures }) => [outcome, failures.map((one) => one.mismatches)]));
  };
  const [is, must] = [
    verdictOf(await commands.run([...real, '--audit', '--json'], 1)),
    verdictOf(await commands.run(['test', '--xen', commands.host.release, file, '--json'], 1)),
  ];
  if (is !== must || !is.includes('"passed"')) throw new Error(`real Xen says ${is}, and a simulated one ${must}`);
  await mustBePutBack();

  const interrupted = commands.start([...real, '--audit']);
  const isUnderWay = async (): Promise<boolean> => (await commands.securityAudit()) !== before;
  if (!(await within(PATIENCE_S, isUnderWay))) throw new Error(`it did not begin: ${interrupted.said()}`);
  process.kill(interrupted.pid, 'SIGINT');
  const { code, err } = await interrupted.ended;
  if (code !== 130) throw new Error(`SIGINT: ended with ${code}: ${err}`);
  await mustBePutBack();
};

const watching: Step = async (commands) => {
  const watch = commands.start(['watch']);
  if (!(await within(PATIENCE_S, () => watch.said().includes('watching the console')))) throw new Error(watch.said());
  const denials = (): number => watch.said().match(/avc: {2}denied {2}\{ map_read \}.*tclass=mmu/g)?.length ?? 0;
  await commands.host.probeForeignMap('nomigrate-guest', 'read');
  if (!(await within(PATIENCE_S, () => denials() > 0))) throw new Error(`no denial was told: ${watch.said()}`);
  for (let i = 0; i < 3; i++) await commands.host.probeForeignMap('nomigrate-guest', 'read');
  await delay(4000);
  process.kill(watch.pid, 'SIGINT');
  const { code, out } = await watch.ended;
  if (code !== 130 || denials() !== 1) throw new Error(`${denials()} denials were told (status ${code}): ${out}`);
  if (!out.includes('`map_read` is asked for by')) throw new Error(`it is not explained: ${out}`);
};

/** A guest whose kernel takes the request to power off, and whose processes do not follow. */
const waiting: Step = async (commands) => {
  await commands.run(['create', '-q', commands.places.guest, 'name="stays"', 'extra="stays"'], 0);
  if (!(await isAlive('stays'))) throw new Error('the guest did not come up');
  const stop = commands.start(['shutdown', '--wait', 'stays']);
  if (!(await within(PATIENCE_S, () => /domain \d+ still runs after 30 s/.test(stop.said()))))
    throw new Error(`that it runs on was not told: ${stop.said()}`);
  process.kill(stop.pid, 'SIGINT');
  const { code, err } = await stop.ended;
  if (code !== 130 || !err.includes('interrupted: nobody waits any more'))
    throw new Error(`it was not ended as it has to be (status ${code}): ${err}`);
  await commands.run(['list'], 0, /^stays /m);
  await commands.run(['destroy', 'stays'], 0);
};

/** Ends the guest; the journal has that, and all that was done before. */
const ending =
  (...done: readonly string[]): Step =>
  async (commands) => {
    await commands.run(['destroy', 'nomigrate-guest'], 0);
    const { out } = await commands.run(['log'], 0);
    for (const word of [...done, 'destroy']) if (!out.includes(word)) throw new Error(`the journal has no \`${word}\``);
  };

/** The command that is traced takes from dom0 the right to put the policy back, until the machine is booted anew. */
const locking: Step = async (commands) => {
  const left = 'the policy with auditing is still in force';
  await commands.run(['trace', '--', 'flask-set-bool', 'policy_locked', '1'], 3, left);
  if (!(await commands.isAudited())) throw new Error('the policy in force has no auditing');
  const again = await commands.run(['getenforce'], 1, 'is still in force, and could not be taken away');
  if (again.out !== 'Enforcing\n') throw new Error(`getenforce printed ${again.out}`);
  await commands.run(['trace', '--', 'true'], 1, 'the policy in force has auditing already');
};

/** What is tried. Each finds the example policy in force, and its guest running. */
const STEPS: Readonly<Record<CommandsPart, Readonly<Record<string, Step>>>> = {
  commands: {
    'loadpolicy asks, refuses what locks dom0 out, and puts back': loading,
    'a build that would be denied half-way is not begun': rehearsing,
    'decide gives the answers of Xen itself': deciding,
    'list -l prints what xl prints, of guests that either has made': listing,
    'trace shows what commands of xl are asked, and passes their status on': tracing,
    'what a traced command changes stays, and nothing else changes': tracingChanges,
    'a trace that is killed leaves no auditing': killing,
    'the journal has it all': ending('load-policy', 'trace', 'create', 'setenforce', 'set-boolean'),
  },
  devices: {
    'what scenarios say is granted, Xen tells under auditing, as a simulated one does': testing,
    'watch tells a denial once': watching,
    'a guest that does not stop is told of, and need not be waited for': waiting,
    ...DEVICE_STEPS,
    'the journal has what was lent': ending(
      'block-attach',
      'block-detach',
      'network-attach',
      'network-detach',
      'debug-keys',
    ),
  },
  migration: {
    ...MIGRATION_STEPS,
    'the journal has what has left and come': ending('migrate'),
  },
};

/** What is tried after all else: nothing can be changed afterwards. */
const LAST_STEPS: Readonly<Record<CommandsPart, Readonly<Record<string, Step>>>> = {
  commands: { 'a trace that cannot put the policy back says so, and so does each command after it': locking },
  devices: {},
  migration: {},
};

const GUEST = 'nomigrate-guest';

/** Puts the host back to where a step begins, whatever the one before it has left. */
async function putBack(commands: Commands, booleans: ReadonlyMap<string, boolean>): Promise<void> {
  const { host, places } = commands;
  // Enforcing, a policy that a step has loaded may deny the end of its guests.
  await host.setenforce(false);
  for (const { domid } of (await host.list()).value ?? []) if (domid !== 0) await host.destroy(String(domid));
  for (const { sbdf } of (await host.pciAssignableList()).value ?? []) await host.pciAssignableRemove(sbdfText(sbdf));
  // By a command, so that those that come later know the policy.
  await commands.start(['loadpolicy', '--yes', '--force', places.example]).ended;
  for (const [name, value] of booleans) await host.setBoolean(name, value);
  await host.setenforce(true);
}

async function booleansOf(host: XenHost): Promise<ReadonlyMap<string, boolean>> {
  return new Map(((await host.booleans()).value ?? []).map(({ name, enforcing }) => [name, enforcing]));
}

/** Runs the steps of a part. `tell` hears of each before it begins, and of what went wrong. */
export async function runCommands(
  part: CommandsPart,
  places: CommandPlaces,
  host: XenHost,
  tell: (line: string) => void,
): Promise<CommandResult[]> {
  const commands = new Commands(places, host);
  const results: CommandResult[] = [];
  const booleans = await booleansOf(host);
  const attempt = async (name: string, step: Step): Promise<string | undefined> => {
    tell(name);
    let problem: string | undefined;
    try {
      await bounded('it', step(commands));
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      tell(`✗ ${problem}`);
    }
    // A step that ended early has left what it began.
    commands.stopAll();
    results.push({ name, problem });
    return problem;
  };
  for (const [name, step] of Object.entries(STEPS[part])) {
    const problem = await attempt(name, async () => {
      const isThere = (await host.list()).value?.some((one) => one.name === GUEST) === true;
      if (!isThere) await commands.run(['create', '-q', places.guest], 0);
      await step(commands);
    });
    if (problem !== undefined) await putBack(commands, booleans);
  }
  for (const [name, step] of Object.entries(LAST_STEPS[part])) await attempt(name, step);
  return results;
}
