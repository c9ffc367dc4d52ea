// Halves of a transformer block as one kernel each on tfjs-node: the products, and loops for what lies between them.
import * as tf from '@tensorflow/tfjs-core';
import { nodeActivation } from './tfjs-node-activation.ts';
import {
  floatsOf,
  type NodeBackend,
  type NodeKernel,
  type NodeKernelCall,
  tensorOf,
} from './tfjs-node-binding.ts';
import { withDeltas } from './tfjs-node-low-rank.ts';
import { nodeNorm } from './tfjs-node-norm.ts';
import { productOf } from './tfjs-node-product.ts';
import { nodeRope } from './tfjs-node-rope.ts';

/** A loop adds at 1 ns a value; an operation of TensorFlow costs 15 microseconds. */
const LOOP_VALUES = 2 ** 14;

/** x W + bias and its deltas, as `linear` of the transformer would compute them one by one. */
function product(call: NodeKernelCall, x: tf.Tensor, weight: string, bias: string): tf.Tensor {
  const { inputs, backend } = call;
  let y = productOf(backend, x, inputs[weight]!, false);
  if (inputs[bias] !== undefined) y = sum(backend, y, inputs[bias]);
  return withDeltas(call, weight, { x, y });
}

/** a + b, for `b` of the same shape or one row of it. fp32 sums have one rounding: the same bits either way. */
function sum(backend: NodeBackend, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  if (a.size >= LOOP_VALUES) return tf.add(a, b);
  const [left, right] = [floatsOf(backend, a), floatsOf(backend, b)];
  const out = new Float32Array(left.length);
  for (let start = 0; start < left.length; start += right.length) {
    for (let i = 0; i < right.length; i++) out[start + i] = left[start + i]! + right[i]!;
  }
  return tensorOf(backend, out, a.shape);
}

export const nodeAddProduct: NodeKernel = (call) =>
  tf.tidy(() => {
    const { x, y } = call.inputs as { x: tf.Tensor; y: tf.Tensor };
    return sum(call.backend, x, product(call, y, 'w', 'bias'));
  });

export const nodeMlp: NodeKernel = (call) =>
  tf.tidy(() => {
    const { inputs, attrs, backend } = call;
    const normed = nodeNorm(call);
    const up = product(call, normed, 'wIn', 'bIn');
    const gated = inputs['wGate'] !== undefined;
    const post = nodeActivation({
      inputs: gated ? { gate: product(call, normed, 'wGate', 'bGate'), up } : { x: up },
      attrs,
      backend,
    });
    return sum(backend, inputs['x']!, product(call, post, 'wOut', 'bOut'));
  });

export const nodeHeads = (call: NodeKernelCall): tf.Tensor[] =>
  tf.tidy(() => {
    const { inputs, attrs, backend } = call;
    const { cos, sin, pairs } = inputs;
    const normed = nodeNorm(call);
    const byHead = (letter: 'Q' | 'K' | 'V', heads: unknown): tf.Tensor => {
      const y = product(call, normed, `w${letter}`, `b${letter}`);
      const shape = [y.shape[0]!, heads as number, y.shape[1]! / (heads as number)];
      // As values a tensor takes another shape for nothing.
      if (y.size < LOOP_VALUES) return tensorOf(backend, floatsOf(backend, y), shape);
      return tf.reshape(y, shape);
    };
    const turned = (x: tf.Tensor): tf.Tensor =>
      cos === undefined
        ? x
        : nodeRope({ inputs: { x, cos, sin: sin!, pairs: pairs! }, attrs, backend });
    const q = turned(byHead('Q', attrs['nHeads']));
    const k = turned(byHead('K', attrs['nKvHeads']));
    const v = byHead('V', attrs['nKvHeads']);
    return [scaled(backend, q, attrs['scale'] as number), k, v];
  });

function scaled(backend: NodeBackend, x: tf.Tensor, scale: number): tf.Tensor {
  if (scale === 1) return x;
  if (x.size >= LOOP_VALUES) return tf.mul(x, scale);
  // As fp32, so that the product is the one that tf.mul gives.
  const factor = Math.fround(scale);
  return tensorOf(
    backend,
    floatsOf(backend, x).map((value) => value * factor),
    x.shape,
  );
}
