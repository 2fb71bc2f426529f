/**
 * The reader of xl.cfg: from text to settings as libxlutil finds them, and from settings to a guest as xl makes it.
 *
 * Imports: `@dewar/policy/text`.
 * Start reading at `parseXlCfg` and `readDomainConfig`.
 *
 * @module
 */
export { isExtraWord } from './cfg-text.ts';
export {
  addressMembers,
  deviceJson,
  pciDeviceJson,
  readDiskWords,
  readNicWords,
  readPciWord,
  type SpecReading,
} from './command-line-specs.ts';
export { CPU_FEATURES, type FeaturePlace, type Register } from './cpu-features.ts';
export * from './domain-config.ts';
export { type JsonObject, type JsonValue, parseJson, plainJson, printJson } from './json.ts';
export { type Guest, KEY_TABLE, type KnownKey, LATER_KEYS, type Shape } from './key-table.ts';
export { LABEL_KEYS, type LabelKey } from './known-keys.ts';
export { parseXlCfg } from './parser.ts';
export { configToCreate, printDomainConfigJson } from './print-domain-config-json.ts';
export { type DomainConfigReading, readDomainConfig, type XlOutcome } from './read-domain-config.ts';
export * from './settings.ts';
export * from './typed-readers.ts';
export { XL_DEFAULTS, type XlDefaults } from './xl-defaults.ts';
export type { XlEnd } from './xl-reader.ts';
