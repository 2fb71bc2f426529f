/**
 * Command lines of xl that it answers without a host: wrong options, too few words, help.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** What xl was seen to do: whether it printed on its standard output, all of its standard error, its exit status. */
export interface Answer {
  readonly words: readonly string[];
  readonly hasOutput: boolean;
  readonly stderr: string;
  readonly status: number;
}

/** Commands of xl 4.17, with how many words each needs and long options of its own; `=` behind one with a value. */
const COMMANDS: readonly (readonly [name: string, required: number, ...long: string[]])[] = [
  ['create', 0, 'defconfig=', 'dryrun', 'vncviewer-autopass', 'vncviewer'],
  ['list', 0, 'long', 'verbose', 'context', 'cpupool', 'numa'],
  ['destroy', 1],
  ['shutdown', 0, 'all', 'wait'],
  ['reboot', 0, 'all', 'wait'],
  ['pci-attach', 2],
  ['pci-detach', 2],
  ['pci-list', 1],
  ['pci-assignable-add', 1, 'name='],
  ['pci-assignable-remove', 1],
  ['pci-assignable-list', 0, 'show-names'],
  ['pause', 1],
  ['unpause', 1],
  ['console', 1],
  ['vncviewer', 1, 'autopass', 'vncviewer-autopass'],
  ['save', 2],
  ['migrate', 2, 'debug', 'live'],
  ['restore', 1, 'vncviewer'],
  ['migrate-receive', 0, 'colo', 'coloft-script=', 'userspace-colo-proxy'],
  ['dump-core', 2],
  ['cd-insert', 3],
  ['cd-eject', 2],
  ['mem-max', 2],
  ['mem-set', 2],
  ['button-press', 2],
  ['vcpu-list', 0],
  ['vcpu-pin', 3, 'force', 'ignore-global-affinity-masks'],
  ['vcpu-set', 2, 'ignore-host'],
  ['vm-list', 0],
  ['info', 0, 'numa'],
  ['sharing', 0],
  ['sched-credit', 0, 'domain=', 'weight=', 'tslice_ms=', 'schedparam'],
  ['sched-credit2', 0, 'domain=', 'weight=', 'cap=', 'ratelimit_us=', 'schedparam'],
  ['sched-rtds', 0, 'domain=', 'period=', 'vcpuid='],
  ['domid', 1],
  ['domname', 1],
  ['rename', 2],
  ['trigger', 2],
  ['sysrq', 2],
  ['debug-keys', 1],
  ['set-parameters', 1],
  ['dmesg', 0, 'clear'],
  ['top', 0],
  ['network-attach', 1],
  ['network-list', 1],
  ['network-detach', 2],
  ['channel-list', 1],
  ['block-attach', 2],
  ['block-list', 1],
  ['block-detach', 2, 'force'],
  ['vtpm-attach', 1],
  ['vtpm-list', 1],
  ['vtpm-detach', 2],
  ['vkb-attach', 2],
  ['vkb-list', 1],
  ['vkb-detach', 2],
  ['vdispl-attach', 1],
  ['vdispl-list', 1],
  ['vdispl-detach', 2],
  ['vsnd-attach', 2],
  ['vsnd-list', 1],
  ['vsnd-detach', 2],
  ['uptime', 0],
  ['claims', 0],
  ['cpupool-create', 0, 'defconfig=', 'dryrun'],
  ['cpupool-list', 0, 'cpus'],
  ['cpupool-destroy', 1],
  ['cpupool-rename', 2],
  ['cpupool-cpu-add', 2],
  ['cpupool-cpu-remove', 2],
  ['cpupool-migrate', 2],
  ['cpupool-numa-split', 0],
  ['remus', 2],
  ['devd', 0, 'pidfile='],
  ['psr-cmt-attach', 1],
  ['psr-cmt-detach', 1],
  ['psr-cmt-show', 1],
  ['usbctrl-attach', 1],
  ['usbctrl-detach', 2],
  ['usbdev-attach', 2],
  ['usbdev-detach', 3],
  ['usb-list', 1],
  ['qemu-monitor-command', 2],
];

const GLOBAL: readonly (readonly string[])[] = [
  [],
  ['-Q'],
  ['-vQ', 'list'],
  ['-v', '-T', '-t', '-f', 'nonsense'],
  ['--', 'nonsense'],
  ['-', 'list'],
  ['help'],
  ['help', 'pause'],
  ['help', 'nonsense'],
  ['help', 'help'],
  ['nonsense'],
  ['p'],
  ['pci-assignable'],
  ['PAUSE'],
  ['-N', 'pause'],
  ['-N', 'list'],
  ['-N', 'vcpu-pin'],
  ['-Nv', 'network-attach'],
  ['setenforce'],
  ['setenforce', '2'],
  ['setenforce', 'permissiv'],
  ['loadpolicy'],
  ['loadpolicy', '/nonexistent/policy'],
  ['create', '/nonexistent/guest.cfg'],
  ['create', '-f', '/nonexistent/guest.cfg', 'another'],
  ['create', '-n', 'memory=64'],
  ['create'],
  ['create', 'a', 'b'],
  ['create', 'k=v'],
  ['shutdown'],
  ['reboot', '-w'],
  ['destroy', '0'],
  ['sched-credit2', '-w', '5'],
  ['sched-credit2', '-c5'],
  ['sched-credit2', '-p', 'x', '-w', '5'],
  ['sched-credit2', '--cpupool=x', '--domain', '1'],
  ['restore', '/nonexistent/file'],
  ['restore', 'a', 'b', 'c'],
  ['save', '1', 'b', 'c', 'd'],
  ['list', 'a', 'b'],
];

/** All of them. */
export function commandLines(): string[][] {
  const lines: string[][] = GLOBAL.map((words) => [...words]);
  for (const [name, required, ...long] of COMMANDS) {
    const tails = [
      ['-h'],
      ['--help'],
      ['--hel'],
      ['--help=x'],
      ['-Q'],
      ['-xh'],
      ['--nonsense'],
      ['--nonsense=1'],
      ['-Q', 'word'],
    ];
    if (required > 0) tails.push([], ['--'], ['--', '-h', '-Q', '--help', 'x'].slice(0, required));
    if (required > 1) tails.push(['one'].slice(0, required - 1), ['-']);
    for (const marked of long) {
      const option = marked.replace('=', '');
      const words = marked === option ? [] : ['x'];
      tails.push([`--${option}=`, '-Q'], [`--${option.slice(0, 3)}`, ...words, '-Q'], [`--${option}`, ...words, '-Q']);
      if (words.length > 0) tails.push([`--${option}`]);
    }
    lines.push(...tails.map((tail) => [name, ...tail]));
  }
  return lines;
}

const GOLDEN = new URL('golden.json', import.meta.url);

/** What xl was recorded to do, in the order of the command lines. */
export function recordedAnswers(): readonly Answer[] {
  return JSON.parse(readFileSync(GOLDEN, 'utf8'));
}

export function writeAnswers(answers: readonly Answer[]): void {
  writeFileSync(GOLDEN, `[\n${answers.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`);
}
