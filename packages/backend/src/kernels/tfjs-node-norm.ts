// RMSNorm and LayerNorm over the last axis on tfjs-node.
import * as tf from '@tensorflow/tfjs-core';
import { floatsOf, type NodeKernel, tensorOf } from './tfjs-node-binding.ts';

/** A loop does 1 ns a value and two passes; six operations of TensorFlow cost 100 microseconds. */
const LOOP_VALUES = 2 ** 15;

export const nodeNorm: NodeKernel = (call) =>
  tf.util.sizeFromShape(call.inputs['x']!.shape) < LOOP_VALUES ? loop(call) : composed(call);

const loop: NodeKernel = ({ inputs, attrs, backend }) => {
  const { x, gain, bias } = inputs;
  const offset = attrs['gainOffset'] as number;
  const eps = attrs['eps'] as number;
  const values = floatsOf(backend, x!);
  const gains = floatsOf(backend, gain!);
  const biases = bias === undefined ? undefined : floatsOf(backend, bias);
  const width = x!.shape.at(-1)!;
  const out = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += width) {
    let mean = 0;
    if (attrs['kind'] === 'layer') {
      for (let i = 0; i < width; i++) mean += values[start + i]!;
      mean /= width;
    }
    let squares = 0;
    for (let i = 0; i < width; i++) {
      const centred = values[start + i]! - mean;
      squares += centred * centred;
    }
    const factor = 1 / Math.sqrt(squares / width + eps);
    for (let i = 0; i < width; i++) {
      const scaled = (values[start + i]! - mean) * factor * (gains[i]! + offset);
      out[start + i] = biases === undefined ? scaled : scaled + biases[i]!;
    }
  }
  return tensorOf(backend, out, x!.shape);
};

const composed: NodeKernel = ({ inputs, attrs }) =>
  tf.tidy(() => {
    const { x, gain, bias } = inputs;
    const centred = attrs['kind'] === 'layer' ? tf.sub(x!, tf.mean(x!, -1, true)) : x!;
    const squares = tf.mean(tf.mul(centred, centred), -1, true);
    const normalized = tf.div(centred, tf.sqrt(tf.add(squares, attrs['eps'] as number)));
    const offset = attrs['gainOffset'] as number;
    const scaled = tf.mul(normalized, offset === 0 ? gain! : tf.add(gain!, offset));
    return bias === undefined ? scaled : tf.add(scaled, bias);
  });
