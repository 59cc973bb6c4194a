import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { SlowestFirst } from './test/support/slowest-first.ts';

/**
 * The folders of test/, each a project. A file has a process of its own, since a PKCS#11 module is initialised once a
 * process and for all of it; pure rules share theirs, which saves half of their time.
 */
const projects: Readonly<Record<string, TestProjectInlineConfiguration['test']>> = {
  // The newer releases want roots of their own: `scripts/test --devices=all`.
  devices: {
    exclude: process.env['SIGNING_AGENT_DEVICES'] === 'all' ? [] : ['test/devices/newer/**'],
  },
  kills: { globalSetup: 'test/faults/build.ts' },
  faults: { globalSetup: 'test/faults/build.ts' },
  processes: {},
  e2e: {},
  contract: {},
  wire: {},
  unit: { isolate: false },
};

/** Most of a test's time is spent waiting for other processes. */
const workersPerProcessor = 2;
const mostWorkers = 16;

/** Ends a test that hangs. No test is about how soon something happens. */
const givenUpAfter = 600_000;

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: Math.min(workersPerProcessor * availableParallelism(), mostWorkers),
    testTimeout: givenUpAfter,
    hookTimeout: givenUpAfter,
    sequence: { sequencer: SlowestFirst },
    reporters: ['default', './test/devices/report/reporter.ts'],
    globalSetup: 'test/support/build.ts',
    projects: Object.entries(projects).map(([name, options]) => ({
      extends: true as const,
      test: { name, include: [`test/${name}/**/*.test.ts`], ...options },
    })),
  },
});
