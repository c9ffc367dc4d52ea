// A matrix beyond a backend's largest tensor, as tensors that each fit: what an embedding of a big vocabulary needs.
import type * as tf from '@tensorflow/tfjs-core';
import { SafeInferError } from '../safe-infer-error.ts';
import { whenFreed } from './when-freed.ts';

/** Lines `start` to `start + size` of a matrix along its longer axis. */
export interface MatrixPart {
  readonly start: number;
  readonly size: number;
  readonly info: tf.TensorInfo;
}

export interface MatrixParts {
  /** The axis that is split: the longer one, which is the vocabulary. */
  readonly axis: 0 | 1;
  readonly parts: readonly MatrixPart[];
}

/** Sizes are multiples of this where they can be, because shaders read four values at a time. */
const ALIGNMENT = 4;

const split = new WeakMap<
  object,
  { readonly limit: number; readonly rows: number; readonly parts: MatrixParts }
>();

/**
 * The parts of `matrix` [rows, columns], each of at most `limit` bytes. Made once from the values on the host,
 * where a matrix that no kernel may touch still is, kept by the backend and freed with the matrix.
 */
export function partsOf(
  backend: tf.KernelBackend,
  matrix: tf.TensorInfo,
  limit: number,
): MatrixParts {
  const [rows, columns] = matrix.shape.slice(-2) as [number, number];
  const known = split.get(matrix.dataId);
  if (known?.limit === limit && known.rows === rows) return known.parts;
  const values = hostValues(backend, matrix);
  if (known !== undefined) freeParts(backend, known.parts);
  const axis = rows >= columns ? 0 : 1;
  const [lines, width] = axis === 0 ? [rows, columns] : [columns, rows];
  const parts = bounds({ lines, width, limit }).map(({ start, size }): MatrixPart => {
    const shape = axis === 0 ? [size, width] : [width, size];
    const own =
      axis === 0
        ? values.subarray(start * width, (start + size) * width)
        : columnsOf(values, { columns, start, size });
    return { start, size, info: write(backend, own, shape) };
  });
  const made: MatrixParts = { axis, parts };
  split.set(matrix.dataId, { limit, rows, parts: made });
  whenFreed(backend, matrix.dataId, () => {
    const last = split.get(matrix.dataId);
    split.delete(matrix.dataId);
    if (last !== undefined) freeParts(backend, last.parts);
  });
  return made;
}

/** Values of a tensor that no kernel has moved to a device yet. */
export function hostValues(backend: tf.KernelBackend, info: tf.TensorInfo): Float32Array {
  try {
    return backend.readSync(info.dataId) as Float32Array;
  } catch (cause) {
    throw new SafeInferError(`a tensor of shape [${info.shape}] is on the GPU already`, {
      code: 'ALLOCATION_LIMIT',
      hint: 'make it from values, as loading a model does, not by an operation',
      cause,
    });
  }
}

/** A tensor of the backend that the engine does not know of; its maker frees it. */
export function write(
  backend: tf.KernelBackend,
  values: Float32Array | Int32Array,
  shape: number[],
): tf.TensorInfo {
  const dtype = values instanceof Int32Array ? 'int32' : 'float32';
  return { dataId: backend.write(values, shape, dtype), shape, dtype };
}

function freeParts(backend: tf.KernelBackend, { parts }: MatrixParts): void {
  for (const { info } of parts) backend.disposeData(info.dataId);
}

/** Parts of nearly equal size, as few as the limit allows. */
function bounds(matrix: {
  readonly lines: number;
  readonly width: number;
  readonly limit: number;
}): { readonly start: number; readonly size: number }[] {
  const { lines, width, limit } = matrix;
  const most = Math.floor(limit / (Float32Array.BYTES_PER_ELEMENT * width));
  if (most < 1) {
    throw new SafeInferError(
      `one line of ${width} values is larger than the limit of ${limit} bytes`,
      { code: 'ALLOCATION_LIMIT', hint: 'use a native CPU backend' },
    );
  }
  const even = Math.ceil(lines / Math.ceil(lines / most));
  const aligned = ALIGNMENT * Math.ceil(even / ALIGNMENT);
  const size = aligned <= most ? aligned : even;
  return Array.from({ length: Math.ceil(lines / size) }, (_, i) => ({
    start: i * size,
    size: Math.min(size, lines - i * size),
  }));
}

function columnsOf(
  values: Float32Array,
  range: { readonly columns: number; readonly start: number; readonly size: number },
): Float32Array {
  const { columns, start, size } = range;
  const rows = values.length / columns;
  const own = new Float32Array(rows * size);
  for (let row = 0; row < rows; row++) {
    const from = row * columns + start;
    own.set(values.subarray(from, from + size), row * size);
  }
  return own;
}
