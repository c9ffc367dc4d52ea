import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { WeightName } from '../config/weight-name.ts';
import { weightShapes } from '../config/weight-shapes.ts';
import { createRandomModel } from '../model/create-random-model.ts';
import type { Row } from '../model/row.ts';
import type { Transformer } from '../model/transformer.ts';
import { normals } from '../random/seeded-random.ts';
import type { Adapter, Delta } from './adapter.ts';

const TOKENS = [5, 9, 33, 2, 71, 8, 12];

/** Random deltas of rank 2 on every matrix that takes one; small, so that the model stays in range. */
function randomAdapter(model: Transformer, seed: number): Adapter {
  const deltas = new Map<WeightName, Delta>();
  let stream = seed * 1000;
  for (const [name, shape] of weightShapes(model.config)) {
    if (shape.length !== 2 || name === 'pos_embed.W_pos') continue;
    const [width, out] = shape as [number, number];
    const A = tf.tensor2d(
      normals(stream++, width * 2).map((x) => x / Math.sqrt(width)),
      [width, 2],
    );
    const B = tf.tensor2d(normals(stream++, 2 * out), [2, out]);
    deltas.set(name, { A, B, scale: 0.3 });
  }
  return { deltas };
}

function disposeAdapter({ deltas }: Adapter): void {
  for (const { A, B } of deltas.values()) tf.dispose([A, B]);
}

/** A model with the adapter added into its weights: the oracle. */
function merged(model: Transformer, adapter: Adapter): Transformer {
  const changes = new Map<WeightName, tf.Tensor>();
  for (const [name, { A, B, scale }] of adapter.deltas) {
    const w = model.weights.get(name)!;
    changes.set(
      name,
      tf.tidy(() => tf.add(w, tf.mul(tf.matMul(A, B), scale))),
    );
  }
  return model.withWeights(changes);
}

async function difference(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  const worst = tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))));
  const [value] = await worst.data();
  worst.dispose();
  return value as number;
}

await describeOnBackends('adapters', () => {
  describe.each([
    ['llama', false, 32],
    ['gpt2', true, 32],
    // Wide enough that the weights live in sessions of their own where a backend has them.
    ['llama', false, 256],
  ] as const)('of a %s-like model', (like, tied, dModel) => {
    it('equal merged weights, each row with its own, in one pass and over caches', async () => {
      const before = tf.memory().numTensors;
      const model = createRandomModel({ config: { like, dModel }, seed: 5 });
      const first = randomAdapter(model, 1);
      const second = randomAdapter(model, 2);
      if (tied) {
        // Merging a tied embedding changes the unembedding too; as an adapter that is a delta of its own.
        for (const { deltas } of [first, second]) {
          const { A, B, scale } = deltas.get('embed.W_E')!;
          (deltas as Map<WeightName, Delta>).set('unembed.W_U', {
            A: tf.transpose(B),
            B: tf.transpose(A),
            scale,
          });
        }
      }
      model.addAdapter('first', first);
      model.addAdapter('second', second);
      const onlyEmbedding = (adapter: Adapter): Adapter => ({
        deltas: new Map([...adapter.deltas].filter(([name]) => name !== 'unembed.W_U' || !tied)),
      });
      const rows: Row[] = [
        { tokens: TOKENS, adapter: 'first' },
        { tokens: TOKENS },
        { tokens: TOKENS.slice(0, 3), adapter: 'second' },
        { tokens: TOKENS, adapter: 'first' },
      ];
      const oracles = [
        merged(model, onlyEmbedding(first)),
        model.withWeights(new Map()),
        merged(model, onlyEmbedding(second)),
      ];
      oracles.push(merged(model, onlyEmbedding(first)));
      using result = model.forward(rows, { logits: 'all' });
      const caches = rows.map(() => model.createCache());
      model
        .forward(
          rows.map((row, i) => ({
            ...row,
            tokens: row.tokens.slice(0, -1) as number[],
            cache: caches[i]!,
          })),
        )
        .dispose();
      using step = model.forward(
        rows.map((row, i) => ({
          ...row,
          tokens: row.tokens.slice(-1) as number[],
          cache: caches[i]!,
        })),
      );
      for (const [i, { tokens }] of rows.entries()) {
        using expected = oracles[i]!.forward([{ tokens }], { logits: 'all' });
        expect(await difference(result.logits(i), expected.logits(0)), `row ${i}`).toBeLessThan(
          5e-5,
        );
        const last = tf.slice(expected.logits(0), [tokens.length - 1, 0], [1, -1]);
        expect(await difference(step.logits(i), last)).toBeLessThan(5e-5);
        last.dispose();
      }
      expect(await difference(result.logits(0), result.logits(1))).toBeGreaterThan(0.1);
      result.dispose();
      step.dispose();
      for (const disposable of [...caches, ...oracles, model]) disposable.dispose();
      disposeAdapter(first);
      disposeAdapter(second);
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  it('stack in the order a row names them, and do not touch rows without', async () => {
    using model = createRandomModel({ seed: 5 });
    const [first, second] = [randomAdapter(model, 1), randomAdapter(model, 2)];
    model.addAdapter('first', first);
    model.addAdapter('second', second);
    using both = model.forward([
      { tokens: TOKENS, adapter: ['first', 'second'] },
      { tokens: TOKENS },
    ]);
    using once = merged(model, first);
    using twice = merged(once, second);
    using expected = twice.forward([{ tokens: TOKENS }]);
    using plain = model.forward([{ tokens: TOKENS }]);
    expect(await difference(both.logits(0), expected.logits(0))).toBeLessThan(5e-5);
    expect(await difference(both.logits(1), plain.logits(0))).toBeLessThan(1e-5);
    disposeAdapter(first);
    disposeAdapter(second);
  });

  it('work per head too, where a result or an input of one head is edited', async () => {
    using model = createRandomModel({ config: { nKvHeads: 4 }, seed: 5 });
    const adapter = randomAdapter(model, 1);
    model.addAdapter('a', adapter);
    using oracle = merged(model, adapter);
    for (const at of [
      'blocks.0.attn.hook_result',
      'blocks.1.hook_q_input',
      'blocks.1.hook_attn_in',
    ] as const) {
      const interventions = [{ at, op: 'scale', factor: 1.5, heads: [1, 2] } as const];
      using ours = model.forward([{ tokens: TOKENS, adapter: 'a', interventions }]);
      using theirs = oracle.forward([{ tokens: TOKENS, interventions }]);
      expect(await difference(ours.logits(0), theirs.logits(0)), at).toBeLessThan(5e-5);
    }
    disposeAdapter(adapter);
  });

  it('refuses unknown names and misshapen deltas', () => {
    using model = createRandomModel({ seed: 5 });
    const A = tf.zeros([32, 2]) as tf.Tensor2D;
    const B = tf.zeros([2, 31]) as tf.Tensor2D;
    const add = (name: WeightName) => () =>
      model.addAdapter('x', { deltas: new Map([[name, { A, B, scale: 1 }]]) });
    expect(add('blocks.0.attn.W_Q')).toThrow(/\[32,32\].*\[2,31\]/);
    expect(add('ln_final.w')).toThrow(/takes no delta/);
    expect(() => model.forward([{ tokens: [1], adapter: 'none' }])).toThrow(/loaded: none/);
    tf.dispose([A, B]);
  });

  it('keep the kernels that rows without adapters have', async () => {
    using model = createRandomModel({ seed: 5 });
    const adapter = randomAdapter(model, 1);
    model.addAdapter('a', adapter);
    const kernels = async (rows: readonly Row[]): Promise<string[]> => {
      const { kernelNames } = await tf.profile(() => {
        model.forward(rows).dispose();
      });
      return kernelNames.filter((name) => /^SafeInfer(Heads|Mlp|AddProduct)$/.test(name));
    };
    const plain = await kernels([{ tokens: TOKENS }]);
    expect(await kernels([{ tokens: TOKENS, adapter: 'a' }])).toEqual(plain);
    disposeAdapter(adapter);
  });
});
