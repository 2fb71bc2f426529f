/**
 * What xl never says about keys: that it does not know one, that one is set twice, that one has no effect.
 *
 * @module
 */
import type { Diagnostic, Fix } from '@dewar/policy/text';
import { cfg as report } from './diagnostics.ts';
import { type Guest, LATER_KEYS } from './key-table.ts';
import { knownKey, LABEL_KEYS, meantLabelKey, suggestKey } from './known-keys.ts';
import type { Setting, XlCfg } from './settings.ts';
import { showBytes } from './show-text.ts';

/** How many keys are looked into; a file with more problems than this is not a file for a guest. */
const LIMIT = 100;

const SILENT = 'xl says nothing here and ignores the key';

/** Diagnostics about the keys themselves. `guest` is undefined when the file does not tell the kind of guest. */
export function adviseKeys(cfg: XlCfg, guest: Guest | undefined): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const [key, setting] of cfg.byKey) {
    const known = knownKey(key);
    if (known === undefined) {
      found.push(adviseUnknown(key, setting));
    } else if (guest !== undefined && !known.guests.includes(guest)) {
      const notes = [{ message: `it is for ${known.guests.join(' and ')} guests; xl says nothing about it` }];
      found.push(report['key-for-other-guest']({ kind: 'written', span: setting.keySpan }, { key, guest }, { notes }));
    }
    if (found.length >= LIMIT) break;
  }
  return [...found, ...adviseTwice(cfg)];
}

/** The label in an entry of xend's `access_control`. */
const XEND_LABEL = /(?:^|,)\s*label=([^\s,'\\]+)\s*(?:,|$)/;

/** A label that stands alone, as the key takes it. */
const PLAIN_LABEL = /^[^\s,=]+:[^\s,=]+:[^\s,=]+$/;

/** The key that was meant, with the value as that key takes it; undefined where the value holds no label. */
function labelFix({ key, keySpan, value }: Setting, label: string, rename: Fix): Fix | undefined {
  if (!XEND_KEYS.has(key) || (value.kind === 'string' && PLAIN_LABEL.test(value.text))) return rename;
  const entry = value.kind === 'list' ? value.items[0] : value;
  const text = entry?.kind === 'string' ? XEND_LABEL.exec(entry.text)?.[1] : undefined;
  if (text === undefined || value.span.source !== keySpan.source) return undefined;
  const line = `${label} = '${text}'`;
  const span = { ...keySpan, end: value.span.end };
  return { title: `write \`${showBytes(line)}\``, edits: [{ span, newText: line }] };
}

/** Keys of xend, which took a label otherwise. */
const XEND_KEYS: ReadonlySet<string> = new Set(['access_control', 'access_controls', 'ssidref']);

function adviseUnknown(key: string, setting: Setting): Diagnostic {
  const origin = { kind: 'written', span: setting.keySpan } as const;
  const shown = showBytes(key);
  const rename = (to: string): Fix => ({
    title: `did you mean \`${to}\`?`,
    edits: [{ span: setting.keySpan, newText: to }],
  });
  const label = meantLabelKey(key);
  if (label !== undefined) {
    const notes = [{ message: `${SILENT}; the guest gets its label as if the line were not there` }];
    if (key === 'device_model_stubdomain_init_seclabel') {
      notes.push({
        message: 'this key was proposed in 2021, and no release of Xen has it: a stub domain has one label',
      });
    }
    if (XEND_KEYS.has(key))
      notes.push({ message: `xend had such a key; xl takes the label itself: \`${label} = 'user:role:type'\`` });
    const fix = labelFix(setting, label, rename(label));
    return report['misspelt-label-key'](origin, { key: shown }, { notes, fixes: fix === undefined ? [] : [fix] });
  }
  if (LATER_KEYS.has(key)) return report['later-key'](origin, { key }, { notes: [{ message: SILENT }] });
  const meant = suggestKey(key);
  const fixes = meant === undefined ? [] : [rename(meant)];
  return report['unknown-key'](origin, { key: shown }, { notes: [{ message: SILENT }], fixes });
}

/** Keys that are set again, unless on the command line, where that is what the words are for. */
function adviseTwice(cfg: XlCfg): Diagnostic[] {
  const first = new Map<string, Setting>();
  const again = new Map<string, Setting>();
  for (const setting of cfg.settings) {
    const earlier = first.get(setting.key);
    if (earlier === undefined) first.set(setting.key, setting);
    else if (setting.op === '=' && setting.keySpan.source === cfg.source) again.set(setting.key, setting);
  }
  return Array.from(again.values())
    .filter((setting) => cfg.byKey.get(setting.key)?.keySpan.source === cfg.source)
    .slice(0, LIMIT)
    .map((setting) => {
      const earlier = first.get(setting.key) ?? setting;
      const isLabel = LABEL_KEYS.some((key) => key === setting.key);
      const notes = [
        { message: 'the value given here is lost', origin: { kind: 'written', span: earlier.keySpan } as const },
        { message: `xl says nothing here${isLabel ? ', and the guest gets the later label' : ''}` },
      ];
      return report['key-twice'](
        { kind: 'written', span: setting.keySpan },
        { key: showBytes(setting.key) },
        { notes },
      );
    });
}
