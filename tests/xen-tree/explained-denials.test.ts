/** Denials that people met and reported, explained by the example policy that comes with Xen 4.17. */
import { compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import { type Cause, explainLog, type Finding, readLog } from '@dewar/policy/explain';
import { readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { PolicyView } from '@dewar/policy/security-server';
import { userSpan } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { editedPolicy } from './edited-tree.ts';

const tree = xenTree();
const DOM0 = 'system_u:system_r:dom0_t';

function findings(...lines: string[]): readonly Finding[] {
  return findingsOf(editedPolicy(tree ?? ''), ...lines);
}

function findingsOf(files: PolicyFiles, ...lines: string[]): readonly Finding[] {
  const compiled = compileDirectory(files);
  const read = readPolicydb(compiled.bytes ?? new Uint8Array());
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  const view = new PolicyView(read.policy);
  const subject = {
    view,
    release: xenRelease('4.17'),
    source: { compiled, options: {}, files },
    hasHostBooleans: false,
  };
  return explainLog(readLog(lines.join('\n')), subject).findings;
}

function only<K extends Cause['kind']>(kind: K, ...lines: string[]): Extract<Cause, { readonly kind: K }> {
  const [found, ...more] = findings(...lines);
  if (found?.cause.kind !== kind || more.length > 0) throw new Error(`${found?.cause.kind} and ${more.length} more`);
  // Its kind was just compared.
  return found.cause as Extract<Cause, { readonly kind: K }>;
}

const old = (permission: string, domains: string, tclass = 'domain'): string =>
  `(XEN) avc:  denied  { ${permission} } for ${domains} scontext=${DOM0} tcontext=system_u:system_r:domU_t tclass=${tclass}`;

describe.skipIf(tree === undefined)("under Xen's example policy", () => {
  test('denials of 2016 are allowed today, by two macro calls of domU.te', () => {
    const { rules } = only(
      'stale',
      old('setpodtarget', 'domid=0 target=9'),
      old('setdomainhandle', 'domid=0 target=1'),
      old('settime', 'domid=0 target=1'),
      old('set_misc_info', 'domid=0 target=11'),
    );
    expect(rules.map(({ text }) => text)).toEqual(['manage_domain(dom0_t, domU_t)', 'create_domain(dom0_t, domU_t)']);
    for (const { origin } of rules) {
      expect(origin && userSpan(origin).source.name).toBe('modules/domU.te');
      expect(origin?.span.source.name).toBe('modules/xen.if');
    }
  });

  test('permissions of device models are one now', () => {
    const cause = only('unknown-name', old('send_irq', 'domid=0 target=3', 'hvm'));
    expect(cause.unknown[0]?.replacements).toEqual([{ class: 'hvm', permission: 'dm' }]);
  });

  test('five denials about a guest that the toolstack did not label have one cause', () => {
    const line = (
      vector: string,
      tclass: string,
      domains = 'source=d0 target=d2',
      label = 'system_r:unlabeled_t',
    ): string =>
      `(XEN) avc:  denied  { ${vector} } for ${domains} scontext=${DOM0} tcontext=system_u:${label} tclass=${tclass}`;
    const cause = only(
      'unlabeled',
      line('create', 'domain', 'current=d0'),
      line('max_vcpus', 'domain'),
      line('create', 'event', 'current=d0', 'object_r:dom0_t'),
      line('add', 'resource'),
      line('unpause', 'domain'),
    );
    expect(cause).toMatchObject({ domains: ['2'], defaultLabel: 'system_u:system_r:domU_t' });
    expect(cause.derivedLabels).toEqual(['system_u:object_r:dom0_t']);
    const places = cause.neverallows.map(({ origin }) => {
      const { source, start } = userSpan(origin);
      return `${source.name}:${source.positionAt(start).line}`;
    });
    expect(places).toEqual(['modules/xen.te:68']);
  });

  test('what keeps dom0 from reading a guest is a protection, and migration would end it', () => {
    const line = (vector: string, tclass: string): string =>
      `(XEN) avc:  denied  { ${vector} } for source=d0 target=d1 scontext=${DOM0} tcontext=user_1:vm_r:nomigrate_t tclass=${tclass}`;
    const { chosen } = only('protective', line('map_read', 'mmu'), line('logdirty', 'shadow')).fix;
    expect(chosen.lines).toEqual(['migrate_domain_out(dom0_t, nomigrate_t)']);
    expect(chosen.openings.map(({ way }) => way)).toContain('map-read');
  });

  test('a locked type of guest is one of a boolean', () => {
    const line = `(XEN) avc:  denied  { create } for current=d0 scontext=${DOM0} tcontext=system_u:system_r:prot_domU_t tclass=domain`;
    const cause = only('boolean', line);
    expect(cause).toMatchObject({ isAllowedHere: true, setters: ['dom0_t'] });
    expect(cause.conditions).toMatchObject([
      { text: 'if (!prot_doms_locked)', changes: [{ name: 'prot_doms_locked' }] },
    ]);
    expect(cause.rules.map(({ text }) => text)).toEqual(['create_domain(dom0_t, prot_domU_t)']);
  });

  test('memory shared between two users is held back by a constraint', () => {
    const line =
      '(XEN) avc:  denied  { map_read map_write } for source=d1 target=d2 scontext=user_1:vm_r:domU_t tcontext=user_2:vm_r:domU_t tclass=grant';
    const { constraints } = only('constraint', line);
    expect(constraints.map(({ expression }) => expression)).toEqual(['u1 == system_u or u2 == system_u or u1 == u2']);
    expect(constraints[0]?.terms.map(({ text }) => text)).toEqual(['u1 == system_u', 'u2 == system_u', 'u1 == u2']);
  });

  test('a type of guest that dom0 was given no right to build is built by create_domain', () => {
    const files = editedPolicy(tree ?? '', { site: 'declare_domain(sensor_t)\n' });
    const line = `(XEN) avc:  denied  { create } for current=d0 scontext=${DOM0} tcontext=system_u:system_r:sensor_t tclass=domain`;
    const [finding, ...more] = findingsOf(files, line);
    if (finding?.cause.kind !== 'no-rule') throw new Error(finding?.cause.kind);
    expect([finding.cause.fix.chosen.lines, more]).toEqual([['create_domain(dom0_t, sensor_t)'], []]);
    expect([finding.placement?.path, finding.placement?.line]).toEqual(['modules/site.te', 2]);
  });

  test('a failed build that cannot be cleaned up lacks two rules that no macro gives', () => {
    const line = (permission: string): string =>
      `(XEN) avc:  denied  { ${permission} } for source=d0 target=d1 scontext=${DOM0} tcontext=user_1:vm_r:nomigrate_t_building tclass=domain`;
    const { chosen } = only('no-rule', line('pause'), line('destroy')).fix;
    expect(chosen.lines).toEqual(['allow dom0_t nomigrate_t_building:domain { pause destroy };']);
  });

  test('a guest that resets its own event channels waits for a rule that no macro has', () => {
    const line =
      '(XEN) avc:  denied  { reset } for domid=11 scontext=system_u:system_r:domU_t tcontext=system_u:system_r:domU_t_self tclass=event';
    expect(only('no-rule', line).fix.chosen.lines).toEqual(['allow domU_t domU_t_self:event reset;']);
  });
});
