import { operationsOf, XEN_RELEASES, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { expect, test } from 'vitest';
import { CHECKS, checksOfCommand, commandsAsking, hypercallsAsking } from './index.ts';

test('each check of the table is found by its permission', () => {
  for (const [hypercall, rows] of Object.entries(CHECKS)) {
    for (const { class: className, permissions } of rows) {
      for (const permission of permissions) {
        const found = hypercallsAsking(className, permission).map((one) => String(one.hypercall));
        expect([className, permission, found.includes(hypercall)]).toEqual([className, permission, true]);
      }
    }
  }
});

test('what the simulated Xen asks for, the list of operations by permission has too', () => {
  for (const [hypercall, rows] of Object.entries(CHECKS)) {
    for (const { class: className, permissions } of rows) {
      for (const permission of permissions) {
        const named = operationsOf(className, permission).filter((one) => `${hypercall}.`.startsWith(`${one}.`));
        expect([hypercall, className, permission, named.length]).toEqual([hypercall, className, permission, 1]);
      }
    }
  }
});

test('the operations by permission are of classes and permissions that releases have', () => {
  const known = new Map<string, Set<string>>();
  for (const name of ['4.17', '4.20', '4.21', 'master'] as const) {
    for (const { name: className, permissions } of xenRelease(name).classes)
      known.set(className, new Set([...(known.get(className) ?? []), ...permissions]));
  }
  for (const [className, permissions] of known) {
    for (const permission of permissions)
      for (const one of operationsOf(className, permission)) expect(one).toMatch(/^[a-z0-9_]+(\.[a-z0-9_]+)*$/);
  }
  expect(operationsOf('domain', 'nothing')).toEqual([]);
  expect(operationsOf('constructor', 'name')).toEqual([]);
});

test('a command of xl is found by what it asks for, and each of its hypercalls makes that check', () => {
  expect(commandsAsking('shadow', 'logdirty')).toEqual([]);
  const saving = commandsAsking('hvm', 'gethvmc').map(({ command }) => command);
  expect(saving).toContain('xl save');
  expect(checksOfCommand('constructor')).toEqual([]);
  for (const command of ['xl create', 'xl save', 'xl destroy', 'xl dump-core']) {
    const checks = checksOfCommand(command);
    expect(checks.length).toBeGreaterThan(0);
    for (const { class: className, permissions, hypercall } of checks) {
      const found = hypercallsAsking(className, permissions[0] ?? '').map((one) => String(one.hypercall));
      expect([command, hypercall, found.includes(hypercall)]).toEqual([command, hypercall, true]);
    }
  }
});

test('what a command asks for is that of the release', () => {
  const makers = (release: XenReleaseName): string[] =>
    commandsAsking('domain2', 'set_llc_colors', release).map(({ command }) => command);
  // XEN: libxl of 4.20 calls `xc_domain_set_llc_colors` for each guest; that of 4.21 for one with colours.
  expect(makers('4.19')).toEqual([]);
  expect(makers('4.20')).toEqual(['xl create', 'xl reboot', 'xl restore']);
  expect(makers('4.21')).toEqual([]);
  // XEN: `shadow_domctl` asks for the memory of page tables up to 4.16.
  const pools = (release: XenReleaseName, tclass: string, permission: string): string[] =>
    commandsAsking(tclass, permission, release).map(({ command }) => command);
  expect(pools('4.16', 'shadow', 'enable')).toContain('xl create');
  expect(pools('4.16', 'domain', 'setpagingmempool')).toEqual([]);
  expect(pools('4.17', 'shadow', 'enable')).toEqual([]);
  for (const release of XEN_RELEASES) {
    for (const { class: className, permissions, hypercall } of checksOfCommand('xl create', release)) {
      const found = hypercallsAsking(className, permissions[0] ?? '', release).map((one) => String(one.hypercall));
      expect([release, hypercall, found.includes(hypercall)]).toEqual([release, hypercall, true]);
    }
  }
});
