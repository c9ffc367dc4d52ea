// PMET: the attention's and the MLP's output optimised together, only the MLP's change written (Li et al. 2024).
import { SafeInferError } from '@safeinfer/backend';
import type { SecondMoment } from '../second-moment/second-moment.ts';
import { type AdaptiveWeight, optimiseShifts } from '../value/optimise-shifts.ts';
import { attentionPoint, valuePoint } from '../value/optimise-value.ts';
import { type BatchEdit, type BatchEditOptions, forLayer, prepareBatch } from './batch-options.ts';
import { checkLambda, memitSolve } from './memit.ts';
import { spreadEdit } from './spread-edit.ts';

export interface PmetOptions extends BatchEditOptions, Partial<AdaptiveWeight> {
  /** Weight of what is preserved, `mom2_update_weight`: 15000 in the published presets. */
  readonly lambda: number;
  readonly moments: ReadonlyMap<number, SecondMoment>;
}

/**
 * Computes an edit of all requests at once; the model is left as it was. Values are those of the last layer's MLP
 * output, found beside a shift of its attention output that is thrown away; each layer writes the residual over the
 * square root of the layers left, by MEMIT's solve. The likelihood counts a tenth once the target is the likeliest
 * token, from the step after it, and the search ends when klFactor KL is then at most `settledKl`
 * (zjunlp/EasyEdit pmet/compute_zs; it tells "likeliest" by equality of two rounded means, here it is the arg max).
 * @throws BAD_ARGUMENT, BAD_TOKENIZER, NOT_FOUND (a layer without moment), SINGULAR, NON_FINITE, ABORTED
 */
export async function pmet(options: PmetOptions): Promise<BatchEdit> {
  const { model, layers, lambda, moments, nllFactor = 1, settledFactor = 0.1 } = options;
  const adaptive = { nllFactor, settledFactor, settledKl: options.settledKl ?? 0.01 };
  checkLambda(lambda);
  for (const [name, factor] of Object.entries(adaptive)) {
    if (Number.isFinite(factor) && factor >= 0) continue;
    throw new SafeInferError(`${name} is ${factor}`, {
      code: 'BAD_ARGUMENT',
      hint: 'give a number from 0; published are nllFactor 1, settledFactor 0.1, settledKl 0.01',
    });
  }
  for (const layer of layers) forLayer(moments, layer, 'second moment');
  const prepared = prepareBatch(options);
  return await spreadEdit({
    ...options,
    ...prepared,
    divisor: Math.sqrt,
    valueAt: valuePoint,
    findValue: async (search) => {
      const points = [attentionPoint(model, search.layer), valuePoint(model, search.layer)];
      const [, mlp] = await optimiseShifts({ ...search, points, adaptive });
      return mlp!;
    },
    solve: memitSolve(moments, lambda),
  });
}
