// One test run over every package, on sources: workspace imports resolve through the '@safeinfer/source' condition.
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { plainCount } from './tools/test-reporter/plain-count.ts';

const conditions = ['@safeinfer/source', 'module', 'node', 'import', 'default'];

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      'apps/*/{src,test}/**/*.test.{ts,tsx}',
      'tools/*/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    // Two cores are the size this project plans for; more workers only contend for memory.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', plainCount],
  },
});

export default config;
