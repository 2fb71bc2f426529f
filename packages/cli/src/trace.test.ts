/** `dewar trace` on simulated hosts, and how a trace is read and folded. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HypercallRecord, OperationReport } from '@dewar/toolstack';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';
import { type CheckEntry, LogReader, type TraceEntry, TraceRecord } from './trace-entries.ts';
import { foldCycles } from './trace-report.ts';

const guestCfg = fileURLToPath(new URL('../../../examples/nomigrate/guest.cfg', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'dewar-trace-'));
let hosts = 0;

beforeEach(() => {
  process.env['DEWAR_STATE_DIR'] = join(scratch, `state-${++hosts}`);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface TraceJson {
  readonly exit: number;
  readonly total: number;
  readonly denied: number;
  readonly entries: readonly CheckEntry[];
}

/** A trace as the command printed it. */
function read(out: string): TraceJson {
  return JSON.parse(out) as TraceJson;
}

/** Checks one by one: hypercall, class, permissions, labels, outcome. */
function unfolded(entries: readonly CheckEntry[]): string[] {
  return entries.flatMap((one) => {
    const { operations, class: tclass, permissions, source, target, outcome } = one;
    return Array<string>(one.count).fill([operations, tclass, permissions, source, target, outcome].join(' '));
  });
}

describe('on a simulated host', () => {
  test('the trace of a build has the checks of its report, and those of the probes behind it', async () => {
    const traced = read((await dewar('trace', '--json', '--', 'create', '-q', guestCfg)).out);
    expect(traced.exit).toBe(0);
    process.env['DEWAR_STATE_DIR'] = join(scratch, `state-${++hosts}`);
    const { create, probes } = JSON.parse((await dewar('create', '--json', guestCfg)).out) as {
      readonly create: OperationReport;
      readonly probes: readonly OperationReport[];
    };
    const calls = [create, ...probes].flatMap(({ timeline }) => timeline.flatMap(({ hypercalls }) => hypercalls));
    const expected = calls.flatMap(({ name, count, checks }: HypercallRecord) =>
      Array.from({ length: count }, () =>
        checks.flatMap((one) => {
          const { class: tclass, permissions, source, target, outcome } = one;
          return Array<string>(one.count).fill([name, tclass, permissions, source, target, outcome].join(' '));
        }),
      ).flat(),
    );
    const found = unfolded(traced.entries);
    // Reports tell of what was done for the guest; the trace also of what was asked about it in between.
    const rest = [...found];
    for (const check of expected) {
      const at = rest.indexOf(check);
      expect(at, check).toBeGreaterThanOrEqual(0);
      rest.splice(0, at + 1);
    }
    expect(found.length).toBe(traced.total);
    expect(traced.denied).toBe(2);
  });

  test('a denied operation passes its exit code on, and the word `dewar` may stand before it', async () => {
    await dewar('create', '-q', guestCfg);
    const { code, out } = await dewar('trace', '--', 'dewar', 'dump-core', 'nomigrate-guest');
    expect(code).toBe(1);
    expect(out).toContain('trace     dump-core nomigrate-guest, which ended with 1\n');
    expect(out).toMatch(/d0 dom0_t → d1 nomigrate_t +mmu \{ map_read \} +DENIED +mmu_update\.map_foreign by libxc/);
    expect(out).toMatch(/^\d+ checks, 1 denied$/m);
  });

  test('the trace goes to a file, and what the command prints to where it went', async () => {
    const file = join(scratch, 'trace.json');
    const { out } = await dewar('trace', '--json', '-o', file, '--', 'getenforce');
    expect(out).toBe('Enforcing\n');
    expect(read(readFileSync(file, 'utf8'))).toMatchObject({
      command: ['getenforce'],
      exit: 1,
      total: 1,
      mode: 'enforcing',
    });
    const both = await dewar('trace', '--json', '--', 'list');
    expect(read(both.out).total).toBeGreaterThan(0);
    expect(both.err).toContain('Domain-0');
  });

  test.each([
    [['--', 'compile', 'x'], '`compile` is no such command'],
    [['--', 'trace', 'list'], '`trace` is no such command'],
    [['--', 'sh', '-c', 'true'], '`sh` is no such command'],
    [['--everything', '--', 'list'], 'choose what a real Xen logs'],
  ])('what cannot be traced there is said: %j', async (args, said) => {
    const { code, err } = await dewar('trace', ...args);
    expect([code, err.includes(said)]).toEqual([2, true]);
  });
});

describe('reading a log', () => {
  const line = (rest: string): string => `(XEN) avc:  ${rest}\n`;
  const label = 'system_u:system_r:dom0_t';

  test('who asks for what of whom, and which hypercalls do', () => {
    const reader = new LogReader('4.17', true);
    const entries = reader.read(
      line(`granted  { create } for current=d0 scontext=${label} tcontext=a:b:c_t tclass=domain`) +
        line(`denied  { map_read map_write } for source=d3 scontext=a:b:c_t tcontext=a:b:c_self tclass=mmu`) +
        line(`denied  { unpause } for source=d0 target=d7 scontext=${label} tcontext=a:b:c_t tclass=domain`),
    );
    expect(entries).toMatchObject([
      { sourceDomid: 0, targetDomid: undefined, isEnforced: false, operations: ['domctl.createdomain'] },
      { sourceDomid: 3, targetDomid: 3, isEnforced: true, permissions: ['map_read', 'map_write'] },
      { sourceDomid: 0, targetDomid: 7, isEnforced: true, operations: ['domctl.unpausedomain'] },
    ]);
    expect(
      new LogReader('4.17', false).read(
        line(`denied  { unpause } for source=d0 target=d7 scontext=${label} tcontext=a:b:c_t tclass=domain`),
      ),
    ).toMatchObject([{ isEnforced: false }]);
  });

  test('what is missing is counted: lines held back, and lines that are cut off', () => {
    const reader = new LogReader('4.17', true);
    const text =
      '(XEN) printk: 12 messages suppressed.\n(XEN) avc:  gra\n(XEN) printk: 3 messages suppressed.\nother\n';
    expect(reader.read(text)).toEqual([]);
    expect([reader.suppressed, reader.broken]).toEqual([15, 1]);
  });

  test('equal neighbours are folded, and no more is kept than there is room for', () => {
    const record = new TraceRecord();
    const entry = (text: string): TraceEntry => ({ kind: 'remark', text, count: 1 });
    for (let i = 0; i < 60_000; i++) record.add(entry(String(i)));
    record.add(entry('59999'));
    expect([record.entries.length, record.dropped]).toEqual([50_000, 10_001]);
    const other = new TraceRecord();
    for (const text of ['a', 'a', 'b', 'a']) other.add(entry(text));
    expect(other.entries.map(({ count }) => count)).toEqual([2, 1, 1]);
  });
});

test('folding what repeats together loses nothing', () => {
  // Every word of up to twelve letters out of two.
  for (let length = 0; length <= 12; length++) {
    for (let bits = 0; bits < 2 ** length; bits++) {
      const entries = Array.from({ length }, (_, i): TraceEntry => {
        return { kind: 'remark', text: String((bits >> i) & 1), count: 1 };
      });
      const back = foldCycles(entries).flatMap(({ entries: part, times }) => Array(times).fill(part).flat());
      expect(back).toEqual(entries);
    }
  }
  const ab = ['a', 'b', 'a', 'b', 'a', 'b', 'c'].map((text): TraceEntry => ({ kind: 'remark', text, count: 1 }));
  expect(foldCycles(ab).map(({ entries, times }) => [entries.length, times])).toEqual([
    [2, 3],
    [1, 1],
  ]);
});
