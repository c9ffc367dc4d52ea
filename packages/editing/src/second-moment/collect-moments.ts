// Measuring second moments over a text corpus: streamed, resumable, summed in float64.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import type { HookName, Transformer } from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { encode } from '../request/lookup-index.ts';
import { checkLayer } from '../request/prepare-edit.ts';
import { type MomentSums, readSums, writeSums } from './moment-file.ts';
import { ReadingDigest } from './reading-digest.ts';
import type { MeasuredMoment } from './second-moment.ts';

export interface CollectMomentsOptions {
  readonly model: Transformer;
  readonly layers: readonly number[];
  /** Texts or token ids, in an order that a resumed run repeats. */
  readonly texts: Iterable<string | readonly number[]> | AsyncIterable<string | readonly number[]>;
  /** Stop after so many tokens. Default: all texts. C has full rank only beyond its size. */
  readonly maxTokens?: number;
  /** Texts are cut to so many tokens. Default 512: the reference's choice of the model's maximum exhausts memory. */
  readonly maxLength?: number;
  /** Tokens of one pass. Default 1024; a pass's products are summed in float32, passes in float64. */
  readonly batchTokens?: number;
  /** Written every `everyTokens` (default 100000), on abort and at the end; a file that is there is gone on from. */
  readonly checkpoint?: {
    readonly path: string;
    readonly everyTokens?: number;
    /** Of the model's weights, a hash for example: sums of another model are then not gone on from. */
    readonly model?: string;
  };
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: MomentProgress) => void;
}

export interface MomentProgress {
  readonly tokens: number;
  readonly texts: number;
  readonly tokensPerSecond: number;
}

/**
 * E[k kT] of the input of each layer's MLP down projection over all tokens (uncentred; reference: kmeng01/rome
 * layer_stats). Padding does not exist here, so it cannot enter.
 *
 * @throws BAD_ARGUMENT, WRONG_MODEL (a checkpoint of other layers or sizes), BAD_DATASET (no tokens; a
 * checkpoint of other texts, another model or another maxLength), NON_FINITE, ABORTED
 */
export async function collectMoments(
  options: CollectMomentsOptions,
): Promise<ReadonlyMap<number, MeasuredMoment>> {
  const { model, layers, checkpoint, signal } = options;
  const { maxTokens = Number.POSITIVE_INFINITY, maxLength = 512, batchTokens = 1024 } = options;
  for (const layer of layers) checkLayer(model, layer);
  if (layers.length === 0 || !(maxTokens > 0) || !(maxLength > 0) || !(batchTokens > 0)) {
    throw new SafeInferError(
      'layers, maxTokens, maxLength and batchTokens must not be empty or 0',
      {
        code: 'BAD_ARGUMENT',
        hint: 'name at least one layer; tokens are counted, not articles',
      },
    );
  }
  throwIfAborted(signal);
  const size = model.config.dMlp;
  const sums =
    (checkpoint && (await readSums(checkpoint.path, { layers, size }))) ?? emptySums(layers, size);
  const atStart = sums.tokens;
  const started = performance.now();
  let saved = sums.tokens;
  const save = async (): Promise<void> => {
    if (!checkpoint || sums.tokens === saved) return;
    await writeSums(checkpoint.path, sums);
    saved = sums.tokens;
  };
  const read = new ReadingDigest([checkpoint?.model ?? '', maxLength]);
  const checkSource = (): void => {
    if (!checkpoint || read.value === sums.digest) return;
    throw new SafeInferError(
      `${checkpoint.path} was collected from other texts, another model or another maxLength`,
      { code: 'BAD_DATASET', hint: 'give the checkpoint another path, or delete it' },
    );
  };
  let batch: number[][] = [];
  let inBatch = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await addBatch(model, sums, batch);
    sums.tokens += inBatch;
    sums.texts += batch.length;
    sums.digest = read.value;
    batch = [];
    inBatch = 0;
    const seconds = (performance.now() - started) / 1000;
    options.onProgress?.({
      tokens: sums.tokens,
      texts: sums.texts,
      tokensPerSecond: (sums.tokens - atStart) / seconds,
    });
  };
  let skip = sums.texts;
  // Sums that no collection left, of `writeMoments` for example, have nothing to go on from.
  if (sums.tokens > 0 && skip === 0) checkSource();
  try {
    for await (const text of options.texts) {
      if (skip > 0) {
        read.add(text);
        skip -= 1;
        if (skip === 0) checkSource();
        continue;
      }
      if (sums.tokens + inBatch >= maxTokens) break;
      throwIfAborted(signal);
      read.add(text);
      const room = Math.min(maxLength, maxTokens - sums.tokens - inBatch);
      const ids = (typeof text === 'string' ? encode(model, text) : [...text]).slice(0, room);
      if (ids.length === 0) {
        // An empty text still counts as read, or a resumed run would skip one too few.
        batch.push(ids);
        continue;
      }
      batch.push(ids);
      inBatch += ids.length;
      if (inBatch < batchTokens) continue;
      await flush();
      if (sums.tokens - saved >= (checkpoint?.everyTokens ?? 100_000)) await save();
    }
    if (skip > 0) checkSource();
    await flush();
  } finally {
    await save();
  }
  if (sums.tokens === 0) {
    throw new SafeInferError('the texts hold no tokens', {
      code: 'BAD_DATASET',
      hint: 'give at least as many tokens as the MLP is wide',
    });
  }
  return momentsOf(sums);
}

function momentsOf({ sums, tokens, size }: MomentSums): Map<number, MeasuredMoment> {
  return new Map(
    [...sums].map(([layer, sum]) => [
      layer,
      { kind: 'measured', values: sum.map((x) => x / tokens), size, tokens },
    ]),
  );
}

function emptySums(layers: readonly number[], size: number): MomentSums {
  const sums = new Map(layers.map((layer) => [layer, new Float64Array(size * size)]));
  return { size, tokens: 0, texts: 0, digest: '', sums };
}

async function addBatch(
  model: Transformer,
  { sums }: MomentSums,
  batch: readonly (readonly number[])[],
): Promise<void> {
  const rows = batch.filter((tokens) => tokens.length > 0).map((tokens) => ({ tokens }));
  if (rows.length === 0) return;
  const point = (layer: number): HookName => `blocks.${layer}.mlp.hook_post`;
  using result = model.forward(rows, { capture: [...sums.keys()].map(point), logits: 'none' });
  const products: (readonly [sum: Float64Array, values: Float32Array])[] = [];
  for (const [layer, sum] of sums) {
    const product = tf.tidy(() => {
      const keys = rows.map((_, row) => result.captured(row, point(layer)) as tf.Tensor2D);
      const all = keys.length === 1 ? keys[0]! : tf.concat(keys, 0);
      return tf.matMul(all, all, true, false);
    });
    try {
      products.push([sum, (await product.data()) as Float32Array]);
    } finally {
      product.dispose();
    }
  }
  // All layers or none: sums that a failure left uneven would be saved, and gone on from.
  for (const [, values] of products) {
    if (!values.every(Number.isFinite)) {
      throw new SafeInferError('a text gives keys that are NaN or infinite', {
        code: 'NON_FINITE',
        hint: 'the model is broken or its weights were rounded: check it with a plain forward pass',
      });
    }
  }
  for (const [sum, values] of products)
    for (let i = 0; i < sum.length; i += 1) sum[i]! += values[i]!;
}
