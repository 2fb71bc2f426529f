/**
 * The labels of a guest: which key gives which label, and every way in which a label fails to take effect.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data` (the rules since Xen 4.5), and what
 * `tools/libs/light/libxl_create.c` makes of the labels.
 *
 * @module
 */
import type { Diagnostic, Fix, Note } from '@dewar/policy/text';
import { cfg as report } from './diagnostics.ts';
import type { Labels, LabelValue } from './domain-config.ts';
import { knownKey, LABEL_KEYS, type LabelKey, meantLabelKey } from './known-keys.ts';
import type { Setting } from './settings.ts';
import { showBytes } from './show-text.ts';
import { valueOrigin, type XlReader } from './xl-reader.ts';

/** `user:role:type`, and a range after it in a policy with MLS. */
const LABEL = /^[^\s:]+:[^\s:]+:[^\s:]+(?::\S+)?$/;

/** Xen's macros name a build label after the run label. */
const BUILD_SUFFIX = '_building';

function readLabel(reader: XlReader, key: LabelKey): LabelValue | undefined {
  const text = reader.text(key);
  const setting = reader.setting(key);
  if (text === undefined || setting === undefined) return undefined;
  return { text, key, origin: valueOrigin(setting) };
}

/** Reads `init_seclabel` and `seclabel`, which xl does before anything else. */
export function readGuestLabels(reader: XlReader): Pick<Labels, 'build' | 'run'> {
  const init = readLabel(reader, 'init_seclabel');
  const plain = readLabel(reader, 'seclabel');
  // XEN: `seclabel` is the running label only when there is a build label; otherwise it is that itself.
  return init === undefined ? { build: plain, run: undefined } : { build: init, run: plain };
}

/** Reads the label of the stub domain, which xl does among the last. */
export function readDeviceModelLabel(reader: XlReader): LabelValue | undefined {
  return readLabel(reader, 'device_model_stubdomain_seclabel');
}

/** What is wrong with the labels that the file gives. */
export function adviseLabels(reader: XlReader, labels: Labels, hasStubdomain: boolean): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const key of LABEL_KEYS) {
    const setting = reader.setting(key);
    const diagnostic = setting === undefined ? undefined : adviseLabel(setting, key, labels);
    if (diagnostic !== undefined) found.push(diagnostic);
  }
  const { build, run, deviceModel } = labels;
  if (
    build?.key === 'init_seclabel' &&
    run === undefined &&
    reader.setting('seclabel') === undefined &&
    LABEL.test(build.text)
  ) {
    found.push(adviseBuildLabelAlone(reader, build));
  }
  if (deviceModel !== undefined && !hasStubdomain) {
    const notes = [
      { message: 'only an HVM guest with `device_model_stubdomain_override = 1` has one' },
      { message: 'xl says nothing here and leaves the label unused' },
    ];
    found.push(report['label-without-stubdomain'](deviceModel.origin, { key: deviceModel.key }, { notes }));
  }
  return found;
}

function adviseLabel(setting: Setting, key: LabelKey, labels: Labels): Diagnostic | undefined {
  const origin = valueOrigin(setting);
  const { value } = setting;
  if (value.kind === 'list') {
    const notes = [{ message: `xl only warns, and goes on: ${withoutLabel(key, labels)}` }];
    const [only] = value.items;
    const isSingle = value.items.length === 1 && only?.kind === 'string' && /^[^'\\]*$/.test(only.text);
    const fixes = isSingle ? [replaceValue(setting, 'remove the brackets', `'${only.text}'`)] : [];
    return report['label-is-list'](origin, { key }, { notes, fixes });
  }
  if (value.text === '') {
    const notes = [
      { message: `xl says nothing here and asks Xen for a label without a name: ${refusalText(key, labels, '')}` },
    ];
    return report['label-is-empty'](origin, { key }, { notes });
  }
  if (LABEL.test(value.text)) return undefined;
  const label = showBytes(value.text);
  const notes: Note[] = [
    { message: 'a label is `user:role:type`, and `user:role:type:range` in a policy with MLS' },
    { message: `xl says nothing here, and libxl only when it creates the guest: ${refusalText(key, labels, label)}` },
  ];
  const trimmed = value.text.trim();
  const fixes =
    LABEL.test(trimmed) && setting.op === '=' ? [replaceValue(setting, 'remove the blanks', `'${trimmed}'`)] : [];
  return report['label-shape'](origin, { label }, { notes, fixes });
}

/** What happens to the guest when this key gives no label. */
function withoutLabel(key: LabelKey, labels: Labels): string {
  switch (key) {
    case 'init_seclabel':
      return 'the guest is built under the label that it runs under';
    case 'seclabel':
      return labels.build === undefined
        ? 'the guest gets the default label, that of the initial SID domU'
        : `the guest keeps its build label \`${showBytes(labels.build.text)}\` for its whole life`;
    case 'device_model_stubdomain_seclabel':
      return 'the stub domain gets the default label, that of the initial SID domDM';
  }
}

/** What libxl logs when Xen refuses the label. It names `init_seclabel` for whatever the build label was given by. */
function refusalText(key: LabelKey, labels: Labels, label: string): string {
  const named = labels.build?.key === key ? 'init_seclabel' : key;
  const trap = named === key ? '' : ` (it names the wrong key)`;
  return `\`Invalid ${named}: ${label}\`${trap}`;
}

function adviseBuildLabelAlone(reader: XlReader, build: LabelValue): Diagnostic {
  const notes: Note[] = [
    { message: 'without `seclabel` there is no relabel, and xl says nothing about it' },
    {
      message: 'what dom0 may do to build the guest, such as map its memory, it may do for the whole life of the guest',
    },
  ];
  const fixes: Fix[] = [];
  const setting = reader.setting(build.key);
  const meant = [...reader.cfg.byKey.values()].find(
    ({ key }) => knownKey(key) === undefined && meantLabelKey(key) === 'seclabel',
  );
  // The label to run under is there, under a key that is none: that is what is to be put right.
  if (meant !== undefined) {
    const origin = { kind: 'written', span: meant.keySpan } as const;
    notes.push({ message: `\`${showBytes(meant.key)}\` was to give the label that it runs under`, origin });
  } else if (setting !== undefined && build.text.endsWith(BUILD_SUFFIX)) {
    const label = build.text.slice(0, -BUILD_SUFFIX.length);
    const { source, start } = setting.keySpan;
    fixes.push({
      title: `add \`seclabel = '${showBytes(label)}'\``,
      edits: [{ span: { source, start, end: start }, newText: `seclabel = '${label}'\n` }],
    });
  }
  return report['runs-under-build-label'](build.origin, { label: showBytes(build.text) }, { notes, fixes });
}

function replaceValue(setting: Setting, title: string, newText: string): Fix {
  return { title, edits: [{ span: setting.value.span, newText }] };
}
