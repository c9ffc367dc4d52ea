// Models built by hand so that the right answer of an extractor is known: planted heads, a planted direction.
import {
  createModel,
  normals,
  randomConfig,
  randomWeights,
  type Transformer,
  type WeightName,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { characterCodec } from './character-codec.ts';

const SIZES = { nLayers: 3, nHeads: 4, nKvHeads: 4, dModel: 24, dHead: 8, vocabSize: 96 };

export interface Planted {
  readonly model: Transformer;
  /** Unit direction in the residual stream that the plant writes or carries. */
  readonly direction: Float64Array;
}

function unit(seed: number, width: number): Float64Array {
  const raw = normals(seed, width);
  const length = Math.hypot(...raw);
  return Float64Array.from(raw, (x) => x / length);
}

type Change = (values: Float32Array, shape: readonly number[]) => void;

const faint: Change = (values) => {
  for (const [i, value] of values.entries()) values[i] = value * 0.02;
};

/** A random model with some weights changed in place. */
function build(seed: number, change: (name: WeightName) => Change | undefined): Transformer {
  const config = randomConfig(SIZES);
  const weights = randomWeights(config, seed);
  for (const [name, tensor] of weights) {
    const edit = change(name);
    if (!edit) continue;
    const values = Float32Array.from(tensor.dataSync() as Float32Array);
    edit(values, tensor.shape);
    weights.set(name, tf.tensor(values, tensor.shape));
    tensor.dispose();
  }
  return createModel({ config, weights, tokenizer: characterCodec });
}

/**
 * Heads that notice one letter of the context and write one direction; all other writes are faint. The direction is
 * the difference of the unembeddings of two letters.
 */
export function plantedHeads(options: {
  readonly heads: readonly { readonly layer: number; readonly head: number }[];
  readonly noticed: string;
  readonly towards: string;
  readonly against: string;
}): Planted {
  const id = (letter: string): number => characterCodec.encode(letter)[0]!;
  const { dModel, dHead, nHeads } = SIZES;
  const direction = unit(77, dModel);
  const noticed = unit(78, dModel);
  const model = build(12, (name) => {
    if (name === 'embed.W_E')
      return (values) => {
        for (let d = 0; d < dModel; d += 1)
          values[id(options.noticed) * dModel + d] = 5 * noticed[d]!;
      };
    if (name === 'unembed.W_U')
      return (values, [, vocab]) => {
        for (let d = 0; d < dModel; d += 1) {
          values[d * vocab! + id(options.towards)]! += direction[d]!;
          values[d * vocab! + id(options.against)]! -= direction[d]!;
        }
      };
    const layer = Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? Number.NaN);
    const planted = options.heads.filter((head) => head.layer === layer).map(({ head }) => head);
    if (/W_O$/.test(name))
      return (values) => {
        values.forEach((value, i) => {
          const row = Math.floor(i / dModel);
          const head = Math.floor(row / dHead);
          if (!planted.includes(head)) values[i] = value * 0.02;
          else values[i] = row % dHead === 0 ? 3 * direction[i % dModel]! : 0;
        });
      };
    if (/W_V$/.test(name))
      return (values) => {
        for (const head of planted)
          for (let d = 0; d < dModel; d += 1)
            values[d * nHeads * dHead + head * dHead] = noticed[d]!;
      };
    if (/W_[QK]$/.test(name))
      // Planted heads attend evenly, so that what they notice does not hang on a random pattern.
      return (values) => {
        for (const head of planted)
          for (let d = 0; d < dModel; d += 1)
            values.fill(
              0,
              d * nHeads * dHead + head * dHead,
              d * nHeads * dHead + (head + 1) * dHead,
            );
      };
    if (/W_out$/.test(name)) return faint;
    return undefined;
  });
  return { model, direction };
}

export const HARMFUL_TOKENS: readonly number[] = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
export const HARMLESS_TOKENS: readonly number[] = [20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
export const REFUSAL_TOKEN = 60;

/** Tokens 10 to 19 carry one direction, which alone makes token 60 likely; 20 to 29 have none of it. */
export function plantedRefusal(): Planted {
  const { dModel } = SIZES;
  const direction = unit(91, dModel);
  const model = build(13, (name) => {
    if (name === 'embed.W_E')
      return (values, [vocab]) => {
        for (let token = 0; token < vocab!; token += 1) {
          const row = values.subarray(token * dModel, (token + 1) * dModel);
          const along = row.reduce((sum, x, d) => sum + x * direction[d]!, 0);
          const wanted = HARMFUL_TOKENS.includes(token) ? 6 : 0;
          for (let d = 0; d < dModel; d += 1) row[d]! += (wanted - along) * direction[d]!;
        }
      };
    if (name === 'unembed.W_U')
      return (values, [, vocab]) => {
        for (let d = 0; d < dModel; d += 1) values[d * vocab! + REFUSAL_TOKEN] = 5 * direction[d]!;
      };
    if (/W_O$|W_out$/.test(name)) return faint;
    return undefined;
  });
  return { model, direction };
}
