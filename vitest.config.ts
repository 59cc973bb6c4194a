import { defineConfig } from 'vitest/config';

// Each file in a process of its own: a PKCS#11 module is initialised once a process and for all of it.
export default defineConfig({
  test: {
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/devices/report/reporter.ts'],
    globalSetup: 'test/support/build.ts',
    projects: ['unit', 'contract', 'wire', 'e2e', 'faults', 'kills', 'devices'].map((name) => ({
      extends: true as const,
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        // These want roots of other releases: `scripts/test --devices=all`.
        exclude: process.env['SIGNING_AGENT_DEVICES'] === 'all' ? [] : ['test/devices/newer/**'],
      },
    })),
  },
});
