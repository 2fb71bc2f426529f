/**
 * The file of a simulated host: JSON, a value on each line, in ASCII.
 *
 *     ["hypervisor","domains",0,3,[0,{…},1,{…},2,{…}]]
 *     ["hypervisor","policy",0,1,"8cff7cf9…"]
 *     {"version":2,"policy":{…},"hypervisor":{…},"toolstack":{…},"pages":{…}}
 *     ["head",4711,815]
 *
 * A list is a page of the records that there are many of: the part of the host, the name of the table, the number of the
 * page, how many records it has, and they. The object has all that there is one of, and says where the pages stand that
 * count: of each `[page, count, offset, length]`. The last line says where that object stands. A command adds the pages
 * that it changed, such an object and such a line; what no such line follows was left by a command that was killed, and
 * does not count. So a command reads the pages that it needs, and writes those that it changed.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { HypervisorSnapshot } from '@dewar/hypervisor';
import { InvariantError } from '@dewar/policy/text';
import type { KeptPage, ToolstackSnapshot } from '@dewar/toolstack';

/** What is kept of a host. */
export interface HostSnapshot {
  readonly policy: { readonly name: string; readonly sha256: string };
  readonly hypervisor: HypervisorSnapshot;
  readonly toolstack: ToolstackSnapshot;
}

/** Where the records of a page stand. */
interface Place {
  readonly count: number;
  readonly offset: number;
  readonly length: number;
}

/** The pages that count, by the part of the host and the table, and then by their numbers. */
type Index = Map<string, Map<number, Place>>;

/** The object that counts, as it was read. */
interface Head {
  readonly policy: unknown;
  readonly hypervisor: Readonly<Record<string, unknown>>;
  readonly toolstack: Readonly<Record<string, unknown>>;
  readonly index: Index;
  /** Where the file ends, as far as it counts. */
  readonly end: number;
  readonly length: number;
}

/** The bytes of the policy that the host has loaded are a page too, for most commands do not change them. */
const POLICY = 'hypervisor.policy';

const NOT_ASCII = /[^\x20-\x7e]/g;

function ascii(text: string): string {
  return text.replace(NOT_ASCII, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Puts a page into the index, and answers its line. */
function pageLine(index: Index, name: string, { page, count, text }: KeptPage, at: number): string {
  const [part, table] = name.split('.');
  const prefix = `["${part}","${table}",${page},${count},`;
  const records = ascii(text);
  const pages = index.get(name) ?? new Map<number, Place>();
  index.set(name, pages);
  if (count === 0) pages.delete(page);
  else pages.set(page, { count, offset: at + prefix.length, length: records.length });
  return `${prefix}${records}]\n`;
}

function indexText(index: Index): Record<string, number[]> {
  const entries = Array.from(index, ([name, pages]): [string, number[]] => [
    name,
    Array.from(pages, ([page, { count, offset, length }]) => [page, count, offset, length]).flat(),
  ]);
  return Object.fromEntries(entries);
}

/** The lines of some pages, and of the object after them, that stand at `start` of a file with an index. */
function linesAt(start: number, index: Index, loaded: string | undefined, snapshot: HostSnapshot): string {
  const { policy, hypervisor, toolstack } = snapshot;
  const { tables: domains, flask, ...xen } = hypervisor;
  const { tables: guests, ...tools } = toolstack;
  const { policy: bytes, ...mode } = flask;
  let at = start;
  const lines: string[] = [];
  const add = (line: string): void => {
    lines.push(line);
    at += line.length;
  };
  const parts = { hypervisor: domains, toolstack: guests };
  for (const [part, tables] of Object.entries(parts)) {
    for (const [table, pages] of Object.entries(tables)) {
      for (const page of pages) add(pageLine(index, `${part}.${table}`, page, at));
    }
  }
  if (bytes !== loaded) add(pageLine(index, POLICY, { page: 0, count: 1, text: JSON.stringify(bytes) }, at));
  const kept = { version: 2, policy, hypervisor: { ...xen, flask: mode }, toolstack: tools };
  const head = ascii(JSON.stringify({ ...kept, pages: indexText(index) }));
  const foot = `["head",${at},${head.length}]\n`;
  add(`${head}\n`);
  add(foot);
  return lines.join('');
}

/** The text of a file with nothing but a host. */
export function hostText(snapshot: HostSnapshot): string {
  return linesAt(0, new Map(), undefined, snapshot);
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readIndex(value: unknown, end: number): Index | undefined {
  if (!isFields(value)) return undefined;
  const index: Index = new Map();
  for (const [name, list] of Object.entries(value)) {
    if (!Array.isArray(list) || list.length % 4 !== 0) return undefined;
    const numbers: readonly unknown[] = list;
    const pages = new Map<number, Place>();
    for (let i = 0; i < numbers.length; i += 4) {
      const [page, count, offset, length] = numbers
        .slice(i, i + 4)
        .map((one) => (Number.isSafeInteger(one) ? Number(one) : -1));
      if (page === undefined || count === undefined || offset === undefined || length === undefined) return undefined;
      if (page < 0 || count < 1 || offset < 0 || length < 0 || offset + length > end) return undefined;
      pages.set(page, { count, offset, length });
    }
    index.set(name, pages);
  }
  return index;
}

const FOOT = /\["head",([0-9]{1,15}),([0-9]{1,15})\]\n$/;

/** Longer than the last line ever is. */
const FOOT_SIZE = 64;

const FOOT_START = '\n["head",';

/** A file that is open for reading. */
export class HostFile {
  readonly #file: number;
  readonly #size: number;
  #head: Head | undefined;
  #isClosed = false;

  private constructor(file: number, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /**
   * Opens a file, which has to be closed; undefined where it holds no host. Throws what the file system does, and
   * `SyntaxError` where what counts is no JSON.
   */
  static open(path: string): HostFile | undefined {
    const file = openSync(path, 'r');
    try {
      const opened = new HostFile(file, fstatSync(file).size);
      opened.#head = opened.#readHead();
      if (opened.#head !== undefined) return opened;
    } catch (error) {
      closeSync(file);
      throw error;
    }
    closeSync(file);
    return undefined;
  }

  /** Ends reading: what is asked for later is an error. */
  close(): void {
    closeSync(this.#file);
    this.#isClosed = true;
  }

  /** Some bytes of it; fewer where it ends before. */
  #read(offset: number, length: number): string {
    if (this.#isClosed) throw new InvariantError('the file of the host is closed');
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.#size - offset)));
    let read = 0;
    while (read < bytes.length) {
      const got = readSync(this.#file, bytes, read, bytes.length - read, offset + read);
      if (got === 0) break;
      read += got;
    }
    return bytes.toString('latin1', 0, read);
  }

  /** Where the last line that says so puts the object, and where that line ends. */
  #find(): { readonly offset: number; readonly length: number; readonly end: number } | undefined {
    const tail = this.#read(Math.max(0, this.#size - FOOT_SIZE), FOOT_SIZE);
    const found = FOOT.exec(tail);
    if (found !== null) return { offset: Number(found[1]), length: Number(found[2]), end: this.#size };
    // A command was killed while it wrote: what counts ends somewhere before.
    const text = this.#read(0, this.#size);
    for (let at = text.lastIndexOf(FOOT_START); at >= 0; at = text.lastIndexOf(FOOT_START, at - 1)) {
      const end = text.indexOf('\n', at + 1) + 1;
      const line = FOOT.exec(text.slice(at + 1, end));
      if (line !== null) return { offset: Number(line[1]), length: Number(line[2]), end };
      if (at === 0) break;
    }
    return undefined;
  }

  #readHead(): Head | undefined {
    const found = this.#find();
    if (found === undefined) return undefined;
    const { offset, length, end } = found;
    const value: unknown = JSON.parse(this.#read(offset, length));
    if (!isFields(value)) return undefined;
    const { version, policy, hypervisor, toolstack, pages } = value;
    const index = readIndex(pages, end);
    if (version !== 2 || !isFields(hypervisor) || !isFields(toolstack) || index === undefined) return undefined;
    return { policy, hypervisor, toolstack, index, end, length };
  }

  /** What it says of the host. A page is read when it is asked for, as long as the file is open. */
  get host(): { readonly policy: unknown; readonly hypervisor: unknown; readonly toolstack: unknown } {
    const { policy, hypervisor, toolstack } = this.#counted();
    const flask = isFields(hypervisor['flask']) ? { ...hypervisor['flask'], policy: this.#loaded() } : undefined;
    return {
      policy,
      hypervisor: { ...hypervisor, flask, tables: this.#tables('hypervisor') },
      toolstack: { ...toolstack, tables: this.#tables('toolstack') },
    };
  }

  /** What is to stand behind the first `end` bytes, so that the file says what the changes say. */
  changed(changes: HostSnapshot): { readonly end: number; readonly text: string } {
    const { end, index } = this.#counted();
    const all: Index = new Map(Array.from(index, ([name, pages]) => [name, new Map(pages)]));
    return { end, text: linesAt(end, all, this.#loaded(), changes) };
  }

  /** How many of its bytes there would be if nothing had been put over anything, but for the beginnings of lines. */
  get needed(): number {
    const { index, length } = this.#counted();
    let needed = length;
    for (const pages of index.values()) for (const one of pages.values()) needed += one.length;
    return needed;
  }

  #counted(): Head {
    if (this.#head === undefined) throw new InvariantError('the file of the host was not read');
    return this.#head;
  }

  #loaded(): string {
    const place = this.#counted().index.get(POLICY)?.get(0);
    return place === undefined ? '' : String(JSON.parse(this.#read(place.offset, place.length)));
  }

  #tables(part: 'hypervisor' | 'toolstack'): Record<string, KeptPage[]> {
    const read = (place: Place): string => this.#read(place.offset, place.length);
    const tables: Record<string, KeptPage[]> = {};
    for (const [name, pages] of this.#counted().index) {
      const [own, table = ''] = name.split('.');
      if (own !== part || name === POLICY) continue;
      tables[table] = Array.from(pages, ([page, place]) => ({
        page,
        count: place.count,
        get text() {
          return read(place);
        },
      }));
    }
    return tables;
  }
}
