import { describe, expect, it } from 'vitest';
import { sharedPrefixes } from './shared-prefixes.ts';

describe('prompts that begin alike', () => {
  it('form groups with the longest beginning all share, and keep a last token for themselves', () => {
    const groups = sharedPrefixes([
      [1, 2, 3, 4, 9],
      [1, 2, 3, 5, 9, 9],
      [1, 2, 3, 4, 7],
      [8, 2, 3, 4, 9],
      [8, 2, 3, 4, 9],
    ]);
    expect(groups).toEqual([
      ...Array.from({ length: 3 }, () => ({ start: 0, length: 3 })),
      ...Array.from({ length: 2 }, () => ({ start: 3, length: 4 })),
    ]);
  });

  it('stay alone when little is common', () => {
    expect(
      sharedPrefixes([
        [1, 2, 3, 4],
        [1, 5, 6, 7],
        [1, 5],
      ]),
    ).toEqual([
      { start: 0, length: 3 },
      { start: 1, length: 3 },
      { start: 2, length: 1 },
    ]);
  });
});
