/** Who the guest is: kind, name, UUID. */
import { SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { parseXlCfg } from './parser.ts';
import { type DomainConfigReading, readDomainConfig } from './read-domain-config.ts';
import { XL_DEFAULTS } from './xl-defaults.ts';

function read(text: string): DomainConfigReading {
  return readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
}

const guest = (lines: string): DomainConfigReading => read(`${lines}name = 'guest'\nkernel = '/boot/vmlinuz'\n`);
const codes = ({ diagnostics }: DomainConfigReading): string[] => diagnostics.map(({ code }) => code);

describe('the kind of guest', () => {
  test.each([
    ['', 'pv', []],
    ["type = 'pv'\n", 'pv', []],
    ["type = 'pvh'\n", 'pvh', []],
    ["type = 'hvm'\n", 'hvm', []],
    ["builder = 'hvm'\n", 'hvm', []],
    ["builder = 'generic'\n", 'pv', []],
    ["builder = 'hvm'\ntype = 'hvm'\n", 'hvm', []],
    ["type = 'p'\n", 'pv', ['cfg/shortened']],
    ["type = 'h'\n", 'hvm', ['cfg/shortened']],
    ["type = ''\n", 'hvm', ['cfg/shortened']],
    ["builder = 'gen'\n", 'pv', ['cfg/shortened']],
  ])('of %j is %s', (lines, kind, said) => {
    const reading = guest(lines);
    expect(reading.config?.guest).toBe(kind);
    expect(codes(reading)).toEqual(said);
  });

  test('is that of the host when the file does not tell it', () => {
    const cfg = parseXlCfg(new SourceText('guest.cfg', "name = 'guest'\nkernel = '/boot/vmlinuz'\n"));
    expect(readDomainConfig(cfg, { ...XL_DEFAULTS, guest: 'pvh' }).config?.guest).toBe('pvh');
  });

  test.each([
    ["type = 'xen'\n", 'Invalid domain type xen.\n', 'cfg/bad-choice'],
    ["type = 'PV'\n", 'Invalid domain type PV.\n', 'cfg/bad-choice'],
    ["builder = 'linux'\n", 'Invalid domain type linux.\n', 'cfg/bad-choice'],
    ["builder = 'hvm'\ntype = 'pvh'\n", 'Contradicting "builder" and "type" options specified.\n', 'cfg/contradiction'],
  ])('of %j is none: xl ends', (lines, stderr, code) => {
    const reading = guest(lines);
    expect(reading.xl).toEqual({ kind: 'exits', code: 1, stderr });
    expect(codes(reading)).toEqual([code]);
    expect(reading.config).toBeUndefined();
  });
});

describe('the name', () => {
  test('must be given', () => {
    const reading = read("kernel = '/boot/vmlinuz'\n");
    expect(reading.xl).toEqual({ kind: 'exits', code: 1, stderr: 'Domain name must be specified.\n' });
    expect(codes(reading)).toEqual(['cfg/required']);
  });

  test('may be a number', () => {
    expect(read("name = 42\nkernel = '/boot/vmlinuz'\n").config?.name).toBe('42');
  });
});

describe('the UUID', () => {
  test('is printed in lower case', () => {
    const uuid = '302EB3EE-01c8-4ed9-85ec-B2960E0CA998';
    expect(guest(`uuid = '${uuid}'\n`).config?.uuid).toBe(uuid.toLowerCase());
  });

  test('is left to chance when the file gives none', () => {
    expect(guest('').config?.uuid).toBeUndefined();
  });

  test.each([
    '',
    'x',
    '302eb3ee01c84ed985ecb2960e0ca998',
    '302eb3ee-01c8-4ed9-85ec-b2960e0ca99',
    '302eb3ee-01c8-4ed9-85ec-b2960e0ca998 ',
  ])('cannot be `%s`', (uuid) => {
    const reading = guest(`uuid = '${uuid}'\n`);
    expect(reading.xl).toEqual({ kind: 'exits', code: 1, stderr: `Failed to parse UUID: ${uuid}\n` });
    expect(codes(reading)).toEqual(['cfg/bad-uuid']);
  });
});
