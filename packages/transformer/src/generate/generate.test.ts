import { useBackend } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { onBackend } from '../../test/on-backend.ts';
import { hasSharedModel, sharedModel } from '../../test/shared-data.ts';
import { createRandomModel } from '../model/create-random-model.ts';
import { loadModel } from '../model/load-model.ts';
import type { Row } from '../model/row.ts';
import type { Transformer } from '../model/transformer.ts';
import type { GenerateEvent, GenerateOptions } from './generate.ts';

onBackend('cpu');

async function run(
  model: Transformer,
  rows: readonly Row[],
  options: GenerateOptions,
): Promise<GenerateEvent[][]> {
  const events: GenerateEvent[][] = rows.map(() => []);
  for await (const event of model.generate(rows, options)) events[event.row]!.push(event);
  return events;
}

const tokensOf = (events: readonly GenerateEvent[]): number[] => events.map(({ token }) => token);

const PROMPTS: Row[] = [{ tokens: [5, 9, 33, 2, 71] }, { tokens: [90, 1] }, { tokens: [3] }];

describe.each(['llama', 'gpt2'] as const)('generation with a %s-like model', (like) => {
  it('gives each row of a batch the tokens it gets alone, also after others stop', async () => {
    const before = tf.memory().numTensors;
    const model = createRandomModel({ config: { like }, seed: 4 });
    const alone = await Promise.all(
      PROMPTS.map(async (row) => tokensOf((await run(model, [row], { maxNewTokens: 24 }))[0]!)),
    );
    const together = await run(model, PROMPTS, { maxNewTokens: 24 });
    expect(together.map(tokensOf)).toEqual(alone);
    // A stop token that one row meets early ends that row only.
    const stop = alone[1]![5]!;
    const stopped = await run(model, PROMPTS, { maxNewTokens: 24, stopTokens: [stop] });
    stopped.forEach((events, row) => {
      const at = alone[row]!.indexOf(stop);
      const expected = at < 0 ? alone[row]! : alone[row]!.slice(0, at + 1);
      expect(tokensOf(events)).toEqual(expected);
      expect(events.at(-1)!.done).toBe(at < 0 ? 'length' : 'stop');
    });
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('equals choosing from whole passes', async () => {
    using model = createRandomModel({ config: { like }, seed: 4 });
    const [events] = await run(model, [PROMPTS[0]!], { maxNewTokens: 12 });
    let tokens = [5, 9, 33, 2, 71];
    for (const { token } of events!) {
      using whole = model.forward([{ tokens }]);
      expect(tf.tidy(() => tf.argMax(whole.logits(0), 1).dataSync()[0])).toBe(token);
      tokens = [...tokens, token];
    }
  });

  it('applies interventions to the prompt, the generated tokens, or both', async () => {
    using model = createRandomModel({ config: { like }, seed: 4 });
    const vector = Array.from({ length: 32 }, (_, i) => 3 * Math.cos(i));
    const steer = (during: 'prompt' | 'generation' | 'both'): Row => ({
      ...PROMPTS[0]!,
      interventions: [
        { at: 'blocks.1.hook_resid_post', op: 'add', vector, positions: 'last', during },
      ],
    });
    const seen: { readonly step: number; readonly value: number }[][] = [];
    for (const row of [PROMPTS[0]!, steer('prompt'), steer('generation'), steer('both')]) {
      const list: { readonly step: number; readonly value: number }[] = [];
      const options = {
        maxNewTokens: 3,
        capture: ['blocks.1.hook_mlp_out', 'blocks.1.hook_resid_post', 'blocks.1.hook_resid_mid'],
        choose: () => 7,
      } as const;
      for await (const event of model.generate([row], options)) {
        const added = tf.tidy(() => {
          const post = event.captured('blocks.1.hook_resid_post');
          const sum = tf.add(
            event.captured('blocks.1.hook_resid_mid'),
            event.captured('blocks.1.hook_mlp_out'),
          );
          return tf.sub(post, sum).abs().max().dataSync()[0] as number;
        });
        list.push({ step: event.step, value: added });
      }
      seen.push(list);
    }
    const edited = seen.map((list) => list.map(({ value }) => value > 0.5));
    expect(edited).toEqual([
      [false, false, false],
      [true, false, false],
      [false, true, true],
      [true, true, true],
    ]);
  });

  it('frees everything when the caller leaves early, a signal fires, or a hook throws', async () => {
    using model = createRandomModel({ config: { like }, seed: 4 });
    using cache = model.createCache();
    const before = tf.memory().numTensors;
    for await (const event of model.generate(PROMPTS, { maxNewTokens: 9 })) {
      if (event.step === 2) break;
    }
    expect(tf.memory().numTensors).toBe(before);
    const controller = new AbortController();
    await expect(async () => {
      const options = { maxNewTokens: 9, signal: controller.signal };
      for await (const event of model.generate(PROMPTS, options)) {
        if (event.step === 1) controller.abort();
      }
    }).rejects.toMatchObject({ code: 'ABORTED' });
    expect(tf.memory().numTensors).toBe(before);
    const choose = (): number => Number.NaN;
    await expect(run(model, PROMPTS, { maxNewTokens: 2, choose })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    expect(tf.memory().numTensors).toBe(before);
    // A caller's cache stays the caller's and holds what was generated.
    await run(model, [{ ...PROMPTS[0]!, cache }], { maxNewTokens: 4, stopTokens: [] });
    expect(cache.length).toBe(5 + 3);
  });

  it('stops with the layer that made a NaN', async () => {
    using model = createRandomModel({ config: { like, nLayers: 3 }, seed: 4 });
    const poison = {
      at: 'blocks.1.mlp.hook_post',
      apply: (x: tf.Tensor) => tf.mul(x, Number.NaN),
    } as const;
    await expect(
      run(model, [{ ...PROMPTS[0]!, interventions: [poison] }], { maxNewTokens: 2 }),
    ).rejects.toThrow(/blocks\.1\.hook_mlp_out.*layer 1/);
  });
});

it('ends at the last position of a position table', async () => {
  using model = createRandomModel({ config: { like: 'gpt2', maxPositions: 8 }, seed: 4 });
  const [events] = await run(model, [PROMPTS[0]!], { maxNewTokens: 50 });
  expect(events!.length).toBe(4);
  expect(events!.at(-1)!.done).toBe('context');
});

describe.runIf(hasSharedModel('stories260K-hf'))('stories260K', () => {
  it('streams the reference text', async () => {
    await useBackend({ name: 'wasm' });
    using model = await loadModel({ path: sharedModel('stories260K-hf') });
    const { readFileSync } = await import('node:fs');
    const expected = readFileSync(
      `${sharedModel('stories260K-hf')}/expected-greedy-200.txt`,
      'utf8',
    );
    let text = '';
    for await (const event of model.generate([{ tokens: [1] }], { maxNewTokens: 200 })) {
      text += event.text;
    }
    expect(text.trim()).toBe(expected.trim());
  });
});
