// Safety amplification end to end: demonstrations -> mean head outputs -> ranked heads -> vector -> interventions.
import { SafeInferError } from '@safeinfer/backend';
import {
  type DataIntervention,
  isDataIntervention,
  type Transformer,
} from '@safeinfer/transformer';
import { dataHash, modelFingerprint } from '../plan/fingerprint.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { toInterventions } from '../plan/to-interventions.ts';
import type { SteeringProgress } from '../progress.ts';
import {
  checkDemonstrations,
  type Demonstration,
  haveConstantAnswer,
  type PromptFormat,
  questionAnswerFormat,
} from './demonstration.ts';
import { type HeadOutputs, meanHeadOutputs } from './head-outputs.ts';
import { distinctHeads, type HeadRef, headVector } from './head-vector.ts';
import { headsPlan } from './heads-plan.ts';
import {
  type EffectCheckpoint,
  type EffectMetric,
  type IndirectEffects,
  indirectEffects,
} from './indirect-effect.ts';
import { encodeText, firstAnswerToken } from './prompt-tokens.ts';
import { type SampledPrompt, sampleShots, shuffleAnswers } from './sample-shots.ts';

export interface SafetyAmplificationOptions {
  readonly model: Transformer;
  /** Unsafe questions with safe answers (the paper's D_sf). */
  readonly safe: readonly Demonstration[];
  /**
   * The same kind of questions with compliant answers: the corrupted condition of the AIE. Needed when all safe
   * answers are equal, since shuffling equal labels changes nothing; without it labels are shuffled.
   */
  readonly compliant?: readonly Demonstration[];
  /** Fixed heads instead of an AIE ranking (the released code's published lists). */
  readonly heads?: readonly HeadRef[];
  readonly topHeads?: number;
  /** Block whose output gets the vector, 0-based. Default round(L / 3), the paper's choice. */
  readonly layer?: number;
  /** gamma. Default 0.5 (paper); the released code uses 1.5. */
  readonly strength?: number;
  readonly shots?: number;
  readonly prompts?: number;
  readonly effectPrompts?: number;
  /**
   * Effect prompts that share their demonstrations and differ in the query (default 1): the shared tokens run once,
   * at the price of fewer independent draws of demonstrations.
   */
  readonly queriesPerDraw?: number;
  readonly metric?: EffectMetric;
  readonly format?: PromptFormat;
  /**
   * 'aggregate' (default): the heads' summed vector at one layer. 'distributed': each head's mean output added to
   * that head, in its own layer.
   */
  readonly inject?: 'aggregate' | 'distributed';
  readonly seed: number;
  /** Checkpoint of an earlier, interrupted call of the same options. */
  readonly resume?: EffectCheckpoint;
  readonly onCheckpoint?: (checkpoint: EffectCheckpoint) => void;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SteeringProgress) => void;
}

export interface SafetyAmplification {
  readonly vector: Float32Array;
  readonly layer: number;
  readonly strength: number;
  readonly heads: readonly HeadRef[];
  /** Mean head outputs: what vectors of other head counts are summed from (`headVector`). */
  readonly means: HeadOutputs;
  /** Absent when the heads were given. */
  readonly effects?: IndirectEffects;
  /** What to put in a row: adds strength x vector at the last prompt token and at every new token. */
  readonly interventions: readonly DataIntervention[];
  /** The same as a plan: to save, sweep, calibrate, compose and report. */
  readonly plan: SteeringPlan;
}

const LABEL = 'safety-amplification';

/** The intervention of SA: `resid_post[layer] += strength x vector` at the last token of every pass, on its row. */
export function amplify(options: {
  readonly vector: Float32Array;
  readonly layer: number;
  readonly strength: number;
}): DataIntervention {
  return {
    at: `blocks.${options.layer}.hook_resid_post`,
    op: 'add',
    vector: options.vector,
    scale: options.strength,
    positions: 'last',
    label: LABEL,
  };
}

/** Builds a safety vector from demonstrations on the given model (SafeInfer section 3.1; facts 1.2). */
export async function safetyAmplification(
  options: SafetyAmplificationOptions,
): Promise<SafetyAmplification> {
  const { model, safe, compliant, seed } = options;
  const { shots = 10, prompts = 100, effectPrompts = 25, topHeads = 10, strength = 0.5 } = options;
  const { queriesPerDraw = 1 } = options;
  const { format = questionAnswerFormat, metric = 'logitDifference' } = options;
  const { nLayers, nHeads } = model.config;
  const layer = options.layer ?? Math.min(nLayers - 1, Math.round(nLayers / 3));
  if (!Number.isInteger(layer) || layer < 0 || layer >= nLayers) {
    throw new SafeInferError(`layer ${layer} does not exist: the model has ${nLayers} blocks`, {
      code: 'BAD_ARGUMENT',
      hint: `name a layer between 0 and ${nLayers - 1}`,
    });
  }
  if (!Number.isFinite(strength)) {
    throw new SafeInferError(`strength must be a finite number, got ${strength}`, {
      code: 'BAD_ARGUMENT',
      hint: 'the paper sweeps 0 to 1.2',
    });
  }
  if (topHeads < 1 || topHeads > nLayers * nHeads) {
    throw new SafeInferError(`topHeads ${topHeads}: the model has ${nLayers * nHeads} heads`, {
      code: 'BAD_ARGUMENT',
      hint: 'the paper uses 10',
    });
  }
  checkDemonstrations(safe, shots, 'safe demonstrations', options.heads ? 1 : queriesPerDraw);
  if (compliant) checkDemonstrations(compliant, shots, 'compliant demonstrations', queriesPerDraw);
  if (!options.heads && !compliant && haveConstantAnswer(safe)) {
    throw new SafeInferError(
      'all safe demonstrations give the same answer, so shuffling labels corrupts nothing and every effect is noise',
      {
        code: 'BAD_DATASET',
        hint: 'give `compliant` demonstrations as the corrupted condition, or fixed `heads`',
      },
    );
  }

  const encode = ({ shots, query }: SampledPrompt): number[] =>
    encodeText(model, format(shots, query.question));
  const means = await meanHeadOutputs({
    model,
    prompts: sampleShots({ demonstrations: safe, shots, count: prompts, seed }).map(encode),
    signal: options.signal,
    onProgress: options.onProgress,
  });
  let heads: readonly HeadRef[];
  let effects: IndirectEffects | undefined;
  if (options.heads) {
    heads = distinctHeads(options.heads);
  } else {
    const corrupted = sampleShots({
      demonstrations: compliant ?? safe,
      shots,
      count: effectPrompts,
      queries: queriesPerDraw,
      seed: seed + 1,
    }).map((prompt) => (compliant ? prompt : shuffleAnswers(prompt)));
    const target = firstAnswerToken(model, safe);
    const opposed = compliant ? firstAnswerToken(model, compliant) : undefined;
    effects = await indirectEffects({
      model,
      prompts: corrupted.map((prompt) => ({
        tokens: encode(prompt),
        target,
        ...(opposed === undefined ? {} : { opposed }),
      })),
      means,
      metric: opposed === undefined ? 'probability' : metric,
      resume: options.resume,
      onCheckpoint: options.onCheckpoint,
      signal: options.signal,
      onProgress: options.onProgress,
    });
    heads = effects.ranked.slice(0, topHeads);
  }
  const vector = await headVector({ model, means, heads });
  const inject = options.inject ?? 'aggregate';
  const plan: SteeringPlan = {
    operations:
      inject === 'distributed'
        ? headsPlan({ means, heads, strength })
        : [{ op: 'add', layer, vector, strength, positions: 'last', label: LABEL }],
    model: await modelFingerprint(model),
    recipe: {
      method: 'safety-amplification',
      version: 1,
      seed,
      data: dataHash([safe, compliant ?? null]),
      settings: { shots, prompts, effectPrompts, queriesPerDraw, topHeads: heads.length, inject },
    },
  };
  return {
    vector,
    layer,
    strength,
    heads,
    means,
    ...(effects ? { effects } : {}),
    interventions: toInterventions(plan).filter(isDataIntervention),
    plan,
  };
}
