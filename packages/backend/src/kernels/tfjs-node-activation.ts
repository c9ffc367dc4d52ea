// MLP activations on tfjs-node, alone or times the up projection.
import * as tf from '@tensorflow/tfjs-core';
import { ACTIVATION_LOOPS } from '../activation-loops.ts';
import type { FusedActivation } from '../fused-kernels.ts';
import { floatsOf, type NodeKernel, tensorOf } from './tfjs-node-binding.ts';

/** A loop does 8 ns a value; three operations of TensorFlow cost 60 microseconds, and two readings. */
const LOOP_VALUES = 8192;

const LOOP: Readonly<Partial<Record<FusedActivation, (x: number) => number>>> = ACTIVATION_LOOPS;

const COMPOSED: Readonly<Record<FusedActivation, (x: tf.Tensor) => tf.Tensor>> = {
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  gelu_tanh: (x) => {
    const cubic = tf.mul(tf.mul(tf.mul(x, x), x), 0.044715);
    const inner = tf.mul(tf.add(x, cubic), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  },
  quick_gelu: (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  relu: (x) => tf.relu(x),
};

/** activation(x), or activation(gate) * up. */
export const nodeActivation: NodeKernel = ({ inputs, attrs, backend }) => {
  const { up } = inputs;
  const x = inputs['gate'] ?? inputs['x']!;
  const activation = attrs['activation'] as FusedActivation;
  const apply = LOOP[activation];
  if (apply === undefined || tf.util.sizeFromShape(x.shape) >= LOOP_VALUES) {
    return tf.tidy(() => {
      const y = COMPOSED[activation](x);
      return up === undefined ? y : tf.mul(y, up);
    });
  }
  const values = floatsOf(backend, x);
  const factors = up === undefined ? undefined : floatsOf(backend, up);
  const out = new Float32Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const y = apply(values[i]!);
    out[i] = factors === undefined ? y : y * factors[i]!;
  }
  return tensorOf(backend, out, x.shape);
};
