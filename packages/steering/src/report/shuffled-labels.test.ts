import { describe, expect, it } from 'vitest';
import { shuffleAnswersOfTwins, shuffleSides } from './shuffled-labels.ts';

describe('shuffled labels', () => {
  it('deal the same items to sides of the same size, by the seed', () => {
    const sides = {
      positive: Array.from({ length: 40 }, (_, i) => i),
      negative: Array.from({ length: 20 }, (_, i) => 100 + i),
    };
    const dealt = shuffleSides({ ...sides, seed: 3 });
    expect(dealt.positive).toHaveLength(40);
    expect([...dealt.positive, ...dealt.negative].sort((a, b) => a - b)).toEqual([
      ...sides.positive,
      ...sides.negative,
    ]);
    expect(dealt).toEqual(shuffleSides({ ...sides, seed: 3 }));
    // About a third of a side changes places: 20 x 40 / 60 are expected.
    const moved = dealt.positive.filter((i) => i >= 100).length;
    expect(moved).toBeGreaterThan(6);
    expect(moved).toBeLessThan(20);
  });

  it('swap the answers of half of the twins, and of no others', () => {
    const questions = Array.from({ length: 10 }, (_, i) => `q${i}`);
    const safe = [...questions, 'alone'].map((question) => ({ question, answer: 'no' }));
    const compliant = questions.map((question) => ({ question, answer: 'yes' }));
    const mixed = shuffleAnswersOfTwins({ safe, compliant, seed: 1 });
    expect(mixed.safe.filter(({ answer }) => answer === 'yes')).toHaveLength(5);
    expect(mixed.compliant.filter(({ answer }) => answer === 'no')).toHaveLength(5);
    expect(mixed.safe.at(-1)).toEqual({ question: 'alone', answer: 'no' });
    for (const [i, { answer }] of mixed.compliant.entries())
      expect(answer).not.toBe(mixed.safe[i]!.answer);
  });
});
