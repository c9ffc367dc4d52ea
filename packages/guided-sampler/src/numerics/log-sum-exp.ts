// log(sum(exp(x))) of a logit array in float64, and the largest entry found on the way.

/** exp(x) below this distance from the maximum adds less than 5e-18 of the sum: not worth the call. */
const NEGLIGIBLE = -40;

export interface LogSumExp {
  /** Natural log of the summed exponentials; -Infinity when every entry is -Infinity. */
  readonly value: number;
  readonly max: number;
  /** Index of the largest entry (the lowest one on ties); -1 when every entry is -Infinity or NaN. */
  readonly argmax: number;
}

/** One pass for the maximum, one for the sum. */
export function logSumExp(values: Float32Array | Float64Array): LogSumExp {
  let max = Number.NEGATIVE_INFINITY;
  let argmax = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value > max) {
      max = value;
      argmax = i;
    }
  }
  if (argmax < 0 || max === Number.POSITIVE_INFINITY) return { value: max, max, argmax };
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const distance = (values[i] as number) - max;
    if (distance > NEGLIGIBLE) total += Math.exp(distance);
  }
  return { value: max + Math.log(total), max, argmax };
}

/** Index of the largest entry, the lowest index on ties; -1 when there is none. */
export function argmax(values: Float32Array | Float64Array): number {
  let max = Number.NEGATIVE_INFINITY;
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value > max) {
      max = value;
      best = i;
    }
  }
  return best;
}
