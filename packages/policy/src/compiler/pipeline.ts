/**
 * The way from policy text to the bytes that Xen loads.
 *
 * Start reading at `compileDirectory`.
 *
 * @module
 */
import { type ParseHints, parsePolicy, type Statement } from '../language/index.ts';
import { BUILTIN_NAMES, type M4Result, runM4 } from '../m4/index.ts';
import {
  type ExpandedRules,
  expandPolicyRules,
  type HandleUnknown,
  joinedParts,
  MAX_POLICY_SIZE,
  optimizeRules,
  type PolicyDb,
  type PolicyVersion,
  unwritableAt,
  writePolicyParts,
} from '../policydb/index.ts';
import { BASELINE_RELEASE, isSince, XEN_RELEASES, type XenReleaseName, xenRelease } from '../releases/index.ts';
import {
  type Diagnostic,
  hasErrors,
  type MappedText,
  type Origin,
  type Report,
  type SourceText,
  type Span,
  userSpan,
  writtenText,
} from '../text/index.ts';
import { type CompiledTree, type CompileStage, compileTree } from './compile-tree.ts';
import { label, source as messages } from './diagnostics.ts';
import {
  gatherBodies,
  gatherNames,
  gatherPermissions,
  gatherRereads,
  inOrderOfText,
  otherCalls,
} from './gather-faults.ts';
import { checkLateUsers } from './late-users.ts';
import { withWrittenLines } from './line-marks.ts';
import { gatherMissingFiles, type MissingMacroFiles } from './macro-files.ts';
import { isSwitchedOff, NamesElsewhere } from './names-elsewhere.ts';
import { collectPolicySources, type PolicyFiles, type PolicySources } from './policy-sources.ts';

/** How a policy is compiled. */
export interface CompileOptions {
  /** Version of the binary policy; 30 where nothing is said. */
  readonly version?: PolicyVersion;
  readonly isMls?: boolean;
  readonly handleUnknown?: HandleUnknown;
  /** Whether entries that other entries cover are left out of the bytes, as `checkpolicy -O` does. */
  readonly isOptimized?: boolean;
  /** Macros to define before the policy is read. */
  readonly definitions?: readonly { readonly name: string; readonly value: string }[];
  /** The release of Xen whose classes are meant, for a directory outside of a Xen tree. */
  readonly release?: XenReleaseName;
  /**
   * Whether it will be asked where the text of a directory came from, even if nothing is wrong with it. Otherwise that is
   * found out when it is asked, with the macros expanded a second time.
   */
  readonly keepsOrigins?: boolean;
  /** Called when a stage begins: for showing progress. */
  readonly onStage?: (stage: CompileStage) => void;
}

/** What became of a policy, with all that there is to say about it. */
export interface CompiledPolicy {
  /** Undefined where there are errors. */
  readonly policy: PolicyDb | undefined;
  readonly bytes: Uint8Array | undefined;
  /** The same in parts that follow one another, from which `bytes` is put together when it is asked for. */
  readonly parts: readonly Uint8Array[] | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** What the policy's macros printed with `errprint`. */
  readonly errorOutput: string;
  /** The text after m4. */
  readonly text: MappedText;
}

/** Sensitivities and categories that Xen's build gives a policy. */
const MLS_DEFINITIONS = [
  { name: 'mls_num_sens', value: '16' },
  { name: 'mls_num_cats', value: '256' },
];

const MAX_DIAGNOSTICS = 1000;

/** Keeps each thing said once: a fault in the body of a macro shows up in every expansion. */
class Diagnostics {
  readonly #found = new Map<string, { readonly diagnostic: Diagnostic; repeats: number }>();
  // Warnings, however many, leave room for errors: without them a policy would be written.
  #errors = 0;
  #others = 0;

  get list(): Diagnostic[] {
    return [...this.#found.values()].map(({ diagnostic, repeats }) => {
      if (repeats === 0 || diagnostic.origin?.kind !== 'expanded') return diagnostic;
      return { ...diagnostic, notes: [...diagnostic.notes, otherCalls(repeats)] };
    });
  }

  readonly report: Report = (diagnostic) => {
    const { code, origin, message } = diagnostic;
    const span = origin === undefined ? undefined : userSpan(origin);
    // A name that is unknown in the body of a macro is so for all who call it, and names that a macro makes of one
    // argument (`x_t`, `x_t_channel`) are unknown for one reason.
    const inner = origin?.span;
    const ofArgument = `${code}|${inner?.source.name}|${inner?.start}`;
    const isName = /\/(unknown|undeclared)-/.test(code);
    const isOneFault = isName || /\/(duplicate|unexpected-token|set-operator)$/.test(code);
    const key =
      origin?.kind === 'written' && isOneFault
        ? ofArgument
        : isName || (origin?.kind === 'expanded' && isOfBodyAlone(origin.span))
          ? `${ofArgument}|${message}`
          : `${code}|${message}|${span?.source.name}|${span?.start}`;
    const known = this.#found.get(key);
    if (known !== undefined) known.repeats += isOtherCall(known.diagnostic, diagnostic) ? 1 : 0;
    else if ((diagnostic.severity === 'error' ? this.#errors++ : this.#others++) < MAX_DIAGNOSTICS)
      this.#found.set(key, { diagnostic, repeats: 0 });
  };
}

/** Whether what stands around a place in the body of a macro is of the body too, and nothing that a call gives. */
function isOfBodyAlone({ source, start, end }: Span): boolean {
  const before = source.text.slice(Math.max(0, start - 80), start);
  const after = source.text.slice(end, end + 80);
  return !/(?:\$[\d@*#]|[)'])\s*$/.test(before) && !/^\s*[`']?\$[\d@*#]/.test(after);
}

function isOtherCall(first: Diagnostic, second: Diagnostic): boolean {
  if (first.origin === undefined || second.origin === undefined) return false;
  const a = userSpan(first.origin);
  const b = userSpan(second.origin);
  return a.start !== b.start || a.source.name !== b.source.name;
}

/** The calls that a text came through, each named by where it was written. */
function callsOf(origin: Origin | undefined): string[] {
  const calls: string[] = [];
  for (let at = origin; at?.kind === 'expanded'; at = at.call) {
    const { source, start } = at.call.span;
    calls.push(`${source.name}:${start}`);
  }
  return calls;
}

/** Keeps the first of the names that are lacking because one and the same module is not switched on. */
function withoutRepeats(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ notes }) => {
    const note = notes.find(({ message }) => isSwitchedOff(message));
    if (note === undefined) return true;
    return !seen.has(note.message) && seen.add(note.message);
  });
}

/** Drops what only follows from a call with a missing argument: names cut short, statements torn apart. */
function withoutConsequences(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const blamed = new Set<string>();
  for (const { code, origin } of diagnostics) {
    if (code === 'language/missing-argument' && origin !== undefined)
      blamed.add(`${origin.span.source.name}:${origin.span.start}`);
  }
  if (blamed.size === 0) return [...diagnostics];
  return diagnostics.filter(
    ({ code, origin }) => code === 'language/missing-argument' || !callsOf(origin).some((call) => blamed.has(call)),
  );
}

/** Codes of what only rules as a whole show. */
const OF_ALL_RULES: ReadonlySet<string> = new Set([
  'te/neverallow-violated',
  'te/conflicting-type-rule',
  'te/duplicate-type-rule',
]);

/** Drops what the rules of a macro as a whole show, where something is wrong with the call itself. */
function withoutSecondFaults(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const lineOf = (origin: Origin): string => {
    const { source, start } = userSpan(origin);
    return `${source.positionAt(start).line} ${source.name}`;
  };
  const faulty = new Set<string>();
  for (const { code, severity, origin } of diagnostics)
    if (severity === 'error' && origin !== undefined && !OF_ALL_RULES.has(code)) faulty.add(lineOf(origin));
  if (faulty.size === 0) return [...diagnostics];
  return diagnostics.filter(
    ({ code, origin }) => !OF_ALL_RULES.has(code) || origin?.kind !== 'expanded' || !faulty.has(lineOf(origin)),
  );
}

/** Where m4 was left otherwise than it began. */
type M4Facts = Pick<M4Result, 'discardsFrom' | 'quotesFrom'>;

/** Of what follows from how m4 was left, keeps the first, at the place where m4 was told so. */
function withoutM4Consequences(
  diagnostics: readonly Diagnostic[],
  { discardsFrom, quotesFrom }: M4Facts,
): Diagnostic[] {
  const causes = [
    {
      origin: discardsFrom,
      message: '`divert` throws away all text from here on',
      isOne: ({ code }: Diagnostic) => code === 'language/missing-section',
    },
    {
      origin: quotesFrom,
      message:
        '`changequote` changes the quotes for all text from here on, and the macros of the policy have the old ones',
      isOne: ({ code, message }: Diagnostic) =>
        code === 'language/unrecognized-character' && /^character `[`']`/.test(message),
    },
  ];
  let list = [...diagnostics];
  for (const { origin, message, isOne } of causes) {
    const first = origin === undefined ? undefined : list.find(isOne);
    if (first === undefined || origin === undefined) continue;
    list = list.flatMap((one) =>
      one === first ? [{ ...one, origin, notes: [{ message }] }] : isOne(one) ? [] : [one],
    );
  }
  return list;
}

/** The macros that only modules which are switched off define, with the module of each. */
function macrosOf(
  modulesOff: PolicySources['modulesOff'],
  defined: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, string> {
  const macros = new Map<string, string>();
  for (const { name: module, text } of modulesOff) {
    for (const [, macro = ''] of text.matchAll(/\bdefine\(`([A-Za-z_]\w*)'/g)) {
      if (!defined.has(macro)) macros.set(macro, module);
    }
  }
  return macros;
}

/** Warns about, or refuses, what a version cannot hold. */
function checkVersion({ policy, contexts, scope, rules }: CompiledTree, version: PolicyVersion, report: Report): void {
  for (const { low, high } of unwritableAt(policy, version)) {
    const token = contexts.iomemToken(low);
    const origin = token === undefined ? undefined : scope.origin(token);
    report(label['unwritable-at-version'](origin, { range: `0x${low.toString(16)}-0x${high.toString(16)}`, version }));
  }
  if (version === 24) {
    const first = (kind: Statement['kind']): Origin | undefined => {
      const statement = scope.tree.statements.find((one) => one.kind === kind);
      return statement === undefined ? undefined : scope.origin(statement.at);
    };
    for (const { path, token } of contexts.pathTokens()) {
      report(label['lost-at-version'](scope.origin(token), { what: path, version }));
    }
    if (policy.roleTransitions.length > 0)
      report(messages['lost-rules'](first('role_transition'), { what: 'role transitions', version }));
    if (policy.filenameTransitions.length > 0) {
      report(messages['lost-rules'](first('filename-transition'), { what: 'transitions with a file name', version }));
    }
  }
  if (rules.entries.count === 0) report(messages['no-rules'](undefined, {}));
}

function versionOf({ version, release }: CompileOptions): PolicyVersion {
  return version ?? xenRelease(release ?? BASELINE_RELEASE).newestPolicyVersion;
}

function binaryOf(policy: PolicyDb, expanded: ExpandedRules, options: CompileOptions): readonly Uint8Array[] {
  const { rules, conditionals } =
    options.isOptimized === true
      ? optimizeRules(policy, expanded)
      : { rules: expanded, conditionals: policy.conditionals };
  return writePolicyParts({ ...policy, conditionals }, rules, versionOf(options));
}

/** The bytes of a policy that was compiled with these options: the same again. */
export function binaryAgain(policy: PolicyDb, options: CompileOptions): Uint8Array {
  return joinedParts(binaryOf(policy, expandPolicyRules(policy).rules, options));
}

/** What is known of a policy directory beside its text. */
interface DirectoryFacts {
  readonly m4Facts: M4Facts;
  readonly missingMacroFiles: MissingMacroFiles;
}

function compileMapped(
  text: MappedText,
  options: CompileOptions,
  found: Diagnostics,
  errorOutput: string,
  hints: ParseHints,
  elsewhere: NamesElsewhere,
  sources: readonly SourceText[],
  directory: DirectoryFacts | undefined,
): CompiledPolicy {
  const gathered = (list: readonly Diagnostic[]): Diagnostic[] => {
    const faults = inOrderOfText(withoutSecondFaults(withoutConsequences(elsewhere.gather(list))), sources);
    const once = gatherRereads(gatherNames(gatherPermissions(gatherBodies(faults))));
    if (directory === undefined) return withoutRepeats(once);
    return withoutRepeats(
      withoutM4Consequences(gatherMissingFiles(once, directory.missingMacroFiles), directory.m4Facts),
    );
  };
  const failed = (): CompiledPolicy => ({
    policy: undefined,
    bytes: undefined,
    parts: undefined,
    diagnostics: gathered(found.list),
    errorOutput,
    text,
  });
  const { onStage } = options;
  onStage?.('reading statements');
  const tree = parsePolicy(text, found.report, hints);
  if (directory !== undefined) checkLateUsers(sources, tree, found.report);
  const compiled = compileTree(
    tree,
    {
      isMls: options.isMls ?? false,
      handleUnknown: options.handleUnknown ?? 'deny',
      advice: elsewhere,
      ...(onStage && { onStage }),
    },
    found.report,
  );
  if (!hasErrors(found.list)) checkVersion(compiled, versionOf(options), found.report);
  if (hasErrors(found.list)) return failed();
  onStage?.('writing the binary');
  let parts = binaryOf(compiled.policy, compiled.rules, options);
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (size > MAX_POLICY_SIZE)
    found.report(messages['larger-than-xen-loads'](undefined, { size, limit: MAX_POLICY_SIZE }));
  let whole: Uint8Array | undefined;
  return {
    policy: compiled.policy,
    get bytes() {
      if (whole === undefined) {
        whole = joinedParts(parts);
        parts = [whole];
      }
      return whole;
    },
    get parts() {
      return parts;
    },
    diagnostics: found.list,
    errorOutput,
    text,
  };
}

/** Compiles a policy that m4 has expanded already, as `checkpolicy` takes it. */
export function compileText(source: SourceText, options: CompileOptions = {}): CompiledPolicy {
  const found = new Diagnostics();
  const elsewhere = new NamesElsewhere([], undefined);
  const compiled = compileMapped(writtenText(source), options, found, '', {}, elsewhere, [source], undefined);
  if (compiled.diagnostics.length === 0) return compiled;
  return { ...compiled, diagnostics: withWrittenLines(compiled.diagnostics, source) };
}

/**
 * `xen_4_20` and its like, one for each series up to the release that is meant: with `ifdef`, a policy for several releases
 * can use a permission that not all of them have. Xen's build has no such macro.
 */
function releaseDefinitions(release: XenReleaseName): readonly { readonly name: string; readonly value: string }[] {
  return XEN_RELEASES.filter((series) => /^\d+\.\d+$/.test(series) && isSince(release, series)).map((series) => ({
    name: `xen_${series.replace('.', '_')}`,
    value: '',
  }));
}

/** The macros that are defined before a policy directory is read. */
export function m4Definitions(options: CompileOptions): readonly { readonly name: string; readonly value: string }[] {
  return [
    { name: 'self_contained_policy', value: '' },
    ...(options.isMls === true ? [{ name: 'enable_mls', value: '' }] : []),
    ...MLS_DEFINITIONS,
    ...releaseDefinitions(options.release ?? BASELINE_RELEASE),
    ...(options.definitions ?? []),
  ];
}

/** What m4 makes of one source of a policy directory without the others: their macros stay as they are written. */
export function expandSource(source: SourceText, options: CompileOptions = {}): string {
  return runM4([source], { definitions: m4Definitions(options) }).output.text;
}

/** What m4 makes of a policy directory; what is wrong with it is told by `compileDirectory`. */
export function expandDirectory(files: PolicyFiles, options: CompileOptions = {}): string {
  const { sources } = collectPolicySources(files, xenRelease(options.release ?? BASELINE_RELEASE), () => undefined);
  return runM4(sources, { definitions: m4Definitions(options) }).output.text;
}

/** Compiles a policy directory: m4, then the policy language. */
export function compileDirectory(files: PolicyFiles, options: CompileOptions = {}): CompiledPolicy {
  const found = new Diagnostics();
  const release = options.release ?? BASELINE_RELEASE;
  const { sources, modulesOff, hasTables, missingMacroFiles } = collectPolicySources(
    files,
    xenRelease(release),
    found.report,
  );
  options.onStage?.('expanding macros');
  const { keepsOrigins = false } = options;
  const expanded = runM4(sources, { definitions: m4Definitions(options), keepsOrigins });
  for (const diagnostic of expanded.diagnostics) found.report(diagnostic);
  const { exitedAt, exitStatus } = expanded;
  if (exitedAt !== undefined)
    found.report(
      exitStatus === 0 ? messages['m4-ended'](exitedAt, {}) : messages['m4-failed'](exitedAt, { status: exitStatus }),
    );
  if (hasErrors(found.list)) {
    return {
      policy: undefined,
      bytes: undefined,
      parts: undefined,
      diagnostics: found.list,
      errorOutput: expanded.errorOutput,
      text: expanded.output,
    };
  }
  // All but the text takes m4 a second run: it is asked for where there is something to say.
  let macrosOff: ReadonlyMap<string, string> | undefined;
  const hints: ParseHints = {
    get macros() {
      return [...expanded.macros.keys()];
    },
    macroPlace: (macro) => expanded.macros.get(macro)?.definedAt,
    macroEnd: (macro) => expanded.undefinedAt.get(macro),
    builtins: BUILTIN_NAMES,
    get macrosOff() {
      macrosOff ??= macrosOf(modulesOff, expanded.macros);
      return macrosOff;
    },
    get shortCalls() {
      return expanded.shortCalls;
    },
  };
  const elsewhere = new NamesElsewhere(modulesOff, hasTables ? undefined : release);
  return compileMapped(expanded.output, options, found, expanded.errorOutput, hints, elsewhere, sources, {
    m4Facts: expanded,
    missingMacroFiles,
  });
}
