// Gradients of a scalar with respect to any activations, in one backward pass.
import { SafeInferError } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { CapturedTensor, HookName } from '../hooks/hook-name.ts';
import { type CapturedPoint, rowPart } from '../model/captured-point.ts';
import type { ForwardSources } from '../model/forward.ts';
import type { Row } from '../model/row.ts';
import { tracePass } from '../model/trace.ts';
import { discardTape } from './discard-tape.ts';

/** What the differentiated function may read; all of it is differentiable. */
export interface GradientInputs {
  /** [1, V] for logits 'last', [p, V] for 'all', [positions, V] with `logitPositions`. */
  logits(row: number): tf.Tensor2D;
  /** An activation named in `at` or `capture`. */
  captured<N extends HookName>(row: number, name: N): CapturedTensor<N>;
}

export interface GradientOptions {
  /** Rows; caches are read, never extended. */
  readonly rows: readonly Row[];
  /** The scalar to differentiate, built from tensors of its argument. Synchronous. */
  readonly of: (inputs: GradientInputs) => tf.Scalar;
  /** Activations to differentiate with respect to: after any edit of theirs in this pass. */
  readonly at: readonly HookName[];
  /** Default 'last'. With 'none' the pass stops after the last named point. */
  readonly logits?: 'last' | 'all' | 'none';
  /** With logits 'all': for each row the tokens whose logits are wanted; the others are not computed. */
  readonly logitPositions?: readonly (readonly number[])[];
  /** First block to run, as in `ForwardOptions`: what lies before it is constant. */
  readonly startAtLayer?: number;
  /** Per row [tokens, D]: what that block reads. */
  readonly residuals?: readonly tf.Tensor2D[];
  /** More activations for `of` and for the result. */
  readonly capture?: readonly HookName[];
}

/** Owns its tensors. */
export interface Gradients extends Disposable {
  /** The scalar, as a tensor. */
  readonly value: tf.Scalar;
  /** d value / d activation, in the activation's shape; zeros where the value does not depend on it. */
  grad<N extends HookName>(row: number, name: N): CapturedTensor<N>;
  /** The activation itself. */
  captured<N extends HookName>(row: number, name: N): CapturedTensor<N>;
  dispose(): void;
}

/** See `Transformer.gradients`. */
export function gradients(sources: ForwardSources, options: GradientOptions): Gradients {
  const { rows, of, at, logits = 'last', capture = [], logitPositions } = options;
  const { startAtLayer, residuals } = options;
  if (at.length === 0) {
    throw new SafeInferError('no points to differentiate at', {
      code: 'BAD_ARGUMENT',
      hint: 'name points in `at`',
    });
  }
  const owned: tf.Tensor[] = [];
  const keep = <T extends tf.Tensor>(x: T): T => {
    const kept = tf.keep(x.clone()) as T;
    owned.push(kept);
    return kept;
  };
  const seen = new Map<HookName, tf.Tensor>();
  const points = new Map<HookName, CapturedPoint>();
  try {
    const value = tf.tidy(() => {
      const thread = tf.scalar(0);
      const run = tf.valueAndGrad((through: tf.Tensor) => {
        // Every probe also depends on `through`, so that the tape reaches it whatever lies before it.
        const probe = (name: HookName, x: tf.Tensor): tf.Tensor =>
          tf.customGrad((...inputs) => ({
            value: (inputs[0] as tf.Tensor).clone(),
            gradFunc: (dy: tf.Tensor) => {
              seen.set(name, keep(dy));
              return [dy.clone(), tf.zerosLike(through)];
            },
          }))(x, through);
        const names = [...new Set([...capture, ...at])];
        const traced = tracePass(sources, {
          ...{ rows, logits, logitPositions, startAtLayer, residuals },
          ...{ capture: names, probes: at, probe },
        });
        const lines = logits === 'all' ? lineOffsets(traced.rowOffsets, logitPositions) : undefined;
        const scalar = of({
          logits: (row) => rowLogits(traced.logits, row, lines),
          captured: traced.captured,
        });
        checkScalar(scalar);
        for (const [name, point] of traced.points) points.set(name, { ...point, x: keep(point.x) });
        return tf.reshape(scalar, []);
      })(thread);
      return keep(run.value) as tf.Scalar;
    });
    const views = new Map<string, tf.Tensor>();
    const view = (key: string, point: CapturedPoint | undefined, row: number): tf.Tensor => {
      const known = views.get(key);
      if (known !== undefined) return known;
      if (point === undefined || !(row in point.layout.streamOf)) {
        throw new SafeInferError(`nothing was kept for ${key}`, {
          code: 'BAD_ARGUMENT',
          hint: 'name the point in `at` or `capture`; rows count from 0',
        });
      }
      const part = tf.keep(rowPart(point, row));
      views.set(key, part);
      owned.push(part);
      return part;
    };
    for (const name of at) {
      if (seen.has(name)) continue;
      const point = points.get(name);
      if (point !== undefined)
        seen.set(
          name,
          tf.tidy(() => keep(tf.zerosLike(point.x))),
        );
    }
    return {
      value,
      grad: <N extends HookName>(row: number, name: N): CapturedTensor<N> => {
        const point = points.get(name);
        const x = seen.get(name);
        return view(
          `gradient of '${name}', row ${row}`,
          point && x && { ...point, x },
          row,
        ) as CapturedTensor<N>;
      },
      captured: <N extends HookName>(row: number, name: N): CapturedTensor<N> =>
        view(`'${name}', row ${row}`, points.get(name), row) as CapturedTensor<N>,
      dispose,
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    discardTape();
    dispose();
    throw error;
  }

  function dispose(): void {
    for (const tensor of owned) tensor.dispose();
    owned.length = 0;
  }
}

/** First line of each row in the logits, and their number at the end. */
function lineOffsets(
  rowOffsets: readonly number[],
  positions: readonly (readonly number[])[] | undefined,
): readonly number[] {
  if (positions === undefined) return rowOffsets;
  const offsets = [0];
  for (const { length } of positions) offsets.push((offsets.at(-1) as number) + length);
  return offsets;
}

function rowLogits(
  logits: tf.Tensor2D,
  row: number,
  lines: readonly number[] | undefined,
): tf.Tensor2D {
  if (lines === undefined) return tf.slice(logits, [row, 0], [1, -1]);
  const start = lines[row] as number;
  return tf.slice(logits, [start, 0], [(lines[row + 1] as number) - start, -1]);
}

function checkScalar(value: unknown): asserts value is tf.Scalar {
  if (value instanceof tf.Tensor && value.size === 1) return;
  const what = value instanceof tf.Tensor ? `a tensor [${value.shape}]` : typeof value;
  throw new SafeInferError(`the differentiated function returned ${what}, not a scalar`, {
    code: 'HOOK_RESULT',
    hint: 'return one number, such as tf.sum(...) of what should be differentiated',
  });
}
