import { beforeEach, describe, expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { type XenReleaseName, xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { policyText } from './fixtures/policy-text.ts';
import { type AccessOutcome, Avc, SecurityServer } from './index.ts';

const rules = `
  bool open false;
  if (open) { allow dom0_t guest_t:domain destroy; }
  auditallow dom0_t guest_t:domain pause;
  dontaudit dom0_t guest_t:domain { getaffinity setaffinity };
  type loose_t; role vm_r types loose_t; permissive loose_t;
`;

let release = xenRelease('4.17');
let log: string[];
let isEnforcing: boolean;
let server: SecurityServer;
let avc: Avc;

function load(): void {
  const { bytes } = compileText(new SourceText('test.conf', policyText({ release, rules })), { release: release.name });
  expect(server.loadPolicy(bytes ?? new Uint8Array())).toMatchObject({ kind: 'loaded' });
}

function start(name: XenReleaseName): void {
  release = xenRelease(name);
  log = [];
  isEnforcing = true;
  server = new SecurityServer({ release, isEnforcing: () => isEnforcing, log: (line) => log.push(line) });
  avc = new Avc(server, { isEnforcing: () => isEnforcing, log: (line) => log.push(line) });
}

beforeEach(() => {
  start('4.17');
  load();
});

function sid(context: string): number {
  const found = server.contextToSid(context);
  if (found.kind === 'invalid') throw new Error(found.reason.message);
  return found.sid;
}

function ask(source: string, target: string, ...permissions: string[]): AccessOutcome {
  const domain = release.classes.find(({ name }) => name === 'domain');
  let bits = 0;
  for (const permission of permissions) bits |= 1 << (domain?.permissions.indexOf(permission) ?? 0);
  return avc.hasPerm(sid(source), sid(target), domain?.id ?? 0, bits >>> 0, { source: 0, target: 5, current: 0 });
}

const dom0 = 'system_u:system_r:dom0_t';
const guest = 'customer_1:vm_r:guest_t';
const loose = 'customer_1:vm_r:loose_t';

function line(outcome: string, permissions: string, source = dom0, target = guest): string {
  return `avc:  ${outcome}  { ${permissions} } for source=d0 target=d5 scontext=${source} tcontext=${target} tclass=domain`;
}

test('what the policy allows is granted in silence', () => {
  expect(ask(dom0, guest, 'create', 'unpause')).toEqual({ kind: 'granted', line: undefined, missing: 0 });
  expect(log).toEqual([]);
});

test('a denial is told every time, and only the missing bits are named', () => {
  const expected = line('denied', 'resume destroy');
  for (let i = 0; i < 3; i++) {
    expect(ask(dom0, guest, 'create', 'resume', 'destroy')).toMatchObject({
      kind: 'denied',
      errno: 'EACCES',
      line: expected,
    });
  }
  expect(log).toEqual([expected, expected, expected]);
});

test('a grant that the policy audits is told every time, with all bits that were asked for', () => {
  ask(dom0, guest, 'create', 'pause');
  ask(dom0, guest, 'create', 'pause');
  expect(log).toEqual([line('granted', 'pause create'), line('granted', 'pause create')]);
});

test('a denial is kept quiet only where none of its bits is to be audited', () => {
  expect(ask(dom0, guest, 'getaffinity')).toMatchObject({ kind: 'denied', line: undefined });
  expect(log).toEqual([]);
  ask(dom0, guest, 'getaffinity', 'destroy');
  expect(log).toEqual([line('denied', 'destroy getaffinity')]);
});

test('in permissive mode a denial passes, and is told once for each new bit', () => {
  isEnforcing = false;
  const first = ask(dom0, guest, 'create', 'destroy');
  expect(first).toMatchObject({ kind: 'granted', line: line('denied', 'destroy') });
  expect(first.missing).not.toBe(0);
  // What the policy lacks is still known, though nobody is told again.
  expect(ask(dom0, guest, 'destroy')).toEqual({ kind: 'granted', line: undefined, missing: first.missing });
  ask(dom0, guest, 'destroy', 'resume');
  expect(log).toEqual([line('denied', 'destroy'), line('denied', 'resume')]);
});

test('a permissive type passes in enforcing mode, and others do not', () => {
  expect(ask(loose, guest, 'destroy')).toMatchObject({ kind: 'granted' });
  expect(ask(loose, guest, 'destroy')).toMatchObject({ kind: 'granted', line: undefined });
  expect(ask(guest, loose, 'destroy')).toMatchObject({ kind: 'denied' });
  expect(log).toEqual([line('denied', 'destroy', loose, guest), line('denied', 'destroy', guest, loose)]);
});

test('what was let pass stays in the cache when enforcing comes back without a flush', () => {
  isEnforcing = false;
  ask(dom0, guest, 'destroy');
  isEnforcing = true;
  expect(ask(dom0, guest, 'destroy')).toMatchObject({ kind: 'granted' });
  avc.flush();
  expect(ask(dom0, guest, 'destroy')).toMatchObject({ kind: 'denied' });
});

test('a commit of booleans and a load of a policy empty the cache', () => {
  expect(ask(dom0, guest, 'destroy')).toMatchObject({ kind: 'denied' });
  server.setBoolean('open', true);
  expect(ask(dom0, guest, 'destroy')).toMatchObject({ kind: 'denied' });
  expect(avc.hashStats().entries).toBe(1);
  server.commitBooleans();
  expect(avc.hashStats().entries).toBe(0);
  expect(ask(dom0, guest, 'destroy')).toMatchObject({ kind: 'granted' });
  load();
  expect(avc.hashStats().entries).toBe(0);
  expect(ask(dom0, guest, 'destroy')).toMatchObject({ kind: 'granted' });
});

test('decisions from before the first policy do not outlive its load', () => {
  start('4.17');
  expect(avc.hasPerm(3, 12, 3, 0xffffffff, { current: 0 })).toEqual({ kind: 'granted', line: undefined, missing: 0 });
  load();
  expect(avc.hasPerm(3, 12, 3, 0xffffffff, { current: 0 })).toMatchObject({ kind: 'denied' });
});

test('a class that the policy does not have is an error in permissive mode too', () => {
  isEnforcing = false;
  const outcome = avc.hasPerm(sid(dom0), sid(guest), 99, 1, { current: 0 });
  expect(outcome).toMatchObject({ kind: 'denied', errno: 'EINVAL', missing: 1 });
  expect(log).toHaveLength(1);
});

test('before 4.17 domains are named by number', () => {
  start('4.13');
  load();
  ask(dom0, guest, 'destroy');
  expect(log).toEqual([line('denied', 'destroy').replace('source=d0 target=d5', 'domid=0 target=5')]);
});

describe('the cache', () => {
  test('answers again without asking the server', () => {
    ask(dom0, guest, 'create');
    ask(dom0, guest, 'unpause');
    ask(guest, dom0, 'create');
    expect(avc.cacheStats()).toEqual({ lookups: 3, hits: 1, misses: 2, allocations: 2, reclaims: 0, frees: 0 });
    expect(avc.hashStats()).toEqual({ entries: 2, bucketsUsed: 2, bucketsTotal: 512, maxChainLength: 1 });
  });

  test('throws out sixteen decisions where there would be more than 512', () => {
    for (let tsid = 0; tsid < 512; tsid++) avc.hasPerm(1, tsid, 1, 1, { current: 0 });
    expect(avc.hashStats().entries).toBe(512);
    avc.hasPerm(1, 512, 1, 1, { current: 0 });
    expect(avc.hashStats().entries).toBe(512 - 16 + 1);
    expect(avc.cacheStats()).toMatchObject({ allocations: 513, reclaims: 16, frees: 16 });
    // Every fourth slot holds four: slots 1, 5, 9 and 13 were emptied, and the next turn goes on from there.
    expect(avc.snapshot().hint).toBe(13);
  });

  test('with a lower threshold throws out what is there', () => {
    avc.threshold = 2;
    for (let tsid = 1; tsid <= 4; tsid++) avc.hasPerm(1, tsid, 1, 1, { current: 0 });
    // The third makes room by throwing out both others, and the fourth stays beside it.
    expect(avc.cacheStats()).toMatchObject({ reclaims: 2 });
    expect(avc.hashStats().entries).toBe(2);
    // Each slot was looked at once, so the next turn begins where this one did.
    expect(avc.snapshot().hint).toBe(0);
  });

  test('that has forgotten a permissive denial tells it again', () => {
    isEnforcing = false;
    ask(dom0, guest, 'destroy');
    ask(dom0, guest, 'destroy');
    expect(log).toHaveLength(1);
    for (let tsid = 0; tsid < 2000; tsid++) avc.hasPerm(1, tsid, 4, 0x10000, { current: 0 });
    log.length = 0;
    ask(dom0, guest, 'destroy');
    expect(log).toEqual([line('denied', 'destroy')]);
  });

  test('that makes room for a note of what passed may throw out the very decision', () => {
    isEnforcing = false;
    avc.threshold = 1;
    ask(dom0, guest, 'destroy');
    expect(avc.hashStats().entries).toBe(0);
    ask(dom0, guest, 'destroy');
    expect(log).toEqual([line('denied', 'destroy'), line('denied', 'destroy')]);
  });
});

test('a snapshot of the cache goes on as the cache itself would', () => {
  isEnforcing = false;
  ask(dom0, guest, 'destroy');
  ask(dom0, guest, 'create');
  for (let i = 0; i < 20; i++) avc.hasPerm(3, 100 + i, 3, 1, { current: 0 });
  avc.threshold = 20;
  const stored = JSON.parse(JSON.stringify(avc.snapshot()));
  const copy = new Avc(server, { isEnforcing: () => isEnforcing, log: (one) => log.push(one) });
  copy.restore(stored);
  expect(copy.snapshot()).toEqual(avc.snapshot());
  expect([copy.hashStats(), copy.cacheStats()]).toEqual([avc.hashStats(), avc.cacheStats()]);
  log.length = 0;
  const original = avc;
  const answers = [copy, original].map((cache) => {
    avc = cache;
    const first = ask(dom0, guest, 'destroy');
    for (let i = 0; i < 40; i++) avc.hasPerm(3, 200 + i, 3, 1, { current: 0 });
    return [first, avc.snapshot()];
  });
  expect(answers[0]).toEqual(answers[1]);
  expect(log.filter((one) => one.includes('destroy'))).toEqual([]);
});

test('what was cached before a snapshot is put back is forgotten', () => {
  const empty = avc.snapshot();
  ask(dom0, guest, 'create');
  avc.restore(empty);
  expect(avc.hashStats()).toMatchObject({ entries: 0, bucketsUsed: 0 });
});

test('a zero is written as the release writes it', () => {
  const zero = (name: XenReleaseName): string | undefined => {
    start(name);
    load();
    const [dom0, guest] = [sid('system_u:system_r:dom0_t'), sid('customer_1:vm_r:guest_t')];
    return avc.hasPerm(dom0, guest, 1, 1, { current: 0, device: 0 }).line?.split(' ').at(-4);
  };
  expect((['4.3', '4.8', '4.13', '4.17'] as const).map(zero)).toEqual([
    'device=0x0',
    'device=0',
    'device=0',
    'device=0',
  ]);
});

test('a snapshot keeps the slot from which room was last made, and none that there is not', () => {
  const hintAfter = (hint: number): number => {
    avc.restore({ ...avc.snapshot(), hint });
    return avc.snapshot().hint;
  };
  expect([hintAfter(0), hintAfter(5), hintAfter(511), hintAfter(512 + 7)]).toEqual([0, 5, 511, 7]);
});
