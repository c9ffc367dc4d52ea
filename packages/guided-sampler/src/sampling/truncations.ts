// Truncations: which tokens sampling may still choose, by rank or by probability.
import { logSumExp } from '../numerics/log-sum-exp.ts';
import { descendUntil, mostLikely } from '../numerics/most-likely.ts';
import { type Processor, REMOVED, type Scores } from './processor.ts';

function keepOnly(scores: Scores, ids: readonly number[]): void {
  const kept = ids.map((id) => scores[id] as number);
  scores.fill(REMOVED);
  ids.forEach((id, index) => {
    scores[id] = kept[index] as number;
  });
}

/** Removes scores below a limit; the most likely token always stays. */
function keepAbove(scores: Scores, limit: number, max: number): void {
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (score < limit && score < max) scores[i] = REMOVED;
  }
}

/** Keeps the k largest scores and everything tied with the last of them (as Hugging Face does). */
export function topK(k: number): Processor {
  return {
    name: `top-k ${k}`,
    effect: 'truncate',
    apply(scores) {
      if (k >= scores.length) return;
      const last = mostLikely(scores, k).at(-1);
      if (last !== undefined) keepAbove(scores, scores[last] as number, Number.POSITIVE_INFINITY);
    },
  };
}

/** Nucleus sampling (Holtzman et al. 2020): the token that crosses the mass is kept. */
export function topP(mass: number): Processor {
  return {
    name: `top-p ${mass}`,
    effect: 'truncate',
    apply(scores) {
      const total = logSumExp(scores).value;
      const ids = descendUntil(
        scores,
        (id) => Math.exp((scores[id] as number) - total),
        (before) => before >= mass,
      );
      keepOnly(scores, ids);
    },
  };
}

/** Keeps tokens with at least `fraction` of the highest probability. */
export function minP(fraction: number): Processor {
  return {
    name: `min-p ${fraction}`,
    effect: 'truncate',
    apply(scores) {
      const { max } = logSumExp(scores);
      keepAbove(scores, max + Math.log(fraction), max);
    },
  };
}

/** Locally typical sampling (Meister et al. 2023): tokens whose surprise is nearest the entropy, up to `mass`. */
export function typicalP(mass: number): Processor {
  return {
    name: `typical ${mass}`,
    effect: 'truncate',
    apply(scores) {
      const total = logSumExp(scores).value;
      let entropy = 0;
      for (const score of scores) {
        const logProb = score - total;
        if (score > REMOVED) entropy -= Math.exp(logProb) * logProb;
      }
      const distance = Float64Array.from(scores, (s) =>
        s > REMOVED ? -Math.abs(total - s - entropy) : REMOVED,
      );
      const ids = descendUntil(
        distance,
        (id) => Math.exp((scores[id] as number) - total),
        (before) => before >= mass,
      );
      keepOnly(scores, ids);
    },
  };
}

/** Removes tokens below an absolute probability (Hewitt et al. 2022). */
export function epsilonCutoff(epsilon: number): Processor {
  return {
    name: `epsilon ${epsilon}`,
    effect: 'truncate',
    apply(scores) {
      const { value, max } = logSumExp(scores);
      keepAbove(scores, Math.log(epsilon) + value, max);
    },
  };
}

/** Removes tokens below min(epsilon, sqrt(epsilon) * exp(-entropy)) (Hewitt et al. 2022). */
export function etaCutoff(epsilon: number): Processor {
  return {
    name: `eta ${epsilon}`,
    effect: 'truncate',
    apply(scores) {
      const { value, max } = logSumExp(scores);
      let entropy = 0;
      for (const score of scores) {
        const logProb = score - value;
        if (score > REMOVED) entropy -= Math.exp(logProb) * logProb;
      }
      const eta = Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy));
      keepAbove(scores, Math.log(eta) + value, max);
    },
  };
}

/** Keeps logits within n standard deviations of the highest one (llama.cpp's top-n-sigma). */
export function topNSigma(n: number): Processor {
  return {
    name: `top-n-sigma ${n}`,
    effect: 'truncate',
    apply(scores) {
      let count = 0;
      let mean = 0;
      let max = REMOVED;
      for (const score of scores) {
        if (score === REMOVED) continue;
        count++;
        mean += score;
        if (score > max) max = score;
      }
      mean /= count;
      let variance = 0;
      for (const score of scores) if (score > REMOVED) variance += (score - mean) ** 2;
      keepAbove(scores, max - n * Math.sqrt(variance / count), max);
    },
  };
}

/** Divides scores by the temperature. */
export function temperature(value: number): Processor {
  return {
    name: `temperature ${value}`,
    effect: 'scale',
    apply(scores) {
      for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] as number) / value;
    },
  };
}
