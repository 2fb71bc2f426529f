/**
 * Whether a change of a policy's text does what it is for: compiled, and asked again.
 *
 * @module
 */
import { type CompiledPolicy, compileDirectory, compileText, type PolicyFiles } from '../compiler/index.ts';
import { readPolicydb } from '../policydb/index.ts';
import { PolicyView } from '../security-server/index.ts';
import { hasErrors, SourceText } from '../text/index.ts';
import type { Need } from './choose-fix.ts';
import { type Insertion, withInsertions } from './insertion-diff.ts';
import { permissionBit, permissionNames, type Subject } from './subject.ts';

/** A file as a fix leaves it. */
export interface ChangedFile {
  /** In the policy directory; empty where the policy is one text. */
  readonly path: string;
  readonly text: string;
}

/** What came of a change that was tried, and written nowhere. */
export interface FixTrial {
  readonly files: readonly ChangedFile[];
  readonly compiled: CompiledPolicy;
  /** What is still denied, in words; empty where the change does what it is for. */
  readonly stillDenied: readonly string[];
}

function changedFiles(insertions: readonly Insertion[]): ChangedFile[] {
  const byPath = new Map<string, Insertion[]>();
  for (const one of insertions) byPath.set(one.place.path, [...(byPath.get(one.place.path) ?? []), one]);
  return Array.from(byPath, ([path, some]) => {
    const source = some[0]?.place.source ?? new SourceText(path, '');
    return { path, text: withInsertions(source, some) };
  });
}

/** A policy directory in which some files are others. */
function overlay(files: PolicyFiles, changed: readonly ChangedFile[]): PolicyFiles {
  const texts = new Map(changed.map(({ path, text }) => [path, text]));
  return {
    readText: (path) => texts.get(path) ?? files.readText(path),
    listNames: (directory) => files.listNames(directory),
    describe: (path) => files.describe(path),
  };
}

/** Compiles a policy with the insertions, and asks again for what was needed; undefined where it has no text. */
export function tryInsertions(
  subject: Subject,
  insertions: readonly Insertion[],
  needs: readonly Need[],
): FixTrial | undefined {
  const { source, view } = subject;
  if (source === undefined) return undefined;
  const files = changedFiles(insertions);
  const name = insertions[0]?.place.source.name ?? '';
  const compiled =
    source.files === undefined
      ? compileText(new SourceText(name, files[0]?.text ?? ''), source.options)
      : compileDirectory(overlay(source.files, files), source.options);
  if (compiled.bytes === undefined || hasErrors(compiled.diagnostics)) return { files, compiled, stillDenied: [] };
  const read = readPolicydb(compiled.bytes);
  if ('diagnostic' in read) return { files, compiled, stillDenied: [read.diagnostic.message] };
  const changed = new PolicyView(read.policy);
  for (const { name: boolean, value } of read.policy.booleans.entries) {
    const before = view.policy.booleans.byName.get(boolean);
    if (before !== undefined) changed.booleans[value] = view.booleans[before.value] === true;
  }
  changed.applyBooleans();
  const stillDenied: string[] = [];
  for (const need of needs) {
    // Numbers of types may be others now; labels are the same.
    const [from, to] = [changed.read(view.text(need.source)), changed.read(view.text(need.target))];
    const tclass = read.policy.classes.byName.get(need.tclass.name);
    const names = permissionNames(subject, need.tclass, need.bits);
    const allowed =
      from === undefined || to === undefined || tclass === undefined
        ? 0
        : changed.computeAv(from, to, tclass.value).allowed;
    const after: Subject = { ...subject, view: changed };
    const left =
      tclass === undefined ? names : names.filter((one) => (permissionBit(after, tclass, one) & allowed) === 0);
    if (left.length > 0)
      stillDenied.push(
        `${view.text(need.source)} -> ${view.text(need.target)}: ${need.tclass.name} { ${left.join(' ')} }`,
      );
  }
  return { files, compiled, stillDenied };
}
