// Average indirect effect of every head, exact and cheap: one single-token row a head over one shared prompt cache.
import { SafeInferError } from '@safeinfer/backend';
import type { Row, RowCache, Transformer } from '@safeinfer/transformer';
import { nextTurn } from '../next-turn.ts';
import { dataHash } from '../plan/fingerprint.ts';
import type { SteeringProgress } from '../progress.ts';
import { type HeadOutputs, headOutput } from './head-outputs.ts';
import { sharedPrefixes } from './shared-prefixes.ts';

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
  /** How many prompts the effects are means over. */
  readonly prompts: number;
  /** Mean of the metric without a patch. */
  readonly baseline: number;
  /** Rows of one token that were run, and what one forward a head would have cost, in tokens through all blocks. */
  readonly cost: EffectCost;
}

/** Work of the run, beside what one whole forward pass a head would have been. */
export interface EffectCost {
  readonly singleTokenRows: number;
  readonly naiveTokens: number;
  /** Tokens times blocks: the shared prefix once, then each head's own row from its layer on. */
  readonly tokenBlocks: number;
  readonly naiveTokenBlocks: number;
}

/** A run so far: plain JSON. Passing it as `resume` of the same call goes on after its last whole prompt. */
export interface EffectCheckpoint {
  /** Hash of everything the effects depend on. */
  readonly key: string;
  readonly prompts: number;
  /** Sums over those prompts, [layers x heads]. */
  readonly effects: readonly number[];
  readonly baseline: number;
}

/**
 * AIE(l, h) = mean over prompts of metric(head (l, h) at the last token := its mean) - metric(unpatched)
 * (Todd et al. 2023 Eq. 4). Only the last token changes and nothing follows it, so the cache of the other tokens
 * serves every patch: equal to patching full forwards, at about 1 / (2 x prompt length) of the work for models of many
 * heads. Neighbouring prompts that begin alike (the same demonstrations before other queries) share that beginning's
 * cache too.
 */
export async function indirectEffects(options: {
  readonly model: Transformer;
  readonly prompts: readonly EffectPrompt[];
  readonly means: HeadOutputs;
  readonly metric?: EffectMetric;
  /** Single-token rows a forward pass: bounds memory on models with many heads. */
  readonly batchSize?: number;
  /** A checkpoint of this very run; throws WRONG_MODEL for one of other prompts, means or weights' sizes. */
  readonly resume?: EffectCheckpoint | undefined;
  /** Called after every prompt with all that is needed to go on from there. */
  readonly onCheckpoint?: ((checkpoint: EffectCheckpoint) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SteeringProgress) => void) | undefined;
}): Promise<IndirectEffects> {
  const { model, prompts, means, metric = 'logitDifference', batchSize = 256, resume } = options;
  const { nLayers, nHeads } = model.config;
  checkEffectPrompts(prompts, metric, model.config.vocabSize);
  const key = dataHash([model.config, prompts, metric, [...means.values]]);
  if (resume && resume.key !== key) {
    throw new SafeInferError('this checkpoint belongs to another run', {
      code: 'WRONG_MODEL',
      hint: 'resume with the same model, demonstrations, seed and metric, or start over',
    });
  }
  const sums = Float64Array.from(resume?.effects ?? new Float64Array(nLayers * nHeads));
  let baseline = resume?.baseline ?? 0;
  let singleTokenRows = 0;
  let tokenBlocks = 0;
  let naiveTokens = 0;
  const trunks = sharedPrefixes(prompts.map(({ tokens }) => tokens));
  let trunk:
    | { readonly length: number; readonly start: number; readonly cache: RowCache }
    | undefined;
  try {
    for (const [index, prompt] of prompts.entries()) {
      if (index < (resume?.prompts ?? 0)) continue;
      await nextTurn(options.signal);
      const { start, length } = trunks[index]!;
      if (trunk?.start !== start) {
        trunk?.cache.dispose();
        trunk = { start, length, cache: model.createCache() };
        if (length > 0) run(model, prompt.tokens.slice(0, length), trunk.cache);
        tokenBlocks += length * nLayers;
      }
      const prefix = trunk.cache.fork();
      try {
        const own = prompt.tokens.slice(length, -1);
        if (own.length > 0) run(model, own, prefix);
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
            else sums[patch[0] * nHeads + patch[1]]! += scores[i]! - unpatched;
            // Rows share all blocks before their own patch; the stem of a chunk runs once.
            tokenBlocks += patch === undefined ? 0 : nLayers - patch[0];
          }
          singleTokenRows += chunk.length;
          tokenBlocks += nLayers;
        }
        baseline += unpatched;
        tokenBlocks += own.length * nLayers;
        naiveTokens += nLayers * nHeads * prompt.tokens.length;
      } finally {
        prefix.dispose();
      }
      const done = index + 1;
      options.onProgress?.({ phase: 'indirect effects', done, total: prompts.length });
      options.onCheckpoint?.({ key, prompts: done, effects: [...sums], baseline });
    }
  } finally {
    trunk?.cache.dispose();
  }
  const ranked = Array.from(sums, (sum, i) => ({
    layer: Math.floor(i / nHeads),
    head: i % nHeads,
    effect: sum / prompts.length,
  })).sort((a, b) => b.effect - a.effect || a.layer - b.layer || a.head - b.head);
  const cost = {
    singleTokenRows,
    naiveTokens,
    tokenBlocks,
    naiveTokenBlocks: naiveTokens * nLayers,
  };
  return { ranked, metric, prompts: prompts.length, baseline: baseline / prompts.length, cost };
}

function run(model: Transformer, tokens: readonly number[], cache: RowCache): void {
  model.forward([{ tokens, cache }], { logits: 'none' }).dispose();
}

function checkEffectPrompts(
  prompts: readonly EffectPrompt[],
  metric: EffectMetric,
  vocabSize: number,
): void {
  const exists = (token: number | undefined): boolean =>
    Number.isInteger(token) && token! >= 0 && token! < vocabSize;
  if (prompts.length === 0) throw badPrompt('no prompt', 'give at least one');
  for (const { tokens, target, opposed } of prompts) {
    if (tokens.length < 2) throw badPrompt('a prompt of one token', 'give whole prompts');
    if (!exists(target)) throw badPrompt(`the target token ${target}`, 'name a vocabulary id');
    if (metric === 'logitDifference' && !exists(opposed)) {
      throw badPrompt(
        `a prompt with the opposed token ${opposed}`,
        "logitDifference needs one in every prompt; metric 'probability' does not",
      );
    }
  }
}

function badPrompt(what: string, hint: string): SafeInferError {
  return new SafeInferError(`indirect effects cannot be measured with ${what}`, {
    code: 'BAD_ARGUMENT',
    hint,
  });
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
