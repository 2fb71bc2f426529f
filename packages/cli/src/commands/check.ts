/**
 * `dewar check`: what is wrong with the configuration of a guest, or will silently not apply.
 *
 * @module
 */
import type { CompileOptions } from '@dewar/policy/compiler';
import { aboutFile, type Diagnostic, hasErrors, SourceText } from '@dewar/policy/text';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { type DiagnosticFormat, diagnosticReport } from '../diagnostic-formats.ts';
import { EXIT } from '../failures.ts';
import { readLatin1 } from '../files.ts';
import { displayPath } from '../policy-input.ts';
import { byteText, printLine, type Terminal } from '../terminal.ts';

export interface CheckFlags {
  readonly format: DiagnosticFormat;
  /** Dewar's own version. */
  readonly version: string;
  /** The policy in which the labels are to be valid; without one they are only looked at as text. */
  readonly policy: string | undefined;
  readonly compile: CompileOptions;
}

type Labels = ReturnType<typeof readDomainConfig>['labels'];

/** Whether the labels of a guest are valid in a policy, and whether dom0 may make a guest under them. */
async function checkLabels(labels: Labels, named: string, compile: CompileOptions): Promise<readonly Diagnostic[]> {
  const { readPolicy } = await import('../policy-input.ts');
  const { SecurityServer } = await import('@dewar/policy/security-server');
  const { permissionNames } = await import('@dewar/policy/policydb');
  const { BASELINE_RELEASE, xenRelease } = await import('@dewar/policy/releases');
  const { adviseLabelGrants, guestDiagnostics } = await import('@dewar/toolstack');
  const { name, bytes, diagnostics } = await readPolicy(named, compile);
  if (bytes === undefined || hasErrors(diagnostics)) return diagnostics;
  const server = new SecurityServer({ release: xenRelease(compile.release ?? BASELINE_RELEASE) });
  const loaded = server.loadPolicy(bytes);
  if (loaded.kind === 'refused') return aboutFile(name, loaded.diagnostics);
  const invalid = [labels.build, labels.run, labels.deviceModel].flatMap((label) => {
    if (label === undefined) return [];
    const answer = server.contextToSid(label.text);
    if (answer.kind !== 'invalid') return [];
    const { message, suggestion } = answer.reason;
    const reason = suggestion === undefined ? message : `${message}; did you mean \`${suggestion}\`?`;
    return [guestDiagnostics['invalid-label'](label.origin, { label: label.text, reason })];
  });
  const { policy } = server;
  if (invalid.length > 0 || policy === undefined) return invalid;
  const sidOf = (label: string): number => {
    const answer = server.contextToSid(label);
    return answer.kind === 'invalid' ? 0 : answer.sid;
  };
  const dom0 = server.sidToContext(server.initialSid('dom0'));
  return adviseLabelGrants(labels, dom0, (source, target, className, permissions) => {
    const tclass = policy.classes.entries.find(({ name }) => name === className);
    const av = tclass === undefined ? 'EINVAL' : server.computeAv(sidOf(source), sidOf(target), tclass.value);
    if (tclass === undefined || av === 'EINVAL') return permissions;
    const granted = permissionNames(policy, tclass, av.allowed);
    return permissions.filter((one) => !granted.includes(one));
  });
}

/** Reads the file as `xl create` does, and says all that can be said of it without a host. */
export async function runCheck(
  file: string,
  settings: readonly string[],
  { format, version, policy, compile }: CheckFlags,
  terminal: Terminal,
): Promise<number> {
  const source = new SourceText(byteText(file === '-' ? 'stdin' : displayPath(file)), readLatin1(file));
  const { config, labels, diagnostics } = readDomainConfig(parseXlCfg(source, settings.map(byteText)));
  // What was said of the label as text is not said again.
  const isPlain = diagnostics.every(({ code }) => code !== 'cfg/label-shape' && code !== 'cfg/label-is-empty');
  const ofLabels = policy === undefined || !isPlain ? [] : await checkLabels(labels, policy, compile);
  const all = [...diagnostics, ...ofLabels];
  diagnosticReport(all, { format, version, subject: source.name, stream: terminal.out }, terminal);
  // A warning is of what xl passes over in silence, or of what comes out otherwise than it reads.
  const isInOrder = config !== undefined && all.every(({ severity }) => severity === 'note');
  if (isInOrder && format === 'text') {
    printLine(terminal.out, `${source.name} is in order`);
    const isLabelled = Object.values(config.labels).some((label) => label !== undefined);
    if (isLabelled && policy === undefined)
      printLine(terminal.out, 'whether its labels are valid is for a policy to say: `--policy` names one');
  }
  return isInOrder ? EXIT.done : EXIT.problem;
}
