// Folds the gain and bias of norms into the matrices that read them.
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../config/model-config.ts';
import type { BlockWeight, WeightName } from '../config/weight-name.ts';
import type { TextCodec } from '../model/text-codec.ts';
import type { Transformer } from '../model/transformer.ts';
import { changeWeights, type WeightDraft } from './change-weights.ts';
import { unembeddingOf } from './unembedding.ts';

/**
 * A new model with the same logits whose pre-norms and final norm only centre (LayerNorm) and rescale.
 * Reading matrices take the gain, their biases take the norm's bias, and after a LayerNorm they lose
 * their mean along the input, which it never shows them. A norm that attention and MLP share folds into
 * both. Post-norms and q/k norms stay: nothing linear reads them. A tied unembedding becomes its own
 * matrix. Biases that a family lacks may appear, so the result can then no longer be saved in its format.
 * Source: TransformerLens weight processing (fold_ln).
 */
export function foldNorms<T extends TextCodec>(model: Transformer<T>): Transformer<T> {
  return changeWeights(model, (draft) => {
    const { config } = model;
    const { preNorm, sharedNorm } = config.block;
    for (let layer = 0; preNorm && layer < config.nLayers; layer++) {
      const attention = projections('attn', ['Q', 'K', 'V']);
      const mlp = projections('mlp', config.mlp.gated ? ['gate', 'in'] : ['in']);
      const prefix = `blocks.${layer}` as const;
      if (sharedNorm)
        foldInto({ draft, config, prefix, norm: 'ln1', readers: [...attention, ...mlp] });
      else {
        foldInto({ draft, config, prefix, norm: 'ln1', readers: attention });
        foldInto({ draft, config, prefix, norm: 'ln2', readers: mlp });
      }
    }
    foldFinal(draft, config);
    return foldedConfig(draft, config);
  });
}

interface Reader {
  readonly matrix: BlockWeight;
  readonly bias: BlockWeight;
}

function projections(module: 'attn' | 'mlp', names: readonly string[]): Reader[] {
  return names.map((name) => ({
    matrix: `${module}.W_${name}` as BlockWeight,
    bias: `${module}.b_${name}` as BlockWeight,
  }));
}

function foldInto(options: {
  readonly draft: WeightDraft;
  readonly config: ModelConfig;
  readonly prefix: `blocks.${number}`;
  readonly norm: 'ln1' | 'ln2';
  readonly readers: readonly Reader[];
}): void {
  const { draft, config, prefix, norm, readers } = options;
  const gain = gainOf(draft, `${prefix}.${norm}.w`, config);
  const shift = draft.get(`${prefix}.${norm}.b`) as tf.Tensor1D | undefined;
  for (const { matrix, bias } of readers) {
    const name: WeightName = `${prefix}.${matrix}`;
    const folded = fold(draft.need(name), { gain, shift, centre: config.norm.kind === 'layer' });
    if (folded.bias !== undefined) {
      const old = draft.get(`${prefix}.${bias}`);
      draft.set(`${prefix}.${bias}`, old === undefined ? folded.bias : tf.add(old, folded.bias));
    }
    draft.set(name, folded.matrix);
  }
  resetNorm(draft, `${prefix}.${norm}`, config);
}

function foldFinal(draft: WeightDraft, config: ModelConfig): void {
  const gain = gainOf(draft, 'ln_final.w', config);
  const shift = draft.get('ln_final.b') as tf.Tensor1D | undefined;
  const centre = config.norm.kind === 'layer';
  const folded = fold(unembeddingOf(draft.all), { gain, shift, centre });
  draft.set('unembed.W_U', folded.matrix);
  if (folded.bias !== undefined) {
    const old = draft.get('unembed.b_U');
    draft.set('unembed.b_U', old === undefined ? folded.bias : tf.add(old, folded.bias));
  }
  resetNorm(draft, 'ln_final', config);
}

/** W' = diag(gain) W, and the bias shift . W that leaves the product with the old output unchanged. */
function fold(
  matrix: tf.Tensor2D,
  norm: {
    readonly gain: tf.Tensor1D;
    readonly shift: tf.Tensor1D | undefined;
    readonly centre: boolean;
  },
): { readonly matrix: tf.Tensor2D; readonly bias: tf.Tensor1D | undefined } {
  const { gain, shift, centre } = norm;
  const scaled = tf.mul(matrix, tf.expandDims(gain, 1)) as tf.Tensor2D;
  const bias =
    shift &&
    (tf.reshape(tf.matMul(tf.expandDims(shift, 0) as tf.Tensor2D, matrix), [-1]) as tf.Tensor1D);
  return { matrix: centre ? tf.sub(scaled, tf.mean(scaled, 0, true)) : scaled, bias };
}

function gainOf(draft: WeightDraft, name: WeightName, { norm }: ModelConfig): tf.Tensor1D {
  const stored = draft.need<tf.Tensor1D>(name);
  return norm.gainOffset === 0 ? stored : tf.add(stored, norm.gainOffset);
}

/** Gain 1, however it is stored, and bias 0. */
function resetNorm(
  draft: WeightDraft,
  norm: 'ln_final' | `blocks.${number}.${'ln1' | 'ln2'}`,
  config: ModelConfig,
): void {
  const stored = draft.need<tf.Tensor1D>(`${norm}.w`);
  draft.set(`${norm}.w`, config.norm.gainOffset === 0 ? tf.onesLike(stored) : tf.zerosLike(stored));
  const shift = draft.get(`${norm}.b`);
  if (shift !== undefined) draft.set(`${norm}.b`, tf.zerosLike(shift));
}

/** Biases exist for all layers of a kind or for none: the ones that folding did not touch become zero. */
function foldedConfig(draft: WeightDraft, config: ModelConfig): ModelConfig {
  const biased = config.norm.kind === 'layer' && config.block.preNorm;
  if (biased && !config.biases.mlp) {
    for (let layer = 0; layer < config.nLayers; layer++) {
      draft.set(`blocks.${layer}.mlp.b_out`, tf.zeros([config.dModel]));
    }
  }
  return {
    ...config,
    tiedEmbeddings: false,
    biases: {
      ...config.biases,
      qkv: config.biases.qkv || biased,
      mlp: config.biases.mlp || biased,
      unembed: config.biases.unembed || config.norm.kind === 'layer',
    },
  };
}
