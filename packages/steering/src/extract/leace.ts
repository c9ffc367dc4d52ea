// LEACE: the smallest change after which no linear probe can tell two classes apart (Belrose et al. 2023).
import { SafeInferError } from '@safeinfer/backend';
import { dot, gram, type Matrix, meanRow, norm } from '../linear-algebra/matrix.ts';
import { mapEigenvalues, symmetricEigen } from '../linear-algebra/symmetric-eigen.ts';
import type { GateOperation } from '../plan/operation.ts';
import { differenceInMeans } from './directions.ts';

/** x - ((x - mean) . gate) vector, in float64. */
export interface Eraser {
  /** The cross-covariance of activations and label: what is taken away is a multiple of it. */
  readonly vector: Float64Array;
  readonly gate: Float64Array;
  readonly mean: Float64Array;
  /** The same as an operation, for `layer` (and `point`) of a plan; strength is the share erased. */
  readonly operation: (at: Pick<GateOperation, 'layer' | 'point'>) => GateOperation;
}

/** Eigenvalues below this share of the largest count as 0, as in a pseudo-inverse. */
const CUT = 1e-10;

/**
 * The least-squares eraser of a two-class label: x - c (c'S^+(x - mu)) / (c'S^+c), with S the covariance of both
 * classes together and c its product with the label. The paper's W^+ P W form has rank one for such a label, so two
 * vectors and a number hold it. After it both classes have one mean, whence no linear classifier beats chance
 * (Theorem 4.2). Throws BAD_DATASET for an empty class, SINGULAR when the class means are equal already.
 */
export function leace(positive: Matrix, negative: Matrix): Eraser {
  const difference = differenceInMeans(positive, negative);
  const width = positive.width;
  const all: Matrix = {
    rows: positive.rows + negative.rows,
    width,
    values: Float64Array.from([...positive.values, ...negative.values]),
  };
  const mean = meanRow(all);
  const centred = { ...all, values: all.values.map((value, i) => value - mean[i % width]!) };
  const covariance = gram(centred);
  const scaled = { ...covariance, values: covariance.values.map((value) => value / all.rows) };
  const largest = symmetricEigen(scaled).values[0]!;
  const inverse = mapEigenvalues(scaled, (value) => (value > CUT * largest ? 1 / value : 0));
  // cov(x, label) of a two-class label is a multiple of the difference in means.
  const c = difference;
  const solved = Float64Array.from({ length: width }, (_, i) =>
    dot(inverse.values.subarray(i * width, (i + 1) * width), c),
  );
  const scale = dot(c, solved);
  if (!(norm(c) > 0) || !(scale > 0)) {
    throw new SafeInferError('there is nothing to erase: both classes have the same mean', {
      code: 'SINGULAR',
      hint: 'check the labels, or read another layer',
    });
  }
  const gate = solved.map((value) => value / scale);
  return {
    vector: c,
    gate,
    mean,
    operation: (at) => ({
      ...at,
      op: 'gate',
      readAt: 'each',
      vector: Float32Array.from(c, (value) => -value),
      gate: Float32Array.from(gate),
      bias: -dot(mean, gate),
      label: 'leace',
    }),
  };
}
