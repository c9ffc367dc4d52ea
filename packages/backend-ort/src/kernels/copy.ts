// Kernels that only move elements: strided copies with long inner runs.
import { backend_util, slice_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { CROSSOVER } from '../crossover.ts';
import { ortValue, runSession } from '../native/binding.ts';
import type { OrtBackend } from '../ort-backend.ts';
import { type Kernel, sizeOf } from './kernel.ts';

type Values = Float32Array | Int32Array | Uint8Array;

/** Runs shorter than this are copied element by element: a subarray object costs about 100 ns. */
const SHORT_RUN = 128;

/** A new tensor of `dtype` and its array; undefined for dtypes that are not plain numbers. */
function outputLike(
  backend: OrtBackend,
  like: TensorInfo,
  shape: readonly number[],
): { info: TensorInfo; values: Values } | undefined {
  if (like.dtype === 'float32') return backend.output(shape);
  if (like.dtype !== 'int32' && like.dtype !== 'bool') return undefined;
  const values =
    like.dtype === 'int32' ? new Int32Array(sizeOf(shape)) : new Uint8Array(sizeOf(shape));
  return { info: backend.makeTensorInfo([...shape], like.dtype, values), values };
}

function copyRun(from: Values, start: number, length: number, to: Values, at: number): void {
  if (length < SHORT_RUN) {
    for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
  } else {
    to.set(from.subarray(start, start + length), at);
  }
}

/** Visits every index of `shape` in order with the offset that `strides` give it. */
function walk(
  shape: readonly number[],
  strides: readonly number[],
  start: number,
  visit: (offset: number, count: number) => void,
): void {
  const total = sizeOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  let offset = start;
  for (let count = 0; count < total; count++) {
    visit(offset, count);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      offset -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}

function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  }
  return strides;
}

type Four = [number, number, number, number];

/** [a, b, c, d] to [a, c, b, d], what attention does between tokens and heads: a loop of one type, at memory speed. */
function swapMiddle(from: Float32Array, [a, b, c, d]: Four, to: Float32Array): void {
  let at = 0;
  for (let i = 0; i < a; i++) {
    for (let k = 0; k < c; k++) {
      for (let j = 0; j < b; j++) {
        const start = ((i * b + j) * c + k) * d;
        for (let l = 0; l < d; l++) to[at + l] = from[start + l]!;
        at += d;
      }
    }
  }
}

export const transpose: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x']!;
  const perm = attrs['perm'] as number[];
  const shape = perm.map((axis) => x.shape[axis]!);
  const size = sizeOf(shape);
  if (size === 0) return undefined;
  // Axes of length 1 may move freely: where the others keep their order, nothing moves in memory.
  const real = perm.filter((axis) => x.shape[axis] !== 1);
  if (real.every((axis, index) => index === 0 || axis > real[index - 1]!)) {
    return backend.reshaped(x, shape);
  }
  const out = outputLike(backend, x, shape);
  if (out === undefined) return undefined;
  const from = backend.values(x);
  if (x.dtype === 'float32' && perm.length === 4 && String(perm) === '0,2,1,3') {
    swapMiddle(from as Float32Array, x.shape as Four, out.values as Float32Array);
    return out.info;
  }
  const rank = perm.length;
  const length = shape.at(-1) ?? 1;
  // Where the last axis stays, as between tokens and heads, short tensors are copied in runs.
  const runs = rank > 1 && perm[rank - 1] === rank - 1 && length >= 16;
  if (x.dtype === 'float32' && size >= CROSSOVER.transpose) {
    const session = backend.sessions.get(`transpose/${perm}`, size, () => ({
      nodes: [{ op: 'Transpose', inputs: ['x'], outputs: ['y'], attributes: { perm } }],
      inputs: [{ name: 'x', type: 'float32' }],
      outputs: [{ name: 'y', type: 'float32' }],
    }));
    runSession(
      session,
      { x: ortValue('float32', from, x.shape) },
      { y: ortValue('float32', out.values, shape) },
    );
    return out.info;
  }
  const strides = rowMajor(x.shape);
  const moved = perm.map((axis) => strides[axis]!);
  const step = moved.at(-1) ?? 1;
  if (runs) {
    walk(shape.slice(0, -1), moved.slice(0, -1), 0, (offset, count) => {
      copyRun(from, offset, length, out.values, count * length);
    });
    return out.info;
  }
  walk(shape.slice(0, -1), moved.slice(0, -1), 0, (offset, count) => {
    const at = count * length;
    for (let i = 0; i < length; i++) out.values[at + i] = from[offset + i * step]!;
  });
  return out.info;
};

/** The block of `x` from `begin` of `size`. */
function sliceOf(
  backend: OrtBackend,
  x: TensorInfo,
  begin: readonly number[],
  size: readonly number[],
): TensorInfo | undefined {
  const out = outputLike(backend, x, size);
  if (out === undefined) return undefined;
  if (out.values.length === 0) return out.info;
  const from = backend.values(x);
  const strides = rowMajor(x.shape);
  // Trailing axes taken whole are one run.
  let axis = size.length - 1;
  let run = size[axis] ?? 1;
  while (axis > 0 && size[axis] === x.shape[axis]) {
    axis--;
    run *= size[axis]!;
  }
  const start = begin.reduce((sum, at, index) => sum + at * strides[index]!, 0);
  const outer = size.slice(0, Math.max(axis, 0));
  walk(outer, strides.slice(0, outer.length), start, (offset, count) => {
    copyRun(from, offset, run, out.values, count * run);
  });
  return out.info;
}

export const slice: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x']!;
  const [begin, size] = slice_util.parseSliceParams(
    x as Parameters<typeof slice_util.parseSliceParams>[0],
    attrs['begin'] as number[],
    attrs['size'] as number[],
  ) as [number[], number[]];
  slice_util.assertParamsValid(x, begin, size);
  return sliceOf(backend, x, begin, size);
};

export const splitV: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x']!;
  const axis = util.parseAxisParam(attrs['axis'] as number, x.shape)[0]!;
  const sizes = backend_util.prepareSplitSize(
    x as Parameters<typeof backend_util.prepareSplitSize>[0],
    attrs['numOrSizeSplits'] as number | number[],
    axis,
  );
  const begin = new Array<number>(x.shape.length).fill(0);
  const parts: TensorInfo[] = [];
  for (const length of sizes) {
    const size = [...x.shape];
    size[axis] = length;
    const part = sliceOf(backend, x, begin, size);
    if (part === undefined) return undefined;
    parts.push(part);
    begin[axis]! += length;
  }
  return parts;
};

export const unpack: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['value']!;
  const raw = attrs['axis'] as number;
  const axis = raw < 0 ? raw + x.shape.length : raw;
  const shape = x.shape.filter((_, index) => index !== axis);
  const begin = new Array<number>(x.shape.length).fill(0);
  const size = x.shape.map((length, index) => (index === axis ? 1 : length));
  const parts: TensorInfo[] = [];
  for (let index = 0; index < x.shape[axis]!; index++) {
    begin[axis] = index;
    const part = sliceOf(backend, x, begin, size);
    if (part === undefined) return undefined;
    parts.push({ ...part, shape });
  }
  return parts;
};

/** Parts side by side along `axis`; all of one dtype. */
function joined(
  backend: OrtBackend,
  parts: readonly TensorInfo[],
  axis: number,
  shape: readonly number[],
): TensorInfo | undefined {
  const first = parts[0];
  if (first === undefined || parts.some((part) => part.dtype !== first.dtype)) return undefined;
  const out = outputLike(backend, first, shape);
  if (out === undefined) return undefined;
  const outer = sizeOf(shape.slice(0, axis));
  const row = outer === 0 ? 0 : out.values.length / outer;
  let at = 0;
  for (const part of parts) {
    const from = backend.values(part);
    const run = outer === 0 ? 0 : from.length / outer;
    for (let index = 0; index < outer; index++) {
      copyRun(from, index * run, run, out.values, index * row + at);
    }
    at += run;
  }
  return out.info;
}

export const concat: Kernel = ({ inputs, attrs, backend }) => {
  const all = Object.values(inputs);
  const axis = util.parseAxisParam(attrs['axis'] as number, all[0]!.shape)[0]!;
  const shapes = all.map((part) => part.shape);
  backend_util.assertParamsConsistent(shapes, axis);
  const shape = backend_util.computeOutShape(shapes, axis);
  if (sizeOf(shape) === 0) return undefined;
  const parts = all.filter((part) => sizeOf(part.shape) > 0);
  if (parts.length === 1) return backend.reshaped(parts[0]!, shape);
  return joined(backend, parts, axis, shape);
};

export const pack: Kernel = ({ inputs, attrs, backend }) => {
  const parts = Object.values(inputs);
  const first = parts[0]!;
  const alike = parts.every((part) => util.arraysEqual(part.shape, first.shape));
  if (!alike || sizeOf(first.shape) === 0) return undefined;
  const raw = attrs['axis'] as number;
  const axis = raw < 0 ? raw + first.shape.length + 1 : raw;
  const shape = [...first.shape.slice(0, axis), parts.length, ...first.shape.slice(axis)];
  return joined(backend, parts, axis, shape);
};

export const gather: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x']!;
  const indices = inputs['indices']!;
  const axis = util.parseAxisParam(attrs['axis'] as number, x.shape)[0]!;
  const info = backend_util.segment_util.collectGatherOpShapeInfo(
    x as Parameters<typeof backend_util.segment_util.collectGatherOpShapeInfo>[0],
    indices as Parameters<typeof backend_util.segment_util.collectGatherOpShapeInfo>[1],
    axis,
    (attrs['batchDims'] as number | undefined) ?? 0,
  );
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = info;
  const out = outputLike(backend, x, outputShape);
  if (out === undefined) return undefined;
  const record = backend.record(x.dataId);
  // Rows of a packed weight (a tied embedding) are looked up at every step: keep its array too.
  const from = (record.packed === undefined ? record.own() : record.pinned()) as Values;
  const ids = backend.values(indices);
  const perBatch = ids.length / batchSize;
  let at = 0;
  for (let batch = 0; batch < batchSize; batch++) {
    for (let outer = 0; outer < outerSize; outer++) {
      const base = (batch * outerSize + outer) * dimSize;
      for (let i = 0; i < perBatch; i++) {
        const id = ids[batch * perBatch + i]!;
        if (!(id >= 0 && id < dimSize)) {
          throw new Error(`GatherV2: the index value ${id} is not in [0, ${dimSize - 1}]`);
        }
        copyRun(from, (base + id) * sliceSize, sliceSize, out.values, at);
        at += sliceSize;
      }
    }
  }
  return out.info;
};

export const tile: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x']!;
  const reps = attrs['reps'] as number[];
  const shape = x.shape.map((length, axis) => length * reps[axis]!);
  if (sizeOf(shape) === 0) return undefined;
  const out = outputLike(backend, x, shape);
  if (out === undefined) return undefined;
  // From the innermost axis out: what is filled so far is repeated as one run.
  let filled: Values = backend.values(x).slice();
  for (let axis = x.shape.length - 1; axis >= 0; axis--) {
    const count = reps[axis]!;
    if (count === 1) continue;
    const run = x.shape[axis]! * sizeOf(shape.slice(axis + 1));
    const next = new (filled.constructor as Float32ArrayConstructor)(filled.length * count);
    for (let row = 0; row < filled.length / run; row++) {
      for (let copy = 0; copy < count; copy++) {
        copyRun(filled, row * run, run, next, (row * count + copy) * run);
      }
    }
    filled = next;
  }
  out.values.set(filled);
  return out.info;
};

export const pad: Kernel = ({ inputs, attrs, backend }) => {
  const x = inputs['x']!;
  const paddings = attrs['paddings'] as [number, number][];
  const shape = x.shape.map((length, axis) => length + paddings[axis]![0] + paddings[axis]![1]);
  if (sizeOf(x.shape) === 0) return undefined;
  const out = outputLike(backend, x, shape);
  if (out === undefined) return undefined;
  out.values.fill(attrs['constantValue'] as number);
  const from = backend.values(x);
  const strides = rowMajor(shape);
  const start = paddings.reduce((sum, [before], axis) => sum + before * strides[axis]!, 0);
  const run = x.shape.at(-1) ?? 1;
  walk(x.shape.slice(0, -1), strides.slice(0, -1), start, (offset, count) => {
    copyRun(from, count * run, run, out.values, offset);
  });
  return out.info;
};
