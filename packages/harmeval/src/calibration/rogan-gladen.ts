// The rate behind a judge's rate: corrected for its sensitivity and specificity, with their uncertainty.
import { HarmEvalError } from '../harm-eval-error.ts';
import { criticalZ, type Estimate, requireCounts } from '../statistics/interval.ts';
import type { Proportion } from '../statistics/newcombe.ts';

export interface JudgeQuality {
  /** Events that the judge found, of the events that humans found. */
  readonly sensitivity: Proportion;
  /** Non-events that the judge passed, of those that humans passed. */
  readonly specificity: Proportion;
}

export interface CorrectedRate extends Estimate {
  /** The judge's own rate. */
  readonly apparent: number;
  /** The point estimate fell outside [0, 1] and was set to the bound: calibration and data do not fit together. */
  readonly truncated: boolean;
}

/**
 * Rogan and Gladen (1978): (apparent + specificity - 1) / (sensitivity + specificity - 1), with the interval of Lang and
 * Reiczigel (2014), which accounts for the finite calibration sample. Calibrate on the model that is measured:
 * sensitivity of one model's answers says little about another's.
 * @throws HarmEvalError `BAD_ARGUMENT` when the judge is no better than chance (sensitivity + specificity <= 1)
 */
export function roganGladen(
  observed: Proportion,
  quality: JudgeQuality,
  confidence = 0.95,
): CorrectedRate {
  const { sensitivity, specificity } = quality;
  for (const { successes, trials } of [observed, sensitivity, specificity]) {
    requireCounts(successes, trials);
  }
  const z = criticalZ(confidence);
  const se = sensitivity.successes / sensitivity.trials;
  const sp = specificity.successes / specificity.trials;
  if (se + sp <= 1) {
    throw new HarmEvalError(
      `sensitivity ${se.toFixed(3)} and specificity ${sp.toFixed(3)} are no better than chance`,
      {
        code: 'BAD_ARGUMENT',
        hint: 'this judge carries no information on this model: report it uncorrected, or use another judge',
      },
    );
  }
  const apparent = observed.successes / observed.trials;
  const point = (apparent + sp - 1) / (se + sp - 1);
  // Lang and Reiczigel: pseudo-observations pull all three rates inwards before the normal approximation is used.
  const n = observed.trials + z * z;
  const p = (observed.successes + (z * z) / 2) / n;
  const nSe = sensitivity.trials + 2;
  const nSp = specificity.trials + 2;
  const seAdjusted = (sensitivity.successes + 1) / nSe;
  const spAdjusted = (specificity.successes + 1) / nSp;
  const youden = seAdjusted + spAdjusted - 1;
  const centre = (p + spAdjusted - 1) / youden;
  const varSe = (seAdjusted * (1 - seAdjusted)) / nSe;
  const varSp = (spAdjusted * (1 - spAdjusted)) / nSp;
  const shift = 2 * z * z * (centre * varSe - (1 - centre) * varSp);
  const half =
    (z / Math.abs(youden)) *
    Math.sqrt((p * (1 - p)) / n + centre ** 2 * varSe + (1 - centre) ** 2 * varSp);
  return {
    apparent,
    value: clamp(point),
    truncated: point < 0 || point > 1,
    low: clamp(centre + shift - half),
    high: clamp(centre + shift + half),
    confidence,
  };
}

function clamp(rate: number): number {
  return Math.min(1, Math.max(0, rate));
}
