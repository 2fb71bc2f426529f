/**
 * Which macro calls would give a permission between two types.
 *
 * Each macro's rules are read once with words in place of its arguments; where a rule has the class and the permission, the
 * arguments follow from the two types. The calls that are found this way are then expanded as they would be in the policy,
 * so that what a call gives is known and not guessed.
 * Start reading at `MacroCalls.giving`.
 *
 * @module
 */
import { expandCalls, type MacroSources, macroSources } from '../compiler/index.ts';
import type { SourceText } from '../text/index.ts';
import { type NameGroup, readCallRules, type TextRule } from './call-rules.ts';
import { definingModules } from './defining-modules.ts';
import { MacroTable, type PolicyMacro, type WrittenCall } from './macro-table.ts';
import { type PolicySource, permissionBit, type Subject } from './subject.ts';

/** Permissions between two types, by their values. */
export interface PairBits {
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly bits: number;
}

/** A call that could be written. */
export interface MacroCall {
  readonly text: string;
  readonly macro: string;
  readonly arguments: readonly string[];
  /** All that it gives. */
  readonly gives: readonly PairBits[];
}

/** A permission that is wanted. */
export interface Want {
  readonly source: number;
  readonly target: number;
  readonly class: string;
  readonly permission: string;
}

/** Pairs of types that one rule of a call may stand for; a rule about all domains is no part of a near answer. */
const MAX_PAIRS = 4096;
/** Calls that are expanded for one log. */
const MAX_CALLS = 4000;

type Assignment = ReadonlyMap<number, string>;

const WORD = /^(.*?)argument_([1-9])_of_a_call(.*)$/;

/** Companions of a type, as Xen's example policy names them. */
const COMPANIONS = ['_self', '_channel', '_building', '_target'];

function joinAssignments(a: Assignment, b: Assignment): Assignment | undefined {
  const joined = new Map(a);
  for (const [n, value] of b) {
    const known = joined.get(n);
    if (known !== undefined && known !== value) return undefined;
    joined.set(n, value);
  }
  return joined;
}

/** The macros of one policy directory, ready for questions. */
export class MacroCalls {
  readonly #subject: Subject;
  readonly #source: PolicySource;
  readonly #sources: MacroSources;
  readonly table: MacroTable;
  readonly #known = new Map<string, MacroCall | undefined>();

  private constructor(subject: Subject, source: PolicySource, sources: MacroSources) {
    this.#subject = subject;
    this.#source = source;
    this.#sources = sources;
    this.table = new MacroTable(sources, source.options);
  }

  /** The macros of the policy; undefined where it is no directory. */
  static of(subject: Subject): MacroCalls | undefined {
    const { source } = subject;
    if (source?.files === undefined) return undefined;
    return new MacroCalls(subject, source, macroSources(source.files, source.options));
  }

  /** The modules of the policy, in the order in which they are read. */
  get modules(): readonly SourceText[] {
    return this.#sources.modules;
  }

  #typeValue(name: string): number | undefined {
    return this.#subject.view.policy.types.byName.get(name)?.value;
  }

  #members(value: number): readonly number[] {
    return [...this.#subject.view.policy.typeSets.members(value)];
  }

  /** The arguments with which a name of a rule is, or holds, a type. */
  #unifyName(name: string, type: string, value: number): Assignment[] {
    const match = WORD.exec(name);
    if (match === null) {
      const named = this.#typeValue(name);
      return named !== undefined && this.#members(named).includes(value) ? [new Map()] : [];
    }
    const [, prefix = '', n = '', suffix = ''] = match;
    if (WORD.test(suffix)) return [];
    const found: Assignment[] = [];
    if (type.startsWith(prefix) && type.endsWith(suffix) && type.length > prefix.length + suffix.length) {
      const middle = type.slice(prefix.length, type.length - suffix.length);
      if (this.#typeValue(middle) !== undefined) found.push(new Map([[Number(n), middle]]));
    }
    // Some names are macros: of a type of which there is one domain, X_self is another way to write X.
    for (const [other, meant] of this.table.otherNames) {
      if (meant !== type || !other.startsWith(prefix) || !other.endsWith(suffix)) continue;
      const middle = other.slice(prefix.length, other.length - suffix.length);
      if (this.#typeValue(middle) !== undefined) found.push(new Map([[Number(n), middle]]));
    }
    return found;
  }

  #unify(group: NameGroup, type: string, value: number): Assignment[] {
    if (group.isOpen) return [];
    return group.names.flatMap((name) => this.#unifyName(name, type, value));
  }

  #assignments(rule: TextRule, want: Want, sourceName: string, targetName: string): Assignment[] {
    const names = (group: NameGroup, name: string): boolean =>
      group.isOpen ? !group.excluded.includes(name) : group.names.includes(name);
    if (!names(rule.classes, want.class) || !names(rule.permissions, want.permission)) return [];
    const sources = this.#unify(rule.source, sourceName, want.source);
    const targets =
      rule.target.names.includes('self') && want.source === want.target ? [new Map<number, string>()] : [];
    const all = [...targets, ...this.#unify(rule.target, targetName, want.target)];
    return sources.flatMap((one) => all.flatMap((other) => joinAssignments(one, other) ?? []));
  }

  /** Arguments that no rule tells: the types that it is about, and what else such a type has. */
  #complete(macro: PolicyMacro, assignment: Assignment, near: readonly string[]): string[][] {
    let lists: string[][] = [[]];
    for (let n = 1; n <= macro.parameters; n++) {
      const known = assignment.get(n);
      const values = known !== undefined ? [known] : near;
      lists = lists.flatMap((list) => values.map((value) => [...list, value]));
      if (lists.length > 64) return [];
    }
    return lists;
  }

  /** Calls that may give what is wanted; those that do not are left out when they have been expanded. */
  #candidates(want: Want): { macro: string; arguments: string[] }[] {
    const { types } = this.#subject.view.names;
    const sourceName = types[want.source] ?? '';
    const targetName = types[want.target] ?? '';
    const near = new Set<string>();
    for (const name of [sourceName, targetName]) {
      near.add(name);
      for (const companion of COMPANIONS) {
        const base = name.endsWith(companion) ? name.slice(0, -companion.length) : undefined;
        if (base !== undefined && this.#typeValue(base) !== undefined) near.add(base);
        if (companion === '_channel' && this.#typeValue(`${name}_channel`) !== undefined) near.add(`${name}_channel`);
      }
    }
    const found: { macro: string; arguments: string[] }[] = [];
    for (const macro of this.table.macros) {
      for (const rule of macro.rules) {
        for (const assignment of this.#assignments(rule, want, sourceName, targetName))
          for (const list of this.#complete(macro, assignment, [...near]))
            found.push({ macro: macro.name, arguments: list });
      }
    }
    return found;
  }

  #valuesOf(group: NameGroup): number[] | undefined {
    if (group.isOpen) return undefined;
    const values: number[] = [];
    for (const name of group.names) {
      const value = this.#typeValue(name);
      if (value === undefined) return undefined;
      values.push(...this.#members(value));
    }
    const out = new Set(group.excluded.flatMap((name) => this.#members(this.#typeValue(name) ?? 0)));
    return values.filter((value) => !out.has(value));
  }

  #bitsOf(rule: TextRule): { tclass: number; bits: number }[] | undefined {
    const { classes } = this.#subject.view.policy;
    const found: { tclass: number; bits: number }[] = [];
    for (const name of rule.classes.names) {
      const tclass = classes.byName.get(name);
      if (tclass === undefined) return undefined;
      let bits = 0;
      for (const permission of rule.permissions.names) {
        const bit = permissionBit(this.#subject, tclass, permission);
        if (bit === 0) return undefined;
        bits = (bits | bit) >>> 0;
      }
      if (rule.permissions.isOpen) {
        const all = tclass.permissionCount >= 32 ? 0xffffffff : 2 ** tclass.permissionCount - 1;
        bits = (rule.permissions.names.length === 0 ? all : all & ~bits) >>> 0;
      }
      found.push({ tclass: tclass.value, bits });
    }
    return found;
  }

  /** All that the text of a call gives; undefined where it could not be written into this policy. */
  #givenBy(text: string): PairBits[] | undefined {
    const { rules, declared, isPlain } = readCallRules(text);
    if (!isPlain || declared.length > 0) return undefined;
    const given = new Map<string, { source: number; target: number; tclass: number; bits: number }>();
    for (const rule of rules) {
      const sources = this.#valuesOf(rule.source);
      const hasSelf = rule.target.names.includes('self');
      const targets = this.#valuesOf({ ...rule.target, names: rule.target.names.filter((name) => name !== 'self') });
      const vectors = this.#bitsOf(rule);
      if (sources === undefined || targets === undefined || vectors === undefined) return undefined;
      if (sources.length * Math.max(1, targets.length) > MAX_PAIRS) return undefined;
      for (const source of sources) {
        for (const target of hasSelf ? [...targets, source] : targets) {
          for (const { tclass, bits } of vectors) {
            const key = `${source} ${target} ${tclass}`;
            const before = given.get(key)?.bits ?? 0;
            given.set(key, { source, target, tclass, bits: (before | bits) >>> 0 });
          }
        }
      }
    }
    return [...given.values()];
  }

  /** The calls that give at least one of the permissions, each call once. */
  giving(wants: readonly Want[]): MacroCall[] {
    const asked = new Map<string, { macro: string; arguments: string[] }>();
    for (const want of wants) {
      for (const one of this.#candidates(want)) {
        const text = `${one.macro}(${one.arguments.join(', ')})`;
        if (asked.size < MAX_CALLS) asked.set(text, one);
      }
    }
    const fresh = [...asked.keys()].filter((text) => !this.#known.has(text));
    if (fresh.length > 0) {
      const before = [...this.#sources.definitions, ...definingModules(this.#sources)];
      const texts = expandCalls(before, fresh, this.#source.options);
      for (const [i, text] of fresh.entries()) {
        const gives = this.#givenBy(texts[i] ?? '');
        const call = asked.get(text);
        this.#known.set(text, gives === undefined || call === undefined ? undefined : { text, ...call, gives });
      }
    }
    return [...asked.keys()].flatMap((text) => this.#known.get(text) ?? []);
  }

  /** The calls of a macro in the modules. */
  callsOf(macro: string): readonly WrittenCall[] {
    return this.table.calls.filter((one) => one.macro === macro);
  }
}
