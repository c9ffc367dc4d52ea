// What a session looks at before and after an edit: the new objects, and texts that have nothing to do with it.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { geometricMean, perplexities, scoreTargets } from '../evaluate/score-targets.ts';
import { encode } from '../request/lookup-index.ts';
import type { PreparedEdit } from '../request/prepare-edit.ts';

export interface EditMeasures {
  /** Probability of each edit's target per token (geometric mean). */
  readonly targets: readonly number[];
  /** Geometric mean over the drift texts; NaN without any. */
  readonly perplexity: number;
}

/** Tokens of unrelated texts. @throws BAD_ARGUMENT for one with nothing to predict */
export function driftTokens(model: Transformer, texts: readonly string[]): number[][] {
  return texts.map((text) => {
    const tokens = [...encode(model, text)];
    if (tokens.length > 1) return tokens;
    throw new SafeInferError(`drift text ${JSON.stringify(text)} has no token to predict`, {
      code: 'BAD_ARGUMENT',
      hint: 'give texts of at least two tokens, sentences for example',
    });
  });
}

export async function measureEdits(options: {
  readonly model: Transformer;
  readonly prepared: readonly PreparedEdit[];
  readonly drift: readonly (readonly number[])[];
  /** Of edits on side paths. */
  readonly adapter: readonly string[] | undefined;
  readonly signal: AbortSignal | undefined;
}): Promise<EditMeasures> {
  const { model, prepared, drift, adapter, signal } = options;
  const how = { ...(adapter ? { adapter } : {}), ...(signal ? { signal } : {}) };
  const items = prepared.map(({ contexts, target }) => ({ prompt: contexts[0]!.tokens, target }));
  const scores = await scoreTargets(model, items, how);
  const all = drift.length === 0 ? [] : await perplexities(model, drift, how);
  return { targets: scores.map(({ nll }) => Math.exp(-nll)), perplexity: geometricMean(all) };
}
