// The condition that tells two sets of prompts apart best: layer, side and threshold by F1 (CAST, Lee et al. 2024).
import { SafeInferError } from '@safeinfer/backend';
import { type Matrix, rowOf } from '../linear-algebra/matrix.ts';
import { type Condition, conditionScore } from '../plan/condition.ts';

export interface FoundCondition {
  readonly condition: Condition;
  /** On the prompts that chose it. */
  readonly f1: number;
  readonly precision: number;
  readonly recall: number;
  /** How many thresholds and sides it was chosen from. */
  readonly tried: number;
}

/**
 * Scores every prompt with the very function that is used while steering, then takes the threshold (midway between
 * two neighbouring scores) and side with the highest F1 for firing on `positive`. Ties go to the wider margin. Rows
 * of the matrices are prompts, pooled as the condition will pool them. Throws BAD_DATASET for an empty side.
 */
export function findCondition(options: {
  readonly candidates: readonly {
    /** All of the condition but its side and threshold. */
    readonly condition: Omit<Condition, 'fire' | 'threshold'>;
    readonly positive: Matrix;
    readonly negative: Matrix;
  }[];
}): FoundCondition {
  let best: (FoundCondition & { readonly margin: number }) | undefined;
  let tried = 0;
  for (const { condition, positive, negative } of options.candidates) {
    if (positive.rows === 0 || negative.rows === 0) {
      throw new SafeInferError('a condition is found between two sets of prompts, one is empty', {
        code: 'BAD_DATASET',
        hint: 'give prompts on which it should fire, and prompts on which it should not',
      });
    }
    const scored = [positive, negative].flatMap((x, side) =>
      Array.from({ length: x.rows }, (_, row) => ({
        score: conditionScore({ ...condition, fire: 'above', threshold: 0 }, rowOf(x, row)),
        wanted: side === 0,
      })),
    );
    if (!scored.every(({ score }) => Number.isFinite(score))) {
      throw new SafeInferError(`a score at layer ${condition.layer} is not a number`, {
        code: 'NON_FINITE',
        hint: 'look for NaN or zero activations there; a condition never fires on NaN',
      });
    }
    scored.sort((a, b) => a.score - b.score);
    const cuts = scored
      .slice(1)
      .map(({ score }, i) => ({
        threshold: (score + scored[i]!.score) / 2,
        margin: score - scored[i]!.score,
      }))
      .filter(({ margin }) => margin > 0);
    for (const { threshold, margin } of cuts) {
      for (const fire of ['above', 'below'] as const) {
        tried += 1;
        const fired = scored.filter(({ score }) =>
          fire === 'above' ? score > threshold : score < threshold,
        );
        const hits = fired.filter(({ wanted }) => wanted).length;
        if (hits === 0) continue;
        const precision = hits / fired.length;
        const recall = hits / positive.rows;
        const f1 = (2 * precision * recall) / (precision + recall);
        if (best && (f1 < best.f1 || (f1 === best.f1 && margin <= best.margin))) continue;
        const found: Condition = { ...condition, fire, threshold };
        best = { condition: found, f1, precision, recall, tried, margin };
      }
    }
  }
  if (!best) {
    throw new SafeInferError('no threshold separates anything: all scores are equal', {
      code: 'BAD_DATASET',
      hint: 'read another layer, or check that the two sets differ',
    });
  }
  const { margin: _, ...result } = best;
  return { ...result, tried };
}
