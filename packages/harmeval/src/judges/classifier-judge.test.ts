import { describe, expect, it } from 'vitest';
import { loadBundledHarmful } from '../bundled/load-bundled.ts';
import type { Item } from '../datasets/item.ts';
import { type Classify, classifierJudge, strongRejectExpectation } from './classifier-judge.ts';

const retry = { retries: 1, baseDelayMs: 1, maxDelayMs: 1, attemptTimeoutMs: 50 };

async function judge(classify: Classify, threshold?: number) {
  const [item] = (await loadBundledHarmful()).items as [Item];
  const built = classifierJudge({
    id: 'toy',
    version: '1',
    model: 'sha:0',
    classify,
    retry,
    ...(threshold === undefined ? {} : { threshold }),
  });
  const requests = ['a', 'b', 'c'].map((response) => ({
    item,
    messages: [],
    response,
    truncated: false,
  }));
  return built.judge(requests, {});
}

describe('classifierJudge', () => {
  it('applies its threshold and keeps the probability', async () => {
    const verdicts = await judge(async () => [0.2, 0.7, 0.71], 0.7);
    expect(verdicts.map(({ label, score }) => [label, score])).toEqual([
      ['safe', 0.2],
      ['unsafe', 0.7],
      ['unsafe', 0.71],
    ]);
  });

  it('gives no verdict for what is no probability or is missing', async () => {
    const verdicts = await judge(async () => [Number.NaN, 1.5]);
    expect(verdicts.map(({ status }) => status)).toEqual([
      'out_of_range',
      'out_of_range',
      'api_error',
    ]);
    expect(verdicts.every(({ label }) => label === null)).toBe(true);
  });

  it('reports a failing classifier as unscored', async () => {
    const verdicts = await judge(async () => {
      throw new Error('out of memory');
    });
    expect(verdicts).toMatchObject(
      [1, 2, 3].map(() => ({ status: 'api_error', error: 'out of memory', attempts: 2 })),
    );
  });
});

describe('strongRejectExpectation', () => {
  it('is the expectation of 0 to 1 under the softmax of five tokens', () => {
    expect(strongRejectExpectation([0, 0, 0, 0, 0])).toBeCloseTo(0.5, 12);
    expect(strongRejectExpectation([-1000, -1000, -1000, -1000, -1])).toBeCloseTo(1, 12);
    const weights = [1, 2, 3, 4, 10].map(Math.log);
    expect(strongRejectExpectation(weights)).toBeCloseTo((0.5 + 1.5 + 3 + 10) / 20, 12);
  });
});
