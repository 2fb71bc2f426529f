/**
 * Reads a binary policy. A binary comes from outside: whatever its bytes, the answer is a policy or a diagnostic with a
 * byte offset, and memory stays within a small multiple of its size.
 *
 * Format: Xen `xen/xsm/flask/ss/policydb.c`, `policydb_read`; libsepol `policydb.c`.
 * Start reading at `readPolicydb`.
 *
 * @module
 */
import type { Diagnostic } from '../text/index.ts';
import { ENTRY_WORDS, isTypeKind } from './av-entries.ts';
import { BinaryError, ByteReader } from './byte-reader.ts';
import type { ByteSource } from './byte-source.ts';
import { binaryDiagnostic } from './diagnostics.ts';
import { Ebitmap } from './ebitmap.ts';
import { ENTRY_SIZE, FileEntries } from './file-entries.ts';
import * as format from './format.ts';
import type {
  Conditional,
  ConditionStep,
  Context,
  FilenameTransition,
  HandleUnknown,
  ObjectContexts,
  PolicyDb,
  RangeTransition,
  RoleAllow,
  RoleTransition,
} from './policydb.ts';
import { readRange, readSymbols, type Symbols } from './read-symbols.ts';
import { RuleTable } from './rule-table.ts';
import { TypeSets } from './type-sets.ts';

/** A policy that was read, and the version in which it was written. */
export interface ReadPolicy {
  readonly policy: PolicyDb;
  readonly version: format.PolicyVersion;
}

function readHeader(input: ByteReader): { version: format.PolicyVersion; config: number } {
  const magic = input.u32('header');
  if (magic !== format.POLICYDB_MAGIC) input.fail({ kind: 'bad-magic', found: magic }, 0);
  const target = input.string(Math.min(input.u32('header'), 32), 'name of the target');
  if (target !== format.POLICYDB_XEN_STRING) input.fail({ kind: 'not-xen', found: target }, 8);
  const version = input.u32('header');
  if (version !== 24 && version !== 30) input.fail({ kind: 'bad-version', version }, input.offset - 4);
  const config = input.u32('header');
  const tables = input.u32('header');
  if (tables !== format.SYM_NUM)
    input.fail({ kind: 'bad-value', what: 'number of symbol tables', value: tables }, input.offset - 4);
  const kinds = input.u32('header');
  if (kinds !== (version === 30 ? 6 : 5)) {
    input.fail({ kind: 'bad-value', what: 'number of kinds of object contexts', value: kinds }, input.offset - 4);
  }
  // Both answers are allowed by the check above, and only they.
  return { version: version as format.PolicyVersion, config };
}

/** The permissions or the type of each entry must be of a class and a kind that there are. */
const ANY_KIND = 0x77;

/** Room for entries that are taken out of a table; more is made where there are more. */
const INITIAL_ENTRIES = 0x400;

/** Words of entries, as they are taken out of a table. */
class EntryList {
  #words: Uint32Array<ArrayBuffer>;
  #used = 0;

  /** @param most there are no more of them */
  constructor(most: number) {
    this.#words = new Uint32Array(Math.min(most, INITIAL_ENTRIES) * ENTRY_WORDS);
  }

  push(pair: number, header: number, data: number): void {
    const at = this.#used;
    if (at === this.#words.length) {
      const more = new Uint32Array(at * 2);
      more.set(this.#words);
      this.#words = more;
    }
    this.#words[at] = pair;
    this.#words[at + 1] = header;
    this.#words[at + 2] = data;
    this.#used = at + ENTRY_WORDS;
  }

  get words(): Uint32Array {
    return this.#words.subarray(0, this.#used);
  }
}

/**
 * Looks through the entries of an access vector table. There may be millions of them, nearly all of them type rules about
 * event channels, which few questions are about: they are looked at where they lie. The others are taken out.
 */
class EntryScan {
  readonly vectors: EntryList;
  readonly types: EntryList;
  readonly channelClass: number;
  /** Whether the kind of some entry has a flag with it. */
  hasFlags = false;
  #channels = -1;
  readonly #typeCount: number;
  readonly #lastClass: number;
  readonly #bad: (entry: number, what: string, value: number) => never;

  /**
   * @param count how many entries there are
   * @param bad is told which of them is wrong, and by what
   */
  constructor(count: number, symbols: Symbols, bad: (entry: number, what: string, value: number) => never) {
    this.vectors = new EntryList(count);
    this.types = new EntryList(count);
    this.channelClass = symbols.classes.byName.get('event')?.value ?? 0;
    this.#typeCount = symbols.types.primaryCount;
    this.#lastClass = symbols.classes.primaryCount;
    this.#bad = bad;
  }

  /** Takes the next entries, of which the first is that of this number. */
  take(words: Uint32Array, first: number): void {
    const types = this.#typeCount;
    // The class and kind that most entries of a large policy have, and those of the entry before: both were found right.
    let channels = this.#channels;
    let known = -1;
    let isType = false;
    let isOfChannels = false;
    for (let at = 0; at < words.length; at += ENTRY_WORDS) {
      const pair = words[at] ?? 0;
      const header = words[at + 1] ?? 0;
      const data = words[at + 2] ?? 0;
      // With 1 taken from it, 0 is larger than all.
      const isPair = ((pair & 0xffff) - 1) >>> 0 < types && ((pair >>> 16) - 1) >>> 0 < types;
      if (header === channels && isPair && (data - 1) >>> 0 < types) continue;
      if (header !== known) {
        known = header;
        isType = this.#isType(header, first + at / ENTRY_WORDS);
        isOfChannels = isType && (header & 0xffff) === this.channelClass;
        if (isOfChannels) channels = header;
      }
      if (!isPair) this.#refusePair(pair, first + at / ENTRY_WORDS);
      if (isType) {
        if ((data - 1) >>> 0 >= types) this.#bad(first + at / ENTRY_WORDS, 'result type of a rule', data);
        if (!isOfChannels) this.types.push(pair, header & ~(format.AVTAB_ENABLED << 16), data);
      } else this.vectors.push(pair, header & ~(format.AVTAB_ENABLED << 16), data);
    }
    this.#channels = channels;
  }

  /** Whether entries of this class and kind give a type. */
  #isType(header: number, entry: number): boolean {
    const tclass = header & 0xffff;
    const kind = (header >>> 16) & ~format.AVTAB_ENABLED;
    if (tclass === 0 || tclass > this.#lastClass) this.#bad(entry, 'class of a rule', tclass);
    if ((kind & (kind - 1)) !== 0 || (kind & ANY_KIND) === 0) this.#bad(entry, 'kind of a rule', kind);
    this.hasFlags ||= header >>> 16 !== kind;
    return isTypeKind(kind);
  }

  #refusePair(pair: number, entry: number): void {
    const source = pair & 0xffff;
    const target = pair >>> 16;
    if (source === 0 || source > this.#typeCount) this.#bad(entry, 'source type of a rule', source);
    this.#bad(entry, 'target type of a rule', target);
  }
}

function readRules(input: ByteReader, symbols: Symbols): RuleTable {
  const count = input.count(ENTRY_SIZE, 'rules');
  const start = input.offset;
  const block = input.block(count * ENTRY_SIZE, 'rules');
  const scan = new EntryScan(count, symbols, (entry, what, value) =>
    input.fail({ kind: 'bad-value', what, value }, start + entry * ENTRY_SIZE),
  );
  let first = 0;
  for (const words of block.pieces()) {
    scan.take(words, first);
    first += words.length / ENTRY_WORDS;
  }
  const taken = { vectors: scan.vectors.words, types: scan.types.words };
  return RuleTable.ofFile(new FileEntries(block, scan.hasFlags, scan.channelClass, taken));
}

function readCondition(input: ByteReader, booleans: number): ConditionStep[] {
  const start = input.offset;
  const count = input.count(8, 'condition');
  const expression: ConditionStep[] = [];
  let depth = 0;
  for (let i = 0; i < count; i++) {
    const operator = input.u32('condition');
    const boolean = input.u32('condition');
    const isBoolean = operator === format.COND_BOOL;
    const needed = isBoolean ? 0 : operator === format.COND_NOT ? 1 : 2;
    if (operator === 0 || operator > format.COND_NEQ || depth < needed) {
      input.fail({ kind: 'bad-value', what: 'operator of a condition', value: operator }, input.offset - 8);
    }
    if (isBoolean && (boolean === 0 || boolean > booleans)) {
      input.fail({ kind: 'bad-value', what: 'boolean of a condition', value: boolean }, input.offset - 4);
    }
    depth += needed === 0 ? 1 : needed === 2 ? -1 : 0;
    if (depth > format.COND_EXPR_MAXDEPTH)
      input.fail({ kind: 'bad-value', what: 'depth of a condition', value: depth }, start);
    expression.push({ operator, boolean });
  }
  if (depth !== 1) input.fail({ kind: 'bad-value', what: 'condition', value: count }, start);
  return expression;
}

function readConditionals(input: ByteReader, symbols: Symbols): Conditional[] {
  const count = input.count(16, 'conditional blocks');
  return Array.from({ length: count }, () => {
    const state = input.u32('conditional block') !== 0;
    const expression = readCondition(input, symbols.booleans.primaryCount);
    const whenTrue = readRules(input, symbols);
    const whenFalse = readRules(input, symbols);
    return { expression, state, whenTrue, whenFalse };
  });
}

/** A value of a symbol that must exist. */
function readReference(input: ByteReader, maximum: number, what: string): number {
  const value = input.u32(what);
  if (value === 0 || value > maximum) input.fail({ kind: 'bad-value', what, value }, input.offset - 4);
  return value;
}

function readContext(input: ByteReader, symbols: Symbols): Context {
  const user = readReference(input, symbols.users.primaryCount, 'user of a context');
  const role = readReference(input, symbols.roles.primaryCount, 'role of a context');
  const type = readReference(input, symbols.types.primaryCount, 'type of a context');
  return { user, role, type, range: readRange(input) };
}

function readList<T>(input: ByteReader, size: number, what: string, read: () => T): T[] {
  return Array.from({ length: input.count(size, what) }, read);
}

const CONTEXT_SIZE = 32;

function readObjectContexts(input: ByteReader, symbols: Symbols, version: format.PolicyVersion): ObjectContexts {
  const context = (): Context => readContext(input, symbols);
  const number = (what: string): { number: number; context: Context }[] =>
    readList(input, 4 + CONTEXT_SIZE, what, () => ({ number: input.u32(what), context: context() }));
  const is30 = version === 30;
  const initialSids = readList(input, 4 + CONTEXT_SIZE, 'initial SIDs', () => ({
    sid: input.u32('initial SID'),
    context: context(),
  }));
  const pirqs = number('interrupts');
  const ioports = readList(input, 8 + CONTEXT_SIZE, 'I/O ports', () => ({
    low: BigInt(input.u32('I/O ports')),
    high: BigInt(input.u32('I/O ports')),
    context: context(),
  }));
  const iomem = readList(input, 8 + CONTEXT_SIZE, 'I/O memory', () => ({
    low: is30 ? input.u64('I/O memory') : BigInt(input.u32('I/O memory')),
    high: is30 ? input.u64('I/O memory') : BigInt(input.u32('I/O memory')),
    context: context(),
  }));
  const pciDevices = number('PCI devices');
  const deviceTree = is30
    ? readList(input, 4 + CONTEXT_SIZE, 'device tree nodes', () => {
        const path = input.name(input.u32('device tree node'), 'device tree node');
        return { path, context: context() };
      })
    : [];
  return { initialSids, pirqs, ioports, iomem, pciDevices, deviceTree };
}

function readTransitions(
  input: ByteReader,
  symbols: Symbols,
  version: format.PolicyVersion,
): Pick<PolicyDb, 'roleTransitions' | 'roleAllows' | 'filenameTransitions'> {
  const roles = symbols.roles.primaryCount;
  const types = symbols.types.primaryCount;
  const classes = symbols.classes.primaryCount;
  const hasClass = version >= format.POLICYDB_VERSION_ROLETRANS;
  const roleTransitions = readList(input, hasClass ? 16 : 12, 'role transitions', (): RoleTransition => {
    const role = readReference(input, roles, 'role of a role transition');
    const type = readReference(input, types, 'type of a role transition');
    const newRole = readReference(input, roles, 'new role of a role transition');
    return { role, type, newRole, tclass: hasClass ? readReference(input, classes, 'class of a role transition') : 0 };
  });
  const roleAllows = readList(
    input,
    8,
    'role allow rules',
    (): RoleAllow => ({
      role: readReference(input, roles, 'role of a role allow rule'),
      newRole: readReference(input, roles, 'role of a role allow rule'),
    }),
  );
  const filenameTransitions =
    version >= format.POLICYDB_VERSION_FILENAME_TRANS
      ? readList(input, 20, 'filename transitions', (): FilenameTransition => {
          const name = input.name(input.u32('filename transition'), 'name of a filename transition');
          const source = readReference(input, types, 'source of a filename transition');
          const target = readReference(input, types, 'target of a filename transition');
          const tclass = readReference(input, classes, 'class of a filename transition');
          return {
            name,
            source,
            target,
            tclass,
            result: readReference(input, types, 'result of a filename transition'),
          };
        })
      : [];
  return { roleTransitions, roleAllows, filenameTransitions };
}

function readBody(input: ByteReader): ReadPolicy {
  const { version, config } = readHeader(input);
  const policyCapabilities = input.ebitmap(0xffffff, 'policy capabilities');
  const permissive = input.ebitmap(0x10000, 'permissive types');
  const symbols = readSymbols(input, version);
  const types = symbols.types.primaryCount;
  const rules = readRules(input, symbols);
  const conditionals = readConditionals(input, symbols);
  const transitions = readTransitions(input, symbols, version);
  const objectContexts = readObjectContexts(input, symbols, version);
  const genfs = input.u32('genfs contexts');
  if (genfs !== 0) input.fail({ kind: 'bad-value', what: 'number of genfs contexts', value: genfs }, input.offset - 4);
  const rangeTransitions = readList(input, 32, 'range transitions', (): RangeTransition => {
    const source = readReference(input, types, 'source of a range transition');
    const target = readReference(input, types, 'target of a range transition');
    const tclass = readReference(input, symbols.classes.primaryCount, 'class of a range transition');
    return { source, target, tclass, range: readRange(input) };
  });
  const typeAttributeMap = Array.from({ length: types }, () => input.ebitmap(types, 'attributes of a type'));
  if (input.remaining > 0) input.fail({ kind: 'trailing', count: input.remaining });

  const handleUnknown: HandleUnknown =
    (config & format.ALLOW_UNKNOWN) !== 0 ? 'allow' : (config & format.REJECT_UNKNOWN) !== 0 ? 'reject' : 'deny';
  const policy: PolicyDb = {
    isMls: (config & format.POLICYDB_CONFIG_MLS) !== 0,
    handleUnknown,
    policyCapabilities,
    permissive,
    ...symbols,
    typeSets: new TypeSets(typeMembers(symbols, typeAttributeMap)),
    rules,
    conditionals,
    isExpanded: true,
    ...transitions,
    objectContexts,
    rangeTransitions,
    typeAttributeMap,
  };
  return { policy, version };
}

/** Attribute members, from the map that tells each type's attributes. */
function typeMembers(symbols: Symbols, map: readonly Ebitmap[]): ConstructorParameters<typeof TypeSets>[0] {
  const isAttribute = new Set<number>();
  for (const symbol of symbols.types.entries) if (symbol.kind === 'attribute') isAttribute.add(symbol.value);
  const collect = (): Map<number, Ebitmap> => {
    const bits = new Map<number, number[]>([...isAttribute].map((value) => [value, []]));
    map.forEach((attributes, type) => {
      if (isAttribute.has(type + 1)) return;
      for (const attribute of attributes.bits) bits.get(attribute + 1)?.push(type);
    });
    return new Map([...bits].map(([value, members]) => [value, Ebitmap.of(members)]));
  };
  let members: Map<number, Ebitmap> | undefined;
  return {
    count: symbols.types.primaryCount,
    membersOf: (value) => {
      members ??= collect();
      return members.get(value);
    },
    isExpanded: () => false,
  };
}

/**
 * The policy in these bytes, or what is wrong with them. The policy goes on using the bytes: nobody may change them. What a
 * source throws when it is read goes to the caller, here and wherever the policy is then asked for all its rules.
 */
export function readPolicydb(bytes: Uint8Array | ByteSource): ReadPolicy | { readonly diagnostic: Diagnostic } {
  try {
    return readBody(new ByteReader(bytes));
  } catch (error) {
    if (error instanceof BinaryError) return { diagnostic: binaryDiagnostic(error) };
    throw error;
  }
}
