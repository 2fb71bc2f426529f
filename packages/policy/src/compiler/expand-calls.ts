/**
 * What calls of a policy's macros expand to, without compiling them.
 *
 * @module
 */
import { runM4 } from '../m4/index.ts';
import { BASELINE_RELEASE, xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { type CompileOptions, m4Definitions } from './pipeline.ts';
import { collectPolicySources, type PolicyFiles } from './policy-sources.ts';

/** The files of a policy directory in which macros are defined and called. */
export interface MacroSources {
  /** Support files and interfaces, in the order in which they are read. */
  readonly definitions: readonly SourceText[];
  /** Modules, in the order in which they are read. */
  readonly modules: readonly SourceText[];
}

/** The macros' files of a policy directory; a file that is missing is left out. */
export function macroSources(files: PolicyFiles, options: CompileOptions = {}): MacroSources {
  const release = xenRelease(options.release ?? BASELINE_RELEASE);
  const { sources } = collectPolicySources(files, release, () => {});
  const ending = (name: string): string => name.slice(name.lastIndexOf('.') + 1);
  return {
    definitions: sources.filter(({ name }) => ['spt', 'if'].includes(ending(name))),
    modules: sources.filter(({ name }) => ending(name) === 'te'),
  };
}

/** Marks where the text of a call begins: a comment, which m4 passes on as it is. */
const mark = (number: number): string => `# call ${number} of those asked for`;

/**
 * The text of each call, made behind `before`. Where a call upsets m4, or undoes the marks, its text and those behind it
 * are empty.
 */
export function expandCalls(
  before: readonly SourceText[],
  calls: readonly string[],
  options: CompileOptions = {},
): string[] {
  const quiet = new SourceText('before the calls', 'divert(-1)\n');
  const text = calls.map((call, i) => `${mark(i)}\n${call}\n`).join('');
  const asked = new SourceText('calls', `divert(0)dnl\n${text}${mark(calls.length)}\n`);
  const { output } = runM4([quiet, ...before, asked], { definitions: m4Definitions(options) });
  const expanded: string[] = [];
  let from = 0;
  for (let i = 0; i < calls.length; i++) {
    const start = output.text.indexOf(mark(i), from);
    const end = start < 0 ? -1 : output.text.indexOf(mark(i + 1), start);
    if (end < 0) {
      expanded.push('');
      continue;
    }
    expanded.push(output.text.slice(start + mark(i).length, end));
    from = end;
  }
  return expanded;
}
