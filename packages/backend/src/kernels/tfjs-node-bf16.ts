// Products with weights in bfloat16 on tfjs-node: below tfjs's type system its binding runs any TensorFlow type.
import * as tf from '@tensorflow/tfjs-core';
import { replaceKernel } from './replace-kernel.ts';
import { whenFreed } from './when-freed.ts';

/** TF_BFLOAT16 of TensorFlow's C API; the binding exports only the types that tfjs has. */
const BFLOAT16 = 14;
/** Smaller matrices stay in cache, where fewer bytes gain nothing over two casts. */
const SMALLEST_WEIGHT = 2 ** 16;

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

interface NodeBinding {
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_FLOAT: number;
  executeOp(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): { readonly id: number; readonly shape: number[]; readonly dtype: number }[];
  deleteTensor(id: number): void;
}

interface NodeBackend {
  readonly binding: NodeBinding;
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  createOutputTensor(made: { id: number; shape: number[]; dtype: number }): tf.Tensor;
}

/** Weights as bfloat16 handles, by data id; freed with the tensor. */
const rounded = new WeakMap<object, number>();
let active = false;

/**
 * Turns rounding on or off for products [N, K] x [K, M] (or its transpose; or [1, N, K] x [1, K, M]) with a matrix of 65,536 values
 * and more on the right; sums are in fp32, inputs are rounded to bfloat16 too. The fp32 weight stays.
 */
export function roundNodeProducts(on: boolean): void {
  active = on;
  if (!on) return;
  replaceKernel('BatchMatMul', 'tensorflow', (original) => (args) => {
    const { a, b } = args.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    const { transposeA, transposeB } = args.attrs as unknown as {
      transposeA: boolean;
      transposeB: boolean;
    };
    const single = b.shape.length === 2 || (b.shape.length === 3 && b.shape[0] === 1);
    const fits = single && a.shape.length === b.shape.length && !transposeA;
    const floats = a.dtype === 'float32' && b.dtype === 'float32';
    if (!active || !fits || !floats || tf.util.sizeFromShape(b.shape) < SMALLEST_WEIGHT) {
      return original!(args);
    }
    return product(args.backend as unknown as NodeBackend, { a, b, transposeB });
  });
  replaceKernel('_FusedMatMul', 'tensorflow', (original) => (args) => {
    const { a, b, bias } = args.inputs as Record<string, tf.TensorInfo>;
    const { activation, transposeA, transposeB } = args.attrs as Record<string, unknown>;
    if (!active || activation !== 'linear') return original!(args);
    const call = (kernel: string, inputs: tf.NamedTensorInfoMap, attrs: tf.NamedAttrMap) =>
      tf.getKernel(kernel, 'tensorflow').kernelFunc({ inputs, attrs, backend: args.backend });
    const attrs = { transposeA: transposeA === true, transposeB: transposeB === true };
    const y = call('BatchMatMul', { a: a!, b: b! }, attrs) as tf.TensorInfo;
    if (bias === undefined) return y;
    const sum = call('Add', { a: y, b: bias }, {});
    (y as tf.Tensor).dispose();
    return sum;
  });
}

function product(
  backend: NodeBackend,
  call: { readonly a: tf.TensorInfo; readonly b: tf.TensorInfo; readonly transposeB: boolean },
): tf.Tensor {
  const { binding } = backend;
  const weight = roundedWeight(backend, call.b);
  const x = cast(binding, backend.getInputTensorIds([call.a])[0]!, binding.TF_FLOAT, BFLOAT16);
  const type = (name: string, value: number): Attribute => ({
    name,
    type: binding.TF_ATTR_TYPE,
    value,
  });
  const flag = (name: string, value: boolean): Attribute => ({
    name,
    type: binding.TF_ATTR_BOOL,
    value,
  });
  // tf.fused.matMul arrives with a leading axis of 1, which only the batched operation takes.
  const batched = call.a.shape.length === 3;
  const attributes = [
    type('T', BFLOAT16),
    flag(batched ? 'adj_x' : 'transpose_a', false),
    flag(batched ? 'adj_y' : 'transpose_b', call.transposeB),
  ];
  const [y] = binding.executeOp(batched ? 'BatchMatMulV2' : 'MatMul', attributes, [x, weight], 1);
  binding.deleteTensor(x);
  const wide = castInfo(binding, y!.id, BFLOAT16, binding.TF_FLOAT);
  binding.deleteTensor(y!.id);
  return backend.createOutputTensor(wide);
}

function roundedWeight(backend: NodeBackend, weight: tf.TensorInfo): number {
  const known = rounded.get(weight.dataId);
  if (known !== undefined) return known;
  const { binding } = backend;
  const id = cast(binding, backend.getInputTensorIds([weight])[0]!, binding.TF_FLOAT, BFLOAT16);
  rounded.set(weight.dataId, id);
  whenFreed(backend as unknown as tf.KernelBackend, weight.dataId, () => {
    rounded.delete(weight.dataId);
    binding.deleteTensor(id);
  });
  return id;
}

function cast(binding: NodeBinding, id: number, from: number, to: number): number {
  return castInfo(binding, id, from, to).id;
}

function castInfo(binding: NodeBinding, id: number, from: number, to: number) {
  const attributes = [
    { name: 'SrcT', type: binding.TF_ATTR_TYPE, value: from },
    { name: 'DstT', type: binding.TF_ATTR_TYPE, value: to },
    { name: 'Truncate', type: binding.TF_ATTR_BOOL, value: false },
  ];
  return binding.executeOp('Cast', attributes, [id], 1)[0]!;
}
