/**
 * Keeps what `denials.sh` wrote down, one file for each operation: `npx tsx tests/denials/keep-recordings.ts OUTPUT...`.
 * Of an operation that was recorded anew without the same permission, the new recording stays.
 *
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const golden = (operation: string): URL => new URL(`./golden/${operation}.txt`, import.meta.url);

function header(operation: string): string {
  return `# What Xen 4.17.5 and its xl did in \`${operation}\`, each time without one permission. See ../README.md.\n`;
}

/** The blocks of a text by their titles. */
function blocksOf(text: string): Map<string, string> {
  const blocks = text.split(/^## /m).slice(1);
  return new Map(blocks.map((block) => [block.slice(0, block.indexOf('\n')), block]));
}

/** Without how far each save came. */
function compact(block: string): string {
  return block
    .split('\n')
    .filter((line) => !/^! xc: progress|^$/.test(line))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

const recorded = new Map<string, Map<string, string>>();
for (const file of process.argv.slice(2)) {
  for (const [title, block] of blocksOf(readFileSync(file, 'latin1'))) {
    const [operation = ''] = title.split(' ');
    const blocks = recorded.get(operation) ?? new Map<string, string>();
    recorded.set(operation, blocks.set(title, compact(block)));
  }
}
for (const [operation, blocks] of recorded) {
  const file = golden(operation);
  const before = existsSync(file) ? blocksOf(readFileSync(file, 'latin1')) : new Map<string, string>();
  const all = [...new Map([...before, ...blocks])].sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(file, header(operation) + all.map(([, block]) => `## ${block}`).join(''), 'latin1');
}
