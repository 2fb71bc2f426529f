/**
 * The fences between the parts: each rule of `.dependency-cruiser.cjs` is seen to catch what it forbids, and the
 * repository breaks none. A fence that nobody has seen hold may be open.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LAW, root, type Violation, violations } from './depcruise.ts';
import { type PlantedTree, packageFolders, plantTree, policyFolders, THIRD_PARTY } from './planted-tree.ts';

/** One file to plant, and the rules that must catch it: all that do, no other. */
interface Plant {
  readonly file: string;
  readonly text: string;
  readonly caughtBy: readonly string[];
}

const importing = (...specifiers: readonly string[]): string =>
  specifiers.map((specifier) => `import '${specifier}';\n`).join('');

const DOORS = 'packages meet at their doors';
const UNRESOLVED = 'every import leads somewhere';
const TESTKIT = 'only tests use the testkit';
const NODE = 'pure packages use nothing of Node';
const THIRD = 'pure packages use no third-party package';
const CIRCLE = 'no import goes round in a circle';
const NO_PLACE = 'each part has a place in the law';
const TEST = 'nothing imports a test';
const STARTED = 'the helper is a program of its own';
const OF_COMMAND = 'the helper holds nothing of the command';
const LIBRARIES = 'only the helper calls the libraries of Xen';
const SUPPORT = 'only tests import what tests stand on';

const POLICY = 'packages/policy reaches only itself';
const TOOLSTACK = 'packages/toolstack reaches only itself, policy';
const HYPERVISOR = 'packages/hypervisor reaches only itself, policy, toolstack';
const LAB = 'packages/lab reaches only itself, policy, toolstack, hypervisor';
const XEN = 'packages/xen reaches only itself, policy, toolstack';
const CLI = 'packages/cli reaches only itself, policy, toolstack, hypervisor, lab, xen';
const KIT = 'packages/testkit reaches only itself, policy, toolstack, hypervisor';
const inPolicy = (folder: string, ...others: readonly string[]): string =>
  `packages/policy/src/${folder} reaches only ${['itself', ...others].join(', ')}`;

const everyPolicyDoor = [
  '@dewar/policy/text',
  '@dewar/policy/m4',
  '@dewar/policy/language',
  '@dewar/policy/policydb',
  '@dewar/policy/releases',
  '@dewar/policy/compiler',
  '@dewar/policy/decompiler',
  '@dewar/policy/security-server',
  '@dewar/policy/analysis',
  '@dewar/policy/explain',
  '@dewar/policy/linter',
];

const forbidden: readonly Plant[] = [
  // From package to package, against the direction.
  { file: 'packages/policy/src/compiler/up.ts', text: importing('@dewar/toolstack'), caughtBy: [POLICY] },
  { file: 'packages/toolstack/src/up.ts', text: importing('@dewar/hypervisor'), caughtBy: [TOOLSTACK] },
  { file: 'packages/hypervisor/src/up.ts', text: importing('@dewar/lab'), caughtBy: [HYPERVISOR] },
  { file: 'packages/lab/src/up.ts', text: importing('../../cli/src/main.ts'), caughtBy: [LAB, DOORS] },
  { file: 'packages/xen/src/across.ts', text: importing('@dewar/hypervisor'), caughtBy: [XEN] },
  { file: 'packages/testkit/src/up.ts', text: importing('@dewar/lab'), caughtBy: [KIT] },
  // In a form that is easily overlooked.
  {
    file: 'packages/policy/src/text/types.ts',
    text: "import type { door } from '@dewar/toolstack';\nexport type Door = typeof door;\n",
    caughtBy: [POLICY],
  },
  {
    file: 'packages/toolstack/src/lazily.ts',
    text: "export const lazily = (): Promise<unknown> => import('@dewar/hypervisor');\n",
    caughtBy: [TOOLSTACK],
  },
  { file: 'packages/hypervisor/src/passing-on.ts', text: "export * from '@dewar/lab';\n", caughtBy: [HYPERVISOR] },
  // What only tests may use.
  { file: 'packages/cli/src/testkit.ts', text: importing('@dewar/testkit'), caughtBy: [CLI, TESTKIT] },
  { file: 'scripts/testkit.ts', text: importing('@dewar/testkit'), caughtBy: [TESTKIT] },
  { file: 'packages/lab/src/import-test.ts', text: importing('./allowed.test.ts'), caughtBy: [TEST] },
  { file: 'packages/cli/src/import-support.ts', text: importing('./stand-in-host.ts'), caughtBy: [SUPPORT] },
  // Past the doors.
  { file: 'packages/lab/src/deep.ts', text: importing('../../policy/src/text/index.ts'), caughtBy: [DOORS] },
  { file: 'tests/deep.test.ts', text: importing('../packages/policy/src/text/index.ts'), caughtBy: [DOORS] },
  {
    file: 'packages/lab/src/no-door.ts',
    text: importing('@dewar/policy/src/text/index.ts'),
    caughtBy: [UNRESOLVED],
  },
  { file: 'packages/policy/src/text/nowhere.ts', text: importing('./missing.ts'), caughtBy: [UNRESOLVED] },
  // From folder to folder of the policy package.
  { file: 'packages/policy/src/text/up.ts', text: importing('../m4/index.ts'), caughtBy: [inPolicy('text')] },
  { file: 'packages/policy/src/m4/up.ts', text: importing('../language/index.ts'), caughtBy: [inPolicy('m4', 'text')] },
  {
    file: 'packages/policy/src/language/up.ts',
    text: importing('../policydb/index.ts'),
    caughtBy: [inPolicy('language', 'text', 'policydb/format.ts')],
  },
  {
    file: 'packages/policy/src/policydb/up.ts',
    text: importing('../language/index.ts'),
    caughtBy: [inPolicy('policydb', 'text')],
  },
  { file: 'packages/policy/src/releases/up.ts', text: importing('../text/index.ts'), caughtBy: [inPolicy('releases')] },
  {
    file: 'packages/policy/src/formatter/up.ts',
    text: importing('../text/index.ts'),
    caughtBy: [inPolicy('formatter')],
  },
  {
    file: 'packages/policy/src/compiler/across.ts',
    text: importing('../security-server/index.ts'),
    caughtBy: [inPolicy('compiler', 'text', 'm4', 'language', 'policydb', 'releases')],
  },
  {
    file: 'packages/policy/src/decompiler/across.ts',
    text: importing('../language/index.ts'),
    caughtBy: [inPolicy('decompiler', 'text', 'language/keywords.ts', 'policydb', 'releases')],
  },
  {
    file: 'packages/policy/src/security-server/across.ts',
    text: importing('../language/index.ts'),
    caughtBy: [inPolicy('security-server', 'text', 'policydb', 'releases')],
  },
  {
    file: 'packages/policy/src/analysis/across.ts',
    text: importing('../compiler/index.ts'),
    caughtBy: [inPolicy('analysis', 'text', 'policydb', 'releases', 'security-server', 'decompiler')],
  },
  {
    file: 'packages/policy/src/explain/across.ts',
    text: importing('../m4/index.ts'),
    caughtBy: [
      inPolicy(
        'explain',
        'text',
        'language',
        'policydb',
        'releases',
        'compiler',
        'decompiler',
        'security-server',
        'analysis',
      ),
    ],
  },
  {
    file: 'packages/policy/src/linter/across.ts',
    text: importing('../m4/index.ts'),
    caughtBy: [
      inPolicy('linter', 'text', 'language', 'policydb', 'releases', 'compiler', 'security-server', 'analysis'),
    ],
  },
  { file: 'packages/policy/src/newcomer/file.ts', text: importing('../text/index.ts'), caughtBy: [NO_PLACE] },
  { file: 'packages/newcomer/src/file.ts', text: importing('@dewar/policy/text'), caughtBy: [NO_PLACE] },
  // Purity.
  { file: 'packages/policy/src/m4/node.ts', text: importing('node:fs'), caughtBy: [NODE] },
  { file: 'packages/toolstack/src/node.ts', text: importing('path'), caughtBy: [NODE] },
  { file: 'packages/hypervisor/src/node.ts', text: importing('node:crypto'), caughtBy: [NODE] },
  { file: 'packages/policy/src/text/third.ts', text: importing(THIRD_PARTY), caughtBy: [THIRD] },
  { file: 'packages/toolstack/src/third.ts', text: importing(THIRD_PARTY), caughtBy: [THIRD] },
  { file: 'packages/hypervisor/src/third.ts', text: importing(THIRD_PARTY), caughtBy: [THIRD] },
  // What runs in the helper process.
  { file: 'packages/xen/src/use-helper.ts', text: importing('./helper/allowed.ts'), caughtBy: [STARTED] },
  { file: 'packages/xen/src/helper/use-command.ts', text: importing('../helper-process.ts'), caughtBy: [OF_COMMAND] },
  { file: 'packages/xen/src/call.ts', text: importing('koffi'), caughtBy: [LIBRARIES] },
  // A circle, which dependency-cruiser reports once, from its first file.
  {
    file: 'packages/lab/src/circle-a.ts',
    text: "import { b } from './circle-b.ts';\nexport const a = (): unknown => b;\n",
    caughtBy: [CIRCLE],
  },
];

const allowed: readonly Omit<Plant, 'caughtBy'>[] = [
  { file: 'packages/policy/src/m4/down.ts', text: importing('../text/index.ts') },
  { file: 'packages/policy/src/language/down.ts', text: importing('../text/index.ts', '../policydb/format.ts') },
  { file: 'packages/policy/src/policydb/down.ts', text: importing('../text/index.ts') },
  {
    file: 'packages/policy/src/compiler/down.ts',
    text: importing(...['text', 'm4', 'language', 'policydb', 'releases'].map((folder) => `../${folder}/index.ts`)),
  },
  {
    file: 'packages/policy/src/decompiler/down.ts',
    text: importing(
      ...['text', 'policydb', 'releases'].map((folder) => `../${folder}/index.ts`),
      '../language/keywords.ts',
    ),
  },
  {
    file: 'packages/policy/src/security-server/down.ts',
    text: importing(...['text', 'policydb', 'releases'].map((folder) => `../${folder}/index.ts`)),
  },
  { file: 'packages/toolstack/src/down.ts', text: importing(...everyPolicyDoor) },
  { file: 'packages/hypervisor/src/down.ts', text: importing(...everyPolicyDoor, '@dewar/toolstack') },
  { file: 'packages/lab/src/down.ts', text: importing('@dewar/policy/text', '@dewar/hypervisor', 'node:fs') },
  { file: 'packages/xen/src/down.ts', text: importing('@dewar/policy/text', '@dewar/toolstack', 'node:fs') },
  {
    file: 'packages/xen/src/helper/allowed.ts',
    text: importing('../protocol.ts', '../migration/sender.ts', '@dewar/toolstack', 'koffi'),
  },
  {
    file: 'packages/cli/src/down.ts',
    text: importing('@dewar/lab', '@dewar/xen', '@dewar/toolstack/xl-cfg', THIRD_PARTY),
  },
  { file: 'packages/cli/src/stand-in-host.ts', text: importing('@dewar/testkit') },
  { file: 'packages/cli/src/allowed.test.ts', text: importing('./stand-in-host.ts') },
  { file: 'packages/lab/src/allowed.test.ts', text: importing('@dewar/testkit') },
  { file: 'packages/policy/src/text/allowed.test.ts', text: importing('@dewar/testkit', 'node:fs', THIRD_PARTY) },
  { file: 'tests/allowed.test.ts', text: importing('@dewar/testkit', '@dewar/lab') },
  {
    file: 'packages/lab/src/types-a.ts',
    text: "import type { B } from './types-b.ts';\nexport type A = { readonly b: B | undefined };\n",
  },
  {
    file: 'packages/lab/src/types-b.ts',
    text: "import type { A } from './types-a.ts';\nexport type B = { readonly a: A | undefined };\n",
  },
];

// What the plants stand on.
const ground: readonly (readonly [string, string])[] = [
  ['packages/policy/src/policydb/format.ts', 'export const format = 1;\n'],
  ['packages/policy/src/language/keywords.ts', 'export const keywords = 1;\n'],
  ['packages/cli/src/main.ts', 'export const main = 1;\n'],
  ['packages/xen/src/protocol.ts', 'export const protocol = 1;\n'],
  ['packages/xen/src/helper-process.ts', 'export const helper = 1;\n'],
  ['packages/xen/src/migration/sender.ts', 'export const sender = 1;\n'],
  ['packages/lab/src/circle-b.ts', "import { a } from './circle-a.ts';\nexport const b = (): unknown => a;\n"],
];

// The law as dependency-cruiser reads it.
const law = createRequire(import.meta.url)(join(root, LAW)) as {
  readonly forbidden: readonly { readonly name: string }[];
};

describe('in a tree with planted imports', () => {
  let tree: PlantedTree;
  let found: readonly Violation[];

  const rulesAgainst = (file: string): readonly string[] =>
    found.filter(({ from }) => from === file).map(({ rule }) => rule);

  beforeAll(() => {
    const files = [...forbidden, ...allowed].map(({ file, text }) => [file, text] as const);
    tree = plantTree(new Map([...ground, ...files]));
    found = violations(tree.folder);
  });

  afterAll(() => tree.dispose());

  test.each(forbidden)('$file is caught', ({ file, caughtBy }) => {
    expect(rulesAgainst(file).toSorted()).toEqual(caughtBy.toSorted());
  });

  test.each(allowed)('$file passes', ({ file }) => {
    expect(rulesAgainst(file)).toEqual([]);
  });

  test('nothing but the planted files is caught', () => {
    const planted = new Set(forbidden.map(({ file }) => file));
    expect(found.filter(({ from }) => !planted.has(from))).toEqual([]);
  });

  test('each rule of the law has caught something', () => {
    expect([...new Set(found.map(({ rule }) => rule))].toSorted()).toEqual(
      law.forbidden.map(({ name }) => name).toSorted(),
    );
  });
});

describe('in the repository', () => {
  test('each package, and each folder of the policy package, has a rule of its own', () => {
    const parts = [
      ...packageFolders.map((name) => `packages/${name}`),
      ...policyFolders.map((name) => `packages/policy/src/${name}`),
    ];
    const ruled = law.forbidden.map(({ name }) => name.split(' reaches only ')[0]);
    expect(parts.filter((part) => !ruled.includes(part))).toEqual([]);
  });

  test('no import breaks the law', () => {
    expect(violations(root)).toEqual([]);
  });
});
