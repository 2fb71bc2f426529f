/**
 * `dewar compat`: what changes for a policy when its host goes from one release of Xen to another.
 *
 * @module
 */
import { statSync } from 'node:fs';
import type { PermissionChange, ReleaseDifference } from '@dewar/policy/analysis';
import type { CompileOptions } from '@dewar/policy/compiler';
import type { PolicyDb } from '@dewar/policy/policydb';
import { releasesText, type XenReleaseName } from '@dewar/policy/releases';
import { type Diagnostic, hasErrors } from '@dewar/policy/text';
import { EXIT, NO_ANSWER, UsageError } from '../failures.ts';
import { type PolicyReading, readBinary, readPolicy } from '../policy-input.ts';
import { diagnosticJson, jsonText } from '../report-json.ts';
import { type Colours, coloursFor, print, printDiagnostics, printLine, type Terminal } from '../terminal.ts';

export interface CompatFlags {
  /** The release before and the one after. */
  readonly releases: readonly XenReleaseName[];
  readonly isJson: boolean;
  readonly compile: CompileOptions;
}

/** Whether a release takes some bytes, and why not. */
interface LoadAnswer {
  readonly outcome: 'loads' | 'refused';
  readonly errno: 'EINVAL' | undefined;
  readonly reasons: readonly string[];
}

/** What came of compiling the policy's sources for the new release. */
interface Recompiled {
  readonly policy: PolicyDb | undefined;
  readonly errors: readonly Diagnostic[];
  /** Undefined where it does not compile. */
  readonly load: LoadAnswer | undefined;
}

/** How an avc line of one decision reads before and after. */
interface AvcTexts {
  readonly before: string;
  readonly after: string;
}

async function tryLoad(bytes: Uint8Array, release: XenReleaseName): Promise<LoadAnswer> {
  const { SecurityServer } = await import('@dewar/policy/security-server');
  const { xenRelease } = await import('@dewar/policy/releases');
  const loaded = new SecurityServer({ release: xenRelease(release) }).loadPolicy(bytes);
  if (loaded.kind === 'loaded') return { outcome: 'loads', errno: undefined, reasons: [] };
  return { outcome: 'refused', errno: loaded.errno, reasons: loaded.diagnostics.map(({ message }) => message) };
}

async function policyOf(reading: PolicyReading): Promise<PolicyDb | Diagnostic | undefined> {
  const { compiled } = reading;
  if (compiled !== undefined) return compiled.bytes === undefined ? undefined : compiled.policy;
  const read = await readBinary(reading);
  return read !== undefined && 'diagnostic' in read ? read.diagnostic : read?.policy;
}

/** The policy as Xen would have it; a compiled one has its rules as they were written. */
async function readBack(bytes: Uint8Array, policy: PolicyDb): Promise<PolicyDb> {
  const { readPolicydb } = await import('@dewar/policy/policydb');
  const read = readPolicydb(bytes);
  return 'diagnostic' in read ? policy : read.policy;
}

/** A directory can be compiled for the new release; a text or a binary says itself which classes it has. */
async function recompile(
  policy: string | undefined,
  reading: PolicyReading,
  to: XenReleaseName,
  options: CompileOptions,
): Promise<Recompiled | undefined> {
  if (reading.path === '-' || !statSync(reading.path).isDirectory()) return undefined;
  const { bytes, compiled, diagnostics } = await readPolicy(policy, { ...options, release: to });
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const load = bytes === undefined || errors.length > 0 ? undefined : await tryLoad(bytes, to);
  return { policy: compiled?.policy, errors, load };
}

/** One denial as both releases would put it; undefined where they put it alike. */
async function avcTexts(from: XenReleaseName, to: XenReleaseName): Promise<AvcTexts | undefined> {
  const { formatAvcLine } = await import('@dewar/policy/security-server');
  const { hasOldAvcText } = await import('@dewar/policy/releases');
  const line = (release: XenReleaseName): string =>
    formatAvcLine({
      outcome: 'denied',
      permissions: 1,
      permissionNames: ['map_read'],
      scontext: 'user:role:type',
      tcontext: 'user:role:other',
      tclass: 'grant',
      data: { source: 0, target: 5, current: 0 },
      hasOldNames: hasOldAvcText(release),
    });
  return line(from) === line(to) ? undefined : { before: line(from), after: line(to) };
}

export async function runCompat(policy: string | undefined, flags: CompatFlags, terminal: Terminal): Promise<number> {
  const [from, to, ...more] = flags.releases;
  if (from === undefined || to === undefined || more.length > 0) {
    throw new UsageError('`dewar compat` needs two releases: `--xen BEFORE --xen AFTER`');
  }
  const { compareReleases, compatDiagnostics, givenBeside, needDiagnostics, permissionUses } = await import(
    '@dewar/policy/analysis'
  );
  const { ruleOrigin } = await import('@dewar/policy/compiler');
  const reading = await readPolicy(policy, { ...flags.compile, release: from });
  const { compiled } = reading;
  const found = await policyOf(reading);
  if (found === undefined || 'severity' in found || reading.bytes === undefined || hasErrors(reading.diagnostics)) {
    const diagnostics = found !== undefined && 'severity' in found ? [found] : reading.diagnostics;
    if (flags.isJson) {
      const shown = diagnostics.map(diagnosticJson);
      print(terminal.out, jsonText({ policy: reading.name, outcome: 'failed', diagnostics: shown }));
    } else {
      printDiagnostics(terminal, diagnostics);
      if (compiled !== undefined) {
        printLine(terminal.err, `${reading.name} does not compile for Xen ${from}, the release to compare with`);
      }
    }
    return NO_ANSWER;
  }
  const difference = compareReleases(from, to);
  const recompiled = await recompile(policy, reading, to, flags.compile);
  const again = recompiled?.policy;
  const uses = permissionUses(found, difference, compiled?.text.text, again && givenBeside(again));
  const diagnostics = [
    ...needDiagnostics(await readBack(reading.bytes, found), difference),
    ...compatDiagnostics(uses, difference, (word) => (compiled === undefined ? undefined : ruleOrigin(compiled, word))),
  ];
  const loads = { before: await tryLoad(reading.bytes, from), after: await tryLoad(reading.bytes, to) };
  const final = recompiled === undefined ? loads.after : recompiled.load;
  const isBroken = final?.outcome !== 'loads' || hasErrors(diagnostics);
  const avc = await avcTexts(from, to);
  if (flags.isJson) {
    print(
      terminal.out,
      jsonText({
        policy: reading.name,
        outcome: isBroken ? 'breaks' : 'works',
        ...difference,
        avcText: avc,
        sameBinary: loads,
        recompiled: recompiled && { errors: recompiled.errors.map(diagnosticJson), load: recompiled.load },
        diagnostics: diagnostics.map(diagnosticJson),
      }),
    );
  } else {
    const colours = coloursFor(terminal.out);
    printLine(terminal.out, `policy       ${reading.name}`);
    for (const line of differenceLines(difference, avc, colours)) printLine(terminal.out, line);
    for (const line of loadLines(loads, recompiled, difference, colours)) printLine(terminal.out, line);
    if (diagnostics.length > 0) printLine(terminal.out);
    printDiagnostics(terminal, diagnostics);
  }
  return isBroken ? EXIT.problem : EXIT.done;
}

/** Permissions of one kind, class by class: `xen { hypfs_op }`. */
function byClass(changes: readonly PermissionChange[]): string[] {
  const classes = new Map<string, string[]>();
  for (const one of changes) {
    const list = classes.get(one.class) ?? [];
    list.push(one.permission);
    classes.set(one.class, list);
  }
  return [...classes].map(([name, list]) => `${name} { ${list.join(' ')} }`);
}

/** Lines under one heading, which stands at the first of them. */
function titled(title: string, lines: readonly string[], colours: Colours): string[] {
  return lines.map((line, i) => `${i === 0 ? colours.strong(title.padEnd(12)) : ' '.repeat(12)} ${line}`);
}

function numberText({ name, before, after }: ReleaseDifference['classes'][number]): string {
  if (before === undefined) return `${name} is new, number ${after}`;
  return after === undefined ? `${name} is gone` : `${name} has number ${after}, not ${before}`;
}

function differenceLines(difference: ReleaseDifference, avc: AvcTexts | undefined, colours: Colours): string[] {
  const { from, to, classes, permissions, initialSids, behaviour } = difference;
  const ofKind = (kind: PermissionChange['kind']): PermissionChange[] => permissions.filter((one) => one.kind === kind);
  const list = (one: PermissionChange): string =>
    `${one.class} { ${one.permission} } → ${one.replacements.map((other) => `${other.class} { ${other.permission} }`).join(', ')}`;
  const lines = [
    ...titled('releases', [`Xen ${from} → Xen ${to}`], colours),
    ...titled('classes', classes.map(numberText), colours),
    ...titled('gone', byClass(ofKind('gone')), colours),
    ...titled('moved', ofKind('moved').map(list), colours),
    ...titled('narrowed', ofKind('narrowed').map(list), colours),
    ...titled('new', byClass(ofKind('new')), colours),
    ...titled('other bits', byClass(ofKind('renumbered')), colours),
    ...titled('initial SIDs', initialSids.map(numberText), colours),
    ...titled(
      'behaviour',
      behaviour.map(({ releases, text, isGained }) =>
        isGained ? text : `lost, it is of Xen ${releasesText(releases)}: ${text}`,
      ),
      colours,
    ),
    ...titled('avc text', avc === undefined ? [] : [avc.before, `→ ${avc.after}`], colours),
  ];
  return lines.length > 1 ? lines : [...lines, ...titled('', ['nothing that a policy can tell has changed'], colours)];
}

function loadText({ outcome, errno, reasons }: LoadAnswer, release: XenReleaseName, colours: Colours): string {
  if (outcome === 'loads') return colours.good(`loads on Xen ${release}`);
  const more = reasons.length > 1 ? ` (and ${reasons.length - 1} more)` : '';
  return `${colours.error(`Xen ${release} refuses it`)} with ${errno}: ${reasons[0]}${more}`;
}

function loadLines(
  loads: { readonly before: LoadAnswer; readonly after: LoadAnswer },
  recompiled: Recompiled | undefined,
  { from, to }: ReleaseDifference,
  colours: Colours,
): string[] {
  const binary = [loadText(loads.before, from, colours), loadText(loads.after, to, colours)];
  if (recompiled === undefined) return titled('this binary', binary, colours);
  const { errors, load } = recompiled;
  const answer =
    load === undefined
      ? `${colours.error(`does not compile for Xen ${to}`)}: ${errors.length} error${errors.length === 1 ? '' : 's'}, the first: ${errors[0]?.message ?? ''}`
      : loadText(load, to, colours);
  return [...titled('this binary', binary, colours), ...titled('recompiled', [answer], colours)];
}
