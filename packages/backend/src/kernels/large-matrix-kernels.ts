// Kernels that read a matrix beyond a backend's largest tensor in parts: lookups, products and slices of embeddings.
import * as tf from '@tensorflow/tfjs-core';
import { hostValues, type MatrixPart, type MatrixParts, partsOf, write } from './matrix-parts.ts';
import { wrapKernel } from './replace-kernel.ts';
import { tensorLimit } from './tensor-limit.ts';

type KernelArguments = Parameters<tf.KernelFunc>[0];

const installed = new Set<string>();

/**
 * Lets `backendName` read float32 matrices larger than `tensorLimit(backendName)` in the four operations that
 * embeddings need: `gather` of rows, `matMul` with it on the right (also fused with a bias, also of the gradient
 * of its left side), and `slice`. Results are still bound by the limit. Idempotent; costs nothing without a limit.
 */
export function readLargeMatrices(backendName: string): void {
  if (installed.has(backendName)) return;
  installed.add(backendName);
  const when = (
    kernelName: string,
    name: string,
    own: (args: KernelArguments, limit: number) => tf.TensorInfo | undefined,
  ): void => {
    if (tf.getKernel(kernelName, backendName) === undefined) return;
    wrapKernel(kernelName, backendName, (original) => (args) => {
      const limit = tensorLimit(backendName);
      const x = args.inputs[name];
      if (limit === undefined || x === undefined || !isLarge(x, limit)) return original!(args);
      return own(args, limit) ?? original!(args);
    });
  };
  when('GatherV2', 'x', (args, limit) => gatherRows(new Kernels(backendName, args), args, limit));
  when('BatchMatMul', 'b', (args, limit) => multiply(new Kernels(backendName, args), args, limit));
  when('_FusedMatMul', 'b', (args, limit) => {
    const { activation, ...attrs } = args.attrs as Record<string, unknown>;
    if (activation !== 'linear') return undefined;
    const kernels = new Kernels(backendName, args);
    const { a, b, bias } = args.inputs as Record<string, tf.TensorInfo>;
    const plain = { ...args, inputs: { a: a!, b: b! }, attrs: attrs as tf.NamedAttrMap };
    const product = multiply(kernels, plain, limit);
    if (product === undefined || bias === undefined) return product;
    return kernels.using([product], () => kernels.run('Add', { a: product, b: bias }));
  });
  when('Slice', 'x', sliceOnHost);
}

function isLarge(x: tf.TensorInfo, limit: number): boolean {
  const bytes = Float32Array.BYTES_PER_ELEMENT * tf.util.sizeFromShape(x.shape);
  return (
    x.dtype === 'float32' && bytes > limit && tf.util.sizeFromShape(x.shape.slice(0, -2)) === 1
  );
}

/** Kernels of one backend on tensors that the engine does not know of. */
class Kernels {
  readonly backend: tf.KernelBackend;
  readonly #name: string;

  constructor(name: string, args: KernelArguments) {
    this.backend = args.backend as tf.KernelBackend;
    this.#name = name;
  }

  run(kernelName: string, inputs: object, attrs: object = {}): tf.TensorInfo {
    return tf.getKernel(kernelName, this.#name).kernelFunc({
      inputs: inputs as tf.NamedTensorInfoMap,
      attrs: attrs as tf.NamedAttrMap,
      backend: this.backend,
    }) as tf.TensorInfo;
  }

  /** Frees `infos` after `make`, also when it throws. */
  using(infos: readonly tf.TensorInfo[], make: () => tf.TensorInfo): tf.TensorInfo {
    try {
      return make();
    } finally {
      for (const { dataId } of infos) this.backend.disposeData(dataId);
    }
  }
}

/** Rows by index: each part's rows take the place of the earlier parts' where the index reaches it. */
function gatherRows(
  kernels: Kernels,
  args: KernelArguments,
  limit: number,
): tf.TensorInfo | undefined {
  const { x, indices } = args.inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
  const { axis, batchDims } = args.attrs as unknown as { axis: number; batchDims: number };
  if (x.shape.length !== 2 || axis !== 0 || batchDims !== 0) return undefined;
  const split = partsOf(kernels.backend, x, limit);
  if (split.axis !== 0) return undefined;
  const flat = { ...indices, shape: [tf.util.sizeFromShape(indices.shape)] };
  const integer = (value: number): tf.TensorInfo =>
    write(kernels.backend, Int32Array.of(value), []);
  const found = fold(kernels, split, ({ start, size, info }, earlier) => {
    const [first, zero, last] = [integer(start), integer(0), integer(size - 1)];
    return kernels.using([first, zero, last], () => {
      const moved = kernels.run('Sub', { a: flat, b: first });
      const from = kernels.using([moved], () => kernels.run('Maximum', { a: moved, b: zero }));
      const local = kernels.using([from], () => kernels.run('Minimum', { a: from, b: last }));
      const rows = kernels.using([local], () =>
        kernels.run('GatherV2', { x: info, indices: local }, { axis: 0, batchDims: 0 }),
      );
      if (earlier === undefined) return rows;
      const reached = kernels.run('GreaterEqual', { a: flat, b: first });
      // One condition a value: the cpu kernel is wrong for one a row (tfjs 4.22).
      const column = { ...reached, shape: [...flat.shape, 1] };
      const condition = kernels.using([reached], () =>
        kernels.run('Tile', { x: column }, { reps: [1, x.shape[1]] }),
      );
      return kernels.using([rows, condition], () =>
        kernels.run('Select', { condition, t: rows, e: earlier }),
      );
    });
  });
  return { ...found, shape: [...indices.shape, x.shape[1] as number] };
}

/** a b: parts of b's columns give columns of the product, parts of its rows give terms of a sum. */
function multiply(
  kernels: Kernels,
  args: KernelArguments,
  limit: number,
): tf.TensorInfo | undefined {
  const { a, b } = args.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  const { transposeA = false, transposeB = false } = args.attrs as unknown as {
    transposeA?: boolean;
    transposeB?: boolean;
  };
  if (tf.util.sizeFromShape(a.shape.slice(0, -2)) !== 1 || a.dtype !== 'float32') return undefined;
  const left = { ...a, shape: a.shape.slice(-2) };
  const split = partsOf(kernels.backend, b, limit);
  const attrs = { transposeA, transposeB };
  const outer = (split.axis === 0) === transposeB;
  const product = outer
    ? joined(kernels, { split, left, attrs })
    : summed(kernels, { split, left, attrs });
  const rank = Math.max(a.shape.length, b.shape.length);
  return { ...product, shape: [...Array<number>(rank - 2).fill(1), ...product.shape] };
}

interface Product {
  readonly split: MatrixParts;
  readonly left: tf.TensorInfo;
  readonly attrs: { readonly transposeA: boolean; readonly transposeB: boolean };
}

function joined(kernels: Kernels, { split, left, attrs }: Product): tf.TensorInfo {
  const products: tf.TensorInfo[] = [];
  return kernels.using(products, () => {
    for (const { info } of split.parts) {
      products.push(kernels.run('BatchMatMul', { a: left, b: info }, attrs));
    }
    return kernels.run('Concat', products, { axis: 1 });
  });
}

function summed(kernels: Kernels, { split, left, attrs }: Product): tf.TensorInfo {
  const along = attrs.transposeA ? 0 : 1;
  return fold(kernels, split, ({ start, size, info }, earlier) => {
    const begin = along === 0 ? [start, 0] : [0, start];
    const extent = along === 0 ? [size, -1] : [-1, size];
    const own = kernels.run('Slice', { x: left }, { begin, size: extent });
    const term = kernels.using([own], () => kernels.run('BatchMatMul', { a: own, b: info }, attrs));
    if (earlier === undefined) return term;
    return kernels.using([term], () => kernels.run('Add', { a: earlier, b: term }));
  });
}

/** One tensor out of all parts: each step takes, and frees, what the step before it made. */
function fold(
  kernels: Kernels,
  { parts }: MatrixParts,
  step: (part: MatrixPart, earlier: tf.TensorInfo | undefined) => tf.TensorInfo,
): tf.TensorInfo {
  let result: tf.TensorInfo | undefined;
  for (const part of parts) {
    const earlier = result;
    result = kernels.using(earlier ? [earlier] : [], () => step(part, earlier));
  }
  return result as tf.TensorInfo;
}

/** A matrix too large for the device is on the host: so are the rows or columns that somebody wants of it. */
function sliceOnHost(args: KernelArguments): tf.TensorInfo | undefined {
  const { x } = args.inputs as { x: tf.TensorInfo };
  if (x.shape.length !== 2) return undefined;
  const { begin, size } = args.attrs as unknown as { begin: number[]; size: number[] };
  const [from, extent] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size) as number[][];
  const [firstRow, firstColumn] = from as [number, number];
  const [rows, columns] = extent as [number, number];
  const backend = args.backend as tf.KernelBackend;
  const values = hostValues(backend, x);
  const own = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const at = (firstRow + row) * x.shape[1]! + firstColumn;
    own.set(values.subarray(at, at + columns), row * columns);
  }
  return write(backend, own, [rows, columns]);
}
