/** Which key gives which label, and every way in which a label fails to take effect. */
import { renderDiagnostic, SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { runningLabel } from './domain-config.ts';
import { LABEL_KEYS } from './known-keys.ts';
import { parseXlCfg } from './parser.ts';
import { type DomainConfigReading, readDomainConfig } from './read-domain-config.ts';

/** A guest that wants nothing but labels; they stand on line 1 and after it. */
function read(labels: string, extraWords: readonly string[] = []): DomainConfigReading {
  const text = `${labels}name = 'guest'\nkernel = '/boot/vmlinuz'\n`;
  return readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text), extraWords));
}

const told = ({ diagnostics }: DomainConfigReading): string[] =>
  diagnostics.flatMap((diagnostic) => renderDiagnostic(diagnostic).split('\n'));

const codes = ({ diagnostics }: DomainConfigReading): string[] => diagnostics.map(({ code }) => code);

/** The labels by text: built under, running under, the stub domain's. */
const texts = ({ labels: { build, run, deviceModel } }: DomainConfigReading): (string | undefined)[] => [
  build?.text,
  run?.text,
  deviceModel?.text,
];

/** Applies the first fix of the only diagnostic and reads again. */
function mend(labels: string): DomainConfigReading {
  const [diagnostic] = read(labels).diagnostics;
  const [edit] = diagnostic?.fixes[0]?.edits ?? [];
  if (edit === undefined) throw new Error('there is no fix');
  return read(labels.slice(0, edit.span.start) + edit.newText + labels.slice(edit.span.end));
}

describe('which key gives which label', () => {
  test('without `init_seclabel` the guest is built under `seclabel` and keeps it', () => {
    const reading = read("seclabel = 'u:r:t'\n");
    expect(texts(reading)).toEqual(['u:r:t', undefined, undefined]);
    expect(runningLabel(reading.labels)?.key).toBe('seclabel');
    expect(told(reading)).toEqual([]);
  });

  test.each([
    "init_seclabel = 'u:r:b'\nseclabel = 'u:r:t'\n",
    "seclabel = 'u:r:t'\ninit_seclabel = 'u:r:b'\n",
    "seclabel = 'u:r:x'; init_seclabel = 'u:r:'; seclabel = 'u:r:t'; init_seclabel += 'b'\n",
  ])('with both, the order does not count: %j', (labels) => {
    const reading = read(labels);
    expect(texts(reading)).toEqual(['u:r:b', 'u:r:t', undefined]);
    expect(reading.labels.build?.key).toBe('init_seclabel');
    expect(runningLabel(reading.labels)?.text).toBe('u:r:t');
  });

  test('a label of a policy with MLS has a range', () => {
    const reading = read("seclabel = 'u:r:t:s0-s15:c0.c255'\n");
    expect(texts(reading)).toEqual(['u:r:t:s0-s15:c0.c255', undefined, undefined]);
    expect(told(reading)).toEqual([]);
  });

  test('a label points at the place of its value', () => {
    const { labels } = read("init_seclabel = 'u:r:b'\nseclabel = 'u:r:t'\n");
    const place = (
      origin: { readonly span: { readonly start: number; readonly end: number } } | undefined,
    ): unknown[] => [origin?.span.start, origin?.span.end];
    expect(place(labels.build?.origin)).toEqual([16, 23]);
    expect(place(labels.run?.origin)).toEqual([35, 42]);
  });

  test('a word of the command line wins over the file, and points at the command line', () => {
    const reading = read("seclabel = 'u:r:t'\n", ["seclabel='u:r:v'"]);
    expect(texts(reading)).toEqual(['u:r:v', undefined, undefined]);
    expect(reading.labels.build?.origin.span.source.name).toBe('command line');
    expect(told(reading)).toEqual([]);
  });

  test('only the key of the stub domain gives a label to the stub domain', () => {
    const reading = read(
      "type = 'hvm'\ndevice_model_stubdomain_override = 1\ndevice_model_stubdomain_seclabel = 'u:r:dm'\n",
    );
    expect(texts(reading)).toEqual([undefined, undefined, 'u:r:dm']);
    expect(codes(reading)).toEqual([]);
  });
});

describe('a label that does not take effect', () => {
  test('given as a list, where xl only warns, is an error', () => {
    const reading = read("seclabel = [ 'u:r:t' ]\n");
    expect(told(reading)).toEqual([
      'guest.cfg:1:12: error: `seclabel` is a list, so the label does not take effect [cfg/label-is-list]',
      "  1 | seclabel = [ 'u:r:t' ]",
      '    |            ^^^^^^^^^^^ remove the brackets',
      'note: xl only warns, and goes on: the guest gets the default label, that of the initial SID domU',
    ]);
    expect(reading.config).toBeUndefined();
    expect(reading.xl).toMatchObject({
      kind: 'made',
      stderr: "guest.cfg:1: warning: parameter `seclabel' is a list but should be a single value\n",
    });
  });

  test('given as a list, the note says what happens to the guest instead', () => {
    const note = (labels: string): string | undefined => told(read(labels)).find((line) => line.startsWith('note'));
    expect(note("init_seclabel = [ 'u:r:b' ]\nseclabel = 'u:r:t'\n")).toBe(
      'note: xl only warns, and goes on: the guest is built under the label that it runs under',
    );
    expect(note("init_seclabel = 'u:r:b'\nseclabel = [ 'u:r:t' ]\n")).toBe(
      'note: xl only warns, and goes on: the guest keeps its build label `u:r:b` for its whole life',
    );
    expect(note("device_model_stubdomain_seclabel = [ 'u:r:t' ]\n")).toBe(
      'note: xl only warns, and goes on: the stub domain gets the default label, that of the initial SID domDM',
    );
  });

  test('a list of one label is mended by removing the brackets, a longer one is not', () => {
    expect(texts(mend("seclabel = [ 'u:r:t' ]\n"))).toEqual(['u:r:t', undefined, undefined]);
    expect(read("seclabel = [ 'u:r:t', 'u:r:v' ]\n").diagnostics).toMatchObject([
      { code: 'cfg/label-is-list', fixes: [] },
    ]);
    expect(read("seclabel = [ [ 'u:r:t' ] ]\n").diagnostics).toMatchObject([{ code: 'cfg/label-is-list', fixes: [] }]);
  });

  test('an empty one is an error; libxl would name the wrong key', () => {
    expect(told(read("seclabel = ''\n"))).toEqual([
      'guest.cfg:1:12: error: `seclabel` is empty [cfg/label-is-empty]',
      "  1 | seclabel = ''",
      '    |            ^^',
      'note: xl says nothing here and asks Xen for a label without a name: `Invalid init_seclabel: ` (it names the wrong key)',
    ]);
    expect(told(read("init_seclabel = 'u:r:b'\nseclabel = ''\n")).at(-1)).toBe(
      'note: xl says nothing here and asks Xen for a label without a name: `Invalid seclabel: `',
    );
  });

  test.each(['u', 'u:r', 'u:r:', ':r:t', 'u::t', 'u r:r:t', '5', 'u:r:t:', 'u:r:t\\n'])(
    'what is no label, `%s`, is an error',
    (label) => {
      const reading = read(`seclabel = '${label}'\n`);
      expect(codes(reading)).toEqual(['cfg/label-shape']);
      expect(reading.config).toBeUndefined();
    },
  );

  test('blanks around a label are removed by the fix', () => {
    expect(texts(mend("seclabel = ' u:r:t '\n"))).toEqual(['u:r:t', undefined, undefined]);
  });

  test('for a guest without a stub domain, the label of one is an error', () => {
    const expected = ['cfg/label-without-stubdomain'];
    expect(codes(read("device_model_stubdomain_seclabel = 'u:r:dm'\n"))).toEqual(expected);
    expect(codes(read("type = 'hvm'\ndevice_model_stubdomain_seclabel = 'u:r:dm'\n"))).toEqual(expected);
    expect(codes(read("device_model_stubdomain_override = 1\ndevice_model_stubdomain_seclabel = 'u:r:dm'\n"))).toEqual(
      expected,
    );
  });

  test.each([
    ['sec_label', 'seclabel'],
    ['seclable', 'seclabel'],
    ['sec.label', 'seclabel'],
    ['label', 'seclabel'],
    ['exec_seclabel', 'seclabel'],
    ['access_control', 'seclabel'],
    ['init_seclable', 'init_seclabel'],
    ['initseclabel', 'init_seclabel'],
    ['build_label', 'init_seclabel'],
    ['ssid_label', 'init_seclabel'],
    ['device_model_seclabel', 'device_model_stubdomain_seclabel'],
    ['dm_label', 'device_model_stubdomain_seclabel'],
    ['device_model_stubdomain_init_seclabel', 'device_model_stubdomain_seclabel'],
  ])('under the misspelt key `%s` is an error that names `%s`', (key, meant) => {
    const reading = read(`${key} = 'u:r:t'\n`);
    expect(codes(reading)).toEqual(['cfg/misspelt-label-key']);
    expect(reading.diagnostics[0]?.fixes).toMatchObject([{ edits: [{ newText: meant }] }]);
    expect(reading.config).toBeUndefined();
    expect(reading.xl).toMatchObject({ kind: 'made', stderr: '' });
  });

  test('no key of a label counts as misspelt', () => {
    for (const key of LABEL_KEYS) expect(codes(read(`${key} = 'u:r:t'\n`))).not.toContain('cfg/misspelt-label-key');
  });
});

describe('a build label alone', () => {
  test('is a warning; the fix gives the run label that the name suggests', () => {
    const labels = "init_seclabel = 'u:r:vault_t_building'\n";
    const reading = read(labels);
    expect(codes(reading)).toEqual(['cfg/runs-under-build-label']);
    expect(reading.config?.labels.run).toBeUndefined();
    expect(texts(mend(labels))).toEqual(['u:r:vault_t_building', 'u:r:vault_t', undefined]);
    expect(told(mend(labels))).toEqual([]);
  });

  test('a misspelt label key is told in a file that xl refuses further down', () => {
    const told = codes(read("seclable = 'u:r:t'\nNAME = 'x'\n"));
    expect(told).toEqual(['cfg/misspelt-label-key', 'cfg/bad-key']);
  });

  test('beside a misspelt `seclabel` is cured by its name', () => {
    const reading = read("init_seclabel = 'u:r:vault_t_building'\nseclable = 'u:r:other_t'\n");
    const [alone] = reading.diagnostics.filter(({ code }) => code === 'cfg/runs-under-build-label');
    expect([alone?.fixes, alone?.notes.at(-1)?.message]).toEqual([
      [],
      '`seclable` was to give the label that it runs under',
    ]);
    expect(codes(reading)).toContain('cfg/misspelt-label-key');
  });

  test('of another name is a warning without a fix', () => {
    expect(read("init_seclabel = 'u:r:t'\n").diagnostics).toMatchObject([
      { code: 'cfg/runs-under-build-label', severity: 'warning', fixes: [] },
    ]);
  });
});
