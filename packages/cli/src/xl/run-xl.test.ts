/** Command lines of xl: the same answers as the installed xl gave, which stand in `tests/xl-cli`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';

const ANSWERS = new URL('../../../../tests/xl-cli/', import.meta.url);

/** A command line, and what xl did with it. */
interface Recorded {
  readonly words: readonly string[];
  readonly hasOutput: boolean;
  readonly stderr: string;
  readonly status: number;
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-xl-'));
  process.env['DEWAR_STATE_DIR'] = folder;
});
afterAll(() => {
  delete process.env['DEWAR_STATE_DIR'];
  rmSync(folder, { recursive: true });
});

describe('a command line that xl answers by itself', () => {
  const recorded: Recorded[] = JSON.parse(readFileSync(new URL('golden.json', ANSWERS), 'utf8'));
  test.each(recorded)('xl $words', async ({ words, ...wanted }) => {
    const { code, out, err } = await dewar('xl', ...words);
    expect({ hasOutput: out !== '', stderr: err, status: code }).toEqual(wanted);
  });
});

describe('a command line that xl takes to the host', () => {
  const policy = fileURLToPath(new URL('../../../../policies/example', import.meta.url));
  const cfg = (): string => join(folder, 'guest.cfg');
  beforeAll(async () => {
    writeFileSync(
      cfg(),
      "name = 'guest'\ntype = 'pv'\nkernel = '/k'\nmemory = 128\nseclabel = 'customer_1:vm_r:domU_t'\n",
    );
    expect((await dewar('xl', '--policy', policy, 'create', '-p', cfg())).code).toBe(0);
  });

  // What xl says is from `tools/xl/xl_*.c` of Xen 4.17; the guest is domain 1.
  test.each([
    [['pause', 'foo'], 1, 'foo is an invalid domain identifier (rc=-6)\n'],
    [['list', '99'], 1, "Error: Domain '99' does not exist.\n"],
    [['mem-set', 'guest', 'abc'], 1, 'invalid memory size: abc\n'],
    [['mem-set', 'foo', 'abc'], 1, 'foo is an invalid domain identifier (rc=-6)\n'],
    [['mem-max', 'guest', '64q'], 1, 'invalid memory size: 64q\n'],
    [['mem-set', 'guest', '131072k'], 0, ''],
    [['vcpu-set', 'guest', 'x'], 1, 'Error: Invalid argument.\n'],
    [['vcpu-pin', 'guest', 'x', '0'], 1, 'Error: Invalid argument x as VCPU.\n'],
    [['vcpu-pin', 'guest', '0', '^bogus'], 1, 'Invalid pcpu range: bogus.\n'],
    [['vcpu-pin', '-f', 'guest', 'all', '0'], 1, "Error: --force and 'all' as VCPU not allowed.\n"],
    [['trigger', 'guest', 'foo'], 1, 'Invalid trigger "foo"\n'],
    [['trigger', 'guest', 'NMI'], 0, ''],
    [['domid', 'foo'], 1, "Can't get domid of domain name 'foo', maybe this domain does not exist.\n"],
    [['domname', '99'], 1, "Can't get domain name of domain id '99', maybe this domain does not exist.\n"],
    [['domname', 'x'], 1, 'Invalid domain id.\n\n'],
    [['sysrq', 'guest', 'hh'], 1, 'Invalid sysrq.\n\n'],
    [['setenforce', 'PERMISSIVE'], 0, ''],
    [['setenforce', '1'], 0, ''],
    [['console', '-t', 'tv', 'guest'], 1, 'console type supported are: pv, serial, vuart\n'],
  ] as const)('xl %j', async (words, status, stderr) => {
    const { code, err } = await dewar('xl', ...words);
    expect([code, err]).toEqual([status, stderr]);
  });

  test('xl rename says twice that a name is taken', async () => {
    const { code, err } = await dewar('xl', 'rename', 'guest', 'Domain-0');
    expect([code, err.split('\n').at(-2)]).toEqual([1, "Can't rename domain 'guest'."]);
  });

  test('xl list prints the columns that are asked for', async () => {
    const { out } = await dewar('xl', 'list', '-vcn');
    const [title = '', , guest = ''] = out.split('\n');
    expect(title).toMatch(/State\tTime\(s\) {3}UUID {28}Reason-Code\tSecurity Label {9}Cpupool NODE Affinity$/);
    expect(guest).toMatch(
      /^guest {40}1 {3}128 {5}1 {5}--p--- {7}0\.0 [0-9a-f-]{36} {8}- customer_1:vm_r:domU_t {10}Pool-0 all$/,
    );
  });

  test('xl list takes an option behind the domain for a second domain', async () => {
    expect((await dewar('xl', 'list', 'guest', '-Z')).code).toBe(1);
  });

  test('a request that is denied ends as xl ends, and is not kept silent about', async () => {
    const { code, err } = await dewar('xl', 'pause', '99');
    expect(code).toBe(0);
    expect(err).toContain('dewar: ');
  });

  test('a dry run prints the configuration, with a word behind it as another line of the file', async () => {
    const { code, out, err } = await dewar('xl', '-N', 'create', cfg(), 'vcpus=2');
    expect([code, err]).toEqual([0, `Parsing config from ${cfg()}\n`]);
    expect(JSON.parse(out)).toMatchObject({ c_info: { name: 'guest' }, b_info: { max_vcpus: 2 } });
  });

  test('what a simulated host has no answer for is said', async () => {
    const { code, err } = await dewar('xl', 'cpupool-list');
    expect([code, err]).toEqual([1, 'dewar: `xl cpupool-list` is not simulated\n']);
  });
});
