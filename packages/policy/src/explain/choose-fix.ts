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
  /** A macro call that would do too, and gives far more than what was chosen. */
  readonly wider: Proposal | undefined;
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}

const keyOf = (source: number, target: number, tclass: number): string => `${source} ${target} ${tclass}`;

/** Needs by pair of types and class. Of labels with the same types, the first stands for all. */
type Needs = Map<string, Need>;

function needsByKey(needs: readonly Need[]): Needs {
  const byKey: Needs = new Map();
  for (const need of needs) {
    const key = keyOf(need.source.type, need.target.type, need.tclass.value);
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? need : { ...known, bits: (known.bits | need.bits) >>> 0 });
  }
  return byKey;
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
function surplusOf({ view }: Subject, call: MacroCall, wanted: Needs): PairBits[] {
  return call.gives.flatMap((pair) => {
    const has = view.ruleVectors(pair.source, pair.target, pair.tclass).allowed;
    const bits = (pair.bits & ~has & ~(wanted.get(keyOf(pair.source, pair.target, pair.tclass))?.bits ?? 0)) >>> 0;
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
function hasPrecedent(
  calls: MacroCalls,
  call: MacroCall,
  sources: ReadonlySet<string>,
  covered: number,
  surplus: number,
  isUseOfDevice: boolean,
): boolean {
  const written = calls.callsOf(call.macro);
  const isCompanionUsed = call.arguments.every((argument, i) => {
    const ending = COMPANION.exec(argument)?.[0];
    return ending === undefined || written.some((one) => one.arguments[i]?.endsWith(ending) === true);
  });
  if (!isCompanionUsed) return false;
  // A device is used in whole or not at all, and nothing of a guest comes with it.
  if (isUseOfDevice) return true;
  const places = call.arguments.flatMap((argument, i) => (sources.has(argument) ? [i] : []));
  const isSourceUsed = places.some((i) => written.some((one) => one.arguments[i] === call.arguments[i]));
  return isSourceUsed || surplus <= covered;
}

/** Whether a label is one of things that are no domains. */
function isOfObject({ view }: Subject, { role }: Context): boolean {
  return view.names.roles[role] === 'object_r';
}

/** Permissions to use a device, each with less of an IOMMU behind it than the one before. XEN: `flask_iommu_resource_use_perm`. */
const USES = ['use_iommu', 'use_iommu_nointremap', 'use_noiommu'];

/** How little of an IOMMU some permissions need: -1 where nothing of them is a use. */
const weakestUse = (names: readonly string[]): number => Math.max(-1, ...names.map((name) => USES.indexOf(name)));

/**
 * Whether it is about devices alone, and what comes with it is of the kind that was asked for: no use with less of an IOMMU
 * behind it, and nothing that hands devices on where none was to be handed on.
 */
function isUseOfDevice(subject: Subject, covered: readonly Need[], surplus: readonly PairBits[]): boolean {
  const tclass = covered[0]?.tclass;
  if (tclass?.name !== 'resource') return false;
  if (!covered.every((need) => need.tclass === tclass && isOfObject(subject, need.target))) return false;
  const namesOf = (pairs: readonly { readonly bits: number }[]): string[] =>
    pairs.flatMap(({ bits }) => permissionNames(subject, tclass, bits));
  const asked = namesOf(covered);
  const added = namesOf(surplus.filter((pair) => pair.tclass === tclass.value));
  const handsOn = (names: readonly string[]): boolean => names.some((name) => !name.startsWith('use'));
  return weakestUse(added) <= weakestUse(asked) && (handsOn(asked) || !handsOn(added));
}

function coveredBy(call: MacroCall, left: Needs): Need[] {
  return call.gives.flatMap((pair) => {
    const need = left.get(keyOf(pair.source, pair.target, pair.tclass));
    const bits = need === undefined ? 0 : (pair.bits & need.bits) >>> 0;
    return need === undefined || bits === 0 ? [] : [{ ...need, bits }];
  });
}

/** Takes what is answered out of the needs. */
function settle(left: Needs, done: readonly Need[]): void {
  for (const { source, target, tclass, bits } of done) {
    const key = keyOf(source.type, target.type, tclass.value);
    const need = left.get(key);
    if (need === undefined) continue;
    const rest = (need.bits & ~bits) >>> 0;
    if (rest === 0) left.delete(key);
    else left.set(key, { ...need, bits: rest });
  }
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
  const lines = [...needsByKey(needs).values()].map(({ source, target, tclass, bits }) => {
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

/** What openings give as a whole: what of the memory can be read or written, or other power. */
function powersOf(openings: readonly Opening[]): Set<string> {
  const powers = new Set<string>();
  for (const { gives, isWhole, isForBuilding } of openings) {
    if (!isWhole || isForBuilding) continue;
    if (gives.kind !== 'memory' && gives.kind !== 'host') powers.add(gives.kind);
    else {
      const extent = gives.kind === 'memory' ? gives.extent : 'host';
      for (const word of ['read', 'write']) if (gives.access.includes(word)) powers.add(`${extent} ${word}`);
    }
  }
  return powers;
}

/** Whether the macro would open what the rules alone would not. */
function opensMore(subject: Subject, call: MacroCall, covered: readonly Need[]): boolean {
  const opened = powersOf(openingsFor(subject, call.gives, covered));
  if (opened.size === 0) return false;
  const needed = powersOf(openingsFor(subject, asPairs(covered), covered));
  // Who reads all reads what is a part of it.
  return [...opened].some((power) => !needed.has(power) && !needed.has(`all ${power.split(' ').at(-1)}`));
}

/** A call that could be the answer, with how many of the needs it gave when that was last counted. */
interface Candidate {
  readonly call: MacroCall;
  readonly surplus: readonly PairBits[];
  readonly surplusSize: number;
  readonly size: number;
  /** Its first argument is who was denied, as one writes it of two that talk to each other. */
  readonly isSourceFirst: boolean;
  count: number;
}

/** Whether one candidate goes before another: it gives more of what is needed, and then less beside. */
function isBetter(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  if (a.surplusSize !== b.surplusSize) return a.surplusSize < b.surplusSize;
  if (a.size !== b.size) return a.size < b.size;
  return a.isSourceFirst !== b.isSourceFirst ? a.isSourceFirst : a.call.text < b.call.text;
}

/** Takes the best call out of the candidates, again and again; what is no answer now will be none with fewer needs. */
class CallChooser {
  readonly #subject: Subject;
  readonly #calls: MacroCalls;
  readonly #candidates: Set<Candidate>;

  constructor(subject: Subject, calls: MacroCalls, candidates: readonly MacroCall[], wanted: Needs) {
    this.#subject = subject;
    this.#calls = calls;
    const made = candidates.map((call): Candidate => {
      const surplus = surplusOf(subject, call, wanted);
      const covered = coveredBy(call, wanted);
      const count = sizeOf(asPairs(covered));
      const isSourceFirst = call.arguments[0] === typeName(subject, covered[0]?.source.type ?? 0);
      return { call, surplus, surplusSize: sizeOf(surplus), size: sizeOf(call.gives), isSourceFirst, count };
    });
    this.#candidates = new Set(made);
  }

  next(left: Needs): { readonly candidate: Candidate; readonly covered: readonly Need[] } | undefined {
    for (;;) {
      let best: Candidate | undefined;
      for (const one of this.#candidates) if (best === undefined || isBetter(one, best)) best = one;
      if (best === undefined) return undefined;
      const covered = coveredBy(best.call, left);
      const count = sizeOf(asPairs(covered));
      if (count === best.count && count > 0 && this.#isAnswer(best, covered)) return { candidate: best, covered };
      // Counts only go down: one that is still the same was weighed, and is no answer.
      if (count === best.count || count === 0) this.#candidates.delete(best);
      else best.count = count;
    }
  }

  #isAnswer({ call, surplus, surplusSize, count }: Candidate, covered: readonly Need[]): boolean {
    const sources = new Set(covered.map(({ source }) => typeName(this.#subject, source.type)));
    const isUse = isUseOfDevice(this.#subject, covered, surplus);
    return (
      hasPrecedent(this.#calls, call, sources, count, surplusSize, isUse) &&
      brokenNeverallows(this.#subject, call.gives).length === 0 &&
      !opensMore(this.#subject, call, covered)
    );
  }
}

/** A proposal that ends a protection opens no more than it must, unless the log shows that all of a macro is meant. */
const MEANT = { permissions: 2, surplusForEach: 5 };

/** Whether a macro call gives far more than is needed, where already what is needed ends a protection. */
function isTooWide({ surplusSize }: Candidate, covered: readonly Need[], least: Proposal): boolean {
  if (!least.openings.some(({ isForBuilding }) => !isForBuilding)) return false;
  const needed = sizeOf(asPairs(covered));
  if (surplusSize <= needed) return false;
  return needed < MEANT.permissions || surplusSize > needed * MEANT.surplusForEach;
}

/** One fix for each root cause: needs that the same call answers are one. */
export function chooseFixes(subject: Subject, calls: MacroCalls | undefined, needs: readonly Need[]): ChosenFix[] {
  const fixes: ChosenFix[] = [];
  const left = needsByKey(needs);
  if (calls !== undefined) {
    const wants: Want[] = [...left.values()].flatMap(({ source, target, tclass, bits }) =>
      permissionNames(subject, tclass, bits).map((permission) => ({
        source: source.type,
        target: target.type,
        class: tclass.name,
        permission,
      })),
    );
    const chooser = new CallChooser(subject, calls, calls.giving(wants), needsByKey(needs));
    for (let best = chooser.next(left); best !== undefined; best = chooser.next(left)) {
      const { candidate, covered } = best;
      const { call, surplus } = candidate;
      const chosen: Proposal = {
        kind: 'macro',
        lines: [call.text],
        macro: call,
        surplus,
        openings: openingsFor(subject, call.gives, covered),
        neverallows: [],
      };
      const least = surplus.length === 0 ? undefined : rulesFor(subject, covered);
      const isWide = least !== undefined && isTooWide(candidate, covered, least);
      fixes.push(
        isWide
          ? { needs: covered, chosen: least, least: undefined, wider: chosen }
          : { needs: covered, chosen, least, wider: undefined },
      );
      settle(left, covered);
    }
  }
  const pairs = new Map<string, Need[]>();
  for (const need of left.values()) {
    const key = `${need.source.type} ${need.target.type}`;
    const known = pairs.get(key);
    if (known === undefined) pairs.set(key, [need]);
    else known.push(need);
  }
  for (const some of pairs.values()) {
    for (const group of byProtection(subject, some)) {
      if (group.length > 0)
        fixes.push({ needs: group, chosen: rulesFor(subject, group), least: undefined, wider: undefined });
    }
  }
  return fixes;
}

/** Needs that a rule can answer, and those for which a rule would end a protection. */
function byProtection(subject: Subject, needs: readonly Need[]): readonly [Need[], Need[]] {
  const plain: Need[] = [];
  const guarded: Need[] = [];
  for (const need of needs) {
    let held = 0;
    for (let bit = 1; bit !== 0; bit = (bit << 1) >>> 0) {
      if ((need.bits & bit) === 0) continue;
      const { openings, neverallows } = rulesFor(subject, [{ ...need, bits: bit }]);
      if (neverallows.length > 0 || openings.some(({ isForBuilding }) => !isForBuilding)) held = (held | bit) >>> 0;
    }
    if (held !== 0) guarded.push({ ...need, bits: held });
    if (held !== need.bits) plain.push({ ...need, bits: (need.bits & ~held) >>> 0 });
  }
  return [plain, guarded];
}
