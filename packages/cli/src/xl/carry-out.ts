/**
 * What each command of xl does on a simulated host.
 *
 * Follows Xen `tools/xl/xl_*.c`, the `main_*` function of each command: the order of its questions and its messages.
 *
 * @module
 */

import { isPool } from '@dewar/toolstack';
import { runAssignableList, runBlockList, runConsole, runNetworkList, runPciList } from '../commands/devices.ts';
import {
  runDomid,
  runDomname,
  runPlain,
  runRestore,
  runSave,
  runScheduler,
  runStop,
  runVcpuList,
  runVmList,
} from '../commands/guest-operations.ts';
import { runDmesg, runDumpCore, runGetenforce, runOnDomain, runRename, runSetenforce } from '../commands/lifecycle.ts';
import { useAnyHost } from '../host-session.ts';
import { byteText, print, printLine } from '../terminal.ts';
import type { TableEntry } from './command-table.ts';
import { createAsXl } from './create-as-xl.ts';
import { infoAsXl, listAsXl } from './list-as-xl.ts';
import { canBeWritten, loadAsXl, type ReadOutcome, readForXl } from './read-for-xl.ts';
import { printXlHelp, sayUnattended, type XlCall } from './xl-call.ts';

type CarryOut = (call: XlCall) => Promise<number>;

const FAILURE = 1;
const WRONG_USE = 2;

const has = ({ options }: XlCall, letter: string): boolean => options.some((one) => one.letter === letter);

const lastOf = ({ options }: XlCall, letter: string): string | undefined =>
  options.findLast((one) => one.letter === letter)?.value;

/** Whether there is a domain that goes by a word; xl says so where there is none. XEN: `find_domain`. */
async function isFound({ flags, terminal }: XlCall, domain: string): Promise<boolean> {
  let isKnown = false;
  await useAnyHost(flags, terminal, async ({ host }) => {
    isKnown = /^[0-9]*$/.test(domain) || (await host.list()).value?.some(({ name }) => name === domain) === true;
    if (!isKnown) printLine(terminal.err, `${domain} is an invalid domain identifier (rc=-6)`);
    return 0;
  });
  return isKnown;
}

/** What xl says of an argument that makes no sense; it looks for the domain first. */
async function refuseAfterLook(call: XlCall, domain: string, words: string): Promise<number> {
  if (await isFound(call, domain)) print(call.terminal.err, words);
  return FAILURE;
}

/** The number with which a word begins, as C's `strtol` reads it; undefined where it begins with none. */
function leadingNumber(text: string): number | undefined {
  const digits = /^\s*[+-]?[0-9]+/.exec(text)?.[0];
  return digits === undefined ? undefined : Number(digits);
}

/** A number of KiB. XEN: `parse_mem_size_kb`; undefined for what is none. */
function parseMemSizeKb(text: string): number | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?[0-9]*)([bkmgt]?)$/i.exec(text);
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const number = /[0-9]/.test(digits) ? Number(digits) : 0;
  switch (unit.toLowerCase()) {
    case 'b':
      return Math.floor(number / 1024);
    case 'k':
      return number;
    case 'g':
      return number * 1024 ** 2;
    case 't':
      return number * 1024 ** 3;
    default:
      return number * 1024;
  }
}

function memory(verb: 'memSet' | 'memMax'): CarryOut {
  return (call) => {
    const [domain = '', size = ''] = call.words;
    const kib = parseMemSizeKb(size);
    if (kib === undefined || kib < 0) return refuseAfterLook(call, domain, `invalid memory size: ${size}\n`);
    return runPlain((host) => host[verb](domain, kib, size), call.flags, call.terminal);
  };
}

const vcpuSet: CarryOut = (call) => {
  const [domain = '', text = ''] = call.words;
  const digits = /^[ \t\n\v\f\r]*\+?([0-9]+)/.exec(text)?.[1];
  const count = Number(digits);
  if (digits === undefined || count > 2 ** 31 - 1) return refuseAfterLook(call, domain, 'Error: Invalid argument.\n');
  const isUnlimited = has(call, 'i');
  return runPlain((host) => host.vcpuSet(domain, count, { ignoreHost: isUnlimited }), call.flags, call.terminal);
};

const stop =
  (verb: 'shutdown' | 'reboot'): CarryOut =>
  (call) => {
    const choice = {
      domain: call.words[0],
      isAll: has(call, 'a'),
      waits: call.options.filter(({ letter }) => letter === 'w').length,
      isForced: has(call, 'F'),
    };
    return runStop(verb, choice, call.flags, call.terminal);
  };

const destroy: CarryOut = async (call) => {
  const [domain = ''] = call.words;
  const isDom0 = /^0*$/.test(domain) || domain === 'Domain-0';
  if (isDom0 && has(call, 'f')) return notSimulated(call, '`xl destroy -f` of dom0');
  if (isDom0) {
    print(
      call.terminal.err,
      'Not destroying domain 0; use -f to force.\n' +
        'This can only be done when using a disaggregated hardware domain and toolstack.\n\n',
    );
    return FAILURE;
  }
  return runOnDomain('destroy', domain, call.flags, call.terminal);
};

const save: CarryOut = async (call) => {
  const [domain = '', file = '', config, tooMany] = call.words;
  if (tooMany !== undefined) {
    printXlHelp('save', call.terminal);
    return FAILURE;
  }
  if (config !== undefined) return notSimulated(call, '`xl save` with a configuration of its own');
  if (has(call, 'D')) return notSimulated(call, '`xl save -D`');
  if (!canBeWritten(file)) {
    if (await isFound(call, domain)) printLine(call.terminal.err, `Failed to open temp file ${file} for writing`);
    return FAILURE;
  }
  const options = { checkpoint: has(call, 'c'), leavePaused: has(call, 'p') };
  return runSave(domain, file, options, call.flags, call.terminal);
};

const restore: CarryOut = async (call) => {
  const { words, flags, terminal } = call;
  const [first, second] = words;
  if (first === undefined || words.length > 2) {
    printXlHelp('restore', terminal);
    return FAILURE;
  }
  if (has(call, 'd')) return notSimulated(call, '`xl restore -d`');
  sayUnattended(call);
  const saved = second ?? first;
  const found: ReadOutcome = readForXl(saved);
  if (found.kind === 'failed') {
    printLine(terminal.err, `Can't open restore file: ${found.reason}`);
    return FAILURE;
  }
  const files = second === undefined ? { saved } : { config: first, saved };
  return runRestore(
    files,
    { paused: has(call, 'p'), unwatched: has(call, 'e'), isAttached: has(call, 'c') },
    flags,
    terminal,
  );
};

const scheduler: CarryOut = async (call) => {
  const { terminal, flags } = call;
  const [weight, cap] = [lastOf(call, 'w'), lastOf(call, 'c')].map((text) =>
    text === undefined ? undefined : (leadingNumber(text) ?? 0),
  );
  const domain = lastOf(call, 'd');
  const isChange = weight !== undefined || cap !== undefined;
  if (has(call, 'p') && (domain !== undefined || isChange)) {
    printLine(terminal.err, 'Specifying a cpupool is not allowed with other options.');
    return FAILURE;
  }
  if (domain === undefined && isChange) {
    printLine(terminal.err, 'Must specify a domain.');
    return FAILURE;
  }
  if (has(call, 's')) return notSimulated(call, '`xl sched-credit2 -s`');
  const pool = lastOf(call, 'p');
  if (pool !== undefined && !isPool(pool)) {
    printLine(terminal.err, `unknown cpupool '${pool}'`);
    return FAILURE;
  }
  return runScheduler(domain, { weight, cap }, flags, terminal);
};

const trigger: CarryOut = async (call) => {
  const [domain = '', name = '', vcpu] = call.words;
  const number = leadingNumber(vcpu ?? '0');
  if (number === undefined) {
    if (!(await isFound(call, domain))) return FAILURE;
    print(call.terminal.err, 'Invalid vcpuid, using default vcpuid=0.\n\n');
  }
  return runPlain((host) => host.trigger(domain, name, number ?? 0), call.flags, call.terminal);
};

const buttonPress: CarryOut = async (call) => {
  const [domain = '', button = ''] = call.words;
  if (button === 'power' || button === 'sleep') {
    return runPlain((host) => host.trigger(domain, button), call.flags, call.terminal);
  }
  return refuseAfterLook(call, domain, `${button} is an invalid button identifier\n`);
};

const sysrq: CarryOut = async (call) => {
  const [domain = '', key = ''] = call.words;
  if (key.length <= 1) return runPlain((host) => host.sysrq(domain, key), call.flags, call.terminal);
  if (!(await isFound(call, domain))) return FAILURE;
  print(call.terminal.err, 'Invalid sysrq.\n\n');
  printXlHelp('sysrq', call.terminal);
  return FAILURE;
};

const setenforce: CarryOut = async ({ words, flags, terminal }) => {
  const word = (words[0] ?? '').toLowerCase();
  const mode = new Map([
    ['0', false],
    ['1', true],
    ['permissive', false],
    ['enforcing', true],
  ]).get(word);
  if (mode !== undefined) return runSetenforce(mode, flags, terminal);
  printXlHelp('setenforce', terminal);
  return WRONG_USE;
};

const vcpuPin: CarryOut = async (call) => {
  const [domain = '', vcpu = '', hard = '', soft] = call.words;
  const number = leadingNumber(vcpu);
  const isNumber = number !== undefined && number >= 0;
  if (!isNumber && vcpu !== 'all') {
    return refuseAfterLook(call, domain, `Error: Invalid argument ${vcpu} as VCPU.\n`);
  }
  if (!isNumber && has(call, 'f')) {
    return refuseAfterLook(call, domain, "Error: --force and 'all' as VCPU not allowed.\n");
  }
  if (call.isDryRun) return notSimulated(call, '`xl -N vcpu-pin`');
  const which = isNumber ? String(number) : vcpu;
  return runPlain((host) => host.vcpuPin(domain, which, hard, soft), call.flags, call.terminal);
};

/** What a simulated host has no answer for. */
async function notSimulated({ terminal }: Pick<XlCall, 'terminal'>, what: string): Promise<number> {
  printLine(terminal.err, `dewar: ${what} is not simulated`);
  return FAILURE;
}

/** What gives a guest a device; with `-N` xl only shows it. */
const attaching =
  (kind: 'disk' | 'nic', carryOut: CarryOut): CarryOut =>
  async (call) => {
    if (!call.isDryRun) return carryOut(call);
    const { dryAttach } = await import('./dry-attach.ts');
    return dryAttach(kind, call);
  };

const COMMANDS: Readonly<Record<string, CarryOut>> = {
  create: createAsXl,
  list: listAsXl,
  info: infoAsXl,
  destroy,
  shutdown: stop('shutdown'),
  reboot: stop('reboot'),
  save,
  restore,
  'mem-set': memory('memSet'),
  'mem-max': memory('memMax'),
  'vcpu-set': vcpuSet,
  'vcpu-pin': vcpuPin,
  'sched-credit2': scheduler,
  trigger,
  'button-press': buttonPress,
  sysrq,
  setenforce,
  loadpolicy: loadAsXl,
  pause: ({ words, flags, terminal }) => runOnDomain('pause', words[0] ?? '', flags, terminal),
  unpause: ({ words, flags, terminal }) => runOnDomain('unpause', words[0] ?? '', flags, terminal),
  rename: ({ words, flags, terminal }) => runRename(words[0] ?? '', words[1] ?? '', flags, terminal),
  'dump-core': ({ words, flags, terminal }) => runDumpCore(words[0] ?? '', words[1] ?? '', flags, terminal),
  dmesg: (call) => runDmesg(has(call, 'c'), call.flags, call.terminal),
  getenforce: ({ flags, terminal }) => runGetenforce(flags, terminal),
  'vm-list': ({ flags, terminal }) => runVmList(flags, terminal),
  domid: ({ words, flags, terminal }) => runDomid(words[0] ?? '', flags, terminal),
  domname: async (call) => {
    const number = leadingNumber(call.words[0] ?? '');
    if (number !== undefined) return runDomname(String(number), call.flags, call.terminal);
    print(call.terminal.err, 'Invalid domain id.\n\n');
    return FAILURE;
  },
  'vcpu-list': async ({ words, flags, terminal }) => {
    let code = await runVcpuList(words[0], flags, terminal);
    for (const word of words.slice(1)) if (code === 0) code = await runVcpuList(word, flags, terminal, true);
    return code;
  },
  'block-attach': attaching('disk', ({ words, flags, terminal }) =>
    runPlain((host) => host.blockAttach(words[0] ?? '', words.slice(1).map(byteText)), flags, terminal),
  ),
  'network-attach': attaching('nic', ({ words, flags, terminal }) =>
    runPlain((host) => host.networkAttach(words[0] ?? '', words.slice(1).map(byteText)), flags, terminal),
  ),
  'block-list': ({ words, flags, terminal }) => runBlockList(words, flags, terminal),
  'network-list': ({ words, flags, terminal }) => runNetworkList(words, flags, terminal),
  'block-detach': (call) =>
    runPlain(
      (host) => host.blockDetach(call.words[0] ?? '', call.words[1] ?? '', { force: has(call, 'f') }),
      call.flags,
      call.terminal,
    ),
  'network-detach': ({ words, flags, terminal }) =>
    runPlain((host) => host.networkDetach(words[0] ?? '', words[1] ?? ''), flags, terminal),
  'pci-attach': ({ words, flags, terminal }) =>
    runPlain((host) => host.pciAttach(words[0] ?? '', words[1] ?? ''), flags, terminal),
  'pci-detach': (call) =>
    runPlain(
      (host) => host.pciDetach(call.words[0] ?? '', call.words[1] ?? '', { force: has(call, 'f') }),
      call.flags,
      call.terminal,
    ),
  console: (call) => {
    const words = { type: lastOf(call, 't'), number: lastOf(call, 'n') };
    return runConsole(call.words[0] ?? '', words, call.flags, call.terminal);
  },
  'debug-keys': ({ words, flags, terminal }) => runPlain((host) => host.debugKeys(words[0] ?? ''), flags, terminal),
  'pci-list': ({ words, flags, terminal }) => runPciList(words[0] ?? '', flags, terminal),
  'pci-assignable-list': (call) => runAssignableList(has(call, 'n'), call.flags, call.terminal),
  'pci-assignable-add': (call) =>
    runPlain((host) => host.pciAssignableAdd(call.words[0] ?? '', lastOf(call, 'n')), call.flags, call.terminal),
  'pci-assignable-remove': ({ words, flags, terminal }) =>
    runPlain((host) => host.pciAssignableRemove(words[0] ?? ''), flags, terminal),
};

/** The words that a command takes before it looks for options. XEN: `main_create` takes a file there. */
export function firstWords({ name }: TableEntry, [first]: readonly string[]): readonly string[] {
  const isFile = name === 'create' && first !== undefined && !first.startsWith('-') && !first.includes('=');
  return isFile ? [first] : [];
}

/** Carries a command out and answers xl's exit status. */
export function carryOut(command: TableEntry, call: XlCall): Promise<number> {
  return COMMANDS[command.name]?.(call) ?? notSimulated(call, `\`xl ${command.name}\``);
}
