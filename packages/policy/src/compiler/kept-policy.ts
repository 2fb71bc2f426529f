/**
 * A compiled policy as numbers and texts that can be written to a file and read back, with the place of every rule.
 *
 * What comes back answers as the policy did that was taken apart: same rules, same bytes, same diagnostics, same origins.
 * It is for those who keep it to see that it is whole, and of the same sources and the same version of Dewar.
 * Start reading at `takeApart`.
 *
 * @module
 */
import { Ebitmap, type PolicyDb, RuleTable, symbolTable, TypeSets } from '../policydb/index.ts';
import { InvariantError, type OriginRuns, runOrigins, SourceText } from '../text/index.ts';
import type { CompiledPolicy } from './pipeline.ts';

/** A compiled policy in parts that a file can hold. */
export interface KeptPolicy {
  /** The structure; what is in `words` and `texts` is named by its place there. */
  readonly json: string;
  readonly words: Uint32Array;
  /** One character for each byte. */
  readonly texts: readonly string[];
}

/** Numbers that go into one column. */
class Words {
  #words = new Uint32Array(4096);
  #length = 0;

  /** Where they stand: the first, and how many. */
  add(values: ArrayLike<number>): readonly [start: number, length: number] {
    const start = this.#length;
    this.#length += values.length;
    if (this.#length > this.#words.length) {
      const wider = new Uint32Array(Math.max(this.#length, this.#words.length * 2));
      wider.set(this.#words);
      this.#words = wider;
    }
    this.#words.set(values, start);
    return [start, values.length];
  }

  finish(): Uint32Array {
    return this.#words.slice(0, this.#length);
  }
}

/** What a value of the structure stands for, where it is no plain value: the one key of an object in the JSON. */
const TAGS = {
  undefined: '$u',
  bigint: '$n',
  words: '$w',
  bitmap: '$b',
  symbols: '$s',
  rules: '$r',
  sets: '$t',
  source: '$f',
} as const;

/** A value that has no form here: the policy is not kept. */
class Unkept extends Error {}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const RULE_COLUMNS = ['kind', 'source', 'target', 'self', 'tclass', 'data', 'statement'] as const;

function isSymbolTable(value: object): value is PolicyDb['types'] {
  return 'byName' in value && 'entries' in value && 'primaryCount' in value;
}

class Writer {
  readonly words = new Words();
  readonly texts: string[] = [];
  readonly #sources = new Map<SourceText, Json>();

  text(text: string): number {
    return this.texts.push(text) - 1;
  }

  value(value: unknown): Json {
    if (value === undefined) return { [TAGS.undefined]: 1 };
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    if (typeof value === 'bigint') return { [TAGS.bigint]: String(value) };
    if (typeof value !== 'object' || value === null) throw new Unkept();
    if (Array.isArray(value)) return value.map((one) => this.value(one));
    if (value instanceof Ebitmap) return { [TAGS.bitmap]: this.words.add(value.bits) };
    if (value instanceof Uint32Array) return { [TAGS.words]: this.words.add(value) };
    if (value instanceof SourceText) return this.#source(value);
    if (value instanceof RuleTable) {
      const columns = RULE_COLUMNS.map((column) => this.words.add(value[column].subarray(0, value.length)));
      return { [TAGS.rules]: columns };
    }
    if (value instanceof TypeSets) return { [TAGS.sets]: this.value(value.parts()) };
    if (isSymbolTable(value)) return { [TAGS.symbols]: [value.primaryCount, this.value(value.entries)] };
    if (Object.getPrototypeOf(value) !== Object.prototype) throw new Unkept();
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.value(one)]));
  }

  #source(source: SourceText): Json {
    let known = this.#sources.get(source);
    if (known === undefined) {
      known = { [TAGS.source]: [this.text(source.name), this.text(source.text)] };
      this.#sources.set(source, known);
    }
    return known;
  }
}

/**
 * The parts of a policy that was compiled without an error, all but its binary; undefined where it has something that has
 * no such form.
 */
export function takeApart({ policy, diagnostics, errorOutput, text }: CompiledPolicy): KeptPolicy | undefined {
  const runs = text.origins.runs?.();
  if (policy === undefined || runs === undefined || runs.starts.length === 0) return undefined;
  const writer = new Writer();
  try {
    const value = writer.value({ policy, diagnostics, errorOutput, text: writer.text(text.text), runs });
    return { json: JSON.stringify(value), words: writer.words.finish(), texts: writer.texts };
  } catch (error) {
    if (error instanceof Unkept) return undefined;
    throw error;
  }
}

class Reader {
  readonly #words: Uint32Array;
  readonly #texts: readonly string[];
  readonly #sources = new Map<string, SourceText>();

  constructor({ words, texts }: KeptPolicy) {
    this.#words = words;
    this.#texts = texts;
  }

  #column(place: Json | undefined): Uint32Array {
    const [start, length] = Array.isArray(place) ? place : [];
    if (typeof start !== 'number' || typeof length !== 'number') throw new InvariantError('a column has no place');
    return this.#words.subarray(start, start + length);
  }

  text(place: Json | undefined): string {
    const text = typeof place === 'number' ? this.#texts[place] : undefined;
    if (text === undefined) throw new InvariantError('a text has no place');
    return text;
  }

  value(json: Json): unknown {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return json.map((one) => this.value(one));
    const entries = Object.entries(json);
    const [first] = entries;
    if (entries.length === 1 && first?.[0].startsWith('$') === true) return this.#tagged(...first);
    return Object.fromEntries(entries.map(([key, one]) => [key, this.value(one)]));
  }

  #tagged(tag: string, json: Json): unknown {
    const parts: readonly Json[] = Array.isArray(json) ? json : [];
    switch (tag) {
      case TAGS.undefined:
        return undefined;
      case TAGS.bigint:
        return BigInt(String(json));
      case TAGS.words:
        return this.#column(json);
      case TAGS.bitmap:
        return Ebitmap.fromSorted(this.#column(json));
      case TAGS.source:
        return this.#source(parts);
      case TAGS.rules:
        return ruleTable(parts.map((place) => this.#column(place)));
      case TAGS.symbols:
        // Written from the entries of a table.
        return symbolTable(this.value(parts[1] ?? []) as readonly { name: string }[], Number(parts[0]));
      case TAGS.sets:
        // Written from what `parts` gave.
        return TypeSets.ofParts(this.value(json) as ReturnType<TypeSets['parts']>);
      default:
        throw new InvariantError(`unknown tag ${tag}`);
    }
  }

  #source([name, text]: readonly Json[]): SourceText {
    const key = `${String(name)} ${String(text)}`;
    let source = this.#sources.get(key);
    if (source === undefined) {
      source = new SourceText(this.text(name), this.text(text));
      this.#sources.set(key, source);
    }
    return source;
  }
}

function ruleTable(columns: readonly Uint32Array[]): RuleTable {
  const rows = columns[0]?.length ?? 0;
  const table = new RuleTable(rows);
  for (const [i, column] of RULE_COLUMNS.entries()) table[column].set(columns[i] ?? []);
  table.length = rows;
  return table;
}

/**
 * The policy that was taken apart. Throws where the parts do not fit together.
 *
 * @param binary gives the binary policy, and is asked when somebody needs it; it is told what the policy is
 */
export function putTogether(kept: KeptPolicy, binary: (policy: PolicyDb) => Uint8Array): CompiledPolicy {
  const reader = new Reader(kept);
  // Written by `takeApart`, of the same version of Dewar.
  const { policy, diagnostics, errorOutput, text, runs } = reader.value(JSON.parse(kept.json) as Json) as {
    readonly policy: PolicyDb;
    readonly diagnostics: CompiledPolicy['diagnostics'];
    readonly errorOutput: string;
    readonly text: number;
    readonly runs: OriginRuns;
  };
  const whole = reader.text(text);
  let bytes: Uint8Array | undefined;
  return {
    policy,
    get bytes() {
      bytes ??= binary(policy);
      return bytes;
    },
    get parts() {
      bytes ??= binary(policy);
      return [bytes];
    },
    diagnostics,
    errorOutput,
    text: { text: whole, origins: runOrigins(runs, whole.length) },
  };
}
