// GPT-NeoX and Pythia: parallel block with two norms, partial rotary, q, k, v fused head by head.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson, rotaryShare } from '../config/rotary-config.ts';
import { commonJson, decoder, rotaryBuffers, sameLayers } from './decoder.ts';
import { type Family, linear, norm } from './family.ts';
import { firstRotary } from './llama.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const gptNeox: Family = {
  name: 'gpt-neox',
  modelTypes: ['gpt_neox'],
  architectures: ['GPTNeoXForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 50_432,
      dModel: 6144,
      dMlp: 24_576,
      nLayers: 44,
      nHeads: 64,
      nKvHeads: null,
      dHead: null,
      maxPositions: 2048,
    });
    if (sizes.nKvHeads !== sizes.nHeads || sizes.dHead * sizes.nHeads !== sizes.dModel) {
      read.fail('num_attention_heads', 'must split the width evenly in this family');
    }
    const attentionBias = read.flag('attention_bias', true);
    const rotary = readRotary(read, {
      ...sizes,
      thetaKey: 'rotary_emb_base',
      partialKey: 'rotary_pct',
      partial: 0.25,
    });
    return decoder(read, sizes, {
      family: 'gpt-neox',
      norm: { kind: 'layer', eps: read.positive('layer_norm_eps', 1e-5) },
      block: { layout: read.flag('use_parallel_residual', true) ? 'parallel' : 'sequential' },
      mlp: { gated: false, activation: readActivation(read, 'hidden_act', 'gelu') },
      biases: { qkv: attentionBias, attnOut: attentionBias, mlp: true },
      layers: sameLayers(sizes.nLayers, rotary),
      tied: false,
      bos: 0,
      eos: 2,
    });
  },
  writeConfig(config) {
    const rotary = firstRotary(config);
    const { rope_theta: rotaryEmbBase, ...scaling } = rotaryJson(rotary);
    return {
      ...sizesJson(config),
      ...commonJson(config),
      ...scaling,
      rotary_emb_base: rotaryEmbBase,
      rotary_pct: rotaryShare(rotary.dim, config.dHead),
      layer_norm_eps: config.norm.eps,
      hidden_act: activationName[config.mlp.activation],
      attention_bias: config.biases.qkv,
      use_parallel_residual: config.block.layout === 'parallel',
    };
  },
  modules: {
    roots: ['gpt_neox.', ''],
    embed: 'embed_in',
    blocks: 'layers',
    finalNorm: 'final_layer_norm',
    heads: ['embed_out', 'lm_head'],
    block: [
      norm('input_layernorm', 'ln1'),
      {
        kind: 'linear',
        module: 'attention.query_key_value',
        holds: ['attn.Q', 'attn.K', 'attn.V'],
        stored: 'out-in',
        fused: 'heads',
      },
      linear('attention.dense', 'attn.O'),
      norm('post_attention_layernorm', 'ln2'),
      linear('mlp.dense_h_to_4h', 'mlp.in'),
      linear('mlp.dense_4h_to_h', 'mlp.out'),
    ],
    ignored: [rotaryBuffers, /\.attention\.(bias|masked_bias)$/],
  },
};
