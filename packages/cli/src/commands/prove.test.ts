/** `dewar prove`: the example policy keeps its promises, and a policy with a leak does not. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { xenTree } from '@dewar/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';

const example = fileURLToPath(new URL('../../../../policies/example/', import.meta.url));
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-prove-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

interface ProofJson {
  readonly outcome: string;
  readonly results: readonly {
    readonly property: string;
    readonly outcome: string;
    readonly settings: number;
    readonly counterexample?: {
      readonly checks: readonly {
        readonly source: string;
        readonly target: string;
        readonly class: string;
        readonly permissions: readonly string[];
        readonly isMissing: boolean;
        readonly booleans: Readonly<Record<string, boolean>>;
        readonly places: readonly { readonly place: { readonly file: string; readonly line: number } }[];
      }[];
    };
  }[];
}

async function prove(
  properties: string,
  policy: string,
): Promise<{ readonly code: number; readonly proof: ProofJson }> {
  const { code, out } = await dewar('prove', properties, '--policy', policy, '--json');
  // The shape is the command's own, asked for below.
  return { code, proof: JSON.parse(out) as ProofJson };
}

/** The example policy with one module changed; its `neverallow` rules are gone, so that only the proof can object. */
function mutant(name: string, module: string, change: (text: string) => string): string {
  const copy = join(folder, name);
  cpSync(example, copy, { recursive: true });
  for (const file of ['xen', 'dom0', 'domHVM', 'isolated_domU', 'nic_dev', 'nomigrate']) {
    const path = join(copy, 'modules', `${file}.te`);
    writeFileSync(path, readFileSync(path, 'latin1').replaceAll(/^neverallow [^;]*;/gm, ''));
  }
  const path = join(copy, 'modules', module);
  const before = readFileSync(path, 'latin1');
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(path, after);
  return copy;
}

test('the example policy keeps what it promises, for every label and every setting', async () => {
  const { code, proof } = await prove(join(example, 'policy.prove'), example);
  expect(proof.results.filter(({ outcome }) => outcome !== 'proved')).toEqual([]);
  expect([code, proof.outcome]).toEqual([0, 'proved']);
  expect(proof.results.length).toBeGreaterThan(12);
});

const append = (line: string) => (text: string) => `${text}\n${line}\n`;
test.each([
  [
    'dom0 reads the running guest',
    'nomigrate.te',
    append('allow dom0_t nomigrate_t:mmu map_read;'),
    'nobody reads or writes memory of nomigrate_t while',
  ],
  [
    'dom0 debugs it',
    'nomigrate.te',
    append('allow dom0_t nomigrate_t:domain setdebugging;'),
    'nobody reads or writes memory of nomigrate_t while',
  ],
  [
    'dom0 forges its grants',
    'nomigrate.te',
    append('allow dom0_t nomigrate_t:domain2 resource_map;'),
    'nobody reads or writes memory of nomigrate_t while',
  ],
  [
    'a leak under a boolean',
    'nomigrate.te',
    append('gen_bool(spare, false)\nif (spare) { allow domU_t nomigrate_t:mmu map_read; }'),
    'nobody reads or writes memory of nomigrate_t while',
  ],
  [
    'another device model',
    'nomigrate.te',
    append(
      'type_transition nomigrate_t_building dm_dom_t:domain nomigrate_t_building_target;\nallow dm_dom_t nomigrate_t_building:domain set_target;\nallow dm_dom_t nomigrate_t_building_target:mmu map_read;',
    ),
    'nobody but nomigrate_dm_t reads',
  ],
  [
    'the lock does not hold',
    'prot_domU.te',
    append('allow dom0_t prot_domU_t:mmu map_read;'),
    'when prot_doms_locked: nobody',
  ],
  [
    'the label can be left',
    'nomigrate.te',
    append(
      'allow dom0_t nomigrate_t:domain2 relabelfrom;\nallow dom0_t domU_t:domain2 relabelto;\nallow nomigrate_t domU_t:domain transition;',
    ),
    'no relabel leads from nomigrate_t',
  ],
  [
    'a guest takes a label',
    'nomigrate.te',
    append('allow nomigrate_t domU_t:domain2 relabelself;\nallow nomigrate_t domU_t:domain transition;'),
    'no relabel leads from nomigrate_t',
  ],
  [
    'a guest loads a policy',
    'domU.te',
    append('allow domU_t security_t:security load_policy;'),
    'only dom0_t may security',
  ],
  [
    'the lock of the policy is forgotten',
    'dom0.te',
    append('allow dom0_t security_t:security setbool;'),
    'when policy_locked: never anyone may security',
  ],
  [
    'a build cannot be cleaned up',
    'xen.if',
    (text: string) => text.replaceAll(/\bdestroy\b/g, 'getdomaininfo'),
    'creators may destroy',
  ],
  [
    'customers share',
    'vm_role.cons',
    (text: string) => text.replace(/constrain \{ grant mmu \}[^;]*;/, ''),
    'users { customer_1',
  ],
])('a planted leak is found: %s', async (name, module, change, property) => {
  const policy = mutant(name.replaceAll(' ', '-'), module, change);
  const { code, proof } = await prove(join(example, 'policy.prove'), policy);
  expect(proof.outcome).toBe('refuted');
  expect(code).toBe(1);
  const refuted = proof.results.filter(({ outcome }) => outcome === 'refuted');
  expect(refuted.map((one) => one.property).join('\n')).toContain(property);
  for (const { counterexample } of refuted) {
    const checks = counterexample?.checks ?? [];
    expect(checks.length).toBeGreaterThan(0);
    for (const { places, isMissing } of checks) expect(places.length > 0).toBe(!isMissing);
  }
});

test('a counterexample names labels, setting, checks and lines', async () => {
  const policy = mutant(
    'shown',
    'nomigrate.te',
    append('gen_bool(spare, false)\nif (spare) { allow domU_t nomigrate_t:mmu map_read; }'),
  );
  const properties = write('one.prove', 'nobody reads memory of nomigrate_t while running;');
  const { code, out } = await dewar('prove', properties, '--policy', policy);
  expect(code).toBe(1);
  expect(out).toMatch(/^refuted {4}nobody reads memory of nomigrate_t while running {2}/m);
  expect(out).toMatch(/^ {4}with .*spare=1/m);
  expect(out).toMatch(/^ {4}\S+:domU_t → \S+:nomigrate_t {2}mmu \{ map_read \}$/m);
  expect(out).toMatch(/modules\/nomigrate\.te:\d+:\d+/);
});

describe('the labels of a counterexample', () => {
  const shown = async (name: string, lines: string): Promise<string> => {
    const policy = mutant(name, 'nomigrate.te', append(lines));
    const { code, out } = await dewar(
      'prove',
      write(`${name}.prove`, 'nobody reads memory of nomigrate_t while running;'),
      '--policy',
      policy,
    );
    expect(code).toBe(1);
    return out;
  };
  const spare =
    'type a_spare_t, domain_type;\nrole system_r types a_spare_t;\nallow a_spare_t nomigrate_t:mmu map_read;';

  test('are such as a domain can have, where there are any', async () => {
    const out = await shown('both', `${spare}\nallow dom0_t nomigrate_t:mmu map_read;`);
    expect(out).toMatch(/^ {4}system_u:system_r:dom0_t → \S+:nomigrate_t {2}mmu \{ map_read \}$/m);
    expect(out).not.toContain('note:');
  });

  test('are said to be such as no domain can have, where there are no others', async () => {
    const out = await shown('spare', spare);
    expect(out).toMatch(/^ {4}\S+:a_spare_t → \S+:nomigrate_t {2}mmu \{ map_read \}$/m);
    expect(out).toMatch(/note: no domain can be given the label \S+:a_spare_t as things are/);
  });
});

describe('the language', () => {
  const run = async (text: string): Promise<{ readonly code: number; readonly err: string }> =>
    dewar('prove', write('language.prove', text));
  test.each([
    ['nobdy reads memory of domU_t;', 'prove/syntax', 'did you mean `nobody`?'],
    ['nobody reads memory of domU_tt;', 'prove/unknown-name', 'did you mean `domU_t`?'],
    ['nobody reads memory of domU_t while runing;', 'prove/syntax', 'did you mean `running`?'],
    ['only dom0_t may security load_polcy;', 'prove/unknown-name', 'did you mean `load_policy`?'],
    ['when polcy_locked: only dom0_t may security setbool;', 'prove/unknown-name', 'did you mean `policy_locked`?'],
    ['nobody reads memory of customer_1:vm_r:dom0_t;', 'prove/bad-label', 'may not have type'],
    ['nobody reads memory of dom0_t and user customer_1 and role vm_r;', 'prove/no-label', ''],
    ['# nothing\n', 'prove/no-property', ''],
  ])('%s', async (text, diagnostic, hint) => {
    const { code, err } = await run(text);
    expect(code).toBe(2);
    expect(err).toContain(`[${diagnostic}]`);
    expect(err).toContain(hint);
  });

  test('each wrong sentence is told, at its place', async () => {
    const { err } = await run('nobody reads memory of;\nonly dom0_t may\n  security { };\n');
    expect(err).toMatch(/language\.prove:1:23: error/);
    expect(err).toMatch(/language\.prove:3:14: error/);
  });

  test('a label that is written out is one label', async () => {
    const properties = write(
      'label.prove',
      'nobody but dom0_t reads memory of customer_1:vm_r:domU_t while running;\nnever user customer_1 and (domU_t or prot_domU_t) may mmu map_read on domain_type and not (user customer_1 or user system_u);',
    );
    expect((await dewar('prove', properties)).code).toBe(0);
  });
});

const tree = xenTree();
describe.skipIf(tree === undefined)("Xen's own example policy", () => {
  const policy = join(tree ?? '', 'tools/flask/policy');

  test('a failed build of nomigrate_t is stranded, as real Xen shows', async () => {
    const { code, proof } = await prove(write('stock.prove', 'creators may destroy what they create;'), policy);
    expect(code).toBe(1);
    const checks = proof.results[0]?.counterexample?.checks ?? [];
    expect(checks.map(({ permissions, isMissing }) => [permissions, isMissing])).toEqual([
      [['create'], false],
      [['destroy'], true],
    ]);
    // Of all that could make the domain, the one that is there.
    expect(checks[0]?.source).toBe('system_u:system_r:dom0_t');
    expect(checks[0]?.target).toMatch(/:(nomigrate_t_building|prot_domU_t)$/);
  });

  test('nomigrate_t keeps its promise, isolated_domU_t makes none of the kind', async () => {
    const keeps = write(
      'keeps.prove',
      'nobody reads or writes memory of nomigrate_t; no relabel leads from nomigrate_t to anyone;',
    );
    expect((await prove(keeps, policy)).proof.outcome).toBe('proved');
    const breaks = write('breaks.prove', 'nobody reads memory of isolated_domU_t while running;');
    const { proof } = await prove(breaks, policy);
    expect(proof.results[0]?.counterexample?.checks[0]?.source).toMatch(/:dom0_t$/);
  });
});
