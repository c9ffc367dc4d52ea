import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { onBackend } from '../../test/on-backend.ts';
import type { WeightName } from '../config/weight-name.ts';
import { createModel } from './create-model.ts';
import { createRandomModel, randomConfig, randomWeights } from './create-random-model.ts';
import type { ForwardResult } from './forward-options.ts';

onBackend('cpu');

const W: WeightName = 'blocks.0.mlp.W_out';

describe('weights', () => {
  it('are shared between models and freed with the last one', () => {
    const before = tf.memory().numTensors;
    const model = createRandomModel({ seed: 1 });
    const own = tf.memory().numTensors - before;
    const changed = model.withWeights(new Map([[W, tf.zerosLike(model.weights.get(W)!)]]));
    expect(tf.memory().numTensors - before).toBe(own + 1);
    using a = changed.forward([{ tokens: [1, 2] }], { capture: ['blocks.0.hook_mlp_out'] });
    expect(a.captured(0, 'blocks.0.hook_mlp_out').abs().max().dataSync()[0]).toBe(0);
    a.dispose();
    tf.disposeVariables();
    model.dispose();
    // The second model still holds what it shares.
    changed.forward([{ tokens: [1, 2] }]).dispose();
    changed.dispose();
    changed.dispose();
    expect(tf.memory().numTensors).toBeLessThanOrEqual(before + 2); // the assertion's own abs and max
  });

  it('change in place, count versions, and refuse other shapes and names', () => {
    using model = createRandomModel({ seed: 1 });
    const logits = (): number[] => {
      using result = model.forward([{ tokens: [5, 6, 7] }]);
      return [...result.logits(0).dataSync()];
    };
    const first = logits();
    const old = model.weights.get(W)!;
    const copy = old.clone();
    model.setWeight(W, tf.mul(copy, 2));
    expect(old.isDisposed).toBe(true);
    expect(model.version).toBe(1);
    expect(logits()).not.toEqual(first);
    model.setWeight(W, copy);
    expect(logits()).toEqual(first);
    const wrong = tf.zeros([1]);
    expect(() => model.setWeight(W, wrong)).toThrow(/not float32 \[64,32\]/);
    expect(() => model.setWeight('pos_embed.W_pos', wrong)).toThrow(/no weight/);
    wrong.dispose();
  });

  it("that do not fit are refused by name, and stay the caller's", () => {
    const config = randomConfig();
    const weights = randomWeights(config, 1);
    const held = weights.get(W)!;
    weights.delete(W);
    expect(() => createModel({ config, weights })).toThrow(/missing blocks\.0\.mlp\.W_out/);
    weights.set(W, tf.zeros([2, 2]));
    expect(() => createModel({ config, weights })).toThrow(/\[2,2\]/);
    expect([...weights.values()].every((tensor) => !tensor.isDisposed)).toBe(true);
    tf.dispose([held, ...weights.values()]);
  });

  it('of one seed are the same numbers', () => {
    using a = createRandomModel({ seed: 7 });
    using b = createRandomModel({ seed: 7 });
    using c = createRandomModel({ seed: 8 });
    const values = (model: typeof a): Float32Array =>
      model.weights.get(W)!.dataSync() as Float32Array;
    expect(values(a)).toEqual(values(b));
    expect(values(a)).not.toEqual(values(c));
  });
});

describe('a pass', () => {
  it('stops after the last point that anyone asked for', () => {
    using model = createRandomModel({ config: { nLayers: 6 }, seed: 1 });
    const reached: number[] = [];
    const watch = Array.from({ length: 6 }, (_, layer) => ({
      at: `blocks.${layer}.hook_resid_post` as const,
      apply: (): undefined => {
        reached.push(layer);
      },
    }));
    const row = { tokens: [1, 2, 3], interventions: watch };
    model.forward([row], { logits: 'none', capture: ['blocks.2.hook_resid_post'] }).dispose();
    expect(reached).toEqual([0, 1, 2]);
    reached.length = 0;
    model.forward([row], { logits: 'none', capture: ['blocks.2.hook_attn_out'] }).dispose();
    expect(reached).toEqual([0, 1]);
    reached.length = 0;
    model.forward([row], { logits: 'none' }).dispose();
    expect(reached).toEqual([]);
    // A cache needs every layer's keys.
    using cache = model.createCache();
    model.forward([{ ...row, cache }], { logits: 'none' }).dispose();
    expect(reached).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('keeps only the positions asked for, in row coordinates', () => {
    using model = createRandomModel({ seed: 1 });
    using cache = model.createCache();
    model.forward([{ tokens: [9, 8], cache }]).dispose();
    const rows = [{ tokens: [1, 2, 3, 4, 5] }, { tokens: [6, 7, 8], cache }];
    const at = 'blocks.1.attn.hook_z';
    using all = model.forward(
      rows.map(({ tokens }) => ({ tokens })),
      { capture: [at] },
    );
    using some = model.forward(rows, { capture: [at], capturePositions: [-1, 3] });
    expect(some.captured(0, at).shape).toEqual([2, 4, 8]);
    const lines = all.captured(0, at).arraySync();
    expect(some.captured(0, at).arraySync()).toEqual([lines[4], lines[3]]);
    // Row 1 has two cached tokens: its position 3 is its second new token, and -1 its third.
    const second = some.captured(1, at).arraySync();
    using again = model.forward([{ tokens: [9, 8, 6, 7, 8] }], { capture: [at] });
    const whole = again.captured(0, at).arraySync();
    expect(second[0]!.flat().map((x) => x.toFixed(3))).toEqual(
      whole[4]!.flat().map((x) => x.toFixed(3)),
    );
    expect(second[1]!.flat().map((x) => x.toFixed(3))).toEqual(
      whole[3]!.flat().map((x) => x.toFixed(3)),
    );
    const before = tf.memory().numTensors;
    expect(() =>
      model.forward([{ tokens: [1] }], { capture: [at], capturePositions: [1] }),
    ).toThrow(/position 1 is not among tokens 0 to 0/);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("owns its results also inside a caller's tidy", () => {
    using model = createRandomModel({ seed: 1 });
    let result: ForwardResult | undefined;
    tf.tidy(() => {
      result = model.forward([{ tokens: [1, 2] }], { capture: ['hook_embed'] });
      result.captured(0, 'hook_embed');
    });
    expect(result!.captured(0, 'hook_embed').shape).toEqual([2, 32]);
    expect(result!.logits(0).dataSync().length).toBe(96);
    result!.dispose();
    expect(() => result!.logits(0)).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  });

  it('refuses bad rows and options before it starts', () => {
    using model = createRandomModel({ config: { like: 'gpt2', maxPositions: 4 }, seed: 1 });
    const code = (expected: string): unknown => expect.objectContaining({ code: expected });
    const run =
      (...args: Parameters<typeof model.forward>) =>
      () =>
        model.forward(...args);
    const before = tf.memory().numTensors;
    expect(run([])).toThrow(code('BAD_ARGUMENT'));
    expect(run([{ tokens: [] }])).toThrow(code('BAD_ARGUMENT'));
    expect(run([{ tokens: [96] }])).toThrow(/tokens 0 to 95/);
    expect(run([{ tokens: [1.5] }])).toThrow(code('BAD_ARGUMENT'));
    expect(run([{ tokens: 'text' }])).toThrow(/no tokenizer/);
    expect(run([{ tokens: [1, 2, 3, 4, 5] }])).toThrow(code('CONTEXT_OVERFLOW'));
    expect(run([{ tokens: [1] }], { startAtLayer: 1 })).toThrow(/needs residuals/);
    expect(run([{ tokens: [1] }], { startAtLayer: 9 })).toThrow(/startAtLayer is 9/);
    const residuals = [tf.zeros([2, 32]) as tf.Tensor2D];
    expect(run([{ tokens: [1] }], { startAtLayer: 1, residuals })).toThrow(/not \[1, 32\]/);
    const capture = ['blocks.0.hook_resid_post'] as const;
    expect(run([{ tokens: [1, 2] }], { startAtLayer: 1, residuals, capture })).toThrow(
      /before startAtLayer/,
    );
    tf.dispose(residuals);
    expect(tf.memory().numTensors).toBe(before);
  });
});
