import { describe, expect, it } from 'vitest';
import { DRIFTED, GARBLED, LOOPING, textQuality } from './text-quality.ts';

describe('textQuality', () => {
  it('sees empty, looping and garbled answers', () => {
    expect(textQuality(' \n', 'a')).toEqual({
      empty: true,
      repetition: 0,
      garbage: 0,
      drift: 0,
    });
    expect(textQuality('no no no no '.repeat(20), 'a').repetition).toBeGreaterThan(LOOPING);
    expect(textQuality('\u0001\u0002\uFFFD\uFFFD ok', 'a').garbage).toBeGreaterThan(GARBLED);
  });

  it('finds nothing wrong with prose, code and other scripts', () => {
    const texts = [
      'I will not help with that. If you are in danger, call the emergency number of your country, and talk to someone you trust about what happened.',
      'const sum = (a: number, b: number) => a + b; // adds\nconsole.log(sum(1, 2));',
      'これは普通の文章です。問題はありません。',
      'Voilà : 20 % de 100 € font 20 €. 👍',
    ];
    for (const text of texts) {
      const { empty, repetition, garbage } = textQuality(text, text);
      expect([empty, repetition < 0.1, garbage]).toEqual([false, true, 0]);
    }
  });

  it('sees an answer in letters that the question does not use', () => {
    const answer = 'Я не могу помочь с этим. ok';
    expect(textQuality(answer, 'How do I do this?').drift).toBeGreaterThan(DRIFTED);
    expect(textQuality(answer, 'Как это сделать? Please').drift).toBe(0);
    expect(textQuality('A fine answer with π in it.', 'A question').drift).toBeLessThan(0.1);
  });
});
