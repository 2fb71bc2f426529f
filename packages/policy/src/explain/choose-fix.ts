/**
 * What to write into a policy, so that what it lacks a rule for is allowed: the nearest macro call, and the rules alone.
 *
 * Start reading at `chooseFixes`.
 *
 * @module
 */
import type { ClassSymbol, Context } from '../policydb/index.ts';
import type { MacroCall, MacroCalls, PairBits, Want } from './macro-calls.ts';
import { type BrokenNeverallow, brokenNeverallows } from './neverallows.ts';
import { type Opening, openingsOf } from './openings.ts';
import { permissionNames, type Subject, typeName } from './subject.ts';

/** Permissions for which there is no rule. */
export interface Need {
  readonly source: Context;
  readonly target: Context;
  readonly tclass: ClassSymbol;
  readonly bits: number;
}

/** Statements that would give what is needed, and what else they would do. */
export interface Proposal {
  readonly kind: 'macro' | 'rules';
  /** Lines of policy. */
  readonly lines: readonly string[];
  readonly macro: MacroCall | undefined;
  /** What it gives beyond what is needed and what the policy gives already. */
  readonly surplus: readonly PairBits[];
  readonly openings: readonly Opening[];
  readonly neverallows: readonly BrokenNeverallow[];
}

/** Needs that one fix answers. */
export interface ChosenFix {
  readonly needs: readonly Need[];
  /** The one to write. */
  readonly chosen: Proposal;
  /** The least that would do, where that is not what was chosen. */
  readonly least: Proposal | undefined;
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}

const keyOf = (source: number, target: number, tclass: number): string => `${source} ${target} ${tclass}`;

/** Bits by pair and class. */
type Vectors = Map<string, number>;

function needVectors(needs: readonly Need[]): Vectors {
  const vectors: Vectors = new Map();
  for (const { source, target, tclass, bits } of needs) {
    const key = keyOf(source.type, target.type, tclass.value);
    vectors.set(key, ((vectors.get(key) ?? 0) | bits) >>> 0);
  }
  return vectors;
}

function asPairs(needs: readonly Need[]): PairBits[] {
  return needs.map(({ source, target, tclass, bits }) => ({
    source: source.type,
    target: target.type,
    tclass: tclass.value,
    bits,
  }));
}

/** What a call gives that neither the policy nor the needs have. */
function surplusOf({ view }: Subject, call: MacroCall, wanted: Vectors): PairBits[] {
  return call.gives.flatMap((pair) => {
    const has = view.ruleVectors(pair.source, pair.target, pair.tclass).allowed;
    const bits = (pair.bits & ~has & ~(wanted.get(keyOf(pair.source, pair.target, pair.tclass)) ?? 0)) >>> 0;
    return bits === 0 ? [] : [{ ...pair, bits }];
  });
}

const sizeOf = (pairs: readonly PairBits[]): number => pairs.reduce((sum, { bits }) => sum + countBits(bits), 0);

/** Companions of a type that are not the type itself. */
const COMPANION = /_(?:self|channel|building|target)$/;

/**
 * Whether the policy itself uses a macro like this: for a companion of a type (`X_building`) only where another call does
 * so, and with much that nobody asked for only where the same source has such a call.
 */
function hasPrecedent(calls: MacroCalls, call: MacroCall, source: string, covered: number, surplus: number): boolean {
  const written = calls.callsOf(call.macro);
  const isCompanionUsed = call.arguments.every((argument, i) => {
    const ending = COMPANION.exec(argument)?.[0];
    return ending === undefined || written.some((one) => one.arguments[i]?.endsWith(ending) === true);
  });
  if (!isCompanionUsed) return false;
  const places = call.arguments.flatMap((argument, i) => (argument === source ? [i] : []));
  const isSourceUsed = places.some((i) => written.some((one) => one.arguments[i] === source));
  return isSourceUsed || surplus <= covered;
}

interface Scored {
  readonly call: MacroCall;
  readonly covered: readonly Need[];
  readonly count: number;
  readonly surplus: readonly PairBits[];
}

function coveredBy(call: MacroCall, needs: readonly Need[]): Need[] {
  const given = new Map(call.gives.map((pair) => [keyOf(pair.source, pair.target, pair.tclass), pair.bits]));
  return needs.flatMap((need) => {
    const bits = ((given.get(keyOf(need.source.type, need.target.type, need.tclass.value)) ?? 0) & need.bits) >>> 0;
    return bits === 0 ? [] : [{ ...need, bits }];
  });
}

function withoutNeeds(needs: readonly Need[], done: readonly Need[]): Need[] {
  const gone = needVectors(done);
  return needs.flatMap((need) => {
    const bits = (need.bits & ~(gone.get(keyOf(need.source.type, need.target.type, need.tclass.value)) ?? 0)) >>> 0;
    return bits === 0 ? [] : [{ ...need, bits }];
  });
}

function openingsFor(subject: Subject, gives: readonly PairBits[], needs: readonly Need[]): Opening[] {
  const found = new Map<string, Opening>();
  for (const { source, target } of needs) {
    for (const one of openingsOf(subject, gives, source, target))
      found.set(`${one.way} ${one.source.type} ${one.target.type}`, one);
  }
  return [...found.values()];
}

/** The rules that give the needs and nothing else. */
function rulesFor(subject: Subject, needs: readonly Need[]): Proposal {
  const merged = new Map<string, Need>();
  for (const need of needs) {
    const key = keyOf(need.source.type, need.target.type, need.tclass.value);
    const known = merged.get(key);
    merged.set(key, known === undefined ? need : { ...known, bits: (known.bits | need.bits) >>> 0 });
  }
  const lines = [...merged.values()].map(({ source, target, tclass, bits }) => {
    const names = permissionNames(subject, tclass, bits);
    const set = names.length === 1 ? names[0] : `{ ${names.join(' ')} }`;
    return `allow ${typeName(subject, source.type)} ${typeName(subject, target.type)}:${tclass.name} ${set};`;
  });
  const gives = asPairs(needs);
  return {
    kind: 'rules',
    lines,
    macro: undefined,
    surplus: [],
    openings: openingsFor(subject, gives, needs),
    neverallows: brokenNeverallows(subject, gives),
  };
}

/** What openings give as a whole: reading, writing, or other power. */
function powersOf(openings: readonly Opening[]): Set<string> {
  const powers = new Set<string>();
  for (const { gives, isWhole } of openings) {
    if (!isWhole) continue;
    if (gives.kind !== 'memory' && gives.kind !== 'host') powers.add(gives.kind);
    else for (const word of ['read', 'write']) if (gives.access.includes(word)) powers.add(`${gives.kind} ${word}`);
  }
  return powers;
}

/** Whether the macro would open what the rules alone would not. */
function opensMore(subject: Subject, call: MacroCall, covered: readonly Need[]): boolean {
  const opened = powersOf(openingsFor(subject, call.gives, covered));
  if (opened.size === 0) return false;
  const needed = powersOf(openingsFor(subject, asPairs(covered), covered));
  return [...opened].some((power) => !needed.has(power));
}

/** The call that gives most of what is still needed, and of those the one that gives least beside. */
function bestCall(
  subject: Subject,
  calls: MacroCalls,
  candidates: readonly MacroCall[],
  left: readonly Need[],
  wanted: Vectors,
): Scored | undefined {
  const scored: Scored[] = [];
  for (const call of candidates) {
    const covered = coveredBy(call, left);
    if (covered.length === 0) continue;
    const count = sizeOf(asPairs(covered));
    scored.push({ call, covered, count, surplus: surplusOf(subject, call, wanted) });
  }
  scored.sort(
    (a, b) =>
      b.count - a.count ||
      sizeOf(a.surplus) - sizeOf(b.surplus) ||
      sizeOf(a.call.gives) - sizeOf(b.call.gives) ||
      (a.call.text < b.call.text ? -1 : 1),
  );
  return scored.find(({ call, covered, count, surplus }) => {
    const source = typeName(subject, covered[0]?.source.type ?? 0);
    return (
      hasPrecedent(calls, call, source, count, sizeOf(surplus)) &&
      brokenNeverallows(subject, call.gives).length === 0 &&
      !opensMore(subject, call, covered)
    );
  });
}

/** One fix for each root cause: needs that the same call answers are one. */
export function chooseFixes(subject: Subject, calls: MacroCalls | undefined, needs: readonly Need[]): ChosenFix[] {
  const fixes: ChosenFix[] = [];
  let left = [...needs];
  if (calls !== undefined) {
    const wants: Want[] = needs.flatMap(({ source, target, tclass, bits }) =>
      permissionNames(subject, tclass, bits).map((permission) => ({
        source: source.type,
        target: target.type,
        class: tclass.name,
        permission,
      })),
    );
    const candidates = calls.giving(wants);
    const wanted = needVectors(needs);
    for (;;) {
      const best = bestCall(subject, calls, candidates, left, wanted);
      if (best === undefined) break;
      const { call, covered, surplus } = best;
      const chosen: Proposal = {
        kind: 'macro',
        lines: [call.text],
        macro: call,
        surplus,
        openings: openingsFor(subject, call.gives, covered),
        neverallows: [],
      };
      const least = rulesFor(subject, covered);
      fixes.push({ needs: covered, chosen, least: surplus.length === 0 ? undefined : least });
      left = withoutNeeds(left, covered);
    }
  }
  const pairs = new Map<string, Need[]>();
  for (const need of left) {
    const key = `${need.source.type} ${need.target.type}`;
    pairs.set(key, [...(pairs.get(key) ?? []), need]);
  }
  for (const some of pairs.values()) fixes.push({ needs: some, chosen: rulesFor(subject, some), least: undefined });
  return fixes;
}
