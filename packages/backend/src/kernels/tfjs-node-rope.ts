// Rotary embedding on tfjs-node: x cos + (x P) sin.
import * as tf from '@tensorflow/tfjs-core';
import { type RotaryPairs, rotaryPairs } from '../rotary-pairs.ts';
import { floatsOf, type NodeBackend, type NodeKernel, tensorOf } from './tfjs-node-binding.ts';

/** A loop does 2 ns a value; four operations of TensorFlow cost 70 microseconds. */
const LOOP_VALUES = 2 ** 15;

const pairings = new WeakMap<object, RotaryPairs>();

export const nodeRope: NodeKernel = (call) =>
  tf.util.sizeFromShape(call.inputs['x']!.shape) < LOOP_VALUES ? loop(call) : composed(call);

const loop: NodeKernel = ({ inputs, backend }) => {
  const x = inputs['x']!;
  const [tokens, heads, width] = x.shape as [number, number, number];
  const { partner, sign } = pairsOf(backend, inputs['pairs']!, width);
  const values = floatsOf(backend, x);
  const cos = floatsOf(backend, inputs['cos']!);
  const sin = floatsOf(backend, inputs['sin']!);
  const out = new Float32Array(values.length);
  for (let token = 0; token < tokens; token++) {
    const angle = token * width;
    for (let head = 0; head < heads; head++) {
      const at = (token * heads + head) * width;
      for (let i = 0; i < width; i++) {
        const turned = sign[i]! * values[at + partner[i]!]!;
        out[at + i] = values[at + i]! * cos[angle + i]! + turned * sin[angle + i]!;
      }
    }
  }
  return tensorOf(backend, out, x.shape);
};

const composed: NodeKernel = ({ inputs }) =>
  tf.tidy(() => {
    const { x, cos, sin, pairs } = inputs;
    const width = x!.shape.at(-1)!;
    const turned = tf.matMul(tf.reshape(x!, [-1, width]), pairs as tf.Tensor2D);
    return tf.add(tf.mul(x!, cos!), tf.mul(tf.reshape(turned, x!.shape), sin!));
  });

/** What the matrix P [e, e] says, read once. */
function pairsOf(backend: NodeBackend, pairs: tf.TensorInfo, width: number): RotaryPairs {
  let known = pairings.get(pairs.dataId);
  if (known === undefined) {
    known = rotaryPairs(floatsOf(backend, pairs), width);
    pairings.set(pairs.dataId, known);
  }
  return known;
}
