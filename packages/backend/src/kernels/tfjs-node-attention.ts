// Attention over blocks of cached keys on tfjs-node.
import * as tf from '@tensorflow/tfjs-core';
import { floatsOf, type NodeKernel, type NodeKernelCall, tensorOf } from './tfjs-node-binding.ts';
import { productOf } from './tfjs-node-product.ts';

/** A loop does a softmax at 10 ns a score; concatenation, sum, softmax and split cost 100 microseconds. */
const LOOP_SCORES = 2 ** 14;

interface Blocks {
  /** [S, kv, group * T, e]: the queries of one key head side by side. */
  readonly q: tf.Tensor;
  readonly k: readonly tf.Tensor[];
  readonly v: readonly tf.Tensor[];
  /** Keys of each block. */
  readonly sizes: readonly number[];
  readonly keys: number;
}

export const nodeAttention: NodeKernel = (call) =>
  tf.tidy(() => {
    const { inputs, attrs } = call;
    const [streams, heads, length, width] = inputs['q']!.shape as [number, number, number, number];
    const each = (side: string): tf.Tensor[] =>
      Array.from({ length: attrs['blocks'] as number }, (_, i) => inputs[`${side}${i}`]!);
    const [k, v] = [each('k'), each('v')];
    const kvHeads = k[0]!.shape[1]!;
    const sizes = k.map(({ shape }) => shape[2]!);
    const blocks: Blocks = {
      q: tf.reshape(inputs['q']!, [streams, kvHeads, (heads / kvHeads) * length, width]),
      k,
      v,
      sizes,
      keys: sizes.reduce((sum, size) => sum + size, 0),
    };
    const small = streams * heads * length * blocks.keys < LOOP_SCORES;
    const z = small ? loop(call, blocks) : composed(call, blocks);
    return tf.reshape(z, [streams, heads, length, v[0]!.shape[3]!]);
  });

function loop({ inputs, attrs, backend }: NodeKernelCall, blocks: Blocks): tf.Tensor {
  const { q, k, v, sizes, keys } = blocks;
  const [streams, heads, length] = inputs['q']!.shape as [number, number, number];
  const mask = inputs['mask'];
  const hidden = mask === undefined ? undefined : floatsOf(backend, mask);
  const own = mask === undefined || mask.shape[0] === 1 ? 0 : 1;
  const cap = attrs['softcap'] as number;
  const scores = k.map((block) => floatsOf(backend, productOf(backend, q, block, true)));
  const patterns = sizes.map((size) => new Float32Array(streams * heads * length * size));
  const line = new Float64Array(keys);
  for (let row = 0; row < streams * heads * length; row++) {
    const stream = Math.floor(row / (heads * length));
    const maskAt = (own * stream * length + (row % length)) * keys;
    let at = 0;
    let largest = Number.NEGATIVE_INFINITY;
    for (const [b, size] of sizes.entries()) {
      const from = scores[b]!;
      for (let i = 0; i < size; i++, at++) {
        let score = from[row * size + i]!;
        if (cap > 0) score = cap * Math.tanh(score / cap);
        if (hidden !== undefined) score += hidden[maskAt + at]!;
        line[at] = score;
        if (score > largest) largest = score;
      }
    }
    let sum = 0;
    for (let i = 0; i < keys; i++) {
      line[i] = Math.exp(line[i]! - largest);
      sum += line[i]!;
    }
    at = 0;
    for (const [b, size] of sizes.entries()) {
      const to = patterns[b]!;
      for (let i = 0; i < size; i++, at++) to[row * size + i] = line[at]! / sum;
    }
  }
  const parts = patterns.map((pattern, b) => {
    const p = tensorOf(backend, pattern, [...q.shape.slice(0, 3), sizes[b]!]);
    return floatsOf(backend, productOf(backend, p, v[b]!, false));
  });
  const out = new Float32Array(parts[0]!.length);
  for (const part of parts) for (let i = 0; i < out.length; i++) out[i]! += part[i]!;
  return tensorOf(backend, out, [...q.shape.slice(0, 3), v[0]!.shape[3]!]);
}

function composed({ inputs, attrs, backend }: NodeKernelCall, blocks: Blocks): tf.Tensor {
  const { q, k, v, sizes, keys } = blocks;
  const { mask } = inputs;
  const [streams, heads, length] = inputs['q']!.shape as [number, number, number];
  const cap = attrs['softcap'] as number;
  const parts = k.map((block) => productOf(backend, q, block, true));
  let scores = parts.length === 1 ? parts[0]! : tf.concat(parts, 3);
  if (cap > 0) scores = tf.mul(tf.tanh(tf.div(scores, cap)), cap);
  if (mask !== undefined) {
    // A mask differs by query, not by head.
    scores = tf.add(tf.reshape(scores, [streams, heads, length, keys]), mask);
    scores = tf.reshape(scores, [...q.shape.slice(0, 3), keys]);
  }
  const pattern = tf.softmax(scores);
  const split = parts.length === 1 ? [pattern] : tf.split(pattern, [...sizes], 3);
  const values = v.map((block, b) => productOf(backend, split[b]!, block, false));
  return values.length === 1 ? values[0]! : tf.addN(values);
}
