// EMMET: many facts with equality constraints in one layer, ROME's batched form (Gupta et al. 2024).
import { SafeInferError } from '@safeinfer/backend';
import { Matrix } from 'ml-matrix';
import { combine, gram, solveSmall } from '../linear-algebra/small-system.ts';
import { type SecondMoment, solveMoment } from '../second-moment/second-moment.ts';
import { type BatchEdit, type BatchEditOptions, forLayer, prepareBatch } from './batch-options.ts';
import { spreadEdit } from './spread-edit.ts';

export interface EmmetOptions extends Omit<BatchEditOptions, 'layers'> {
  readonly layer: number;
  readonly moments: ReadonlyMap<number, SecondMoment>;
  /** C is multiplied by it; matters only beside `damp`. Default 1. */
  readonly momentScale?: number;
  /** Added to the diagonal of KT C^-1 K when there are several edits. Default 0.1, as published. */
  readonly damp?: number;
}

/**
 * Computes an edit; the model is left as it was. dW = (cC)^-1 K D^-1 RT with D = KT (cC)^-1 K + damp I.
 * With one request it is r-ROME's form on the block's output, whatever the scale.
 * @throws BAD_ARGUMENT, BAD_TOKENIZER, NOT_FOUND, SINGULAR, NON_FINITE, ABORTED
 */
export async function emmet(options: EmmetOptions): Promise<BatchEdit> {
  const { layer, moments, momentScale = 1, damp = 0.1 } = options;
  if (!(momentScale > 0) || !(damp >= 0)) {
    throw new SafeInferError(`momentScale ${momentScale} or damp ${damp} is out of range`, {
      code: 'BAD_ARGUMENT',
      hint: 'momentScale is positive, damp is not negative',
    });
  }
  const moment = forLayer(moments, layer, 'second moment');
  const prepared = prepareBatch({ ...options, layers: [layer] });
  return await spreadEdit({
    ...options,
    ...prepared,
    layers: [layer],
    divisor: () => 1,
    solve: (_layer, keys) => {
      const solved = keys.map((key) => solveMoment(moment, key).map((x) => x / momentScale));
      const system = gram(keys, solved, keys.length > 1 ? damp : 0);
      return combine(solved, solveSmall(system, Matrix.eye(keys.length)));
    },
  });
}
