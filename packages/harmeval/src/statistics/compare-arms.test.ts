import { describe, expect, it } from 'vitest';
import { type ArmOutcome, adjustFamily, compareArms, withinJudgeError } from './compare-arms.ts';
import { exactMcNemar } from './mcnemar.ts';

function arm(events: readonly (boolean | null)[], cluster?: (i: number) => string): ArmOutcome[] {
  return events.map((event, i) => ({
    itemId: `item ${i}`,
    repeat: 0,
    cluster: cluster?.(i) ?? `item ${i}`,
    event,
  }));
}

const repeat = (event: boolean, times: number) => Array.from({ length: times }, () => event);

describe('compareArms', () => {
  it('is paired: the same rates give another answer when the same items differ', () => {
    const baseline = arm([...repeat(true, 30), ...repeat(false, 70)]);
    const nested = arm([...repeat(true, 18), ...repeat(false, 82)]);
    const crossed = arm([...repeat(false, 30), ...repeat(true, 18), ...repeat(false, 52)]);
    const first = compareArms({ baseline, treatment: nested });
    const second = compareArms({ baseline, treatment: crossed });
    expect(first.difference.value).toBeCloseTo(-0.12, 12);
    expect(second.difference.value).toBeCloseTo(-0.12, 12);
    expect(first.p).toBeCloseTo(2 * 0.5 ** 12, 12);
    expect(second.p).toBeGreaterThan(0.05);
    expect(first.difference.high).toBeLessThan(0);
    expect(second.difference.high).toBeGreaterThan(0);
  });

  it('matches by item, not by position, and counts what it leaves out', () => {
    const baseline = arm([true, false, null, true]);
    const treatment = [...arm([false, false, true, null, true])].reverse();
    const result = compareArms({ baseline, treatment });
    expect(result).toMatchObject({ pairs: 2, unscored: 2, unmatched: 1 });
    expect(result.counts).toEqual({ both: 0, onlyFirst: 0, onlySecond: 1, neither: 1 });
  });

  it('works by cluster when items are copies of each other', () => {
    const events = (share: number) => Array.from({ length: 120 }, (_, i) => i % 40 < share);
    const cluster = (i: number) => String(i % 40);
    const honest = compareArms({
      baseline: arm(events(20), cluster),
      treatment: arm(events(14), cluster),
    });
    const naive = exactMcNemar(honest.counts);
    expect(honest.test).toBe('cluster-t');
    expect(honest.p).toBeGreaterThan(100 * naive.p);
    expect(honest.difference.value).toBeCloseTo(-0.15, 12);
    // t = -0.15 / se with 39 degrees of freedom; se of a share of 6 in 40 clusters: sqrt(.15 * .85 / 39).
    const t = 0.15 / Math.sqrt((0.15 * 0.85) / 39);
    expect(t).toBeCloseTo(2.623, 2);
    expect(honest.p).toBeCloseTo(0.0124, 3);
  });

  it('adjusts a family and says when the judge errs more than the arms differ', () => {
    const baseline = arm([...repeat(true, 30), ...repeat(false, 70)]);
    const treatment = arm([...repeat(true, 24), ...repeat(false, 76)]);
    const one = compareArms({ baseline, treatment });
    const [first, second] = adjustFamily([one, compareArms({ baseline, treatment: baseline })]);
    expect(first?.holmP).toBeCloseTo(2 * one.p, 12);
    expect(second?.holmP).toBe(1);
    const accuracy = { value: 0.93, low: 0.9, high: 0.95, confidence: 0.95 };
    expect(withinJudgeError(one, { accuracy })).toBe(true);
    expect(withinJudgeError(one, { accuracy: { ...accuracy, value: 0.98 } })).toBe(false);
  });

  it('refuses arms without a common item', () => {
    expect(() => compareArms({ baseline: arm([true]), treatment: [] })).toThrow(
      expect.objectContaining({ code: 'BAD_ARGUMENT' }),
    );
  });
});
