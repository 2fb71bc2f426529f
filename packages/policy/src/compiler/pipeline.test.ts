import { expect, test } from 'vitest';
import type { XenReleaseName } from '../releases/index.ts';
import { compileDirectory, m4Definitions } from './pipeline.ts';
import type { PolicyFiles } from './policy-sources.ts';

test('a policy can ask by m4 whether it is for a series of Xen or a later one', () => {
  const seriesIn = (release: XenReleaseName): string[] =>
    m4Definitions({ release }).flatMap(({ name }) => (name.startsWith('xen_') ? [name] : []));
  expect(seriesIn('4.3')).toEqual(['xen_4_3']);
  expect(seriesIn('4.17.7')).toEqual(seriesIn('4.17'));
  expect(seriesIn('4.20').slice(-4)).toEqual(['xen_4_17', 'xen_4_18', 'xen_4_19', 'xen_4_20']);
  expect(seriesIn('master')).toEqual([...seriesIn('4.21'), 'xen_4_22']);
});

test('what only later releases have is used there, and left out of the policy for others', () => {
  const module = `type dom0_t;
role system_r; role system_r types dom0_t;
allow dom0_t dom0_t:domain2 { settsc ifdef(\`xen_4_20', \`set_llc_colors') };
`;
  const texts: Readonly<Record<string, string>> = {
    'modules/modules.conf': 'a = on\n',
    'modules/a.te': module,
    'policy/users': 'user system_u roles system_r;\n',
    'policy/initial_sids': '',
  };
  const files: PolicyFiles = { readText: (path) => texts[path], listNames: () => [], describe: (path) => path };
  const rulesFor = (release: XenReleaseName): string => {
    const { text } = compileDirectory(files, { release });
    return /^allow.*$/m.exec(text.text)?.[0] ?? '';
  };
  expect(rulesFor('4.19.6')).toBe('allow dom0_t dom0_t:domain2 { settsc  };');
  expect(rulesFor('4.20')).toBe('allow dom0_t dom0_t:domain2 { settsc set_llc_colors };');
});
