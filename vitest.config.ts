import { defineConfig, type ViteUserConfig } from 'vitest/config';
import type { Reporter, TestModule } from 'vitest/node';

/** Where every tool must be at hand there is no reason to skip a test: one that was skipped is a failure. */
const nothingSkipped: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const skipped = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => `${module.relativeModuleId}: ${test.fullName}`),
    );
    if (skipped.length === 0) return;
    console.error(`${skipped.length} tests were skipped:\n${skipped.map((name) => `  ${name}\n`).join('')}`);
    process.exitCode = 1;
  },
};

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'tests/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: process.env['DEWAR_REQUIRE_TOOLS'] === '1' ? [nothingSkipped, 'default'] : ['default'],
  },
});

export default config;
