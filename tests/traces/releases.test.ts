/**
 * Other releases of Xen on the simulated host: what each checks, how it boots, what it says.
 *
 * Each fact names the function of Xen that shows it, at the tags of `releases.test.ts` in `@dewar/policy/releases`.
 */
import { type FlaskMode, Hypervisor } from '@dewar/hypervisor';
import { isSince, XEN_RELEASES, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { type Actor, DOM0, type Domid, type HypercallArgs, type HypercallName, LibxlHost } from '@dewar/toolstack';
import { describe, expect, test } from 'vitest';
import { BOOT, boot, console, DOM0_SEES } from './release-hosts.ts';
import { GUEST_CFG, GUEST_UUID, guestConfig, policyOfRelease } from './rig-policy.ts';

const dom0: Actor = { domid: DOM0, process: 'probe' };
const guest: Actor = { domid: 1 as Domid, process: 'guest kernel' };
const FIRST_GUEST = 1 as Domid;

/** The checks that one hypercall makes, and what came of it. */
function ask<N extends HypercallName>(
  hypervisor: Hypervisor,
  name: N,
  args: HypercallArgs<N>,
  actor = dom0,
): { readonly checks: readonly string[]; readonly answer: string } {
  const checks: string[] = [];
  const short = (context: string): string => context.split(':')[2] ?? context;
  const stop = hypervisor.observe(({ source, target, class: tclass, permissions }) =>
    checks.push(`${short(source)} ${short(target)} ${tclass} ${permissions.join(' ')}`),
  );
  const result = hypervisor.call(actor, name, args);
  stop();
  return { checks, answer: result.kind === 'ok' ? 'ok' : result.errno };
}

/** A permissive host with one guest, so that no check ends another one's hypercall. */
function withGuest(release: XenReleaseName): Hypervisor {
  const { hypervisor } = boot(release, BOOT, 'permissive');
  const label = hypervisor.call(dom0, 'xsm_op.context_to_sid', { context: 'user_1:vm_r:nomigrate_t' });
  if (label.kind === 'error') throw new Error(label.errno);
  const made = hypervisor.call(dom0, 'domctl.createdomain', {
    ssidref: label.value.sid,
    maxVcpus: 1,
    handle: GUEST_UUID,
    isHvm: true,
  });
  if (made.kind === 'error') throw new Error(made.errno);
  hypervisor.call(dom0, 'domctl.max_vcpus', { domid: FIRST_GUEST, max: 1 });
  return hypervisor;
}

/** What one hypercall asks for in each release; a release that is not named asks as the one before it. */
interface Fact<N extends HypercallName = HypercallName> {
  readonly hypercall: N;
  readonly args: HypercallArgs<N>;
  readonly by: Partial<Record<XenReleaseName, readonly string[]>>;
  readonly seen: string;
}

function fact<N extends HypercallName>(hypercall: N, args: HypercallArgs<N>, by: Fact['by'], seen: string): Fact {
  return { hypercall, args, by, seen };
}

const onGuest = (check: string): readonly string[] => [`dom0_t nomigrate_t ${check}`];
const vcpu = { domid: FIRST_GUEST, vcpu: 0 };

const FACTS: readonly Fact[] = [
  fact(
    'domctl.getvcpuextstate',
    vcpu,
    { '4.3': onGuest('domain getvcpuextstate'), '4.8': onGuest('domain getvcpucontext') },
    'flask_domctl',
  ),
  fact(
    'domctl.setvcpuextstate',
    vcpu,
    { '4.3': onGuest('domain setvcpuextstate'), '4.8': onGuest('domain setvcpucontext') },
    'flask_domctl',
  ),
  fact(
    'domctl.get_ext_vcpucontext',
    vcpu,
    { '4.3': onGuest('domain getextvcpucontext'), '4.8': onGuest('domain getvcpucontext') },
    'flask_domctl',
  ),
  fact(
    'domctl.set_ext_vcpucontext',
    vcpu,
    { '4.3': onGuest('domain setextvcpucontext'), '4.8': onGuest('domain setvcpucontext') },
    'flask_domctl',
  ),
  fact(
    'domctl.set_cpu_policy',
    { domid: FIRST_GUEST },
    { '4.3': onGuest('domain2 set_cpuid'), '4.13': onGuest('domain2 set_cpu_policy') },
    'flask_domctl: XEN_DOMCTL_set_cpuid, later XEN_DOMCTL_set_cpu_policy',
  ),
  fact(
    'domctl.set_paging_mempool_size',
    { domid: FIRST_GUEST, kib: 4 },
    { '4.3': onGuest('shadow enable'), '4.17': onGuest('domain setpagingmempool') },
    'flask_shadow_control, later flask_domctl',
  ),
  fact(
    'memory_op.acquire_resource',
    { domid: FIRST_GUEST, resource: 'grant_table' },
    { '4.3': onGuest('grant setup'), '4.13': onGuest('domain2 resource_map') },
    'flask_grant_setup, later flask_domain_resource_map',
  ),
  fact(
    'sysctl.get_cpu_featureset',
    {},
    {
      '4.3': [],
      // The bit of the permission in class xen2 is taken for one of class xen.
      '4.8': ['dom0_t xen_t xen mtrr_read'],
      '4.13': ['dom0_t xen_t xen2 get_cpu_featureset'],
    },
    'flask_sysctl',
  ),
  fact('sysctl.get_cpu_policy', {}, { '4.3': [], '4.13': ['dom0_t xen_t xen physinfo'] }, 'flask_sysctl'),
  fact(
    'domctl.get_cpu_policy',
    { domid: FIRST_GUEST },
    { '4.3': [], '4.13': onGuest('domain2 get_cpu_policy') },
    'flask_domctl',
  ),
  fact(
    'domctl.set_llc_colors',
    { domid: FIRST_GUEST },
    { '4.3': [], '4.20': onGuest('domain2 set_llc_colors') },
    'flask_domctl',
  ),
  fact(
    'domctl.get_domain_state',
    { domid: FIRST_GUEST },
    { '4.3': [], '4.21': onGuest('domain2 get_domain_state') },
    'flask_get_domain_state',
  ),
  fact(
    'domctl.get_domain_state',
    {},
    {
      '4.3': [],
      // Of all domains dom0 is the first whose state changed.
      '4.21': ['dom0_t domxen_t domain2 get_domain_state', 'dom0_t dom0_t domain2 get_domain_state'],
    },
    'get_domain_state, flask_get_domain_state',
  ),
  fact('domctl.get_vcpu_msrs', vcpu, { '4.3': [], '4.8': onGuest('domain getvcpucontext') }, 'flask_domctl'),
  fact(
    'memory_op.get_vnumainfo',
    { domid: FIRST_GUEST },
    { '4.3': [], '4.8': onGuest('domain2 get_vnumainfo') },
    'flask_get_vnumainfo',
  ),
  fact(
    'xen_version.extraversion',
    {},
    { '4.3': [], '4.8': ['dom0_t xen_t version xen_extraversion'] },
    'flask_xen_version',
  ),
  fact(
    'hvm_op.set_param',
    { domid: FIRST_GUEST, param: 'ALTP2M', value: 0 },
    { '4.3': onGuest('hvm setparam'), '4.8': [...onGuest('hvm setparam'), ...onGuest('hvm altp2mhvm')] },
    'flask_hvm_param_altp2mhvm',
  ),
  fact(
    'sysctl.getdomaininfolist',
    { first: DOM0, max: 1 },
    {
      '4.3': ['dom0_t dom0_t domain getdomaininfo'],
      ...Object.fromEntries(
        ['4.17.7', '4.18.6', '4.19.6', '4.20.4', '4.21.2', '4.22'].map((one) => [
          one,
          ['dom0_t domxen_t domain getdomaininfo', 'dom0_t dom0_t domain getdomaininfo'],
        ]),
      ),
      ...Object.fromEntries(
        ['4.18', '4.19', '4.20', '4.21'].map((one) => [one, ['dom0_t dom0_t domain getdomaininfo']]),
      ),
    },
    'flask_sysctl',
  ),
  fact(
    'domctl.createdomain',
    { ssidref: 0, maxVcpus: 1, handle: GUEST_UUID },
    {
      '4.3': ['dom0_t unlabeled_t domain create'],
      '4.17': ['dom0_t unlabeled_t domain create', 'dom0_t unlabeled_t domain create'],
    },
    'flask_domain_create, since 4.17.5 and 4.20.0 flask_domctl before it',
  ),
  fact(
    'xsm_op.devicetree_label',
    { path: '/soc', sid: 3 },
    { '4.3': [], '4.8': ['dom0_t security_t security add_ocontext'] },
    'flask_devicetree_label',
  ),
  fact('xsm_op.user', {}, { '4.3': ['dom0_t security_t security compute_user'], '4.8': [] }, 'flask_security_user'),
  fact('domctl.shadow_op.off', { domid: FIRST_GUEST }, { '4.3': onGuest('shadow disable') }, 'flask_shadow_control'),
  fact('domctl.pausedomain', { domid: FIRST_GUEST }, { '4.3': onGuest('domain pause') }, 'flask_domctl'),
  fact(
    'mmu_update.map_foreign',
    { domid: FIRST_GUEST, frames: { first: 0, count: 1 }, isWritable: true },
    { '4.3': onGuest('mmu map_read map_write') },
    'flask_mmu_update',
  ),
];

function expectedIn(release: XenReleaseName, { by }: Fact): readonly string[] {
  const named = XEN_RELEASES.slice(0, XEN_RELEASES.indexOf(release) + 1).findLast((one) => by[one] !== undefined);
  return (named === undefined ? undefined : by[named]) ?? [];
}

describe.each(XEN_RELEASES)('Xen %s', (release) => {
  test.each(FACTS)('at $hypercall checks what $seen says', (one) => {
    expect(ask(withGuest(release), one.hypercall, one.args).checks).toEqual(expectedIn(release, one));
  });

  test('tells its version, and keeps its release in a snapshot', () => {
    const { hypervisor } = boot(release, BOOT, 'permissive');
    const told = hypervisor.call(dom0, 'xen_version.version', {});
    const expected = release === 'master' ? '4.23' : release.split('.').slice(0, 2).join('.');
    expect(told).toEqual({ kind: 'ok', value: { release: expected } });
    const again = Hypervisor.restore(JSON.parse(JSON.stringify(hypervisor.snapshot())));
    expect(again?.release).toBe(release);
    expect(again?.snapshot()).toEqual(hypervisor.snapshot());
  });

  test('does not take a policy that lacks what it checks, and takes its own', () => {
    const needed = xenRelease(release).classes;
    const taken = XEN_RELEASES.filter((other) => {
      const outcome = Hypervisor.boot({ release, policy: policyOfRelease(other, BOOT, { version: 24 }) });
      return outcome.kind === 'booted' && outcome.policyRefused === undefined;
    });
    // XEN: validate_classes() overlooks what stands behind the last class or permission that it knows.
    const enough = XEN_RELEASES.filter((other) => {
      const there = xenRelease(other).classes;
      return needed.every(({ name, permissions }, i) => {
        const found = there[i];
        return found?.name === name && permissions.every((one, bit) => found.permissions[bit] === one);
      });
    });
    expect(taken).toEqual(enough);
    expect(taken).toContain(release);
  });
});

test('a snapshot from before there were releases is one of 4.17', () => {
  const stored = JSON.parse(JSON.stringify(boot('4.17').hypervisor.snapshot()));
  delete stored.flask.release;
  delete stored.flask.isSwitchedOff;
  expect(Hypervisor.restore(stored)?.release).toBe('4.17');
  expect(Hypervisor.restore({ ...stored, flask: { ...stored.flask, release: '4.12' } })).toBeUndefined();
});

describe('booting', () => {
  test('before 4.17 dom0 is made unasked; since then under the label of the booting Xen', () => {
    const rules = 'allow dom0_t xen_t:xen physinfo;\n';
    for (const release of ['4.8', '4.13', '4.16'] as const) {
      expect(boot(release, rules).hypervisor.inspectDomain(DOM0)?.label).toBe('system_u:system_r:dom0_t');
    }
    for (const release of ['4.17', '4.20', '4.21', 'master'] as const) {
      const policy = policyOfRelease(release, rules);
      expect(Hypervisor.boot({ release, policy })).toMatchObject({ kind: 'refused', reason: /Xen makes no dom0/ });
    }
  });

  test('4.3 starts permissive, knows no late loading, and goes on without a policy even when it enforces', () => {
    expect(boot('4.3').hypervisor.flask).toEqual({ mode: 'permissive', isEnforcing: false, isLoaded: true });
    expect(boot('4.8').hypervisor.flask).toEqual({ mode: 'enforcing', isEnforcing: true, isLoaded: true });
    expect(Hypervisor.boot({ release: '4.3', flask: 'late' })).toEqual({
      kind: 'refused',
      reason: 'Xen 4.3 has no `flask=late`',
    });
    const none = Hypervisor.boot({ release: '4.3', flask: 'enforcing' });
    if (none.kind === 'refused') throw new Error(none.reason);
    expect(none.policyRefused).toBe('Xen found no policy');
    expect(none.hypervisor.flask).toEqual({ mode: 'enforcing', isEnforcing: true, isLoaded: false });
    expect(Hypervisor.boot({ release: '4.8', flask: 'enforcing' }).kind).toBe('refused');
  });

  test('the console tells what flask_init of the release prints', () => {
    const lines = (release: XenReleaseName, flask: FlaskMode): readonly string[] =>
      console(boot(release, BOOT, flask).hypervisor);
    const old = ['(XEN) Flask:  Initializing.', '(XEN) AVC INITIALIZED'];
    expect(lines('4.3', 'enforcing')).toEqual([...old, '(XEN) Flask:  Starting in enforcing mode.']);
    expect(lines('4.3', 'disabled')).toEqual(['(XEN) Flask:  Disabled at boot.']);
    expect(lines('4.13', 'enforcing')).toEqual(['(XEN) Flask:  Starting in enforcing mode.']);
    expect(lines('4.13', 'late')).toEqual(['(XEN) Flask:  Access controls disabled until policy is loaded.']);
    expect(lines('4.13', 'disabled')).toEqual(['(XEN) Flask: Disabled at boot.']);
  });

  test('only since 4.8 is it told that the first policy came', () => {
    const load = (release: XenReleaseName): readonly string[] => {
      const outcome = Hypervisor.boot({ release, flask: 'permissive' });
      if (outcome.kind === 'refused') throw new Error(outcome.reason);
      const { hypervisor } = outcome;
      const before = console(hypervisor).length;
      hypervisor.call(dom0, 'xsm_op.load_policy', { bytes: policyOfRelease(release, BOOT) });
      return console(hypervisor).slice(before);
    };
    expect(load('4.3')).toEqual([]);
    expect(load('4.8')).toEqual(['(XEN) Flask: Policy loaded, continuing in permissive mode.']);
  });

  test('4.3 reads no policy of version 30', () => {
    const policy = policyOfRelease('4.3', BOOT, { version: 30 });
    const outcome = Hypervisor.boot({ release: '4.3', policy });
    if (outcome.kind === 'refused') throw new Error(outcome.reason);
    expect(outcome.policyRefused).toBe('Xen 4.3 reads no policy of version 30; the newest that it reads is 24');
    const versions = XEN_RELEASES.map((release) => {
      const answer = boot(release).hypervisor.call(dom0, 'xsm_op.policyvers', {});
      return answer.kind === 'ok' ? answer.value.version : answer.errno;
    });
    expect(versions).toEqual(XEN_RELEASES.map((release) => (release === '4.3' ? 24 : 30)));
  });
});

describe('labels', () => {
  const created = (hypervisor: Hypervisor, ssidref: number): string =>
    ask(hypervisor, 'domctl.createdomain', { ssidref, maxVcpus: 1, handle: GUEST_UUID }).answer;
  const sidOf = (release: XenReleaseName, name: string): number => xenRelease(release).initialSids.indexOf(name) + 1;
  const seen = (
    hypervisor: Hypervisor,
  ): { readonly ssidref: number | undefined; readonly label: string | undefined } => {
    const inspected = hypervisor.inspectDomain(FIRST_GUEST);
    return { ssidref: inspected?.info.ssidref, label: inspected?.label };
  };

  test('before 4.17 a domain keeps SID 0, which reads as unlabeled; since then it has the SID of unlabeled', () => {
    const label = 'system_u:system_r:unlabeled_t';
    for (const release of XEN_RELEASES) {
      const { hypervisor } = boot(release, BOOT, 'permissive');
      created(hypervisor, 0);
      const isOld = !isSince(release, '4.17');
      expect(seen(hypervisor)).toEqual({ ssidref: isOld ? 0 : sidOf(release, 'unlabeled'), label });
    }
  });

  test('since 4.17 only dom0 may have its label', () => {
    for (const release of XEN_RELEASES) {
      const { hypervisor } = boot(release, BOOT, 'permissive');
      const isOld = !isSince(release, '4.17');
      expect([release, created(hypervisor, sidOf(release, 'dom0'))]).toEqual([release, isOld ? 'ok' : 'EINVAL']);
    }
  });

  test('a number that is taken is EINVAL before 4.14, EEXIST since', () => {
    const taken = (release: XenReleaseName): string => {
      const { hypervisor } = boot(release, BOOT, 'permissive');
      created(hypervisor, sidOf(release, 'domxen'));
      const args = { ssidref: sidOf(release, 'domxen'), maxVcpus: 1, handle: GUEST_UUID, domid: FIRST_GUEST };
      return ask(hypervisor, 'domctl.createdomain', args).answer;
    };
    expect([taken('4.3'), taken('4.13'), taken('4.14'), taken('4.21')]).toEqual([
      'EINVAL',
      'EINVAL',
      'EEXIST',
      'EEXIST',
    ]);
  });

  test('a guest without a label has that of domU, whatever its number is; with 4.3 it is unlabeled', async () => {
    for (const release of XEN_RELEASES) {
      const { hypervisor } = boot(release, BOOT, 'permissive');
      const config = guestConfig(GUEST_CFG.replaceAll(/.*seclabel.*\n/g, ''));
      const report = await new LibxlHost(hypervisor).create(config, { uuid: GUEST_UUID });
      const label = release === '4.3' ? 'system_u:system_r:unlabeled_t' : 'system_u:system_r:domU_t';
      expect([release, report.outcome, report.domain?.label]).toEqual([release, 'done', label]);
      expect(seen(hypervisor).ssidref).toBe(release === '4.3' ? 0 : sidOf(release, 'domU'));
    }
  });

  test('until 4.17 getdomaininfo goes on to the next domain; later it finds none', () => {
    const next = (release: XenReleaseName): ReturnType<typeof ask> => {
      const { hypervisor } = boot(release, BOOT, 'permissive');
      created(hypervisor, sidOf(release, 'domxen'));
      created(hypervisor, sidOf(release, 'domxen'));
      hypervisor.call(dom0, 'domctl.destroydomain', { domid: FIRST_GUEST });
      return ask(hypervisor, 'domctl.getdomaininfo', { domid: FIRST_GUEST });
    };
    expect(next('4.17.7').checks).toHaveLength(1);
    expect(next('4.18')).toEqual({ checks: [], answer: 'ESRCH' });
  });
});

describe('requests that a release does not know', () => {
  const told = (
    release: XenReleaseName,
    name: 'domctl.get_cpu_policy' | 'domctl.get_vcpu_msrs',
    options: { readonly flask?: FlaskMode; readonly handleUnknown?: 'allow' } = {},
  ): readonly string[] => {
    const { flask = 'enforcing', ...compile } = options;
    const outcome = Hypervisor.boot({ release, flask, policy: policyOfRelease(release, BOOT, compile) });
    if (outcome.kind === 'refused') throw new Error(outcome.reason);
    const { hypervisor } = outcome;
    const { answer } = ask(hypervisor, name, { domid: DOM0, vcpu: 0 });
    return [answer, ...console(hypervisor).filter((line) => line.includes('nknown'))];
  };

  test('are denied with the line of avc_unknown_permission, or pass where the policy or the mode lets them', () => {
    const allowing = '(XEN) FLASK: Allowing unknown domctl: 82.';
    expect(told('4.8', 'domctl.get_cpu_policy')).toEqual(['EPERM', '(XEN) FLASK: Denying unknown domctl: 82.']);
    expect(told('4.8', 'domctl.get_cpu_policy', { handleUnknown: 'allow' })).toEqual(['ENOSYS', allowing]);
    expect(told('4.8', 'domctl.get_cpu_policy', { flask: 'permissive' })).toEqual(['ENOSYS', allowing]);
    expect(told('4.8', 'domctl.get_cpu_policy', { flask: 'disabled' })).toEqual(['ENOSYS']);
  });

  test('are always denied by 4.3', () => {
    for (const flask of ['enforcing', 'permissive'] as const) {
      const said = told('4.3', 'domctl.get_vcpu_msrs', { flask, handleUnknown: 'allow' });
      expect(said).toEqual(['EPERM', '(XEN) flask_domctl: Unknown op 72']);
    }
  });

  test('end before FLASK where there is no such domain, or no hook', () => {
    const { hypervisor } = boot('4.3', BOOT, 'enforcing');
    expect(ask(hypervisor, 'domctl.get_vcpu_msrs', { domid: 7 as Domid, vcpu: 0 }).answer).toBe('ESRCH');
    expect(ask(hypervisor, 'memory_op.get_vnumainfo', { domid: DOM0 }).answer).toBe('ENOSYS');
    expect(ask(hypervisor, 'xsm_op.devicetree_label', { path: '/', sid: 0 }).answer).toBe('ENOSYS');
  });

  test('are for dom0 alone where FLASK is disabled', () => {
    const hypervisor = withGuestOf('4.8');
    expect(ask(hypervisor, 'domctl.get_cpu_policy', { domid: FIRST_GUEST }, guest).answer).toBe('EPERM');
    expect(ask(hypervisor, 'sysctl.get_cpu_policy', {}, guest).answer).toBe('EPERM');
  });
});

/** A host without FLASK, with one guest. */
function withGuestOf(release: XenReleaseName): Hypervisor {
  const { hypervisor } = boot(release, BOOT, 'disabled');
  hypervisor.call(dom0, 'domctl.createdomain', { ssidref: 0, maxVcpus: 1, handle: GUEST_UUID });
  return hypervisor;
}

describe("FLASK's own hypercalls", () => {
  test('until 4.15 FLASK can be switched off as long as there is no policy', () => {
    expect(ask(boot('4.13').hypervisor, 'xsm_op.disable', {}).answer).toBe('EINVAL');
    expect(ask(boot('4.17').hypervisor, 'xsm_op.disable', {}).answer).toBe('ENOSYS');
    const { hypervisor } = boot('4.13', BOOT, 'late');
    expect(ask(hypervisor, 'xsm_op.disable', {}, guest).answer).toBe('ESRCH');
    expect(ask(hypervisor, 'xsm_op.disable', {}).answer).toBe('ok');
    expect(console(hypervisor).at(-1)).toBe('(XEN) Flask:  Disabled at runtime.');
    const restored = Hypervisor.restore(JSON.parse(JSON.stringify(hypervisor.snapshot())));
    for (const one of [hypervisor, restored]) {
      expect(one?.call(dom0, 'xsm_op.getenforce', {})).toEqual({ kind: 'error', errno: 'ENOSYS' });
      expect(one?.flask.mode).toBe('late');
    }
  });

  test('4.3 says yes to a boolean that is none, as long as it is only noted', () => {
    const set = (release: XenReleaseName, commit: boolean): string => {
      const { hypervisor } = boot(release, BOOT, 'permissive');
      return ask(hypervisor, 'xsm_op.setbool', { name: 'none', value: true, commit }).answer;
    };
    expect([set('4.3', false), set('4.3', true), set('4.8', false)]).toEqual(['ok', 'ENOENT', 'ENOENT']);
  });

  test('4.3 takes labels longer than a page', () => {
    const answer = (release: XenReleaseName): string =>
      ask(boot(release, BOOT, 'permissive').hypervisor, 'xsm_op.context_to_sid', { context: 'x'.repeat(5000) }).answer;
    expect([answer('4.3'), answer('4.8')]).toEqual(['EINVAL', 'ENOBUFS']);
  });
});

describe('the shadow operations', () => {
  test('are looked at by themselves before FLASK is asked, and since the newest the other way round', () => {
    const onItself = (release: XenReleaseName): ReturnType<typeof ask> =>
      ask(boot(release).hypervisor, 'domctl.shadow_op.off', { domid: DOM0 });
    expect(onItself('4.21')).toEqual({ checks: [], answer: 'EINVAL' });
    expect(onItself('master')).toEqual({ checks: ['dom0_t dom0_t shadow disable'], answer: 'EACCES' });
  });
});

test('the newest Xen refuses the list of domains as a whole', () => {
  const list = (release: XenReleaseName, rules: string): string =>
    ask(boot(release, rules).hypervisor, 'sysctl.getdomaininfolist', { first: DOM0, max: 9 }).answer;
  expect(list('4.21', BOOT)).toBe('ok');
  expect(list('master', BOOT)).toBe('EACCES');
  expect(list('master', DOM0_SEES)).toBe('ok');
  const { hypervisor } = boot('master');
  hypervisor.call(dom0, 'sysctl.getdomaininfolist', { first: DOM0, max: 9 });
  expect(console(hypervisor).at(-1)).toBe(
    '(XEN) avc:  denied  { getdomaininfo } for source=d0 target=d[XEN] scontext=system_u:system_r:dom0_t ' +
      'tcontext=system_u:system_r:domxen_t tclass=domain',
  );
});

test('before 4.17 an avc line names domains by `domid=`', () => {
  const denied = (release: XenReleaseName): readonly string[] => {
    const { hypervisor } = boot(release, BOOT, 'enforcing');
    hypervisor.call(dom0, 'sysctl.physinfo', {});
    hypervisor.call(dom0, 'domctl.pausedomain', { domid: DOM0 });
    const lines = console(hypervisor).filter((line) => line.includes('avc:  denied'));
    return lines.map((line) => / for (.*?) scontext=/.exec(line)?.[1] ?? line);
  };
  for (const release of XEN_RELEASES) {
    const isOld = !isSince(release, '4.17');
    expect(denied(release)).toEqual(isOld ? ['domid=0', 'domid=0'] : ['current=d0', 'source=d0']);
  }
});
