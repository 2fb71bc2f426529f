import { describe, expect, test } from 'vitest';
import { type PolicyDb, readPolicydb } from '../policydb/index.ts';
import { SourceText, userSpan } from '../text/index.ts';
import { type CompileOptions, compileText } from './index.ts';

function policyWith(rules: string): string {
  return `class domain
sid xen
class domain { create pause unpause destroy }
attribute domain_type;
attribute guest_type;
type dom0_t, domain_type;
type domU_t, domain_type, guest_type;
type xen_t;
bool locked false;
role system_r;
role system_r types { dom0_t xen_t };
${rules}
user system_u roles system_r;
sid xen system_u:system_r:xen_t
`;
}

interface Found {
  readonly codes: string[];
  /** `source target permissions`, of each allow entry outside conditionals. */
  readonly allows: string[] | undefined;
}

/** The policy in bytes that we wrote ourselves. */
function readBack(bytes: Uint8Array): PolicyDb {
  const read = readPolicydb(bytes);
  if (!('policy' in read)) throw new Error(read.diagnostic.message);
  return read.policy;
}

function allowsOf(policy: PolicyDb): string[] {
  const { rules, types } = policy;
  const name = (value: number): string => types.entries.find((type) => type.value === value)?.name ?? '';
  return Array.from({ length: rules.length }, (_, row) => row)
    .filter((row) => rules.kind[row] === 1)
    .map((row) => `${name(rules.source[row] ?? 0)} ${name(rules.target[row] ?? 0)} ${rules.data[row] ?? 0}`)
    .sort();
}

/** What is written at version 30, read back, and the codes of all diagnostics in the order of the text. */
function compiled(rules: string, options: CompileOptions = {}): Found {
  const { bytes, diagnostics } = compileText(new SourceText('site.conf', policyWith(rules)), options);
  const place = (index: number): number => {
    const origin = diagnostics[index]?.origin;
    return origin === undefined ? -1 : userSpan(origin).start;
  };
  const order = diagnostics.map((_, i) => i).sort((a, b) => place(a) - place(b));
  const policy = bytes === undefined ? undefined : readBack(bytes);
  return {
    codes: order.map((i) => diagnostics[i]?.code ?? ''),
    allows: policy === undefined ? undefined : allowsOf(policy),
  };
}

describe('optional blocks', () => {
  test('a block whose names are all declared counts', () => {
    const found = compiled(`optional {
      require { type dom0_t; class domain { create }; bool locked; }
      allow dom0_t domU_t:domain create;
    } else { allow dom0_t domU_t:domain pause; }`);
    expect(found).toEqual({ codes: [], allows: ['dom0_t domU_t 1'] });
  });

  test('a block that asks for a name that nobody declares gives way to its `else`, with a warning', () => {
    const found = compiled(`optional {
      require { type site_t; }
      allow site_t domU_t:domain create;
    } else { allow dom0_t domU_t:domain pause; }`);
    expect(found).toEqual({ codes: ['te/optional-left-out'], allows: ['dom0_t domU_t 2'] });
  });

  test('a block inside needs what the blocks around need', () => {
    const found = compiled(`allow dom0_t xen_t:domain create;
      optional {
        require { role site_r; }
        optional { require { type dom0_t; } allow dom0_t domU_t:domain create; }
      }`);
    expect(found.codes).toEqual(['te/optional-left-out', 'te/optional-left-out']);
    expect(found.allows).toEqual(['dom0_t xen_t 1']);
  });

  test('a name that is neither declared nor required is an error, in a block that does not count too', () => {
    expect(compiled('optional { allow site_t domU_t:domain create; }').codes).toEqual(['te/unknown-type']);
    expect(compiled('optional { require { type a_t; } allow a_t b_t:domain create; }').codes).toEqual([
      'te/optional-left-out',
      'te/unknown-type',
    ]);
  });

  test('nothing is required in an `else` branch, outside of blocks, or of a class that has it not', () => {
    expect(compiled('optional { ; } else { require { type dom0_t; } ; }').codes).toEqual(['te/require-in-else']);
    expect(compiled('require { type dom0_t; }').codes).toEqual(['te/require-outside']);
    expect(compiled('optional { require { class domain { fly }; } ; }').codes).toEqual(['te/unknown-permission']);
  });

  test('a conditional block demands what it requires', () => {
    const rule = 'allow dom0_t domU_t:domain create;';
    expect(compiled(`${rule} if (locked) { require { type domU_t; } }`)).toEqual({
      codes: [],
      allows: ['dom0_t domU_t 1'],
    });
    expect(compiled(`${rule} if (locked) { require { role site_r; } }`).codes).toEqual(['te/requirement-not-met']);
  });

  test('a boolean that is required above its declaration starts false, as with checkpolicy', () => {
    const { bytes } = compileText(
      new SourceText(
        'site.conf',
        policyWith('allow dom0_t xen_t:domain create; optional { require { bool late; } ; } bool late true;'),
      ),
    );
    expect(bytes && readBack(bytes).booleans.byName.get('late')?.state).toBe(false);
  });

  test('a block puts types into attributes', () => {
    const found = compiled(
      'optional { typeattribute xen_t guest_type; } allow dom0_t { guest_type -domU_t }:domain create;',
    );
    expect(found).toEqual({ codes: [], allows: ['dom0_t xen_t 1'] });
  });
});

describe('optimized bytes', () => {
  test('what a rule for an attribute allows is left out of the rules for its types', () => {
    const rules = `allow domain_type domain_type:domain { create pause };
      allow dom0_t domU_t:domain create;
      allow dom0_t guest_type:domain { pause destroy };`;
    expect(compiled(rules).allows).toEqual(['dom0_t domU_t 1', 'dom0_t guest_type 10', 'domain_type domain_type 3']);
    expect(compiled(rules, { isOptimized: true }).allows).toEqual(['dom0_t guest_type 8', 'domain_type domain_type 3']);
  });

  test('a conditional block that holds nothing more is left out', () => {
    const rules = `allow domain_type domain_type:domain create;
      if (locked) { allow dom0_t domU_t:domain create; }`;
    const conditionals = (isOptimized: boolean): number | undefined => {
      const { bytes } = compileText(new SourceText('site.conf', policyWith(rules)), { isOptimized });
      return bytes === undefined ? undefined : readBack(bytes).conditionals.length;
    };
    expect([conditionals(false), conditionals(true)]).toEqual([1, 0]);
  });
});

describe('optional blocks that declare names', () => {
  test('declare types, attributes and booleans that the block alone knows', () => {
    const block = `optional {
  require { type dom0_t; attribute domain_type; }
  attribute site_type;
  type site_t alias web_t, domain_type, site_type;
  bool site_locked false;
  allow dom0_t web_t:domain create;
  allow site_type self:domain pause;
  if (!site_locked) { allow dom0_t site_t:domain destroy; }
}`;
    expect(compiled(block)).toEqual({ codes: [], allows: ['dom0_t site_t 1', 'site_t site_t 2'] });
    expect(compiled(`${block} allow dom0_t site_t:domain destroy;`).codes).toEqual(['te/unknown-type']);
    expect(compiled(`${block} optional { require { type site_t; } allow dom0_t site_t:domain pause; }`)).toEqual({
      codes: [],
      allows: ['dom0_t site_t 3', 'site_t site_t 2'],
    });
  });

  test('lose what they declare when they do not count, and whoever requires it does not count either', () => {
    const found = compiled(`optional { require { type site_t; } allow dom0_t site_t:domain create; }
optional { require { type missing_t; } type site_t; allow dom0_t site_t:domain pause; }`);
    expect(found).toEqual({ codes: ['source/no-rules', 'te/optional-left-out', 'te/optional-left-out'], allows: [] });
  });

  test('declare nothing in their other branch', () => {
    expect(compiled('optional { require { type dom0_t; } ; } else { type site_t; }').codes).toEqual([
      'te/optional-unsupported',
    ]);
  });
});

/** The roles that the policy has, each with its types and its roles as a user of the same name. */
function rolesOf(rules: string): Record<string, string> {
  const { bytes } = compileText(new SourceText('site.conf', policyWith(rules)));
  if (bytes === undefined) return {};
  const { roles, types } = readBack(bytes);
  const name = (value: number): string => types.entries.find((type) => type.value === value)?.name ?? '';
  return Object.fromEntries(
    roles.entries.map((role) => [
      role.name,
      [...role.types.bits]
        .map((bit) => name(bit + 1))
        .sort()
        .join(' '),
    ]),
  );
}

describe('roles and users of optional blocks', () => {
  const given = { object_r: '', system_r: 'dom0_t xen_t' };

  test('exist where their block counts', () => {
    const block = 'role site_r; role site_r types domU_t; role system_r types domU_t; user site_u roles site_r;';
    expect(rolesOf(`optional { require { type domU_t; } ${block} }`)).toEqual({
      object_r: '',
      site_r: 'domU_t',
      system_r: 'dom0_t domU_t xen_t',
    });
    expect(rolesOf(`optional { require { type missing_t; } ${block} }`)).toEqual(given);
  });

  test('exist, too, where a block that counts requires what a block declares that does not', () => {
    const lost = 'optional { require { type missing_t; } role site_r; role site_r types domU_t; }';
    expect(rolesOf(`${lost} optional { require { role site_r; } role site_r types xen_t; }`)).toEqual({
      ...given,
      site_r: 'xen_t',
    });
  });

  test('have what role attributes get in the blocks that count', () => {
    const rules = `attribute_role staff;
optional { require { type domU_t; } roleattribute system_r staff; role staff types domU_t; }
optional { require { type missing_t; } role staff types xen_t; } else { role staff types dom0_t; }`;
    expect(rolesOf(rules)).toEqual({ object_r: '', system_r: 'dom0_t domU_t xen_t' });
  });

  test('are unknown outside of their block', () => {
    expect(compiled('optional { role site_r; ; } allow site_r system_r;').codes).toEqual(['te/unknown-role']);
    expect(compiled('optional { attribute_role staff; } role lower_r, staff;').codes).toEqual([
      'te/undeclared-role-attribute',
    ]);
    expect(compiled('optional { ; user site_u roles system_r; } user site_u.low roles system_r;').codes).toEqual([
      'source/no-rules',
    ]);
  });

  test('are declared at the end of a block, and not in its other branch', () => {
    expect(compiled('optional { user site_u roles system_r; }').codes).toEqual(['te/optional-unsupported']);
    expect(compiled('optional { ; user site_u roles system_r; ; }').codes).toEqual(['te/optional-unsupported']);
    expect(
      compiled('optional { require { type a_t; } ; } else { role site_r; user site_u roles system_r; }').codes,
    ).toEqual(['te/optional-left-out', 'te/optional-unsupported', 'te/optional-unsupported']);
  });

  test('with a dot in their name need their parent in the same block', () => {
    expect(compiled('role site_r; optional { role site_r.low; }').codes).toEqual(['te/orphan-bounds']);
    expect(compiled('optional { role site_r; role site_r.low; }').codes).toEqual(['source/no-rules']);
  });

  test('are of one kind wherever they are required', () => {
    expect(compiled('optional { require { role a_r; } ; } attribute_role a_r;').codes).toEqual(['te/not-a-role']);
    expect(
      compiled('optional { require { type a_t; } ; } optional { require { attribute a_t; } ; }').codes.filter(
        (code) => code !== 'te/optional-left-out',
      ),
    ).toEqual(['te/not-an-attribute']);
  });

  test('are given to a role transition once, whatever attributes bring them to it', () => {
    const rules = (newRole: string): string =>
      `role low_r; attribute_role staff; roleattribute system_r staff;
role_transition staff xen_t:domain low_r; role_transition system_r xen_t:domain ${newRole};`;
    expect(compiled(`${rules('low_r')} allow dom0_t xen_t:domain create;`).codes).toEqual([]);
    expect(compiled(`${rules('system_r')} allow dom0_t xen_t:domain create;`).codes).toEqual([
      'te/duplicate-role-transition',
    ]);
  });
});
