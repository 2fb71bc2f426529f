/**
 * Reads what Xen's FLASK wrote into a log, whatever else is in it.
 *
 * One pass over the text; nothing in it is searched twice. Format: Xen `xen/xsm/flask/avc.c` (`avc_audit`) of 4.0 to
 * master, `hooks.c` (`avc_unknown_permission`, before 4.5 `flask_domctl` and its like), `ss/services.c`.
 * Start reading at `readLog`.
 *
 * @module
 */
import { releasesWith } from '../releases/index.ts';
import {
  type AvcLine,
  DEFAULT_LOG_LIMITS,
  type DetailName,
  type LabelLine,
  type LogLimits,
  type LogLine,
  type LogReading,
  type ModeLine,
  type UnknownOperationLine,
} from './log-lines.ts';

const MARK = 'avc:';

/** Words that only SELinux in Linux writes. */
const LINUX_WORDS = ['pid=', 'comm=', 'permissive=', 'path=', 'dev=', 'ino=', 'name=', 'capability='];

const DETAILS: readonly DetailName[] = ['device', 'irq', 'range', 'pte', 'mfn', 'dtdevice'];

function isDetail(name: string): name is DetailName {
  const names: readonly string[] = DETAILS;
  return names.includes(name);
}

/** Colours of a terminal, and whatever else is not text. */
function cleaned(text: string): string {
  // One character after the other: the pattern of a colour has a bounded length.
  return text.replaceAll(/\x1b\[[0-9;]{0,16}[A-Za-z]|[\0-\x08\x0b-\x1f\x7f]/g, '');
}

/** The name at the beginning of a word: what stands behind it may be glued to it. */
function leadingName(word: string): string {
  return /^[A-Za-z0-9_]{0,128}/.exec(word)?.[0] ?? '';
}

/** A label, without quotation marks or commas that a log's own format put around it. */
function labelOf(word: string): string {
  return /^[^\s"'\\;]{0,4096}/.exec(word)?.[0].replace(/,$/, '') ?? '';
}

/** A domain without the `d` of `%pd`; undefined for what no Xen writes. */
function domainOf(word: string): string | undefined {
  return /^d?(\d{1,10}|\[[A-Za-z0-9]{1,16}\])$/.exec(word.replace(/[,;]$/, ''))?.[1];
}

type Fields = Map<string, string>;

/** What stands behind `for`: words with `=`. A path may have spaces in it, so its end is where the labels begin. */
function fieldsOf(text: string): Fields {
  const fields: Fields = new Map();
  const path = text.indexOf('dtdevice=');
  let rest = text;
  if (path >= 0) {
    const end = text.indexOf(' scontext=', path);
    const stop = end >= 0 ? end : text.indexOf(' ssid=', path);
    if (stop >= 0) {
      fields.set('dtdevice', text.slice(path + 'dtdevice='.length, stop));
      rest = text.slice(0, path) + text.slice(stop);
    }
  }
  for (const word of rest.split(' ')) {
    const at = word.indexOf('=');
    if (at > 0 && !fields.has(word.slice(0, at))) fields.set(word.slice(0, at), word.slice(at + 1));
  }
  return fields;
}

/** A label or a SID, whichever of the two the line has. */
function endOf(fields: Fields, label: string, sid: string): string | number | undefined {
  const text = fields.get(label);
  if (text !== undefined) return labelOf(text) === '' ? undefined : labelOf(text);
  const number = /^-?\d{1,10}/.exec(fields.get(sid) ?? '')?.[0];
  return number === undefined ? undefined : Number(number);
}

/** The words between braces, or undefined where they are not there. `null` stands for an empty vector. */
function vectorOf(text: string): { names: string[]; unnamedBits: number; rest: string } | undefined {
  const open = text.indexOf('{');
  const nothing = /^ {0,8}null for /.exec(text);
  if (nothing !== null) return { names: [], unnamedBits: 0, rest: text.slice(nothing[0].length) };
  if (open < 0 || text.slice(0, open).trim() !== '') return undefined;
  const close = text.indexOf('}', open);
  if (close < 0) return undefined;
  const names: string[] = [];
  let unnamedBits = 0;
  for (const word of text.slice(open + 1, close).split(' ')) {
    if (word === '') continue;
    if (/^0x[0-9a-f]{1,8}$/i.test(word)) unnamedBits = (unnamedBits | Number(word)) >>> 0;
    else if (leadingName(word) === word && names.length < 32) names.push(word);
    else return undefined;
  }
  return { names, unnamedBits, rest: text.slice(close + 1) };
}

/** One avc message; `text` begins behind the mark and ends before the next one. */
function readAvc(text: string, line: number): AvcLine | 'linux' | 'other' | 'broken' {
  const outcome = /^ {1,8}(denied|granted)(?= |$)/.exec(text);
  if (outcome === null) {
    // Xen writes other things after the mark, such as `seqno`; a line that ends within the word is cut off.
    return /^ *(?:d(?:e(?:n(?:i(?:e)?)?)?)?|g(?:r(?:a(?:n(?:t(?:e)?)?)?)?)?)?$/.test(text.slice(0, 64))
      ? 'broken'
      : 'other';
  }
  const vector = vectorOf(text.slice(outcome[0].length));
  if (vector === undefined) return 'broken';
  const fields = fieldsOf(vector.rest);
  if (LINUX_WORDS.some((word) => fields.has(word.slice(0, -1)))) return 'linux';
  const source = endOf(fields, 'scontext', 'ssid');
  const target = endOf(fields, 'tcontext', 'tsid');
  const tclass = leadingName(fields.get('tclass') ?? '');
  if (source === undefined || target === undefined || tclass === '') return 'broken';
  const domain = (name: string): string | undefined => domainOf(fields.get(name) ?? '');
  const details: Partial<Record<DetailName, string>> = {};
  for (const [name, value] of fields) if (isDetail(name)) details[name] = value;
  return {
    kind: 'avc',
    line,
    outcome: outcome[1] === 'granted' ? 'granted' : 'denied',
    permissions: vector.names,
    unnamedBits: vector.unnamedBits,
    source,
    target,
    class: tclass,
    sourceDomain: domain('source') ?? domain('domid'),
    targetDomain: domain('target'),
    currentDomain: domain('current'),
    details,
    hasOldNames: fields.has('domid'),
  };
}

const UNKNOWN = /FLASK: (Denying|Allowing) unknown ([a-z_][a-z_ ]{0,40}): (-?\d{1,10})/;
/** Before Xen 4.5, and only where the operation was denied. */
const OLD_UNKNOWN = /flask_([a-z_]{1,40}): Unknown op (-?\d{1,10})/;

function readUnknown(text: string, line: number): UnknownOperationLine | undefined {
  const found = UNKNOWN.exec(text);
  if (found !== null) {
    const outcome = found[1] === 'Denying' ? 'denied' : 'allowed';
    return { kind: 'unknown-operation', line, outcome, group: found[2] ?? '', number: Number(found[3]) };
  }
  const old = OLD_UNKNOWN.exec(text);
  if (old === null) return undefined;
  return { kind: 'unknown-operation', line, outcome: 'denied', group: old[1] ?? '', number: Number(old[2]) };
}

function readLabel(text: string, line: number): LabelLine | undefined {
  const base = { kind: 'label', line, source: undefined, target: undefined, class: undefined } as const;
  const dropped = /Flask: {1,4}invalidating context (\S{1,4096})/.exec(text);
  if (dropped !== null) return { ...base, event: 'invalidated', label: dropped[1] ?? '' };
  const kept = /Flask: {1,4}context (\S{1,4096}) is invalid/.exec(text);
  if (kept !== null) return { ...base, event: 'invalid', label: kept[1] ?? '' };
  const computed = /security_compute_sid: {1,4}invalid context (\S{1,4096}) for /.exec(text);
  if (computed === null) return undefined;
  const fields = fieldsOf(text.slice(computed.index + computed[0].length));
  return {
    ...base,
    event: 'computed-invalid',
    label: computed[1] ?? '',
    source: fields.get('scontext'),
    target: fields.get('tcontext'),
    class: leadingName(fields.get('tclass') ?? ''),
  };
}

const MODES: readonly (readonly [text: string, mode: ModeLine['mode']])[] = [
  ['Starting in enforcing mode', 'enforcing'],
  ['Starting in permissive mode', 'permissive'],
  ['continuing in enforcing mode', 'enforcing'],
  ['continuing in permissive mode', 'permissive'],
  ['Access controls disabled until policy is loaded', 'late'],
  ['Disabled at boot', 'disabled'],
];

function readMode(text: string, line: number): ModeLine | undefined {
  const at = text.indexOf('Flask:');
  const found = at < 0 ? undefined : MODES.find(([words]) => text.includes(words, at));
  return found && { kind: 'mode', line, mode: found[1] };
}

/** Lines over which one message can be wrapped, beside the first. */
const WRAPPED = 4;
/** Longer pieces than this were not wrapped for a screen or a letter. */
const PIECE = 400;

/** What a line can hold that goes on with the one before: nothing that begins a message of its own. */
function continuation(line: string): string | undefined {
  const text = cleaned(line);
  return text.length > PIECE || text.includes(MARK) || text.includes('(XEN)') || text.trim() === '' ? undefined : text;
}

function isOfSomeXen({ class: tclass, permissions }: AvcLine): boolean {
  return permissions.length > 0 && permissions.every((one) => releasesWith(tclass, one).length > 0);
}

/** How much a line names. */
function namedBy({ sourceDomain, targetDomain, currentDomain, details, permissions }: AvcLine): number {
  const domains = [sourceDomain, targetDomain, currentDomain].filter((one) => one !== undefined).length;
  return domains + Object.keys(details).length + permissions.length;
}

/**
 * A message that goes on in the next lines, as terminals and letters wrap them: within a word, or at a space that is lost.
 * What comes of it must be of a class and of permissions that some Xen has; else a stranger's line could be taken for the rest.
 */
function readWrapped(
  first: string,
  next: readonly string[],
  line: number,
): { line: AvcLine; used: number } | undefined {
  let pieces = [first];
  for (const [i, more] of next.entries()) {
    const text = continuation(more);
    if (text === undefined) return undefined;
    // Both ways for each break: few enough.
    pieces = pieces.flatMap((piece) => [
      piece + text,
      `${piece.trimEnd()} ${text.trimStart()}`,
      piece + text.trimStart(),
    ]);
    const read = pieces.flatMap((piece) => {
      const found = readAvc(piece.replaceAll('\t', ' '), line);
      return typeof found !== 'string' && isOfSomeXen(found) ? [found] : [];
    });
    // Words that were glued together name less; of equals the first one, in which nothing was put.
    const [best] = read.toSorted((a, b) => namedBy(b) - namedBy(a));
    if (best !== undefined) return { line: best, used: i + 1 };
  }
  return undefined;
}

/** The next few lines of a text. */
function linesFrom(text: string, start: number): string[] {
  const found: string[] = [];
  for (let from = start; from < text.length && found.length < WRAPPED; ) {
    const newline = text.indexOf('\n', from);
    const end = newline < 0 ? text.length : newline;
    // One character more than a piece may have tells that it is too long.
    found.push(text.slice(from, Math.min(end, from + PIECE + 1)));
    from = end + 1;
  }
  return found;
}

/** Whether what stands before a mark is the beginning of a guest's own line: Xen puts `(d1)` before those. */
function isGuests(before: string): boolean {
  return /\(d\d{1,5}\)[^(]{0,512}$/.test(before.slice(-600));
}

/** All that FLASK wrote into a text. Lines end with a newline, with or without a carriage return. */
export function readLog(text: string, limits: LogLimits = DEFAULT_LOG_LIMITS): LogReading {
  const lines: LogLine[] = [];
  const broken: number[] = [];
  let linuxLines = 0;
  let guestLines = 0;
  let skipped = 0;
  let number = 0;
  const keep = (one: LogLine): void => {
    if (lines.length < limits.lines) lines.push(one);
    else skipped++;
  };
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf('\n', from);
    const end = newline < 0 ? text.length : newline;
    number++;
    // Most of a log is of others: only what can be FLASK's is looked at closely.
    const whole = text.slice(from, Math.min(end, from + limits.lineLength));
    from = end + 1;
    const first = whole.indexOf(MARK);
    if (first < 0) {
      const folded = /flask|security_compute_sid/i.test(whole) ? cleaned(whole) : undefined;
      if (folded === undefined) continue;
      const one = readUnknown(folded, number) ?? readLabel(folded, number) ?? readMode(folded, number);
      if (one !== undefined) keep(one);
      continue;
    }
    // On a shared serial line several messages can stand in one line.
    const [before = '', ...parts] = cleaned(whole).split(MARK);
    if (isGuests(before)) {
      guestLines++;
      continue;
    }
    for (const [i, part] of parts.entries()) {
      const one = readAvc(part.replaceAll('\t', ' '), number);
      if (one === 'linux') linuxLines++;
      else if (one === 'broken') {
        const wrapped = i === parts.length - 1 ? readWrapped(part, linesFrom(text, from), number) : undefined;
        if (wrapped !== undefined) {
          keep(wrapped.line);
          for (let used = 0; used < wrapped.used; used++) from = text.indexOf('\n', from) + 1 || text.length;
          number += wrapped.used;
          continue;
        }
        if (broken.at(-1) !== number) broken.push(number);
      } else if (one !== 'other') keep(one);
    }
  }
  return { lines, lineCount: number, broken, linuxLines, guestLines, skipped };
}
