/**
 * Coverage of a policy for a terminal, and as data.
 *
 * @module
 */
import {
  type Coverage,
  type CoveredFile,
  type CoveredLine,
  lineCount,
  simulatedPermissions,
} from '@dewar/lab/rehearsal';
import { BASELINE_RELEASE, neverChecked, xenRelease } from '@dewar/policy/releases';
import type { Colours } from './terminal.ts';

const isReached = ({ parts }: CoveredLine): boolean => parts.some(({ count }) => count > 0);
const reachedParts = ({ parts }: CoveredLine): number => parts.filter(({ count }) => count > 0).length;

function percent(part: number, whole: number): string {
  return whole === 0 ? '' : ` (${Math.floor((100 * part) / whole)} %)`;
}

/** What became of the permissions of the release that the simulated host stands for. */
interface PermissionUse {
  readonly all: number;
  /** Asked for in the scenarios. */
  readonly asked: readonly string[];
  /** Not in these, but by an operation that the simulated host has. */
  readonly notAsked: readonly string[];
  /** By operations of Xen alone that the simulated host does not have. */
  readonly notSimulated: readonly string[];
  /** By nothing in Xen. */
  readonly never: readonly { readonly permission: string; readonly why: string }[];
}

function permissionUse({ checked }: Coverage): PermissionUse {
  const simulated = simulatedPermissions();
  const never = neverChecked(BASELINE_RELEASE).map((one) => ({
    permission: `${one.class} ${one.permission}`,
    why: `${one.why}; it asks for \`${one.instead.class} ${one.instead.permission}\``,
  }));
  const all = xenRelease(BASELINE_RELEASE).classes.flatMap(({ name, permissions }) =>
    permissions.map((permission) => `${name} ${permission}`),
  );
  const isNever = new Set(never.map(({ permission }) => permission));
  return {
    all: all.length,
    asked: all.filter((one) => checked.has(one)),
    notAsked: all.filter((one) => !checked.has(one) && simulated.has(one)),
    notSimulated: all.filter((one) => !checked.has(one) && !simulated.has(one) && !isNever.has(one)),
    never,
  };
}

/** Coverage as data. */
export function coverageJson(coverage: Coverage): object {
  const { rules, exercised, others, neverAsked, files, withoutSource } = coverage;
  return {
    rules,
    exercised,
    others,
    neverAsked,
    withoutSource,
    files: files.map(({ source, lines }) => ({
      file: source.name,
      lines: lines.map((one) => ({
        line: one.line,
        count: lineCount(one),
        rules: one.parts.length,
        exercised: reachedParts(one),
      })),
    })),
    permissions: { release: BASELINE_RELEASE, ...permissionUse(coverage) },
  };
}

/** Permissions class by class: `domain { create destroy }`. */
function byClass(list: readonly string[]): string[] {
  const classes = new Map<string, string[]>();
  for (const one of list) {
    const [name = '', permission = ''] = one.split(' ');
    const known = classes.get(name);
    if (known === undefined) classes.set(name, [permission]);
    else known.push(permission);
  }
  return [...classes].map(([name, permissions]) => `${name} { ${permissions.join(' ')} }`);
}

function* permissionLines(coverage: Coverage, colours: Colours): Generator<string> {
  const { all, asked, notAsked, notSimulated, never } = permissionUse(coverage);
  yield colours.strong(
    `permissions of Xen ${BASELINE_RELEASE}: ${asked.length} of ${all} asked for${percent(asked.length, all)}`,
  );
  const section = function* (title: string, lines: readonly string[]): Generator<string> {
    if (lines.length === 0) return;
    yield `  ${title}`;
    for (const line of lines) yield `    ${line}`;
  };
  yield* section('not in these scenarios, though the simulated host has an operation that asks:', byClass(notAsked));
  yield* section(
    'by no operation that the simulated host has; Xen itself asks for them elsewhere:',
    byClass(notSimulated),
  );
  yield* section(
    `by nothing in Xen ${BASELINE_RELEASE}; rules for them do nothing:`,
    never.map(({ permission, why }) => `${permission}: ${why}`),
  );
}

function countText(line: CoveredLine | undefined): string {
  if (line === undefined) return ''.padStart(14);
  const part = line.parts.length > 1 ? `${reachedParts(line)}/${line.parts.length}` : '';
  return `${part.padStart(7)} ${String(lineCount(line)).padStart(6)}`;
}

function paintLine(line: CoveredLine | undefined, text: string, colours: Colours): string {
  if (line === undefined) return text;
  if (!isReached(line)) return colours.error(text);
  return reachedParts(line) < line.parts.length ? colours.warning(text) : colours.good(text);
}

function* sourceLines({ source, lines }: CoveredFile, colours: Colours): Generator<string> {
  yield colours.strong(source.name);
  const byNumber = new Map(lines.map((one) => [one.line, one]));
  for (const [i, text] of source.text.replace(/\n$/, '').split('\n').entries()) {
    const line = byNumber.get(i + 1);
    yield `${countText(line)} ${String(i + 1).padStart(5)} | ${paintLine(line, text, colours)}`.trimEnd();
  }
}

function* missedLines({ source, lines }: CoveredFile, colours: Colours): Generator<string> {
  const texts = source.text.split('\n');
  for (const one of lines) {
    if (isReached(one) && reachedParts(one) === one.parts.length) continue;
    const part = one.parts.length > 1 ? colours.faint(`  ${reachedParts(one)} of ${one.parts.length} rules`) : '';
    const text = (texts[one.line - 1] ?? '').trim();
    yield `  ${String(one.line).padStart(5)} | ${paintLine(one, text, colours)}${part}`;
  }
}

const TITLES: Readonly<Record<Coverage['others'][number]['kind'], string>> = {
  constraint: 'constraints',
  'role allow': 'changes of role',
  role_transition: 'role transitions',
  range_transition: 'range transitions',
  user: 'users',
  'initial SID': 'labels of initial SIDs',
  'device label': 'labels of devices',
};

/** Coverage in lines: `summary` shows what was not exercised, `source` all sources with counts. */
export function* coverageLines(coverage: Coverage, how: 'summary' | 'source', colours: Colours): Generator<string> {
  const { rules, exercised, others, neverAsked, files, withoutSource } = coverage;
  yield colours.strong(`rules: ${exercised} of ${rules} exercised${percent(exercised, rules)}`);
  for (const one of others)
    yield `${TITLES[one.kind]}: ${one.exercised} of ${one.all} exercised${percent(one.exercised, one.all)}`;
  if (neverAsked > 0) yield `type_member and type_change: ${neverAsked}, and no operation of Xen asks for them`;
  for (const { source, lines } of files) {
    const reached = lines.filter(isReached).length;
    yield `  ${String(reached).padStart(4)} of ${String(lines.length).padStart(4)} lines  ${source.name}`;
  }
  for (const name of withoutSource) yield `  ${name} has no source: nothing is known of its rules`;
  yield colours.faint(
    '  counted are rules, constraints, changes of role and range, users, and labels of initial SIDs and devices; not declarations',
  );
  for (const file of files) {
    const lines = [...(how === 'source' ? sourceLines(file, colours) : missedLines(file, colours))];
    if (lines.length === 0) continue;
    yield '';
    if (how === 'summary')
      yield `${colours.strong(file.source.name)}${colours.faint('  not, or not wholly, exercised')}`;
    yield* lines;
  }
  yield '';
  yield* permissionLines(coverage, colours);
}
