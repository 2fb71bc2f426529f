/**
 * What must come of a step, held against what came.
 *
 * @module
 */
import type { Host, OperationReport } from '@dewar/toolstack';
import { type CheckPattern, checksOf, denialText, isBetween, typeOf } from './check-patterns.ts';
import type { Expectations, MemoryPhase } from './scenario.ts';

/** One thing that came otherwise. `missing` and `unexpected` are for lists, `expected` and `got` for single values. */
export interface Mismatch {
  readonly what: string;
  readonly expected?: string;
  readonly got?: string;
  readonly missing?: readonly string[];
  readonly unexpected?: readonly string[];
}

/** What was found, and the attempts to map memory that were made to find it. */
export interface Compared {
  readonly mismatches: readonly Mismatch[];
  readonly probes: readonly OperationReport<unknown>[];
}

const word = (value: boolean | string | number | undefined): string =>
  value === undefined ? 'unknown' : String(value);

/** What was denied and must not be, or must be and was not. */
export function compareDenied(wanted: readonly CheckPattern[], report: OperationReport<unknown>): Mismatch[] {
  const denied = checksOf(report).filter(({ outcome }) => outcome === 'denied');
  const isWanted = (check: (typeof denied)[number], permission: string): boolean =>
    wanted.some((pattern) => isBetween(pattern, check) && pattern.permissions.includes(permission));
  const unexpected = denied.flatMap((check) => {
    const rest = check.denied.filter((permission) => !isWanted(check, permission));
    return rest.length === 0 ? [] : [denialText({ ...check, denied: rest })];
  });
  const missing = wanted.flatMap((pattern) => {
    const seen = denied.filter((check) => isBetween(pattern, check)).flatMap((check) => check.denied);
    return pattern.permissions.every((one) => seen.includes(one)) ? [] : [pattern.text];
  });
  if (missing.length === 0 && unexpected.length === 0) return [];
  return [{ what: 'denied', missing, unexpected: [...new Set(unexpected)] }];
}

/** What must be granted and was not. */
export function compareGranted(wanted: readonly CheckPattern[], report: OperationReport<unknown>): Mismatch[] {
  const granted = checksOf(report).filter(({ outcome }) => outcome === 'granted');
  const missing = wanted.flatMap((pattern) => {
    const seen = granted.filter((check) => isBetween(pattern, check)).flatMap((check) => check.permissions);
    return pattern.permissions.every((one) => seen.includes(one)) ? [] : [pattern.text];
  });
  return missing.length === 0 ? [] : [{ what: 'granted', missing, unexpected: [] }];
}

/** Whether dom0 mapped memory of the guest in the part of an operation that is a phase. */
function wasMapped(report: OperationReport<unknown>, phase: MemoryPhase, isWrite: boolean): boolean {
  const relabelled = report.labelChanges[0]?.step ?? report.timeline.length;
  const steps = phase === 'building' ? report.timeline.slice(0, relabelled) : report.timeline;
  const permission = isWrite ? 'map_write' : 'map_read';
  return steps.some(({ hypercalls }) =>
    hypercalls.some(
      ({ targetDomid, checks }) =>
        targetDomid !== undefined &&
        checks.some(
          (check) => check.class === 'mmu' && check.outcome === 'granted' && check.permissions.includes(permission),
        ),
    ),
  );
}

async function compareMemory(
  what: 'readable' | 'writable',
  wanted: Partial<Record<MemoryPhase, boolean>>,
  report: OperationReport<unknown>,
  guest: string,
  host: Host,
): Promise<{ readonly mismatches: Mismatch[]; readonly probes: OperationReport<unknown>[] }> {
  const mismatches: Mismatch[] = [];
  const probes: OperationReport<unknown>[] = [];
  const isWrite = what === 'writable';
  for (const phase of ['building', 'saving'] as const) {
    const expected = wanted[phase];
    const got = wasMapped(report, phase, isWrite);
    if (expected !== undefined && expected !== got)
      mismatches.push({ what: `${what} while ${phase}`, expected: word(expected), got: word(got) });
  }
  if (wanted.running !== undefined) {
    const probe = await host.probeForeignMap(guest, isWrite ? 'read-write' : 'read');
    probes.push(probe);
    const got = probe.value === undefined ? undefined : probe.value.outcome === 'mapped';
    if (got !== wanted.running)
      mismatches.push({
        what,
        expected: word(wanted.running),
        got: got === undefined ? 'there is no guest' : word(got),
      });
  }
  return { mismatches, probes };
}

function compareDomain(expect: Expectations, { domain }: OperationReport<unknown>): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const compare = (what: string, expected: string | boolean | undefined, got: string | boolean | undefined): void => {
    if (expected !== undefined && expected !== got) mismatches.push({ what, expected: word(expected), got: word(got) });
  };
  compare('state', expect.state, domain?.state ?? 'gone');
  compare('stranded', expect.stranded, domain?.isStranded ?? false);
  if (expect.label !== undefined && domain?.label !== expect.label && typeOf(domain?.label ?? '') !== expect.label)
    mismatches.push({ what: 'label', expected: expect.label, got: domain?.label ?? 'no label' });
  return mismatches;
}

/** Lets other domains try to map memory of the guest. */
async function compareOthers(
  what: 'readable' | 'writable',
  wanted: Readonly<Record<string, boolean>>,
  guest: string,
  host: Host,
  domainOf: (name: string) => string,
): Promise<Compared> {
  const mismatches: Mismatch[] = [];
  const probes: OperationReport<unknown>[] = [];
  for (const [name, expected] of Object.entries(wanted)) {
    const probe = await host.probeForeignMap(guest, what === 'writable' ? 'read-write' : 'read', domainOf(name));
    probes.push(probe);
    const got = probe.value === undefined ? undefined : probe.value.outcome === 'mapped';
    if (got === expected) continue;
    const found = got === undefined ? 'one of the two is not there' : word(got);
    mismatches.push({ what: `${what} by ${name}`, expected: word(expected), got: found });
  }
  return { mismatches, probes };
}

/**
 * Compares what a step did with what it must do. `guest` is the name of its guest on the host; `domainOf` gives that of any
 * guest of the scenario.
 */
export async function compareReport(
  expect: Expectations,
  report: OperationReport<unknown>,
  guest: string | undefined,
  host: Host,
  domainOf: (name: string) => string = (name) => name,
): Promise<Compared> {
  const mismatches: Mismatch[] = [];
  if (report.outcome !== expect.outcome) {
    const said = [...report.diagnostics.map(({ message }) => message), ...report.xlMessages][0];
    const got = said === undefined ? report.outcome : `${report.outcome}: ${said}`;
    mismatches.push({ what: 'outcome', expected: expect.outcome, got });
    // Why it failed is what its reader wants to know, whether or not the scenario says what may be denied.
    const denied = expect.denied ?? [];
    if (report.outcome === 'failed' && expect.denied === undefined) mismatches.push(...compareDenied(denied, report));
  }
  if (expect.exit !== undefined && expect.exit !== report.xlExitCode)
    mismatches.push({ what: 'exit', expected: word(expect.exit), got: word(report.xlExitCode) });
  if (expect.denied !== undefined) mismatches.push(...compareDenied(expect.denied, report));
  if (expect.granted !== undefined) mismatches.push(...compareGranted(expect.granted, report));
  mismatches.push(...compareDomain(expect, report));
  if (expect.openPages !== undefined) {
    const pages = report.labelChanges
      .flatMap(({ openMappings }) => openMappings)
      .reduce((sum, { frames }) => sum + frames.count, 0);
    if (pages !== expect.openPages)
      mismatches.push({ what: 'open pages', expected: word(expect.openPages), got: word(pages) });
  }
  const listed = (what: string, wanted: readonly string[] | undefined, has: (one: string) => boolean): void => {
    const missing = wanted?.filter((one) => !has(one)) ?? [];
    if (missing.length > 0) mismatches.push({ what, missing, unexpected: [] });
  };
  listed('messages', expect.messages, (one) => report.xlMessages.some((message) => message.includes(one)));
  listed('diagnostics', expect.diagnostics, (one) => report.diagnostics.some(({ code }) => code === one));
  const probes: OperationReport<unknown>[] = [];
  for (const what of ['readable', 'writable'] as const) {
    const [wanted, others] = [expect[what], expect[`${what}By`]];
    const found = [
      ...(wanted === undefined ? [] : [await compareMemory(what, wanted, report, guest ?? '', host)]),
      ...(others === undefined ? [] : [await compareOthers(what, others, guest ?? '', host, domainOf)]),
    ];
    mismatches.push(...found.flatMap((one) => one.mismatches));
    probes.push(...found.flatMap((one) => one.probes));
  }
  return { mismatches, probes };
}
