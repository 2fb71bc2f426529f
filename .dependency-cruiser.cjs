/**
 * The law of imports: what each part may import, besides itself. ARCHITECTURE.md draws the same picture; change both
 * together. `tests/fences/fences.test.ts` plants an import against each rule and sees it caught.
 */

/** Packages, and the packages each may import. `testkit` is for tests alone. */
const packages = {
  policy: [],
  toolstack: ['policy'],
  hypervisor: ['policy', 'toolstack'],
  lab: ['policy', 'toolstack', 'hypervisor'],
  xen: ['policy', 'toolstack'],
  cli: ['policy', 'toolstack', 'hypervisor', 'lab', 'xen'],
  testkit: ['policy', 'toolstack', 'hypervisor'],
};

/** Folders of packages/policy/src, and the folders (or single files) each may import. */
const policyFolders = {
  text: [],
  m4: ['text'],
  // A policy names its classes, permissions and limits as the format does.
  language: ['text', 'policydb/format.ts'],
  policydb: ['text'],
  releases: [],
  formatter: [],
  compiler: ['text', 'm4', 'language', 'policydb', 'releases'],
  // What it writes must be read again, so it asks which words are taken.
  decompiler: ['text', 'language/keywords.ts', 'policydb', 'releases'],
  'security-server': ['text', 'policydb', 'releases'],
  // What may be reached is asked of decisions, not of rules alone; what has changed is said in the words of policy text.
  analysis: ['text', 'policydb', 'releases', 'security-server', 'decompiler'],
  // It asks decisions, and points at what a person wrote.
  linter: ['text', 'language', 'policydb', 'releases', 'compiler', 'security-server', 'analysis'],
  // It reads calls of macros as the compiler would, and compiles what it proposes.
  explain: ['text', 'language', 'policydb', 'releases', 'compiler', 'decompiler', 'security-server', 'analysis'],
};

/**
 * The program that a command starts to call the libraries of Xen, and the files that it shares with the command: what the
 * two say to each other, and what the other side of a migration is told.
 */
const helper = '^packages/xen/src/helper/';
const sharedWithHelper = String.raw`^packages/xen/src/(?:(?:protocol|call-fault|save-format)\.ts$|migration/(?:channel|receiver|sender)\.ts$)`;

/** Packages that must run in a browser as they run in Node. */
const pure = '^packages/(?:policy|toolstack|hypervisor)/';

const testFiles = String.raw`(?:^tests/|\.test\.ts$)`;
/** What several tests stand on. */
const testSupport = String.raw`^packages/cli/src/stand-in-host\.ts$`;
const tests = `(?:${testFiles}|${testSupport})`;

const literally = (text) => text.replaceAll(/[.\\/-]/g, String.raw`\$&`);
const path = (root, part) => `^${literally(root + part)}${part.endsWith('.ts') ? '$' : '/'}`;

/** One rule for each part: of all the parts under `root`, it reaches only itself and the ones named. */
const reachesOnly = (root, parts) =>
  Object.entries(parts).map(([part, others]) => ({
    name: `${root}${part} reaches only ${['itself', ...others].join(', ')}`,
    severity: 'error',
    from: { path: path(root, part), pathNot: tests },
    to: { path: `^${literally(root)}`, pathNot: [part, ...others].map((other) => path(root, other)) },
  }));

module.exports = {
  forbidden: [
    ...reachesOnly('packages/', packages),
    ...reachesOnly('packages/policy/src/', policyFolders),
    {
      name: 'each part has a place in the law',
      severity: 'error',
      from: {
        path: '^packages/(?:policy/src/)?[^/]+/',
        pathNot: [
          ...Object.keys(policyFolders).map((folder) => path('packages/policy/src/', folder)),
          ...Object.keys(packages)
            .filter((name) => name !== 'policy')
            .map((name) => path('packages/', name)),
        ],
      },
      to: {},
    },
    {
      name: 'packages meet at their doors',
      comment: 'A path into another package passes by its `exports`; `@dewar/…` cannot.',
      severity: 'error',
      from: { path: '^(?:packages/([^/]+)|tests|scripts|bench)/' },
      to: { path: '^packages/', pathNot: '^packages/$1/', dependencyTypesNot: ['aliased-workspace'] },
    },
    {
      name: 'only tests use the testkit',
      severity: 'error',
      from: { pathNot: [tests, path('packages/', 'testkit')] },
      to: { path: path('packages/', 'testkit') },
    },
    {
      name: 'nothing imports a test',
      severity: 'error',
      from: { path: '^(?:packages|scripts|bench)/' },
      to: { path: testFiles },
    },
    {
      name: 'only tests import what tests stand on',
      severity: 'error',
      from: { pathNot: tests },
      to: { path: testSupport },
    },
    {
      name: 'the helper is a program of its own',
      comment:
        'It is started, not imported: libxl reaps child processes and catches signals in the process that it is in.',
      severity: 'error',
      from: { path: '^(?:packages|tests|scripts|bench)/', pathNot: [helper, testFiles] },
      to: { path: helper },
    },
    {
      name: 'the helper holds nothing of the command',
      severity: 'error',
      from: { path: helper, pathNot: tests },
      to: { path: '^packages/xen/', pathNot: [helper, sharedWithHelper] },
    },
    {
      name: 'only the helper calls the libraries of Xen',
      severity: 'error',
      from: { pathNot: [helper, testFiles] },
      to: { path: '(?:^|/)node_modules/koffi/' },
    },
    {
      name: 'pure packages use nothing of Node',
      severity: 'error',
      from: { path: pure, pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure packages use no third-party package',
      severity: 'error',
      from: { path: pure, pathNot: tests },
      to: { path: '(?:^|/)node_modules/' },
    },
    {
      name: 'no import goes round in a circle',
      comment: 'Between types it may: no module waits there for another to run.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'every import leads somewhere',
      comment: 'An import that cannot be resolved is not held against any other rule: it would pass in silence.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    // Reads the root's `workspaces` too, without which an import by a door and one past it look alike.
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(?:^|/)(?:dist|coverage|[.]cache)/' },
    enhancedResolveOptions: {
      // Follow `@dewar/…` through the doors in package.json, and only through them.
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
    },
  },
};
