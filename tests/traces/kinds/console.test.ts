/** `xl console` and `xl debug-keys`, held against what real Xen 4.17.5 was seen to check and to say. */

import { readFileSync } from 'node:fs';
import { DOM0, type GuestConsole } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { bootKinds, checksOf, golden, kindsPolicy, recordedGuest } from './kinds-policy.ts';

const uuid = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';

test('the console of a guest is found as real xl finds it', async () => {
  const { host } = bootKinds();
  await host.create(recordedGuest('bare'), { uuid });
  const found = await host.console('bare');
  expect(checksOf(found)).toEqual(golden('console'));
  expect(found.value).toMatchObject({ domid: 1, type: 'pv', number: 0 });
  const told = async (domain: string, choice?: Parameters<typeof host.console>[1]): Promise<unknown> => {
    const { xlExitCode, xlMessages } = await host.console(domain, choice);
    return [xlExitCode, ...xlMessages];
  };
  expect(await told('nosuch')).toEqual([1, 'nosuch is an invalid domain identifier (rc=-6)']);
  expect(await told('77')).toEqual([
    1,
    'libxl: error: libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=77',
    'Unable to attach console',
  ]);
  expect(await told('0')).toEqual([22, "Can't specify Domain-0"]);
  expect(await told('bare', { type: 'pv', number: 5 })).toEqual([
    2,
    'xenconsole: Could not read tty from store: No such file or directory',
  ]);
});

test('the serial line of a guest with a stub domain is a console of that', async () => {
  const { host } = bootKinds();
  await host.create(recordedGuest('hvm'), { uuid });
  expect((await host.console('hvm')).value).toMatchObject({ domid: 1, type: 'serial', number: 0 });
  await host.destroy('hvm');
  await host.create(recordedGuest('stub'), { uuid });
  const found = await host.console('stub');
  // It has three consoles, of which that would be the fourth.
  expect([found.outcome, found.xlExitCode]).toEqual(['failed', 2]);
  expect((await host.console('stub-dm', { type: 'pv', number: 2 })).value).toMatchObject({
    domid: 3,
    type: 'pv',
    number: 2,
  });
});

test('who creates with a console looks for it once the guest has its label, before it starts', async () => {
  const { host } = bootKinds();
  const shown: GuestConsole[] = [];
  const { timeline } = await host.create(recordedGuest('bare'), { uuid, onConsole: (one) => shown.push(one) });
  const titles = timeline.map(({ title }) => title);
  const at = titles.indexOf('libxl looks for the console of the guest');
  expect([titles[at - 1], titles[at + 1]]).toEqual(['libxl stores the configuration', 'xl starts the guest']);
  expect(titles.slice(0, at)).toContain('libxl relabels the guest');
  const [look, ...more] = timeline[at]?.hypercalls ?? [];
  expect([look?.name, look?.checks.at(-1)?.target, more]).toEqual([
    'sysctl.getdomaininfolist',
    'system_u:system_r:guest_t',
    [],
  ]);
  expect(shown.map(({ domid, type, number }) => [domid, type, number])).toEqual([[1, 'pv', 0]]);
  // What restores with one does the same.
  const { value: saved } = await host.save('bare');
  await host.restore(saved, { uuid, onConsole: (one) => shown.push(one) });
  expect(shown[1]?.text).toContain('[simulated] it goes on from where it was saved');
});

test('a simulated console says what is known of the start of its guest, and that it is simulated', async () => {
  const { host } = bootKinds();
  const text = async (domain: string): Promise<string[]> => (await host.console(domain)).value?.text.split('\n') ?? [];
  await host.create(recordedGuest('bare'), { uuid, paused: true });
  const lines = await text('bare');
  expect(lines.pop()).toBe('');
  expect(lines.every((line) => line.startsWith('[simulated] '))).toBe(true);
  expect(lines[0]).toMatch(/bare \(PV, domain 1, \d+ MiB, vCPUs: 1\) runs no kernel; this is all that it shows$/);
  expect(lines).toContain('[simulated] kernel /boot/vmlinuz');
  expect(lines).toContain(
    '[simulated] label system_u:system_r:guest_t, built under system_u:system_r:guest_t_building',
  );
  expect(lines.at(-1)).toBe('[simulated] it is paused, and has not begun');
  await host.unpause('bare');
  expect((await text('bare')).at(-2)).toBe('[simulated] it has started');
  await host.networkAttach('bare', []);
  await host.pause('bare');
  expect((await text('bare')).at(-2)).toMatch(/^\[simulated\] it has started.*; now it is paused$/);
});

test('each key is the one check of real Xen', async () => {
  const { host } = bootKinds();
  for (const [name, key] of [
    ['h', 'h'],
    ['q', 'q'],
    ['all', '*'],
    ['t', 't'],
  ] as const) {
    expect(checksOf(await host.debugKeys(key))).toEqual(golden(`debug-keys-${name}`));
  }
});

test('Xen tells in its console ring what keys there are, and the labels of event channels', async () => {
  const { host } = bootKinds();
  await host.create(recordedGuest('bare'), { uuid });
  await host.dmesg({ clear: true });
  await host.debugKeys('h');
  const keys = (await host.dmesg({ clear: true })).value?.split('\n').filter((line) => !line.includes('avc:')) ?? [];
  // The first and the last of those that a release build of Xen 4.17.5 printed, and how many it did.
  expect([keys[0], keys[1], keys.at(-2), keys.length]).toEqual([
    "(XEN) 'h' pressed -> showing installed handlers",
    "(XEN)  key '%' (ascii '25') => trap to xendbg",
    "(XEN)  key 'z' (ascii '7a') => dump IOAPIC info",
    33,
  ]);
  await host.debugKeys('Ze');
  const lines = (await host.dmesg()).value?.split('\n').filter((line) => !line.includes('avc:')) ?? [];
  const own = lines.slice(lines.indexOf('(XEN) Event channel information for domain 1:'));
  // As there, but for ports that only the kernel itself knows, and the numbers of those of dom0.
  expect(own.slice(0, 5)).toEqual([
    '(XEN) Event channel information for domain 1:',
    '(XEN) Polling vCPUs: {}',
    '(XEN)     port [p/m/s]',
    '(XEN)        1 [0/0/  -   ]: s=3 n=0 x=0 d=0 p=1 Z=system_u:object_r:guest_t_channel',
    '(XEN)        2 [0/0/  -   ]: s=3 n=0 x=0 d=0 p=2 Z=system_u:object_r:guest_t_channel',
  ]);
});

test('who may not debug Xen presses no keys, and nobody reboots a simulated host', async () => {
  const policy = kindsPolicy((text) => text.replace('allow ALL ALL:xen *;', 'allow ALL ALL:xen ~debug;'));
  const { host, hypervisor } = bootKinds({}, policy);
  const denied = await host.debugKeys('q');
  expect([denied.outcome, denied.xlExitCode, ...denied.xlMessages]).toEqual([
    'failed',
    1,
    'libxl: error: libxl.c:659:libxl_send_debug_keys: sending debug keys: Permission denied',
    'cannot send debug keys: q',
  ]);
  expect((await host.dmesg()).value).not.toContain('pressed');
  const refused = await bootKinds().host.debugKeys('hR');
  expect([refused.outcome, refused.diagnostics.map(({ code }) => code)]).toEqual(['failed', ['guest/request-failed']]);
  const many = { keys: 'q'.repeat(65) };
  expect(hypervisor.call({ domid: DOM0, process: 'xl' }, 'sysctl.debug_keys', many).kind).toBe('error');
});

/** What real Xen wrote for each key, line by line. */
const WRITTEN: ReadonlyMap<string, readonly string[]> = new Map(
  readFileSync(new URL('./debug-keys.txt', import.meta.url), 'latin1')
    .split(/^=== (?=.$)/m)
    .slice(1)
    .map((part) => {
      const [key = '', ...lines] = part.trimEnd().split('\n');
      return [key, lines];
    }),
);

/** A line without its numbers; `-` stands for one that a simulated host has not. */
function shape(line: string): string {
  return line
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, 'UUID')
    .replace(/Z=\S+/g, 'Z=LABEL')
    .replace(/ -(?= 0x)/g, ' N')
    .replace(/0x[0-9a-f]+|\b[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/g, ' N')
    .replace(/\d+/g, 'N')
    .replace(/ +/g, ' ')
    .trim();
}

/** What Xen writes into a line, and a simulated host leaves out of it. */
const LEFT_OUT: Readonly<Record<string, RegExp>> = {
  q: /refcnt=\d+ |xenheap_pages=\d+ dirty_cpus=\{[^}]*\} | vm_assist=\w+| \(now = \d+\)/g,
  u: / \(now = \d+\)/g,
  Q: / - node -1 $| - node -1$/g,
  i: / vec:\S+ +\S+ +status=\S+ aff:\S+| {3}(?:in-flight|mapped|\S+\(\)).*$/g,
};

test.each([...WRITTEN.keys()])('the lines for the key `%s` have the form that real Xen gives them', async (key) => {
  const { host } = bootKinds();
  await host.create(recordedGuest('bare'), { uuid });
  await host.dmesg({ clear: true });
  await host.debugKeys(key);
  const all = (await host.dmesg()).value?.split('\n').filter((line) => line !== '' && !line.includes('avc:')) ?? [];
  const lines = all.map((line) => line.slice('(XEN) '.length));
  expect(lines.pop()).toMatch(/^\[simulated\] left out: /);
  const forms = new Set((WRITTEN.get(key) ?? []).map((line) => shape(line.replace(LEFT_OUT[key] ?? /$^/, ''))));
  expect(lines.map(shape).filter((line) => !forms.has(line))).toEqual([]);
  expect(lines.length).toBeGreaterThan(1);
});

test('grants are listed with who has them mapped and how often, and lines of devices with their labels', async () => {
  const { host } = bootKinds();
  await host.create(recordedGuest('bare'), { uuid });
  const pressed = async (keys: string): Promise<string> => {
    await host.dmesg({ clear: true });
    await host.debugKeys(keys);
    return (await host.dmesg()).value ?? '';
  };
  // As there: xenstored and xenconsoled have one page each, mapped twice, and write to it.
  const own = (await pressed('g')).split('grant-table for remote d1 (v1)')[1] ?? '';
  const entry = (ref: number): RegExp => new RegExp(`\\[0x00${ref}\\] {6}0 {8}- 0x00000002 {10}0 0x[0-9a-f]{6} 0x19`);
  expect(own).toMatch(entry(0));
  expect(own).toMatch(entry(1));
  await host.labelPci('0000:00:05.0', 'system_u:object_r:nic_dev_t');
  expect(await pressed('i')).toContain('(XEN)    IRQ:  21 Z=system_u:object_r:nic_dev_t\n');
  await host.pciAssignableAdd('0000:00:05.0');
  expect(await pressed('Q')).toContain('(XEN) 0000:00:05.0 - d[IO]\n');
  expect(await pressed('d')).toContain(
    "(XEN) [simulated] 'd' (dump registers) is not answered: there is no such machine\n",
  );
  expect(await pressed('?')).not.toMatch(/\(XEN\) (?!avc:)/);
});
