// Persona vectors: responses under opposite instructions, filtered by what they really show, read over their tokens.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { contrastVector, type DirectionSet } from './contrast-vector.ts';

export interface PersonaResponse {
  /** Tokens before the response, instructions and template included. */
  readonly prompt: readonly number[];
  readonly response: readonly number[];
  /** 0 to 100: how much of the trait the response shows, and whether it makes sense; from a judge. */
  readonly trait?: number;
  readonly coherence?: number;
}

/** Scores at and above which a response counts as showing a trait, or as coherent (persona_vectors). */
const THRESHOLD = 50;

/**
 * Mean over response tokens (best of the published three), positive minus negative (Chen et al. 2025). Responses
 * whose scores contradict their side are dropped; those without scores are kept.
 */
export async function personaVector(options: {
  readonly model: Transformer;
  readonly positive: readonly PersonaResponse[];
  readonly negative: readonly PersonaResponse[];
  readonly layers?: readonly number[];
  readonly signal?: AbortSignal;
}): Promise<
  DirectionSet & { readonly kept: { readonly positive: number; readonly negative: number } }
> {
  const { model, layers, signal } = options;
  const coherent = ({ coherence = 100 }: PersonaResponse): boolean => coherence >= THRESHOLD;
  const positive = options.positive.filter((r) => coherent(r) && (r.trait ?? 100) >= THRESHOLD);
  const negative = options.negative.filter((r) => coherent(r) && (r.trait ?? 0) < THRESHOLD);
  if (positive.length === 0 || negative.length === 0) {
    throw new SafeInferError(
      `after filtering by scores ${positive.length} positive and ${negative.length} negative responses are left`,
      { code: 'BAD_DATASET', hint: 'sample more responses, or strengthen the instructions' },
    );
  }
  const row = ({ prompt, response }: PersonaResponse) => ({
    tokens: [...prompt, ...response],
    read: { from: prompt.length },
  });
  const set = await contrastVector({
    model,
    positive: positive.map(row),
    negative: negative.map(row),
    ...(layers ? { layers } : {}),
    ...(signal ? { signal } : {}),
  });
  return {
    ...set,
    recipe: { ...set.recipe, method: 'persona' },
    kept: { positive: positive.length, negative: negative.length },
  };
}
