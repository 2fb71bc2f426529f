/**
 * Files that nobody wrote for a guest: any bytes, near misses of the grammar, megabytes of one thing.
 *
 * Whatever the text, reading ends, throws nothing, and every diagnostic is one line about a place in the text.
 */

import { type Diagnostic, renderDiagnostic, SourceText } from '@dewar/policy/text';
import {
  type DomainConfigReading,
  KEY_TABLE,
  parseXlCfg,
  printDomainConfigJson,
  readDomainConfig,
} from '@dewar/toolstack/xl-cfg';
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { DEVICE_LISTS, generateDevices } from './generate-devices.ts';
import { Dice } from './generate-texts.ts';

function read(text: string, extraWords: readonly string[] = []): DomainConfigReading {
  const reading = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text), extraWords));
  if (reading.xl.kind === 'made') printDomainConfigJson(reading.xl.config);
  return reading;
}

/** A message is one line that a terminal can show. */
const ONE_LINE = /^[\x20-\x7e…]+$/;

/** Parser, keys and labels each stop after about a hundred. */
const MOST_DIAGNOSTICS = 1000;

function expectSound({ diagnostics, config, xl }: DomainConfigReading): void {
  expect(diagnostics.length).toBeLessThan(MOST_DIAGNOSTICS);
  for (const diagnostic of diagnostics) expectSoundDiagnostic(diagnostic);
  const hasErrors = diagnostics.some(({ severity }) => severity === 'error');
  expect(config === undefined).toBe(hasErrors || xl.kind !== 'made');
  // Nothing that stops xl goes without a word of ours.
  if (xl.kind !== 'made') expect(hasErrors).toBe(true);
}

function expectSoundDiagnostic(diagnostic: Diagnostic): void {
  const { message, notes, fixes, origin } = diagnostic;
  const messages = [message, ...notes.map((note) => note.message), ...fixes.map(({ title }) => title)];
  for (const line of messages) expect(line).toMatch(ONE_LINE);
  const spans = [origin, ...notes.map((note) => note.origin)].flatMap((place) =>
    place === undefined ? [] : [place.span],
  );
  for (const { source, start, end } of [...spans, ...fixes.flatMap(({ edits }) => edits.map(({ span }) => span))]) {
    expect(start).toBeGreaterThanOrEqual(0);
    expect(end).toBeGreaterThanOrEqual(start);
    expect(end).toBeLessThanOrEqual(source.text.length);
  }
  expect(renderDiagnostic(diagnostic)).toContain(diagnostic.code);
}

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const bytes = fc.string({ unit: byte, maxLength: 200 });

const piece = fc.oneof(
  fc.constantFrom(
    '=',
    '+=',
    '[',
    ']',
    ',',
    ';',
    '\n',
    ' ',
    '\t',
    '#',
    '"',
    "'",
    '\\',
    '\r\n',
    '-',
    ':',
    '[ ',
    ' ]',
    '\0',
  ),
  fc.constantFrom(...KEY_TABLE.keys()),
  fc.constantFrom('1', '0x10', '-1', '99999999999999999999', '"x"', "'u:r:t'", '[ "a" ]', '[]', '[ [ "a" ] ]'),
);
const nearMiss = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(''));

/** Values that any key may get: strings of any bytes but those that end a string, numbers, lists of them. */
const content = fc.string({ unit: byte, maxLength: 20 }).map((text) => text.replaceAll(/["\\\n\0]/g, '_'));
const scalar = fc.oneof(
  content.map((text) => `"${text}"`),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((number) => `"${number}"`),
);
const value = fc.oneof(
  scalar,
  fc.array(fc.oneof(scalar, fc.constant('["x"]')), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
);
const devices = fc.tuple(fc.constantFrom(...DEVICE_LISTS), fc.nat()).map(([key, seed]) => {
  const dice = new Dice(seed);
  return `${key} = ${generateDevices(dice, key)}`;
});
const assignment = fc
  .tuple(fc.constantFrom(...KEY_TABLE.keys()), fc.constantFrom('=', '=', '+='), value)
  .map((parts) => parts.join(' '));
const guest = fc
  .tuple(fc.constantFrom('pv', 'pvh', 'hvm'), fc.array(fc.oneof(assignment, devices), { maxLength: 12 }))
  .map(([type, lines]) => ['name = "x"', 'kernel = "/k"', `type = "${type}"`, ...lines, ''].join('\n'));

describe('any text', () => {
  property.prop([bytes], { numRuns: 500 })('of any bytes is read', (text) => expectSound(read(text)));

  property.prop([nearMiss], { numRuns: 500 })('that is nearly a file is read', (text) => expectSound(read(text)));

  property.prop([guest], { numRuns: 800 })('with any value for any key is read', (text) => expectSound(read(text)));

  property.prop([guest, fc.array(fc.oneof(assignment, bytes), { maxLength: 3 })], { numRuns: 150 })(
    'is read with any words of the command line',
    (text, words) => expectSound(read(text, words)),
  );

  property.prop([fc.oneof(bytes, nearMiss, guest)], { numRuns: 200 })('gives the same answer twice', (text) => {
    expect(read(text)).toEqual(read(text));
  });
});

const LENGTH = 100_000;
const fill = (unit: string): string => unit.repeat(Math.ceil(LENGTH / unit.length));
const many = (line: (index: number) => string): string =>
  Array.from({ length: LENGTH / 20 }, (_, at) => line(at)).join('');

/** Texts on which a reader that looks at anything twice would take minutes. */
const floods: readonly (readonly [what: string, text: string])[] = [
  ['one long string', `kernel = "${fill('x')}"\n`],
  ['a string that never ends', `kernel = "${fill('x')}`],
  ['a string of escapes', `kernel = "${fill('\\\\')}"\n`],
  ['a string of escapes that vanish', `kernel = "${fill('\\0123')}"\n`],
  ['escapes that do not exist', fill('a = "\\q"\n')],
  ['one long key', `${fill('k')} = 1\n`],
  ['one long number', `memory = ${fill('9')}\n`],
  ['one long number in quotes, and junk', `memory = "${fill('0')}x"\n`],
  ['one long label', `seclabel = "u:r:t:${fill('s0 ')}"\n`],
  ['a label of colons', `seclabel = "${fill('u:')}"\n`],
  ['a label key that is nearly one, many times', many((at) => `sec_label${at} = 1\n`)],
  ['keys that nobody knows', many((at) => `key${at} = 1\n`)],
  ['one key, set again and again', fill('memory = 1\n')],
  ['one string, added to again and again', fill('extra += "x"\n')],
  ['one list, added to again and again', fill('disk += [ "x" ]\n')],
  ['a list of many items', `viridian = [ ${fill('"freq", ')}]\n`],
  ['a list of many lists', `vnuma = [ ${fill('[ "x" ], ')}]\n`],
  ['lists in lists, never closed', `a = ${fill('[')}`],
  ['lists in lists, closed', `a = ${'['.repeat(LENGTH / 2)}${']'.repeat(LENGTH / 2)}\n`],
  ['lists in lists as deep as libxlutil goes', `a = ${'['.repeat(4900)}1${']'.repeat(4900)}\n`],
  ['lists broken off on every line', fill('a = [ "x\n')],
  ['brackets that open nothing', fill(']')],
  ['commas', `a = [ ${fill(',')}`],
  ['semicolons', fill(';')],
  ['line ends', fill('\n')],
  ['blanks', fill(' ')],
  ['quotes', fill('"')],
  ['quotes of both kinds', fill(`" ' `)],
  ['backslashes', fill('\\ ')],
  ['comments that begin and never end', `\n${fill('#')}`],
  ['comments', fill('a = 1 # x\n')],
  ['stray characters on one line', fill('@ ')],
  ['stray characters on many lines', fill('@\n')],
  ['statements without an equals sign', fill('a b\n')],
  ['statements without a value', fill('a =\n')],
  ['two statements on every line', fill('a = 1 b = 2\n')],
  ['lines that end with CR and LF', fill('a = 1\r\n')],
  ['NUL bytes', fill('\0')],
  ['NUL bytes in strings', fill('a = "\0"\n')],
  ['curly quotes', `a = ${fill('\xe2\x80\x9cx ')}`],
  ['words in capitals', fill('ABLE = 1\n')],
  ['words for a bootloader', `bootloader_args = "${fill('a ')}"\n`],
  ['an entry of a disk of many parts', `disk = [ "${fill('format=raw,')}" ]\n`],
  ['an entry of a disk of many mistakes', `disk = [ "${fill('format=x,')}" ]\n`],
  ['an entry of a disk of many prefixes', `disk = [ "${fill('raw:')}" ]\n`],
  ['an entry of a disk of commas', `disk = [ "${fill(',')}" ]\n`],
  ['an entry of a disk of blanks', `disk = [ "${fill(' ')}" ]\n`],
  ['an entry of a network interface of many parts', `vif = [ "${fill('bridge=x,')}" ]\n`],
  ['an entry of a network interface of many mistakes', `vif = [ "${fill('mac=0,')}" ]\n`],
  ['an entry of a frame buffer of many mistakes', `vfb = [ "${fill('x=y,')}" ]\n`],
  ['an entry of a PCI device of many options', `pci = [ "00:00.0,${fill('seize=1,')}" ]\n`],
  ['a PCI address of many digits', `pci = [ "${fill('0')}:${fill('0')}.0" ]\n`],
  ['devices that are wrong', `disk = [ ${'"x",'.repeat(5000)} ]\nvif = [ ${'"x",'.repeat(5000)} ]\n`],
  ['PCI devices that are wrong', `pci = [ ${'"x",'.repeat(5000)} ]\n`],
  ['ports that are wrong', `ioports = [ ${'"x",'.repeat(5000)} ]\nirqs = [ ${'[],'.repeat(5000)} ]\n`],
  ['an impossible number of processors', 'vcpus = 2147483647\nmaxvcpus = 2147483647\n'],
];

describe('a flood', () => {
  test.each(floods)('of %s is read', (_, text) => {
    expectSound(read(text));
    expectSound(read(`name = "x"\nkernel = "/k"\n${text}`));
  });

  test('of several megabytes is read in seconds', () => {
    const text = `name = "x"\nkernel = "/k"\n${'extra += "x" # and a remark\n'.repeat(100_000)}`;
    const { config } = read(text);
    expect(config?.cmdline).toBe('x'.repeat(100_000));
  });

  test('of lists in lists is refused where libxlutil refuses it', () => {
    const nested = (depth: number): string => `a = ${'['.repeat(depth)}${']'.repeat(depth)}\n`;
    expect(parseXlCfg(new SourceText('guest.cfg', nested(4990))).outcome).toBe('parsed');
    const { outcome, libxlReport, diagnostics } = parseXlCfg(new SourceText('guest.cfg', nested(5100)));
    expect(outcome).toBe('refused');
    expect(libxlReport).toMatch(/memory exhausted\n/);
    expect(diagnostics.map(({ code }) => code)).toContain('cfg/too-deep');
  });
});
