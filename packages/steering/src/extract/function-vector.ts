// Function vectors of any in-context task: the heads that carry it, and their summed output.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { dataHash, modelFingerprint } from '../plan/fingerprint.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import type { SteeringProgress } from '../progress.ts';
import {
  checkDemonstrations,
  type Demonstration,
  haveConstantAnswer,
  type PromptFormat,
  questionAnswerFormat,
} from '../safety-amplification/demonstration.ts';
import { type HeadOutputs, meanHeadOutputs } from '../safety-amplification/head-outputs.ts';
import { distinctHeads, type HeadRef, headVector } from '../safety-amplification/head-vector.ts';
import { headsPlan } from '../safety-amplification/heads-plan.ts';
import {
  type EffectCheckpoint,
  type IndirectEffects,
  indirectEffects,
} from '../safety-amplification/indirect-effect.ts';
import { answerToken, encodeText } from '../safety-amplification/prompt-tokens.ts';
import { sampleShots, shuffleAnswers } from '../safety-amplification/sample-shots.ts';

export interface FunctionVector {
  readonly vector: Float32Array;
  readonly heads: readonly HeadRef[];
  readonly means: HeadOutputs;
  /** Absent when the heads were given. */
  readonly effects?: IndirectEffects;
  readonly plan: SteeringPlan;
}

/**
 * Todd et al. 2023 on any demonstrations of a task: mean head outputs over prompts with right answers; effects of
 * each head on P(first answer token) in prompts whose demonstrations have their answers shuffled; sum of the best
 * heads' outputs through W_O. Throws BAD_DATASET when all answers are equal, since shuffling then changes nothing.
 */
export async function functionVector(options: {
  readonly model: Transformer;
  readonly demonstrations: readonly Demonstration[];
  readonly heads?: readonly HeadRef[];
  readonly topHeads?: number;
  readonly layer?: number;
  readonly strength?: number;
  readonly shots?: number;
  readonly prompts?: number;
  readonly effectPrompts?: number;
  /**
   * Effect prompts that share their demonstrations and differ in the query (default 1): the shared tokens run once,
   * at the price of fewer independent draws of demonstrations.
   */
  readonly queriesPerDraw?: number;
  readonly format?: PromptFormat;
  readonly inject?: 'aggregate' | 'distributed';
  readonly seed: number;
  readonly resume?: EffectCheckpoint;
  readonly onCheckpoint?: (checkpoint: EffectCheckpoint) => void;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SteeringProgress) => void;
}): Promise<FunctionVector> {
  const { model, demonstrations, seed, shots = 10, prompts = 100, effectPrompts = 25 } = options;
  const { topHeads = 10, strength = 1, format = questionAnswerFormat } = options;
  const { inject = 'aggregate', queriesPerDraw = 1 } = options;
  const { nLayers, nHeads } = model.config;
  const layer = options.layer ?? Math.min(nLayers - 1, Math.round(nLayers / 3));
  if (!(Number.isInteger(layer) && layer >= 0 && layer < nLayers)) {
    throw new SafeInferError(`layer ${layer} does not exist: the model has ${nLayers} blocks`, {
      code: 'BAD_ARGUMENT',
      hint: `name a layer between 0 and ${nLayers - 1}`,
    });
  }
  if (!(topHeads >= 1 && topHeads <= nLayers * nHeads)) {
    throw new SafeInferError(`topHeads ${topHeads}: the model has ${nLayers * nHeads} heads`, {
      code: 'BAD_ARGUMENT',
      hint: 'the paper uses 10',
    });
  }
  checkDemonstrations(demonstrations, shots, 'demonstrations', queriesPerDraw);
  if (!options.heads && haveConstantAnswer(demonstrations)) {
    throw new SafeInferError(
      'all demonstrations give the same answer, so shuffling corrupts nothing',
      {
        code: 'BAD_DATASET',
        hint: 'give varied answers, fixed `heads`, or use safetyAmplification with compliant answers',
      },
    );
  }
  const means = await meanHeadOutputs({
    model,
    prompts: sampleShots({ demonstrations, shots, count: prompts, seed }).map((prompt) =>
      encodeText(model, format(prompt.shots, prompt.query.question)),
    ),
    signal: options.signal,
    onProgress: options.onProgress,
  });
  let effects: IndirectEffects | undefined;
  if (!options.heads) {
    const clean = sampleShots({
      demonstrations,
      shots,
      count: effectPrompts,
      queries: queriesPerDraw,
      seed: seed + 1,
    });
    effects = await indirectEffects({
      model,
      prompts: clean.map(shuffleAnswers).map((prompt) => ({
        tokens: encodeText(model, format(prompt.shots, prompt.query.question)),
        target: answerToken(model, prompt.query.answer)!,
      })),
      means,
      metric: 'probability',
      resume: options.resume,
      onCheckpoint: options.onCheckpoint,
      signal: options.signal,
      onProgress: options.onProgress,
    });
  }
  const heads = options.heads ? distinctHeads(options.heads) : effects!.ranked.slice(0, topHeads);
  const vector = await headVector({ model, means, heads });
  return {
    vector,
    heads,
    means,
    ...(effects ? { effects } : {}),
    plan: {
      operations:
        inject === 'distributed'
          ? headsPlan({ means, heads, strength })
          : [{ op: 'add', layer, vector, strength, positions: 'last', label: 'function-vector' }],
      model: await modelFingerprint(model),
      recipe: {
        method: 'function-vector',
        version: 1,
        seed,
        data: dataHash(demonstrations),
        settings: { shots, prompts, effectPrompts, queriesPerDraw, topHeads: heads.length, inject },
      },
    },
  };
}
