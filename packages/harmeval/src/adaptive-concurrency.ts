// How many calls to keep in flight to a remote model: up slowly while it answers, down at once when it says "too many".

export interface AdaptiveConcurrency {
  /** Calls in flight at the beginning. */
  readonly start: number;
  readonly max: number;
  /** No second cut within this time: the calls of one burst are all turned away together. Milliseconds. */
  readonly cooldownMs?: number;
}

export interface ConcurrencyController {
  readonly limit: () => number;
  readonly succeeded: () => void;
  readonly rateLimited: () => void;
}

// Additive up, multiplicative down, with the step sizes that evaluation harnesses use against hosted models: a fifth off
// for a refusal, a twentieth on after a round without one.
const CUT = 0.8;
const GROWTH = 0.05;
const COOLDOWN_MS = 15_000;

/** Calls `onLimit` whenever the limit changes. `now` is a clock in milliseconds. */
export function concurrencyController(
  options: AdaptiveConcurrency,
  onLimit: (limit: number) => void,
  now: () => number = () => performance.now(),
): ConcurrencyController {
  const { max, cooldownMs = COOLDOWN_MS } = options;
  let limit = Math.min(options.start, max);
  let clean = 0;
  let lastCut = Number.NEGATIVE_INFINITY;
  const set = (next: number): void => {
    if (next === limit) return;
    limit = next;
    onLimit(limit);
  };
  return {
    limit: () => limit,
    succeeded: () => {
      clean += 1;
      // A round: as many answers as calls are in flight.
      if (clean < limit) return;
      clean = 0;
      set(Math.min(max, limit + Math.max(1, Math.round(limit * GROWTH))));
    },
    rateLimited: () => {
      clean = 0;
      const at = now();
      if (at - lastCut < cooldownMs) return;
      lastCut = at;
      set(Math.max(1, Math.min(limit - 1, Math.floor(limit * CUT))));
    },
  };
}
