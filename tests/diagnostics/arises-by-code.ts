/**
 * Codes that no snippet can show: limits, what only a broken binary has, what depends on the past of a host.
 *
 * @module
 */
import { readDeviceFile } from '@dewar/lab';
import { parseProperties, proveProperties, type RuleQuery, searchRules } from '@dewar/policy/analysis';
import { compileText } from '@dewar/policy/compiler';
import { checkRecompiled, decompilePolicy } from '@dewar/policy/decompiler';
import { type PolicyDb, readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { SecurityServer } from '@dewar/policy/security-server';
import { type Diagnostic, SourceText } from '@dewar/policy/text';
import { adviseLabelGrants } from '@dewar/toolstack';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { codesOfTornReport } from './lost-log.ts';
import { policyWith } from './prelude.ts';
import { codesOfLostGuest } from './unknown-fate.ts';

function compile(statements: string, isMls = false): { bytes: Uint8Array; diagnostics: readonly Diagnostic[] } {
  const text = policyWith(statements, { isMls, classes: '4.17', keepsOrder: false });
  const { bytes, diagnostics } = compileText(new SourceText('policy.conf', text), { isMls });
  return { bytes: bytes ?? new Uint8Array(), diagnostics };
}

/** The labels of a guest that names one. */
function labelsOf(label: string): ReturnType<typeof readDomainConfig>['labels'] {
  return readDomainConfig(parseXlCfg(new SourceText('guest.cfg', `name = 'a'\nseclabel = '${label}'\n`))).labels;
}

function codes(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map(({ code }) => code);
}

function load(...policies: readonly Uint8Array[]): string[] {
  const server = new SecurityServer({ release: xenRelease('4.17') });
  return policies.flatMap((bytes) => {
    const outcome = server.loadPolicy(bytes);
    return outcome.kind === 'refused' ? codes(outcome.diagnostics) : [];
  });
}

/** Rules under more booleans than are tried out. */
function manyBooleans(): string {
  const names = Array.from({ length: 13 }, (_, i) => `open_${i}`);
  const blocks = names.map((name) => `if (${name}) { allow dom0_t domU_t:domain destroy; }`);
  return [...names.map((name) => `bool ${name} false;`), ...blocks].join('\n');
}

/** The codes of a file of properties. */
function proveAll(text: string, statements = ''): string[] {
  const { properties, diagnostics } = parseProperties(new SourceText('policy.prove', text));
  const read = readPolicydb(compile(statements).bytes);
  if ('diagnostic' in read) return [read.diagnostic.code];
  const { initialSids } = xenRelease('4.17');
  return codes([...diagnostics, ...proveProperties(read.policy, properties, initialSids).diagnostics]);
}

/** The codes of a file with so many devices. */
function deviceCodes(count: number): string[] {
  const found: Diagnostic[] = [];
  const lines = Array.from({ length: count }, (_, index) => {
    const [bus, slot] = [index >> 8, (index >> 3) & 0x1f].map((number) => number.toString(16));
    return `${bus}:${slot}.${index & 7}`;
  });
  readDeviceFile(new SourceText('host.devices', lines.join('\n')), (one) => found.push(one));
  return codes(found);
}

/** Numbers as the format stores them. */
function u16(...values: readonly number[]): Buffer {
  return Buffer.from(Uint16Array.from(values).buffer);
}

function u32(...values: readonly number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}

/** The numbers of the symbols of a policy. */
interface Numbers {
  readonly type: (name: string) => number;
  readonly role: (name: string) => number;
  readonly user: (name: string) => number;
  readonly tclass: (name: string) => number;
}

function numbersOf({ types, roles, users, classes }: PolicyDb): Numbers {
  const value = (found: { readonly value: number } | undefined): number => {
    if (found === undefined) throw new Error('the policy of the test lacks a symbol');
    return found.value;
  };
  return {
    type: (name) => value(types.byName.get(name)),
    role: (name) => value(roles.byName.get(name)),
    user: (name) => value(users.byName.get(name)),
    tclass: (name) => value(classes.byName.get(name)),
  };
}

type Patch = (numbers: Numbers) => readonly [from: Buffer, to: Buffer];

/** A binary policy in which some bytes were replaced: what no compiler writes. */
function patched(statements: string, patch: Patch, isMls = false): Buffer {
  const { bytes } = compile(statements, isMls);
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  const [from, to] = patch(numbersOf(read.policy));
  const binary = Buffer.from(bytes);
  const at = binary.indexOf(from);
  if (at < 0 || from.length !== to.length) throw new Error('the policy of the test lacks the bytes to replace');
  to.copy(binary, at);
  return binary;
}

function loadPatched(statements: string, patch: Patch, isMls = false): string[] {
  return load(patched(statements, patch, isMls));
}

/** Decompiles a patched policy as `dewar decompile` does, and checks the text. */
function decompilePatched(statements: string, patch: Patch): string[] {
  const binary = patched(statements, patch);
  const read = readPolicydb(binary);
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  const { version } = read;
  const { text, diagnostics } = decompilePolicy(read.policy, { version });
  const changed = checkRecompiled(binary, compileText(new SourceText('again.conf', text), { version }));
  return codes(changed === undefined ? diagnostics : [...diagnostics, changed]);
}

/** Gives a type another name of the same length. */
function renamed(from: string, to: string): Patch {
  return () => [Buffer.from(from), Buffer.from(to)];
}

const THIRD_LABEL: readonly [from: Buffer, to: Buffer] = [u32(5, 4, 1), u32(5, 4 | 16, 1)];

function searchFor(query: RuleQuery): string[] {
  const read = readPolicydb(compile('').bytes);
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  return codes(searchRules(read.policy, query).diagnostics);
}

const sidOf = (name: string): number => xenRelease('4.17').initialSids.indexOf(name) + 1;

/** The label of dom0 as an entry of the initial SIDs, with one number changed. */
function dom0Sid(numbers: Numbers, change: { readonly sid?: number; readonly type?: number } = {}): Buffer {
  const { sid = sidOf('dom0'), type = numbers.type('dom0_t') } = change;
  return u32(sid, numbers.user('system_u'), numbers.role('system_r'), type);
}

/** One rule for so many pairs of types that the binary is larger than 64 MiB. */
function manyPairs(): string {
  const types = Array.from({ length: 2400 }, (_, i) => `type pair${i}_t, pairs;`);
  return ['attribute pairs;', ...types, 'type_transition pairs pairs:domain pair0_t;'].join('\n');
}

function manyTypes(): string {
  return Array.from({ length: 65_536 }, (_, i) => `type many${i};\n`).join('');
}

function readCfg(text: string): string[] {
  return codes(readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text))).diagnostics);
}

/** For each such code, the way in which it arises; answers the codes that were seen. */
export const arisesByCode: ReadonlyMap<string, () => readonly string[] | Promise<readonly string[]>> = new Map<
  string,
  () => readonly string[] | Promise<readonly string[]>
>([
  ['guest/log-lost', codesOfTornReport],
  ['guest/fate-unknown', codesOfLostGuest],
  ['te/too-many-types', () => codes(compile(manyTypes()).diagnostics)],
  ['source/larger-than-xen-loads', () => codes(compile(manyPairs()).diagnostics)],
  [
    'language/line-too-long',
    () => codes(compile(`allow dom0_t domU_t:domain {${' pause'.repeat(2000)} };`).diagnostics),
  ],
  [
    'load/version-too-new',
    () => {
      const outcome = new SecurityServer({ release: xenRelease('4.3') }).loadPolicy(compile('').bytes);
      return outcome.kind === 'refused' ? codes(outcome.diagnostics) : [];
    },
  ],
  ['load/mls-changed', () => load(compile('').bytes, compile('', true).bytes)],
  [
    'load/no-rules',
    () => {
      const text = policyWith('', { isMls: false, classes: '4.17', keepsOrder: false });
      const { bytes } = compileText(new SourceText('policy.conf', text.replace(/^allow .*$/m, '')));
      return load(bytes ?? new Uint8Array());
    },
  ],
  [
    'load/duplicate-rule',
    () =>
      loadPatched('allow dom0_t nic_t:domain pause;', ({ type, tclass }) => {
        const key = (target: string): Buffer => u16(type('dom0_t'), type(target), tclass('domain'), 1);
        return [key('nic_t'), key('domU_t')];
      }),
  ],
  [
    'load/conflicting-type-rule',
    () =>
      loadPatched(
        [
          'bool open false;',
          'if (locked) { type_transition domU_t dom0_t:event channel_t; }',
          'if (open) { type_transition domU_t nic_t:event resource_t; }',
        ].join('\n'),
        ({ type, tclass }) => {
          const key = (target: string): Buffer => u16(type('domU_t'), type(target), tclass('event'));
          return [key('nic_t'), key('dom0_t')];
        },
      ),
  ],
  [
    // A step that compares the type of the source with names; 16 makes it the type of the third label.
    'load/third-context',
    () => loadPatched('constrain domain pause (t1 == dom0_t);', () => THIRD_LABEL),
  ],
  [
    'load/invalid-context',
    () => loadPatched('', (numbers) => [dom0Sid(numbers), dom0Sid(numbers, { type: numbers.type('nic_t') })]),
  ],
  [
    'load/duplicate-initial-sid',
    () => loadPatched('', (numbers) => [dom0Sid(numbers), dom0Sid(numbers, { sid: sidOf('xen') })]),
  ],
  [
    // Length of the name, number, properties (1: a type with a name of its own), bound.
    'load/bounds-attribute',
    () =>
      loadPatched('', ({ type }) => {
        const symbol = (bound: number): Buffer => u32('nic_t'.length, type('nic_t'), 1, bound);
        return [symbol(0), symbol(type('domain_type'))];
      }),
  ],
  [
    // Source, target and class of the transition; the number of levels and their sensitivities.
    'load/invalid-range',
    () =>
      loadPatched(
        'range_transition dom0_t nic_t:resource s0 - s1;',
        ({ type, tclass }) => {
          const transition = (...sensitivities: readonly number[]): Buffer =>
            u32(type('dom0_t'), type('nic_t'), tclass('resource'), 2, ...sensitivities);
          return [transition(1, 2), transition(2, 1)];
        },
        true,
      ),
  ],
  [
    'load/bounds-exceeded',
    () =>
      loadPatched('', ({ user }) => {
        const symbol = (bound: number): Buffer => u32('customer_1'.length, user('customer_1'), bound);
        return [symbol(0), symbol(user('system_u'))];
      }),
  ],
  ['decompile/not-a-name', () => decompilePatched('', renamed('nic_t', 'nic@t'))],
  ['decompile/not-compiled', () => decompilePatched('', renamed('nic_t', 'nic@t'))],
  [
    'decompile/no-symbol',
    // The number of one type is given to another, so that the rule about it speaks of nothing.
    () =>
      decompilePatched('allow dom0_t nic_t:domain pause;', ({ type }) => {
        const symbol = (value: number): Buffer => u32('nic_t'.length, value, 1);
        return [symbol(type('nic_t')), symbol(type('xen_t'))];
      }),
  ],
  ['decompile/no-text', () => decompilePatched('constrain domain pause (t1 == dom0_t);', () => THIRD_LABEL)],
  ['decompile/other-order', () => decompilePatched('', renamed('nic_t', 'zzz_t'))],
  ['decompile/other-bytes', () => decompilePatched('', renamed('nic_t', 'zzz_t'))],
  ['prove/syntax', () => proveAll('nobdy reads memory of dom0_t;')],
  ['prove/no-property', () => proveAll('# nothing')],
  ['prove/unknown-name', () => proveAll('nobody reads memory of domV_t;')],
  ['prove/bad-label', () => proveAll('nobody reads memory of nobody:system_r:domU_t;')],
  ['prove/no-label', () => proveAll('nobody reads memory of domU_t and not domU_t;')],
  ['guest/label-not-granted', () => codes(adviseLabelGrants(labelsOf('domU_t'), 'dom0_t', (...wanted) => wanted[3]))],
  ['devices/too-many-devices', () => deviceCodes(5000)],
  ['prove/too-many-booleans', () => proveAll('creators may destroy what they create;', manyBooleans())],
  ['search/unknown-name', () => searchFor({ kinds: ['allow'], source: { text: 'domV_t' } })],
  ['search/bad-pattern', () => searchFor({ kinds: ['allow'], source: { text: 'dom(', isRegex: true } })],
  ['cfg/too-deep', () => readCfg(`name = 'guest'\nvnuma = ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`)],
  ['cfg/too-many-problems', () => readCfg('memory = yes\n'.repeat(200))],
]);
