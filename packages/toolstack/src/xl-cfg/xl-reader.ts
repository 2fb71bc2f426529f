/**
 * Reads one key after another as xl does, and remembers what xl prints meanwhile.
 *
 * Two accounts are kept: what xl writes to its standard error and whether it exits, and our diagnostics. When
 * xl exits, its account is closed, but reading goes on for the sake of the diagnostics.
 *
 * @module
 */
import type { Diagnostic, Note, Origin } from '@dewar/policy/text';
import { cfg as report } from './diagnostics.ts';
import type { DeviceSpec, KeyValue } from './domain-config.ts';
import type { JsonValue } from './json.ts';
import { LABEL_KEYS } from './known-keys.ts';
import type { Setting, XlCfg, XlList } from './settings.ts';
import { showBytes } from './show-text.ts';
import {
  getBoundedLong,
  getDefbool,
  getList,
  getLong,
  getString,
  leadingStrings,
  type Reading,
  type Refusal,
} from './typed-readers.ts';

/** How xl ends early: it exits, or a signal ends it. */
export type XlEnd =
  | { readonly kind: 'exits'; readonly code: number }
  | { readonly kind: 'dies'; readonly signal: string };

/**
 * What xl does about a value that a reader refuses.
 *
 * `warns`: it prints the reader's warning. `tries`: it says nothing, and tries another reader.
 * `silent`: it says nothing and goes on as if the key were not set.
 */
export type Voice = 'warns' | 'tries' | 'silent';

const SILENT_NOTE: Note = { message: 'xl says nothing here and goes on without the key' };

/** Where the value of a setting was written. */
export function valueOrigin(setting: Setting): Origin {
  return { kind: 'written', span: setting.value.span };
}

export class XlReader {
  readonly cfg: XlCfg;
  readonly diagnostics: Diagnostic[] = [];
  readonly values: Map<string, KeyValue> = new Map();
  readonly members: Map<string, JsonValue> = new Map();
  /** How xl ended, once it has. */
  end: XlEnd | undefined;
  #stderr = '';
  /** Keys whose wrong shape we have told. */
  readonly #told = new Set<string>();

  constructor(cfg: XlCfg) {
    this.cfg = cfg;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** xl writes these lines. Some of its lines have no line end. */
  say(text: string, lineEnd: '' | '\n' = '\n'): void {
    if (this.end === undefined) this.#stderr += text + lineEnd;
  }

  /** xl writes a line, if any, and ends. Some lines of xl have no line end. */
  exit(code: number, text?: string, lineEnd: '' | '\n' = '\n'): void {
    if (this.end !== undefined) return;
    if (text !== undefined) this.#stderr += text + lineEnd;
    this.end = { kind: 'exits', code };
  }

  /** A signal ends xl. */
  die(signal: string): void {
    this.end ??= { kind: 'dies', signal };
  }

  setting(key: string): Setting | undefined {
    return this.cfg.byKey.get(key);
  }

  /** Where a key's value was written. */
  origin(key: string): Origin | undefined {
    const setting = this.setting(key);
    return setting === undefined ? undefined : valueOrigin(setting);
  }

  text(key: string, voice: Voice = 'warns'): string | undefined {
    const reading = this.#take(key, getString(this.cfg, key), voice);
    if (reading !== undefined) this.values.set(key, { kind: 'text', text: reading.value, origin: reading.origin });
    return reading?.value;
  }

  long(key: string, voice: Voice = 'warns'): bigint | undefined {
    const reading = this.#take(key, getLong(this.cfg, key), voice);
    if (reading !== undefined) this.values.set(key, { kind: 'number', value: reading.value, origin: reading.origin });
    return reading?.value;
  }

  /** A number that xl takes from 0 to INT_MAX; otherwise it exits without a word. */
  bounded(key: string): bigint | undefined {
    const found = getBoundedLong(this.cfg, key, 0n, 2147483647n);
    const reading = this.#take(key, found, 'tries');
    if (reading !== undefined) this.values.set(key, { kind: 'number', value: reading.value, origin: reading.origin });
    else if (this.setting(key) !== undefined) {
      this.exit(1);
      this.outOfRange(key, [
        'it must be a number from 0 to 2147483647',
        'xl says nothing here and exits with status 1',
      ]);
    }
    return reading?.value;
  }

  /** Our own word about a value that cannot be what it is. */
  outOfRange(key: string, why: readonly string[]): void {
    const setting = this.setting(key);
    if (setting === undefined) return;
    const value = setting.value.kind === 'list' ? 'a list' : `\`${showBytes(setting.value.text)}\``;
    const notes = why.map((message) => ({ message }));
    this.diagnostics.push(report['out-of-range'](valueOrigin(setting), { key, value }, { notes }));
  }

  flag(key: string, voice: Voice = 'warns'): boolean | undefined {
    const reading = this.#take(key, getDefbool(this.cfg, key), voice);
    if (reading !== undefined) this.values.set(key, { kind: 'flag', value: reading.value, origin: reading.origin });
    return reading?.value;
  }

  list(key: string, voice: Voice = 'warns'): XlList | undefined {
    const reading = this.#take(key, getList(this.cfg, key), voice);
    if (reading !== undefined)
      this.values.set(key, { kind: 'list', items: reading.value.items, origin: reading.origin });
    return reading?.value;
  }

  /** A list that xl reads until there is no text: what stands after a list in the list is left out. */
  specs(key: string): readonly DeviceSpec[] {
    const list = this.list(key);
    return list === undefined ? [] : this.leading(key, list);
  }

  /** The texts of a list up to the first item that is none, with a warning about the rest. */
  leading(key: string, list: XlList): readonly DeviceSpec[] {
    const strings = leadingStrings(list);
    const odd = list.items[strings.length];
    if (odd !== undefined) {
      const left = list.items.length - strings.length;
      const notes = [
        { message: `xl says nothing here and leaves out ${left === 1 ? 'this item' : `the last ${left} items`}` },
      ];
      this.diagnostics.push(report['unread-items']({ kind: 'written', span: odd.span }, { key }, { notes }));
    }
    return strings.map(({ text, span }) => ({ text, origin: { kind: 'written', span } }));
  }

  /** Whether the key is set to a list or to a single value; undefined when it is not set. */
  form(key: string): 'list' | 'string' | undefined {
    return this.setting(key)?.value.kind;
  }

  /** xl fills a member of libxl's structures; without a value, it leaves it at its default. */
  assign(path: string, value: JsonValue | undefined): void {
    if (value === undefined) this.members.delete(path);
    else this.members.set(path, value);
  }

  #take<T>(key: string, reading: Reading<T>, voice: Voice): { readonly value: T; readonly origin: Origin } | undefined {
    if (reading.kind === 'value') return { value: reading.value, origin: valueOrigin(reading.setting) };
    if (reading.setting === undefined) return undefined;
    if (voice === 'warns') this.say(reading.warning);
    if (voice !== 'tries') this.#tellRefusal(key, reading, voice === 'silent' ? [SILENT_NOTE] : []);
    return undefined;
  }

  /** Our own word about a value of the wrong shape; once for each key. */
  #tellRefusal(key: string, reading: Refused, notes: readonly Note[]): void {
    const { setting } = reading;
    if (setting === undefined || this.#told.has(key)) return;
    this.#told.add(key);
    // What is wrong with a label is said where labels are read.
    if (LABEL_KEYS.some((label) => label === key)) return;
    const origin = valueOrigin(setting);
    const text = setting.value.kind === 'string' ? showBytes(setting.value.text) : '';
    const diagnostic = refusalDiagnostic(reading.refusal, origin, key, text, { notes });
    if (diagnostic !== undefined) this.diagnostics.push(diagnostic);
  }
}

type Refused = Reading<unknown> & { readonly kind: 'refused' };

function refusalDiagnostic(
  refusal: Refusal,
  origin: Origin,
  key: string,
  text: string,
  extra: { readonly notes: readonly Note[] },
): Diagnostic | undefined {
  switch (refusal) {
    case 'is-list':
      return report['list-for-value'](origin, { key }, extra);
    case 'is-single':
      return report['value-for-list'](origin, { key }, extra);
    case 'appended':
      return report['appended-number'](origin, { key }, extra);
    case 'junk':
      return report['not-a-number'](origin, { text, key }, extra);
    case 'overflow':
      return report['number-too-large'](origin, { text, key }, extra);
    case 'not-set':
    case 'below':
    case 'above':
      return undefined;
  }
}
