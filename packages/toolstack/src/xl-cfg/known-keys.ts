/**
 * Which keys xl knows, and which one was meant by a word that is none.
 *
 * @module
 */
import { nearestName } from '@dewar/policy/text';
import { KEY_TABLE, type KnownKey } from './key-table.ts';

/** The keys that carry a label. */
export type LabelKey = 'seclabel' | 'init_seclabel' | 'device_model_stubdomain_seclabel';

/** All keys that hold a label. */
export const LABEL_KEYS: readonly LabelKey[] = ['seclabel', 'init_seclabel', 'device_model_stubdomain_seclabel'];

/** Names that other tools, libxl itself and plain sense give to the label keys. */
const OTHER_NAMES = new Map<string, LabelKey>([
  ['label', 'seclabel'],
  ['security_label', 'seclabel'],
  ['exec_seclabel', 'seclabel'],
  ['run_seclabel', 'seclabel'],
  ['exec_ssid_label', 'seclabel'],
  ['access_control', 'seclabel'],
  ['access_controls', 'seclabel'],
  ['ssid_label', 'init_seclabel'],
  ['build_seclabel', 'init_seclabel'],
  ['seclabel_init', 'init_seclabel'],
  ['init_label', 'init_seclabel'],
  ['device_model_seclabel', 'device_model_stubdomain_seclabel'],
  ['device_model_ssid_label', 'device_model_stubdomain_seclabel'],
  ['device_model_stubdom_seclabel', 'device_model_stubdomain_seclabel'],
  ['device_model_stubdomain_init_seclabel', 'device_model_stubdomain_seclabel'],
  ['stubdom_seclabel', 'device_model_stubdomain_seclabel'],
  ['stubdomain_seclabel', 'device_model_stubdomain_seclabel'],
]);

/** What is known of a key; undefined for a word that xl does not read. */
export function knownKey(key: string): KnownKey | undefined {
  return KEY_TABLE.get(key);
}

const bare = (key: string): string => key.toLowerCase().replaceAll(/[._-]/g, '');

const BARE_KEYS: ReadonlyMap<string, string> = new Map(Array.from(KEY_TABLE.keys(), (key) => [bare(key), key]));

/** The label key that a word was meant to be, if it was meant to be one. */
export function meantLabelKey(word: string): LabelKey | undefined {
  const plain = word.toLowerCase().replaceAll('-', '_');
  const byName = OTHER_NAMES.get(plain) ?? LABEL_KEYS.find((key) => bare(key) === bare(plain));
  if (byName !== undefined) return byName;
  if (KEY_TABLE.has(plain)) return undefined;
  const nearest = suggestKey(plain);
  const label = LABEL_KEYS.find((key) => key === nearest);
  if (label !== undefined || !/label|ssid/.test(plain)) return label;
  if (/stub|device_model|dm/.test(plain)) return 'device_model_stubdomain_seclabel';
  return plain.includes('init') || plain.includes('build') ? 'init_seclabel' : 'seclabel';
}

/** The key that a word was meant to be, whatever its case and dashes. */
export function suggestKey(word: string): string | undefined {
  const plain = bare(word);
  const same = BARE_KEYS.get(plain);
  if (same !== undefined) return same;
  const nearest = nearestName(plain, BARE_KEYS.keys());
  return nearest === undefined ? undefined : BARE_KEYS.get(nearest);
}
