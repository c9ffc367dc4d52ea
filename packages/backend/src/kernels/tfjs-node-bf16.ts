// Products with weights in bfloat16 on tfjs-node: below tfjs's type system its binding runs any TensorFlow type.
import * as tf from '@tensorflow/tfjs-core';
import { replaceKernel } from './replace-kernel.ts';
import { BFLOAT16, type NodeBackend } from './tfjs-node-binding.ts';
import { cast, type Factors, isSingle, matrixProduct } from './tfjs-node-product.ts';
import { whenFreed } from './when-freed.ts';

/** Smaller matrices stay in cache, where fewer bytes gain nothing over two casts. */
const SMALLEST_WEIGHT = 2 ** 16;

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
    const fits = isSingle(b) && isSingle(a) && !transposeA;
    const floats = a.dtype === 'float32' && b.dtype === 'float32';
    if (!active || !fits || !floats || tf.util.sizeFromShape(b.shape) < SMALLEST_WEIGHT) {
      return original!(args);
    }
    return product(args.backend as unknown as NodeBackend, { a, b, transposeA, transposeB });
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

function product(backend: NodeBackend, factors: Factors): tf.Tensor {
  const weight = roundedWeight(backend, factors.b);
  const wide = backend.getInputTensorIds([factors.a])[0]!;
  const x = cast(backend, wide, { from: backend.binding.TF_FLOAT, to: BFLOAT16 }).id;
  const y = matrixProduct(backend, factors, BFLOAT16, [x, weight]);
  backend.binding.deleteTensor(x);
  return y;
}

function roundedWeight(backend: NodeBackend, weight: tf.TensorInfo): number {
  const known = rounded.get(weight.dataId);
  if (known !== undefined) return known;
  const { binding } = backend;
  const wide = backend.getInputTensorIds([weight])[0]!;
  const { id } = cast(backend, wide, { from: binding.TF_FLOAT, to: BFLOAT16 });
  rounded.set(weight.dataId, id);
  whenFreed(backend as unknown as tf.KernelBackend, weight.dataId, () => {
    rounded.delete(weight.dataId);
    binding.deleteTensor(id);
  });
  return id;
}
