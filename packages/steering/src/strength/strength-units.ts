// Strength with units: what a number means, turned into the raw factor of a vector at a layer.
import { SafeInferError } from '@safeinfer/backend';
import type { Row, Transformer } from '@safeinfer/transformer';
import { readActivations } from '../extract/read-activations.ts';
import { standardDeviation } from '../extract/truth-heads.ts';
import { dot, norm, rowOf } from '../linear-algebra/matrix.ts';
import type { AddOperation } from '../plan/operation.ts';

/**
 * raw: times the vector as it is. residual: the added length as a share of the mean |h| at that point. sigma: in
 * standard deviations of projections on the vector (ITI). max-activation: in largest projections (AxBench).
 */
export type StrengthUnit = 'raw' | 'residual' | 'sigma' | 'max-activation';

/**
 * The raw strength of an addition for a value in a unit, measured on `rows` at every token. Throws BAD_DATASET when
 * the unit is zero on them. KL-calibrated strength: `calibrateKl`.
 */
export async function rawStrength(options: {
  readonly model: Transformer;
  readonly operation: AddOperation;
  readonly unit: StrengthUnit;
  readonly value: number;
  readonly rows: readonly Row[];
  readonly signal?: AbortSignal;
}): Promise<number> {
  const { model, operation, unit, value, rows } = options;
  if (unit === 'raw') return value;
  const { layer, point, head, vector } = operation;
  const length = norm(vector);
  const scale: number[] = [];
  for (const row of rows) {
    const tokens =
      typeof row.tokens === 'string' ? model.tokenizer!.encode(row.tokens) : row.tokens;
    // One line a token: every position of the row is read.
    const [own] = await readActivations({
      model,
      rows: tokens.map((_, position) => ({ ...row, tokens, read: position })),
      sites: [{ layer, ...(point ? { point } : {}) }],
      signal: options.signal,
    });
    for (let i = 0; i < own!.rows; i += 1) {
      const whole = rowOf(own!, i);
      const h =
        head === undefined
          ? whole
          : whole.subarray(head * vector.length).subarray(0, vector.length);
      scale.push(unit === 'residual' ? norm(h) : dot(h, vector) / length);
    }
  }
  const measured =
    unit === 'residual'
      ? scale.reduce((sum, x) => sum + x, 0) / scale.length
      : unit === 'sigma'
        ? standardDeviation(scale)
        : Math.max(...scale);
  if (!(measured > 0) || !(length > 0)) {
    throw new SafeInferError(`the unit '${unit}' is ${measured} on these rows`, {
      code: 'BAD_DATASET',
      hint: 'give more varied rows, or rows that show the concept',
    });
  }
  return (value * measured) / length;
}
