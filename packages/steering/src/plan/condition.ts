// When an operation acts: a score of an activation against a threshold, frozen at the prompt or read per token.
import type { SteeringPoint } from './operation.ts';

/**
 * `cosine`: cos(h, vector), signed, unlike CAST's tanh projection, which loses the sign. `projection`: h.vector /
 * |vector|. `probe`: h.vector + bias. A score that is not a number never fires: it throws NON_FINITE.
 */
export interface Condition {
  readonly score: 'cosine' | 'projection' | 'probe';
  readonly vector: Float32Array;
  readonly bias?: number;
  readonly layer: number;
  /** Default 'hook_resid_post'. */
  readonly point?: Exclude<SteeringPoint, 'attn.hook_z'>;
  /** What of the prompt is scored: its last token (default) or the mean over its tokens. */
  readonly pool?: 'last' | 'mean';
  readonly fire: 'above' | 'below';
  readonly threshold: number;
  /**
   * 'prompt' (default): one decision a row, taken on its unsteered prompt and kept for the whole generation.
   * 'token': each token by itself, read where the operation acts; `layer` and `point` must be the operation's.
   */
  readonly freeze?: 'prompt' | 'token';
}

/** Conditions joined: all of them fire, or any of them does; groups nest. */
export type ConditionRule =
  | Condition
  | { readonly all: readonly ConditionRule[] }
  | { readonly any: readonly ConditionRule[] };

/** Every single condition of a rule, in order. */
export function conditionsOf(rule: ConditionRule): Condition[] {
  if ('all' in rule) return rule.all.flatMap(conditionsOf);
  if ('any' in rule) return rule.any.flatMap(conditionsOf);
  return [rule];
}

/** The rule's value when each single condition has the value that `of` gives. */
export function ruleHolds(rule: ConditionRule, of: (condition: Condition) => boolean): boolean {
  if ('all' in rule) return rule.all.every((own) => ruleHolds(own, of));
  if ('any' in rule) return rule.any.some((own) => ruleHolds(own, of));
  return of(rule);
}

/** Whether every condition of a rule is read at each token; `checkPlan` refuses mixtures. */
export function isPerToken(rule: ConditionRule | undefined): boolean {
  return rule !== undefined && conditionsOf(rule)[0]?.freeze === 'token';
}

/** Whether a score fires; NaN is the caller's error to raise. */
export function fires(condition: Pick<Condition, 'fire' | 'threshold'>, score: number): boolean {
  return condition.fire === 'above' ? score > condition.threshold : score < condition.threshold;
}

/** The score of one activation, in float64. */
export function conditionScore(condition: Condition, h: ArrayLike<number>): number {
  const { vector, bias = 0 } = condition;
  let dot = 0;
  let own = 0;
  let direction = 0;
  for (let i = 0; i < vector.length; i += 1) {
    dot += vector[i]! * h[i]!;
    own += h[i]! * h[i]!;
    direction += vector[i]! * vector[i]!;
  }
  if (condition.score === 'probe') return dot + bias;
  if (condition.score === 'projection') return dot / Math.sqrt(direction);
  return dot / Math.sqrt(direction * own);
}
