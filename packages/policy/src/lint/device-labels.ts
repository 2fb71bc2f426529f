/**
 * Labels of devices that no rule is about: a domain that is given such a device is refused, or the label is misspelt.
 *
 * @module
 */
import { ruleOrigin } from '../compiler/index.ts';
import type { PolicyDb } from '../policydb/index.ts';
import type { Report } from '../text/index.ts';
import { lint } from './diagnostics.ts';
import type { Rights } from './rights.ts';

/** What a domain asks for to use a device. */
const USES = [
  'use',
  'use_iommu',
  'use_iommu_nointremap',
  'use_noiommu',
  'add',
  'add_irq',
  'add_ioport',
  'add_iomem',
  'add_device',
] as const;

/** A labelled device: the word of its statement, what stands behind the word as numbers, and what a person calls it. */
interface Device {
  readonly word: string;
  readonly key: string;
  readonly title: string;
  readonly type: number;
}

function devicesOf({ objectContexts }: PolicyDb): Device[] {
  const { pirqs, ioports, iomem, pciDevices, deviceTree } = objectContexts;
  const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
  const range = ({ low, high }: { readonly low: bigint; readonly high: bigint }): string =>
    low === high ? hex(low) : `${hex(low)}-${hex(high)}`;
  const listed = <T extends { readonly context: { readonly type: number } }>(
    word: string,
    what: string,
    list: readonly T[],
    textOf: (one: T) => string,
    keyOf: (one: T) => string = textOf,
  ): Device[] =>
    list.map((one) => ({ word, key: keyOf(one), title: `${what} ${textOf(one)}`, type: one.context.type }));
  return [
    ...listed(
      'pirqcon',
      'interrupt',
      pirqs,
      ({ number }) => String(number),
      ({ number }) => hex(number),
    ),
    ...listed('ioportcon', 'ports', ioports, range),
    ...listed('iomemcon', 'frames', iomem, range),
    ...listed('pcidevicecon', 'PCI device', pciDevices, ({ number }) => hex(number)),
    ...listed('devicetreecon', 'node', deviceTree, ({ path }) => path),
  ];
}

/** Where devices get their labels in a policy's text, by word and key. */
function placesIn(text: string): Map<string, number> {
  const places = new Map<string, number>();
  const statement =
    /^[ \t]*(pirqcon|ioportcon|iomemcon|pcidevicecon|devicetreecon)[ \t]+("[^"\n]*"|[0-9A-Za-z/][^\s:]*(?: *- *\w+)?)/gm;
  for (const match of text.matchAll(statement)) {
    const [whole, word = '', what = ''] = match;
    const numbers = /^\d/.test(what) ? what.split('-').map((one) => `0x${numberOf(one.trim())}`) : [];
    const [low, high] = numbers;
    const key =
      low === undefined ? what.replaceAll('"', '') : high === undefined || high === low ? low : `${low}-${high}`;
    places.set(`${word} ${key}`, match.index + whole.indexOf(word));
  }
  return places;
}

function numberOf(text: string): string {
  return /^(?:0[xX][0-9a-fA-F]{1,16}|\d{1,20})$/.test(text) ? BigInt(text).toString(16) : text;
}

/** Types of devices that no domain may use or be given. */
export function lintDeviceLabels(rights: Rights, report: Report): void {
  const { source } = rights.subject;
  const places = source === undefined ? undefined : placesIn(source.compiled.text.text);
  for (const { word, key, title, type } of devicesOf(rights.subject.view.policy)) {
    if (USES.some((permission) => rights.sources(type, 'resource', permission).length > 0)) continue;
    const start = places?.get(`${word} ${key}`);
    const origin = source === undefined || start === undefined ? undefined : ruleOrigin(source.compiled, start);
    report(lint['device-label-unused'](origin, { type: rights.name(type), device: title }));
  }
}
