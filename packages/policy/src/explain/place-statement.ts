/**
 * Where in a policy a new statement belongs.
 *
 * The module is the one that declares the later of the two types; the place is behind the last statement there that names
 * both, or else the one declared there.
 *
 * @module
 */

import { topStatements } from '../language/index.ts';
import { type SourceText, userSpan } from '../text/index.ts';
import type { PolicySource } from './subject.ts';

/** A place for new lines. */
export interface Placement {
  readonly source: SourceText;
  /** Of the file in the policy directory; empty where the policy is one text. */
  readonly path: string;
  /** Offset at which the new lines begin: the start of a line, or the end of the text. */
  readonly offset: number;
  /** Line, from 1, on which the first of the new lines will stand. */
  readonly line: number;
}

const COMPANION = /_(?:self|channel|building|target)$/;

/** A type and the one that it is a companion of. */
function namesOf(type: string): string[] {
  const base = type.replace(COMPANION, '');
  return base === type ? [type] : [type, base];
}

/** The file in which a type is declared, and where. */
function declarationOf({ compiled }: PolicySource, type: string): { source: SourceText; start: number } | undefined {
  const { text, origins } = compiled.text;
  const word = `type ${type}`;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (/[\w.-]/.test(text[at - 1] ?? '') || /[\w.-]/.test(text[at + word.length] ?? '')) continue;
    const span = userSpan(origins.originAt(at, at + 4));
    return { source: span.source, start: span.start };
  }
  return undefined;
}

/** A test of whether a text has one of the names. */
function mentioning(names: readonly string[]): (text: string) => boolean {
  const any = names.map((name) => name.replaceAll('.', '\\.')).join('|');
  const pattern = new RegExp(`(?<![\\w.-])(?:${any})(?![\\w.-])`);
  return (text) => pattern.test(text);
}

/** The start of the line behind a place; the end of the text where there is none. */
function nextLine(text: string, offset: number): number {
  const newline = text.indexOf('\n', offset);
  return newline < 0 ? text.length : newline + 1;
}

function placed(source: SourceText, path: string, offset: number): Placement {
  const isLineStart = offset === 0 || source.text[offset - 1] === '\n';
  const { line } = source.positionAt(offset);
  return { source, path, offset, line: isLineStart ? line : line + 1 };
}

/**
 * The place for statements about two types; undefined where the policy has no text that declares them. `modules` are those
 * of the policy directory.
 */
export function placeFor(
  policy: PolicySource,
  modules: readonly SourceText[],
  source: string,
  target: string,
): Placement | undefined {
  const found = [source, target].map((type) => declarationOf(policy, type));
  if (policy.files === undefined) return placeInText(policy, source, target);
  const order = (one: (typeof found)[number]): number =>
    one === undefined ? -1 : modules.findIndex(({ name }) => name === one.source.name);
  const [ofSource = -1, ofTarget = -1] = found.map(order);
  if (ofSource < 0 && ofTarget < 0) return undefined;
  const isTarget = ofTarget >= ofSource;
  const module = modules[Math.max(ofSource, ofTarget)];
  if (module === undefined) return undefined;
  const path = `modules/${module.name.slice(Math.max(module.name.lastIndexOf('/'), module.name.lastIndexOf('\\')) + 1)}`;
  // The text as compiled: what is written is held against it.
  if (policy.files.readText(path) !== module.text) return undefined;
  return placed(module, path, placeAmong(module, namesOf(source), namesOf(target), isTarget));
}

function placeAmong(module: SourceText, source: string[], target: string[], isTarget: boolean): number {
  const textOf = ({ start, end }: { start: number; end: number }): string => module.text.slice(start, end);
  const [isOfSource, isOfTarget] = [mentioning(source), mentioning(target)];
  const isOwn = isTarget ? isOfTarget : isOfSource;
  // New rules go to the rules, not behind what a module has at its end for other kinds.
  const isRule = (text: string): boolean => !/^(?:role|user|sid|gen_user)\b/.test(text);
  const statements = topStatements(module);
  const last = (isMeant: (text: string) => boolean): (typeof statements)[number] | undefined =>
    statements.findLast((one) => {
      const text = textOf(one);
      return isMeant(text) && isRule(text);
    });
  const anchor = last((text) => isOfSource(text) && isOfTarget(text)) ?? last(isOwn) ?? last(() => true);
  return anchor === undefined ? module.text.length : nextLine(module.text, anchor.end);
}

/** In an expanded text: behind the last rule that names both types, or behind the declaration of the later one. */
function placeInText(policy: PolicySource, source: string, target: string): Placement | undefined {
  const declared = [source, target].map((type) => declarationOf(policy, type));
  const file = declared[0]?.source ?? declared[1]?.source;
  if (file === undefined) return undefined;
  const code = topStatements(file);
  const [isOfSource, isOfTarget] = [mentioning([source]), mentioning([target])];
  const rule = code.findLast(({ start, end }) => {
    const text = file.text.slice(start, end);
    return text.startsWith('allow') && text.includes(':') && isOfSource(text) && isOfTarget(text);
  });
  const last = Math.max(...declared.map((one) => one?.start ?? 0));
  const behind = rule ?? code.find(({ start }) => start === last) ?? code.find(({ end }) => end > last);
  return placed(file, '', behind === undefined ? file.text.length : nextLine(file.text, behind.end));
}
