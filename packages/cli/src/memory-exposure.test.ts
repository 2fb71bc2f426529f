/** What a new policy lets domains do to each other's memory: at once, and by steps. */
import { compileDirectory } from '@dewar/policy/compiler';
import {
  AVTAB_ALLOWED,
  expandPolicyRules,
  type PolicyDb,
  type PolicyVersion,
  RuleTable,
  readPolicydb,
  writePolicydb,
} from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { PolicyView } from '@dewar/policy/security-server';
import { examplePolicy } from '@dewar/testkit';
import type { DomainState, Domid } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { newExposures } from './memory-exposure.ts';

const { initialSids } = xenRelease('4.17');
const { bytes: example = new Uint8Array() } = compileDirectory(examplePolicy(), { release: '4.17' });

type Rule = readonly [source: string, target: string, className: string, permissions: readonly string[]];

function policyOf(bytes: Uint8Array): { readonly policy: PolicyDb; readonly version: PolicyVersion } {
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  return read;
}

/** The example policy with more rules, read from the bytes that Xen would get. */
function viewWith(...added: readonly Rule[]): PolicyView {
  const { policy, version } = policyOf(example);
  const rules = new RuleTable();
  for (let row = 0; row < policy.rules.length; row++) rules.pushRow(policy.rules, row);
  for (const [source, target, className, permissions] of added) {
    const tclass = policy.classes.byName.get(className);
    const type = (name: string): number => policy.types.byName.get(name)?.value ?? 0;
    const bits = permissions.map((name) => tclass?.permissions.find((one) => one.name === name)?.value ?? 0);
    const data = bits.reduce((all, bit) => all | (1 << (bit - 1)), 0) >>> 0;
    rules.push(AVTAB_ALLOWED, type(source), type(target), false, tclass?.value ?? 0, data, 0);
  }
  const changed = { ...policy, rules };
  return new PolicyView(policyOf(writePolicydb(changed, expandPolicyRules(changed).rules, version)).policy);
}

function domain(domid: number, name: string, label: string): DomainState {
  return {
    domid: domid as Domid,
    name,
    uuid: '',
    label,
    memoryMib: 128,
    vcpus: 1,
    state: 'running',
    shutdownReason: undefined,
    isStranded: false,
  };
}

const DOMAINS = [
  domain(0, 'Domain-0', 'system_u:system_r:dom0_t'),
  domain(1, 'secured', 'customer_1:vm_r:nomigrate_t'),
  domain(2, 'other', 'customer_1:vm_r:isolated_domU_t'),
];

function changes(before: PolicyView | undefined, after: PolicyView, now?: () => number): readonly string[] {
  const { found } = newExposures(DOMAINS, before, after, initialSids, now);
  return found.map(({ by, of, ways, steps }) => `${by.name} ${of.name} ${ways.length} ${steps.length}`);
}

const MAPPING: Rule = ['dom0_t', 'nomigrate_t', 'mmu', ['map_read', 'map_write']];
/** dom0 gives a locked guest the label of one that it may map. */
const RELABELLING: readonly Rule[] = [
  ['dom0_t', 'nomigrate_t', 'domain2', ['relabelfrom']],
  ['dom0_t', 'domU_t', 'domain2', ['relabelto']],
  ['nomigrate_t', 'domU_t', 'domain', ['transition']],
];

test('a policy that changes nothing exposes nothing', () => {
  expect(changes(viewWith(), viewWith())).toEqual([]);
});

test('a way that is open at once is told as such, and only to whom it is new', () => {
  const { found } = newExposures(DOMAINS, viewWith(), viewWith(MAPPING), initialSids);
  expect(found.map(({ by, of, steps }) => [by.domid, of.domid, steps])).toEqual([[0, 1, []]]);
  expect(found[0]?.ways.map((one) => one.split(',')[0])).toEqual([
    'maps its pages to read them',
    'maps its pages to write them',
  ]);
  expect(changes(viewWith(MAPPING), viewWith(MAPPING))).toEqual([]);
});

test('what takes a relabel first is told step by step', () => {
  const { found, bounds } = newExposures(DOMAINS, viewWith(), viewWith(...RELABELLING), initialSids);
  const [exposure] = found.filter(({ by, of }) => by.domid === 0 && of.domid === 1);
  expect(exposure?.ways).toEqual([]);
  expect(exposure?.steps).toHaveLength(2);
  expect(exposure?.steps[0]).toBe('`system_u:system_r:dom0_t` gives it another label, `customer_1:vm_r:domU_t`');
  expect(bounds).toEqual([]);
  // One of the three permissions is not enough.
  for (const [i] of RELABELLING.entries())
    expect(changes(viewWith(), viewWith(...RELABELLING.filter((_, at) => at !== i)))).toEqual([]);
});

test('without the policy before, all is told that the new one opens', () => {
  const told = changes(undefined, viewWith(MAPPING));
  expect(told.some((one) => one.startsWith('Domain-0 secured '))).toBe(true);
  expect(changes(undefined, viewWith()).some((one) => one.startsWith('secured '))).toBe(false);
});

test('when time is up, ways that are open at once are told all the same, and that steps were not searched', () => {
  let clock = 0;
  const now = (): number => {
    clock += 6000;
    return clock;
  };
  const { found, bounds } = newExposures(DOMAINS, viewWith(), viewWith(MAPPING, ...RELABELLING), initialSids, now);
  expect(found.map(({ by, of, steps }) => [by.domid, of.domid, steps.length])).toEqual([[0, 1, 0]]);
  expect(bounds.some((one) => one.endsWith('then time was up'))).toBe(true);
});
