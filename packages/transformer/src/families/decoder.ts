// The common decoder that family files differ from: pre-norm RMSNorm blocks with a gated MLP, as in Llama.
import type { ConfigReader } from '../config/config-reader.ts';
import type { LayerConfig, ModelConfig, RotaryConfig } from '../config/model-config.ts';
import { type FamilyModules, linear, type ModuleRule, norm } from './family.ts';
import type { Sizes } from './sizes.ts';

/** Where a family departs from the common decoder. */
export interface DecoderTraits {
  readonly family: string;
  readonly norm?: Partial<ModelConfig['norm']>;
  readonly block?: Partial<ModelConfig['block']>;
  readonly attention?: Partial<ModelConfig['attention']>;
  readonly mlp: ModelConfig['mlp'];
  readonly biases?: Partial<ModelConfig['biases']>;
  readonly layers: readonly LayerConfig[];
  readonly embedScale?: number;
  readonly finalSoftcap?: number | null;
  /** Defaults of Hugging Face for absent keys. */
  readonly tied: boolean;
  readonly bos: number | null;
  readonly eos: number | null;
}

export function decoder(read: ConfigReader, sizes: Sizes, traits: DecoderTraits): ModelConfig {
  read.mustBeOff('quantization_config', 'a quantised checkpoint');
  read.mustBeOff('is_encoder_decoder', 'an encoder-decoder model');
  read.mustBeOff('add_cross_attention', 'cross-attention');
  read.mustBeOff('use_bidirectional_attention', 'attention to later tokens');
  return {
    family: traits.family,
    ...sizes,
    norm: { kind: 'rms', eps: 1e-6, gainOffset: 0, ...traits.norm },
    block: {
      layout: 'sequential',
      sharedNorm: false,
      preNorm: true,
      postNorm: false,
      ...traits.block,
    },
    positions: traits.layers.some((layer) => layer.rotary) ? 'rotary' : 'learned',
    attention: {
      scale: sameScale(sizes.nLayers, sizes.dHead),
      softcap: null,
      qkNorm: 'none',
      qkNormKind: 'rms',
      ...traits.attention,
    },
    mlp: traits.mlp,
    biases: { qkv: false, attnOut: false, mlp: false, unembed: false, ...traits.biases },
    layers: traits.layers,
    embedScale: traits.embedScale ?? 1,
    finalSoftcap: traits.finalSoftcap ?? null,
    tiedEmbeddings: read.flag('tie_word_embeddings', traits.tied),
    bosTokenId: read.tokenId('bos_token_id', traits.bos),
    eosTokenIds: read.tokenIds('eos_token_id', traits.eos === null ? [] : [traits.eos]),
  };
}

/** width^-0.5 in every layer. */
export function sameScale(nLayers: number, width: number): number[] {
  return new Array<number>(nLayers).fill(width ** -0.5);
}

/** Every layer alike. */
export function sameLayers(
  nLayers: number,
  rotary: RotaryConfig | null,
  window: number | null = null,
): LayerConfig[] {
  return Array.from({ length: nLayers }, () => ({ window, rotary }));
}

/** Modules of a Llama block below `layers.N.`. */
export const llamaBlock: readonly ModuleRule[] = [
  norm('input_layernorm', 'ln1'),
  linear('self_attn.q_proj', 'attn.Q'),
  linear('self_attn.k_proj', 'attn.K'),
  linear('self_attn.v_proj', 'attn.V'),
  linear('self_attn.o_proj', 'attn.O'),
  norm('post_attention_layernorm', 'ln2'),
  linear('mlp.gate_proj', 'mlp.gate'),
  linear('mlp.up_proj', 'mlp.in'),
  linear('mlp.down_proj', 'mlp.out'),
];

/** q_norm and k_norm where Qwen3, Gemma 3 and OLMo-2 keep them. */
export const qkNormModules: readonly ModuleRule[] = [
  norm('self_attn.q_norm', 'attn.q_norm'),
  norm('self_attn.k_norm', 'attn.k_norm'),
];

/** Rotary tables that old versions saved. */
export const rotaryBuffers: RegExp = /\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;

/** Module names of Llama and of everything built like it. */
export const llamaModules: FamilyModules = {
  roots: ['model.', ''],
  embed: 'embed_tokens',
  blocks: 'layers',
  finalNorm: 'norm',
  heads: ['lm_head'],
  block: llamaBlock,
  ignored: [rotaryBuffers],
};

/** Keys that every family writes alike. */
export function commonJson(config: ModelConfig): Record<string, unknown> {
  return {
    tie_word_embeddings: config.tiedEmbeddings,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds,
  };
}
