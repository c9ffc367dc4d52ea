// What is known before steering that says whether it can work: findings, not verdicts.
import { cosine } from '../linear-algebra/matrix.ts';
import type { ContrastGeometry } from './contrast-geometry.ts';

export interface Finding {
  readonly level: 'warning' | 'note';
  readonly code:
    | 'few-examples'
    | 'low-agreement'
    | 'not-separable'
    | 'many-directions'
    | 'large-norm'
    | 'refusal-overlap';
  readonly text: string;
}

/**
 * Judges a contrast's geometry (Braun et al. 2025: agreement and d' predict steerability) and, when given, its overlap
 * with the refusal direction, which moves jailbreak success either way (fact sheet 4.1).
 */
export function preflight(options: {
  readonly geometry: ContrastGeometry;
  readonly direction?: ArrayLike<number>;
  readonly refusal?: ArrayLike<number>;
}): Finding[] {
  const { geometry, direction, refusal } = options;
  const findings: Finding[] = [];
  const warn = (code: Finding['code'], text: string): void => {
    findings.push({ level: 'warning', code, text });
  };
  const { positive, negative, agreement, auroc, dPrime, effectiveRank, relativeNorm } = geometry;
  if (Math.min(positive, negative) < 16) {
    warn('few-examples', `${positive} and ${negative} examples: means of fewer than 16 are noisy`);
  }
  if (agreement !== undefined && agreement < 0.2) {
    warn('low-agreement', `pairs agree little with their mean (cosine ${agreement.toFixed(2)})`);
  }
  if (auroc < 0.7) {
    warn(
      'not-separable',
      `held-out separation is ${auroc.toFixed(2)} (0.5 is chance), d' ${dPrime.toFixed(2)}`,
    );
  }
  if (effectiveRank !== undefined && effectiveRank > 0.5 * Math.min(positive, negative)) {
    warn('many-directions', `differences spread over ${effectiveRank.toFixed(1)} directions`);
  }
  if (relativeNorm > 1) {
    warn(
      'large-norm',
      `the direction is ${relativeNorm.toFixed(2)} times as long as the activations`,
    );
  }
  if (direction && refusal) {
    const overlap = cosine(direction, refusal);
    findings.push({
      level: Math.abs(overlap) > 0.2 ? 'warning' : 'note',
      code: 'refusal-overlap',
      text: `cosine with the refusal direction: ${overlap.toFixed(2)}`,
    });
  }
  return findings;
}
