// Kernels that tfjs-backend-wasm lacks, and a matrix product that keeps to its one fast path.
import * as tf from '@tensorflow/tfjs-core';
import { replaceKernel } from './replace-kernel.ts';
import { segmentSum } from './segment-sum.ts';
import { addCpuFallbacks } from './wasm-fallbacks.ts';

interface WasmBackend {
  makeOutput(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): Float32Array | Int32Array;
  disposeData(dataId: object): boolean;
}

/**
 * Below this many multiply-adds a product, the naive loop costs less than the copies that avoid it
 * (512 is 8 x 8 x 8; the naive loop does about 1 multiply-add a nanosecond, a copy costs a few microseconds).
 */
const NAIVE_LIMIT = 4096;

/**
 * Adds UnsortedSegmentSum, replaces both matrix products and ClipByValue, and leaves to cpu what wasm lacks, on
 * backend `wasm`. tfjs-backend-cpu must be loaded. Idempotent.
 */
export function registerWasmKernels(): void {
  replaceKernel('UnsortedSegmentSum', 'wasm', () => (args) => {
    const backend = args.backend as unknown as WasmBackend;
    const { x, segmentIds } = args.inputs as Record<string, tf.TensorInfo>;
    const numSegments = args.attrs?.['numSegments'] as unknown as number;
    const shape = [numSegments, ...x!.shape.slice(segmentIds!.shape.length)];
    const out = backend.makeOutput(shape, x!.dtype === 'int32' ? 'int32' : 'float32');
    // The heap may have grown in makeOutput, which detaches earlier views: take all three after it.
    const values = backend.typedArrayFromHeap(out);
    values.fill(0);
    segmentSum(
      backend.typedArrayFromHeap(x!),
      backend.typedArrayFromHeap(segmentIds!),
      numSegments,
      values,
    );
    return out;
  });
  // The stock kernel turns NaN into the lower bound, which hides it from every later check.
  replaceKernel('ClipByValue', 'wasm', (original) => (args) => {
    const out = original!(args) as tf.TensorInfo;
    if (out.dtype !== 'float32') return out;
    const backend = args.backend as unknown as WasmBackend;
    const { x } = args.inputs as { x: tf.TensorInfo };
    const input = backend.typedArrayFromHeap(x);
    const clipped = backend.typedArrayFromHeap(out);
    for (let i = 0; i < input.length; i++) if (Number.isNaN(input[i])) clipped[i] = Number.NaN;
    return out;
  });
  replaceKernel('BatchMatMul', 'wasm', (original) => (args) => fastMatMul(args, original!));
  replaceKernel('_FusedMatMul', 'wasm', (original) => (args) => fusedMatMul(args, original!));
  addCpuFallbacks();
}

/** The stock fused kernel is wrong when a side is transposed and a bias added: transpose first. */
function fusedMatMul(args: Parameters<tf.KernelFunc>[0], original: tf.KernelFunc): tf.TensorInfo {
  const { transposeA, transposeB } = args.attrs as unknown as {
    transposeA: boolean;
    transposeB: boolean;
  };
  if (!transposeA && !transposeB) return original(args) as tf.TensorInfo;
  const backend = args.backend as unknown as WasmBackend;
  const { a, b } = args.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const left = transposeA ? transposeLast(a, args.backend) : a;
  const right = transposeB ? transposeLast(b, args.backend) : b;
  try {
    return original({
      ...args,
      inputs: { ...args.inputs, a: left, b: right },
      attrs: { ...args.attrs, transposeA: false, transposeB: false },
    }) as tf.TensorInfo;
  } finally {
    if (transposeA) backend.disposeData(left.dataId);
    if (transposeB) backend.disposeData(right.dataId);
  }
}

/**
 * XNNPACK serves only one product of untransposed operands; anything else falls to a loop 15 to 28
 * times slower. So operands are transposed explicitly and a batch becomes separate products.
 */
function fastMatMul(args: Parameters<tf.KernelFunc>[0], original: tf.KernelFunc): tf.TensorInfo {
  const backend = args.backend as unknown as WasmBackend;
  const { a, b } = args.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const { transposeA, transposeB } = args.attrs as unknown as {
    transposeA: boolean;
    transposeB: boolean;
  };
  const call = (x: tf.TensorInfo, y: tf.TensorInfo): tf.TensorInfo =>
    original({
      inputs: { a: x, b: y },
      backend: args.backend,
      attrs: { transposeA: false, transposeB: false },
    }) as tf.TensorInfo;
  const rows = a.shape.at(transposeA ? -1 : -2) ?? 0;
  const inner = a.shape.at(transposeA ? -2 : -1) ?? 0;
  const columns = b.shape.at(transposeB ? -2 : -1) ?? 0;
  const batchA = tf.util.sizeFromShape(a.shape.slice(0, -2));
  const batchB = tf.util.sizeFromShape(b.shape.slice(0, -2));
  const plain = !transposeA && !transposeB && batchA === 1 && batchB === 1;
  const floats = a.dtype === 'float32' && b.dtype === 'float32';
  // Only batches that are equal, or one against many, split without working out broadcasting.
  const splits = batchA === batchB || batchA === 1 || batchB === 1;
  if (plain || !floats || !splits || rows * inner * columns < NAIVE_LIMIT) {
    return original(args) as tf.TensorInfo;
  }
  const left = transposeA ? transposeLast(a, args.backend) : a;
  const right = transposeB ? transposeLast(b, args.backend) : b;
  try {
    if (batchA === 1 && batchB === 1) return call(left, right);
    const outer = tf.backend_util.assertAndGetBroadcastShape(
      a.shape.slice(0, -2),
      b.shape.slice(0, -2),
    );
    const out = backend.makeOutput([...outer, rows, columns], 'float32');
    for (let index = 0; index < Math.max(batchA, batchB); index++) {
      const x = matrixAt(backend, left, batchA === 1 ? 0 : index, [rows, inner]);
      const y = matrixAt(backend, right, batchB === 1 ? 0 : index, [inner, columns]);
      const product = call(x, y);
      const target = backend.typedArrayFromHeap(out) as Float32Array;
      target.set(backend.typedArrayFromHeap(product) as Float32Array, index * rows * columns);
      for (const info of [x, y, product]) backend.disposeData(info.dataId);
    }
    return out;
  } finally {
    if (transposeA) backend.disposeData(left.dataId);
    if (transposeB) backend.disposeData(right.dataId);
  }
}

function transposeLast(x: tf.TensorInfo, backend: unknown): tf.TensorInfo {
  const rank = x.shape.length;
  const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  return tf.getKernel('Transpose', 'wasm').kernelFunc({
    inputs: { x },
    backend: backend as object,
    attrs: { perm },
  }) as tf.TensorInfo;
}

function matrixAt(
  backend: WasmBackend,
  x: tf.TensorInfo,
  index: number,
  shape: [number, number],
): tf.TensorInfo {
  const size = shape[0] * shape[1];
  const out = backend.makeOutput(shape, 'float32');
  const source = backend.typedArrayFromHeap(x) as Float32Array;
  const target = backend.typedArrayFromHeap(out) as Float32Array;
  target.set(source.subarray(index * size, (index + 1) * size));
  return out;
}
