// Signs that edits have broken a model: perplexity of unrelated texts, distance of weights, poor words.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { norm } from '../linear-algebra/vector.ts';
import { encode } from '../request/lookup-index.ts';
import type { EditSession } from '../session/edit-session.ts';
import { ngramEntropy } from './fluency.ts';
import { geometricMean, perplexities } from './score-targets.ts';
import { treebankTokens } from './treebank-tokens.ts';

export interface CollapseGauges {
  /** Geometric means over the texts (ME-PPL of Yang et al. 2024 is such a set). */
  readonly perplexity: number;
  readonly perplexityUnedited: number;
  readonly perplexityRatio: number;
  /** Per changed weight: |W - W0| / entries (rebuilding-rome's distance), and |W - W0| / |W0|. Empty on side paths. */
  readonly weights: readonly {
    readonly name: string;
    readonly distance: number;
    readonly relative: number;
  }[];
}

/** Compares the session's model as it is with itself unedited; the edits are in force again afterwards. */
export async function collapseGauges(options: {
  readonly model: Transformer;
  readonly session: EditSession;
  readonly texts: readonly string[];
  readonly signal?: AbortSignal;
}): Promise<CollapseGauges> {
  const { model, session, texts, signal } = options;
  const ids = texts.map((text) => encode(model, text)).filter(({ length }) => length > 1);
  if (ids.length === 0) {
    throw new SafeInferError('no text has a token to predict', {
      code: 'BAD_ARGUMENT',
      hint: 'give texts of at least two tokens, sentences for example',
    });
  }
  const measure = async (adapter: readonly string[]): Promise<number> => {
    return geometricMean(
      await perplexities(model, ids, { adapter, ...(signal ? { signal } : {}) }),
    );
  };
  const onWeights = session.mode === 'weights';
  const names = [
    ...new Set(session.records.flatMap(({ weights }) => weights.map(({ name }) => name))),
  ];
  const read = async (): Promise<Float32Array[]> => {
    const values: Float32Array[] = [];
    for (const name of onWeights ? names : [])
      values.push(Float32Array.from((await model.weights.get(name)!.data()) as Float32Array));
    return values;
  };
  const perplexity = await measure(onWeights ? [] : session.edits);
  const edited = await read();
  const unedited = await session.without('all', async () => ({
    perplexity: await measure([]),
    weights: await read(),
  }));
  return {
    perplexity,
    perplexityUnedited: unedited.perplexity,
    perplexityRatio: perplexity / unedited.perplexity,
    weights: edited.map((values, i) => {
      const before = unedited.weights[i]!;
      const distance = norm(values.map((x, j) => x - before[j]!));
      return {
        name: names[i]!,
        distance: distance / values.length,
        relative: distance / norm(before),
      };
    }),
  };
}

/**
 * Entropy of a text's words over the largest it could have, between 0 (one word again and again) and 1 (no word twice):
 * rebuilding-rome's gauge of generations. NaN for fewer than two words.
 */
export function wordEntropy(text: string): number {
  const words = treebankTokens(text);
  return words.length < 2 ? Number.NaN : ngramEntropy(words, 1) / Math.log2(words.length);
}
