// Average indirect effect of every head, exact and cheap: one single-token row a head over one shared prompt cache.
import { throwIfAborted } from '@safeinfer/backend';
import type { Row, Transformer } from '@safeinfer/transformer';
import type { SteeringProgress } from '../progress.ts';
import { type HeadOutputs, headOutput } from './head-outputs.ts';

/** A prompt whose answer the mean head outputs should change, and the tokens that measure the change. */
export interface EffectPrompt {
  readonly tokens: readonly number[];
  /** First token of the safe answer. */
  readonly target: number;
  /** First token of the answer the prompt leads to; needed by `logitDifference`. */
  readonly opposed?: number;
}

/**
 * `probability`: P(target), as in Todd et al. `logitDifference`: logit(target) - logit(opposed), which still
 * separates heads when no single head can move a probability of nearly zero.
 */
export type EffectMetric = 'probability' | 'logitDifference';

export interface HeadEffect {
  readonly layer: number;
  readonly head: number;
  readonly effect: number;
}

export interface IndirectEffects {
  /** All heads, largest effect first. */
  readonly ranked: readonly HeadEffect[];
  readonly metric: EffectMetric;
  /** Mean of the metric without a patch. */
  readonly baseline: number;
  /** Rows of one token that were run, and what one forward a head would have cost, in tokens through all blocks. */
  readonly cost: { readonly singleTokenRows: number; readonly naiveTokens: number };
}

/**
 * AIE(l, h) = mean over prompts of metric(head (l, h) at the last token := its mean) - metric(unpatched)
 * (Todd et al. 2023 Eq. 4). Only the last token changes and nothing follows it, so the cache of the other tokens
 * serves every patch: equal to patching full forwards, at about 1 / (2 x prompt length) of the work.
 */
export async function indirectEffects(options: {
  readonly model: Transformer;
  readonly prompts: readonly EffectPrompt[];
  readonly means: HeadOutputs;
  readonly metric?: EffectMetric;
  /** Single-token rows a forward pass: bounds memory on models with many heads. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SteeringProgress) => void) | undefined;
}): Promise<IndirectEffects> {
  const { model, prompts, means, metric = 'logitDifference', batchSize = 256 } = options;
  const { nLayers, nHeads } = model.config;
  const effects = new Float64Array(nLayers * nHeads);
  let baseline = 0;
  let singleTokenRows = 0;
  let naiveTokens = 0;
  for (const [index, prompt] of prompts.entries()) {
    throwIfAborted(options.signal);
    const prefix = model.createCache();
    try {
      model
        .forward([{ tokens: prompt.tokens.slice(0, -1), cache: prefix }], { logits: 'none' })
        .dispose();
      const last = prompt.tokens.slice(-1);
      const patches: (readonly [layer: number, head: number] | undefined)[] = [undefined];
      for (let layer = 0; layer < nLayers; layer += 1)
        for (let head = 0; head < nHeads; head += 1) patches.push([layer, head]);
      let unpatched = 0;
      for (let start = 0; start < patches.length; start += batchSize) {
        const chunk = patches.slice(start, start + batchSize);
        const scores = await scorePatches({ model, prefix, last, chunk, means, prompt, metric });
        for (const [i, patch] of chunk.entries()) {
          if (patch === undefined) unpatched = scores[i]!;
          else effects[patch[0] * nHeads + patch[1]]! += (scores[i]! - unpatched) / prompts.length;
        }
        singleTokenRows += chunk.length;
      }
      baseline += unpatched / prompts.length;
      naiveTokens += nLayers * nHeads * prompt.tokens.length;
    } finally {
      prefix.dispose();
    }
    options.onProgress?.({ phase: 'indirect effects', done: index + 1, total: prompts.length });
  }
  const ranked = Array.from(effects, (effect, i) => ({
    layer: Math.floor(i / nHeads),
    head: i % nHeads,
    effect,
  })).sort((a, b) => b.effect - a.effect || a.layer - b.layer || a.head - b.head);
  return { ranked, metric, baseline, cost: { singleTokenRows, naiveTokens } };
}

async function scorePatches(options: {
  readonly model: Transformer;
  readonly prefix: ReturnType<Transformer['createCache']>;
  readonly last: readonly number[];
  readonly chunk: readonly (readonly [number, number] | undefined)[];
  readonly means: HeadOutputs;
  readonly prompt: EffectPrompt;
  readonly metric: EffectMetric;
}): Promise<number[]> {
  const { model, prefix, last, chunk, means, prompt, metric } = options;
  const caches = chunk.map(() => prefix.fork());
  try {
    const rows = chunk.map((patch, i): Row => {
      const cache = caches[i]!;
      if (patch === undefined) return { tokens: last, cache };
      const [layer, head] = patch;
      const vector = Float32Array.from(headOutput(means, layer, head));
      return {
        tokens: last,
        cache,
        interventions: [
          {
            at: `blocks.${layer}.attn.hook_z`,
            op: 'set',
            vector,
            heads: [head],
            positions: 'last',
          },
        ],
      };
    });
    const result = model.forward(rows, { logits: 'last' });
    try {
      const logits = (await result.lastLogits().data()) as Float32Array;
      const width = logits.length / chunk.length;
      return chunk.map((_, row) =>
        score(logits.subarray(row * width, (row + 1) * width), prompt, metric),
      );
    } finally {
      result.dispose();
    }
  } finally {
    for (const cache of caches) cache.dispose();
  }
}

function score(logits: Float32Array, prompt: EffectPrompt, metric: EffectMetric): number {
  if (metric === 'logitDifference') return logits[prompt.target]! - logits[prompt.opposed!]!;
  let max = Number.NEGATIVE_INFINITY;
  for (const logit of logits) max = Math.max(max, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  return Math.exp(logits[prompt.target]! - max) / sum;
}
