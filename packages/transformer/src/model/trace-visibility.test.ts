// Keys hidden in some layers of a differentiable pass, against scores edited by hand.
import { describeOnBackends } from '@safeinfer/backend/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { KeyVisibility } from '../ops/key-visibility.ts';
import { createRandomModel } from './create-random-model.ts';
import type { Row } from './row.ts';

const TOKENS = [
  [3, 14, 15, 92, 65, 35],
  [27, 18, 28],
];
/** Row 0 hides its tokens 1 and 2 from later ones; row 1 hides token 0 from token 2. */
const HIDDEN: readonly (readonly [row: number, key: number, queries: readonly number[]])[] = [
  [0, 1, [3, 4, 5]],
  [0, 2, [3, 4, 5]],
  [1, 0, [2]],
];
const visibility: KeyVisibility = {
  layers: (layer) => layer === 1,
  visible: (row, query, key) =>
    !HIDDEN.some(([r, k, queries]) => r === row && k === key && queries.includes(query)),
};

/** The same by a hook: scores [h, q, k] of the row lowered beyond reach at layer 1. */
function byHand(row: number): Row {
  const length = (TOKENS[row] as number[]).length;
  const mask = new Float32Array(length * length);
  for (const [r, key, queries] of HIDDEN) {
    if (r === row) for (const query of queries) mask[query * length + key] = -1e30;
  }
  return {
    tokens: TOKENS[row] as number[],
    interventions: [
      {
        at: 'blocks.1.attn.hook_attn_scores',
        apply: (x: tf.Tensor) => tf.add(x, tf.tensor3d(mask, [1, length, length])),
      },
    ],
  };
}

await describeOnBackends('key visibility', () => {
  it.each(['llama', 'gpt2'] as const)('%s: logits and gradients as by hand', async (like) => {
    using model = createRandomModel({ config: { like, nLayers: 3 }, seed: 5 });
    const W_V = model.weights.get('blocks.0.attn.W_V') as tf.Tensor;
    const run = async (
      hand: boolean,
      hide = true,
    ): Promise<{ logits: number[]; grad: number[] }> => {
      const found: { logits?: tf.Tensor; grad?: tf.Tensor } = {};
      tf.tidy(() => {
        const { grad } = tf.valueAndGrad((w: tf.Tensor) => {
          const traced = model.trace({
            rows: TOKENS.map((tokens, row) => (hand ? byHand(row) : { tokens })),
            weights: new Map([['blocks.0.attn.W_V' as const, w]]),
            ...(hand || !hide ? {} : { visibility }),
          });
          found.logits = tf.keep(traced.logits.clone());
          return tf.sum(tf.sin(traced.logits));
        })(W_V);
        found.grad = tf.keep(grad);
      });
      const [logits, grad] = [await found.logits!.data(), await found.grad!.data()];
      tf.dispose([found.logits!, found.grad!]);
      return { logits: [...logits], grad: [...grad] };
    };
    const before = tf.memory().numTensors;
    const [own, wanted, open] = [await run(false), await run(true), await run(false, false)];
    expect(tf.memory().numTensors).toBe(before);
    const apart = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((max, x, i) => Math.max(max, Math.abs(x - (b[i] as number))), 0);
    expect(apart(own.logits, wanted.logits)).toBeLessThan(2e-5);
    expect(apart(own.grad, wanted.grad)).toBeLessThan(2e-4);
    // Control: it matters, but not before the first token that sees less.
    expect(apart(own.logits, open.logits)).toBeGreaterThan(1e-2);
    const first = 3 * model.config.vocabSize;
    expect(apart(own.logits.slice(0, first), open.logits.slice(0, first))).toBeLessThan(2e-5);
  });
});
