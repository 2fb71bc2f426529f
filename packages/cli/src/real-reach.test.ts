/** Questions about the policy that a real host has loaded, as its booleans are now: `reach`, `explain`, `lint`. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { boot, examplePath, guestCfg, logFile, xen } from './stand-in-host.ts';

test('with the policy that Dewar has loaded, or that is named', async () => {
  const unknown = await xen('reach', '--domain', 'nomigrate-guest');
  expect([unknown.code, unknown.err]).toEqual([
    1,
    'dewar: the policy that this host has loaded is not known to Dewar: name it with `--policy`\n',
  ]);
  await xen('loadpolicy', '--yes', examplePath);
  await xen('create', '-q', guestCfg);
  for (const more of [[], ['--policy', examplePath]]) {
    const { code, out, err } = await xen('reach', '--domain', 'nomigrate-guest', ...more);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('nomigrate_t');
  }
  const nobody = await xen('reach', '--domain', 'nobody');
  expect(nobody.err).toBe('dewar: the host has no domain `nobody`\n');
});

test('the booleans are those of the host', async () => {
  await xen('loadpolicy', '--yes', examplePath);
  const label = ['--label', 'customer_1:vm_r:prot_domU_t', '--json'] as const;
  const before = await xen('reach', ...label);
  await xen('set-bool', 'prot_doms_locked', '1');
  const after = await xen('reach', ...label);
  expect([before.code, after.code]).toEqual([0, 0]);
  expect(after.out).not.toBe(before.out);
});

test('what a log says, and what is wrong with a policy, is told of the policy that Dewar has loaded', async () => {
  const unknown = await xen('explain');
  expect([unknown.code, unknown.err]).toEqual([
    2,
    'dewar: Xen does not say which policy it runs: name it with `--policy`, or load it with Dewar\n',
  ]);
  await xen('loadpolicy', '--yes', examplePath);
  const labels = 'scontext=system_u:system_r:dom0_t tcontext=customer_1:vm_r:nomigrate_t';
  writeFileSync(logFile, `(XEN) avc:  denied  { map_read } for domid=0 target=1 ${labels} tclass=mmu\n`);
  const { code, out } = await xen('explain');
  expect([code, out.includes('denied mmu { map_read }')]).toEqual([1, true]);
  const lint = await xen('lint');
  expect(lint.out).toContain('example.policy: ');
});

test('without FLASK there is nothing to ask', async () => {
  boot('disabled');
  const { code, err } = await xen('reach', '--label', 'customer_1:vm_r:domU_t');
  expect([code !== 0, err.includes('FLASK is disabled on this host')]).toEqual([true, true]);
});
