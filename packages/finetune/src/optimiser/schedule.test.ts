import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scheduleFactor } from './schedule.ts';

interface Goldens {
  readonly warmup_steps: number;
  readonly total_steps: number;
  readonly factor_at_step_from_0: Readonly<Record<string, number[]>>;
}

const goldens = JSON.parse(
  readFileSync(new URL('../../fixtures/schedules.json', import.meta.url), 'utf8'),
) as Goldens;

describe('schedules', () => {
  it.each([
    ['linear', 'linear'],
    ['cosine', 'cosine'],
    ['constant', 'constant_with_warmup'],
  ] as const)('%s equals transformers', (kind, golden) => {
    const { warmup_steps: warmupSteps, total_steps: steps } = goldens;
    goldens.factor_at_step_from_0[golden]?.forEach((factor, step) => {
      expect(scheduleFactor({ kind, warmupSteps }, step, steps)).toBeCloseTo(factor, 12);
    });
  });

  it('can begin above zero, and fall late', () => {
    const schedule = { kind: 'linear', warmupSteps: 4, warmupFrom: 'first', decayFrom: 8 } as const;
    const factors = [0, 3, 7, 8, 10, 12].map((step) => scheduleFactor(schedule, step, 12));
    expect(factors).toEqual([0.25, 1, 1, 1, 0.5, 0]);
  });
});
