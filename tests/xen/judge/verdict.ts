/**
 * Judges what a run on real Xen left behind: the answers of the two hosts, check by check, and what interrupted builds
 * left. Ends with 1 when something is not as it has to be, and with 75 when the machine lost a process.
 *
 *     tsx tests/xen/judge/verdict.ts RESULTS VERSION SOURCES [PART]
 *
 * RESULTS has a folder for each part of the questions (`parts.ts`); all are judged, or PART alone. VERSION is that of the Xen
 * that was booted, such as 4.17.5, and SOURCES says whose sources it was built from. A verdict on all parts renews the
 * transcript.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findXenRelease, type XenReleaseName } from '@dewar/policy/releases';
import type { CommandResult, CommandsPart } from './commands.ts';
import { type Answer, tracedGuests } from './conformance.ts';
import { resultsOf } from './other-modes.ts';
import { OTHER_MODES, type OtherMode, PARTS, type Part } from './parts.ts';
import { DID_NOT_END } from './patience.ts';
import { runScenarios, type ScenarioResult } from './run-scenarios.ts';
import { simulatedBench } from './simulated-bench.ts';
import { traceOperations } from './traced.ts';

const LOST_A_PROCESS = 75;

const [folder = '', version = '', sources = '', only] = process.argv.slice(2);
function releaseOf(xen: string): XenReleaseName {
  const found = findXenRelease(xen);
  if (found === undefined) throw new Error(`there are no tables for Xen ${xen}`);
  return found;
}

const release = releaseOf(version);
const series = version.split('.', 2).join('.');
const TRANSCRIPT = `docs/transcripts/dewar-on-xen-${series}.txt`;
const problems: string[] = [];
let judged = 0;

function fail(what: string): void {
  problems.push(what);
  console.log(`  ✗ ${what}`);
}

function pass(what: string): void {
  judged++;
  console.log(`  ✓ ${what}`);
}

/** What a part has left in a file; empty when there is none. */
function text(part: Part, name: string): string {
  const path = join(folder, part, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Signs of an emulated machine that lets a process die or hang, in what was printed there. */
const ACCIDENT = new RegExp(
  `Segmentation fault|Bus error|Illegal instruction|Aborted|SIGSEGV|SIGBUS|SIGILL|SIGABRT|malloc\\(\\)|free\\(\\): |segfault at|general protection|${DID_NOT_END}`,
);

/** A part in which something is not as it has to be, and where the machine went to pieces, is no verdict. */
function endIfAccident(part: Part, problemsBefore: number): void {
  // The judge itself kills one helper, with SIGKILL.
  const files = ['output.txt', 'session.txt', 'conformance.json', 'interruptions.json', 'commands.json'];
  if (problems.length === problemsBefore || !files.some((name) => ACCIDENT.test(text(part, name)))) return;
  console.log(`${part}: the emulated machine lost a process: this run is no verdict`);
  process.exit(LOST_A_PROCESS);
}

function readJson<T>(part: Part, name: string): T | undefined {
  const content = text(part, `${name}.json`);
  if (content !== '') {
    // The judge in dom0 has written it.
    return JSON.parse(content) as T;
  }
  fail(`there is no ${part}/${name}.json: ${text(part, 'output.txt').trim().split('\n').slice(-8).join('; ')}`);
  return undefined;
}

/** An answer without what the two hosts number for themselves. */
function comparable({ step, outcome, exit, domain, denials, codes }: Answer): string {
  return JSON.stringify({ step, outcome, exit, domain, denials, codes });
}

function compareAnswers(real: readonly ScenarioResult[], simulated: readonly ScenarioResult[]): void {
  console.log('the same questions to both hosts:');
  for (const theirs of simulated) {
    const ours = real.find(({ name }) => name === theirs.name);
    if (ours === undefined) {
      fail(`${theirs.name}: real Xen was not asked`);
      continue;
    }
    if (ours.problem !== undefined) fail(`real Xen, ${ours.name}: ${ours.problem}`);
    if (theirs.problem !== undefined) fail(`simulated, ${theirs.name}: ${theirs.problem}`);
    const differing = theirs.answers.findIndex((answer, i) => {
      const other = ours.answers[i];
      return other === undefined || comparable(other) !== comparable(answer);
    });
    const isWhole = ours.problem === undefined && theirs.problem === undefined;
    if (theirs.answers.length === 0 && ours.answers.length === 0 && isWhole) continue;
    if (differing === -1 && isWhole && ours.answers.length === theirs.answers.length) {
      pass(`${ours.name} (${ours.answers.length} answers)`);
    } else if (differing !== -1 && isWhole) {
      const [a, b] = [ours.answers[differing], theirs.answers[differing]];
      fail(`${ours.name}, ${b?.step}: real ${a === undefined ? 'nothing' : comparable(a)}`);
      console.log(`      simulated ${b === undefined ? 'nothing' : comparable(b)}`);
    }
  }
}

type Traces = Readonly<Record<string, readonly string[]>>;

function compareTraces(real: Traces, simulated: Traces): void {
  console.log('the checks of both hosts, one by one:');
  for (const [operation, theirs] of Object.entries(simulated)) {
    const ours = real[operation] ?? [];
    const length = Math.max(ours.length, theirs.length);
    const at = Array.from({ length }, (_, i) => i).find((i) => ours[i] !== theirs[i]);
    if (at === undefined && theirs.length > 0) pass(`${operation}: ${theirs.length} checks`);
    else if (at === undefined) pass(`${operation}: no check`);
    else {
      fail(`${operation}: check ${at + 1} differs after ${theirs.slice(Math.max(0, at - 3), at).join(', ')}`);
      console.log(`      real      ${ours.slice(at, at + 4).join(', ') || '(no more checks)'}`);
      console.log(`      simulated ${theirs.slice(at, at + 4).join(', ') || '(no more checks)'}`);
    }
  }
}

interface Interruption {
  readonly how: string;
  readonly label: string | undefined;
  readonly code: number | null;
  readonly said: string;
  readonly isClean: boolean;
}

function judgeInterruptions(interruptions: readonly Interruption[]): void {
  console.log('builds that are interrupted:');
  for (const { how, label, code, said, isClean } of interruptions) {
    const wasBuilding = label?.endsWith(':nomigrate_t_building') === true;
    const what = `${how} in the middle of a build`;
    if (!wasBuilding) fail(`${what}: the guest was not being built (label ${label ?? 'none'}): ${said.trim()}`);
    else if (!isClean) fail(`${what}: a domain is left (status ${code}): ${said.trim()}`);
    else if (code === 0) fail(`${what}: the command ended with 0`);
    else pass(`${what}: nothing is left`);
  }
}

function judgeCommands(part: CommandsPart, commands: readonly CommandResult[]): void {
  console.log(`commands that only a real host has (${part}):`);
  for (const { name, problem } of commands) {
    if (problem === undefined) pass(name);
    else fail(`${name}: ${problem}`);
  }
}

/** Judges a boot with another mode. */
function judgeOtherMode(mode: OtherMode): void {
  console.log(`a host that was booted with flask=${mode}:`);
  for (const { command, problem } of resultsOf(mode, join(folder, mode), series)) {
    if (problem === undefined) pass(command);
    else fail(`${command}: ${problem}`);
  }
}

function otherModeTranscript(mode: OtherMode): string {
  const commands = resultsOf(mode, join(folder, mode), series).map(({ command, said }) => `\n# ${command}\n${said}`);
  return `\n## a host that was booted with flask=${mode}\n${commands.join('')}`;
}

/** What differs from run to run: CPU time, time of day, identifiers. */
function settled(session: string): string {
  return session
    .replaceAll(/ +\d+\.\d(?=\s|$)/gm, (cell) => 'x'.padStart(cell.length))
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, 'YYYY-MM-DD hh:mm:ss')
    .replaceAll(/^.*(?:\(XEN\) \[|\(d\d+\) ).*\n/gm, '')
    .replaceAll(
      /\d+ of 256 pages around it could be read, \d+ with content/g,
      'N of 256 pages around it could be read, M with content',
    )
    .replaceAll(/frame 0x[0-9a-f]+ begins .*/g, 'frame 0xF begins ..')
    .replaceAll(/\(\d+ bytes[^)]*\)/g, '(N bytes)');
}

const COMMAND = [
  ...(sources === "Xen's sources" ? ['DEWAR_XEN_CLONE=CLONE'] : []),
  ...(series === '4.17' ? [] : [`DEWAR_XEN_RELEASE=${series}`]),
  'npm run test:xen',
].join(' ');

const HEADING = `Dewar on real Xen ${series}
======================

Xen ${version} (${sources}, built with CONFIG_XSM=y), x86-64, flask=enforcing, in an emulated machine (QEMU q35, all in
software). dom0: Linux 6.1, PV, with Node 20, and xenstored and xenconsoled of Xen ${series}. The guest: the same kernel, with a
ramdisk that writes one line and sleeps.

\`${COMMAND}\` writes this file.

A line with # is a command; below it is all that it printed. CPU times, times of day, frame numbers and page counts differ
from run to run and are replaced.
`;

function judgeSession(): void {
  const session = text('session', 'session.txt');
  for (const sign of ['GUEST IS ALIVE', 'Successfully loaded policy.', 'denied']) {
    if (!session.includes(sign)) fail(`the session does not say \`${sign}\``);
  }
}

/** Whether a scenario was asked at all: a machine that lacks something is not. */
function wasAsked(conformance: readonly ScenarioResult[], begin: string): boolean {
  const found = conformance.find(({ name }) => name.startsWith(begin));
  return found === undefined || found.answers.length > 0 || found.problem !== undefined;
}

async function judgeAnswers(): Promise<void> {
  const conformance = readJson<readonly ScenarioResult[]>('answers', 'conformance');
  if (conformance === undefined) return;
  const [runsPvh, hasPci] = [wasAsked(conformance, 'a PVH guest'), wasAsked(conformance, 'a PCI device')];
  if (!runsPvh) console.log('this machine cannot run PVH guests: they are not judged');
  if (!hasPci) console.log('this machine has no PCI device behind an IOMMU: handing one on is not judged');
  compareAnswers(conformance, await runScenarios(simulatedBench({ release, runsPvh, hasPci })));
}

async function judgeTraces(): Promise<void> {
  const traces = readJson<Traces>('session', 'traces');
  if (traces === undefined) return;
  const machine = { release, hasPci: traces['label-pci'] !== undefined };
  const canMigrate = traces['migrate, sender'] !== undefined;
  if (!canMigrate) console.log('this Xen has no shadow paging: migrations of PV guests are not judged');
  const { host, pciDevice } = simulatedBench(machine);
  const other = simulatedBench(machine).host;
  const simulated = await traceOperations(host, tracedGuests(pciDevice, canMigrate), async (name, config) => {
    const { source, target } = await host.migrate(name, other, { uuid: randomUUID(), config });
    return target === undefined ? [source] : [source, target];
  });
  compareTraces(traces, simulated);
}

async function judgePart(part: Part): Promise<void> {
  const status = text(part, 'status').trim();
  if (status !== '0') fail(`${part}: the script in dom0 ended with ${status}`);
  if (part === 'session') {
    judgeSession();
    judgeInterruptions(readJson('session', 'interruptions') ?? []);
    await judgeTraces();
  } else if (part === 'answers') {
    await judgeAnswers();
  } else if (part === 'commands' || part === 'devices' || part === 'migration') {
    judgeCommands(part, readJson(part, 'commands') ?? []);
  } else {
    judgeOtherMode(part);
  }
}

console.log(`results in ${folder}`);
for (const part of PARTS) {
  if (only !== undefined && only !== part) continue;
  const before = problems.length;
  await judgePart(part);
  endIfAccident(part, before);
}
if (problems.length === 0 && only === undefined) {
  const transcript = text('session', 'session.txt') + OTHER_MODES.map(otherModeTranscript).join('');
  writeFileSync(TRANSCRIPT, `${HEADING}${settled(transcript)}`);
}
console.log(problems.length === 0 ? `all ${judged} are as they have to be` : `${problems.length} problems`);
process.exitCode = problems.length === 0 && judged > 0 ? 0 : 1;
