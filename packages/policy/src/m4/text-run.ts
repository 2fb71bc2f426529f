/**
 * Macro expansion for its text alone.
 *
 * Few policies have anything wrong with them, and of the others nobody asks where a character came from. So the text is made
 * first, out of strings that remember nothing, and `Processor`, which remembers all, expands the same sources again when
 * somebody asks (docs/decisions/text-before-origins.md). What few policies do ends this run without a text: other quotes,
 * diversions, whatever there is something to say about. `Processor` then is the only one.
 *
 * Most of a run is spent before V8 optimizes anything, when a loop over characters is a hundred times as dear as a regular
 * expression, and a private field as dear as a call: hence the one and not the other here.
 *
 * SPEC: GNU m4 1.4.19. Start reading at `TextRun.run`.
 *
 * @module
 */
import type { M4Limits } from './limits.ts';
import { isWordCode } from './pieces.ts';
import { Argument } from './text-argument.ts';
import { type Grown, special, splitBody, type TextMacro, Word } from './text-macro.ts';

/** Ends a run that is not for this processor. */
class Unusual extends Error {}

/** What is met when text stands for itself, outside of arguments and in them. */
const WORD_OR_QUOTE = /[A-Za-z_]\w*|[`#]/g;
const WORD_OR_SIGN = /[A-Za-z_]\w*|[`#(),]/g;
const REST_OF_WORD = /\w*/y;
const QUOTES = /[`']/g;
const BLANKS = /[ \t\n\v\f\r]*/y;

/**
 * An argument that is a quotation, a word, or has no word in it, with the blanks before it and the sign behind it. What has no
 * word does not begin with a blank: a long row of blanks would be divided between the two in every way.
 */
const SHORT_ARGUMENT =
  /[ \t\n\v\f\r]*(?:`([^`']*)'|([A-Za-z_]\w*)|((?:[^A-Za-z_`'#(), \t\n\v\f\r][^A-Za-z_`'#(),]*)?))[,)]/y;

const OPEN_QUOTE = 96;
const COMMENT = 35;
const OPEN = 40;
const CLOSE = 41;
const COMMA = 44;

const NO_ARGUMENTS: readonly string[] = [];

/** Calls within one call of a source after which `Processor` looks whether they have an end. */
const MAX_CALLS_WITHIN = 100_000;

/** One run. */
export class TextRun {
  /** The text that is being scanned, and how far it is. */
  text = '';
  at = 0;
  /** Those behind it that have something left, innermost last. */
  readonly texts: string[] = [];
  readonly places: number[] = [];
  depth = 0;
  /** Stands before `text`. */
  grown: Grown | undefined = undefined;
  /** The sign behind the argument that was read last. */
  sign = 0;
  /** What came before the second argument of `define` that was read last. */
  grownBody: Grown | undefined = undefined;
  readonly words: Map<string, Word> = new Map();
  /** Changes when a word that stood for itself has become a macro. */
  generation = 1;
  output = '';
  isDiscarding = false;
  readonly limits: M4Limits;
  nesting = 0;
  calls = 0;
  callsWithin = 0;
  scanned = 0;

  constructor(limits: M4Limits) {
    // What `Processor` counts differs a little. Whoever comes near a limit is left to it: it says where.
    const half = (limit: number): number => Math.floor(limit / 2);
    this.limits = {
      nesting: half(limits.nesting),
      calls: half(limits.calls),
      unwatched: limits.unwatched,
      scanned: half(limits.scanned),
      output: half(limits.output),
      argument: half(limits.argument),
      pending: half(limits.pending),
    };
  }

  /** The expanded text of some sources; undefined where that takes more than this processor has. */
  run(sources: readonly string[]): string | undefined {
    try {
      for (const source of sources) {
        this.text = source;
        this.at = 0;
        this.scanned += source.length;
        this.expandAll(source);
      }
      return this.output.length > this.limits.output ? undefined : this.output;
    } catch (error) {
      if (error instanceof Unusual) return undefined;
      throw error;
    }
  }

  /** Ends the run: this is for `Processor`. */
  giveUp(): never {
    throw new Unusual();
  }

  define(name: string, macro: TextMacro, isCovering: boolean): void {
    const word = this.words.get(name) ?? new Word();
    this.words.set(name, word);
    if (word.macro === undefined) {
      if (word.isPlain) this.generation++;
      word.isPlain = false;
    } else if (isCovering) {
      word.covered ??= [];
      word.covered.push(word.macro);
    }
    word.macro = macro;
  }

  /** Takes the definition away: `isAll` those that it covers, too. */
  undefine(name: string, isAll: boolean): void {
    const word = this.words.get(name);
    if (word === undefined) return;
    word.macro = isAll ? undefined : word.covered?.pop();
    if (isAll) word.covered = undefined;
  }

  isDefined(name: string): boolean {
    return this.words.get(name)?.macro !== undefined;
  }

  /** Puts text in front of the rest of the input. */
  push(text: string): void {
    if (text === '') return;
    this.scanned += text.length;
    if (this.scanned > this.limits.scanned || text.length > this.limits.argument) this.giveUp();
    if (this.at < this.text.length) {
      this.texts[this.depth] = this.text;
      this.places[this.depth++] = this.at;
      if (this.depth > this.limits.pending) this.giveUp();
    }
    this.text = text;
    this.at = 0;
  }

  /** Goes on with the text behind the current one, which is read to its end; false where there is none. */
  pop(): boolean {
    if (this.depth === 0) return false;
    this.text = this.texts[--this.depth] ?? '';
    this.at = this.places[this.depth] ?? 0;
    return true;
  }

  /** Makes one of the current text, from a place on, and the one behind it; false where there is none. */
  join(from: number): boolean {
    const rest = this.text.slice(from);
    if (!this.pop()) return false;
    this.text = rest + this.text.slice(this.at);
    this.at = 0;
    this.scanned += this.text.length;
    if (this.scanned > this.limits.scanned) this.giveUp();
    return true;
  }

  /** Makes the word that begins at a place, and goes on behind the current text, the current text. */
  joinWord(from: number): void {
    let word = this.text.slice(from);
    while (this.depth > 0) {
      const last = this.depth - 1;
      const text = this.texts[last] ?? '';
      const place = this.places[last] ?? 0;
      REST_OF_WORD.lastIndex = place;
      REST_OF_WORD.test(text);
      word += text.slice(place, REST_OF_WORD.lastIndex);
      this.places[last] = REST_OF_WORD.lastIndex;
      if (REST_OF_WORD.lastIndex < text.length) break;
      this.depth--;
    }
    this.text = word;
    this.at = 0;
  }

  /** The first character behind the current text. */
  codeBehind(): number {
    const last = this.depth - 1;
    return last < 0 ? -1 : (this.texts[last] ?? '').charCodeAt(this.places[last] ?? 0);
  }

  emit(text: string): void {
    if (!this.isDiscarding) this.output += text;
  }

  /** Expands a source, which is the current text. */
  expandAll(source: string): void {
    for (;;) {
      if (this.grown !== undefined) {
        this.emit(this.grown.text);
        this.grown = undefined;
      }
      const { text, at } = this;
      if (at >= text.length) {
        if (!this.pop()) return;
        continue;
      }
      if (text === source) this.callsWithin = 0;
      this.expandFrom(text, at);
    }
  }

  /** Passes what stands for itself, and then one quotation or one call. */
  expandFrom(text: string, from: number): void {
    WORD_OR_QUOTE.lastIndex = from;
    for (;;) {
      const found = WORD_OR_QUOTE.exec(text);
      if (found === null) {
        this.emit(text.slice(from));
        this.at = text.length;
        return;
      }
      const word = found[0];
      const start = found.index;
      const code = word.charCodeAt(0);
      if (code === OPEN_QUOTE) {
        this.emit(text.slice(from, start));
        this.emit(this.readQuotation(start + 1));
        return;
      }
      if (code === COMMENT) {
        const newline = text.indexOf('\n', start);
        if (newline < 0) {
          this.emit(text.slice(from, start));
          this.joinOrGiveUp(start);
          return;
        }
        WORD_OR_QUOTE.lastIndex = newline + 1;
        continue;
      }
      const end = start + word.length;
      if (end === text.length && this.depth > 0 && isWordCode(this.codeBehind())) {
        this.emit(text.slice(from, start));
        this.joinWord(start);
        return;
      }
      const macro = this.words.get(word)?.macro;
      if (macro === undefined) continue;
      const isOpen = (end < text.length ? text.charCodeAt(end) : this.codeBehind()) === OPEN;
      if (!isOpen && macro.isBlind) continue;
      this.emit(text.slice(from, start));
      this.at = end;
      this.call(word, macro, isOpen);
      return;
    }
  }

  joinOrGiveUp(from: number): void {
    if (!this.join(from)) this.giveUp();
  }

  /** The text of the quotation that begins at `from`, behind its quote. */
  readQuotation(from: number): string {
    for (let start = from; ; start = 0) {
      const { text } = this;
      let level = 1;
      QUOTES.lastIndex = start;
      while (QUOTES.test(text)) {
        const at = QUOTES.lastIndex - 1;
        if (text.charCodeAt(at) === OPEN_QUOTE) level++;
        else if (--level === 0) {
          this.at = at + 1;
          return text.slice(start, at);
        }
      }
      this.joinOrGiveUp(start);
    }
  }

  /** Calls the macro whose name was just read. */
  call(name: string, macro: TextMacro, isOpen: boolean): void {
    const { limits } = this;
    if (++this.nesting > limits.nesting || ++this.calls > limits.calls || ++this.callsWithin > MAX_CALLS_WITHIN)
      this.giveUp();
    if (this.output.length > limits.output) this.giveUp();
    const args = isOpen ? this.collect(macro) : NO_ARGUMENTS;
    const { run } = macro;
    if (run === undefined) this.expand(name, macro, args);
    else if (args.length < macro.least || args.length > macro.most) this.giveUp();
    else run(this, args);
    this.nesting--;
  }

  /** Reads arguments from the opening parenthesis, which is known to come next, through the closing one. */
  collect(macro: TextMacro): string[] {
    if (this.at >= this.text.length) this.pop();
    this.grownBody = undefined;
    const args: string[] = [];
    let { text } = this;
    let at = this.at + 1;
    for (;;) {
      SHORT_ARGUMENT.lastIndex = at;
      const short = SHORT_ARGUMENT.exec(text);
      if (short === null || this.isCalled(short[2])) {
        this.at = at;
        args.push(this.longArgument(macro.takesBody && args.length === 1));
        if (this.sign !== COMMA) return args;
        text = this.text;
        at = this.at;
      } else {
        // By number: to take an array apart is to iterate over it.
        args.push(short[1] ?? short[2] ?? short[3] ?? '');
        at = SHORT_ARGUMENT.lastIndex;
        if (text.charCodeAt(at - 1) === COMMA) continue;
        this.at = at;
        return args;
      }
    }
  }

  /** Whether a word calls a macro though no parenthesis follows. */
  isCalled(word: string | undefined): boolean {
    return word !== undefined && this.words.get(word)?.macro?.isBlind === false;
  }

  /** Reads one argument, through the sign behind it. `canGrow`: it may be the body of a `define`. */
  longArgument(canGrow: boolean): string {
    this.skipBlanks();
    const argument = new Argument(canGrow, this.generation);
    for (;;) {
      if (this.grown !== undefined) {
        argument.addGrown(this.grown);
        this.grown = undefined;
      }
      const { text, at } = this;
      if (at >= text.length) {
        if (!this.pop()) this.giveUp();
      } else if (this.isEndOfArgument(text, at, argument)) {
        return this.finish(argument);
      } else if (argument.rest.length > this.limits.argument) this.giveUp();
    }
  }

  finish(argument: Argument): string {
    if (argument.length > this.limits.argument) this.giveUp();
    this.grownBody = argument.takeGrown();
    return argument.rest;
  }

  /** Reads what stands for itself, and then one quotation, one call, or the sign behind the argument: true for that. */
  isEndOfArgument(text: string, from: number, argument: Argument): boolean {
    WORD_OR_SIGN.lastIndex = from;
    for (;;) {
      const found = WORD_OR_SIGN.exec(text);
      if (found === null) {
        argument.addPlain(text.slice(from));
        this.at = text.length;
        return false;
      }
      const word = found[0];
      const start = found.index;
      const end = start + word.length;
      const code = word.charCodeAt(0);
      if (code === OPEN || code === COMMA || code === CLOSE) {
        if (argument.level === 0 && code !== OPEN) {
          if (start > from) argument.addPlain(text.slice(from, start));
          this.at = end;
          this.sign = code;
          return true;
        }
        if (code !== COMMA) argument.level += code === OPEN ? 1 : -1;
        if (!argument.isGrowing) continue;
        if (start > from) argument.addPlain(text.slice(from, start));
        argument.add(word);
        this.at = end;
        return false;
      }
      if (code === OPEN_QUOTE) {
        if (start > from) argument.addPlain(text.slice(from, start));
        argument.add(this.readQuotation(end));
        return false;
      }
      if (code === COMMENT) {
        if (start > from) argument.addPlain(text.slice(from, start));
        this.readComment(text, start, argument);
        return false;
      }
      if (end === text.length && this.depth > 0 && isWordCode(this.codeBehind())) {
        if (start > from) argument.addPlain(text.slice(from, start));
        this.joinWord(start);
        return false;
      }
      const macro = this.words.get(word)?.macro;
      if (macro === undefined) {
        if (argument.isGrowing) this.notePlain(word);
        continue;
      }
      const isOpen = (end < text.length ? text.charCodeAt(end) : this.codeBehind()) === OPEN;
      if (!isOpen && macro.isBlind) {
        if (!argument.isGrowing) continue;
        // Behind it there may once be a parenthesis.
        if (start > from) argument.addPlain(text.slice(from, start));
        argument.add(word);
        this.at = end;
        return false;
      }
      if (start > from) argument.addPlain(text.slice(from, start));
      this.at = end;
      this.call(word, macro, isOpen);
      return false;
    }
  }

  readComment(text: string, start: number, argument: Argument): void {
    const newline = text.indexOf('\n', start);
    if (newline < 0) this.joinOrGiveUp(start);
    else {
      argument.add(text.slice(start, newline + 1));
      this.at = newline + 1;
    }
  }

  notePlain(name: string): void {
    let word = this.words.get(name);
    if (word === undefined) {
      word = new Word();
      this.words.set(name, word);
    }
    word.isPlain = true;
  }

  /** Blank characters in front of an argument do not belong to it. */
  skipBlanks(): void {
    do {
      BLANKS.lastIndex = this.at;
      BLANKS.test(this.text);
      this.at = BLANKS.lastIndex;
    } while (this.at >= this.text.length && this.pop());
  }

  /** Drops the input through the next newline. */
  skipLine(): void {
    do {
      const newline = this.text.indexOf('\n', this.at);
      if (newline >= 0) {
        this.at = newline + 1;
        return;
      }
      this.at = this.text.length;
    } while (this.pop());
  }

  /** Puts the body of a macro, with the arguments of a call, in front of the rest of the input. */
  expand(name: string, macro: TextMacro, args: readonly string[]): void {
    const { grown } = macro;
    const texts = macro.texts ?? splitBody(macro);
    const { marks } = macro;
    let text = texts[0] ?? '';
    for (let i = 0; i < marks.length; ) {
      const mark = marks[i++] ?? 0;
      text += (mark > 0 ? args[mark - 1] : special(mark, name, args)) ?? '';
      text += texts[i] ?? '';
      if (text.length > this.limits.argument) this.giveUp();
    }
    if (grown === undefined) this.push(text);
    else if (grown.generation !== this.generation) this.push(grown.text + text);
    else this.pushGrown(grown, text);
  }

  pushGrown(grown: Grown, rest: string): void {
    if (grown.endsInWord) {
      const isHere = this.at < this.text.length;
      const next = rest !== '' ? rest.charCodeAt(0) : isHere ? this.text.charCodeAt(this.at) : this.codeBehind();
      if (isWordCode(next)) {
        this.push(grown.text + rest);
        return;
      }
    }
    this.scanned += grown.text.length;
    this.push(rest);
    this.grown = grown;
  }
}
