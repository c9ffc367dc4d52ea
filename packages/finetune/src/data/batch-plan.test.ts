import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchPlan, stepsPerEpoch } from './batch-plan.ts';

const lengthsOf = fc.array(fc.integer({ min: 2, max: 60 }), { minLength: 1, maxLength: 200 });

describe('batch plans', () => {
  it('show every example once an epoch, within the limits, in any order', () => {
    fc.assert(
      fc.property(
        lengthsOf,
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom('bucketed', 'shuffled', 'given' as const),
        fc.integer(),
        (lengths, examples, order, seed) => {
          const microTokens = 64;
          const batch = { examples, order, microTokens } as const;
          const plan = batchPlan({ lengths, batch, seed });
          const steps = stepsPerEpoch(lengths.length, batch);
          for (const epoch of [0, 1]) {
            const seen: number[] = [];
            for (let i = 0; i < steps; i++) {
              const micro = plan.step(epoch * steps + i);
              expect(micro.flat().length).toBeLessThanOrEqual(examples);
              for (const rows of micro) {
                const longest = Math.max(...rows.map((row) => lengths[row] as number));
                expect(rows.length === 1 || rows.length * longest <= microTokens).toBe(true);
              }
              seen.push(...micro.flat());
            }
            expect(seen.sort((a, b) => a - b)).toEqual([...lengths.keys()]);
          }
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  it('are functions of the step: asked in any order, they answer alike', () => {
    const lengths = Array.from({ length: 50 }, (_, i) => 2 + ((i * 7) % 40));
    const make = () => batchPlan({ lengths, batch: { examples: 4 }, seed: 5 });
    const steps = [30, 2, 17, 2, 0, 30];
    const forwards = Array.from({ length: 31 }, (_, i) => make().step(i));
    const plan = make();
    for (const step of steps) expect(plan.step(step)).toEqual(forwards[step]);
    const other = batchPlan({ lengths, batch: { examples: 4 }, seed: 6 });
    expect(other.step(0)).not.toEqual(forwards[0]);
    expect(forwards[0]).not.toEqual(forwards[13]); // the next epoch is another order
  });

  it('bucketed steps hold similar lengths, shuffled ones do not', () => {
    const lengths = Array.from({ length: 256 }, (_, i) => 2 + ((i * 37) % 97));
    const spread = (order: 'bucketed' | 'shuffled'): number => {
      const plan = batchPlan({ lengths, batch: { examples: 8, order }, seed: 1 });
      return Array.from({ length: 32 }, (_, step) => {
        const own = plan
          .step(step)
          .flat()
          .map((row) => lengths[row] as number);
        return Math.max(...own) - Math.min(...own);
      }).reduce((sum, own) => sum + own / 32, 0);
    };
    expect(spread('bucketed')).toBeLessThan(20);
    expect(spread('shuffled')).toBeGreaterThan(50);
  });
});
