// Reductions over axes: a loop where the axes are last and few elements come in, else one native call.
import { backend_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { CROSSOVER } from '../crossover.ts';
import { ortValue, runSession } from '../native/binding.ts';
import { int64Bytes } from '../onnx/model.ts';
import type { OrtBackend } from '../ort-backend.ts';
import { type Kernel, sizeOf } from './kernel.ts';

interface Reduction {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly backend: OrtBackend;
  readonly axis: number | number[];
  readonly keepDims: boolean;
}

/** Shape and layout of a reduction; undefined for what the inherited kernel must do. */
function plan({ inputs, axis, keepDims }: Reduction) {
  const x = inputs['x']!;
  const axes = util.parseAxisParam(axis, x.shape);
  if (x.dtype !== 'float32' || sizeOf(x.shape) === 0) return undefined;
  const last = backend_util.axesAreInnerMostDims(
    [...axes].sort((p, q) => p - q),
    x.shape.length,
  );
  const [kept, reduced] = backend_util.computeOutAndReduceShapes(x.shape, axes);
  const shape = keepDims ? backend_util.expandShapeToKeepDim(kept, axes) : kept;
  return { x, axes, last, shape, width: sizeOf(reduced), outer: sizeOf(kept) };
}

function attributes(call: Parameters<Kernel>[0]): Reduction {
  return {
    inputs: call.inputs,
    backend: call.backend,
    // Max and Min call the same attribute by another name.
    axis: (call.attrs['axis'] ?? call.attrs['reductionIndices']) as number | number[],
    keepDims: call.attrs['keepDims'] === true,
  };
}

/** Sums and means add up in double precision when looped, in blocks of fp32 when native. */
function additive(onnx: 'ReduceSum' | 'ReduceMean'): Kernel {
  return (call) => {
    const planned = plan(attributes(call));
    if (planned === undefined) return undefined;
    const { x, axes, last, shape, width, outer } = planned;
    const { backend } = call;
    const input = backend.floats(x);
    const out = backend.output(shape);
    if (last && input.length < CROSSOVER.reduce) {
      const divisor = onnx === 'ReduceMean' ? width : 1;
      for (let row = 0; row < outer; row++) {
        let sum = 0;
        for (let i = row * width; i < (row + 1) * width; i++) sum += input[i]!;
        out.values[row] = sum / divisor;
      }
      return out.info;
    }
    const session = backend.sessions.get(`${onnx}/${axes}`, input.length, () => ({
      nodes: [{ op: onnx, inputs: ['x', 'axes'], outputs: ['y'], attributes: { keepdims: 0 } }],
      inputs: [{ name: 'x', type: 'float32' }],
      outputs: [{ name: 'y', type: 'float32' }],
      initializers: [{ name: 'axes', type: 'int64', shape: [axes.length], data: int64Bytes(axes) }],
    }));
    const kept = x.shape.filter((_, axis) => !axes.includes(axis));
    runSession(
      session,
      { x: ortValue('float32', input, x.shape) },
      { y: ortValue('float32', out.values, kept) },
    );
    return out.info;
  };
}

/** Largest or smallest value; NaN wins, which the native form does not promise, so it is always a loop. */
function extreme(loop: typeof largest): Kernel {
  return (call) => {
    const planned = plan(attributes(call));
    if (planned === undefined || !planned.last) return undefined;
    const out = call.backend.output(planned.shape);
    loop(call.backend.floats(planned.x), planned.width, out.values);
    return out.info;
  };
}

function largest(input: Float32Array, width: number, out: Float32Array): void {
  for (let row = 0, start = 0; row < out.length; row++, start += width) {
    let best = input[start]!;
    for (let i = start + 1; i < start + width && !Number.isNaN(best); i++) {
      const value = input[i]!;
      if (!(value <= best)) best = value;
    }
    out[row] = best;
  }
}

function smallest(input: Float32Array, width: number, out: Float32Array): void {
  for (let row = 0, start = 0; row < out.length; row++, start += width) {
    let best = input[start]!;
    for (let i = start + 1; i < start + width && !Number.isNaN(best); i++) {
      const value = input[i]!;
      if (!(value >= best)) best = value;
    }
    out[row] = best;
  }
}

export const sum: Kernel = additive('ReduceSum');
export const mean: Kernel = additive('ReduceMean');
export const max: Kernel = extreme(largest);
export const min: Kernel = extreme(smallest);
