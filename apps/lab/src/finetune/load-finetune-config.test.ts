import { describe, expect, it } from 'vitest';
import { parseFinetuneConfig } from './load-finetune-config.ts';

const good = `schemaVersion: 1
name: tiny
data: { train: { path: rows.jsonl } }
method: { kind: lora, rank: 2 }
optimiser: { learningRate: 1.0e-2 }
batch: { examples: 2 }
steps: 4
`;

describe('parseFinetuneConfig', () => {
  it('fills in defaults', () => {
    expect(parseFinetuneConfig(good, 'x.yaml')).toMatchObject({
      model: 'pocket',
      seed: 0,
      schedule: { kind: 'constant' },
      data: { pairs: 'text', learn: 'last', promptWeight: 0, tooLong: 'error' },
      normalise: 'tokens',
      checkpointEvery: 50,
    });
  });

  it.each([
    ['broken YAML', 'name: [a', /x\.yaml:\d+:\d+: /],
    ['steps and epochs', `${good}epochs: 1\n`, /x\.yaml:8:9: epochs: give one of steps and epochs/],
    ['neither', good.replace('steps: 4\n', ''), /batch: give one of steps and epochs/],
    ['a rate of 0', good.replace('1.0e-2', '0'), /x\.yaml:5:\d+: optimiser\.learningRate/],
    ['an unknown method', good.replace('kind: lora', 'kind: dora'), /x\.yaml:4:\d+: method\.kind/],
    [
      'evaluations of nothing',
      `${good}evaluateEvery: 2\n`,
      /x\.yaml:8:\d+: evaluateEvery: there is no data\.evaluate/,
    ],
    [
      'settings beside an adapter that has its own',
      good.replace('rank: 2', 'rank: 2, from: ./adapter'),
      /method\.rank: is decided by the adapter/,
    ],
    [
      'weights that are no expression',
      good.replace('kind: lora, rank: 2', 'kind: full, weights: "("'),
      /x\.yaml:4:\d+: method\.weights: is not a regular expression/,
    ],
  ])('refuses %s', (_, text, reason) => {
    expect(() => parseFinetuneConfig(text, 'x.yaml')).toThrow(reason);
  });
});
