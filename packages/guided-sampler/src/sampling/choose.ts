// The last step of sampling: the most likely token, or a draw by the Gumbel-max trick with counter-based noise.
import { argmax } from '../numerics/log-sum-exp.ts';
import { type RandomKey, randomBits } from './random.ts';

type Scores = Float32Array | Float64Array;

const LOG2_E = Math.LOG2E;

/** Standard Gumbel noise of one token: argmax(score + noise) is a draw from softmax(score). */
export function gumbel(key: RandomKey, token: number): number {
  return -Math.log(-Math.log((randomBits(key, token) + 0.5) / 4294967296));
}

/**
 * Whether score + noise of this token can reach `target`, decided from the leading ones of its random bits: noise
 * g needs 1 - u < e^(score - target), so a score k bits below needs about k leading ones. Almost every token fails here.
 */
function mayReach(bits: number, gap: number): boolean {
  // Two bits of slack cover rounding and the half step of the uniform.
  return gap > 0 || Math.clz32(~bits) + 2 >= -gap * LOG2_E;
}

/**
 * Draws from softmax(scores). The noise of a token depends only on (key, token), so two score vectors that are close
 * give the same token with high probability: what makes speculation and lazy terms exact token for token.
 * @returns -1 when no token has support.
 */
export function sampleToken(scores: Scores, key: RandomKey): number {
  let best = argmax(scores);
  if (best < 0) return -1;
  let target = (scores[best] as number) + gumbel(key, best);
  for (let token = 0; token < scores.length; token++) {
    const score = scores[token] as number;
    const gap = score - target;
    // Largest noise is 22.9 (u = 1 - 2^-33).
    if (!(gap > -23)) continue;
    if (!mayReach(randomBits(key, token), gap)) continue;
    const total = score + gumbel(key, token);
    if (total > target) {
      target = total;
      best = token;
    }
  }
  return best;
}

/** The most likely token (lowest id on ties), or the keyed draw. */
export function chooseToken(scores: Scores, key: RandomKey | undefined): number {
  return key === undefined ? argmax(scores) : sampleToken(scores, key);
}

/** Bounds decide only with this much room: it covers the rounding of fp32 scores against float64 bounds. */
const MARGIN = 1e-4;

/**
 * The token that will be chosen whatever the unknown terms say, or -1: its lower bound beats every other upper bound,
 * each with the same noise that the full choice would use. `low` and `high` are scores at temperature 1.
 */
export function decidedToken(
  bounds: { readonly low: Scores; readonly high: Scores },
  key: RandomKey | undefined,
  temperature: number,
): number {
  const { low, high } = bounds;
  const scale = key === undefined ? 1 : 1 / temperature;
  const noise = (token: number): number => (key === undefined ? 0 : gumbel(key, token));
  // The likeliest winner by its lower bound; a better one cannot be decided against it either.
  let best = -1;
  let target = Number.NEGATIVE_INFINITY;
  for (let token = 0; token < low.length; token++) {
    const score = (low[token] as number) * scale;
    const gap = score - target;
    if (!(gap > -23) || score === Number.NEGATIVE_INFINITY) continue;
    if (key !== undefined && !mayReach(randomBits(key, token), gap)) continue;
    const total = score + noise(token);
    if (total > target) {
      target = total;
      best = token;
    }
  }
  if (best < 0 || !Number.isFinite(target)) return -1;
  for (let token = 0; token < high.length; token++) {
    if (token === best) continue;
    const gap = (high[token] as number) * scale - target + MARGIN;
    if (key === undefined) {
      if (gap >= 0) return -1;
      continue;
    }
    if (!(gap > -23) || !mayReach(randomBits(key, token), gap)) continue;
    if (gap + noise(token) >= 0) return -1;
  }
  return best;
}
