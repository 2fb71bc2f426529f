/**
 * Reads an entry of `disk`: parts with names, parts known by their position, and prefixes of older releases.
 *
 * Follows Xen `tools/libs/util/libxlu_disk_l.l` as flex carries it out (the longest match wins, then the first rule),
 * and `xlu_disk_parse`.
 *
 * @module
 */
import type { JsonValue } from '../json.ts';
import { atoi } from '../strtol.ts';
import { inOrder, type Members } from './device.ts';

// XEN: libxl_types.idl, device_disk
const FIELDS = [
  ...['backend_domname', 'pdev_path', 'vdev', 'backend', 'format', 'script', 'removable', 'readwrite', 'is_cdrom'],
  ...['direct_io_safe', 'discard_enable', 'specification', 'colo_enable', 'colo_host', 'colo_port', 'colo_export'],
  ...['active_disk', 'hidden_disk'],
];

/** Something wrong in an entry; `near` is the text that libxlutil quotes. */
export interface Problem {
  readonly message: string;
  readonly near: string | undefined;
  readonly start: number;
  readonly end: number;
}

/** libxlutil would go on and quote the whole entry each time. */
const MOST_PROBLEMS = 100;

const FORMATS = new Map([
  ['', 'raw'],
  ['raw', 'raw'],
  ['qcow', 'qcow'],
  ['qcow2', 'qcow2'],
  ['vhd', 'vhd'],
  ['empty', 'empty'],
  ['qed', 'qed'],
]);

const BACKENDS = new Map(['phy', 'tap', 'qdisk', 'standalone'].map((word) => [word, word]));
const SPECIFICATIONS = new Map(['xen', 'virtio'].map((word) => [word, word]));

/** Texts that may be given once: the name in the entry, and libxl's. */
const TEXTS: readonly (readonly [name: string, field: string])[] = [
  ['backend', 'backend_domname'],
  ['vdev', 'vdev'],
  ['script', 'script'],
  ['colo-host', 'colo_host'],
  ['colo-export', 'colo_export'],
  ['active-disk', 'active_disk'],
  ['hidden-disk', 'hidden_disk'],
];

const FLAGS: readonly (readonly [word: string, field: string, value: JsonValue])[] = [
  ['direct-io-safe', 'direct_io_safe', true],
  ['discard', 'discard_enable', 'True'],
  ['no-discard', 'discard_enable', 'False'],
  ['colo', 'colo_enable', 'True'],
  ['no-colo', 'colo_enable', 'False'],
];

/** A rule that matches: how much counts in the contest, how much is taken, and what to do. Returns false to stop. */
interface Match {
  readonly length: number;
  readonly taken: number;
  act(text: string): boolean;
}

/** One entry while it is read. On a command line it is given in more than one text, one after the other. */
export class DiskEntry {
  readonly problems: Problem[] = [];
  /** Where a part stands that this release takes for something else. */
  readonly misread: (readonly [start: number, end: number])[] = [];
  /** flex found no rule for the line end after an `=`, and ended the process. */
  isJammed = false;
  readonly #values: Map<string, JsonValue | undefined> = new Map();
  #spec = '';
  #at = 0;
  #taken = 0;
  #lineEnd: (at: number) => number = () => 0;
  #delimiter: (at: number) => number = () => 0;
  #isCdrom = false;
  #isReadWrite = true;
  #hasPrefix = false;
  #hasAccess = false;

  /** libxl's structure. */
  get members(): Members {
    return inOrder(FIELDS, this.#values);
  }

  /** Reads one text; what it says is added to what is known. */
  read(spec: string): void {
    this.#spec = spec;
    this.#at = 0;
    this.#lineEnd = nextMatch(spec, /\n/g);
    this.#delimiter = nextMatch(spec, /[=,]/g);
    while (this.#at < this.#spec.length && this.#step());
  }

  /** All of it was read: fills in what follows from it, and sees whether anything is missing. */
  finish(): void {
    if (this.problems.length > 0) return;
    if (this.#values.get('format') === undefined) this.#values.set('format', 'raw');
    if (this.#isCdrom) {
      this.#isReadWrite = false;
      this.#values.set('removable', 1);
      this.#values.set('is_cdrom', 1);
      if (this.#path() === '') this.#values.set('format', 'empty');
    }
    if (this.#isReadWrite) this.#values.set('readwrite', 1);
    if (this.#values.get('vdev') === undefined) this.#problem('no vdev specified', undefined);
    else if (this.#values.get('pdev_path') === undefined && !this.#isCdrom) {
      this.#problem('no target specified (and device not removable)', undefined);
    }
  }

  #path(): string {
    return this.#text('pdev_path') ?? '';
  }

  #text(field: string): string | undefined {
    const value = this.#values.get(field);
    return typeof value === 'string' ? value : undefined;
  }

  #step(): boolean {
    let best: Match | undefined;
    for (const match of this.#matches()) if (best === undefined || match.length > best.length) best = match;
    if (best === undefined) return this.#badSyntax();
    this.#taken = best.taken;
    const text = this.#spec.slice(this.#at, this.#at + best.taken);
    const goesOn = best.act(text);
    this.#at += best.taken;
    return goesOn;
  }

  /** The rules that match here, in their order. */
  *#matches(): Generator<Match> {
    const spec = this.#spec;
    const at = this.#at;
    const blanks = /[ \t\n]+/y;
    blanks.lastIndex = at;
    const run = blanks.exec(spec)?.[0].length ?? 0;
    if (run > 0) {
      const after = at + run;
      yield this.#match(after === spec.length ? run : run + this.#restOfLine(after), run, () => true);
    }
    yield* this.#named();
    const prefix = /([a-z][a-z0-9]*):/y;
    prefix.lastIndex = at;
    const name = prefix.exec(spec)?.[1];
    if (name !== undefined) yield* this.#prefixed(name);
    const end = this.#delimiter(at);
    const length = end - at + (spec[end] === ',' ? 1 : 0);
    if (length > 0) yield this.#match(length, length, (text) => this.#positional(strip(text, ',')));
  }

  *#named(): Generator<Match> {
    const value = (name: string, act: (value: string, text: string) => void): Match[] => this.#valueMatch(name, act);
    yield* value('format', (text) => this.#choose('format', FORMATS, text));
    yield* this.#flag('cdrom', () => this.#setCdrom(true));
    yield* this.#flag('devtype=cdrom', () => this.#setCdrom(true));
    yield* this.#flag('devtype=disk', () => this.#setCdrom(false));
    yield* value('devtype', (_, text) => this.#problem('unknown value for type', text));
    yield* value('access', (text) => this.#setAccess(text));
    yield* value('backendtype', (text) => this.#choose('backend', BACKENDS, text, 'backendtype'));
    yield* value('specification', (text) => this.#choose('specification', SPECIFICATIONS, text));
    for (const [name, field] of TEXTS) yield* value(name, (text) => this.#save(name, field, text));
    for (const [word, field, flag] of FLAGS) yield* this.#flag(word, () => this.#values.set(field, flag));
    yield* value('colo-port', (text) => this.#setPort(text));
    if (this.#spec.startsWith('target=', this.#at)) {
      const length = this.#restOfLine(this.#at);
      yield this.#match(length, length, (text) =>
        this.#done(this.#save('target', 'pdev_path', strip(text, ',').slice(7))),
      );
    }
    const unknown = /[a-z][-a-z0-9]*=[^,],?/y;
    unknown.lastIndex = this.#at;
    const length = unknown.exec(this.#spec)?.[0].length ?? 0;
    if (length > 0) yield this.#match(length, length, (text) => this.#done(this.#problem('unknown parameter', text)));
  }

  /** Prefixes count as if they were as long as the rest of the line. */
  *#prefixed(name: string): Generator<Match> {
    const taken = name.length + 1;
    const length = taken + this.#restOfLine(this.#at + taken);
    if (/^(?:raw|qcow2?|vhd)$/.test(name)) {
      yield this.#match(length, taken, () => this.#prefix(() => this.#choose('format', FORMATS, name)));
    } else if (/^(?:iscsi|e?nbd|drbd)$/.test(name)) {
      yield this.#match(length, taken, () => this.#prefix(() => this.#save('script', 'script', `block-${name}`)));
    } else if (/^(?:tapdisk|tap2?|aio|ioemu|file|phy)$/.test(name)) {
      yield this.#match(length, taken, () => this.#prefix(() => {}));
    }
    // Any other prefix is unknown; before a line end, a known one is too.
    const next = this.#spec.charAt(this.#at + taken);
    const counts = next === '' || /[a-z0-9]/.test(next) ? taken : taken + 1 + this.#restOfLine(this.#at + taken + 1);
    yield this.#match(counts, taken, (text) => {
      this.#problem('unknown deprecated disk prefix', text);
      return false;
    });
  }

  #prefix(act: () => void): boolean {
    this.#hasPrefix = true;
    act();
    return true;
  }

  #match(length: number, taken: number, act: (text: string) => boolean): Match {
    return { length, taken, act };
  }

  /** The word, and a comma after it. */
  #flag(word: string, act: () => void): Match[] {
    if (!this.#spec.startsWith(word, this.#at)) return [];
    const length = word.length + (this.#spec[this.#at + word.length] === ',' ? 1 : 0);
    return [this.#match(length, length, () => this.#done(act()))];
  }

  /** `name=`, all up to the next comma, and that. */
  #valueMatch(name: string, act: (value: string, text: string) => void): Match[] {
    if (!this.#spec.startsWith(`${name}=`, this.#at)) return [];
    const comma = this.#spec.indexOf(',', this.#at);
    const length = (comma === -1 ? this.#spec.length : comma + 1) - this.#at;
    return [this.#match(length, length, (text) => this.#done(act(strip(text, ',').slice(name.length + 1), text)))];
  }

  #done(_: unknown): true {
    return true;
  }

  /** How many characters there are before the next line end. */
  #restOfLine(at: number): number {
    return this.#lineEnd(at) - at;
  }

  /** Only an `=` begins nothing; everything up to the line end is quoted. */
  #badSyntax(): boolean {
    this.#taken = this.#restOfLine(this.#at);
    // XEN: at the end of the entry flex is done before the rule gets to report it.
    if (this.#at + 1 === this.#spec.length) return false;
    if (this.#taken === 1) this.isJammed = true;
    this.#problem('bad disk syntax', this.#spec.slice(this.#at, this.#at + this.#taken));
    return false;
  }

  #problem(message: string, near: string | undefined): void {
    if (this.problems.length >= MOST_PROBLEMS) return;
    const end = near === undefined ? this.#at : this.#at + this.#taken;
    this.problems.push({ message, near, start: this.#at, end });
  }

  #save(name: string, field: string, value: string): void {
    const earlier = this.#text(field) ?? '';
    if (earlier !== '') this.#problem(`${name} respecified`, value);
    else this.#values.set(field, value);
  }

  #choose(field: string, choices: ReadonlyMap<string, string>, word: string, name = field): void {
    const choice = choices.get(word);
    const earlier = this.#text(field);
    if (choice === undefined) this.#problem(`unknown value for ${name}`, word);
    else if (earlier !== undefined && earlier !== choice) this.#problem(`${field} respecified`, word);
    else this.#values.set(field, choice);
  }

  #setCdrom(isCdrom: boolean): void {
    this.#isCdrom = isCdrom;
  }

  #setAccess(word: string): void {
    if (word === 'r' || word === 'ro') this.#isReadWrite = false;
    else if (word === 'rw' || word === 'w' || word === '') this.#isReadWrite = true;
    else this.#problem('unknown value for access', word);
  }

  #setPort(word: string): void {
    const port = atoi(word);
    if (port === 0) this.#problem('unknown value for colo_port', word);
    else this.#values.set('colo_port', port);
  }

  #positional(word: string): boolean {
    if (this.problems.length > 0) return true;
    // XEN: 4.17 has a rule for these words, but was shipped with a scanner made before it.
    if (/^(?:un)?trusted$/.test(word)) this.misread.push([this.#at, this.#at + word.length]);
    if (this.#text('pdev_path') === undefined) this.#save('target', 'pdev_path', word);
    else if (!this.#hasPrefix && this.#text('format') === undefined) {
      if (this.#path() === '' && this.#vdevAndType(word)) this.#values.set('format', 'empty');
      else this.#choose('format', FORMATS, word);
    } else if (this.#text('vdev') === undefined) {
      if (!this.#vdevAndType(word)) this.#save('vdev', 'vdev', word);
    } else if (this.#hasAccess) {
      this.#problem('too many positional parameters', word);
      return false;
    } else {
      this.#hasAccess = true;
      this.#setAccess(word);
    }
    return true;
  }

  /** `hdc:cdrom`, an older way; false when there is no colon. */
  #vdevAndType(word: string): boolean {
    const colon = word.lastIndexOf(':');
    if (colon === -1) return false;
    this.#save('vdev', 'vdev', word.slice(0, colon));
    const type = word.slice(colon + 1);
    if (type === 'cdrom' || type === 'disk') this.#isCdrom = type === 'cdrom';
    else this.#problem('unknown deprecated type', type);
    return true;
  }
}

/** Where the pattern next matches from an offset on, or the text ends; what was found before is not looked for again. */
function nextMatch(text: string, pattern: RegExp): (at: number) => number {
  let from = 0;
  let end = -1;
  return (at) => {
    if (at < from || at > end) {
      from = at;
      pattern.lastIndex = at;
      end = pattern.exec(text)?.index ?? text.length;
    }
    return end;
  };
}

function strip(text: string, delimiter: string): string {
  return text.endsWith(delimiter) ? text.slice(0, -1) : text;
}
