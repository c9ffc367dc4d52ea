// Safety amplification end to end: demonstrations -> mean head outputs -> ranked heads -> vector -> interventions.
import { SafeInferError } from '@safeinfer/backend';
import type { DataIntervention, Transformer } from '@safeinfer/transformer';
import type { SteeringProgress } from '../progress.ts';
import {
  checkDemonstrations,
  type Demonstration,
  haveConstantAnswer,
  type PromptFormat,
  questionAnswerFormat,
} from './demonstration.ts';
import { meanHeadOutputs } from './head-outputs.ts';
import { distinctHeads, type HeadRef, headVector } from './head-vector.ts';
import { type EffectMetric, type IndirectEffects, indirectEffects } from './indirect-effect.ts';
import { type SampledPrompt, sampleShots } from './sample-shots.ts';

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
  readonly metric?: EffectMetric;
  readonly format?: PromptFormat;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SteeringProgress) => void;
}

export interface SafetyAmplification {
  readonly vector: Float32Array;
  readonly layer: number;
  readonly strength: number;
  readonly heads: readonly HeadRef[];
  /** Absent when the heads were given. */
  readonly effects?: IndirectEffects;
  /** What to put in a row: adds strength x vector at the last prompt token and at every new token. */
  readonly interventions: readonly DataIntervention[];
}

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
    label: 'safety-amplification',
  };
}

/** Builds a safety vector from demonstrations on the given model (SafeInfer section 3.1; facts 1.2). */
export async function safetyAmplification(
  options: SafetyAmplificationOptions,
): Promise<SafetyAmplification> {
  const { model, safe, compliant, seed } = options;
  const { shots = 10, prompts = 100, effectPrompts = 25, topHeads = 10, strength = 0.5 } = options;
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
  checkDemonstrations(safe, shots, 'safe demonstrations');
  if (compliant) checkDemonstrations(compliant, shots, 'compliant demonstrations');
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
    tokens(model, format(shots, query.question));
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
      seed: seed + 1,
    }).map((prompt) => (compliant ? prompt : shuffleAnswers(prompt)));
    const target = firstToken(model, safe);
    const opposed = compliant ? firstToken(model, compliant) : undefined;
    effects = await indirectEffects({
      model,
      prompts: corrupted.map((prompt) => ({
        tokens: encode(prompt),
        target,
        ...(opposed === undefined ? {} : { opposed }),
      })),
      means,
      metric: opposed === undefined ? 'probability' : metric,
      signal: options.signal,
      onProgress: options.onProgress,
    });
    heads = effects.ranked.slice(0, topHeads);
  }
  const vector = await headVector({ model, means, heads });
  return {
    vector,
    layer,
    strength,
    heads,
    ...(effects ? { effects } : {}),
    interventions: [amplify({ vector, layer, strength })],
  };
}

function tokens(model: Transformer, text: string): number[] {
  if (!model.tokenizer) {
    throw new SafeInferError('the model has no tokenizer, so demonstrations cannot be encoded', {
      code: 'BAD_TOKENIZER',
      hint: 'load the model from a directory with tokenizer.json',
    });
  }
  return [...model.tokenizer.encode(text)];
}

/** The commonest first answer token, as it is tokenised after "A:" (with its leading space). */
function firstToken(model: Transformer, demonstrations: readonly Demonstration[]): number {
  const counts = new Map<number, number>();
  const stem = tokens(model, 'A:').length;
  for (const { answer } of demonstrations) {
    const id = tokens(model, `A: ${answer}`)[stem];
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0];
}

/** Rotates the answers among the demonstrations: every question gets another one's answer. */
function shuffleAnswers({ shots, query }: SampledPrompt): SampledPrompt {
  return {
    shots: shots.map(({ question }, i) => ({
      question,
      answer: shots[(i + 1) % shots.length]!.answer,
    })),
    query,
  };
}
