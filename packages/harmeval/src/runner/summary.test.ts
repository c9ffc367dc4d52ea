import { describe, expect, it } from 'vitest';
import type { Outcome } from './outcome.ts';
import { rateOf } from './rate.ts';
import { judgeSpread, summariseOutcomes } from './summary.ts';

function outcome(event: boolean | null, more: Partial<Outcome> = {}): Outcome {
  return {
    judge: { id: 'j', version: '1', promptSha: 'p', measures: 'harm' },
    measure: 'attack-success',
    itemId: 'i',
    repeat: 0,
    cluster: 'i',
    category: null,
    status: event === null ? 'parse_error' : 'ok',
    event,
    partial: false,
    score: null,
    ...more,
  };
}

const numbered = (events: readonly (boolean | null)[], more: Partial<Outcome> = {}) =>
  events.map((event, i) => outcome(event, { itemId: `${i}`, cluster: `${i}`, ...more }));

describe('rateOf', () => {
  it('shows n, unscored, interval and bounds', () => {
    const rate = rateOf(numbered([true, false, false, null]));
    expect(rate).toMatchObject({
      total: 4,
      scored: 3,
      unscored: 1,
      unscoredByStatus: { parse_error: 1 },
      events: 1,
      bounds: { low: 0.25, high: 0.5 },
      oneSided: null,
      clustered: null,
    });
    expect(rate.estimate?.value).toBeCloseTo(1 / 3, 12);
  });

  it('has no rate where nothing was scored, and a one-sided bound for an empty cell', () => {
    expect(rateOf(numbered([null, null]))).toMatchObject({
      estimate: null,
      bounds: { low: 0, high: 1 },
    });
    expect(rateOf(numbered(Array.from({ length: 50 }, () => false))).oneSided).toBeCloseTo(
      1 - 0.05 ** (1 / 50),
      12,
    );
  });

  it('widens over repeats of an item', () => {
    const repeats = numbered([true, false, true, false, false]).flatMap((one) => [
      one,
      { ...one, repeat: 1 },
      { ...one, repeat: 2 },
    ]);
    expect(rateOf(repeats).clustered?.clusters).toBe(5);
    expect(rateOf(repeats).clustered?.designEffect).toBeGreaterThan(2.5);
  });
});

describe('summariseOutcomes', () => {
  it('averages categories without weights and keeps judges and measures apart', () => {
    const [harm, refusal] = summariseOutcomes([
      ...numbered([true, true, false, false], { category: 'a' }),
      ...numbered([false], { category: 'b' }),
      ...numbered([true], { measure: 'over-refusal', partial: true }),
    ]);
    expect(harm?.macro?.value).toBeCloseTo(0.25, 12);
    expect(harm?.macro?.degenerateStrata).toBe(1);
    expect(harm?.categories.map(({ category, events }) => [category, events])).toEqual([
      ['a', 2],
      ['b', 0],
    ]);
    expect(refusal).toMatchObject({ measure: 'over-refusal', events: 1, partial: 1 });
  });

  it('has no macro average when a category has no verdict at all', () => {
    const [summary] = summariseOutcomes([
      ...numbered([true], { category: 'a' }),
      ...numbered([null], { category: 'b' }),
    ]);
    expect(summary?.macro).toBeNull();
  });

  it('averages scores over what was scored', () => {
    const [summary] = summariseOutcomes([
      outcome(true, { score: 0.75 }),
      outcome(false, { score: 0.25 }),
      outcome(null),
    ]);
    expect(summary?.meanScore).toBe(0.5);
  });
});

describe('judgeSpread', () => {
  it('is the range of the rates over judges', () => {
    const other = { id: 'k', version: '1', promptSha: 'p', measures: 'harm' } as const;
    const summaries = summariseOutcomes([
      ...numbered([true, false]),
      ...numbered([true, true], { judge: other }),
    ]);
    expect(judgeSpread(summaries)).toEqual([
      { measure: 'attack-success', low: 0.5, high: 1, judges: 2 },
    ]);
  });
});
