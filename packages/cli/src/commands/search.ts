/**
 * `dewar search`: which rules a policy has, with the place of each in the source where there is one.
 *
 * @module
 */
import type { FoundRule, NamePattern, RuleKind, RuleQuery } from '@dewar/policy/analysis';
import type { CompiledPolicy, CompileOptions } from '@dewar/policy/compiler';
import type { PolicyDb } from '@dewar/policy/policydb';
import { type Diagnostic, hasErrors, type Origin } from '@dewar/policy/text';
import { EXIT } from '../failures.ts';
import { placeLine } from '../place-line.ts';
import { tellPolicyFaults } from '../policy-faults.ts';
import { type PolicyReading, readBinary, readPolicy } from '../policy-input.ts';
import { diagnosticJson, jsonText, originJson } from '../report-json.ts';
import { byteText, coloursFor, print, printDiagnostics, printLine, safeLine, type Terminal } from '../terminal.ts';

/** The options of the command line, as commander names them. */
export interface SearchFlags {
  readonly kinds: readonly RuleKind[];
  readonly source?: string | undefined;
  readonly target?: string | undefined;
  readonly class?: string | undefined;
  readonly perms?: string | undefined;
  readonly default?: string | undefined;
  readonly bool?: string | undefined;
  readonly sourceDirect?: true | undefined;
  readonly targetDirect?: true | undefined;
  readonly sourceRegex?: true | undefined;
  readonly targetRegex?: true | undefined;
  readonly classRegex?: true | undefined;
  readonly defaultRegex?: true | undefined;
  readonly boolRegex?: true | undefined;
  readonly boolEqual?: true | undefined;
  readonly permsEqual?: true | undefined;
  readonly permsSubset?: true | undefined;
  readonly isJson: boolean;
  readonly compile: CompileOptions;
}

/** The options that choose kinds, as commander names them, in the order of the answer. */
const KIND_OPTIONS: readonly (readonly [keyof KindFlags, RuleKind])[] = [
  ['allow', 'allow'],
  ['auditallow', 'auditallow'],
  ['dontaudit', 'dontaudit'],
  ['neverallow', 'neverallow'],
  ['typeTrans', 'type_transition'],
  ['typeChange', 'type_change'],
  ['typeMember', 'type_member'],
  ['roleAllow', 'role_allow'],
  ['roleTrans', 'role_transition'],
  ['rangeTrans', 'range_transition'],
];

/** Which kinds are asked for. */
export interface KindFlags {
  readonly allow?: true | undefined;
  readonly auditallow?: true | undefined;
  readonly dontaudit?: true | undefined;
  readonly neverallow?: true | undefined;
  readonly typeTrans?: true | undefined;
  readonly typeChange?: true | undefined;
  readonly typeMember?: true | undefined;
  readonly roleAllow?: true | undefined;
  readonly roleTrans?: true | undefined;
  readonly rangeTrans?: true | undefined;
}

/** The kinds that the options choose; all where they choose none. */
export function kindsOf(flags: KindFlags): RuleKind[] {
  const chosen = KIND_OPTIONS.filter(([option]) => flags[option] === true);
  return (chosen.length > 0 ? chosen : KIND_OPTIONS).map(([, kind]) => kind);
}

function pattern(text: string, isRegex: true | undefined, isDirect?: true | undefined): NamePattern {
  return { text: byteText(text), isRegex: isRegex === true, isDirect: isDirect === true };
}

/** Names separated by commas; a regular expression is one. */
function patterns(text: string, isRegex: true | undefined): NamePattern[] {
  return isRegex === true ? [pattern(text, true)] : text.split(',').map((one) => pattern(one.trim(), undefined));
}

function queryOf(flags: SearchFlags): RuleQuery {
  return {
    kinds: flags.kinds,
    ...(flags.source === undefined ? {} : { source: pattern(flags.source, flags.sourceRegex, flags.sourceDirect) }),
    ...(flags.target === undefined ? {} : { target: pattern(flags.target, flags.targetRegex, flags.targetDirect) }),
    ...(flags.class === undefined ? {} : { classes: patterns(flags.class, flags.classRegex) }),
    ...(flags.perms === undefined ? {} : { permissions: flags.perms.split(',').map((one) => byteText(one.trim())) }),
    permissionMatch: flags.permsEqual === true ? 'equal' : flags.permsSubset === true ? 'subset' : 'any',
    ...(flags.default === undefined ? {} : { result: pattern(flags.default, flags.defaultRegex) }),
    ...(flags.bool === undefined ? {} : { booleans: patterns(flags.bool, flags.boolRegex) }),
    isBooleansEqual: flags.boolEqual === true,
  };
}

/** The policy to search: the compiled one where there is one, for it knows places. */
async function policyOf(reading: PolicyReading): Promise<PolicyDb | Diagnostic | undefined> {
  if (reading.compiled !== undefined) return reading.compiled.policy;
  const read = await readBinary(reading);
  return read !== undefined && 'diagnostic' in read ? read.diagnostic : read?.policy;
}

export async function runSearch(policy: string | undefined, flags: SearchFlags, terminal: Terminal): Promise<number> {
  const { searchRules } = await import('@dewar/policy/analysis');
  const { ruleOrigin } = await import('@dewar/policy/compiler');
  const reading = await readPolicy(policy, flags.compile);
  const found = await policyOf(reading);
  if (found === undefined || 'severity' in found) {
    const diagnostics = found === undefined ? reading.diagnostics : [found];
    tellPolicyFaults(reading.name, diagnostics, flags.isJson, terminal);
    return EXIT.problem;
  }
  const { rules, diagnostics } = searchRules(found, queryOf(flags));
  const placesOf = (rule: FoundRule, compiled: CompiledPolicy | undefined): Origin[] =>
    compiled === undefined ? [] : rule.statements.map((statement) => ruleOrigin(compiled, statement));
  if (flags.isJson) {
    print(
      terminal.out,
      jsonText({
        policy: reading.name,
        outcome: hasErrors(diagnostics) ? 'failed' : 'done',
        diagnostics: diagnostics.map(diagnosticJson),
        rules: rules.map(({ statements, ...rule }) => ({
          ...rule,
          places: placesOf({ statements, ...rule }, reading.compiled).map(originJson),
        })),
      }),
    );
  } else {
    printDiagnostics(terminal, diagnostics);
    const colours = coloursFor(terminal.out);
    for (const rule of rules) {
      printLine(terminal.out, safeLine(rule.text));
      const places = new Set(placesOf(rule, reading.compiled).map(placeLine));
      for (const place of places) printLine(terminal.out, `    ${colours.faint(place)}`);
    }
  }
  return hasErrors(diagnostics) ? EXIT.problem : EXIT.done;
}
