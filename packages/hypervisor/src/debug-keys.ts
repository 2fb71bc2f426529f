/**
 * Debug keys: what Xen writes into its console ring about itself and its domains.
 *
 * A key that a simulated host can answer is answered (`debug-key-answers.ts`); what is left out, and each key that is not
 * answered, is said on a line that begins with `[simulated]`. Follows Xen `xen/common/keyhandler.c`; the keys are those of a
 * release build of 4.17 on x86.
 *
 * @module
 */
import {
  showChannels,
  showContainers,
  showDevices,
  showDomains,
  showGrants,
  showInterrupts,
  showMemory,
  showNodes,
  showScheduler,
} from './debug-key-answers.ts';
import type { Machine } from './machine.ts';

/** What a key stands for. */
interface KeyHandler {
  readonly description: string;
  /** `*` presses it too: in its first round, or in its second. XEN: `irq_callback`. */
  readonly round?: 'first' | 'second';
  /** The line that it begins with; what it says of the time is left out. */
  readonly heading?: string;
  /** Without it, a simulated host has no answer. */
  readonly show?: (machine: Machine) => readonly string[];
  /** All is shown that Xen would show. */
  readonly isWhole?: boolean;
}

const KEYS: ReadonlyMap<string, KeyHandler> = new Map<string, KeyHandler>([
  ['%', { description: 'trap to xendbg', heading: 'trapping into debugger' }],
  [
    '*',
    {
      description: 'print all diagnostics',
      heading: 'firing all diagnostic keyhandlers',
      show: showAll,
      isWhole: true,
    },
  ],
  ['+', { description: 'increase log level threshold' }],
  ['-', { description: 'decrease log level threshold' }],
  ['0', { description: 'dump Dom0 registers', round: 'second', heading: "dumping Dom0's registers" }],
  ['A', { description: 'toggle alternative key handling' }],
  ['G', { description: 'toggle host/guest log level adjustment' }],
  ['H', { description: 'dump heap info', round: 'second', heading: 'dumping heap info' }],
  ['I', { description: 'dump HVM irq info', round: 'second', heading: 'dumping HVM irq info' }],
  ['M', { description: 'dump MSI state', round: 'second' }],
  ['N', { description: 'trigger an NMI' }],
  ['Q', { description: 'dump PCI devices', round: 'second', show: showDevices }],
  ['R', { description: 'reboot machine' }],
  ['a', { description: 'dump timer queues', round: 'second' }],
  ['c', { description: 'dump ACPI Cx structures', round: 'second', heading: 'printing ACPI Cx structures' }],
  ['d', { description: 'dump registers', round: 'first', heading: 'dumping registers' }],
  [
    'e',
    { description: 'dump evtchn info', round: 'second', heading: 'dumping event-channel info', show: showChannels },
  ],
  ['g', { description: 'print grant table usage', round: 'second', show: showGrants }],
  ['h', { description: 'show this message', heading: 'showing installed handlers', show: showKeys, isWhole: true }],
  ['i', { description: 'dump interrupt bindings', round: 'second', show: showInterrupts }],
  ['m', { description: 'memory info', round: 'second', show: showMemory }],
  ['n', { description: 'NMI statistics', round: 'second' }],
  [
    'q',
    {
      description: 'dump domain (and guest debug) info',
      round: 'second',
      heading: 'dumping domain info',
      show: showDomains,
    },
  ],
  ['r', { description: 'dump run queues', round: 'second', show: showScheduler }],
  ['s', { description: 'dump softtsc stats', round: 'second' }],
  ['t', { description: 'display multi-cpu clock info', round: 'second' }],
  ['u', { description: 'dump NUMA info', round: 'second', heading: 'dumping numa info', show: showNodes }],
  ['v', { description: 'dump AMD-V VMCBs', round: 'second', show: showContainers }],
  ['w', { description: 'synchronously dump console ring buffer (dmesg)' }],
  ['x', { description: 'print livepatch info', round: 'second' }],
  ['z', { description: 'dump IOAPIC info', round: 'second' }],
]);

function showKeys(): string[] {
  return [...KEYS].map(([key, { description }]) => {
    const code = key.charCodeAt(0).toString(16).padStart(2, '0');
    return ` key '${key}' (ascii '${code}') => ${description}`;
  });
}

/** XEN: `run_all_keyhandlers`: those that need no tasklet come first. */
function showAll(machine: Machine): string[] {
  return (['first', 'second'] as const).flatMap((round) =>
    [...KEYS]
      .filter(([, handler]) => handler.round === round)
      .flatMap(([key, handler]) => [`[${key}: ${handler.description}]`, ...press(machine, key, handler)]),
  );
}

const LEFT_OUT = '[simulated] left out: what stands for hardware, for time, and for the memory of Xen itself';

function press(machine: Machine, key: string, { description, heading, show, isWhole }: KeyHandler): string[] {
  const first = heading === undefined ? [] : [`'${key}' pressed -> ${heading}`];
  if (show === undefined)
    return [...first, `[simulated] '${key}' (${description}) is not answered: there is no such machine`];
  return [...first, ...show(machine), ...(isWhole === true ? [] : [LEFT_OUT])];
}

/** Presses some keys, one after the other; one that Xen does not know does nothing. XEN: `handle_keypress`. */
export function pressKeys(machine: Machine, keys: string): void {
  for (const key of keys) {
    const handler = KEYS.get(key);
    if (handler === undefined) continue;
    for (const line of press(machine, key, handler)) machine.log(`(XEN) ${line}`);
  }
}
