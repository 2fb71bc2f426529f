/**
 * Reads what Xen's FLASK wrote into a log, whatever else is in it.
 *
 * One pass over the text; nothing in it is searched twice. Format: Xen `xen/xsm/flask/avc.c` (`avc_audit`) of 4.0 to
 * master, `hooks.c` (`avc_unknown_permission`, before 4.5 `flask_domctl` and its like), `ss/services.c`.
 * Start reading at `readLog`.
 *
 * @module
 */
import { releasesWith, XEN_RELEASES, xenRelease } from '../releases/index.ts';
import { type BrokenMessage, cleaned, isEscaped, joined, withoutSign } from './join-lines.ts';
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
  for (const quoted of text.slice(open + 1, close).split(' ')) {
    const word = quoted.replace(/^["'`](.*)["'`]$/, '$1');
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

/** Whether some release of Xen has the class and the permissions of a line. */
function isOfSomeXen({ class: tclass, permissions }: AvcLine): boolean {
  return permissions.length > 0 && permissions.every((one) => releasesWith(tclass, one).length > 0);
}

/** Whether a name is the beginning of a class of some Xen, and no class. */
function isCutClass(name: string): boolean {
  const classes = XEN_RELEASES.flatMap((release) => xenRelease(release).classes);
  return classes.some((one) => one.name.startsWith(name)) && !classes.some((one) => one.name === name);
}

/** How many messages a line says were left out by a limit on their rate. XEN: `printk_ratelimit` of console.c. */
function suppressedIn(line: string): number {
  const found = /\b(\d{1,9}) messages? (?:suppressed|dropped)|\bSuppressed (\d{1,9}) messages/.exec(line);
  return Number(found?.[1] ?? found?.[2] ?? 0);
}

/** A label as policies have them: what was put together of pieces must have no other. */
function isPlainLabel(label: string | number): boolean {
  return typeof label === 'number' || /^[A-Za-z0-9_.:,-]+$/.test(label);
}

/** A line of the log, and what it shows of one message. */
interface Place extends BrokenMessage {
  readonly text: string;
  /** Where the next line begins. */
  readonly next: number;
  readonly line: number;
}

/**
 * A message that goes on in the next lines. What comes of it must be of a class and of permissions that some Xen has; else
 * a stranger's line could be taken for the rest.
 */
function readWrapped(place: Place): { line: AvcLine; used: number } | undefined {
  for (const { message, used } of joined(place, place.text, place.next, MARK)) {
    const found = readAvc(message.replaceAll('\t', ' '), place.line);
    if (typeof found === 'string' || !isOfSomeXen(found)) continue;
    if (isPlainLabel(found.source) && isPlainLabel(found.target)) return { line: found, used };
  }
  return undefined;
}

/** What FLASK says beside avc lines, whole or as the beginning of what was wrapped. */
const OTHER_BEGINNINGS =
  /FLASK: (?:Denying|Allowing) unknown|flask_[a-z_]{1,40}: Unknown op|Flask: {1,4}(?:invalidating )?context|security_compute_sid: {1,4}invalid context/;

function readOther(text: string, line: number): LogLine | undefined {
  return readUnknown(text, line) ?? readLabel(text, line) ?? readMode(text, line);
}

/** The same of a line of FLASK's that is no avc line; 'broken' where it begins as one and does not end. */
function readOtherAt(place: Place): { line: LogLine; used: number } | 'broken' | undefined {
  const whole = readOther(place.first, place.line);
  if (whole !== undefined) return { line: whole, used: 0 };
  if (!OTHER_BEGINNINGS.test(place.first)) return undefined;
  for (const { message, used } of joined(place, place.text, place.next, MARK)) {
    const found = readOther(message, place.line);
    if (found !== undefined) return { line: found, used };
  }
  return 'broken';
}

/**
 * Whether what stands before a mark is of a guest. Xen puts `(d1)` before a guest's own line and ends it itself, so that
 * all of the line is the guest's, whatever `(XEN)` it wrote there to look like Xen.
 * XEN: `guest_console_write` and `guest_printk` of console.c.
 */
function isGuests(before: string): boolean {
  return /\(d\d{1,5}\)/.test(before);
}

/** A line that has the end of an avc message, whose beginning is lost: a ring that was full begins with one. */
function isRest(line: string): boolean {
  return line.includes('scontext=') && line.includes('tclass=') && !line.includes('SELinux');
}

/** All that FLASK wrote into a text. Lines end with a newline, with or without a carriage return. */
export function readLog(text: string, limits: LogLimits = DEFAULT_LOG_LIMITS): LogReading {
  const lines: LogLine[] = [];
  const broken: number[] = [];
  let linuxLines = 0;
  let guestLines = 0;
  let suppressed = 0;
  let skipped = 0;
  let number = 0;
  let from = 0;
  /** `used` more lines were read with it. */
  const keep = (one: LogLine, used = 0): void => {
    if (lines.length < limits.lines) lines.push(one);
    else skipped++;
    for (let left = used; left > 0; left--) from = text.indexOf('\n', from) + 1 || text.length;
    number += used;
  };
  const tellBroken = (line: number): void => {
    if (broken.at(-1) !== line) broken.push(line);
  };
  while (from < text.length) {
    const newline = text.indexOf('\n', from);
    const end = newline < 0 ? text.length : newline;
    number++;
    // Most of a log is of others: only what can be FLASK's is looked at closely.
    let whole = text.slice(from, Math.min(end, from + limits.lineLength));
    from = end + 1;
    const isQuoted = whole.includes('=3D');
    // A colour can stand within the mark, where a search put it; so can a tag of a page.
    if (whole.includes('\x1b') || isEscaped(whole)) whole = cleaned(whole);
    const line = number;
    if (!whole.includes(MARK)) {
      if (/flask|security_compute_sid/i.test(whole)) {
        const clean = cleaned(whole);
        const at = OTHER_BEGINNINGS.exec(clean)?.index ?? 0;
        const place = { before: clean.slice(0, at), first: clean.slice(at), isQuoted, text, next: from, line };
        // Linux has messages in the same words.
        const isOthers = isGuests(place.before) || place.before.includes('SELinux');
        const one = isOthers ? undefined : readOtherAt(place);
        if (one === 'broken') tellBroken(line);
        else if (one !== undefined) keep(one.line, one.used);
      } else if (isRest(whole)) tellBroken(line);
      else if (whole.includes('messages')) suppressed += suppressedIn(whole);
      continue;
    }
    // On a shared serial line several messages can stand in one line.
    const [before = '', ...parts] = cleaned(whole).split(MARK);
    if (isGuests(before)) {
      guestLines++;
      continue;
    }
    for (const [i, written] of parts.entries()) {
      if (i > 0 && isGuests(parts[i - 1] ?? '')) {
        guestLines++;
        break;
      }
      const isLast = i === parts.length - 1;
      const part = isLast ? withoutSign(written, isQuoted) : written;
      const one = readAvc(part.replaceAll('\t', ' '), line);
      if (one === 'linux') {
        linuxLines++;
        continue;
      }
      if (one === 'other') continue;
      // The class itself can be cut in two.
      const isCut = one === 'broken' || (/tclass=\w*$/.test(part) && !isOfSomeXen(one));
      const wrapped =
        isCut && isLast ? readWrapped({ before, first: part, isQuoted, text, next: from, line }) : undefined;
      if (wrapped !== undefined) keep(wrapped.line, wrapped.used);
      else if (one === 'broken' || (isCut && newline < 0 && isCutClass(one.class))) tellBroken(line);
      else keep(one);
    }
  }
  return { lines, lineCount: number, broken, linuxLines, guestLines, suppressed, skipped };
}
