// Parameters as few long vectors, so that a step of the optimiser takes a handful of operations, not thousands.
import * as tf from '@tensorflow/tfjs-core';

export interface ParameterInfo {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether weight decay acts on it. */
  readonly decayed: boolean;
}

/** Consecutive entries of one vector. */
export interface Slab {
  readonly decayed: boolean;
  /** Indices of its parameters. */
  readonly members: readonly number[];
  readonly sizes: readonly number[];
}

/** Longest slab: 64 MB as fp32, under the binding limits of GPUs. */
const MAX_SIZE = 1 << 24;

/** Groups parameters with and without decay, in order. */
export function slabsOf(parameters: readonly ParameterInfo[]): Slab[] {
  const slabs: Slab[] = [];
  for (const decayed of [true, false]) {
    let members: number[] = [];
    let sizes: number[] = [];
    let total = 0;
    const close = (): void => {
      if (members.length > 0) slabs.push({ decayed, members, sizes });
      members = [];
      sizes = [];
      total = 0;
    };
    parameters.forEach((parameter, index) => {
      if (parameter.decayed !== decayed) return;
      const size = sizeOf(parameter.shape);
      if (total + size > MAX_SIZE) close();
      members.push(index);
      sizes.push(size);
      total += size;
    });
    close();
  }
  return slabs;
}

/** The slabs' vectors from one tensor per parameter; undefined counts as zeros. */
export function flatten(
  slabs: readonly Slab[],
  tensors: readonly (tf.Tensor | undefined)[],
): tf.Tensor1D[] {
  return slabs.map(({ members, sizes }) =>
    tf.tidy(() => {
      const parts = members.map((index, i): tf.Tensor1D => {
        const size = sizes[i] as number;
        const tensor = tensors[index];
        return tensor === undefined ? tf.zeros([size]) : tf.reshape(tensor, [size]);
      });
      return parts.length === 1 ? tf.clone(parts[0] as tf.Tensor1D) : tf.concat(parts);
    }),
  );
}

/** One tensor per parameter, cut out of the slabs' vectors. */
export function unflatten(
  slabs: readonly Slab[],
  vectors: readonly tf.Tensor1D[],
  parameters: readonly ParameterInfo[],
): tf.Tensor[] {
  const out: tf.Tensor[] = new Array(parameters.length);
  slabs.forEach(({ members, sizes }, s) => {
    const vector = vectors[s] as tf.Tensor1D;
    const parts = members.length === 1 ? [vector] : tf.split(vector, [...sizes]);
    members.forEach((index, i) => {
      const { shape } = parameters[index] as ParameterInfo;
      out[index] = tf.reshape(parts[i] as tf.Tensor, [...shape]);
    });
    if (members.length > 1) tf.dispose(parts);
  });
  return out;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}
