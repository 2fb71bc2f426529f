/** `dewar explain` as a user types it. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'dewar-explain-'));
const DOM0 = 'system_u:system_r:dom0_t';
let count = 0;

beforeEach(() => {
  process.env['DEWAR_STATE_DIR'] = join(scratch, `state-${++count}`);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function logFile(...lines: string[]): string {
  const path = join(scratch, `log-${++count}`);
  writeFileSync(path, lines.join('\n'));
  return path;
}

/** A copy of the example policy with changes. */
function policyCopy(change: (file: string, text: string) => string = (_, text) => text): string {
  const folder = join(scratch, `policy-${++count}`, 'site');
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'policies/example'), folder, { recursive: true });
  for (const file of ['modules/isolated_domU.te', 'modules/nomigrate.te', 'modules/vm_role.cons']) {
    const path = join(folder, file);
    writeFileSync(path, change(file, readFileSync(path, 'latin1')), 'latin1');
  }
  return folder;
}

const avc = (vector: string, type: string): string => {
  const [tclass = '', ...names] = vector.split(' ');
  return `(XEN) avc:  denied  { ${names.join(' ')} } for source=d0 target=d1 scontext=${DOM0} tcontext=customer_1:vm_r:${type} tclass=${tclass}`;
};

test('the transcript in the documents is what the command prints', async () => {
  const path = join(root, 'docs/explaining-denials.md');
  const text = readFileSync(path, 'utf8');
  const blocks = text.split(/^(```console\n[\s\S]*?^```$)/m);
  const renewed: string[] = [];
  for (const block of blocks) {
    const [, command] = /^```console\n\$ dewar ([^\n]*)\n/.exec(block) ?? [];
    if (command === undefined) renewed.push(block);
    else renewed.push(`\`\`\`console\n$ dewar ${command}\n${(await dewar(...command.split(' '))).out}\`\`\``);
  }
  expect(blocks.length).toBeGreaterThan(1);
  await expect(renewed.join('')).toMatchFileSnapshot(path);
});

test('a log that was rotated and packed, or written in UTF-16, is read as what it holds', async () => {
  const log = logFile(avc('mmu map_read', 'nomigrate_t'), '');
  const plain = await dewar('explain', log);
  expect(plain.code).toBe(1);
  const bytes = readFileSync(log);
  const wide = Buffer.from(`\ufeff${bytes.toString('latin1')}`, 'utf16le');
  for (const content of [gzipSync(bytes), wide, Buffer.from(wide).swap16(), gzipSync(wide)]) {
    writeFileSync(log, content);
    expect(await dewar('explain', log)).toEqual(plain);
  }
  writeFileSync(log, gzipSync(bytes).subarray(0, 20));
  expect((await dewar('explain', log)).err).toContain('packed with gzip, and cannot be unpacked');
  writeFileSync(log, Buffer.from('\xfd7zXZ\0\0\x04', 'latin1'));
  const xz = await dewar('explain', log);
  expect([xz.code, xz.err]).toEqual([2, 'dewar: the log is packed with xz: give it unpacked\n']);
});

test('a domain asks of itself only where the line names no other one, and what was denied gives the heading', async () => {
  const own = 'scontext=system_u:system_r:domU_t tcontext=system_u:system_r:domU_t tclass=mmu';
  const other = await dewar('explain', logFile(`(XEN) avc:  denied  { map_read } for source=d5 target=d1 ${own}`));
  expect(other.out).not.toContain('a domain asks it of itself');
  expect(other.out).toContain('1. a protection: `domU_t` is kept out of the memory of `domU_t`\n');
  const self = await dewar('explain', logFile(`(XEN) avc:  denied  { map_read } for source=d5 ${own}`));
  expect(self.out).toContain('a domain asks it of itself');
});

describe('what people reported', () => {
  const told = async (...lines: string[]): Promise<string> => (await dewar('explain', logFile(...lines))).out;

  test('a device model of an old Xen asked for what is one permission now, and that is allowed', async () => {
    const line = (permission: string): string =>
      `(XEN) avc:  denied  { ${permission} } for domid=7 target=6 scontext=system_u:system_r:dm_dom_t tcontext=system_u:system_r:domU_t_target tclass=hvm`;
    const out = await told(line('pcilevel'), line('send_irq'));
    expect(out).toContain('1 cause');
    expect(out.match(/other releases ask for `hvm dm`/g)).toHaveLength(1);
    expect(out).toMatch(/here `dm_dom_t` -> `domU_t_target`: hvm \{ dm \} is allowed: `make_device_model\(/);
    expect(out).toContain('for the release that this policy is of nothing is to be added');
  });

  test('what replaced a permission may be denied as well', async () => {
    const out = await told(
      '(XEN) avc:  denied  { pcilevel } for domid=7 target=6 scontext=system_u:system_r:dm_dom_t tcontext=system_u:system_r:isolated_domU_t tclass=hvm',
    );
    expect(out).toContain('here `dm_dom_t` -> `isolated_domU_t`: hvm { dm } is denied\n');
    expect(out).toContain('Build the policy with the tables of the Xen that runs');
  });

  test.each(['for domid=11', 'for source=d11 target=d11'])(
    'a guest that crashed had not crashed for `reset`, %s',
    async (domains) => {
      const policy = policyCopy();
      const macros = join(policy, 'modules/xen.if');
      writeFileSync(macros, readFileSync(macros, 'latin1').replace('allow $1 $2:event reset;', ''), 'latin1');
      const log = logFile(
        `(XEN) avc:  denied  { reset } ${domains} scontext=system_u:system_r:isolated_domU_t tcontext=system_u:system_r:isolated_domU_t_self tclass=event`,
        '(XEN) domain_crash called from vmx.c:1234',
      );
      const { out } = await dewar('explain', '--policy', policy, log);
      expect(out).toContain('only its own request fails');
      expect(out).toContain('it is no cause of that crash');
    },
  );

  test('a device is let be used by the macro for it, as a whole', async () => {
    const out = await told(
      '(XEN) avc:  denied  { use_iommu } for source=d4 device=0x300 scontext=system_u:system_r:isolated_domU_t tcontext=system_u:object_r:nic_dev_t tclass=resource',
    );
    expect(out).toContain('the macro call `use_device_iommu(isolated_domU_t, nic_dev_t)` would give it');
    expect(out).toContain('the least that would do: `allow isolated_domU_t nic_dev_t:resource use_iommu;`');
  });

  test('an interrupt that is taken back is no reason to hand a device on, nor may the source have to do with it', async () => {
    const out = await told(
      '(XEN) avc:  denied  { remove_irq } for source=d3 irq=33 scontext=system_u:system_r:isolated_domU_t tcontext=system_u:object_r:nic_dev_t tclass=resource',
    );
    expect(out).toContain('`allow isolated_domU_t nic_dev_t:resource remove_irq;` would give it, and nothing else');
    expect(out).toContain(
      'a Xen before 4.15.3, 4.16.2 or 4.17.0 asks for `remove_irq` in the name of whichever domain',
    );
  });

  test('a guest that Xen builds at boot has no configuration to name a label in', async () => {
    const line = (by: string): string =>
      `(XEN) avc:  denied  { create } for current=${by} scontext=system_u:system_r:xenboot_t tcontext=system_u:system_r:unlabeled_t tclass=domain`;
    expect(await told(line('d[IDLE]'))).toContain('(dom0less)');
    expect(await told(line('d0'))).not.toContain('(dom0less)');
  });
});

describe('exit status', () => {
  test('is 0 where the policy denies nothing of the log, 1 where it does', async () => {
    expect((await dewar('explain', logFile(avc('domain unpause', 'domU_t')))).code).toBe(0);
    expect((await dewar('explain', logFile('nothing of Xen'))).code).toBe(0);
    expect((await dewar('explain', logFile(avc('domain setdebugging', 'domU_t')))).code).toBe(1);
  });

  test('is 3 for a log that cannot be read, 2 for a host that does not exist and a policy that does not compile', async () => {
    expect((await dewar('explain', join(scratch, 'none'))).code).toBe(3);
    expect((await dewar('explain', '--host', 'none')).code).toBe(2);
    const broken = policyCopy((file, text) => (file.endsWith('.te') ? `${text}\nallow ;\n` : text));
    const { code, err } = await dewar('explain', '--policy', broken, logFile(avc('domain pause', 'domU_t')));
    expect([code, err.includes('error')]).toEqual([2, true]);
  });
});

test('the standard input can be the log or the policy, not both, and no file that is changed', async () => {
  const log = logFile(avc('domain pause', 'domU_t'));
  for (const args of [
    ['--policy', '-'],
    ['--policy', '-', '-'],
    ['--policy', '-', '--fix', log],
  ]) {
    const { code, err } = await dewar('explain', ...args);
    expect([args, code, err.includes('standard input')]).toEqual([args, 2, true]);
  }
});

describe('--fix', () => {
  const line = avc('domain unpause', 'isolated_domU_t');
  const withoutManage = (_: string, text: string): string => text.replace(/^manage_domain\(dom0_t, isolated.*\n/m, '');

  test('writes the macro call into the module, and the denial is gone', async () => {
    const policy = policyCopy(withoutManage);
    const module = join(policy, 'modules/isolated_domU.te');
    const before = readFileSync(module, 'latin1');
    const shown = await dewar('explain', '--policy', policy, logFile(line));
    expect(shown.out).toContain('+manage_domain(dom0_t, isolated_domU_t)');
    expect(readFileSync(module, 'latin1')).toBe(before);
    const { code, out } = await dewar('explain', '--fix', '--policy', policy, logFile(line));
    expect([code, out.includes('compiled anew')]).toEqual([0, true]);
    const added = readFileSync(module, 'latin1')
      .split('\n')
      .filter((one) => !before.split('\n').includes(one));
    expect(added).toEqual(['manage_domain(dom0_t, isolated_domU_t)']);
    expect((await dewar('explain', '--policy', policy, logFile(line))).out).toContain('the log is of another policy');
  });

  test('the diff that is shown makes the file that is written', async () => {
    const policy = policyCopy(withoutManage);
    const module = join(policy, 'modules/isolated_domU.te');
    const original = readFileSync(module);
    const { out } = await dewar('explain', '--json', '--policy', policy, logFile(line));
    // The shape is that of the command's own answer.
    const { findings } = JSON.parse(out) as { findings: { fix: { diff: string; file: string; line: number } }[] };
    const patch = join(scratch, 'fix.patch');
    writeFileSync(patch, findings[0]?.fix.diff.replaceAll(/^(---|\+\+\+) .*$/gm, '$1 x') ?? '');
    const copy = join(scratch, 'x');
    writeFileSync(copy, original);
    const applied = spawnSync('git', ['apply', '--unsafe-paths', '-p0', patch], { cwd: scratch, encoding: 'utf8' });
    expect([applied.stderr, applied.status]).toEqual(['', 0]);
    await dewar('explain', '--fix', '--policy', policy, logFile(line));
    expect(readFileSync(copy, 'latin1')).toBe(readFileSync(module, 'latin1'));
    expect(readFileSync(module, 'latin1').split('\n')[(findings[0]?.fix.line ?? 0) - 1]).toBe(
      'manage_domain(dom0_t, isolated_domU_t)',
    );
  });

  test('writes what a link leads to, and leaves the link', async () => {
    const policy = policyCopy(withoutManage);
    const module = join(policy, 'modules/isolated_domU.te');
    const elsewhere = join(policy, 'elsewhere.te');
    renameSync(module, elsewhere);
    symlinkSync(elsewhere, module);
    expect((await dewar('explain', '--fix', '--policy', policy, logFile(line))).code).toBe(0);
    expect(lstatSync(module).isSymbolicLink()).toBe(true);
    expect(readFileSync(elsewhere, 'latin1')).toContain('manage_domain(dom0_t, isolated_domU_t)');
  });

  test('writes the rule alone where that is asked for', async () => {
    const policy = policyCopy(withoutManage);
    const { code } = await dewar('explain', '--fix', '--least', '--policy', policy, logFile(line));
    expect(code).toBe(0);
    expect(readFileSync(join(policy, 'modules/isolated_domU.te'), 'latin1')).toContain(
      '\nallow dom0_t isolated_domU_t:domain unpause;\n',
    );
  });

  test('changes nothing for a denial that is a protection', async () => {
    const policy = policyCopy();
    const module = join(policy, 'modules/nomigrate.te');
    const before = statSync(module).mtimeMs;
    const { code, out } = await dewar(
      'explain',
      '--fix',
      '--policy',
      policy,
      logFile(avc('mmu map_read', 'nomigrate_t')),
    );
    expect([code, out.includes('nothing written')]).toEqual([1, true]);
    expect(statSync(module).mtimeMs).toBe(before);
  });

  test('changes nothing where a constraint would still deny it', async () => {
    const policy = policyCopy((file, text) =>
      file.endsWith('.cons') ? `${text}\nconstrain domain unpause (u1 == u2);\n` : withoutManage(file, text),
    );
    const { code, out } = await dewar('explain', '--fix', '--policy', policy, logFile(line));
    expect([code, out.includes('a rule alone would not do'), out.includes('nothing written')]).toEqual([1, true, true]);
  });

  test('writes into an expanded policy text too', async () => {
    const policy = policyCopy(withoutManage);
    const binary = join(scratch, 'conf.bin');
    await dewar('compile', '-q', '-o', binary, policy);
    const conf = join(scratch, 'policy.conf');
    await dewar('decompile', '-o', conf, binary);
    const { code } = await dewar('explain', '--fix', '--policy', conf, logFile(line));
    expect(code).toBe(0);
    expect(readFileSync(conf, 'latin1')).toContain('\nallow dom0_t isolated_domU_t:domain unpause;\n');
    const { out } = await dewar('explain', '--policy', binary, logFile(line));
    expect(out).toContain('a binary has none');
  });
});

test('a simulated host is explained by its own console, policy and booleans', async () => {
  await dewar('create', join(root, 'examples/nomigrate/guest.cfg'), '-q');
  await dewar('probe', 'nomigrate-guest');
  await dewar('set-bool', 'prot_doms_locked', '1');
  const [host = ''] = (await dewar('explain', '--host', 'none')).err.match(/`(example-[^`]*)`/)?.slice(1) ?? [];
  const { code, out } = await dewar('explain', '--host', host);
  expect(code).toBe(1);
  expect(out).toContain('a protection: `dom0_t` is kept out of the memory of `nomigrate_t`');
  expect(out).toContain('booleans as they are on that host');
  expect(out).toContain('policies/example/modules/nomigrate.te');
  const locked = await dewar('explain', '--host', host, logFile(avc('domain create', 'prot_domU_t')));
  expect(locked.out).toContain('`flask-set-bool prot_doms_locked 0`');
  expect(locked.out).toContain('booleans keep it out of force');
});

test('where there is no Xen, that is said', async () => {
  const { code, err } = await dewar('explain', '--host', 'xen');
  expect([code, err]).toEqual([3, 'dewar: there is no Xen here: this machine does not run on Xen\n']);
});

test('the answer as JSON has the cause, the lines, who asks, the fix, and what it rests on', async () => {
  const { out } = await dewar('explain', '--json', logFile(avc('resource add', 'isolated_domU_t')));
  expect(JSON.parse(out)).toMatchObject({
    avcLines: 1,
    findings: [
      {
        cause: 'no-rule',
        lines: [{ count: 1, firstLine: 1, permissions: ['add'] }],
        asked: { commands: [] },
        fix: { kind: 'macro', lines: ['delegate_devices(dom0_t, isolated_domU_t)'] },
      },
    ],
    restsOn: [
      expect.any(String),
      expect.any(String),
      expect.any(String),
      'the properties in policies/example/policy.prove, proved again for each fix',
    ],
  });
});

test('what the command would be denied next is told too, on the guest and on the channels between them', async () => {
  const policy = policyCopy((file, text) =>
    file.endsWith('isolated_domU.te') ? text.replace(/^(?:migrate_domain_out|domain_comms).*\n/gm, '') : text,
  );
  const saved = await dewar('explain', '--policy', policy, logFile(avc('mmu pageinfo', 'isolated_domU_t')));
  const [save = ''] = saved.out.split('\n').filter((line) => line.includes('xl save makes'));
  for (const one of ['domain { resume }', 'mmu { pageinfo }', 'domain2 { gettsc }']) expect(save).toContain(one);
  const built = await dewar('explain', '--policy', policy, logFile(avc('grant map_read map_write', 'isolated_domU_t')));
  const [create = ''] = built.out.split('\n').filter((line) => line.includes('xl create makes'));
  expect(create).toContain('dom0_t_channel -> isolated_domU_t: event { bind }');
});

test('nothing in a log can steer the terminal', async () => {
  const esc = '\x1b]0;owned\x07';
  const line = `avc:  denied  { pause } for source=d0 target=d1 dtdevice=${esc} scontext=a${esc}:b:c tcontext=${DOM0} tclass=domain`;
  const { out } = await dewar('explain', logFile(line, `FLASK: Denying unknown domctl: 5${esc}`));
  expect(out.replaceAll(/[\n\x20-\x7e\x80-\xff]/g, '')).toBe('');
});

test('a log of thousands of different denials is explained, and what is left out is said', async () => {
  const types = [
    'dom0_t',
    'domU_t',
    'isolated_domU_t',
    'prot_domU_t',
    'nomigrate_t',
    'xenstore_t',
    'dm_dom_t',
    'domU_t_self',
    'xen_t',
  ];
  const vectors = [
    'domain pause',
    'domain trigger',
    'mmu map_read',
    'mmu adjust',
    'grant copy',
    'event send',
    'hvm dm',
    'resource add',
  ];
  const lines: string[] = [];
  for (const source of types)
    for (const target of types)
      for (const vector of vectors)
        for (let user = 0; user < 10; user++)
          lines.push(avc(vector, target).replace(DOM0, `customer_${user}:vm_r:${source}`));
  const { out } = await dewar('explain', logFile(...lines));
  expect(out).toContain('kinds of lines beyond the limit');
});

describe('properties that a policy states of itself', () => {
  const line =
    '(XEN) avc:  denied  { create } for source=d3 scontext=customer_1:vm_r:driver_t tcontext=customer_1:vm_r:domU_t tclass=domain';
  const sentence = 'creators may destroy what they create';

  test('a fix that would end one is not written, and the property is named with its place', async () => {
    const policy = policyCopy();
    const log = logFile(line);
    const before = readFileSync(join(policy, 'modules/driver.te'), 'latin1');
    const { code, out } = await dewar('explain', '--policy', policy, '--fix', log);
    expect(code).toBe(1);
    expect(out).toContain('1. a protection: a stated property of the policy');
    expect(out).toMatch(new RegExp(`it refutes the property \`${sentence}\` \\(.*policy\\.prove:\\d+:1\\)`));
    expect(out).toContain('nothing written');
    expect(readFileSync(join(policy, 'modules/driver.te'), 'latin1')).toBe(before);
  });

  test('without them the same denial is one of a missing rule', async () => {
    const policy = policyCopy();
    rmSync(join(policy, 'policy.prove'));
    const { out } = await dewar('explain', '--policy', policy, logFile(line));
    expect(out).toContain('1. no rule');
  });

  test('they can be named, and what is wrong with them is said', async () => {
    const properties = join(scratch, 'own.prove');
    writeFileSync(properties, `${sentence};\n`);
    const named = await dewar('explain', '--properties', properties, '--json', logFile(line));
    expect(JSON.parse(named.out).findings[0]).toMatchObject({
      cause: 'protective',
      fix: { refutes: [{ text: sentence }] },
    });
    writeFileSync(properties, 'creators may destroy everything;\n');
    const wrong = await dewar('explain', '--properties', properties, logFile(line));
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain('[prove/');
    expect(wrong.err).toContain('cannot be read');
  });
});
