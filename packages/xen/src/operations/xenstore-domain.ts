/**
 * `init-xenstore-domain` on a real host: its own program does it. libxl has no such call, and needs a xenstore itself.
 *
 * Follows Xen `tools/helpers/init-xenstore-domain.c`, and Linux `drivers/xen/xenbus/xenbus_dev_backend.c`: the kernel of
 * dom0 goes over to a xenstore domain only as long as it has spoken to no xenstored.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Note } from '@dewar/policy/text';
import { type DomainState, guestDiagnostics, type OperationReport, type XenstoreDomainOptions } from '@dewar/toolstack';
import type { RealOperation } from './real-operation.ts';

/** Where toolstacks have the programs that are not for people: Debian; then what Xen is configured with. */
function programFolders(release: string): string[] {
  const folders = ['lib', 'lib64', 'libexec', 'local/lib', 'local/lib64', 'local/libexec'];
  return [`usr/lib/xen-${release}/bin`, ...folders.map((folder) => `usr/${folder}/xen/bin`)];
}

const PROGRAM = 'init-xenstore-domain';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where xenstored of dom0 listens. */
const SOCKETS = ['var/run/xenstored/socket', 'run/xenstored/socket'];

/** Whether somebody listens at a socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (isThere: boolean) => () => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', end(true)).once('error', end(false));
  });
}

/** Whether xenstored runs in dom0. */
export async function hasXenstored(root: string): Promise<boolean> {
  for (const path of SOCKETS) if (await answers(join(root, path))) return true;
  return false;
}

/** The program while it runs. */
export interface RunningProgram {
  /** Its exit status, as a shell tells it; `late` when it was ended because nobody answered. */
  readonly ended: Promise<number | 'late'>;
}

/** So long the kernel of the new domain has to answer as a xenstore. */
const PATIENCE_MS = 60_000;

/** Says no more than this of what the program says. */
const SAID_LIMIT = 64 * 1024;

/** What a host lends. */
export interface XenstoreTools {
  readonly release: string;
  /** The folder that holds `usr` and `run`. */
  readonly root: string;
  /** Is told of the program, which is not to be left half-way. */
  readonly onRun: (program: RunningProgram) => void;
  /** Finds the new domain through a libxl that has its xenstore now; undefined where there is none. */
  readonly findDomain: () => Promise<DomainState | undefined>;
  readonly patienceMs?: number | undefined;
}

/** Runs the program in a session of its own: what a terminal sends must not end it between two steps of a build. */
function run(
  file: string,
  args: readonly string[],
  patienceMs: number,
): RunningProgram & { readonly said: () => string } {
  const child: ChildProcess = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data) => {
      if (said.length < SAID_LIMIT) said += Buffer.from(data).toString('latin1');
    });
  }
  const ended = new Promise<number | 'late'>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve('late');
    }, patienceMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve(code ?? 1);
    });
  });
  return { ended, said: () => said };
}

/** Makes a domain that takes xenstored's place. */
export async function initXenstoreDomain(
  operation: RealOperation,
  { label, memoryMib, maxMemory, kernel, ramdisk, param, name }: XenstoreDomainOptions,
  { release, root, onRun, findDomain, patienceMs = PATIENCE_MS }: XenstoreTools,
): Promise<OperationReport> {
  const fail = (
    reason: string,
    xlExitCode: number,
    notes: readonly Note[] = [],
    domain?: DomainState,
  ): OperationReport => {
    operation.diagnostics.push(guestDiagnostics['no-xenstore-domain'](undefined, { reason }, { notes: [...notes] }));
    return operation.report({ isDone: false, xlExitCode, domain });
  };
  if (kernel === undefined) return fail('it needs a kernel', 2);
  const folders = programFolders(release);
  const file = folders.map((folder) => join(root, folder, PROGRAM)).find(isExecutable);
  if (file === undefined) {
    const message = `looked for in ${folders.map((folder) => `\`/${folder}\``).join(', ')}`;
    return fail(`this host has no \`${PROGRAM}\` of Xen ${release}`, 1, [{ message }]);
  }
  if (await hasXenstored(root)) {
    const message = 'the kernel of dom0 keeps to it; a xenstore domain is made when the host starts, in its place';
    return fail('xenstored runs in dom0', 1, [{ message }]);
  }
  const optional = { flask: label, ramdisk, param, name, maxmem: maxMemory };
  const words = Object.entries(optional).flatMap(([word, value]) => (value === undefined ? [] : [`--${word}`, value]));
  const program = run(file, ['--kernel', kernel, '--memory', String(memoryMib), ...words], patienceMs);
  onRun(program);
  const code = await operation.step(`\`${PROGRAM}\` of the host makes the domain`, async () => {
    const value = await program.ended;
    return { outcome: value === 0 ? 'done' : 'failed', value };
  });
  const said = program
    .said()
    .split('\n')
    .filter((line) => line.trim() !== '');
  operation.messages.push(...said);
  if (code === 'late') {
    const message = 'dom0 has gone over to a domain that is no xenstore: the host has to be booted anew';
    return fail(`within ${patienceMs / 1000} s nobody in it answered as a xenstore`, 3, [{ message }]);
  }
  if (code !== 0) {
    const reason = `\`${PROGRAM}\` ended with ${code}`;
    // XEN: 3 where the domain runs, and what comes afterwards failed; else it was destroyed again.
    const notes: Note[] = code === 3 ? [{ message: 'the domain runs' }] : [];
    return fail(said.at(-1) ?? reason, code, [...operation.notesOn({ kind: 'refused', reason }), ...notes]);
  }
  const domain = await findDomain();
  if (label !== undefined && domain?.label !== undefined && domain.label !== label)
    return fail(`domain ${domain.domid} has the label \`${domain.label}\``, 3, [], domain);
  return operation.report({ isDone: true, xlExitCode: 0, domain });
}
