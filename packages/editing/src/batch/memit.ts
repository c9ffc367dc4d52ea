// MEMIT: many facts spread over several MLP down projections (Meng et al. 2023).
import { SafeInferError } from '@safeinfer/backend';
import { Matrix } from 'ml-matrix';
import { combine, gram, solveSmall } from '../linear-algebra/small-system.ts';
import { type SecondMoment, solveMoment } from '../second-moment/second-moment.ts';
import { type BatchEdit, type BatchEditOptions, forLayer, prepareBatch } from './batch-options.ts';
import { type LayerSolve, spreadEdit } from './spread-edit.ts';

export interface MemitOptions extends BatchEditOptions {
  /** Weight of what is preserved, `mom2_update_weight`: 15000 to 20000 in the published presets. */
  readonly lambda: number;
  readonly moments: ReadonlyMap<number, SecondMoment>;
  /** How a residual is shared out: over the layers left (MEMIT) or the square root of their number (as PMET does). */
  readonly spread?: 'layersLeft' | 'squareRoot';
}

/**
 * Computes an edit of all requests at once; the model is left as it was.
 * X = (lambda C + K KT)^-1 K, solved as C^-1 K (lambda I + KT C^-1 K)^-1; dW = X RT.
 * @throws BAD_ARGUMENT, BAD_TOKENIZER, NOT_FOUND (a layer without moment), SINGULAR, NON_FINITE, ABORTED
 */
export async function memit(options: MemitOptions): Promise<BatchEdit> {
  const { lambda, moments, layers, spread = 'layersLeft' } = options;
  checkLambda(lambda);
  for (const layer of layers) forLayer(moments, layer, 'second moment');
  const prepared = prepareBatch(options);
  return await spreadEdit({
    ...options,
    ...prepared,
    divisor: spread === 'squareRoot' ? Math.sqrt : (left) => left,
    solve: memitSolve(moments, lambda),
  });
}

/** (lambda C + K KT)^-1 K, through the system of the edits' own size. */
export function memitSolve(moments: ReadonlyMap<number, SecondMoment>, lambda: number): LayerSolve {
  return (layer, keys) => {
    const moment = forLayer(moments, layer, 'second moment');
    const solved = keys.map((key) => solveMoment(moment, key));
    const system = gram(keys, solved, lambda);
    return combine(solved, solveSmall(system, Matrix.eye(keys.length)));
  };
}

/** @throws BAD_ARGUMENT */
export function checkLambda(lambda: number): void {
  if (lambda > 0 && Number.isFinite(lambda)) return;
  throw new SafeInferError(`lambda is ${lambda}`, {
    code: 'BAD_ARGUMENT',
    hint: 'give a positive number; the published presets use 15000 to 20000',
  });
}
