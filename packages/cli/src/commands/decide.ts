/**
 * `dewar decide`: what a policy lets one label do to another.
 *
 * @module
 */
import type { CompileOptions } from '@dewar/policy/compiler';
import { permissionNames } from '@dewar/policy/policydb';
import { aboutFile, type Diagnostic, hasErrors } from '@dewar/policy/text';
import { EXIT, UsageError } from '../failures.ts';
import { tellPolicyFaults } from '../policy-faults.ts';
import { readPolicy } from '../policy-input.ts';
import { byteText, coloursFor, printDiagnostics, printLine, type Terminal } from '../terminal.ts';
import { classDecision, showDecisions } from './show-decisions.ts';

export interface DecideFlags {
  /** A host that answers itself, in the place of a policy. */
  readonly host: string | undefined;
  readonly policy: string | undefined;
  readonly compile: CompileOptions;
  readonly isJson: boolean;
}

export async function runDecide(
  source: string,
  target: string,
  className: string | undefined,
  flags: DecideFlags,
  terminal: Terminal,
): Promise<number> {
  if (flags.host !== undefined) {
    if (flags.policy !== undefined)
      throw new UsageError('`--host` asks the policy that the host has in force, `--policy` another: name one of them');
    const { decideOnHost } = await import('./decide-on-host.ts');
    return decideOnHost([source, target], className, { host: flags.host, isJson: flags.isJson }, terminal);
  }
  const reading = await readPolicy(flags.policy, flags.compile);
  const refuse = (diagnostics: readonly Diagnostic[]): number => {
    tellPolicyFaults(reading.name, diagnostics, flags.isJson, terminal);
    return EXIT.problem;
  };
  if (reading.bytes === undefined || hasErrors(reading.diagnostics)) return refuse(reading.diagnostics);
  printDiagnostics(terminal, reading.diagnostics);
  const { SecurityServer } = await import('@dewar/policy/security-server');
  const { BASELINE_RELEASE, xenRelease } = await import('@dewar/policy/releases');
  const { nearestName } = await import('@dewar/policy/text');
  const server = new SecurityServer({ release: xenRelease(flags.compile.release ?? BASELINE_RELEASE) });
  const loaded = server.loadPolicy(reading.bytes);
  if (loaded.kind === 'refused') return refuse(aboutFile(reading.name, loaded.diagnostics));
  const { err } = terminal;
  const fail = (message: string): number => {
    printLine(err, `${coloursFor(err).error('error:')} ${message}`);
    return EXIT.problem;
  };
  const sids: number[] = [];
  for (const label of [source, target].map(byteText)) {
    const answer = server.contextToSid(label);
    if (answer.kind === 'invalid') {
      const { message, suggestion } = answer.reason;
      const hint = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`;
      return fail(`label \`${label}\` is not valid: ${message}${hint}`);
    }
    sids.push(answer.sid);
  }
  const [ssid = 0, tsid = 0] = sids;
  const { policy } = server;
  if (policy === undefined) return EXIT.problem;
  const classes = [...policy.classes.entries].sort((a, b) => a.value - b.value);
  const wanted = classes.filter(({ name }) => className === undefined || name === className);
  if (wanted.length === 0 && className !== undefined) {
    const near = nearestName(
      className,
      classes.map(({ name }) => name),
    );
    return fail(`the policy has no class \`${className}\`${near === undefined ? '' : `; did you mean \`${near}\`?`}`);
  }
  const decisions = wanted.map((tclass) => {
    const av = server.computeAv(ssid, tsid, tclass.value);
    const vectors = av === 'EINVAL' ? { allowed: 0, auditAllow: 0, auditDeny: 0xffffffff } : av;
    return classDecision(tclass.name, vectors, (vector) => permissionNames(policy, tclass, vector));
  });
  const how = { isOneClass: className !== undefined, isJson: flags.isJson };
  return showDecisions({ policy: reading.name, source, target, decisions }, how, terminal);
}
