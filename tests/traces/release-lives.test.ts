/** The life of a guest on hosts of other releases of Xen: what it needs, and what ends it. */
import type { Hypervisor } from '@dewar/hypervisor';
import { isSince, XEN_RELEASES, type XenReleaseName } from '@dewar/policy/releases';
import { type Domid, LibxlHost, type OperationReport, restoreToolstack } from '@dewar/toolstack';
import { describe, expect, test } from 'vitest';
import { boot, console, DOM0_SEES } from './release-hosts.ts';
import { GUEST_CFG, GUEST_UUID, guestConfig, PVH_CFG, policyOfRelease } from './rig-policy.ts';

describe('the life of a guest', () => {
  /** What dom0 and the guest need, but for what differs between releases. */
  const LIFE = `${DOM0_SEES}
allow dom0_t xen_t:xen { physinfo cpupool_op };
allow dom0_t dom0_t_channel:event { create send status };
type_transition dom0_t { dom0_t guest_type }:event dom0_t_channel;
type_transition guest_type { dom0_t guest_type }:event guest_t_channel;
type_transition nomigrate_t nomigrate_t:domain nomigrate_t_self;
allow dom0_t nomigrate_t_building:domain { create max_vcpus getdomaininfo setaffinity setdomainmaxmem setaddrsize setvcpucontext getscheduler pause destroy };
allow dom0_t nomigrate_t_building:domain2 { settsc setclaim setscheduler relabelfrom };
allow dom0_t nomigrate_t_building:mmu { memorymap adjust map_read map_write mmuext_op pinpage updatemp };
allow dom0_t nomigrate_t_building:grant { map_read map_write unmap };
allow dom0_t guest_t_channel:event create;
allow dom0_t_channel { nomigrate_t nomigrate_t_building }:event bind;
allow guest_t_channel dom0_t:event bind;
allow dom0_t nomigrate_t:domain2 relabelto;
allow nomigrate_t_building nomigrate_t:domain transition;
allow dom0_t nomigrate_t:domain { getdomaininfo pause unpause destroy };
allow dom0_t nomigrate_t:grant unmap;
allow nomigrate_t xen_t:xen writeconsole;
allow nomigrate_t nomigrate_t_self:mmu { map_read map_write mmuext_op pinpage updatemp };
allow nomigrate_t nomigrate_t_self:grant { query setup };
allow nomigrate_t guest_t_channel:event send;
`;
  const EXTRA_VERSION = 'allow nomigrate_t xen_t:version xen_extraversion;';
  const now = [
    'allow dom0_t nomigrate_t_building:domain2 set_cpu_policy;',
    'allow dom0_t nomigrate_t_building:domain2 resource_map;',
    'allow dom0_t xen_t:xen2 get_cpu_featureset;',
  ];
  const then = [
    'allow dom0_t nomigrate_t_building:domain2 set_cpuid;',
    'allow dom0_t nomigrate_t_building:grant setup;',
  ];
  const OWN: Readonly<Partial<Record<XenReleaseName, readonly string[]>>> = {
    '4.3': then,
    '4.8': [...then, 'allow dom0_t xen_t:xen mtrr_read;'],
  };
  const COLOURS = 'allow dom0_t nomigrate_t_building:domain2 set_llc_colors;';
  const ownOf = (release: XenReleaseName): readonly string[] =>
    OWN[release] ?? (isSince(release, '4.20') && !isSince(release, '4.21') ? [...now, COLOURS] : now);

  /** What xenstored needs since 4.21. */
  const STATES = 'allow dom0_t { dom0_t domxen_t nomigrate_t_building nomigrate_t }:domain2 get_domain_state;';

  async function life(release: XenReleaseName, rules: readonly string[]): Promise<OperationReport> {
    const isLabelled = release === '4.3' ? [] : [EXTRA_VERSION];
    const states = isSince(release, '4.21') ? [STATES] : [];
    const { hypervisor } = boot(release, [LIFE, ...isLabelled, ...states, ...rules, ''].join('\n'), 'enforcing');
    const host = new LibxlHost(hypervisor);
    const report = await host.create(guestConfig(), { uuid: GUEST_UUID });
    if (report.outcome === 'failed') return report;
    return host.destroy('secure1');
  }

  test.each(XEN_RELEASES)('needs no more and no less than this with Xen %s', async (release) => {
    const whole = await life(release, ownOf(release));
    expect([whole.operation, whole.outcome, whole.xlMessages]).toEqual(['destroy', 'done', []]);
    for (const rule of ownOf(release)) {
      const without = await life(
        release,
        ownOf(release).filter((one) => one !== rule),
      );
      const denied = without.timeline.flatMap(({ hypercalls }) => hypercalls).flatMap(({ checks }) => checks);
      const missing = denied.filter(({ outcome }) => outcome === 'denied');
      expect([rule, without.operation, without.outcome]).toEqual([rule, 'create', 'failed']);
      expect(
        missing[0]?.permissions.map((one) => rule.includes(` ${one};`) || rule.includes(`:${missing[0]?.class} `)),
      ).toEqual([true]);
    }
  });

  /** What libxl 4.20.4 said on a real Xen 4.20.4, and what it left: nothing. */
  test('does not begin on Xen 4.20 where dom0 may not say which cache colours the guest has', async () => {
    const { hypervisor } = boot('4.20.4', [LIFE, EXTRA_VERSION, ...now, ''].join('\n'), 'enforcing');
    const host = new LibxlHost(hypervisor);
    const report = await host.create(guestConfig(), { uuid: GUEST_UUID });
    expect([report.outcome, report.xlMessages[0], report.domain]).toEqual([
      'failed',
      'libxl: error: libxl_create.c:764:libxl__domain_make: Domain 1:LLC colors allocation failed: Permission denied',
      undefined,
    ]);
    expect(report.diagnostics.flatMap(({ notes }) => notes.map(({ message }) => message))).toContain(
      'a type rule that would grant it: `allow dom0_t nomigrate_t_building:domain2 { set_llc_colors };`',
    );
    expect((await host.list()).value?.map(({ name }) => name)).toEqual(['Domain-0']);
  });

  describe.each(['4.21', '4.22'] as const)('is seen by xenstored of Xen %s', (release) => {
    const hostWith = (states: string): { hypervisor: Hypervisor; host: LibxlHost } => {
      const rules = [LIFE, EXTRA_VERSION, ...now, states, ''].join('\n');
      const { hypervisor } = boot(release, rules, 'enforcing');
      return { hypervisor, host: new LibxlHost(hypervisor) };
    };
    const statesOf = ({ timeline }: OperationReport<unknown>): string[] =>
      timeline
        .flatMap(({ hypercalls }) => hypercalls)
        .filter(({ process }) => process === 'xenstored')
        .flatMap(({ name, checks, count }) =>
          name === 'domctl.get_domain_state'
            ? checks.map(({ target, outcome }) => `${outcome} ${target.split(':')[2]} ${count}`)
            : name === 'grant_table_op.unmap_grant_ref'
              ? ['unmap']
              : [],
        );

    /** The order in which a real Xen 4.22.0 told of them. */
    test('that asks for those whose state changed', async () => {
      const { host } = hostWith(STATES);
      const first = await host.create(guestConfig(), { uuid: GUEST_UUID });
      expect(statesOf(first)).toEqual(['granted nomigrate_t_building 1']);
      const second = guestConfig(GUEST_CFG.replace('secure1', 'secure2'));
      await host.create(second, { uuid: GUEST_UUID.replace(/.$/, '0') });
      expect(statesOf(await host.destroy('secure2'))).toEqual([
        'granted domxen_t 1',
        'granted nomigrate_t 1',
        'granted domxen_t 1',
        'granted nomigrate_t 1',
        'unmap',
        'granted domxen_t 1',
        'granted domxen_t 1',
        'granted domxen_t 1',
      ]);
    });

    /** On a real Xen 4.22.0: `FATAL: Could not determine xenstore domid`, and xen-init-dom0 waits for ever. */
    test.each([
      'allow dom0_t { dom0_t nomigrate_t_building nomigrate_t }:domain2 get_domain_state;',
      'allow dom0_t { domxen_t nomigrate_t_building nomigrate_t }:domain2 get_domain_state;',
    ])('or does not start: %s', (states) => {
      expect(hostWith(states).host.hasXenstored).toBe(false);
      expect(hostWith(STATES).host.hasXenstored).toBe(true);
    });

    /** What xl and libxl 4.22.0 said on a real Xen 4.22.0, and what was left there. */
    test('or can read nothing that xenstore has for it, and is never gone', async () => {
      const { hypervisor, host } = hostWith('allow dom0_t { dom0_t domxen_t }:domain2 get_domain_state;');
      const created = await host.create(guestConfig(), { uuid: GUEST_UUID });
      expect([created.outcome, created.xlExitCode, statesOf(created)]).toEqual([
        'done',
        0,
        ['denied nomigrate_t_building 18'],
      ]);
      expect(created.xlMessages.filter((line) => line.includes('set permissions failed'))).toHaveLength(11);
      expect(created.xlMessages[0]).toBe(
        "libxl: error: libxl_xshelp.c:186:libxl__xs_mknod: xenstore set permissions failed on `/local/domain/1/device/suspend/event-channel': No such file or directory",
      );
      expect(created.diagnostics.map(({ code }) => code)).toContain('guest/unknown-to-xenstored');
      const stopped = await host.shutdown('secure1');
      expect([stopped.xlExitCode, stopped.xlMessages.slice(-1)]).toEqual([1, ['shutdown failed (rc=-9)']]);
      const again = restoreToolstack(host.snapshot());
      if (again === undefined) throw new Error('the toolstack does not read back');
      const destroyed = await new LibxlHost(hypervisor, again).destroy('secure1');
      expect([destroyed.xlExitCode, destroyed.diagnostics.map(({ code }) => code)]).toEqual([0, ['guest/zombie']]);
      expect(destroyed.domain).toMatchObject({ state: 'dying', name: undefined });
    });

    test('or is never gone where it may be looked at only while it is built', async () => {
      const { host } = hostWith('allow dom0_t { dom0_t domxen_t nomigrate_t_building }:domain2 get_domain_state;');
      const created = await host.create(guestConfig(), { uuid: GUEST_UUID });
      expect(created.diagnostics.map(({ code }) => code)).not.toContain('guest/unknown-to-xenstored');
      const { diagnostics } = await host.destroy('secure1');
      expect(diagnostics.map(({ code }) => code)).toEqual(['guest/zombie']);
      expect(diagnostics[0]?.notes.map(({ message }) => message)).toContain(
        'a type rule that would grant it: `allow dom0_t nomigrate_t:domain2 { get_domain_state };`',
      );
    });
  });

  test('is saved by a toolstack of its release: what Xen does not know yet is not asked for', async () => {
    for (const release of XEN_RELEASES) {
      const { hypervisor } = boot(release, LIFE, 'permissive');
      const host = new LibxlHost(hypervisor);
      await host.create(guestConfig(), { uuid: GUEST_UUID });
      const saved = await host.save('secure1');
      const asked = saved.timeline.flatMap(({ hypercalls }) => hypercalls).map(({ name }) => name);
      const isOld = release === '4.3' || release === '4.8';
      expect([release, saved.outcome, asked.includes('domctl.get_cpu_policy')]).toEqual([release, 'done', !isOld]);
      expect(asked.includes('domctl.get_vcpu_msrs')).toBe(release !== '4.3');
      expect(console(hypervisor).filter((line) => line.includes('nknown'))).toEqual([]);
      const restored = await host.restore(saved.value, { uuid: GUEST_UUID });
      expect([release, restored.outcome]).toEqual([release, 'done']);
    }
  });

  /** What libxl 4.14.6 did on a real Xen 4.14.6: it looks into the memory of a guest, to let it go on. */
  test('goes on after a save that failed, on 4.14 only if dom0 may read it', async () => {
    const rules = [
      LIFE,
      EXTRA_VERSION,
      ...now,
      'allow dom0_t nomigrate_t:domain { getaddrsize getscheduler resume };',
      '',
    ];
    const save = async (release: XenReleaseName): Promise<OperationReport<unknown>> => {
      const { hypervisor } = boot(release, rules.join('\n'), 'enforcing');
      const host = new LibxlHost(hypervisor);
      expect((await host.create(guestConfig(), { uuid: GUEST_UUID })).outcome).toBe('done');
      return host.save('secure1');
    };
    const denied = ({ timeline }: OperationReport<unknown>): readonly string[] =>
      timeline.flatMap(({ hypercalls }) =>
        hypercalls.flatMap(({ checks }) =>
          checks.flatMap((one) => (one.outcome === 'denied' ? [`${one.class} ${one.denied.join(' ')}`] : [])),
        ),
      );
    const [then, later] = [await save('4.14'), await save('4.15')];
    expect(denied(then)).toEqual(['domain2 get_vnumainfo', 'mmu map_read']);
    expect(denied(later)).toEqual(['domain2 get_vnumainfo']);
    const unmapped = "xc: error: Couldn't map shared info: Internal error";
    expect([then.xlMessages.includes(unmapped), later.xlMessages.includes(unmapped)]).toEqual([true, false]);
  });

  /** What libxl 4.14.6 said on a real Xen 4.14.6; libxl 4.13 does not look at the answer. */
  test('in an HVM container needs the right to nested guests up to 4.14, and only there it is asked for', async () => {
    const hvm = (permissions: string): string => `allow dom0_t nomigrate_t_building:hvm { ${permissions} };`;
    const own = [
      'allow dom0_t nomigrate_t_building:shadow enable;',
      'allow dom0_t nomigrate_t_building:mmu physmap;',
      'allow nomigrate_t nomigrate_t_self:hvm { setparam getparam };',
      'allow nomigrate_t nomigrate_t_self:mmu physmap;',
      hvm('setparam altp2mhvm gethvmc sethvmc'),
    ];
    const create = (release: XenReleaseName, ...more: readonly string[]): Promise<OperationReport> => {
      const pool = 'allow dom0_t nomigrate_t_building:domain setpagingmempool;';
      const rules = [LIFE, EXTRA_VERSION, ...now, ...own, ...(isSince(release, '4.17') ? [pool] : []), ...more, ''];
      const { hypervisor } = boot(release, rules.join('\n'), 'enforcing');
      return new LibxlHost(hypervisor).create(guestConfig(PVH_CFG), { uuid: GUEST_UUID });
    };
    const asks = ({ timeline }: OperationReport): boolean =>
      timeline.some(({ hypercalls }) =>
        hypercalls.some(({ checks }) => checks.some(({ permissions }) => permissions.includes('nested'))),
      );
    const refused = await create('4.14');
    expect([refused.outcome, refused.xlMessages[0]]).toEqual([
      'failed',
      "libxl: error: libxl_x86.c:433:hvm_set_conf_params: Couldn't set HVM_PARAM_NESTEDHVM",
    ]);
    const given = await create('4.14', hvm('nested'));
    const [older, newer] = [await create('4.13'), await create('4.15')];
    expect([given, older, newer].map((report) => [report.outcome, asks(report)])).toEqual([
      ['done', true],
      ['done', true],
      ['done', false],
    ]);
  });

  const ENOUGH = [LIFE, EXTRA_VERSION, ...now, 'allow dom0_t security_t:security load_policy;', ''].join('\n');
  const WITHOUT_LIST = ENOUGH.replace('{ domxen_t dom0_t }', 'dom0_t');

  /** A host on which dom0 may list domains, as yet. */
  async function hostThatListed(
    release: XenReleaseName = '4.17.7',
    rules = ENOUGH,
  ): Promise<{ readonly hypervisor: Hypervisor; readonly host: LibxlHost }> {
    const { hypervisor } = boot(release, rules, 'enforcing');
    const host = new LibxlHost(hypervisor);
    expect((await host.list()).value?.map(({ name }) => name)).toEqual(['Domain-0']);
    return { hypervisor, host };
  }

  test('does not begin on a host that booted with a policy which keeps dom0 from listing domains', async () => {
    const { hypervisor } = boot('4.17.7', WITHOUT_LIST, 'enforcing');
    const host = new LibxlHost(hypervisor);
    const report = await host.create(guestConfig(), { uuid: GUEST_UUID });
    const words = 'libxl: error: libxl_create.c:1134:libxl__domain_config_setdefault: Illegal pool specified: (null)';
    expect([report.outcome, report.xlExitCode, report.xlMessages]).toEqual(['failed', 6, [words]]);
    // Neither a better policy nor another command sets dom0 up.
    await host.loadPolicy(policyOfRelease('4.17.7', ENOUGH));
    const again = new LibxlHost(hypervisor, restoreToolstack(JSON.parse(JSON.stringify(host.snapshot()))));
    expect((await again.list()).value?.map(({ name }) => name)).toEqual([undefined]);
    expect((await again.create(guestConfig(), { uuid: GUEST_UUID })).xlExitCode).toBe(6);
  });

  /** What xl 4.17.5 said on a real Xen 4.17.7, into which the policy of 4.17.6 was loaded. */
  test('is a domain that nothing can destroy where Xen no longer lists domains for dom0', async () => {
    const LIST = 'libxl: error: libxl_domain.c:335:libxl_list_domain: getting domain info list: Permission denied';
    const look = (domid: number): string =>
      `libxl: error: libxl_domain.c:354:libxl_domain_info: Domain ${domid}:Getting domain info list: Permission denied`;
    const undone = [
      look(1),
      'libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain 1:Unable to destroy guest',
    ];
    const { hypervisor, host } = await hostThatListed();
    await host.loadPolicy(policyOfRelease('4.17.7', WITHOUT_LIST));
    expect(hypervisor.flask.isLoaded).toBe(true);
    const report = await host.create(guestConfig(), { uuid: GUEST_UUID });
    expect(report.xlMessages).toEqual([
      LIST,
      'libxl: error: libxl_domain.c:74:libxl__domain_rename: Domain 1:Unexpected error checking for existing domain',
      'libxl: error: libxl_create.c:1296:initiate_domain_create: Domain 1:cannot make domain: -5',
      ...undone,
      'libxl: error: libxl_create.c:2051:domcreate_destruction_cb: Domain 1:unable to destroy domain following failed creation',
      ...undone,
      'libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain 1:Destruction of domain failed',
    ]);
    expect(report.domain).toMatchObject({ domid: 1, isStranded: true });
    const said = async (asked: Promise<OperationReport<unknown>>): Promise<readonly string[]> =>
      (await asked).xlMessages;
    expect(await said(host.list())).toEqual([LIST, 'libxl_list_domain failed.']);
    expect(await said(host.list({ domain: '1' }))).toEqual([look(1), 'libxl_domain_info failed (code -3).']);
    expect(await said(host.list({ domain: 'g' }))).toEqual([LIST, 'g is an invalid domain identifier (rc=-5)']);
    expect(await said(host.vmList())).toEqual([LIST, 'libxl_list_vm failed.']);
    expect(await said(host.destroy('g'))).toEqual([LIST, 'g is an invalid domain identifier (rc=-5)']);
    expect(await said(host.destroy('1'))).toEqual([
      ...undone,
      'libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain 1:Destruction of domain failed',
      'destroy failed (rc=-3)',
    ]);
    const { diagnostics } = await host.list();
    expect(diagnostics.map(({ code, notes }) => [code, notes.map(({ message }) => message).at(-1)])).toEqual([
      ['guest/request-failed', 'a type rule that would grant it: `allow dom0_t domxen_t:domain { getdomaininfo };`'],
    ]);
  });

  const LATER = `${ENOUGH}${COLOURS}\n`;
  const LATER_WITHOUT_LIST = LATER.replace('{ domxen_t dom0_t }', 'dom0_t');

  /** What xl 4.20.4 said on a real Xen 4.20.4, but for the lines of its sources. */
  test('is not begun on Xen 4.20.4 where Xen lists no domains for dom0, and what runs is reached by its number', async () => {
    const { host } = await hostThatListed('4.20.4', LATER);
    expect((await host.create(guestConfig(), { uuid: GUEST_UUID })).outcome).toBe('done');
    await host.loadPolicy(policyOfRelease('4.20.4', LATER_WITHOUT_LIST));
    const said = async (asked: Promise<OperationReport<unknown>>): Promise<readonly string[]> =>
      (await asked).xlMessages.map((line) => line.replace(/\.c:\d+:/, '.c:'));
    const LIST = 'libxl: error: libxl_domain.c:libxl_list_domain: getting domain info list: Permission denied';
    expect(await said(host.list())).toEqual([LIST, 'libxl_list_domain failed.']);
    expect(await said(host.destroy('secure1'))).toEqual([LIST, 'secure1 is an invalid domain identifier (rc=-5)']);
    const other = guestConfig(GUEST_CFG.replace('secure1', 'other'));
    const gone = [
      'libxl: error: libxl_domain.c:libxl_domain_info: Domain 2:Getting domain info: No such process',
      'libxl: error: libxl_domain.c:libxl__destroy_domid: Domain 2:Non-existant domain',
      'libxl: error: libxl_domain.c:domain_destroy_callback: Domain 2:Unable to destroy guest',
      'libxl: error: libxl_domain.c:domain_destroy_cb: Domain 2:Destruction of domain failed',
    ];
    expect(await said(host.create(other, { uuid: GUEST_UUID }))).toEqual([
      LIST,
      'libxl: error: libxl_domain.c:libxl__domain_rename: Domain 2:Unexpected error checking for existing domain',
      'libxl: error: libxl_create.c:initiate_domain_create: Domain 2:cannot make domain: -5',
      ...gone,
    ]);
    expect(await said(host.list({ domain: '2' }))).toEqual([gone[0], "Error: Domain '2' does not exist."]);
    expect(await said(host.destroy('2'))).toEqual([...gone, 'destroy failed (rc=-21)']);
    expect((await said(host.dumpCore('2'))).slice(0, 1)).toEqual([
      'xc: error: Could not get info for dom2 (3 = No such process): Internal error',
    ]);
    expect(await said(host.memSet('2', 65536))).toContain(
      'libxl: error: libxl_dom.c:libxl__userdata_path: unable to find domain info for domain 2: No such process',
    );
    const one = await host.list({ domain: '1' });
    expect([one.xlMessages, one.value?.map(({ name, state }) => [name, state])]).toEqual([
      [],
      [['secure1', 'running']],
    ]);
    expect(await said(host.pause('1'))).toEqual([]);
    expect((await host.destroy('1')).outcome).toBe('done');
  });

  test('is found since Xen 4.18 only by who may look at it', async () => {
    const { hypervisor, host } = await hostThatListed('4.20', LATER);
    await host.create(guestConfig(), { uuid: GUEST_UUID });
    const blind = LATER.replace('nomigrate_t:domain { getdomaininfo ', 'nomigrate_t:domain { ');
    await host.loadPolicy(policyOfRelease('4.20', blind));
    expect((await host.list()).value?.map(({ domid }) => domid)).toEqual([0]);
    const { outcome, xlMessages, diagnostics } = await host.list({ domain: '1' });
    expect([outcome, xlMessages]).toEqual([
      'failed',
      [
        'libxl: error: libxl_domain.c:354:libxl_domain_info: Domain 1:Getting domain info: Permission denied',
        'libxl_domain_info failed (code -3).',
      ],
    ]);
    expect(diagnostics.map(({ message }) => message)).toEqual(['cannot look at the domain']);
    expect(hypervisor.inspectDomain(1 as Domid)?.label).toContain('nomigrate_t');
  });
});
