/** The table of checks in `docs/xen-releases.md` is the one that the simulated Xen runs. */
import { readFileSync } from 'node:fs';
import { CHECK_DIFFERENCES, type CheckDifference } from '@dewar/hypervisor';
import { expect, test } from 'vitest';

function line({ hypercall, from, to, rows, instead, seen }: CheckDifference): string {
  const releases = from === to ? from : `${from} to ${to}`;
  const checks = rows
    .map((row) => `\`${row.class} { ${row.permissions.join(' ')} }\` on ${row.target}`)
    .join(', then ');
  const what = instead === 'nothing' ? 'not known' : checks === '' ? 'none' : checks;
  const name = instead === 'nothing' || instead === 'the same' ? '' : `, there \`${instead}\``;
  return `| \`${hypercall}\`${name} | ${releases} | ${what} | \`${seen.split(/[;,]/)[0]}\` |`;
}

test('the page of the releases has every difference', () => {
  const page = readFileSync(new URL('../../docs/xen-releases.md', import.meta.url), 'utf8');
  const table = ['| request | releases | checks | seen in |', '|---|---|---|---|', ...CHECK_DIFFERENCES.map(line)];
  const [, shown] = /<!-- checks:.*?-->\n([\s\S]*?)<!-- \/checks -->/.exec(page) ?? [];
  expect(shown).toBe(`${table.join('\n')}\n`);
});
