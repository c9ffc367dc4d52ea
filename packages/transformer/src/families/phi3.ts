// Phi-3 and 3.5: Llama with fused q|k|v and gate|up, long-context rotary factors, an optional window.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson, rotaryShare } from '../config/rotary-config.ts';
import { commonJson, decoder, llamaModules, sameLayers } from './decoder.ts';
import { type Family, linear, norm } from './family.ts';
import { firstRotary } from './llama.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const phi3: Family = {
  name: 'phi3',
  modelTypes: ['phi3'],
  architectures: ['Phi3ForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 32_064,
      dModel: 3072,
      dMlp: 8192,
      nLayers: 32,
      nHeads: 32,
      nKvHeads: null,
      dHead: null,
      maxPositions: 4096,
    });
    const rotary = readRotary(read, {
      ...sizes,
      partialKey: 'partial_rotary_factor',
      partial: 1,
      // Both names stood for longrope in the first releases.
      typeAliases: { su: 'longrope', yarn: 'longrope' },
      originalMaxPositions: 4096,
    });
    return decoder(read, sizes, {
      family: 'phi3',
      norm: { eps: read.positive('rms_norm_eps', 1e-5) },
      mlp: { gated: true, activation: readActivation(read, 'hidden_act', 'silu') },
      layers: sameLayers(sizes.nLayers, rotary, read.sizeOrNull('sliding_window', null)),
      tied: false,
      bos: 1,
      eos: 32_000,
    });
  },
  writeConfig(config) {
    const rotary = firstRotary(config);
    const { scaling } = rotary;
    return {
      ...sizesJson(config),
      ...commonJson(config),
      ...rotaryJson(rotary),
      ...(scaling.kind === 'longrope'
        ? { original_max_position_embeddings: scaling.originalMaxPositions }
        : {}),
      partial_rotary_factor: rotaryShare(rotary.dim, config.dHead),
      rms_norm_eps: config.norm.eps,
      hidden_act: activationName[config.mlp.activation],
      sliding_window: config.layers[0]?.window ?? null,
      // The reference's default pad id (32000) must lie inside smaller vocabularies.
      pad_token_id: null,
    };
  },
  modules: {
    ...llamaModules,
    block: [
      norm('input_layernorm', 'ln1'),
      linear('self_attn.qkv_proj', 'attn.Q', 'attn.K', 'attn.V'),
      linear('self_attn.o_proj', 'attn.O'),
      norm('post_attention_layernorm', 'ln2'),
      linear('mlp.gate_up_proj', 'mlp.gate', 'mlp.in'),
      linear('mlp.down_proj', 'mlp.out'),
    ],
  },
};
