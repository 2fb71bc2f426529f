/**
 * `dewar prove`: whether properties hold of a policy, for all labels and all settings of its booleans.
 *
 * @module
 */
import type { PassedCheck, Proof, ProvedProperty } from '@dewar/policy/analysis';
import type { CompiledPolicy, CompileOptions } from '@dewar/policy/compiler';
import type { PolicyDb } from '@dewar/policy/policydb';
import type { XenReleaseName } from '@dewar/policy/releases';
import { type Diagnostic, hasErrors, type Origin, placeText, SourceText, userSpan } from '@dewar/policy/text';
import { EXIT } from '../failures.ts';
import { readLatin1 } from '../files.ts';
import { gapLines, gapsJson } from '../gap-lines.ts';
import { placeLine } from '../place-line.ts';
import { tellPolicyFaults } from '../policy-faults.ts';
import { displayPath, readBinary, readPolicy } from '../policy-input.ts';
import { diagnosticJson, jsonText, originJson } from '../report-json.ts';
import {
  byteText,
  type Colours,
  coloursFor,
  print,
  printDiagnostics,
  printLine,
  safeLine,
  type Terminal,
} from '../terminal.ts';
import { releaseFor } from './reach.ts';

export interface ProveFlags {
  readonly policy: string | undefined;
  readonly isJson: boolean;
  readonly compile: CompileOptions;
}

/** What a verdict is about. */
const SCOPE =
  'every valid label counts, also one that no domain can be given; what FLASK is not asked about is not proved';

/** A proof with the policy that it is of. */
interface Proven {
  readonly name: string;
  /** The Xen that is meant. */
  readonly release: XenReleaseName;
  readonly proof: Proof;
  readonly rules: PolicyDb;
  readonly compiled: CompiledPolicy | undefined;
}

/** A check of a counterexample as it is shown. */
interface ShownCheck {
  readonly source: string;
  readonly target: string;
  readonly class: string;
  readonly permissions: readonly string[];
  readonly isMissing: boolean;
  readonly booleans: Readonly<Record<string, boolean>>;
  readonly rules: readonly string[];
  readonly places: readonly Origin[];
}

export async function runProve(file: string, flags: ProveFlags, terminal: Terminal): Promise<number> {
  const { parseProperties, proveProperties } = await import('@dewar/policy/analysis');
  const source = new SourceText(byteText(displayPath(file)), readLatin1(file));
  const parsed = parseProperties(source);
  const reading = await readPolicy(flags.policy, flags.compile);
  const read = hasErrors(reading.diagnostics) ? undefined : await readBinary(reading);
  const policyFaults = read === undefined ? reading.diagnostics : 'diagnostic' in read ? [read.diagnostic] : [];
  const faults = [...parsed.diagnostics, ...policyFaults];
  if (read === undefined || 'diagnostic' in read || hasErrors(faults))
    return failed(reading.name, faults, flags, terminal);
  const release = await releaseFor(read.policy, flags.compile.release);
  const proof = proveProperties(read.policy, parsed.properties, release.initialSids);
  if (proof.results.length === 0) return failed(reading.name, proof.diagnostics, flags, terminal);
  const { compiled } = reading;
  const proven: Proven = {
    name: reading.name,
    release: release.name,
    proof,
    rules: compiled?.policy ?? read.policy,
    compiled,
  };
  if (flags.isJson) print(terminal.out, jsonText(await proofJson(proven)));
  else await printProof(proven, terminal);
  const has = (outcome: ProvedProperty['outcome']): boolean => proof.results.some((one) => one.outcome === outcome);
  if (has('refuted')) return EXIT.problem;
  return has('undecided') ? EXIT.usage : EXIT.done;
}

function failed(name: string, faults: readonly Diagnostic[], flags: ProveFlags, terminal: Terminal): number {
  tellPolicyFaults(name, faults, flags.isJson, terminal);
  return EXIT.usage;
}

async function shownChecks({ proof, rules, compiled }: Proven, checks: readonly PassedCheck[]): Promise<ShownCheck[]> {
  const { RulesBehind } = await import('@dewar/policy/analysis');
  const { ruleOrigin } = await import('@dewar/policy/compiler');
  const { decisions } = proof;
  const behind = new RulesBehind(rules);
  const booleanNames = new Map(decisions.policy.booleans.entries.map(({ name, value }) => [value, name]));
  return checks.map(({ source, target, class: tclass, permissions, isMissing, setting }) => {
    const type = ({ type: value }: typeof source): string => decisions.view.names.types[value] ?? '';
    const found = isMissing ? [] : behind.find(type(source), type(target), tclass, permissions);
    const statements = [...new Set(found.flatMap((rule) => rule.statements))];
    return {
      source: decisions.labels.text(source),
      target: decisions.labels.text(target),
      class: tclass,
      permissions,
      isMissing,
      booleans: Object.fromEntries([...setting].map(([boolean, value]) => [booleanNames.get(boolean) ?? '', value])),
      rules: found.map(({ text }) => text),
      places: compiled === undefined ? [] : statements.map((one) => ruleOrigin(compiled, one)),
    };
  });
}

async function proofJson(proven: Proven): Promise<object> {
  const { name, release: xen, proof } = proven;
  const results = [];
  for (const { property, outcome, counterexample, settings } of proof.results) {
    const checks = counterexample === undefined ? [] : await shownChecks(proven, counterexample.checks);
    results.push({
      property: property.text,
      ...originJson(property.origin),
      outcome,
      settings,
      counterexample: counterexample && {
        what: counterexample.what,
        condition: counterexample.condition,
        impossible: counterexample.impossible.map((label) => proof.decisions.labels.text(label)),
        checks: checks.map(({ places, ...check }) => ({ ...check, places: places.map(originJson) })),
      },
    });
  }
  const count = (outcome: string): number => proof.results.filter((one) => one.outcome === outcome).length;
  const outcome = count('refuted') > 0 ? 'refuted' : count('undecided') > 0 ? 'undecided' : 'proved';
  const { bounds, diagnostics } = proof;
  const about = { policy: name, outcome, scope: SCOPE, xen, letsPass: gapsJson(xen) };
  return { ...about, results, bounds, diagnostics: diagnostics.map(diagnosticJson) };
}

async function printProof(proven: Proven, terminal: Terminal): Promise<void> {
  const { proof } = proven;
  const colours = coloursFor(terminal.out);
  printDiagnostics(terminal, proof.diagnostics);
  for (const { property, outcome, counterexample } of proof.results) {
    const paint = outcome === 'proved' ? colours.good : outcome === 'refuted' ? colours.error : colours.warning;
    const place = placeText(userSpan(property.origin));
    printLine(terminal.out, `${paint(outcome.padEnd(9))}  ${safeLine(property.text)}  ${colours.faint(place)}`);
    if (counterexample === undefined) continue;
    printLine(terminal.out, `    ${counterexample.what}`);
    for (const line of checkLines(await shownChecks(proven, counterexample.checks), colours))
      printLine(terminal.out, line);
    for (const label of counterexample.impossible) {
      const text = safeLine(proof.decisions.labels.text(label));
      printLine(terminal.out, `    ${colours.note('note:')} no domain can be given the label ${text} as things are`);
    }
    if (counterexample.condition !== undefined) printLine(terminal.out, `    where ${counterexample.condition}`);
  }
  for (const bound of proof.bounds) printLine(terminal.out, `${colours.warning('bound:')} ${bound}`);
  printLine(terminal.out, colours.faint(SCOPE));
  for (const line of gapLines(proven.release)) printLine(terminal.out, colours.faint(line));
}

function checkLines(checks: readonly ShownCheck[], colours: Colours): string[] {
  const lines: string[] = [];
  let before = '';
  for (const check of checks) {
    const booleans = Object.entries(check.booleans)
      .map(([name, value]) => `${safeLine(name)}=${value ? 1 : 0}`)
      .join(' ');
    if (booleans !== before) lines.push(`    with ${booleans}`);
    before = booleans;
    const rights = `${check.class} { ${check.permissions.join(' ')} }`;
    const verdict = check.isMissing ? colours.error('  is not allowed') : '';
    lines.push(`    ${safeLine(check.source)} → ${safeLine(check.target)}  ${safeLine(rights)}${verdict}`);
    const places = [...new Set(check.places.map(placeLine))];
    for (const place of places) lines.push(`      ${colours.faint(place)}`);
    if (places.length === 0)
      for (const rule of check.rules.slice(0, 2)) lines.push(`      ${colours.faint(safeLine(rule))}`);
  }
  return lines;
}
