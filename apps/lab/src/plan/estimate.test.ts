import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { parseExperiment } from '../config/load-experiment.ts';
import { openStore } from '../store/open-store.ts';
import { estimatePlan } from './estimate.ts';
import { planExperiment } from './plan-experiment.ts';

const plan = (arms: number, repeats: number) =>
  planExperiment({
    experiment: parseExperiment(
      `schemaVersion: 1
name: large
sampling: { temperature: 1, n: ${repeats} }
arms: [${Array.from({ length: arms }, (_, i) => `{ name: a${i}, sampling: { temperature: ${1 + i} } }`).join(', ')}]
benchmarks: [{ use: pocket-harmful }]
judge: pocket
`,
      'x.yaml',
    ),
    experimentFile: 'x.yaml',
    modelSha256: 'm',
    backend: 'cpu',
    sources: {
      open: async () => {
        throw new Error('planning opens no model');
      },
      identity: async () => ({}),
      [Symbol.dispose]: () => undefined,
    },
  });

describe('estimatePlan', () => {
  it('counts what is stored, and what the rest costs', async () => {
    using store = openStore(':memory:');
    const small = await plan(1, 2);
    const [first] = small.unitsOf(small.cells[0]!);
    store.set(new Map([[first!.keys[0]![0]!, { text: 'x', finishReason: 'stop' }]]));
    store.remember('rate', { rowsPerSecond: 100 });
    const estimate = estimatePlan({ plan: small, store, rate: 'rate' });
    const { length } = small.benchmarks[0]!.dataset.items;
    expect(estimate).toMatchObject({ trials: 2 * length, stored: 1 });
    expect(estimate.forwardRows).toBe((2 * length - 1) * 32);
    expect(estimate.seconds).toBe(estimate.forwardRows / 100);
    expect(estimate.cells.map(({ stored }) => stored)).toEqual([1, 0]);
  });

  it('plans 100,000 answers in seconds', async () => {
    using store = openStore(':memory:');
    // Not empty: an empty store would make the look-up free.
    store.set(new Map([['other', 1]]));
    const from = performance.now();
    const large = await plan(10, 100);
    expect(large.trials).toBeGreaterThanOrEqual(100_000);
    expect(estimatePlan({ plan: large, store, rate: '' }).stored).toBe(0);
    // 5 s is the bar on a quiet machine; tests run beside others.
    expect(performance.now() - from).toBeLessThan(20_000);
  });
});
