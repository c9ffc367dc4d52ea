// What invalidates what: for every kind of change, which answers keep their address and which get a new one.
import { describe, expect, it } from 'vitest';
import type { TermSources } from '../arms/term-sources.ts';
import { parseExperiment } from '../config/load-experiment.ts';
import { planExperiment } from './plan-experiment.ts';

const yaml = `schemaVersion: 1
name: matrix
seed: 3
arms:
  - name: base
  - name: SA
    steer: { safetyAmplification: { safe: pocket, compliant: pocket, strength: 0.5, layer: 2 } }
  - name: sGDS
    guide: { safeInfer: { lambda: 0.9, unsafe: { adapter: unsafe } } }
edits:
  - name: unedited
prompts: [simple]
benchmarks:
  - { use: pocket-harmful, limit: 8 }
  - { use: pocket-how-to, limit: 4 }
judge: pocket
maxNewTokens: 12
batchSize: 4
`;
const sources: TermSources = {
  open: async () => {
    throw new Error('planning opens no model');
  },
  identity: async () => ({}),
  [Symbol.dispose]: () => undefined,
};

interface Change {
  readonly from?: string;
  readonly to?: string;
  readonly modelSha256?: string;
  readonly backend?: string;
  readonly limit?: number;
}

/** Addresses of all answers, by arm position. */
async function addresses(text: string, change: Change = {}): Promise<Set<string>[]> {
  const plan = await planExperiment({
    experiment: parseExperiment(text, 'x.yaml'),
    experimentFile: 'x.yaml',
    limit: change.limit,
    modelSha256: change.modelSha256 ?? 'model',
    backend: change.backend ?? 'cpu',
    sources,
  });
  return plan.arms.map(
    (_, arm) =>
      new Set(
        plan.cells
          .filter((cell) => cell.arm === arm)
          .flatMap((cell) => plan.unitsOf(cell))
          .flatMap(({ keys }) => keys.map(([first]) => first!)),
      ),
  );
}

const sampled = yaml.replace('maxNewTokens', 'sampling: { temperature: 0.8 }\nmaxNewTokens');

const edited = yaml.replace(
  'name: unedited',
  'name: ROME\n    memit: { facts: pocket, count: 2, lambda: 9 }',
);

/** Arms whose answers are all reused: base, SA, sGDS. */
const cases: readonly (readonly [string, Change, readonly [boolean, boolean, boolean], string?])[] =
  [
    ['renaming an arm', { from: 'name: SA', to: 'name: steered' }, [true, true, true]],
    ['renaming the experiment', { from: 'name: matrix', to: 'name: other' }, [true, true, true]],
    ['renaming an edit', { from: 'unedited', to: 'plain' }, [true, true, true]],
    ['the strength', { from: 'strength: 0.5', to: 'strength: 0.6' }, [true, false, true]],
    ['the layer', { from: 'layer: 2', to: 'layer: 3' }, [true, false, true]],
    ['the injection', { from: 'layer: 2', to: 'inject: distributed' }, [true, false, true]],
    ['lambda', { from: 'lambda: 0.9', to: 'lambda: 0.8' }, [true, true, false]],
    ['the twin', { from: 'adapter: unsafe', to: 'systemPrompt: no' }, [true, true, false]],
    ['the seed, greedy', { from: 'seed: 3', to: 'seed: 4' }, [true, false, true]],
    ['the seed, sampling', { from: 'seed: 3', to: 'seed: 4' }, [false, false, false], sampled],
    [
      'top-p, greedy',
      { from: 'maxNewTokens', to: 'sampling: { topP: 0.9 }\nmaxNewTokens' },
      [true, true, true],
    ],
    ['the temperature', { from: '0.8', to: '0.9' }, [false, false, false], sampled],
    ['the judge', { from: 'judge: pocket', to: 'judge: xstest-21' }, [true, true, true]],
    [
      'the order of benchmarks',
      {
        from: `  - { use: pocket-harmful, limit: 8 }
  - { use: pocket-how-to, limit: 4 }`,
        to: `  - { use: pocket-how-to, limit: 4 }
  - { use: pocket-harmful, limit: 8 }`,
      },
      [true, true, true],
    ],
    ['the batch size', { from: 'batchSize: 4', to: 'batchSize: 7' }, [true, true, true]],
    ['the length of answers', { from: 'Tokens: 12', to: 'Tokens: 13' }, [false, false, false]],
    ['the wording', { from: '[simple]', to: '[instruction-centric]' }, [false, false, false]],
    [
      'a transform',
      { from: '[simple]', to: '[{ style: simple, transforms: [rot13] }]' },
      [false, false, false],
    ],
    [
      'an edit',
      { from: 'name: unedited', to: 'name: unedited\n    rome: { facts: pocket }' },
      [false, false, false],
    ],
    [
      'renaming an edit of facts',
      { from: 'name: ROME', to: 'name: other' },
      [true, true, true],
      edited,
    ],
    ['a number of an edit', { from: 'lambda: 9', to: 'lambda: 8' }, [false, false, false], edited],
    ['an editor', { from: 'memit', to: 'pmet' }, [false, false, false], edited],
    ['more facts', { from: 'count: 2', to: 'count: 3' }, [false, false, false], edited],
    [
      'a control',
      { from: 'count: 2', to: 'count: 2, control: random' },
      [false, false, false],
      edited,
    ],
    [
      'a preset that says what the defaults say',
      { from: 'count: 2', to: 'count: 2, preset: pocket-several' },
      [true, true, true],
      edited,
    ],
    [
      'the preset of one fact for several',
      { from: 'count: 2', to: 'count: 2, preset: pocket' },
      [false, false, false],
      edited,
    ],
    ['recording tokens', { from: 'judge', to: 'record: tokens\njudge' }, [false, false, false]],
    ['the weights', { modelSha256: 'other' }, [false, false, false]],
    ['the backend', { backend: 'wasm' }, [false, false, false]],
    [
      'a system prompt of one arm',
      { from: 'name: base', to: 'name: base\n    systemPrompt: Be careful.' },
      [false, true, true],
    ],
  ];

describe('what invalidates what', () => {
  const filled = cases.map(([what, change, reused, text]) => ({ what, change, reused, text }));
  it.each(filled)('$what', async ({ change, reused, text = yaml }) => {
    const before = await addresses(text);
    const changed = change.from === undefined ? text : text.replace(change.from, change.to!);
    if (change.from !== undefined) expect(changed).not.toBe(text);
    const after = await addresses(changed, change);
    for (const [arm, keep] of reused.entries()) {
      const shared = [...after[arm]!].filter((key) => before[arm]!.has(key)).length;
      expect(shared).toBe(keep ? after[arm]!.size : 0);
    }
  });

  it('a larger limit asks only for the items that are new', async () => {
    // The bundled sets are thinned evenly: half of eight are not the first four, but they are among the whole.
    const all = (await addresses(yaml.replaceAll(/, limit: \d/g, '')))[0]!;
    const few = (await addresses(yaml))[0]!;
    expect(few.size).toBe(12);
    expect([...few].every((key) => all.has(key))).toBe(true);
  });

  it('arms never share an address, and equal arms always do', async () => {
    const [base, steered, guided] = await addresses(yaml);
    expect(new Set([...base!, ...steered!, ...guided!]).size).toBe(36);
    const twice = await addresses(yaml.replace('- name: base', '- name: again\n  - name: base'));
    expect([...twice[0]!]).toEqual([...twice[1]!]);
  });

  it('several answers to an item have addresses and seeds of their own', async () => {
    const several = await addresses(sampled.replace('0.8 }', '0.8, n: 3 }'));
    expect(several[0]!.size).toBe(36);
    const one = await addresses(sampled);
    expect([...one[0]!].every((key) => several[0]!.has(key))).toBe(true);
    await expect(addresses(yaml.replace('judge', 'sampling: { n: 2 }\njudge'))).rejects.toThrow(
      /without chance/,
    );
  });
});
