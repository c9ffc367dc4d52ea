// Select (tf.where): elements of `t` where the condition holds, else of `e`.
import { broadcast_util, type TensorInfo } from '@tensorflow/tfjs-core';
import { type Kernel, sizeOf } from './kernel.ts';

export const select: Kernel = ({ inputs, backend }) => {
  const condition = inputs['condition']!;
  const t = inputs['t']!;
  const e = inputs['e']!;
  // tf.where has broadcast its arguments, except a condition of one value a row.
  const alike = [t, e].every((side) => side.dtype === 'float32');
  const size = sizeOf(t.shape);
  if (!alike || size === 0 || size !== sizeOf(e.shape)) return undefined;
  broadcast_util.assertAndGetBroadcastShape(t.shape, e.shape);
  const rows = sizeOf(condition.shape);
  if (condition.shape.length === 0 || size % rows !== 0) return undefined;
  const repeat = size / rows;
  const flags = backend.values(condition);
  const yes = backend.floats(t);
  const no = backend.floats(e);
  const out: { info: TensorInfo; values: Float32Array } = backend.output(t.shape);
  for (let row = 0, at = 0; row < rows; row++) {
    const from = flags[row] ? yes : no;
    for (let i = 0; i < repeat; i++, at++) out.values[at] = from[at]!;
  }
  return out.info;
};
