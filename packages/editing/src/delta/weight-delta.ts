// A change of one weight matrix, W [in, out] += delta: a few kilobytes as factors instead of the matrix.
import { SafeInferError } from '@safeinfer/backend';
import type { WeightName } from '@safeinfer/transformer';

/** W becomes W + left rightT. */
export interface RankOneDelta {
  readonly weight: WeightName;
  /** [in] */
  readonly left: Float64Array;
  /** [out] */
  readonly right: Float64Array;
}

/** W becomes W + the sum over r of lefts[r] rights[r]T. One factor pair for each edit of a batch. */
export interface LowRankDelta {
  readonly weight: WeightName;
  /** rank vectors of [in] */
  readonly lefts: readonly Float64Array[];
  /** rank vectors of [out] */
  readonly rights: readonly Float64Array[];
}

/** W becomes W + dense: what fine-tuning makes, which has no small form. */
export interface DenseDelta {
  readonly weight: WeightName;
  /** [in, out], row-major */
  readonly dense: Float64Array;
  readonly shape: readonly [number, number];
}

export type WeightDelta = RankOneDelta | LowRankDelta | DenseDelta;

/** The factor pairs of a delta; undefined for a dense one. */
export function factorsOf(delta: WeightDelta): Omit<LowRankDelta, 'weight'> | undefined {
  if ('dense' in delta) return undefined;
  return 'lefts' in delta ? delta : { lefts: [delta.left], rights: [delta.right] };
}

/** [in, out] of the weight a delta fits. */
export function deltaShape(delta: WeightDelta): readonly [number, number] {
  if ('dense' in delta) return delta.shape;
  const { lefts, rights } = factorsOf(delta)!;
  return [lefts[0]?.length ?? 0, rights[0]?.length ?? 0];
}

/** @throws BAD_ARGUMENT for factors that do not pair, NON_FINITE for numbers that would destroy the weight */
export function checkDelta(delta: WeightDelta): void {
  const [inputs, outputs] = deltaShape(delta);
  const factors = factorsOf(delta);
  const parts = factors ? [...factors.lefts, ...factors.rights] : [(delta as DenseDelta).dense];
  const whole = factors
    ? factors.lefts.length > 0 &&
      factors.lefts.length === factors.rights.length &&
      factors.lefts.every(({ length }) => length === inputs) &&
      factors.rights.every(({ length }) => length === outputs)
    : parts[0]!.length === inputs * outputs;
  if (!whole) {
    throw new SafeInferError(`the delta of ${delta.weight} is incomplete or uneven`, {
      code: 'BAD_ARGUMENT',
      hint: 'give one right factor for each left one, all of one length',
    });
  }
  if (parts.every((part) => part.every(Number.isFinite))) return;
  throw new SafeInferError(`the delta of ${delta.weight} holds NaN or infinity`, {
    code: 'NON_FINITE',
    hint: 'the edit failed: lower its learning rate, or measure the statistics over more tokens',
  });
}

/** Adds a delta to row-major [in, out] values, in float64, one factor pair after the other. */
export function addDelta(sum: Float64Array, delta: WeightDelta): void {
  if ('dense' in delta) {
    for (let i = 0; i < sum.length; i += 1) sum[i]! += delta.dense[i]!;
    return;
  }
  const { lefts, rights } = factorsOf(delta)!;
  for (const [r, left] of lefts.entries()) {
    const right = rights[r]!;
    for (let i = 0; i < left.length; i += 1) {
      const factor = left[i]!;
      const start = i * right.length;
      for (let j = 0; j < right.length; j += 1) sum[start + j]! += factor * right[j]!;
    }
  }
}

/** Frobenius norm of a delta, without building a low-rank one. */
export function deltaNorm(delta: WeightDelta): number {
  if ('dense' in delta) return Math.sqrt(delta.dense.reduce((sum, x) => sum + x * x, 0));
  const { lefts, rights } = factorsOf(delta)!;
  const product = (a: Float64Array, b: Float64Array): number =>
    a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  let square = 0;
  for (const [i, left] of lefts.entries())
    for (const [j, other] of lefts.entries())
      square += product(left, other) * product(rights[i]!, rights[j]!);
  return Math.sqrt(Math.max(0, square));
}
