// Linear-AcT: each coordinate carried from one set's distribution to another's by its best straight line.
import type { Matrix } from '../linear-algebra/matrix.ts';
import type { TransportOperation } from '../plan/operation.ts';
import { checkSides } from './directions.ts';

export interface CoordinateMap {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  /** The same as an operation; strength in [0, 1] is the share of the way. */
  readonly operation: (at: Pick<TransportOperation, 'layer' | 'point'>) => TransportOperation;
}

/**
 * scale and shift of least squares between the sorted values of each coordinate (Rodriguez et al. 2025, Eq. 5): the
 * optimal transport of one dimension pairs order statistics. Sets of different size are compared at the quantiles of
 * the smaller one. A coordinate without spread is only shifted. Throws BAD_DATASET for an empty set.
 */
export function linearTransport(options: {
  readonly from: Matrix;
  readonly to: Matrix;
}): CoordinateMap {
  const { from, to } = options;
  checkSides(to, from);
  const count = Math.min(from.rows, to.rows);
  const { width } = from;
  const scale = new Float64Array(width);
  const shift = new Float64Array(width);
  for (let i = 0; i < width; i += 1) {
    const [a, b] = [from, to].map((x) => orderStatistics(x, i, count)) as [number[], number[]];
    const [meanA, meanB] = [a, b].map((x) => x.reduce((sum, v) => sum + v, 0) / count) as [
      number,
      number,
    ];
    let [cross, square] = [0, 0];
    for (let k = 0; k < count; k += 1) {
      cross += (a[k]! - meanA) * (b[k]! - meanB);
      square += (a[k]! - meanA) ** 2;
    }
    scale[i] = square > 0 ? cross / square : 1;
    shift[i] = meanB - scale[i]! * meanA;
  }
  return {
    scale,
    shift,
    operation: (at) => ({
      ...at,
      op: 'transport',
      scale: Float32Array.from(scale),
      shift: Float32Array.from(shift),
      label: 'linear-act',
    }),
  };
}

/** `count` evenly spaced order statistics of one column, interpolated. */
function orderStatistics(x: Matrix, column: number, count: number): number[] {
  const sorted = Array.from({ length: x.rows }, (_, row) => x.values[row * x.width + column]!).sort(
    (a, b) => a - b,
  );
  if (count === x.rows) return sorted;
  return Array.from({ length: count }, (_, k) => {
    const place = count === 1 ? (x.rows - 1) / 2 : (k * (x.rows - 1)) / (count - 1);
    const low = Math.floor(place);
    const high = Math.min(low + 1, x.rows - 1);
    return sorted[low]! + (place - low) * (sorted[high]! - sorted[low]!);
  });
}
