// Wilson's 95 % interval of a proportion (Wilson 1927); the viewer imports no other package of this repository.
import type { Rate } from '../schema/report-rows.ts';

/** 97.5 % quantile of the standard normal distribution. */
const Z = 1.959963984540054;

/** Absent when nothing was counted. */
export function rateOf(count: number, total: number): Rate | undefined {
  if (total === 0) return undefined;
  const value = count / total;
  const centre = value + (Z * Z) / (2 * total);
  const spread = Z * Math.sqrt((value * (1 - value)) / total + (Z * Z) / (4 * total * total));
  const scale = 1 + (Z * Z) / total;
  return {
    count,
    total,
    value,
    low: count === 0 ? 0 : (centre - spread) / scale,
    high: count === total ? 1 : (centre + spread) / scale,
  };
}
