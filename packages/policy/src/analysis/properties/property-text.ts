/**
 * The language of properties: what must hold of a policy, in sentences.
 *
 * Start reading at `parseProperties`.
 *
 * @module
 */
import { type Diagnostic, nearestName, type Origin, type Report, type SourceText } from '../../text/index.ts';
import { prove } from '../diagnostics.ts';
import { GUEST_PHASES, type GuestPhase } from '../memory/way-types.ts';

/** Where something stands in the file. */
export interface Place {
  readonly text: string;
  readonly origin: Origin;
}

/** A set of labels. */
export type LabelSet =
  | { readonly kind: 'anyone' }
  /** A type, an attribute, or a pattern with `*`; a context where there is a colon in it. */
  | { readonly kind: 'type' | 'user' | 'role' | 'context'; readonly name: Place }
  | { readonly kind: 'not'; readonly of: LabelSet }
  | { readonly kind: 'and' | 'or'; readonly left: LabelSet; readonly right: LabelSet };

/** Some permissions of a class. */
export interface Rights {
  readonly class: Place;
  readonly permissions: readonly Place[];
}

/** What must hold. */
export type Claim =
  | {
      readonly kind: 'memory';
      readonly but: LabelSet | undefined;
      readonly reads: boolean;
      readonly writes: boolean;
      readonly guest: LabelSet;
      readonly phases: readonly GuestPhase[];
    }
  | { readonly kind: 'only'; readonly who: LabelSet; readonly rights: Rights; readonly on: LabelSet | undefined }
  | {
      readonly kind: 'never';
      readonly who: LabelSet;
      readonly rights: Rights;
      readonly on: LabelSet;
      readonly acrossUsers: boolean;
    }
  | { readonly kind: 'users apart'; readonly users: readonly Place[]; readonly among: LabelSet | undefined }
  | { readonly kind: 'destroy' }
  | { readonly kind: 'relabel'; readonly from: LabelSet; readonly to: LabelSet };

/** One property. */
export interface Property {
  readonly origin: Origin;
  /** As written, on one line. */
  readonly text: string;
  readonly claim: Claim;
  /** The values that booleans must have for it. */
  readonly when: readonly { readonly name: Place; readonly value: boolean }[];
}

/** A file of properties, and what is wrong with it. */
export interface ParsedProperties {
  readonly properties: readonly Property[];
  readonly diagnostics: readonly Diagnostic[];
}

interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Words that cannot be names: they hold sentences together. */
const STARTS: readonly string[] = ['nobody', 'only', 'never', 'users', 'creators', 'no', 'when'];
const PHASES: ReadonlyMap<string, GuestPhase> = new Map([
  ['built', 'built'],
  ['running', 'running'],
  ['saved', 'saved'],
  ['modelled', 'device model'],
  ['dying', 'dying'],
]);
const FILE_LIMIT = 1 << 20;
const DEPTH_LIMIT = 100;

/** A sentence that cannot be read on. */
class SyntaxFault extends Error {}

function tokensOf(text: string): Token[] {
  // A word goes on over a colon where it is a label, `user:role:type:s0-s1:c0,c3.c5`.
  const pattern = /#[^\n]*|[A-Za-z0-9_*.$][A-Za-z0-9_*.$-]*(?::[A-Za-z0-9_*.$][A-Za-z0-9_*.$,-]*)*|\S/g;
  return [...text.matchAll(pattern)]
    .filter(([found]) => !found.startsWith('#'))
    .map(({ 0: found, index }) => ({ text: found, start: index, end: index + found.length }));
}

class Parser {
  readonly #source: SourceText;
  readonly #tokens: readonly Token[];
  readonly #report: Report;
  #at = 0;
  #depth = 0;

  constructor(source: SourceText, report: Report) {
    this.#source = source;
    this.#tokens = tokensOf(source.text);
    this.#report = report;
  }

  file(): Property[] {
    const properties: Property[] = [];
    while (this.#at < this.#tokens.length) {
      const first = this.#at;
      try {
        properties.push(this.#property());
      } catch (fault) {
        if (!(fault instanceof SyntaxFault)) throw fault;
        // The next sentence may be right.
        while (this.#at < this.#tokens.length && this.#peek() !== ';') this.#at++;
        this.#at = Math.max(this.#at + 1, first + 1);
      }
    }
    return properties;
  }

  #peek(ahead = 0): string | undefined {
    return this.#tokens[this.#at + ahead]?.text;
  }

  #origin(from: number, to: number): Origin {
    const start = this.#tokens[from]?.start ?? this.#source.text.length;
    const end = this.#tokens[to]?.end ?? this.#source.text.length;
    return { kind: 'written', span: { source: this.#source, start, end: Math.max(start, end) } };
  }

  #fail(expected: string, words: readonly string[] = []): never {
    const found = this.#peek();
    const near = found === undefined ? undefined : nearestName(found, words);
    const notes = near === undefined || near === found ? [] : [{ message: `did you mean \`${near}\`?` }];
    const what = found === undefined ? 'the end of the file' : `\`${found}\``;
    this.#report(prove.syntax(this.#origin(this.#at, this.#at), { expected, found: what }, { notes }));
    throw new SyntaxFault();
  }

  /** Takes words that must stand here. */
  #take(...words: readonly string[]): void {
    for (const word of words) {
      if (this.#peek() !== word) this.#fail(`\`${word}\``, [word]);
      this.#at++;
    }
  }

  #accepts(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.#peek(i) === word)) return false;
    this.#at += words.length;
    return true;
  }

  #name(what: string): Place {
    const text = this.#peek();
    if (text === undefined || !/^[A-Za-z0-9_*]/.test(text)) this.#fail(what);
    const origin = this.#origin(this.#at, this.#at);
    this.#at++;
    return { text, origin };
  }

  #names(what: string): Place[] {
    if (!this.#accepts('{')) return [this.#name(what)];
    const names: Place[] = [];
    do names.push(this.#name(what));
    while (!this.#accepts('}'));
    return names;
  }

  #property(): Property {
    const first = this.#at;
    const when: { readonly name: Place; readonly value: boolean }[] = [];
    if (this.#accepts('when')) {
      do {
        const value = !this.#accepts('not');
        when.push({ name: this.#name('a boolean'), value });
      } while (this.#accepts('and'));
      this.#take(':');
    }
    const claim = this.#claim();
    this.#take(';');
    const origin = this.#origin(first, this.#at - 2);
    const { start, end } = origin.span;
    const text = this.#source.text
      .slice(start, end)
      .replaceAll(/#[^\n]*/g, '')
      .replaceAll(/\s+/g, ' ');
    return { origin, text, claim, when };
  }

  #claim(): Claim {
    if (this.#accepts('nobody')) return this.#memory();
    if (this.#accepts('only')) {
      const who = this.#set();
      this.#take('may');
      const rights = this.#rights();
      return { kind: 'only', who, rights, on: this.#accepts('on') ? this.#set() : undefined };
    }
    if (this.#accepts('never')) {
      const who = this.#set();
      this.#take('may');
      const rights = this.#rights();
      this.#take('on');
      const on = this.#set();
      return { kind: 'never', who, rights, on, acrossUsers: this.#accepts('across', 'users') };
    }
    if (this.#accepts('users')) {
      const users = this.#names('a user');
      this.#take('never', 'share', 'memory');
      return { kind: 'users apart', users, among: this.#accepts('among') ? this.#set() : undefined };
    }
    if (this.#accepts('creators')) {
      this.#take('may', 'destroy', 'what', 'they', 'create');
      return { kind: 'destroy' };
    }
    if (this.#accepts('no')) {
      this.#take('relabel', 'leads', 'from');
      const from = this.#set();
      this.#take('to');
      return { kind: 'relabel', from, to: this.#set() };
    }
    this.#fail('`nobody`, `only`, `never`, `users`, `creators` or `no`', STARTS);
  }

  #memory(): Claim {
    const but = this.#accepts('but') ? this.#set() : undefined;
    const reads = this.#accepts('reads');
    if (reads && this.#peek() === 'or') this.#take('or');
    const writes = this.#accepts('writes');
    if (!reads && !writes) this.#fail('`reads`, `writes` or `reads or writes`', ['reads', 'writes']);
    this.#take('memory', 'of');
    const guest = this.#set();
    const phases: GuestPhase[] = [];
    if (this.#accepts('while')) {
      do {
        const phase = PHASES.get(this.#peek() ?? '');
        if (phase === undefined) this.#fail(`one of ${[...PHASES.keys()].join(', ')}`, [...PHASES.keys()]);
        this.#at++;
        phases.push(phase);
      } while (this.#accepts('or') || this.#accepts(','));
    }
    return { kind: 'memory', but, reads, writes, guest, phases: phases.length === 0 ? GUEST_PHASES : phases };
  }

  #rights(): Rights {
    const tclass = this.#name('a class');
    return { class: tclass, permissions: this.#names('a permission') };
  }

  #set(): LabelSet {
    let left = this.#both();
    while (this.#accepts('or')) left = { kind: 'or', left, right: this.#both() };
    return left;
  }

  #both(): LabelSet {
    let left = this.#one();
    while (this.#accepts('and')) left = { kind: 'and', left, right: this.#one() };
    return left;
  }

  #one(): LabelSet {
    if (++this.#depth > DEPTH_LIMIT) this.#fail('a set that is not nested as deeply');
    try {
      if (this.#accepts('not')) return { kind: 'not', of: this.#one() };
      if (this.#accepts('(')) {
        const inner = this.#set();
        this.#take(')');
        return inner;
      }
      if (this.#accepts('anyone')) return { kind: 'anyone' };
      const kind = this.#peek();
      if (kind === 'user' || kind === 'role' || kind === 'type') {
        this.#at++;
        return anyOf(kind, this.#names(`a ${kind}`));
      }
      if (kind === '{') return anyOf('type', this.#names('a type'));
      const name = this.#name('a set of labels');
      return { kind: name.text.includes(':') ? 'context' : 'type', name };
    } finally {
      this.#depth--;
    }
  }
}

function anyOf(kind: 'user' | 'role' | 'type', names: readonly Place[]): LabelSet {
  const sets = names.map((name): LabelSet => ({ kind, name }));
  return sets.reduce((left, right) => ({ kind: 'or', left, right }));
}

/** Reads a file of properties; of a sentence that is wrong, the first fault. */
export function parseProperties(source: SourceText): ParsedProperties {
  const diagnostics: Diagnostic[] = [];
  const report: Report = (one) => void diagnostics.push(one);
  if (source.text.length > FILE_LIMIT) {
    report(prove.syntax(undefined, { expected: 'a file of at most 1 MiB', found: 'a longer one' }));
    return { properties: [], diagnostics };
  }
  const properties = new Parser(source, report).file();
  if (properties.length === 0 && diagnostics.length === 0) report(prove['no-property'](undefined, {}));
  return { properties, diagnostics };
}
