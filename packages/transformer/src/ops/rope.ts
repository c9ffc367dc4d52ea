// Rotary position embedding: x cos + (x P) sin, with P the signed permutation that pairs dimensions.
import { runFused } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { RotaryConfig } from '../config/model-config.ts';
import { isTaped } from './is-taped.ts';
import { tapedRope } from './rope-gradient.ts';

/** Cosines and sines of every token, widened to the head: [N, 1, e]; dims that do not rotate have 1 and 0. */
export interface RopeTensors {
  readonly cos: tf.Tensor3D;
  readonly sin: tf.Tensor3D;
  /** [e, e]; x P is x with each pair (a, b) replaced by (-b, a). */
  readonly pairs: tf.Tensor2D;
}

/** Rotates `x` [N, heads, e]. One form for halves, neighbouring pairs and partial rotation. */
export function rope(x: tf.Tensor3D, { cos, sin, pairs }: RopeTensors): tf.Tensor3D {
  const tables = { cos, sin, pairs };
  const rotate = (y: tf.Tensor3D): tf.Tensor3D =>
    (runFused('SafeInferRope', { x: y, ...tables }, {}) as tf.Tensor3D | undefined) ??
    composedRope(y, tables);
  return isTaped() ? tapedRope(x, tables, rotate) : rotate(x);
}

/** The rotation as tfjs operations: differentiable, on any backend. */
export function composedRope(x: tf.Tensor3D, { cos, sin, pairs }: RopeTensors): tf.Tensor3D {
  const [tokens, heads, width] = x.shape;
  const turned = tf.reshape(tf.matMul(tf.reshape(x, [tokens * heads, width]), pairs), x.shape);
  return tf.add(tf.mul(x, cos), tf.mul(turned, sin));
}

/** The two dims of rotary pair `i`. */
function pairOf(rotary: RotaryConfig, i: number): [number, number] {
  return rotary.interleaved ? [2 * i, 2 * i + 1] : [i, i + rotary.dim / 2];
}

/** The matrix P [e, e] of a head of width `dHead`, row-major. */
export function pairMatrix(rotary: RotaryConfig, dHead: number): Float32Array {
  const matrix = new Float32Array(dHead * dHead);
  for (let i = 0; i < rotary.dim / 2; i++) {
    const [a, b] = pairOf(rotary, i);
    matrix[b * dHead + a] = -1; // output a reads -b
    matrix[a * dHead + b] = 1; // output b reads a
  }
  return matrix;
}

/** Spreads `half` (values of each pair, for one position) over a head's row of `out` at `offset`. */
export function spreadPairs(options: {
  readonly rotary: RotaryConfig;
  readonly half: Float32Array;
  readonly out: Float32Array;
  readonly offset: number;
}): void {
  const { rotary, half, out, offset } = options;
  for (let i = 0; i < half.length; i++) {
    const [a, b] = pairOf(rotary, i);
    out[offset + a] = half[i] as number;
    out[offset + b] = half[i] as number;
  }
}
