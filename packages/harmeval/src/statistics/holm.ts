// Holm's step-down adjustment: many comparisons, one error rate for the family.
import { HarmEvalError } from '../harm-eval-error.ts';

/** Adjusted p-values in the order given (Holm 1979). Compare each with the family's alpha. */
export function holm(pValues: readonly number[]): readonly number[] {
  const wrong = pValues.find((p) => !(p >= 0 && p <= 1));
  if (wrong !== undefined) {
    throw new HarmEvalError(`${wrong} is not a p-value`, {
      code: 'BAD_ARGUMENT',
      hint: 'pass numbers from 0 to 1, one for each planned comparison',
    });
  }
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = new Array<number>(pValues.length);
  let running = 0;
  order.forEach(({ p, index }, rank) => {
    running = Math.max(running, Math.min(1, p * (pValues.length - rank)));
    adjusted[index] = running;
  });
  return adjusted;
}
