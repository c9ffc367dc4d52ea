// The refusal direction: candidates by position and layer, chosen by what ablating and adding them does.
import { SafeInferError } from '@safeinfer/backend';
import type { Row, Transformer } from '@safeinfer/transformer';
import { ablateEverywhere } from '../bake/bake-plan.ts';
import { nextTurn } from '../next-turn.ts';
import { dataHash, modelFingerprint } from '../plan/fingerprint.ts';
import type { Recipe, SteeringPlan } from '../plan/steering-plan.ts';
import { toInterventions } from '../plan/to-interventions.ts';
import type { SteeringProgress } from '../progress.ts';
import { klDivergence, logProbabilities } from '../strength/distribution.ts';
import { checkContrast } from './contrast-vector.ts';
import { differenceInMeans } from './directions.ts';
import { readActivations } from './read-activations.ts';

export interface DirectionCandidate {
  readonly position: number;
  readonly layer: number;
  readonly direction: Float32Array;
  /** Mean refusal score on harmful validation prompts with the direction ablated: low = bypassed. */
  readonly bypass: number;
  /** Mean refusal score on harmless validation prompts with the direction added once: high = induced. */
  readonly induce: number;
  /** Mean KL(base || ablated) at the last token of harmless validation prompts. */
  readonly kl: number;
  /** Why it was discarded; undefined for those that could be chosen. */
  readonly discarded?: string;
}

export interface RefusalDirection {
  readonly chosen: DirectionCandidate;
  readonly candidates: readonly DirectionCandidate[];
  /** Unsteered mean refusal scores. */
  readonly baseline: { readonly harmful: number; readonly harmless: number };
  /** Training prompts kept after filtering by refusal score. */
  readonly kept: { readonly harmful: number; readonly harmless: number };
  readonly recipe: Recipe;
  readonly model: string;
}

const EPSILON = 1e-8;

/**
 * log P(R) - log(1 - P(R)) of the next token, R the first tokens of refusals (Arditi et al. 2024, section 2.4).
 */
export function refusalScore(logits: ArrayLike<number>, refusalTokens: readonly number[]): number {
  const log = logProbabilities(logits);
  let p = 0;
  for (const token of refusalTokens) p += Math.exp(log[token]!);
  return Math.log(p + EPSILON) - Math.log(1 - p + EPSILON);
}

/**
 * Arditi et al. 2024: r[position, layer] = mean harmful - mean harmless of `hook_resid_pre` over prompts that are
 * refused and answered as they should be; of the candidates below `maxLayerShare` of the depth, with KL at most
 * `maxKl` and induce at least 0, the one with the lowest bypass. Throws BAD_DATASET when no candidate is left.
 */
export async function refusalDirection(options: {
  readonly model: Transformer;
  readonly harmful: readonly Row[];
  readonly harmless: readonly Row[];
  readonly validation: { readonly harmful: readonly Row[]; readonly harmless: readonly Row[] };
  readonly refusalTokens: readonly number[];
  /** Negative positions to try: the template's tokens after the user's text. Default [-1]. */
  readonly positions?: readonly number[];
  readonly layers?: readonly number[];
  readonly maxKl?: number;
  readonly maxLayerShare?: number;
  /** Keep only training prompts whose refusal score has the right sign. Default true. */
  readonly filter?: boolean;
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SteeringProgress) => void;
}): Promise<RefusalDirection> {
  const { model, validation, refusalTokens, positions = [-1], maxKl = 0.1 } = options;
  const { maxLayerShare = 0.8, filter = true, batchSize = 16, signal, onProgress } = options;
  const { nLayers, vocabSize } = model.config;
  checkContrast(options.harmful, options.harmless);
  checkContrast(validation.harmful, validation.harmless);
  if (!refusalTokens.length || !refusalTokens.every((t) => t >= 0 && t < vocabSize)) {
    throw new SafeInferError('no usable refusal tokens', {
      code: 'BAD_ARGUMENT',
      hint: 'give the ids of the first tokens of refusals, such as " I" and "Sorry"',
    });
  }
  const lastLogits = (rows: readonly Row[]) => lastLogitsOf({ model, rows, batchSize, signal });
  const scores = async (rows: readonly Row[]): Promise<number[]> =>
    (await lastLogits(rows)).map((logits) => refusalScore(logits, refusalTokens));

  const keep = async (rows: readonly Row[], wanted: 1 | -1): Promise<readonly Row[]> => {
    if (!filter) return rows;
    const own = await scores(rows);
    return rows.filter((_, i) => own[i]! * wanted > 0);
  };
  const harmful = await keep(options.harmful, 1);
  const harmless = await keep(options.harmless, -1);
  if (harmful.length === 0 || harmless.length === 0) {
    throw new SafeInferError(
      `the model refuses ${harmful.length} harmful and answers ${harmless.length} harmless prompts`,
      {
        code: 'BAD_DATASET',
        hint: 'a refusal direction needs a model that refuses; check the refusal tokens and the template',
      },
    );
  }
  const layers = options.layers ?? Array.from({ length: nLayers }, (_, layer) => layer);
  const sites = layers.map((layer) => ({ layer, point: 'hook_resid_pre' as const }));
  const base = await lastLogits(validation.harmless);
  const baseline = {
    harmful: mean(await scores(validation.harmful)),
    harmless: mean(base.map((logits) => refusalScore(logits, refusalTokens))),
  };
  const candidates: DirectionCandidate[] = [];
  const total = positions.length * layers.length;
  for (const position of positions) {
    const plus = await readActivations({ model, rows: harmful, sites, read: position, signal });
    const minus = await readActivations({ model, rows: harmless, sites, read: position, signal });
    for (const [i, layer] of layers.entries()) {
      await nextTurn(signal);
      const direction = Float32Array.from(differenceInMeans(plus[i]!, minus[i]!));
      if (direction.every((value) => value === 0)) {
        // The same token at this position of every prompt, before any block has mixed in the others.
        const none = { bypass: Number.NaN, induce: Number.NaN, kl: Number.NaN };
        const discarded = 'both sides are equal there';
        candidates.push({ position, layer, direction, ...none, discarded });
        continue;
      }
      const ablated = ablateEverywhere(direction, model.config);
      const added: SteeringPlan = {
        operations: [{ op: 'add', layer, point: 'hook_resid_pre', vector: direction }],
      };
      const bypass = mean(await scores(withPlan(validation.harmful, ablated)));
      const induce = mean(await scores(withPlan(validation.harmless, added)));
      const changed = await lastLogits(withPlan(validation.harmless, ablated));
      const kl = mean(changed.map((logits, row) => klDivergence(base[row]!, logits)));
      const discarded = reason({ bypass, induce, kl, layer, nLayers, maxKl, maxLayerShare });
      candidates.push({
        position,
        layer,
        direction,
        bypass,
        induce,
        kl,
        ...(discarded ? { discarded } : {}),
      });
      onProgress?.({ phase: 'directions', done: candidates.length, total });
    }
  }
  const usable = candidates.filter(({ discarded }) => discarded === undefined);
  const chosen = usable.sort((a, b) => a.bypass - b.bypass)[0];
  if (!chosen) {
    throw new SafeInferError(`all ${candidates.length} candidate directions were discarded`, {
      code: 'BAD_DATASET',
      hint: `${candidates.map((own) => `layer ${own.layer}: ${own.discarded}`).join('; ')}. Give more prompts, other positions or a larger maxKl`,
    });
  }
  return {
    chosen,
    candidates,
    baseline,
    kept: { harmful: harmful.length, harmless: harmless.length },
    model: await modelFingerprint(model),
    recipe: {
      method: 'refusal-direction',
      version: 1,
      data: dataHash([harmful, harmless].map((rows) => rows.map(({ tokens }) => tokens))),
      settings: { position: chosen.position, layer: chosen.layer, maxKl, maxLayerShare },
    },
  };
}

function reason(of: {
  readonly bypass: number;
  readonly induce: number;
  readonly kl: number;
  readonly layer: number;
  readonly nLayers: number;
  readonly maxKl: number;
  readonly maxLayerShare: number;
}): string | undefined {
  const { bypass, induce, kl, layer, nLayers, maxKl, maxLayerShare } = of;
  if (![bypass, induce, kl].every(Number.isFinite)) return 'a score is not a number';
  if (layer >= Math.floor(maxLayerShare * nLayers)) return 'its layer is too close to the output';
  if (kl > maxKl) return `ablating it costs ${kl.toFixed(3)} nats on harmless prompts`;
  if (induce < 0) return 'adding it does not induce refusal';
  return undefined;
}

function withPlan(rows: readonly Row[], plan: SteeringPlan): Row[] {
  const interventions = toInterventions(plan);
  return rows.map((row) => ({
    ...row,
    interventions: [...(row.interventions ?? []), ...interventions],
  }));
}

/** Last-token logits of each row, in batches. */
export async function lastLogitsOf(options: {
  readonly model: Transformer;
  readonly rows: readonly Row[];
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
}): Promise<Float32Array[]> {
  const { model, rows, batchSize = 16, signal } = options;
  const out: Float32Array[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    await nextTurn(signal);
    const batch = rows.slice(start, start + batchSize);
    using result = model.forward(batch, { logits: 'last' });
    const values = (await result.lastLogits().data()) as Float32Array;
    const width = model.config.vocabSize;
    for (let row = 0; row < batch.length; row += 1)
      out.push(values.slice(row * width, (row + 1) * width));
  }
  return out;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
