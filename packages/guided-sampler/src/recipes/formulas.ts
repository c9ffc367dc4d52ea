// The published decoding-time methods as formulas, each with its source's defaults.
import { common, nucleus, plausible } from '../formula/candidate-set.ts';
import {
  combine,
  type Expr,
  firstSteps,
  mixProbs,
  penalise,
  weighted,
  within,
} from '../formula/expr.ts';
import { fromLambda } from '../formula/lambda.ts';

/**
 * Safety-guided decoding: `S - beta * relu(U - S)`, equal to `sa - lambda * union(unsafe, sa)` with the reference
 * library's normalisation. Source: Banerjee et al. 2025, Eq. 6 as released; lambda 0.99 (beta 99).
 */
export function safeInferFormula(
  safe: Expr,
  unsafe: Expr,
  options: { readonly lambda?: number; readonly beta?: number } = {},
): Expr {
  return penalise(safe, unsafe, {
    beta: options.beta ?? fromLambda(options.lambda ?? 0.99).beta,
  });
}

/**
 * SafeDecoding: for the first `first` tokens `p + alpha (q - p)` over the tokens both models rank highest, then the
 * base alone. Source: Xu et al. 2024 and its script (alpha 3, 2 tokens, 5 common tokens, floor 1e-8).
 */
export function safeDecodingFormula(
  base: Expr,
  expert: Expr,
  options: { readonly alpha?: number; readonly first?: number; readonly common?: number } = {},
): Expr {
  const mixed = mixProbs(base, expert, { alpha: options.alpha ?? 3, floor: 1e-8 });
  const early = within(common(base, expert, options.common ?? 5), mixed);
  return firstSteps(options.first ?? 2, early, base);
}

/**
 * Self-contrastive decoding: `s_safe - ratio (s_safe - s_plain)`, away from the over-cautious prompt. Source: Shi et
 * al. 2024 (OverKill), ratio 2.5 in its script. Lowers over-refusal; it does not add safety.
 */
export function selfCdFormula(
  emphasised: Expr,
  plain: Expr,
  options: { readonly ratio?: number } = {},
): Expr {
  const ratio = options.ratio ?? 2.5;
  return combine(weighted(1 - ratio, emphasised), weighted(ratio, plain));
}

/** ROSE: `s_positive - alpha * s_reverse`, same model under two prompts. Source: Zhong et al. 2024, alpha 0.5. */
export function roseFormula(
  positive: Expr,
  reverse: Expr,
  options: { readonly alpha?: number } = {},
): Expr {
  return combine(weighted(1, positive), weighted(-(options.alpha ?? 0.5), reverse));
}

/**
 * DExperts: `s + alpha (s_expert - s_anti)` inside the base's nucleus. Source: Liu et al. 2021, alpha 2.0 for
 * toxicity, nucleus 0.9.
 */
export function dexpertsFormula(
  base: Expr,
  expert: Expr,
  anti: Expr,
  options: { readonly alpha?: number; readonly nucleus?: number } = {},
): Expr {
  const alpha = options.alpha ?? 2;
  const steered = combine(weighted(1, base), weighted(alpha, expert), weighted(-alpha, anti));
  const mass = options.nucleus ?? 0.9;
  return mass >= 1 ? steered : within(nucleus(base, mass), steered);
}

/** Proxy-tuning: `s_large + alpha (s_tuned - s_untuned)`. Source: Liu et al. 2024, alpha 1. */
export function proxyTuningFormula(
  large: Expr,
  tuned: Expr,
  untuned: Expr,
  options: { readonly alpha?: number } = {},
): Expr {
  return dexpertsFormula(large, tuned, untuned, { alpha: options.alpha ?? 1, nucleus: 1 });
}

/**
 * Contrastive decoding: `log p_expert - coefficient * log p_amateur` on tokens with at least `plausibility` times the
 * expert's highest probability. Source: Li et al. 2023 (coefficient 1, amateur temperature 0.5, plausibility 0.1).
 */
export function contrastiveFormula(
  expert: Expr,
  amateur: Expr,
  options: {
    readonly coefficient?: number;
    readonly amateurTemperature?: number;
    readonly plausibility?: number;
  } = {},
): Expr {
  const cold = options.amateurTemperature ?? 0.5;
  // Linear in the logits: a temperature on the amateur is a weight of 1/T, constants cancel.
  const contrast = combine(
    weighted(1, expert),
    weighted(-(options.coefficient ?? 1) / cold, amateur),
  );
  return within(plausible(expert, options.plausibility ?? 0.1), contrast);
}

/** Context-aware decoding: `(1 + a) s(context) - a s(no context)`. Source: Shi et al. 2023, a 0.5 (CNN-DM). */
export function contextAwareFormula(
  withContext: Expr,
  without: Expr,
  options: { readonly alpha?: number } = {},
): Expr {
  const alpha = options.alpha ?? 0.5;
  return combine(weighted(1 + alpha, withContext), weighted(-alpha, without));
}

/** Classifier-free guidance: `u + scale (c - u)`. Source: Sanchez et al. 2023; scale 1 is the conditioned model. */
export function classifierFreeFormula(
  conditioned: Expr,
  unconditioned: Expr,
  options: { readonly scale?: number } = {},
): Expr {
  const scale = options.scale ?? 1.5;
  return combine(weighted(scale, conditioned), weighted(1 - scale, unconditioned));
}
