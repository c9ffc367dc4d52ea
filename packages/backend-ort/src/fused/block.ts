// Halves of a transformer block as one kernel each: the same products, without the engine's work between them.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel, KernelCall } from '../kernels/kernel.ts';
import { matMul } from '../kernels/matmul.ts';
import type { OrtBackend } from '../ort-backend.ts';
import { activation, gate } from './activation.ts';
import { norm } from './norm.ts';
import { rope } from './rope.ts';

/** x W + bias, a tensor that only the caller holds. */
function product(
  backend: OrtBackend,
  x: TensorInfo,
  w: TensorInfo,
  bias: TensorInfo | undefined,
): TensorInfo {
  const out = matMul(backend, { a: x, b: w, transposeA: false, transposeB: false });
  if (out === undefined) throw new Error('a fused kernel takes fp32 matrices that are not empty');
  if (bias !== undefined) addRow(backend.floats(out), backend.floats(bias));
  return out;
}

function addRow(values: Float32Array, row: Float32Array): void {
  const { length } = row;
  for (let start = 0; start < values.length; start += length) {
    for (let i = 0; i < length; i++) values[start + i]! += row[i]!;
  }
}

function addTo(values: Float32Array, other: Float32Array): void {
  for (let i = 0; i < values.length; i++) values[i]! += other[i]!;
}

/** Runs a kernel that never declines and gives one tensor. */
function run(kernel: Kernel, call: KernelCall): TensorInfo {
  return kernel(call) as TensorInfo;
}

export const addProduct: Kernel = ({ inputs, backend }) => {
  const out = product(backend, inputs['y']!, inputs['w']!, inputs['bias']);
  addTo(backend.floats(out), backend.floats(inputs['x']!));
  return out;
};

export const mlp: Kernel = (call) => {
  const { inputs, attrs, backend } = call;
  const normed = run(norm, call);
  const { wGate, wIn, wOut } = inputs;
  const up = product(backend, normed, wIn!, inputs['bIn']);
  let post: TensorInfo;
  if (wGate === undefined) {
    post = run(activation, { inputs: { x: up }, attrs, backend });
  } else {
    const pre = product(backend, normed, wGate, inputs['bGate']);
    post = run(gate, { inputs: { gate: pre, up }, attrs, backend });
    backend.disposeIntermediateTensorInfo(pre);
  }
  const out = product(backend, post, wOut!, inputs['bOut']);
  addTo(backend.floats(out), backend.floats(inputs['x']!));
  for (const info of [normed, up, post]) backend.disposeIntermediateTensorInfo(info);
  return out;
};

export const heads: Kernel = (call) => {
  const { inputs, attrs, backend } = call;
  const normed = run(norm, call);
  const tokens = normed.shape[0]!;
  const project = (letter: 'Q' | 'K' | 'V', count: number): TensorInfo => {
    const flat = product(backend, normed, inputs[`w${letter}`]!, inputs[`b${letter}`]);
    return { ...flat, shape: [tokens, count, flat.shape[1]! / count] };
  };
  const turn = (x: TensorInfo): TensorInfo => {
    const { cos, sin, pairs } = inputs;
    if (cos === undefined) return x;
    const turned = run(rope, { inputs: { x, cos, sin: sin!, pairs: pairs! }, attrs, backend });
    backend.disposeIntermediateTensorInfo(x);
    return turned;
  };
  const nHeads = attrs['nHeads'] as number;
  const nKvHeads = attrs['nKvHeads'] as number;
  // As fp32, so that the product is the one a separate tf.mul would give, to the last bit.
  const scale = Math.fround(attrs['scale'] as number);
  const q = turn(project('Q', nHeads));
  const values = backend.floats(q);
  if (scale !== 1) for (let i = 0; i < values.length; i++) values[i]! *= scale;
  const k = turn(project('K', nKvHeads));
  const v = project('V', nKvHeads);
  backend.disposeIntermediateTensorInfo(normed);
  return [q, k, v];
};
