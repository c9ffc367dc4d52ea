// Halves of a transformer block as one kernel each: the same products, without the engine's work between them.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel, KernelCall } from '../kernels/kernel.ts';
import { matMul } from '../kernels/matmul.ts';
import type { OrtBackend } from '../ort-backend.ts';
import { joinedFor } from '../weights/promotion.ts';
import { activation, gate } from './activation.ts';
import { addDeltas } from './low-rank.ts';
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

/** `product` of one `x` [N, D] and several weights: in one session where they are joined. */
function products(
  backend: OrtBackend,
  x: TensorInfo,
  factors: readonly { readonly w: TensorInfo; readonly bias: TensorInfo | undefined }[],
): TensorInfo[] {
  const rows = x.shape[0]!;
  const joined = joinedFor(backend, { weights: factors.map(({ w }) => w), rows });
  if (joined === undefined) return factors.map(({ w, bias }) => product(backend, x, w, bias));
  const outs = factors.map(({ w }) => backend.output([rows, w.shape[1]!]));
  joined.multiply(
    backend.floats(x),
    rows,
    outs.map(({ values }) => values),
  );
  factors.forEach(({ bias }, i) => {
    if (bias !== undefined) addRow(outs[i]!.values, backend.floats(bias));
  });
  return outs.map(({ info }) => info);
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

export const addProduct: Kernel = (call) => {
  const { inputs, backend } = call;
  const out = product(backend, inputs['y']!, inputs['w']!, inputs['bias']);
  addDeltas(call, inputs['y']!, { w: out });
  addTo(backend.floats(out), backend.floats(inputs['x']!));
  return out;
};

export const mlp: Kernel = (call) => {
  const { inputs, attrs, backend } = call;
  const normed = run(norm, call);
  const { wGate, wIn, wOut } = inputs;
  let up: TensorInfo;
  let post: TensorInfo;
  if (wGate === undefined) {
    up = product(backend, normed, wIn!, inputs['bIn']);
    addDeltas(call, normed, { wIn: up });
    post = run(activation, { inputs: { x: up }, attrs, backend });
  } else {
    const both = products(backend, normed, [
      { w: wGate, bias: inputs['bGate'] },
      { w: wIn!, bias: inputs['bIn'] },
    ]);
    const pre = both[0]!;
    up = both[1]!;
    addDeltas(call, normed, { wGate: pre, wIn: up });
    post = run(gate, { inputs: { gate: pre, up }, attrs, backend });
    backend.disposeIntermediateTensorInfo(pre);
  }
  const out = product(backend, post, wOut!, inputs['bOut']);
  addDeltas(call, post, { wOut: out });
  addTo(backend.floats(out), backend.floats(inputs['x']!));
  for (const info of [normed, up, post]) backend.disposeIntermediateTensorInfo(info);
  return out;
};

export const heads: Kernel = (call) => {
  const { inputs, attrs, backend } = call;
  const normed = run(norm, call);
  const tokens = normed.shape[0]!;
  const flat = products(
    backend,
    normed,
    (['Q', 'K', 'V'] as const).map((letter) => ({
      w: inputs[`w${letter}`]!,
      bias: inputs[`b${letter}`],
    })),
  );
  addDeltas(call, normed, { wQ: flat[0]!, wK: flat[1]!, wV: flat[2]! });
  const byHead = (x: TensorInfo, count: number): TensorInfo => ({
    ...x,
    shape: [tokens, count, x.shape[1]! / count],
  });
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
  const q = turn(byHead(flat[0]!, nHeads));
  const values = backend.floats(q);
  if (scale !== 1) for (let i = 0; i < values.length; i++) values[i]! *= scale;
  const k = turn(byHead(flat[1]!, nKvHeads));
  const v = byHead(flat[2]!, nKvHeads);
  backend.disposeIntermediateTensorInfo(normed);
  return [q, k, v];
};
