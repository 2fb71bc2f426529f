/** Policies written as text again: compiled once more they are the same, byte for byte. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { type PolicyDb, type PolicyVersion, readPolicydb } from '../policydb/index.ts';
import { renderDiagnostic, SourceText } from '../text/index.ts';
import { type DecompiledPolicy, decompilePolicy, policyInfo } from './index.ts';

interface Settings {
  readonly version?: PolicyVersion;
  readonly isMls?: boolean;
  readonly handleUnknown?: 'deny' | 'reject' | 'allow';
}

function compile(text: string, settings: Settings = {}): Uint8Array {
  const { bytes, diagnostics } = compileText(new SourceText('policy.conf', text), settings);
  if (bytes === undefined) throw new Error(diagnostics.map((one) => renderDiagnostic(one)).join('\n'));
  return bytes;
}

function read(bytes: Uint8Array): { policy: PolicyDb; version: PolicyVersion } {
  const found = readPolicydb(bytes);
  if ('diagnostic' in found) throw new Error(found.diagnostic.message);
  return found;
}

/** The text of a policy, after a look at whether it gives the same bytes. */
function roundTrip(text: string, settings: Settings = {}): string {
  const bytes = compile(text, settings);
  const { policy, version } = read(bytes);
  const decompiled = decompilePolicy(policy, { version });
  expect(decompiled.diagnostics.map((one) => renderDiagnostic(one))).toEqual([]);
  const again = compile(decompiled.text, { ...settings, version });
  expect(Buffer.from(again).equals(bytes)).toBe(true);
  return decompiled.text;
}

interface Parts {
  readonly rules?: string;
  readonly users?: string;
  readonly constraints?: string;
  readonly contexts?: string;
}

function small({ rules = '', users = '', constraints = '', contexts = '' }: Parts): string {
  return `
class obj
class thing
sid xenboot
sid xen
class obj { read write open }
class thing { turn }
attribute domains;
type a_t, domains;
type b_t, domains;
type c_t;
role r;
role r types { a_t b_t c_t };
${rules}
allow a_t b_t:obj read;
user u roles r;
${users}
${constraints}
sid xenboot u:r:a_t
sid xen u:r:b_t
${contexts}
`;
}

describe('a policy that is decompiled', () => {
  test('has rules of the same source and permissions joined, and the user’s own names', () => {
    const text = roundTrip(
      small({
        rules: 'allow c_t domains:obj { read write }; allow c_t { a_t b_t c_t }:thing turn; allow b_t self:obj open;',
      }),
    );
    expect(text).toContain('allow c_t { a_t b_t }:thing turn;');
    expect(text).toContain('allow c_t domains:obj { read write };');
    expect(text).toContain('allow c_t self:thing turn;');
    expect(text).toContain('allow b_t self:obj open;');
    expect(text).toContain('type a_t, domains;');
  });

  test('keeps bits that `*` and `~` set beyond the class', () => {
    const text = roundTrip(
      small({
        rules:
          'allow c_t a_t:obj *; allow c_t b_t:obj ~write; dontaudit c_t a_t:obj *; auditdeny a_t c_t:obj read; auditdeny c_t c_t:thing *;',
      }),
    );
    expect(text).toContain('allow c_t a_t:obj *;');
    expect(text).toContain('allow c_t b_t:obj ~write;');
    expect(text).toContain('dontaudit c_t a_t:obj *;');
    expect(text).toContain('auditdeny a_t c_t:obj read;');
  });

  test('keeps the order of kinds for one source, target and class', () => {
    roundTrip(small({ rules: 'dontaudit b_t c_t:obj open; type_transition b_t c_t:obj a_t; allow b_t c_t:obj read;' }));
  });

  test('keeps conditional blocks, branches and the order within them', () => {
    const text = roundTrip(
      small({
        rules: `
bool one true; bool two false;
if (one && !two) { allow a_t c_t:obj { read open }; type_transition a_t c_t:{ obj thing } b_t; allow c_t { a_t b_t }:thing turn; }
else { dontaudit c_t self:obj write; }
if (two ^ one) { } else { allow b_t a_t:obj open; }
if (!(!(!(!(!one))))) { allow c_t c_t:thing turn; }
if (one == two) { allow { a_t -a_t } b_t:obj read; }`,
      }),
    );
    expect(text).toContain('if (one && !two)');
    expect(text).toContain('bool one true;');
  });

  test('finds room for the numbers that role attributes, tunables and repeated names took', () => {
    const roles = Array.from({ length: 11 }, (_, i) => `role more_${i};`).join(' ');
    const repeated = 'role r;';
    expect(roundTrip(small({ rules: 'attribute_role anyone; role second, anyone; allow anyone r;' }))).toContain(
      'attribute_role',
    );
    roundTrip(small({ rules: `attribute_role x; attribute_role y; attribute_role zz; ${roles} ${repeated}` }));
    const tunables = Array.from({ length: 20 }, (_, i) => `tunable tune_${i} true;`).join(' ');
    roundTrip(small({ rules: `${tunables} bool one true; bool two false; bool three false; bool alpha true;` }));
  });

  test('keeps aliases, bounds, permissive types, expanded attributes and dominance of roles', () => {
    const text = roundTrip(
      small({
        rules: `type parent_t alias { mother_t father_t }; type parent_t.child; type kid_t; typebounds parent_t kid_t;
permissive c_t; attribute gone; expandattribute gone true; typeattribute a_t gone; allow gone c_t:obj open;
role upper; dominance { role upper { role r; } }`,
        constraints: 'constrain obj read (t1 == gone or u1 == u2 and not t2 == { domains c_t });',
      }),
    );
    expect(text).toContain('type parent_t alias { father_t mother_t };');
    expect(text).toContain('typebounds parent_t kid_t;');
    expect(text).toContain('expandattribute gone true;');
    expect(text).toContain('(t1 == gone or u1 == u2 and not t2 == { c_t domains });');
  });

  test('keeps constraints, also those of a class that is named twice', () => {
    const text = roundTrip(
      small({
        constraints: `constrain { obj obj } { read open } (u1 == u2 or r1 dom r2);
constrain obj ~write (not (t1 == domains and t2 != c_t)); validatetrans { thing obj } (t3 == a_t and u1 == u);`,
      }),
    );
    expect(text).toContain('constrain { obj obj } { read open }');
  });

  test('keeps the labels of devices in their order', () => {
    const text = roundTrip(
      small({
        contexts: `pirqcon 33 u:object_r:a_t
pirqcon 12 u:object_r:b_t
ioportcon 0x3f8-0x3ff u:object_r:a_t
iomemcon 0xfee00-0xfee01 u:object_r:a_t
iomemcon 0x100000000-0x1000000ff u:object_r:b_t
pcidevicecon 0xc800 u:object_r:c_t
devicetreecon "/soc/a node" u:object_r:c_t
devicetreecon /soc/uart@1 u:object_r:b_t`,
      }),
    );
    expect(text).toContain('iomemcon 0x100000000-0x1000000ff u:object_r:b_t');
    expect(text).toContain('devicetreecon "/soc/a node" u:object_r:c_t');
  });

  test('names the initial SIDs as the release does', () => {
    const { policy, version } = read(compile(small({})));
    const textFor = (release: '4.3' | '4.17'): DecompiledPolicy => decompilePolicy(policy, { version, release });
    expect(textFor('4.17').text).toContain('sid xenboot u:r:a_t\nsid xen u:r:b_t');
    expect(textFor('4.3').text).toContain('sid xen u:r:a_t\nsid dom0 u:r:b_t');
  });

  test('keeps apart names that look like an address', () => {
    const text = small({})
      .replaceAll('user u ', 'user ab ')
      .replaceAll('role r', 'role cd')
      .replaceAll('u:r:', 'ab : cd : ')
      .replaceAll('roles r;', 'roles cd;');
    expect(roundTrip(text)).toContain('sid xen ab : cd : b_t');
  });
});

describe('what text cannot say is said', () => {
  const { policy, version } = read(compile(small({})));
  const codes = (changed: Partial<PolicyDb>): string[] =>
    decompilePolicy({ ...policy, ...changed }, { version }).diagnostics.map(({ code }) => code);

  test('a name that is no identifier, and the text stays safe to print', () => {
    const entries = policy.users.entries.map((user) => ({ ...user, name: 'bad\x1b[31mname' }));
    const users = { ...policy.users, entries, byName: new Map(entries.map((user) => [user.name, user])) };
    expect(codes({ users })).toContain('decompile/not-a-name');
    expect(decompilePolicy({ ...policy, users }, { version }).text).not.toContain('\x1b');
  });

  test('a context of a user who does not exist', () => {
    const [first] = policy.objectContexts.initialSids;
    if (first === undefined) throw new Error('no initial SID');
    const initialSids = [{ ...first, context: { ...first.context, user: 77 } }];
    expect(codes({ objectContexts: { ...policy.objectContexts, initialSids } })).toContain('decompile/no-symbol');
  });

  test('rules in an order of their own', () => {
    const { rules } = read(compile(small({ rules: 'allow b_t c_t:obj open; allow c_t c_t:obj open;' }))).policy;
    for (const column of [rules.source, rules.target, rules.tclass, rules.kind, rules.data])
      column.subarray(0, rules.length).reverse();
    expect(codes({ rules })).toEqual(['decompile/other-order']);
  });
});

const folder = new URL('../../../../tests/checkpolicy/policies/', import.meta.url);
const NAMES = [
  'hw-dotted',
  'hw-quirks',
  'fuzz-9001',
  'fuzz-9006-mls',
  'fuzz-9010-mls',
  'fuzz-9021',
  'fuzz-9024-mls',
  'fuzz-9025',
  'fuzz-9026-mls',
  'fuzz-9028-mls',
  'fuzz-9029',
  'fuzz-9022-mls',
];

describe.each(NAMES)('the policy %s', (name) => {
  const text = readFileSync(new URL(`${name}.conf`, folder), 'latin1');

  test.each([24, 30] as const)('at version %i comes back as text that gives the same bytes', (version) => {
    roundTrip(text, { version, isMls: name.endsWith('-mls'), handleUnknown: version === 24 ? 'allow' : 'reject' });
  });
});

test('what is in a policy is counted and named', () => {
  const { policy, version } = read(
    compile(small({ rules: 'bool one true; if (one) { allow c_t a_t:obj open; }', users: 'user second roles r;' })),
  );
  const info = policyInfo(policy, version, '4.17');
  expect(info.classes.map(({ name, permissions }) => [name, ...permissions])).toEqual([
    ['obj', 'read', 'write', 'open'],
    ['thing', 'turn'],
  ]);
  expect(info.types.map(({ name }) => name)).toEqual(['a_t', 'b_t', 'c_t']);
  expect(info.attributes).toEqual([{ name: 'domains', types: ['a_t', 'b_t'] }]);
  expect(info.roles.map(({ name }) => name)).toEqual(['object_r', 'r']);
  expect(info.users.map(({ name }) => name)).toEqual(['second', 'u']);
  expect(info.booleans).toEqual([{ name: 'one', state: true }]);
  expect(info.conditionals).toEqual([{ condition: 'one', state: true, rules: 1 }]);
  expect(info.initialSids).toEqual([
    { sid: 1, name: 'xenboot', context: 'u:r:a_t' },
    { sid: 2, name: 'xen', context: 'u:r:b_t' },
  ]);
  expect(info.counts['allow']).toBe(2);
  expect(info.release).toEqual({ name: '4.17', isExact: false });
});
