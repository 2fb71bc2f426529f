/**
 * What the console of a simulated guest shows.
 *
 * No kernel runs in it, so there is nothing that it wrote. What is known of its start stands there, each line marked as
 * none of the guest's own (`docs/decisions/console-of-a-simulated-guest.md`).
 *
 * @module
 */
import type { Domid } from '../hypercalls.ts';
import type { GuestConfig } from './guest-config.ts';
import type { Operation } from './operation.ts';
import type { GuestRecord } from './toolstack-state.ts';
import { deviceTitle } from './xenstore-devices.ts';

const KINDS = { pv: 'PV', pvh: 'PVH', hvm: 'HVM' } as const;

function bootLines({ boot, labels }: GuestConfig): string[] {
  const { build, run } = labels;
  const label = run?.text ?? build?.text;
  const before = run === undefined || build === undefined ? '' : `, built under ${build.text}`;
  return [
    ...(boot.kernel === undefined ? [] : [`kernel ${boot.kernel}`]),
    ...(boot.ramdisk === undefined ? [] : [`ramdisk ${boot.ramdisk}`]),
    ...(boot.cmdline === undefined ? [] : [`command line ${boot.cmdline}`]),
    ...(label === undefined ? [] : [`label ${label}${before}`]),
  ];
}

function stateLine(
  { recorder }: Operation,
  { domid, hasStarted, isStuck, isShutOut, isRestored, devices }: GuestRecord,
): string {
  const info = recorder.hypercalls.inspectDomain(domid)?.info;
  if (info?.shutdownReason !== undefined) return `it has stopped: ${info.shutdownReason}`;
  if (!hasStarted) return 'it is paused, and has not begun';
  if (isStuck) return 'it hangs: Xen denied it what it cannot do without, or it has nothing to start';
  const alone = isShutOut ? ', and may not read what xenstore has for it' : '';
  const own = devices.filter(({ frontend }) => frontend === 4).map(deviceTitle);
  const how = isRestored ? 'it goes on from where it was saved' : 'it has started';
  const what = own.length === 0 ? '' : `, and works with ${own.join(', ')}`;
  return `${how}${what}${alone}${info?.isPaused === true ? '; now it is paused' : ''}`;
}

/** The lines of a console, of which the last one ends, too. */
export function consoleText(operation: Operation, domid: Domid): string {
  const record = operation.state.guests.get(domid);
  const info = operation.recorder.hypercalls.inspectDomain(domid)?.info;
  const config = record?.config;
  const size = info === undefined ? '' : `, ${Math.floor(info.totalPages / 256)} MiB, vCPUs: ${info.onlineVcpus}`;
  const kind = config === undefined ? '' : `${KINDS[config.type]}, `;
  const lines = [
    `${record?.name ?? 'a guest without a name'} (${kind}domain ${domid}${size}) runs no kernel; this is all that it shows`,
    ...(config === undefined ? [] : bootLines(config)),
    ...(record === undefined ? [] : [stateLine(operation, record)]),
  ];
  return lines.map((line) => `[simulated] ${line}\n`).join('');
}
