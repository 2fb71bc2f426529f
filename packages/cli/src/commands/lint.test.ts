/** `dewar lint`: the example policy is clean, findings have places and cures, and `--fix` writes the cures. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';

const example = fileURLToPath(new URL('../../../../policies/example/', import.meta.url));
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-lint-'));
  process.env['DEWAR_STATE_DIR'] = join(folder, 'state');
});
afterEach(() => {
  delete process.env['DEWAR_STATE_DIR'];
  rmSync(folder, { recursive: true, force: true });
});

/** The example policy with a module of a site's own. */
function withSite(site: string): string {
  const copy = join(folder, 'policy');
  cpSync(example, copy, { recursive: true });
  const list = join(copy, 'modules/modules.conf');
  writeFileSync(list, `${readFileSync(list, 'latin1')}site = on\n`);
  writeFileSync(join(copy, 'modules/site.te'), site);
  return copy;
}

const SITE = `declare_domain(vault_t)
create_domain(dom0_t, vault_t)
gen_bool(vault_open, false)
allow dom0_t vault_t:domain unpause; # comment
`;

test('the example policy has nothing that is found', async () => {
  const { code, out, err } = await dewar('lint');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/: nothing found\n$/);
});

test('findings come with place, code and cure', async () => {
  const { code, out, err } = await dewar('lint', withSite(SITE));
  expect(code).toBe(1);
  expect(err).toContain('site.te:2:1: warning: `dom0_t` can make a domain as `vault_t`, and cannot destroy it');
  expect(err).toContain('add `allow dom0_t vault_t:domain destroy;`');
  expect(err).toContain('[lint/unused-boolean]');
  expect(out).toMatch(/: 2 findings\n$/);
});

test('what a macro lacks is one finding with all its calls, and `--fix` mends them all', async () => {
  const names = ['one', 'two', 'three', 'four', 'five'];
  const policy = withSite(
    names
      .map(
        (name) =>
          `declare_domain(${name}_t)\ncreate_domain(dom0_t, ${name}_t)\nallow dom0_t ${name}_t:domain unpause;\n`,
      )
      .join(''),
  );
  const { code, out, err } = await dewar('lint', policy);
  expect(code).toBe(1);
  expect(err).toContain('site.te:2:1: warning: `dom0_t` can make a domain as `one_t`, and cannot destroy it');
  expect(err).toMatch(
    /note: 4 other calls of `create_domain` have the same fault: \S+:5:1, \S+:8:1, \S+:11:1 and 1 more\n/,
  );
  expect(out).toMatch(/: 1 finding, at 5 places\n$/);

  const json = JSON.parse((await dewar('lint', policy, '--json')).out);
  const [finding] = json.diagnostics;
  expect(finding.alike.map(({ place }: { place: { line: number } }) => place.line)).toEqual([5, 8, 11, 14]);
  const sarif = JSON.parse((await dewar('lint', policy, '--format', 'sarif')).out);
  const [result] = sarif.runs[0].results;
  const lines = result.relatedLocations.map(
    (one: { physicalLocation: { region: { startLine: number } } }) => one.physicalLocation.region.startLine,
  );
  expect(lines.slice(-4)).toEqual([5, 8, 11, 14]);
  expect(result.fixes[0].artifactChanges[0].replacements).toHaveLength(5);

  const fixed = await dewar('lint', policy, '--fix');
  expect(fixed.out).toMatch(/: nothing found\n$/);
  const text = readFileSync(join(policy, 'modules/site.te'), 'latin1');
  for (const name of names) expect(text).toContain(`allow dom0_t ${name}_t:domain destroy;`);
});

test('they can be chosen, left out, and taken back by a comment', async () => {
  const policy = withSite(SITE);
  const json = async (...words: string[]): Promise<string[]> => {
    const { out } = await dewar('lint', policy, '--json', ...words);
    // The shape of `--format json` is tested beside the formats.
    return (JSON.parse(out) as { diagnostics: { code: string }[] }).diagnostics.map(({ code }) => code);
  };
  expect(await json()).toEqual(['lint/cannot-destroy', 'lint/unused-boolean']);
  expect(await json('--only', 'cannot-destroy')).toEqual(['lint/cannot-destroy']);
  expect(await json('--ignore', 'lint/cannot-destroy,unused-boolean')).toEqual([]);
  const site = join(policy, 'modules/site.te');
  writeFileSync(site, SITE.replace('gen_bool', '# dewar: ignore lint/unused-boolean\ngen_bool'));
  expect(await json()).toEqual(['lint/cannot-destroy']);
  const { code, err } = await dewar('lint', policy, '--only', 'no-such');
  expect(code).toBe(2);
  expect(err).toContain('there is no lint `no-such`');
});

test('--fix writes the cures, and the policy is then clean', async () => {
  const policy = withSite(SITE);
  const { code, out } = await dewar('lint', policy, '--fix');
  expect(code).toBe(0);
  expect(out).toMatch(/site\.te: changed\n.*\n.*: nothing found\n$/);
  expect(readFileSync(join(policy, 'modules/site.te'), 'latin1')).toBe(`declare_domain(vault_t)
create_domain(dom0_t, vault_t)
allow dom0_t vault_t:domain destroy;
allow dom0_t vault_t:domain unpause; # comment
`);
});

test('a simulated host is asked about the policy that it runs, under its booleans', async () => {
  const policy = withSite(SITE);
  await dewar('lab', 'new', 'linted', '--policy', policy);
  const { code, err } = await dewar('lint', '--host', 'linted');
  expect(code).toBe(1);
  expect(err).toContain('[lint/cannot-destroy]');
});

test('a policy that does not compile says so, and is not touched', async () => {
  const policy = withSite('allow dom0_t nobody_t:domain create;\n');
  const { code, out, err } = await dewar('lint', policy, '--fix');
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('[te/unknown-type]');
  expect(err).toContain('it does not compile, so nothing was looked at');
});

test('of a binary it says what is looked for in sources alone', async () => {
  const binary = join(folder, 'policy.bin');
  await dewar('compile', '-o', binary, '-q');
  // A comment that takes a finding back is none of it.
  const { out } = await dewar('lint', binary);
  expect(out).toContain('without sources, `repeated-rule`, `unused-type` and `unused-attribute` are not looked for');
  expect(JSON.parse((await dewar('lint', '--json')).out).scope).not.toContain('without sources');
});

test('since 4.21 what xenstored may not look at is told, each build once, and mended where a rule mends it', async () => {
  const policy = withSite('');
  const dom0 = join(policy, 'modules/dom0.te');
  const given = "ifdef(`xen_4_21', `allow dom0_t { domain_type domxen_t }:domain2 get_domain_state;')";
  const text = readFileSync(dom0, 'latin1');
  expect(text).toContain(given);
  const findings = async (...args: readonly string[]): Promise<string[]> => {
    const { out } = await dewar('lint', policy, '--xen', '4.22', '--json', ...args);
    const answer = JSON.parse(out) as { readonly diagnostics: readonly Record<'code' | 'message', string>[] };
    return answer.diagnostics.map(({ code, message }) => `${code}: ${message}`);
  };
  expect(await findings()).toEqual([]);

  writeFileSync(dom0, text.replace(given, 'allow dom0_t domain_type:domain2 get_domain_state;'));
  expect(await findings()).toEqual(['lint/no-xenstored: no xenstored can run in `dom0_t`']);

  writeFileSync(dom0, text.replace(given, 'allow dom0_t { dom0_t domxen_t }:domain2 get_domain_state;'));
  const { err } = await dewar('lint', policy, '--xen', '4.22');
  expect(err).toContain(
    'modules/nomigrate.te:10:1: warning: a domain can come to be of `nomigrate_t_building`, and `dom0_t` may not look at it',
  );
  expect(err).toContain('note: here too: a domain can come to be of `nomigrate_t`, and `dom0_t` may not');
  expect((await dewar('lint', policy, '--xen', '4.22', '--fix')).code).toBe(1);
  // A rule beside one that a boolean switches would be switched with it.
  const left = await findings();
  expect(left).toHaveLength(1);
  expect(left[0]).toContain('a domain can come to be of `nomigrate_dm_t`, and `dom0_t` may not look at it');
  expect(readFileSync(join(policy, 'modules/domU.te'), 'latin1')).toContain(
    'allow dom0_t domU_t:domain2 get_domain_state;',
  );
});
