/**
 * Readers of single settings: a text, a number, yes or no, a list.
 *
 * They answer with libxlutil's errno and warning. A wrong shape is never more than a warning there, and the caller
 * goes on as if the key were not set.
 *
 * Follows Xen `tools/libs/util/libxlu_cfg.c`, `xlu_cfg_get_string` and the functions after it.
 *
 * @module
 */
import type { Setting, XlCfg, XlList, XlValue } from './settings.ts';
import { LONG_MAX, LONG_MIN, parseLong } from './strtol.ts';

/** The errors of libxlutil's readers: not set, of the wrong form, too large. */
export type Errno = 'ESRCH' | 'EINVAL' | 'ERANGE';

/** Why a value could not be read. */
export type Refusal = 'not-set' | 'is-list' | 'is-single' | 'appended' | 'junk' | 'overflow' | 'below' | 'above';

/** What a reader answers: the value, or the errno and the line that libxlutil writes unless told not to. */
export type Reading<T> =
  | { readonly kind: 'value'; readonly value: T; readonly setting: Setting }
  | {
      readonly kind: 'refused';
      readonly errno: Errno;
      readonly refusal: Refusal;
      readonly setting: Setting | undefined;
      /** Without a line end; empty when the key is not set. */
      readonly warning: string;
    };

function refuse(cfg: XlCfg, setting: Setting, errno: Errno, refusal: Refusal, text: string): Reading<never> {
  const warning = `${cfg.source.name}:${setting.line}: warning: ${text}`;
  return { kind: 'refused', errno, refusal, setting, warning };
}

const NOT_SET: Reading<never> = {
  kind: 'refused',
  errno: 'ESRCH',
  refusal: 'not-set',
  setting: undefined,
  warning: '',
};

/** The text of a key. Follows `xlu_cfg_get_string`. */
export function getString(cfg: XlCfg, key: string): Reading<string> {
  const setting = cfg.byKey.get(key);
  if (setting === undefined) return NOT_SET;
  const { value } = setting;
  if (value.kind === 'list') {
    return refuse(cfg, setting, 'EINVAL', 'is-list', `parameter \`${key}' is a list but should be a single value`);
  }
  return { kind: 'value', value: value.text, setting };
}

/** The number of a key, if it lies within the bounds. Follows `xlu_cfg_get_bounded_long`. */
export function getBoundedLong(cfg: XlCfg, key: string, min: bigint, max: bigint): Reading<bigint> {
  const reading = getString(cfg, key);
  if (reading.kind === 'refused') return reading;
  const { setting, value: text } = reading;
  if (setting.op === '+=') {
    return refuse(cfg, setting, 'EINVAL', 'appended', `can't use += with numbers for parameter \`${key}'`);
  }
  const long = parseLong(text);
  if (long.kind === 'overflow') {
    const why = `parameter \`${key}' could not be parsed as a number: Numerical result out of range`;
    return refuse(cfg, setting, 'ERANGE', 'overflow', why);
  }
  if (long.kind === 'junk') return refuse(cfg, setting, 'EINVAL', 'junk', `parameter \`${key}' is not a valid number`);
  const { value } = long;
  if (value < min) {
    return refuse(cfg, setting, 'EINVAL', 'below', `value \`${value}' is smaller than minimum bound '${min}'`);
  }
  if (value > max) {
    return refuse(cfg, setting, 'EINVAL', 'above', `value \`${value}' is greater than maximum bound '${max}'`);
  }
  return { kind: 'value', value, setting };
}

/** The number of a key. Follows `xlu_cfg_get_long`. */
export function getLong(cfg: XlCfg, key: string): Reading<bigint> {
  return getBoundedLong(cfg, key, LONG_MIN, LONG_MAX);
}

/** Yes or no: any number but 0 is yes, and words are refused. Follows `xlu_cfg_get_defbool`. */
export function getDefbool(cfg: XlCfg, key: string): Reading<boolean> {
  const reading = getLong(cfg, key);
  return reading.kind === 'value' ? { ...reading, value: reading.value !== 0n } : reading;
}

/** The list of a key. Follows `xlu_cfg_get_list`. */
export function getList(cfg: XlCfg, key: string): Reading<XlList> {
  const setting = cfg.byKey.get(key);
  if (setting === undefined) return NOT_SET;
  const { value } = setting;
  if (value.kind !== 'list') {
    return refuse(cfg, setting, 'EINVAL', 'is-single', `parameter \`${key}' is a single value but should be a list`);
  }
  return { kind: 'value', value, setting };
}

/**
 * The item of a list as text; undefined past the end and for an item that is a list.
 * So xl's loops, which run until there is no item, stop at the first list inside a list. Follows `xlu_cfg_get_listitem`.
 */
export function getListItem(list: XlList, index: number): string | undefined {
  const item = list.items[index];
  return item?.kind === 'string' ? item.text : undefined;
}

/** The items of a list of texts, up to the first that is none, as libxl's string lists hold them. */
export function getListAsStrings(cfg: XlCfg, key: string): Reading<readonly string[]> {
  const reading = getList(cfg, key);
  return reading.kind === 'value'
    ? { ...reading, value: leadingStrings(reading.value).map((item) => item.text) }
    : reading;
}

/** The items up to the first that is a list. */
export function leadingStrings(list: XlList): readonly (XlValue & { readonly kind: 'string' })[] {
  const strings: (XlValue & { readonly kind: 'string' })[] = [];
  for (const item of list.items) {
    if (item.kind !== 'string') break;
    strings.push(item);
  }
  return strings;
}
