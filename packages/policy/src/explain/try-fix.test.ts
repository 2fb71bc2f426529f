/** What is proposed, tried: it compiles, and grants what was denied. */
import { examplePolicy, Random } from '@dewar/testkit';
import { expect, test } from 'vitest';
import type { PolicyFiles } from '../compiler/index.ts';
import { compileText } from '../compiler/index.ts';
import { decompilePolicy } from '../decompiler/index.ts';
import { hasErrors, SourceText } from '../text/index.ts';
import { avc, explain, subjectOf } from './fixtures/explained.ts';
import { type Insertion, tryInsertions } from './index.ts';
import type { Subject } from './subject.ts';

/** Random denials of what the policy has no rule for. */
function denials(subject: Subject, random: Random, count: number): string[] {
  const { policy } = subject.view;
  const types = policy.types.entries.filter(({ kind }) => kind === 'type').map(({ name }) => name);
  return Array.from({ length: count }, () => {
    const tclass = random.pick(policy.classes.entries.filter(({ permissions }) => permissions.length > 0));
    const { name } = random.pick(tclass.permissions);
    const role = (type: string): string =>
      /_channel$|^(?:irq|device|iomem|ioport|nic_dev)_t$/.test(type) ? 'object_r' : 'system_r';
    const label = (type: string): string => `system_u:${role(type)}:${type}`;
    return avc(label(random.pick(types)), label(random.pick(types)), `${tclass.name} ${name}`);
  });
}

/** Tries every fix that is proposed for a log by itself; answers how many there were. */
function tryAll(subject: Subject, log: readonly string[]): number {
  let tried = 0;
  for (const line of log) {
    for (const { cause, placement } of explain(subject, line)) {
      if (cause.kind !== 'no-rule' || cause.constraints.length > 0) continue;
      if (placement === undefined) throw new Error(`no place for ${line}`);
      for (const proposal of [cause.fix.chosen, cause.fix.least ?? cause.fix.chosen]) {
        const insertion: Insertion = { place: placement, lines: proposal.lines };
        const trial = tryInsertions(subject, [insertion], cause.fix.needs);
        const messages = trial?.compiled.diagnostics
          .filter(({ severity }) => severity === 'error')
          .map((one) => one.message);
        expect([line, proposal.lines, messages, trial?.stillDenied]).toEqual([line, proposal.lines, [], []]);
        tried++;
      }
    }
  }
  return tried;
}

test('what is proposed for any denial compiles, breaks no `neverallow`, and ends it', () => {
  const subject = subjectOf(examplePolicy());
  expect(tryAll(subject, denials(subject, new Random(11), 40))).toBeGreaterThan(10);
});

test('so it does for a policy that is one expanded text', () => {
  const directory = subjectOf(examplePolicy());
  const { text } = decompilePolicy(directory.view.policy, { version: 30 });
  const compiled = compileText(new SourceText('policy.conf', text ?? ''));
  expect(hasErrors(compiled.diagnostics)).toBe(false);
  const subject: Subject = { ...directory, source: { compiled, options: {}, files: undefined } };
  expect(tryAll(subject, denials(subject, new Random(12), 20))).toBeGreaterThan(5);
});

test('a change that does not compile, or does not help, is told and is no success', () => {
  const files: PolicyFiles = examplePolicy();
  const subject = subjectOf(files);
  const line = avc('system_u:system_r:dom0_t', 'customer_1:vm_r:isolated_domU_t', 'resource add');
  const [finding] = explain(subject, line);
  if (finding?.cause.kind !== 'no-rule' || finding.placement === undefined) throw new Error('it is without a rule');
  const { needs } = finding.cause.fix;
  const tried = (statement: string): ReturnType<typeof tryInsertions> =>
    finding.placement && tryInsertions(subject, [{ place: finding.placement, lines: [statement] }], needs);
  const broken = tried('allow dom0_t nomigrate_t:mmu map_read;');
  expect(broken?.compiled.diagnostics.map(({ code }) => code)).toContain('te/neverallow-violated');
  const useless = tried('allow dom0_t isolated_domU_t:resource remove;');
  expect(useless?.stillDenied).toEqual([
    'system_u:system_r:dom0_t -> customer_1:vm_r:isolated_domU_t: resource { add }',
  ]);
  expect(files.readText('modules/isolated_domU.te')).not.toContain('resource');
});
