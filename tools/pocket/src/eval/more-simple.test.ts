import { loadPocketSplit } from '@safeinfer/pocket';
import { describe, expect, it } from 'vitest';
import { TEMPLATES } from '../prompt-styles.ts';
import { moreSimpleSets } from './more-simple.ts';

describe('more simple requests', () => {
  const sets = moreSimpleSets();
  const items = sets.flatMap((set) => set.items);
  const texts = items.map(
    ({ prompt }) => (prompt as readonly { readonly content: string }[])[0]?.content as string,
  );

  it('hold no action and no wording of training', () => {
    const trained = loadPocketSplit('harmful', 'train').map(({ action }) => action);
    expect(texts.filter((text) => trained.some((action) => text.endsWith(`${action}.`)))).toEqual(
      [],
    );
    const wordings = TEMPLATES.simple.train.map((template) => template.split('{a}')[0] as string);
    expect(texts.filter((text) => wordings.some((start) => text.startsWith(start)))).toEqual([]);
  });

  it('are every other action twice, and hold the bundled test items', () => {
    expect(sets.map((set) => set.items.length)).toEqual([480, 480]);
    expect(new Set(texts).size).toBe(960);
    const bundled = loadPocketSplit('harmful', 'test')
      .filter(({ style }) => style === 'simple')
      .map(({ question }) => question);
    expect(bundled.filter((question) => !texts.slice(0, 480).includes(question))).toEqual([]);
  });
});
