/**
 * The properties that a policy states of itself, and which of them a proposed fix would end.
 *
 * Each fix is compiled into a copy in memory, and the properties are proved again.
 * Start reading at `holdToProperties`.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Property } from '@dewar/policy/analysis';
import type { Finding, LogExplanation } from '@dewar/policy/explain';
import type { PolicyDb } from '@dewar/policy/policydb';
import { hasErrors, InvariantError, placeText, SourceText, userSpan } from '@dewar/policy/text';
import { type ExplainInput, policyOf } from './explain-subject.ts';
import { RequestError } from './failures.ts';
import { readLatin1 } from './files.ts';
import { displayPath } from './policy-input.ts';
import { byteText, printDiagnostics, type Terminal } from './terminal.ts';

/** Fixes that are tried; each costs a compilation and a proof. */
const TRIED = 20;

/** An explanation that knows the properties, and what is to be said about how. */
export interface HeldExplanation {
  readonly explained: LogExplanation;
  readonly restsOn: readonly string[];
  readonly notCovered: readonly string[];
}

/** The file of properties: the one that is named, or the one that lies in the policy directory. */
function propertiesFile(named: string | undefined, { reading }: ExplainInput): string | undefined {
  if (named !== undefined) return named;
  const [folder] = reading.files;
  if (folder === undefined || reading.files.length < 2) return undefined;
  const found = readdirSync(folder).filter((name) => name.endsWith('.prove'));
  // Which of several is meant nobody can tell.
  return found.length === 1 ? join(folder, found[0] ?? '') : undefined;
}

/** The policy as it is read from its bytes, which is what proofs are about. */
async function policyToProve({ subject, reading }: ExplainInput): Promise<PolicyDb> {
  const { policy } = subject.view;
  if (policy.isExpanded) return policy;
  const read = await policyOf(reading, true);
  if ('severity' in read) throw new InvariantError('a policy that was read cannot be read again');
  return read;
}

/** The properties that hold of a policy, by their text. */
async function provedOf(
  policy: PolicyDb,
  properties: readonly Property[],
  initialSids: readonly string[],
): Promise<Set<Property>> {
  const { proveProperties } = await import('@dewar/policy/analysis');
  const { results } = proveProperties(policy, properties, initialSids);
  return new Set(results.flatMap(({ property, outcome }) => (outcome === 'proved' ? [property] : [])));
}

/**
 * Looks for findings whose fix would refute a property that holds now: such a denial is the policy's purpose, and the
 * finding becomes `protective`. Where there are no properties, nothing changes.
 */
export async function holdToProperties(
  named: string | undefined,
  input: ExplainInput,
  explained: LogExplanation,
  terminal: Terminal,
): Promise<HeldExplanation> {
  const file = propertiesFile(named, input);
  if (file === undefined) return { explained, restsOn: [], notCovered: [] };
  const { parseProperties } = await import('@dewar/policy/analysis');
  const source = new SourceText(byteText(displayPath(file)), readLatin1(file));
  const { properties, diagnostics } = parseProperties(source);
  if (hasErrors(diagnostics)) {
    printDiagnostics(terminal, diagnostics);
    throw new RequestError(`the properties in \`${displayPath(file)}\` cannot be read`);
  }
  const { tryInsertions } = await import('@dewar/policy/explain');
  const { readPolicydb } = await import('@dewar/policy/policydb');
  const { subject } = input;
  const { initialSids } = subject.release;
  let before: Set<Property> | undefined;
  let tried = 0;
  let left = 0;
  const held: Finding[] = [];
  for (const finding of explained.findings) {
    const { cause, placement } = finding;
    if ((cause.kind !== 'no-rule' && cause.kind !== 'protective') || placement === undefined) {
      held.push(finding);
      continue;
    }
    if (tried === TRIED) {
      left++;
      held.push(finding);
      continue;
    }
    tried++;
    const insertion = { place: placement, lines: cause.fix.chosen.lines };
    const bytes = tryInsertions(subject, [insertion], cause.fix.needs)?.compiled.bytes;
    const read = bytes === undefined ? undefined : readPolicydb(bytes);
    if (read === undefined || 'diagnostic' in read) {
      held.push(finding);
      continue;
    }
    before ??= await provedOf(await policyToProve(input), properties, initialSids);
    const after = await provedOf(read.policy, properties, initialSids);
    const refuted = [...before]
      .filter((property) => !after.has(property))
      .map(({ text, origin }) => ({ text, place: placeText(userSpan(origin)) }));
    held.push(refuted.length === 0 ? finding : { ...finding, cause: { ...cause, kind: 'protective', refuted } });
  }
  return {
    explained: { ...explained, findings: held },
    restsOn: [`the properties in ${source.name}, proved again for each fix`],
    notCovered: left === 0 ? [] : [`what the fixes of ${left} causes do to the properties: too many`],
  };
}
