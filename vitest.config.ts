import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', './tests/setup/summary-reporter.ts'],
    projects: [
      { extends: true, test: { name: 'unit', include: ['tests/unit/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['tests/integration/**/*.test.ts'],
          globalSetup: ['tests/setup/servers.ts'],
          // Bounds only end what would never pass: two busy cores may be several times slower than two idle ones.
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
