/**
 * The sections of a policy and the order that they must have.
 *
 * SPEC: checkpolicy `policy_parse.y` (`base_policy`).
 *
 * @module
 */
import type { Report } from '../text/index.ts';
import { language } from './diagnostics.ts';
import type { Statement } from './syntax-tree.ts';
import { originOf, type Token, type Tokens, wordOf } from './tokens.ts';

/** Sections in order, each with what it holds as a reader would name it. */
const SECTIONS = [
  'the classes',
  'the initial SIDs',
  'the commons',
  'the access vectors',
  'the defaults of classes',
  'the sensitivities',
  'the dominance of sensitivities',
  'the categories',
  'the levels',
  'the MLS constraints',
  'the type enforcement rules',
  'the users',
  'the constraints',
  'the contexts of the initial SIDs',
  'the contexts of devices',
] as const;

const RULES = 10;

/** Where a policy directory has a section. */
const FILES: Readonly<Record<number, string>> = {
  0: '`policy/security_classes`',
  1: '`initial_sids` of the hypervisor',
  3: '`policy/access_vectors`',
  9: '`policy/mls`',
  10: 'the `.te` file of a module',
  11: '`policy/users`, or written with `gen_user` in the `.te` file of a module',
  12: 'the `.cons` file of a module',
  13: '`policy/initial_sids`',
  14: '`policy/device_contexts`',
};

/** Number of the section in which a statement belongs. */
function sectionOf(statement: Statement): number {
  switch (statement.kind) {
    case 'class':
      return 0;
    case 'sid':
      return 1;
    case 'common':
      return 2;
    case 'access-vector':
      return 3;
    case 'default':
      return 4;
    case 'sensitivity':
      return 5;
    case 'dominance':
      return 6;
    case 'category':
      return 7;
    case 'level':
      return 8;
    case 'constrain':
    case 'validatetrans':
      return statement.isMls ? 9 : 12;
    case 'user':
      return 11;
    case 'sid-context':
      return 13;
    case 'pirqcon':
    case 'pcidevicecon':
    case 'iomemcon':
    case 'ioportcon':
    case 'devicetreecon':
      return 14;
    default:
      return RULES;
  }
}

/**
 * Which statements are out of place: as few as possible, so that a block in the wrong section does not make everything
 * after it look wrong. Marks all outside a longest run of sections that never goes back.
 */
function outOfPlace(sections: readonly number[]): boolean[] {
  const tails: number[] = [];
  const previous = new Int32Array(sections.length).fill(-1);
  sections.forEach((section, i) => {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sections[tails[middle] ?? 0] ?? 0) <= section) low = middle + 1;
      else high = middle;
    }
    previous[i] = low > 0 ? (tails[low - 1] ?? -1) : -1;
    tails[low] = i;
  });
  const wrong = sections.map(() => true);
  for (let at = tails.at(-1) ?? -1; at >= 0; at = previous[at] ?? -1) wrong[at] = false;
  return wrong;
}

/** Reports a statement outside its section. */
function reportOutOfPlace(
  statement: Statement,
  section: number,
  current: number,
  tokens: Tokens,
  report: Report,
  isDirectory: boolean,
): void {
  const origin = originOf(tokens, statement.at);
  if (statement.kind === 'sid' && current >= 12) {
    const args = { expected: `a label after \`${wordOf(tokens, statement.name)}\``, found: 'none' };
    const notes = [{ message: 'a label is written `user:role:type`' }];
    report(language['unexpected-token'](originOf(tokens, statement.name), args, { notes }));
    return;
  }
  if (statement.kind === 'empty') {
    const edits = origin.kind === 'written' ? [{ span: origin.span, newText: '' }] : [];
    const fixes = [{ title: 'leave it out', edits }];
    report(language['unexpected-token'](origin, { expected: 'a statement', found: '`;`' }, { fixes }));
    return;
  }
  const where =
    section < current
      ? `before ${SECTIONS[Math.min(current, section + 1)] ?? ''}`
      : `after ${SECTIONS[section - 1] ?? ''}`;
  const place = `${where}, with ${SECTIONS[section] ?? ''}`;
  const file = FILES[section >= 5 && section <= 9 ? 9 : section];
  const notes = isDirectory && file !== undefined ? [{ message: `in a policy directory that is in ${file}` }] : [];
  report(language['wrong-section'](origin, { statement: wordOf(tokens, statement.at), place }, { notes }));
}

/** Reports sections that a policy must have, each where it had to begin; false where one is missing. */
function checkPresence(
  statements: readonly Statement[],
  wrong: readonly boolean[],
  tokens: Tokens,
  report: Report,
): boolean {
  const sections = statements.map(sectionOf);
  const present = new Set(sections);
  const needed = [0, 1, 3, RULES, 11, 13];
  // A statement in the wrong place does not make a policy one with MLS.
  const isMls = sections.some((section, i) => section >= 5 && section <= 9 && wrong[i] !== true);
  if (isMls) needed.push(5, 6, 8, 9);
  const missing = needed.filter((section) => !present.has(section)).sort((a, b) => a - b);
  for (const section of missing) {
    const next = statements.find((_, i) => wrong[i] !== true && (sections[i] ?? 0) > section);
    const at = next?.at ?? Math.max(0, tokens.count - 2);
    const what = (SECTIONS[section] ?? '').replace(/^the /, '');
    const notes = next === undefined ? [] : [{ message: 'they belong before this' }];
    report(language['missing-section'](originOf(tokens, at), { what }, { notes }));
  }
  return missing.length === 0;
}

/** A statement as tokens: from its first one up to the first of the next statement. */
interface Stretch {
  readonly from: Token;
  readonly to: Token;
}

/** Reports statements outside their section, but those that are left out, and returns them. */
export function checkPlaces(
  statements: readonly Statement[],
  leftOut: ReadonlySet<number>,
  tokens: Tokens,
  report: Report,
  isDirectory: boolean,
): readonly Stretch[] {
  return reportPlaces(statements, outOfPlace(statements.map(sectionOf)), leftOut, tokens, report, isDirectory);
}

function reportPlaces(
  statements: readonly Statement[],
  wrong: readonly boolean[],
  leftOut: ReadonlySet<number>,
  tokens: Tokens,
  report: Report,
  isDirectory: boolean,
): readonly Stretch[] {
  let current = 0;
  let reportedSection = -1;
  const misplaced: Stretch[] = [];
  statements.forEach((statement, i) => {
    const section = sectionOf(statement);
    if (wrong[i] !== true) {
      current = section;
      reportedSection = -1;
      return;
    }
    if (leftOut.has(i)) return;
    misplaced.push({ from: statement.at, to: statements[i + 1]?.at ?? tokens.count });
    // One report for each run of statements of the same section.
    if (reportedSection === section) return;
    reportedSection = section;
    reportOutOfPlace(statement, section, current, tokens, report, isDirectory);
  });
  return misplaced;
}

/** What came of looking at the sections. */
export interface SectionCheck {
  /** Whether nothing is missing, out of place or there twice. */
  readonly isWhole: boolean;
  /** Statements out of their section. */
  readonly misplaced: readonly Stretch[];
}

/** Reports statements outside their section, a second dominance, and sections that a policy must have. */
export function checkSections(
  statements: readonly Statement[],
  tokens: Tokens,
  report: Report,
  isDirectory: boolean,
): SectionCheck {
  const wrong = outOfPlace(statements.map(sectionOf));
  const misplaced = reportPlaces(statements, wrong, new Set(), tokens, report, isDirectory);
  const [dominance, ...repeated] = statements.filter(({ kind }) => kind === 'dominance');
  for (const { at } of repeated) {
    const notes =
      dominance === undefined ? [] : [{ message: 'the first is here', origin: originOf(tokens, dominance.at) }];
    report(language['repeated-dominance'](originOf(tokens, at), {}, { notes }));
  }
  if (statements.length === 0) {
    report(language['missing-section'](originOf(tokens, 0), { what: 'statements' }));
    return { isWhole: false, misplaced: [] };
  }
  const isComplete = checkPresence(statements, wrong, tokens, report);
  return { isWhole: isComplete && repeated.length === 0 && misplaced.length === 0, misplaced };
}
