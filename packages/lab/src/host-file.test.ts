/** The file of a host: what a command adds to it counts as a whole or not at all, and nothing that counts is lost. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileDirectory } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { examplePolicy } from '@dewar/testkit';
import { type DomainConfig, parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HostFile } from './host-file.ts';
import { Lab } from './lab.ts';

let folder = '';
let lab = new Lab('');
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-lab-'));
  lab = new Lab(folder);
  path = join(folder, 'hosts/a/host.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function configOf(name: string): DomainConfig {
  const label = 'customer_1:vm_r:domU_t';
  const text = `name = "${name}"\ntype = "pv"\nkernel = "/vmlinuz"\nmemory = 2\nseclabel = "${label}"\n`;
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', text)));
  if (config === undefined) throw new Error('the configuration is not valid');
  return config;
}

const { bytes = new Uint8Array() } = compileDirectory(examplePolicy());

async function boot(): Promise<void> {
  await lab.transact('a', async ({ boot: bootHost }) => {
    bootHost({ name: 'example', bytes, sha256: '' }, { memoryMib: 8192 });
  });
}

let made = 0;
async function create(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await lab.transact('a', async ({ running }) => {
      const uuid = `25818b54-c2d4-49e7-bab3-${(++made).toString(16).padStart(12, '0')}`;
      expect((await running?.host.create(configOf(name), { uuid }))?.outcome).toBe('done');
    });
  }
}

/** The guests that the host has, and what all of it is when it is written as one. */
async function names(): Promise<(string | undefined)[]> {
  const listed = await lab.look('a', ({ host }) => host.list());
  return (listed?.value ?? []).map(({ name }) => name);
}

test('a command adds what it changed to the file, and leaves what it did not', async () => {
  await boot();
  await create('one', 'two', 'three');
  const before = readFileSync(path);
  await lab.transact('a', async ({ running }) => {
    await running?.host.rename('two', 'zwei');
  });
  const after = readFileSync(path);
  expect(after.subarray(0, before.length).equals(before)).toBe(true);
  expect(await names()).toEqual(['Domain-0', 'one', 'zwei', 'three']);
  const added = after.subarray(before.length).toString().split('\n');
  // The records of the guests, all in one page, and those of dom0, which asked.
  expect(added.flatMap((line) => /^\["toolstack","(\w+)"/.exec(line)?.[1] ?? [])).toContain('guests');
  expect(added.some((line) => line.includes('"policy",0,1'))).toBe(false);
});

test('whatever a killed command wrote of its change, the host is as it was before', async () => {
  await boot();
  await create('one');
  const before = readFileSync(path);
  await create('two');
  const after = readFileSync(path);
  expect(after.subarray(0, before.length).equals(before)).toBe(true);
  const added = after.length - before.length;
  const cuts = [
    1,
    2,
    20,
    added - 1,
    added - 2,
    added - 10,
    added - 30,
    ...Array.from({ length: 12 }, (_, i) => (i * added) / 12),
  ];
  for (const cut of cuts) {
    writeFileSync(path, after.subarray(0, before.length + Math.floor(cut)));
    expect(await names(), `${cut} bytes of ${added}`).toEqual(['Domain-0', 'one']);
  }
  // What the next command adds comes in the place of what does not count.
  await create('three');
  expect(await names()).toEqual(['Domain-0', 'one', 'three']);
  const text = readFileSync(path, 'latin1');
  for (const line of text.trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
});

test('a file is written anew when most of it no longer counts', async () => {
  await boot();
  await create('one');
  let largest = 0;
  let isSmaller = false;
  for (let i = 0; i < 200 && !isSmaller; i++) {
    await lab.transact('a', async ({ running }) => {
      await running?.host.rename(i % 2 === 0 ? 'one' : 'other', i % 2 === 0 ? 'other' : 'one');
    });
    const { size } = statSync(path);
    isSmaller = size < largest;
    largest = Math.max(largest, size);
  }
  expect(isSmaller).toBe(true);
  expect(await names()).toHaveLength(2);
});

test('a host with names beyond ASCII is kept in ASCII', async () => {
  await boot();
  await create('g\u00e4st', 'plain');
  expect(/^[\n\x20-\x7e]*$/.test(readFileSync(path, 'latin1'))).toBe(true);
  expect(await names()).toEqual(['Domain-0', 'g\u00e4st', 'plain']);
});

test('a page that holds something else is told of, and the file is left as it was', async () => {
  await boot();
  await create('one');
  // Of the same length, so that all stands where it stood.
  writeFileSync(path, readFileSync(path, 'latin1').replaceAll('["one","25818b54', '["one", 25818b54'), 'latin1');
  const before = readFileSync(path);
  await expect(lab.look('a', ({ host }) => host.list())).rejects.toThrow(/does not hold a host/);
  await expect(create('two')).rejects.toThrow(/does not hold a host/);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('what is no host is refused', async () => {
  await boot();
  const good = readFileSync(path, 'latin1');
  const head = good.trimEnd().split('\n').at(-2) ?? '';
  const changed = (change: (text: string) => string): string => {
    const text = change(head);
    return good.replace(head, () => text).replace(/\["head",(\d+),\d+\]\n$/, `["head",$1,${text.length}]\n`);
  };
  const bad: readonly string[] = [
    '',
    '\n',
    '{}',
    good.slice(0, -1),
    '["head",0,2]\n',
    '{}\n["head",0,2]\n',
    '["head",99999999999999,2]\n',
    changed((text) => text.replace('"version":2', '"version":3')),
    changed((text) => text.replace('"pages":{', '"pages":[').replace(/\}\}$/, ']}')),
    changed((text) => text.replace(/("hypervisor.domains":\[)\d+/, '$1-1')),
    changed((text) => text.replace(/("hypervisor.domains":\[\d+,\d+,)\d+/, '$1999999999')),
    changed((text) => text.replace(/("hypervisor.domains":\[)\d+,/, '$1')),
  ];
  for (const text of bad) {
    writeFileSync(path, text, 'latin1');
    await expect(names(), text.slice(0, 60)).rejects.toThrow(/cannot read the host|does not hold a host/);
    expect(readFileSync(path, 'latin1')).toBe(text);
  }
  writeFileSync(
    path,
    changed((text) => text),
    'latin1',
  );
  expect(await names()).toEqual(['Domain-0']);
});

test('a page is read while the file is open, and not after', async () => {
  await boot();
  appendFileSync(path, '["hypervisor","domains",0');
  const file = HostFile.open(path);
  expect(file?.host.policy).toEqual({ name: 'example', sha256: '' });
  file?.close();
  expect(() => file?.host).toThrow('closed');
});
