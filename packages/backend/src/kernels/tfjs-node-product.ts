// Which of TensorFlow's products runs when there are few rows: tfjs-node always asks for the batched one.
import * as tf from '@tensorflow/tfjs-core';
import { wrapKernel } from './replace-kernel.ts';
import { flagAttribute, type NodeBackend, typeAttribute } from './tfjs-node-binding.ts';

/** Beyond this many rows the batched product of one matrix is as fast as the plain one. */
const FEW_ROWS = 16;
/**
 * Batched products with at most as many rows take Eigen's form (BatchMatMulV3): oneDNN's, which TensorFlow puts in
 * the place of BatchMatMulV2, costs 150 microseconds whatever its size, and 100 more for a new shape, which the
 * keys have at every step.
 */
const FEW_BATCHED_ROWS = 4;

export interface Factors {
  readonly a: tf.TensorInfo;
  readonly b: tf.TensorInfo;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

let chosen = false;

/** Takes effect for products of fp32 from here on; harmless when called again. */
export function chooseNodeProducts(): void {
  if (chosen) return;
  chosen = true;
  // Not replaceKernel: tfjs-node-bf16 replaces the same kernel, over this one.
  wrapKernel('BatchMatMul', 'tensorflow', (original) => {
    // In TensorFlow since 2.6; an own build may be older.
    let hasV3 = true;
    return (args) => {
      const { a, b } = args.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
      const { transposeA, transposeB } = args.attrs as Record<string, unknown>;
      if (a.dtype !== 'float32' || b.dtype !== 'float32') return original!(args);
      const backend = args.backend as unknown as NodeBackend;
      const factors = { a, b, transposeA: transposeA === true, transposeB: transposeB === true };
      const rows = a.shape[a.shape.length - (factors.transposeA ? 1 : 2)]!;
      if (isSingle(a) && isSingle(b)) {
        if (rows > FEW_ROWS) return original!(args);
        return matrixProduct(backend, factors, backend.binding.TF_FLOAT);
      }
      if (!hasV3 || rows > FEW_BATCHED_ROWS) return original!(args);
      try {
        return batchedProduct(backend, factors);
      } catch (error) {
        if (!String(error).includes('BatchMatMulV3')) throw error;
        hasV3 = false;
        return original!(args);
      }
    };
  });
}

/** True for [n, m] and for the [1, n, m] that tf.fused.matMul makes of it. */
export function isSingle({ shape }: tf.TensorInfo): boolean {
  return shape.length === 2 || (shape.length === 3 && shape[0] === 1);
}

/** The product of two single matrices, in `type`, from handles (`ids`) or from the tensors themselves. */
export function matrixProduct(
  backend: NodeBackend,
  factors: Factors,
  type: number,
  ids: readonly number[] = backend.getInputTensorIds([factors.a, factors.b]),
): tf.Tensor {
  const { a, b, transposeA, transposeB } = factors;
  const { binding } = backend;
  const flat = [a, b].map(({ shape }, i) => matrixOf(backend, { id: ids[i]!, shape, type }));
  const attributes = [
    typeAttribute(backend, 'T', type),
    flagAttribute(backend, 'transpose_a', transposeA),
    flagAttribute(backend, 'transpose_b', transposeB),
  ];
  let made = binding.executeOp('MatMul', attributes, flat, 1)[0]!;
  for (const [i, id] of flat.entries()) if (id !== ids[i]) binding.deleteTensor(id);
  if (type !== binding.TF_FLOAT) {
    const wide = cast(backend, made.id, { from: type, to: binding.TF_FLOAT });
    binding.deleteTensor(made.id);
    made = wide;
  }
  const y = backend.createOutputTensor(made);
  // Leading axes of 1 come back, as the batched product would have kept them.
  const rank = Math.max(a.shape.length, b.shape.length);
  return rank === 2 ? y : reshaped(y, [1, ...made.shape]);
}

/** The handle of a matrix as [n, m]: the same, or another over the same memory. */
function matrixOf(
  backend: NodeBackend,
  matrix: { readonly id: number; readonly shape: readonly number[]; readonly type: number },
): number {
  const { binding } = backend;
  if (matrix.shape.length === 2) return matrix.id;
  const shape = binding.createTensor([2], binding.TF_INT32, Int32Array.from(matrix.shape.slice(1)));
  const attributes = [
    typeAttribute(backend, 'T', matrix.type),
    typeAttribute(backend, 'Tshape', binding.TF_INT32),
  ];
  const [made] = binding.executeOp('Reshape', attributes, [matrix.id, shape], 1);
  binding.deleteTensor(shape);
  return made!.id;
}

function reshaped(x: tf.Tensor, shape: number[]): tf.Tensor {
  const y = tf.reshape(x, shape);
  x.dispose();
  return y;
}

export function cast(
  backend: NodeBackend,
  id: number,
  types: { readonly from: number; readonly to: number },
) {
  const attributes = [
    typeAttribute(backend, 'SrcT', types.from),
    typeAttribute(backend, 'DstT', types.to),
    flagAttribute(backend, 'Truncate', false),
  ];
  return backend.binding.executeOp('Cast', attributes, [id], 1)[0]!;
}

function batchedProduct(backend: NodeBackend, factors: Factors): tf.Tensor {
  const { binding } = backend;
  const attributes = [
    ...['Ta', 'Tb', 'Tout'].map((name) => typeAttribute(backend, name, binding.TF_FLOAT)),
    flagAttribute(backend, 'adj_x', factors.transposeA),
    flagAttribute(backend, 'adj_y', factors.transposeB),
  ];
  const ids = backend.getInputTensorIds([factors.a, factors.b]);
  return backend.createOutputTensor(binding.executeOp('BatchMatMulV3', attributes, ids, 1)[0]!);
}

/** `tf.matMul` without its checks: whatever kernel products have, so that a fused kernel gets the same bits. */
export function productOf(
  backend: NodeBackend,
  a: tf.Tensor,
  b: tf.Tensor,
  transposeB: boolean,
): tf.Tensor {
  const { kernelFunc } = tf.getKernel('BatchMatMul', 'tensorflow');
  const attrs = { transposeA: false, transposeB };
  return kernelFunc({ inputs: { a, b }, attrs, backend }) as tf.Tensor;
}
