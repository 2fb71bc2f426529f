/**
 * GNU m4 as the reference: its text and whether it fails, beside ours.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runM4 } from '@dewar/policy/m4';
import { SourceText } from '@dewar/policy/text';
import { type ReferenceTool, referenceTool } from '@dewar/testkit';

export const gnuM4: ReferenceTool | undefined = referenceTool('m4');

/** How both programs took the same input. */
export interface Comparison {
  readonly kind: 'equal' | 'different' | 'endless';
  readonly ours: string;
  readonly theirs: string;
}

const ENDLESS: readonly string[] = ['m4/limit-reached', 'm4/endless-macro'];

/** Texts that need more than this do not come to an end, or would take GNU m4 all memory. */
const LIMITS = { calls: 20_000, scanned: 3_000_000, output: 1_000_000, argument: 300_000 };

/** Runs both on the same files. */
export function compareWithGnu(tool: ReferenceTool, texts: readonly string[], syncLines: boolean): Comparison {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-m4-'));
  try {
    const names = texts.map((_, index) => `part${index}.m4`);
    const sources = texts.map((text, index) => new SourceText(names[index] ?? '', text));
    const result = runM4(sources, { syncLines, limits: LIMITS });
    const ours = `${result.exitStatus === 0 ? 'ends well' : 'fails'}\n${result.output.text}`;
    // Asked for more than the text, it expands again and remembers: an error where that gives another text.
    result.output.origins.originAt(0, 1);
    if (result.diagnostics.some(({ code }) => ENDLESS.includes(code))) return { kind: 'endless', ours, theirs: '' };
    for (const [index, text] of texts.entries()) writeFileSync(join(folder, names[index] ?? ''), text, 'latin1');
    const { status, stdout } = tool.run([...(syncLines ? ['-s'] : []), ...names], {
      cwd: folder,
      // Policies are bytes: what a letter is does not depend on where they are read.
      env: { ...process.env, LC_ALL: 'C' },
    });
    const theirs = `${status === 0 ? 'ends well' : 'fails'}\n${Buffer.from(stdout).toString('latin1')}`;
    return { kind: ours === theirs ? 'equal' : 'different', ours, theirs };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
