/**
 * Our answer about one xl.cfg text, in the words of `xlu-harness.c`, so that the two can be compared as text.
 *
 * @module
 */
import { SourceText } from '@dewar/policy/text';
import {
  getBoundedLong,
  getDefbool,
  getList,
  getListAsStrings,
  getLong,
  getString,
  parseXlCfg,
  type Reading,
  type XlCfg,
  type XlValue,
} from '@dewar/toolstack/xl-cfg';

const NAME = 'guest.cfg';

/** Quotes a text as the harness does: everything but printable ASCII, and `"` and `\`, as `\uNNNN`. */
function quote(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]|["\\]/g, (byte) => `\\u${byte.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`;
}

/** Without recursion: libxlutil takes lists in lists thousands deep. */
function valueJson(value: XlValue): string {
  const parts: string[] = [];
  const left: (XlValue | string)[] = [value];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    if (typeof at === 'string') {
      parts.push(at);
    } else if (at.kind === 'string') {
      parts.push(`[${at.line},${quote(at.text)}]`);
    } else {
      parts.push(`[${at.line},[`);
      left.push(']]');
      for (let index = at.items.length - 1; index >= 0; index--) {
        const item = at.items[index];
        if (item !== undefined) left.push(item);
        if (index > 0) left.push(',');
      }
    }
  }
  return parts.join('');
}

function answer<T>(reading: Reading<T>, show: (value: T) => string): string {
  return reading.kind === 'value' ? show(reading.value) : `["${reading.errno}",${quote(`${reading.warning}\n`)}]`;
}

function lookupsJson(cfg: XlCfg): string {
  const keys = cfg.settings.filter((setting) => cfg.byKey.get(setting.key) === setting).map((setting) => setting.key);
  const answers = keys.map((key) =>
    [
      quote(key),
      answer(getString(cfg, key), quote),
      answer(getLong(cfg, key), (value) => quote(String(value))),
      answer(getBoundedLong(cfg, key, 0n, 2147483647n), (value) => quote(String(value))),
      answer(getDefbool(cfg, key), String),
      answer(getList(cfg, key), (list) => String(list.items.length)),
      answer(getListAsStrings(cfg, key), (strings) => `[${strings.map(quote).join(',')}]`),
    ].join(','),
  );
  return answers.map((text) => `[${text}]`).join(',');
}

/** The line that `xlu-harness.c` should print for this text, one character per byte. */
export function ourAnswer(text: string): string {
  const cfg = parseXlCfg(new SourceText(NAME, text));
  if (cfg.outcome === 'aborted') return '{"error":"SIGABRT"}';
  const isParsed = cfg.outcome === 'parsed';
  const settings = cfg.settings.map(
    ({ key, op, line, value }) => `[${quote(key)},"${op}",${line},${valueJson(value)}]`,
  );
  return [
    `{"error":${isParsed ? 'null' : '"EINVAL"'}`,
    `"report":${quote(cfg.libxlReport)}`,
    `"settings":[${settings.join(',')}]`,
    `"lookups":[${isParsed ? lookupsJson(cfg) : ''}]}`,
  ].join(',');
}
