/** The table of checks in `docs/xen-releases.md` is the one that the simulated Xen runs. */
import { readFileSync } from 'node:fs';
import { CHECK_DIFFERENCES, type CheckDifference } from '@dewar/hypervisor';
import { POINT_RELEASES, RELEASE_GAPS, releasesText, XEN_RELEASES } from '@dewar/policy/releases';
import { expect, test } from 'vitest';

function line({ hypercall, releases, rows, instead, seen }: CheckDifference): string {
  const checks = rows
    .map((row) => `\`${row.class} { ${row.permissions.join(' ')} }\` on ${row.target}`)
    .join(', then ');
  const what = instead === 'nothing' ? 'not known' : checks === '' ? 'none' : checks;
  const name = instead === 'nothing' || instead === 'the same' ? '' : `, there \`${instead}\``;
  return `| \`${hypercall}\`${name} | ${releasesText(releases)} | ${what} | \`${seen.split(/[;,]/)[0]}\` |`;
}

const page = readFileSync(new URL('../../docs/xen-releases.md', import.meta.url), 'utf8');

test('the page of the releases has every difference', () => {
  const table = ['| request | releases | checks | seen in |', '|---|---|---|---|', ...CHECK_DIFFERENCES.map(line)];
  const [, shown] = /<!-- checks:.*?-->\n([\s\S]*?)<!-- \/checks -->/.exec(page) ?? [];
  expect(shown).toBe(`${table.join('\n')}\n`);
});

test('the page of the releases has every gap', () => {
  const lines = RELEASE_GAPS.map(
    (gap) => `| ${gap.text} | ${releasesText(gap.releases)} | ${gap.mendedIn} | ${gap.id} |`,
  );
  const [, shown] = /<!-- gaps:.*?-->\n([\s\S]*?)<!-- \/gaps -->/.exec(page) ?? [];
  expect(shown).toBe(`${['| what passes | releases | mended in | by |', '|---|---|---|---|', ...lines].join('\n')}\n`);
});

test('the page of the releases says for which point releases each entry stands', () => {
  const rows = [...page.matchAll(/^\| `([\d.]+|master)` \| (.*) \| (.*)\|$/gm)].map(([, name, , points]) => [
    name,
    points?.trim(),
  ]);
  const stands = (first: string, last: string): string => {
    if (first === last) return 'it alone';
    const isNext = Number(last.split('.')[2]) - Number(first.split('.')[2]) === 1;
    return isNext ? `${first}, ${last}` : `${first} to ${last}`;
  };
  expect(rows).toEqual(XEN_RELEASES.map((name) => [name, name === 'master' ? '' : stands(...POINT_RELEASES[name])]));
});
