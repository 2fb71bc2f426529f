/** What xl never says about keys, and we do. */
import { renderDiagnostic, SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { KEY_TABLE, LATER_KEYS } from './key-table.ts';
import { parseXlCfg } from './parser.ts';
import { readDomainConfig } from './read-domain-config.ts';

function told(lines: string, extraWords: readonly string[] = []): string[] {
  const text = `${lines}name = 'guest'\nkernel = '/boot/vmlinuz'\n`;
  const { diagnostics } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text), extraWords));
  return diagnostics.flatMap((diagnostic) => renderDiagnostic(diagnostic).split('\n'));
}

describe('keys', () => {
  test('a key that nobody knows is a warning, with the one that was meant', () => {
    expect(told('memroy = 5\n')).toEqual([
      'guest.cfg:1:1: warning: `memroy` is not a key of xl.cfg and is ignored [cfg/unknown-key]',
      '  1 | memroy = 5',
      '    | ^^^^^^ did you mean `memory`?',
      'note: xl says nothing here and ignores the key',
    ]);
  });

  test('the labels of xend become those of xl, and a number becomes none', () => {
    const note = "note: xend had such a key; xl takes the label itself: `seclabel = 'user:role:type'`";
    const silent =
      'note: xl says nothing here and ignores the key; the guest gets its label as if the line were not there';
    const wrong = (key: string): string =>
      `guest.cfg:1:1: error: \`${key}\` is not a key of xl.cfg, so its label does not take effect [cfg/misspelt-label-key]`;
    for (const key of ['access_control', 'access_controls'])
      expect(told(`${key} = [ 'policy=xen,label=system_u:system_r:domU_t' ]\n`)).toEqual([
        wrong(key),
        `  1 | ${key} = [ 'policy=xen,label=system_u:system_r:domU_t' ]`,
        `    | ${'^'.repeat(key.length)} write \`seclabel = 'system_u:system_r:domU_t'\``,
        silent,
        note,
      ]);
    expect(told('ssidref = 5\n')).toEqual([wrong('ssidref'), '  1 | ssidref = 5', '    | ^^^^^^^', silent, note]);
  });

  test('a key that is like no other gets no advice', () => {
    expect(told('colour = 5\n')).toEqual([
      'guest.cfg:1:1: warning: `colour` is not a key of xl.cfg and is ignored [cfg/unknown-key]',
      '  1 | colour = 5',
      '    | ^^^^^^',
      'note: xl says nothing here and ignores the key',
    ]);
  });

  test.each([...LATER_KEYS])('the key `%s` is one of later releases', (key) => {
    expect(told(`${key} = 1\n`)[0]).toBe(
      `guest.cfg:1:1: warning: \`${key}\` is ignored: only releases after Xen 4.17 read it [cfg/later-key]`,
    );
    expect(KEY_TABLE.has(key)).toBe(false);
  });

  test('a key for another kind of guest is a note', () => {
    expect(told('boot = "dc"\n')).toEqual([
      'guest.cfg:1:1: note: `boot` has no effect on a pv guest [cfg/key-for-other-guest]',
      '  1 | boot = "dc"',
      '    | ^^^^',
      'note: it is for hvm guests; xl says nothing about it',
    ]);
    expect(told('type = "hvm"\nboot = "dc"\n')).toEqual([]);
  });

  test('a key set twice is a warning at the one that wins', () => {
    expect(told('memory = 64\nvcpus = 1\nmemory = 128\n')).toEqual([
      'guest.cfg:3:1: warning: `memory` is set again: this value wins [cfg/key-twice]',
      '  3 | memory = 128',
      '    | ^^^^^^',
      'guest.cfg:1:1: note: the value given here is lost',
      'note: xl says nothing here',
    ]);
  });

  test('a key that is added to, or set again on the command line, is nothing to talk about', () => {
    expect(told("extra = 'a'\nextra += ' b'\n")).toEqual([]);
    expect(told('memory = 64\n', ['memory=128'])).toEqual([]);
  });

  test('a word of the command line that is wrong points at the command line', () => {
    expect(told('', ['memory=64', 'memroy=5'])[0]).toBe(
      'command line:2:1: warning: `memroy` is not a key of xl.cfg and is ignored [cfg/unknown-key]',
    );
  });
});
