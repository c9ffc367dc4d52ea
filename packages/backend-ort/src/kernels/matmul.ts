// Matrix products: constant weights through their own packed sessions, everything else as inputs.
import { broadcast_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { CROSSOVER } from '../crossover.ts';
import { ortValue, runSession } from '../native/binding.ts';
import type { OrtBackend } from '../ort-backend.ts';
import { packedFor } from '../weights/promotion.ts';
import { type Kernel, sizeOf } from './kernel.ts';

export interface MatMulCall {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** BatchMatMul: [..., M, K] x [..., K, N], each side optionally stored transposed, outer sizes broadcast. */
export const batchMatMul: Kernel = ({ inputs, attrs, backend }) =>
  matMul(backend, {
    a: inputs['a']!,
    b: inputs['b']!,
    transposeA: attrs['transposeA'] === true,
    transposeB: attrs['transposeB'] === true,
  });

export function matMul(backend: OrtBackend, call: MatMulCall): TensorInfo | undefined {
  const { a, b, transposeA, transposeB } = call;
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
  const rows = a.shape.at(transposeA ? -1 : -2)!;
  const inner = a.shape.at(transposeA ? -2 : -1)!;
  const columns = b.shape.at(transposeB ? -2 : -1)!;
  if (inner !== b.shape.at(transposeB ? -1 : -2)) return undefined;
  const outer = broadcast_util.assertAndGetBroadcastShape(
    a.shape.slice(0, -2),
    b.shape.slice(0, -2),
  );
  const shape = [...outer, rows, columns];
  const size = sizeOf(shape);
  if (size === 0 || inner === 0) return undefined;
  const shared = sizeOf(b.shape.slice(0, -2)) === 1;
  if (shared && !transposeA) {
    const allRows = size / columns;
    const packed = packedFor(backend, { weight: b, transposed: transposeB, rows: allRows });
    if (packed !== undefined) {
      const out = backend.output(shape);
      packed.multiply(backend.floats(a), allRows, out.values, a.dataId);
      return out.info;
    }
  }
  const out = backend.output(shape);
  if (size * inner <= CROSSOVER.matMul && a.shape.length === 2 && b.shape.length === 2) {
    smallMatMul(backend, call, out.values);
    return out.info;
  }
  const session = backend.sessions.get(`matMul/${transposeA}/${transposeB}`, size * inner, () => ({
    nodes: [
      transposeA || transposeB
        ? {
            op: 'FusedMatMul',
            inputs: ['a', 'b'],
            outputs: ['y'],
            attributes: { transA: Number(transposeA), transB: Number(transposeB) },
            contrib: true,
          }
        : { op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] },
    ],
    inputs: [
      { name: 'a', type: 'float32' },
      { name: 'b', type: 'float32' },
    ],
    outputs: [{ name: 'y', type: 'float32' }],
  }));
  runSession(
    session,
    {
      a: ortValue('float32', backend.floats(a), a.shape),
      b: ortValue('float32', backend.floats(b), b.shape),
    },
    { y: ortValue('float32', out.values, shape) },
  );
  return out.info;
}

function smallMatMul(backend: OrtBackend, call: MatMulCall, out: Float32Array): void {
  const { a, b, transposeA, transposeB } = call;
  const x = backend.floats(a);
  const w = backend.floats(b);
  const rows = a.shape[transposeA ? 1 : 0]!;
  const inner = a.shape[transposeA ? 0 : 1]!;
  const columns = b.shape[transposeB ? 0 : 1]!;
  const [xRow, xInner] = transposeA ? [1, rows] : [inner, 1];
  const [wInner, wColumn] = transposeB ? [1, inner] : [columns, 1];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        sum += x[row * xRow + k * xInner]! * w[k * wInner + column * wColumn]!;
      }
      out[row * columns + column] = sum;
    }
  }
}
