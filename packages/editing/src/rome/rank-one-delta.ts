// A change of one weight matrix by an outer product: a few kilobytes instead of the matrix.
import type { WeightName } from '@safeinfer/transformer';

export interface RankOneDelta {
  /** A matrix in [in, out] orientation; W becomes W + left rightT. */
  readonly weight: WeightName;
  /** [in] */
  readonly left: Float64Array;
  /** [out] */
  readonly right: Float64Array;
}
