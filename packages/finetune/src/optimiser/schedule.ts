// Learning-rate schedules: a factor of the peak rate for each step.
import { SafeInferError } from '@safeinfer/backend';

export interface Schedule {
  /** How the rate falls after warm-up: to zero along a line or half a cosine, or not at all. */
  readonly kind: 'linear' | 'cosine' | 'constant';
  /** Steps over which the rate rises linearly; default 0. */
  readonly warmupSteps?: number;
  /**
   * Rate of the first warm-up step: 'zero' as in transformers, whose first step changes nothing, or 'first'
   * for 1 / warmupSteps. Default 'zero'.
   */
  readonly warmupFrom?: 'zero' | 'first';
  /** Step at which the fall begins; default: the end of warm-up. */
  readonly decayFrom?: number;
}

/**
 * The factor at `step`, counted from 0, of `steps` in all. Equals transformers' `linear`, `cosine` and
 * `constant_with_warmup` when `warmupFrom` and `decayFrom` keep their defaults.
 */
export function scheduleFactor(schedule: Schedule, step: number, steps: number): number {
  const { kind, warmupSteps = 0, warmupFrom = 'zero', decayFrom = warmupSteps } = schedule;
  const done = step + (warmupFrom === 'first' ? 1 : 0);
  const rise = warmupSteps > 0 ? Math.min(1, done / warmupSteps) : 1;
  if (kind === 'constant' || step < decayFrom) return rise;
  const progress = (step - decayFrom) / Math.max(1, steps - decayFrom);
  const fall =
    kind === 'linear'
      ? Math.max(0, 1 - progress)
      : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
  return rise * fall;
}

/** @throws SafeInferError `BAD_ARGUMENT` */
export function checkSchedule(schedule: Schedule): void {
  const { kind, warmupSteps = 0, decayFrom = warmupSteps } = schedule;
  const valid = ['linear', 'cosine', 'constant'].includes(kind);
  if (valid && warmupSteps >= 0 && decayFrom >= 0) return;
  throw new SafeInferError(
    `there is no schedule '${kind}' with ${warmupSteps} warm-up steps, falling from step ${decayFrom}`,
    {
      code: 'BAD_ARGUMENT',
      hint: "use 'linear', 'cosine' or 'constant', and steps that are not negative",
    },
  );
}
