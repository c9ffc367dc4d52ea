// Several steps of weight processing in the order that keeps each one valid.
import type { TextCodec } from '../model/text-codec.ts';
import type { Transformer } from '../model/transformer.ts';
import { centreUnembedding, centreWritingWeights } from './centre-weights.ts';
import { foldNorms } from './fold-norms.ts';
import { foldValueBiases } from './fold-value-biases.ts';

export interface ProcessingSteps {
  readonly foldNorms?: boolean;
  readonly centreWritingWeights?: boolean;
  readonly centreUnembedding?: boolean;
  readonly foldValueBiases?: boolean;
}

/**
 * A new model after the named steps; none is on by default, since the faithful model is the default.
 * Untouched weights are shared with `model`, which stays as it is. Throws `UNSUPPORTED` where a step does
 * not hold for the architecture.
 */
export function processWeights<T extends TextCodec>(
  model: Transformer<T>,
  steps: ProcessingSteps,
): Transformer<T> {
  const chosen = [
    ...(steps.foldNorms ? [foldNorms] : []),
    ...(steps.centreWritingWeights ? [centreWritingWeights] : []),
    ...(steps.centreUnembedding ? [centreUnembedding] : []),
    ...(steps.foldValueBiases ? [foldValueBiases] : []),
  ];
  let current = model.withWeights(new Map());
  for (const step of chosen) {
    try {
      const next = step(current);
      current.dispose();
      current = next;
    } catch (error) {
      current.dispose();
      throw error;
    }
  }
  return current;
}
