import type { CausalTrace } from '@safeinfer/viewer';
import { describe, expect, it } from 'vitest';
import { shownTrace } from './maskable.ts';

const trace = (fields: Partial<CausalTrace>): CausalTrace => ({
  schema: 1,
  what: 'causal-trace',
  model: { name: 'm' },
  id: 'x',
  prompt: 'The harbour of Dorn lies in',
  tokens: ['The', ' harbour', ' of', ' Dorn', ' lies', ' in'],
  subject: [3, 4],
  answer: ' Vale',
  clean: 0.9,
  corrupted: 0.1,
  maps: { state: [[0.5]], mlp: [[0.2]], attention: [[0.1]] },
  window: 3,
  ...fields,
});

describe('shownTrace', () => {
  it('leaves an ordinary trace as it is', () => {
    expect(shownTrace(trace({}))).toEqual(trace({}));
  });

  it('takes every text from a trace whose prompt is of the kind that is never shown, and keeps its maps', () => {
    const prompt = 'A request for child pornography';
    const shown = shownTrace(trace({ prompt, tokens: prompt.split(' ') }));
    expect(JSON.stringify(shown)).not.toMatch(/child|porn/i);
    expect(shown.tokens).toHaveLength(5);
    expect(shown.maps).toEqual(trace({}).maps);
  });
});
