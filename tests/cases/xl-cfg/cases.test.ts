/**
 * Files that users of FLASK asked about in public: what Xen makes of each, and what we say about it.
 *
 * The files show the question and no more, so most of them name nothing to boot; `kernel` is given beside them,
 * as a word of xl's command line. What libxlutil prints was taken from the library of Xen 4.17.
 */
import { readFileSync } from 'node:fs';
import { renderDiagnostic, SourceText } from '@dewar/policy/text';
import { type DomainConfigReading, parseXlCfg, readDomainConfig, runningLabel } from '@dewar/toolstack/xl-cfg';
import { describe, expect, test } from 'vitest';

const KERNEL = 'kernel="/boot/vmlinuz"';

function read(name: string, extraWords: readonly string[] = [KERNEL]): DomainConfigReading {
  const text = readFileSync(new URL(`${name}.cfg`, import.meta.url), 'latin1');
  return readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text), extraWords));
}

/** All diagnostics, one text. */
function told({ diagnostics }: DomainConfigReading): string {
  return diagnostics.map((diagnostic) => renderDiagnostic(diagnostic)).join('\n');
}

/** The labels by text: built under, running under, the stub domain's. */
function labels({ labels: { build, run, deviceModel } }: DomainConfigReading): (string | undefined)[] {
  return [build?.text, run?.text, deviceModel?.text];
}

describe('a label for the build and one for the run', () => {
  const reading = read('x01-build-and-run-label');

  test('are told apart by their keys, not by their order', () => {
    expect(labels(reading)).toEqual(['user_1:vm_r:nomigrate_t_building', 'user_1:vm_r:nomigrate_t', undefined]);
    expect(reading.config?.labels).toEqual(reading.labels);
    expect(told(reading)).toBe('');
  });

  test('the guest runs under the second', () => {
    expect(runningLabel(reading.labels)?.key).toBe('seclabel');
  });
});

test('a label without quotes is marked whole, with the cure', () => {
  const reading = read('x02-unquoted-label', []);
  expect(told(reading)).toBe(
    [
      'guest.cfg:2:12: error: `system_u:system_r:domU_t` must be in quotes [cfg/unquoted-value]',
      '  2 | seclabel = system_u:system_r:domU_t',
      '    |            ^^^^^^^^^^^^^^^^^^^^^^^^ put it in quotes',
    ].join('\n'),
  );
  expect(reading.xl).toEqual({
    kind: 'exits',
    code: 1,
    stderr: [
      "guest.cfg:2: config parsing error near `system_u': syntax error, unexpected IDENT, expecting STRING or NUMBER or '['",
      "guest.cfg:2: config parsing error near `:system_r:domU_t': lexical error",
      'warning: Config file looks like it contains Python code.',
      'warning:  Arbitrary Python is no longer supported.',
      'warning:  See https://wiki.xen.org/wiki/PythonInXlConfig',
      'Failed to parse config: Invalid argument',
      '',
    ].join('\n'),
  });
});

test('a misspelt label key, of which xl says nothing, stops us with the key that was meant', () => {
  const reading = read('x04-misspelled-key');
  expect(told(reading)).toBe(
    [
      'guest.cfg:3:1: error: `sec_label` is not a key of xl.cfg, so its label does not take effect [cfg/misspelt-label-key]',
      "  3 | sec_label = 'system_u:system_r:isolated_domU_t'",
      '    | ^^^^^^^^^ did you mean `seclabel`?',
      'note: xl says nothing here and ignores the key; the guest gets its label as if the line were not there',
    ].join('\n'),
  );
  expect(labels(reading)).toEqual([undefined, undefined, undefined]);
  expect(reading.config).toBeUndefined();
  expect(reading.xl).toMatchObject({ kind: 'made', stderr: '', config: { labels: { build: undefined } } });
});

test('of a label given twice the last one counts, and the first is pointed at', () => {
  const reading = read('x05-label-twice');
  expect(labels(reading)).toEqual(['system_u:system_r:isolated_domU_t', undefined, undefined]);
  expect(told(reading)).toBe(
    [
      'guest.cfg:3:1: warning: `seclabel` is set again: this value wins [cfg/key-twice]',
      "  3 | seclabel = 'system_u:system_r:isolated_domU_t'",
      '    | ^^^^^^^^',
      'guest.cfg:1:1: note: the value given here is lost',
      'note: xl says nothing here, and the guest gets the later label',
    ].join('\n'),
  );
  expect(reading.config?.name).toBe('web');
});

test('with a label for the build alone, the guest runs under it, and that is said', () => {
  const reading = read('x06-init-only');
  expect(labels(reading)).toEqual(['user_1:vm_r:nomigrate_t_building', undefined, undefined]);
  expect(runningLabel(reading.labels)?.text).toBe('user_1:vm_r:nomigrate_t_building');
  expect(told(reading)).toBe(
    [
      'guest.cfg:3:17: warning: the guest will run under its build label `user_1:vm_r:nomigrate_t_building` [cfg/runs-under-build-label]',
      "  3 | init_seclabel = 'user_1:vm_r:nomigrate_t_building'",
      "    |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ add `seclabel = 'user_1:vm_r:nomigrate_t'`",
      'note: without `seclabel` there is no relabel, and xl says nothing about it',
      'note: what dom0 may do to build the guest, such as map its memory, it may do for the whole life of the guest',
    ].join('\n'),
  );
});

test('a string that is not closed is marked where it begins', () => {
  const reading = read('x07-unterminated-string', []);
  expect(told(reading)).toBe(
    [
      'guest.cfg:1:8: error: the string is not closed on its line [cfg/unclosed-string]',
      "  1 | name = 'web",
      '    |        ^^^^ close the string',
    ].join('\n'),
  );
  expect(reading.xl.stderr).toBe(
    "guest.cfg:1: config parsing error near `'web': lexical error\nFailed to parse config: Invalid argument\n",
  );
});

test('a key with a capital letter is no key', () => {
  const reading = read('x09-capital-key', []);
  expect(told(reading)).toBe(
    [
      'guest.cfg:1:1: error: `Name` cannot be a key [cfg/bad-key]',
      "  1 | Name = 'web'",
      '    | ^^^^ did you mean `name`?',
      'note: a key is made of lower case letters, digits, `_` and `.`, and begins with a letter',
    ].join('\n'),
  );
  expect(reading.xl.stderr).toBe(
    "guest.cfg:1: config parsing error near `Name': lexical error\nFailed to parse config: Invalid argument\n",
  );
});

test('a string over two lines is one problem, where xl reports three', () => {
  const reading = read('x10-string-over-two-lines', []);
  expect(told(reading)).toBe(
    [
      'guest.cfg:1:9: error: the string is not closed on its line [cfg/unclosed-string]',
      "  1 | vif = [ 'mac=00:16:3e:00:00:01,",
      '    |         ^^^^^^^^^^^^^^^^^^^^^^^',
      'note: a string cannot go on in the next line',
    ].join('\n'),
  );
  expect(reading.xl.stderr.split('\n')).toEqual([
    "guest.cfg:1: config parsing error near `'mac=00:16:3e:00:00:01,': lexical error",
    "guest.cfg:2: config parsing error near `bridge': syntax error, unexpected IDENT, expecting ']'",
    "guest.cfg:2: config parsing error near `'': lexical error",
    'Failed to parse config: Invalid argument',
    '',
  ]);
});

test('without a label the host gives the default ones, and there is nothing to say', () => {
  const reading = read('x12-no-label');
  expect(labels(reading)).toEqual([undefined, undefined, undefined]);
  expect(runningLabel(reading.labels)).toBeUndefined();
  expect(told(reading)).toBe('');
  expect(reading.config?.name).toBe('web');
});

test('a stub domain has a label of its own', () => {
  const reading = read('x14-stubdom-label', []);
  expect(labels(reading)).toEqual(['system_u:system_r:isolated_domU_t', undefined, 'system_u:system_r:dm_dom_t']);
  expect(reading.config?.hasStubdomain).toBe(true);
  expect(told(reading)).toBe('');
});
