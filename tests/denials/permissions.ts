/**
 * The permissions that are taken away one at a time, and the operations in which that is looked at.
 *
 * The policy is that of the recordings in `tests/traces`, with what dom0's own kernel needs on a real machine.
 *
 * @module
 */
import { BASELINE_RELEASE, xenRelease } from '@dewar/policy/releases';
import {
  DUMP_CORE,
  HOST_RULES,
  PVH_LIFE,
  policyBytes,
  SAVE_RESTORE,
  OPERATIONS as TUNING,
  WHOLE_LIFE,
} from '../traces/rig-policy.ts';
import { OF_THE_GUEST, OPERATIONS } from './operations.ts';
import { withWhole } from './simulate.ts';

/** An operation, and the rule that is missing, as policy source. */
export interface Variant {
  readonly operation: string;
  readonly missing: string;
}

/** What makes the choice the same each time. */
const SEED = 20260417;

/** The name of the policy from which nothing was taken. */
export const NOTHING = 'nothing';

const RULE = /^allow (\S+|\{[^}]*\}) (\S+|\{[^}]*\}):(\w+) (?:\{([^}]*)\}|(\w+));$/;

function words(text: string): readonly string[] {
  return text.replace(/[{}]/g, ' ').trim().split(/\s+/);
}

function ruleText(source: string, target: string, tclass: string, permission: string): string {
  return `allow ${source} ${target}:${tclass} ${permission};`;
}

/** The rules of a text, one for each permission. */
function permissionsOf(rules: string): readonly string[] {
  return rules.split('\n').flatMap((line) => {
    const rule = RULE.exec(line);
    if (rule === null) return [];
    const [, sources = '', targets = '', tclass = '', list, one] = rule;
    return words(sources).flatMap((source) =>
      words(targets).flatMap((target) =>
        words(list ?? one ?? '').map((permission) => ruleText(source, target, tclass, permission)),
      ),
    );
  });
}

/** What a real machine needs before any guest is made, with no part in the operations that are compared. */
function machineRules(): readonly string[] {
  const own = ['dom0_t', 'xen_t', 'domio_t', 'domxen_t', 'unlabeled_t', 'security_t', 'resource_t', 'dom0_t_channel'];
  const { classes } = xenRelease(BASELINE_RELEASE);
  return ['xenboot_t', 'xen_t', 'dom0_t', 'dom0_t_channel', 'domio_t', 'domxen_t'].flatMap((source) =>
    own.flatMap((target) =>
      classes.flatMap(({ name, permissions }) =>
        permissions.map((permission) => ruleText(source, target, name, permission)),
      ),
    ),
  );
}

/** What is asked in the operations; each permission once. */
const asked: ReadonlySet<string> = new Set(
  permissionsOf(HOST_RULES + WHOLE_LIFE + TUNING + SAVE_RESTORE + PVH_LIFE + DUMP_CORE),
);

const rules: ReadonlySet<string> = new Set([...machineRules(), ...asked]);

const transitions: string = HOST_RULES.split('\n')
  .filter((line) => line.startsWith('type_transition'))
  .join('\n');

/** The policy without one rule, as bytes for Xen; with a name that is no rule's, the whole policy. */
export function policyWithout(missing: string): Uint8Array {
  const left = [...rules].filter((rule) => rule !== missing);
  return policyBytes(left.join('\n'), transitions);
}

/** Numbers that look random and are the same each time. The generator is `mulberry32`. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    yield (mixed ^ (mixed >>> 14)) >>> 0;
  }
}

function typeOf(context: string): string {
  return context.split(':')[2] ?? context;
}

/** The permissions that an operation asks for when nothing is missing. */
async function askedIn(operation: string, whole: Uint8Array): Promise<ReadonlySet<string>> {
  const known = OPERATIONS[operation];
  if (known === undefined) return new Set();
  const { timeline } = await withWhole(known, whole);
  const checks = timeline.flatMap((step) => step.hypercalls.flatMap((hypercall) => hypercall.checks));
  return new Set(
    checks.flatMap(({ source, target, class: tclass, permissions }) =>
      permissions.map((permission) => ruleText(typeOf(source), typeOf(target), tclass, permission)),
    ),
  );
}

/**
 * Operations, each without one of the permissions that it asks for, in an order that is random and the same each time:
 * first those whose permission has not come yet. A guest misses something itself only in operations of its own.
 */
export async function variants(): Promise<readonly Variant[]> {
  const whole = policyWithout(NOTHING);
  const pool: Variant[] = [];
  for (const operation of Object.keys(OPERATIONS)) {
    const wanted = await askedIn(operation, whole);
    const source = OF_THE_GUEST.includes(operation) ? /^allow nomigrate_t / : /^allow (?!nomigrate_t |xenboot_t )/;
    for (const missing of asked) if (wanted.has(missing) && source.test(missing)) pool.push({ operation, missing });
  }
  const random = numbers(SEED);
  const shuffled = pool
    .map((variant) => ({ variant, order: random.next().value }))
    .sort((a, b) => a.order - b.order)
    .map(({ variant }) => variant);
  const seen = new Set<string>();
  const first = shuffled.filter(({ missing }) => !seen.has(missing) && seen.add(missing));
  return [...first, ...shuffled.filter((variant) => !first.includes(variant))];
}
