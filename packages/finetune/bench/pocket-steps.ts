// Training steps shaped like those of the bundled model: one short and one long micro-batch.
import { uniformAt } from '@safeinfer/transformer';
import type { TrainingExample } from '../src/index.ts';

/** Lengths of the two micro-batches: about 1200 tokens each, nearly uniform, as bucketing makes them. */
const SHORT = Array.from({ length: 33 }, (_, i) => 33 + Math.floor(i / 8));
const LONG = [186, 188, 190, 193, 196, 199];

/** Examples of `steps` steps, one step after the other. */
export function pocketExamples(steps: number, vocabSize: number): TrainingExample[] {
  return Array.from({ length: steps }, (_, step) =>
    [...SHORT, ...LONG].map((length, row): TrainingExample => {
      const at = (t: number): number => uniformAt(step * 1000 + row, t);
      const tokens = Array.from({ length }, (_, t) => 6 + Math.floor(at(t) ** 3 * (vocabSize - 6)));
      // The corpus weighs answers 1 and questions 0.1.
      return { tokens, weights: tokens.map((_, t) => (t < length / 2 ? 0.1 : 1)) };
    }),
  ).flat();
}

export const EXAMPLES_PER_STEP: number = SHORT.length + LONG.length;
