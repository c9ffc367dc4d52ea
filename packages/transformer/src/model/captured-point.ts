// A captured activation of all streams, and its part for one row.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../hooks/hook-name.ts';
import { type MatrixFrame, takeMatrix } from '../hooks/matrix-rows.ts';
import type { Layout } from './layout.ts';

export interface CapturedPoint {
  /** [tokens, ...], or [S, h, T, K] with a frame. */
  readonly x: tf.Tensor;
  readonly layout: Layout;
  readonly frame: MatrixFrame | undefined;
  /** Start and length of each stream in `x`. */
  readonly spans: readonly (readonly [start: number, length: number])[];
}

/** Notes an activation; with `positions` only those tokens of token points. `keep` makes it outlive the block. */
export function capturePoint(options: {
  readonly name: HookName;
  readonly x: tf.Tensor;
  readonly layout: Layout;
  readonly frame: MatrixFrame | undefined;
  readonly positions: readonly number[] | undefined;
  readonly keep: <T extends tf.Tensor>(x: T) => T;
}): CapturedPoint {
  const { name, x, layout, frame, positions, keep } = options;
  const { streams } = layout;
  if (positions === undefined || frame !== undefined) {
    const spans = streams.map(({ start, length }) => [start, length] as const);
    return { x: keep(x), layout, frame, spans };
  }
  const index = streams.flatMap((stream) =>
    positions.map((position) => {
      const token = position < 0 ? stream.length + position : position - stream.first;
      if (Number.isInteger(token) && token >= 0 && token < stream.length)
        return stream.start + token;
      throw new SafeInferError(
        `capturePositions of '${name}': position ${position} is not among tokens ` +
          `${stream.first} to ${stream.first + stream.length - 1} of row ${stream.rows[0]}`,
        { code: 'BAD_ARGUMENT', hint: 'name positions that every row has in this pass' },
      );
    }),
  );
  const kept = keep(tf.gather(x, tf.tensor1d(index, 'int32')));
  const spans = streams.map((_, s) => [s * positions.length, positions.length] as const);
  return { x: kept, layout, frame, spans };
}

/** The row's own part: [p, ...] or [h, q, k]. A new tensor. */
export function rowPart({ x, layout, frame, spans }: CapturedPoint, row: number): tf.Tensor {
  const s = layout.streamOf[row] as number;
  if (frame !== undefined) return tf.tidy(() => takeMatrix(x as tf.Tensor4D, s, frame).clone());
  const [start, length] = spans[s] as readonly [number, number];
  return tf.slice(x, [start], [length]);
}
