/**
 * `xl console`: finds the terminal behind which a guest's console is.
 *
 * Follows Xen `tools/xl/xl_console.c`, `tools/libs/light/libxl_console.c` and `tools/console/client/main.c`.
 *
 * @module
 */
import type { ConsoleChoice, GuestConsole, OperationReport } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { consoleText } from './console-text.ts';
import { DOM0 } from './daemons.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { finalState, findDomain, logNoType, lookAt, type Operation, report } from './operation.ts';
import { stubOf } from './pci.ts';
import { backendsFor } from './toolstack-state.ts';

/** The console of a stub domain that is its guest's serial line. XEN: `STUBDOM_CONSOLE_SERIAL`. */
const STUB_SERIAL = 3;

/** XEN: exit statuses of xenconsole are errno numbers. */
const ENOENT = 2;
const EINVAL = 22;

/** Where a console is. */
type FoundConsole = Omit<GuestConsole, 'text'>;

/** XEN: `libxl__primary_console_find`; undefined where there is no such domain, or none that may be seen. */
function primaryConsole(operation: Operation, domid: Domid): FoundConsole | undefined {
  const stub = stubOf(operation, domid);
  if (stub !== undefined) return { domid: stub, type: 'pv', number: STUB_SERIAL };
  let found: FoundConsole | undefined;
  operation.recorder.step('libxl looks for the console of the guest', 'libxl', () => {
    const info = lookAt(operation, domid, false);
    if (info === undefined) return 'failed';
    const isHvm = operation.state.guests.get(domid)?.config?.type === 'hvm';
    found = { domid, type: isHvm ? 'serial' : 'pv', number: 0 };
    return 'done';
  });
  return found;
}

/** Whether xenstore names a terminal for it. XEN: without a serial line xenconsole takes the PV console. */
function hasTerminal({ state }: Operation, { domid, type, number }: FoundConsole): boolean {
  if (type === 'vuart') return false;
  if (number === 0) return state.xenconsoled.get(domid)?.port !== undefined;
  return backendsFor(state, domid).some(({ kind, name }) => kind === 'console' && name === String(number));
}

/** `xl console`. */
export function findConsole(
  operation: Operation,
  text: string,
  { type, number = 0 }: ConsoleChoice,
): OperationReport<GuestConsole> {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const failed = (xlExitCode: number, reason?: string): OperationReport<GuestConsole> => {
    const notes = reason === undefined ? refusalNotes(operation.recorder.refusal) : [{ message: reason }];
    operation.diagnostics.push(guest['operation-failed'](undefined, { operation: 'attach to', domid }, { notes }));
    return report(operation, { isDone: false, xlExitCode, domain: finalState(operation, domid) });
  };
  const value = type === undefined ? primaryConsole(operation, domid) : { domid, type, number };
  if (value === undefined) {
    logNoType(operation, domid);
    operation.messages.push('Unable to attach console');
    return failed(1, operation.recorder.refusal === undefined ? 'there is no such domain' : undefined);
  }
  if (value.domid === DOM0) {
    operation.messages.push("Can't specify Domain-0");
    return failed(EINVAL, 'the console of dom0 is that of Xen: `dmesg`');
  }
  if (!hasTerminal(operation, value)) {
    operation.messages.push('xenconsole: Could not read tty from store: No such file or directory');
    return failed(ENOENT, `nobody serves console ${value.number} of domain ${value.domid}`);
  }
  const shown = { ...value, text: consoleText(operation, value.domid) };
  return report(operation, { isDone: true, xlExitCode: 0, value: shown, domain: finalState(operation, domid) });
}

/**
 * `xl create -c`: a child of xl looks for the console once the guest is built, and xl waits for it before it starts the guest.
 * XEN: `autoconnect_console` of `tools/xl/xl_vmcontrol.c`; where there is none, xl goes on without.
 */
export function attachAtCreation(operation: Operation, domid: Domid): FoundConsole | undefined {
  const found = primaryConsole(operation, domid);
  if (found !== undefined) return found;
  logNoType(operation, domid);
  // XEN: between the two the child says `unable to exec console client`, with an errno that is chance.
  operation.messages.push('Got EOF from xenconsole notification fd');
  return undefined;
}
