// A grid of numbers with named axes.
import { SafeInferError } from '@safeinfer/backend';
import type { SweepGrid } from './patch-site.ts';

export interface SweepAxis {
  readonly name: 'layer' | 'position' | 'head';
  /** What each index stands for. */
  readonly values: readonly number[];
}

export interface SweepResult {
  /** (layer), then (position) unless all were patched at once, then (head) where the site has heads. */
  readonly axes: readonly SweepAxis[];
  /** Row-major over the axes. */
  readonly values: Float64Array;
  /** The metric of the two unpatched prompts. */
  readonly clean: number;
  readonly corrupted: number;
  /** The value at one index of each axis. */
  at(...index: readonly number[]): number;
}

export function axesOf({ layers, positions, heads }: SweepGrid): SweepAxis[] {
  return [
    { name: 'layer', values: layers },
    ...(positions === 'all' ? [] : [{ name: 'position' as const, values: positions }]),
    ...(heads === undefined ? [] : [{ name: 'head' as const, values: heads }]),
  ];
}

export function sweepResult(parts: Omit<SweepResult, 'at'>): SweepResult {
  const { axes, values } = parts;
  return {
    ...parts,
    at(...index: readonly number[]): number {
      const offset = axes.reduce(
        (sum, axis, i) => sum * axis.values.length + checkedIndex(axis, index[i]),
        0,
      );
      return values[offset] as number;
    },
  };
}

function checkedIndex({ name, values }: SweepAxis, index: number | undefined): number {
  if (index !== undefined && Number.isInteger(index) && index >= 0 && index < values.length) {
    return index;
  }
  throw new SafeInferError(`${name} index ${index} is not one of ${values.length}`, {
    code: 'BAD_ARGUMENT',
    hint: 'give one index an axis, from 0, in the order of `axes`',
  });
}
