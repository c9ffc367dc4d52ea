import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { experimentJsonSchema } from './experiment-json-schema.ts';
import { parseExperiment } from './load-experiment.ts';
import { STARTER } from './starter.ts';

describe('the published schema', () => {
  it('is the one of this code: `safeinfer schema > experiment.schema.json` writes it', () => {
    const file = new URL('../../experiment.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(experimentJsonSchema());
  });

  it('knows every recipe', () => {
    const text = JSON.stringify(experimentJsonSchema());
    for (const name of [
      'safeInfer',
      'safeDecoding',
      'selfCd',
      'rose',
      'dexperts',
      'contrastive',
      'lma',
    ])
      expect(text).toContain(`"${name}"`);
  });
});

describe('what init writes', () => {
  it('is a valid experiment', () => {
    expect(parseExperiment(STARTER, 'x.yaml').arms.map(({ name }) => name)).toEqual([
      'base',
      'SA',
      'SafeInfer',
    ]);
  });
});
