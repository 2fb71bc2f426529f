/**
 * The regular expressions of `regexp` and `patsubst`: GNU Emacs syntax, leftmost and longest match.
 *
 * A pattern becomes a small program. The search visits each pair of instruction and place once, so its time is
 * bounded by their product; only patterns with back references need a limit on steps.
 *
 * SPEC: GNU m4 1.4.19 manual, "Searching for regular expressions".
 * Start reading at `compilePattern`.
 *
 * @module
 */

/** One instruction. `to` is where the search goes on; `or` is tried when that fails. */
type Instruction =
  | { readonly op: 'char'; readonly code: number }
  | { readonly op: 'set'; readonly members: Uint8Array }
  | { readonly op: 'assert'; readonly what: Assertion }
  | { readonly op: 'save'; readonly slot: number }
  | { readonly op: 'progress'; readonly slot: number }
  | { readonly op: 'same'; readonly group: number }
  | { readonly op: 'split'; readonly to: number; readonly or: number }
  | { readonly op: 'jump'; readonly to: number }
  | { readonly op: 'match' };

type Assertion = '^' | '$' | 'b' | 'B' | '<' | '>' | '`' | "'";

export interface Pattern {
  readonly kind: 'pattern';
  readonly program: readonly Instruction[];
  readonly groups: number;
  readonly slots: number;
  readonly hasBackReferences: boolean;
}

export interface PatternFault {
  readonly kind: 'fault';
  readonly reason: string;
}

/** A group's place; -1 where it took no part. */
interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Match extends Span {
  readonly groups: readonly Span[];
}

type Node =
  | { readonly kind: 'char'; readonly code: number }
  | { readonly kind: 'set'; readonly members: Uint8Array }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'same'; readonly group: number }
  | { readonly kind: 'group'; readonly index: number; readonly body: Node }
  | { readonly kind: 'repeat'; readonly body: Node; readonly isNeeded: boolean; readonly isMany: boolean }
  | { readonly kind: 'all'; readonly parts: readonly Node[] }
  | { readonly kind: 'any'; readonly parts: readonly Node[] };

class Fault extends Error {}

const MAX_PATTERN = 10_000;
const MAX_NESTING = 200;
const MAX_STEPS = 20_000_000;

function isWord(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
}

function setOf(isMember: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (isMember(code) ? 1 : 0));
}

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);
const ANY = setOf((code) => code !== 10);
const CLASSES: Readonly<Record<string, Uint8Array>> = {
  w: setOf(isWord),
  W: setOf((code) => !isWord(code)),
  s: setOf(isSpace),
  S: setOf((code) => !isSpace(code)),
};

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** A `^` here is an anchor. */
  #isAnchorPlace = true;
  readonly #closed: Set<number> = new Set();
  groups = 0;
  hasBackReferences = false;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node {
    const node = this.#alternatives();
    if (this.#at < this.#text.length) throw new Fault('unmatched \\)');
    return node;
  }

  #startsWith(sign: string): boolean {
    return this.#text.startsWith(sign, this.#at);
  }

  #alternatives(): Node {
    if (++this.#depth > MAX_NESTING) throw new Fault('nested too deep');
    const parts: Node[] = [];
    do {
      this.#isAnchorPlace = true;
      parts.push(this.#branch());
    } while (this.#accept('\\|'));
    this.#depth--;
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'any', parts };
  }

  #accept(sign: string): boolean {
    if (!this.#startsWith(sign)) return false;
    this.#at += sign.length;
    return true;
  }

  #branch(): Node {
    const parts: Node[] = [];
    let isRepeatable = false;
    while (this.#at < this.#text.length && !this.#startsWith('\\|') && !this.#startsWith('\\)')) {
      const sign = this.#text[this.#at] ?? '';
      const last = parts.at(-1);
      if (isRepeatable && last !== undefined && (sign === '*' || sign === '+' || sign === '?')) {
        this.#at++;
        parts[parts.length - 1] = { kind: 'repeat', body: last, isNeeded: sign === '+', isMany: sign !== '?' };
        continue;
      }
      const wasAnchorPlace = this.#isAnchorPlace;
      this.#isAnchorPlace = false;
      const node = this.#atom(sign, wasAnchorPlace);
      // What follows an assertion is no repetition, and may be another anchor.
      isRepeatable = node.kind !== 'assert';
      this.#isAnchorPlace = !isRepeatable;
      parts.push(node);
    }
    return { kind: 'all', parts };
  }

  #atom(sign: string, isAnchorPlace: boolean): Node {
    this.#at++;
    switch (sign) {
      case '.':
        return { kind: 'set', members: ANY };
      case '[':
        return { kind: 'set', members: this.#set() };
      case '^':
        return isAnchorPlace ? { kind: 'assert', what: '^' } : { kind: 'char', code: 94 };
      case '$': {
        const isEnd = this.#at === this.#text.length || this.#startsWith('\\|') || this.#startsWith('\\)');
        return isEnd ? { kind: 'assert', what: '$' } : { kind: 'char', code: 36 };
      }
      case '\\':
        return this.#escape();
      default:
        return { kind: 'char', code: sign.charCodeAt(0) };
    }
  }

  #escape(): Node {
    const sign = this.#text[this.#at++];
    if (sign === undefined) throw new Fault('trailing backslash');
    if (sign === '(') {
      const index = ++this.groups;
      const body = this.#alternatives();
      if (!this.#accept('\\)')) throw new Fault('unmatched \\(');
      this.#closed.add(index);
      return { kind: 'group', index, body };
    }
    if (sign >= '1' && sign <= '9') {
      if (!this.#closed.has(Number(sign))) throw new Fault('invalid back reference');
      this.hasBackReferences = true;
      return { kind: 'same', group: Number(sign) };
    }
    const members = CLASSES[sign];
    if (members !== undefined) return { kind: 'set', members };
    switch (sign) {
      case 'b':
      case 'B':
      case '<':
      case '>':
      case '`':
      case "'":
        return { kind: 'assert', what: sign };
      default:
        return { kind: 'char', code: sign.charCodeAt(0) };
    }
  }

  #set(): Uint8Array {
    const members = new Uint8Array(256);
    const isNegated = this.#accept('^');
    for (let isFirst = true; ; isFirst = false) {
      const sign = this.#text[this.#at++];
      if (sign === undefined) throw new Fault('unmatched [');
      if (sign === ']' && !isFirst) break;
      const from = sign.charCodeAt(0);
      const last = this.#text[this.#at + 1];
      if (this.#startsWith('-') && last !== undefined && last !== ']') {
        this.#at += 2;
        for (let code = from; code <= last.charCodeAt(0); code++) members[code] = 1;
      } else {
        members[from] = 1;
      }
    }
    return isNegated ? members.map((member) => 1 - member) : members;
  }
}

class Emitter {
  readonly program: Instruction[] = [];
  slots: number;

  constructor(groups: number) {
    this.slots = (groups + 1) * 2;
  }

  emit(node: Node): void {
    const { program } = this;
    switch (node.kind) {
      case 'char':
        program.push({ op: 'char', code: node.code });
        break;
      case 'set':
        program.push({ op: 'set', members: node.members });
        break;
      case 'assert':
        program.push({ op: 'assert', what: node.what });
        break;
      case 'same':
        program.push({ op: 'same', group: node.group });
        break;
      case 'group':
        program.push({ op: 'save', slot: node.index * 2 });
        this.emit(node.body);
        program.push({ op: 'save', slot: node.index * 2 + 1 });
        break;
      case 'all':
        for (const part of node.parts) this.emit(part);
        break;
      case 'any':
        this.#alternatives(node.parts);
        break;
      default:
        this.#repeat(node);
    }
  }

  #alternatives(parts: readonly Node[]): void {
    const { program } = this;
    const jumps: number[] = [];
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) {
        this.emit(part);
        break;
      }
      const split = program.push({ op: 'split', to: 0, or: 0 }) - 1;
      this.emit(part);
      jumps.push(program.push({ op: 'jump', to: 0 }) - 1);
      program[split] = { op: 'split', to: split + 1, or: program.length };
    }
    for (const jump of jumps) program[jump] = { op: 'jump', to: program.length };
  }

  #repeat(node: Extract<Node, { kind: 'repeat' }>): void {
    const { program } = this;
    if (node.isNeeded) this.emit(node.body);
    const split = program.push({ op: 'split', to: 0, or: 0 }) - 1;
    const slot = this.slots++;
    program.push({ op: 'save', slot });
    this.emit(node.body);
    if (node.isMany) {
      program.push({ op: 'progress', slot });
      program.push({ op: 'jump', to: split });
    }
    program[split] = { op: 'split', to: split + 1, or: program.length };
  }
}

const compiled = new Map<string, Pattern | PatternFault>();
const MAX_COMPILED = 200;

/** Reads a pattern. */
export function compilePattern(text: string): Pattern | PatternFault {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const made = compileAnew(text);
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(text, made);
  return made;
}

function compileAnew(text: string): Pattern | PatternFault {
  if (text.length > MAX_PATTERN) return { kind: 'fault', reason: `longer than ${MAX_PATTERN} bytes` };
  try {
    const parser = new Parser(text);
    const node = parser.parse();
    const emitter = new Emitter(parser.groups);
    // `\(a+\)+` writes its body twice for each level, so the program may outgrow the pattern.
    emitter.emit(node);
    if (emitter.program.length > MAX_PATTERN * 4) return { kind: 'fault', reason: 'too complex' };
    emitter.program.push({ op: 'match' });
    const { program, slots } = emitter;
    return { kind: 'pattern', program, groups: parser.groups, slots, hasBackReferences: parser.hasBackReferences };
  } catch (error) {
    if (error instanceof Fault) return { kind: 'fault', reason: error.message };
    throw error;
  }
}

function holds(what: Assertion, subject: string, at: number): boolean {
  const before = at > 0 && isWord(subject.charCodeAt(at - 1));
  const after = at < subject.length && isWord(subject.charCodeAt(at));
  switch (what) {
    case '^':
      return at === 0 || subject.charCodeAt(at - 1) === 10;
    case '$':
      return at === subject.length || subject.charCodeAt(at) === 10;
    case 'b':
      return before !== after;
    case 'B':
      return before === after;
    case '<':
      return !before && after;
    case '>':
      return before && !after;
    case '`':
      return at === 0;
    default:
      return at === subject.length;
  }
}

/** The leftmost match from `from` on, the longest one there. */
export function searchPattern(pattern: Pattern, subject: string, from: number): Match | 'too-hard' | undefined {
  const { program, hasBackReferences } = pattern;
  const width = subject.length + 1;
  if (program.length * width > 200_000_000) return 'too-hard';
  const visited = hasBackReferences ? undefined : new Uint8Array(Math.ceil((program.length * width) / 8));
  let steps = 0;
  for (let start = from; start <= subject.length; start++) {
    let best: number[] | undefined;
    let bestEnd = -1;
    const slots: number[] = new Array<number>(pattern.slots).fill(-1);
    /** Places to go on from, and slots to restore on the way back: [pc, at] or [~slot, value]. */
    const waiting: number[] = [0, start];
    while (waiting.length > 0) {
      let at = waiting.pop() ?? 0;
      let pc = waiting.pop() ?? 0;
      if (pc < 0) {
        slots[~pc] = at;
        continue;
      }
      for (;;) {
        if (++steps > MAX_STEPS) return 'too-hard';
        if (visited !== undefined) {
          const bit = pc * width + at;
          const mask = 1 << (bit & 7);
          if (((visited[bit >>> 3] ?? 0) & mask) !== 0) break;
          visited[bit >>> 3] = (visited[bit >>> 3] ?? 0) | mask;
        }
        const step = program[pc];
        if (step === undefined) break;
        if (step.op === 'match') {
          if (at > bestEnd) {
            bestEnd = at;
            best = [...slots];
          }
          break;
        }
        if (step.op === 'char') {
          if (subject.charCodeAt(at) !== step.code) break;
          at++;
          pc++;
        } else if (step.op === 'set') {
          if (at >= subject.length || step.members[subject.charCodeAt(at)] !== 1) break;
          at++;
          pc++;
        } else if (step.op === 'assert') {
          if (!holds(step.what, subject, at)) break;
          pc++;
        } else if (step.op === 'save') {
          waiting.push(~step.slot, slots[step.slot] ?? -1);
          slots[step.slot] = at;
          pc++;
        } else if (step.op === 'progress') {
          if (slots[step.slot] === at) break;
          pc++;
        } else if (step.op === 'same') {
          const begin = slots[step.group * 2] ?? -1;
          const end = slots[step.group * 2 + 1] ?? -1;
          if (begin < 0 || end < begin || !subject.startsWith(subject.slice(begin, end), at)) break;
          at += end - begin;
          pc++;
        } else if (step.op === 'split') {
          waiting.push(step.or, at);
          pc = step.to;
        } else {
          pc = step.to;
        }
      }
      if (bestEnd === subject.length) break;
    }
    if (best !== undefined) {
      const groups: Span[] = [];
      for (let group = 1; group <= pattern.groups; group++)
        groups.push({ start: best[group * 2] ?? -1, end: best[group * 2 + 1] ?? -1 });
      return { start, end: bestEnd, groups };
    }
  }
  return undefined;
}
