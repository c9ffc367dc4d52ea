// The safety vector: the chosen heads' mean outputs, each through its own slice of W_O, summed in float64.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { type HeadOutputs, headOutput } from './head-outputs.ts';

export interface HeadRef {
  readonly layer: number;
  readonly head: number;
}

/** Published head lists repeat heads (Mistral's has 7 distinct of 10); a repeat must not count twice. */
export function distinctHeads(heads: readonly HeadRef[]): HeadRef[] {
  const seen = new Set<string>();
  return heads.filter(({ layer, head }) => {
    const key = `${layer}.${head}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/**
 * SV = sum over heads of W_O[head] . mean output (SafeInfer Eq. 2), without o_proj's bias, which belongs to no head.
 * @returns dModel numbers.
 */
export async function headVector(options: {
  readonly model: Transformer;
  readonly means: HeadOutputs;
  readonly heads: readonly HeadRef[];
}): Promise<Float32Array> {
  const { model, means, heads } = options;
  const { dModel, dHead, nLayers, nHeads } = model.config;
  const sum = new Float64Array(dModel);
  for (const { layer, head } of heads) {
    if (!(layer >= 0 && layer < nLayers && head >= 0 && head < nHeads)) {
      throw new SafeInferError(
        `head (${layer}, ${head}) does not exist: the model has ${nLayers} layers of ${nHeads} heads`,
        {
          code: 'BAD_ARGUMENT',
          hint: 'layers and heads count from 0; head lists belong to one model',
        },
      );
    }
    const output = headOutput(means, layer, head);
    const weight = model.weights.get(`blocks.${layer}.attn.W_O`)!;
    const values = (await weight.data()) as Float32Array;
    for (let e = 0; e < dHead; e += 1) {
      const row = (head * dHead + e) * dModel;
      for (let d = 0; d < dModel; d += 1) sum[d]! += values[row + d]! * output[e]!;
    }
  }
  return Float32Array.from(sum);
}
