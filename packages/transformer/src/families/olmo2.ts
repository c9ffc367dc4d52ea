// OLMo-2: no norm before a module, one after it, and q and k normed over all heads at once.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson } from '../config/rotary-config.ts';
import { commonJson, decoder, llamaModules, qkNormModules, sameLayers } from './decoder.ts';
import { type Family, linear, norm } from './family.ts';
import { firstRotary } from './llama.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const olmo2: Family = {
  name: 'olmo2',
  modelTypes: ['olmo2'],
  architectures: ['Olmo2ForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 50_304,
      dModel: 4096,
      dMlp: 11_008,
      nLayers: 32,
      nHeads: 32,
      nKvHeads: null,
      dHead: null,
      maxPositions: 2048,
    });
    const attentionBias = read.flag('attention_bias', false);
    return decoder(read, sizes, {
      family: 'olmo2',
      norm: { eps: read.positive('rms_norm_eps', 1e-5) },
      block: { preNorm: false, postNorm: true },
      attention: { qkNorm: 'full' },
      mlp: { gated: true, activation: readActivation(read, 'hidden_act', 'silu') },
      biases: { qkv: attentionBias, attnOut: attentionBias },
      layers: sameLayers(sizes.nLayers, readRotary(read, sizes)),
      tied: false,
      bos: null,
      eos: 50_279,
    });
  },
  writeConfig: (config) => ({
    ...sizesJson(config),
    ...commonJson(config),
    ...rotaryJson(firstRotary(config)),
    rms_norm_eps: config.norm.eps,
    hidden_act: activationName[config.mlp.activation],
    attention_bias: config.biases.qkv,
  }),
  modules: {
    ...llamaModules,
    block: [
      linear('self_attn.q_proj', 'attn.Q'),
      linear('self_attn.k_proj', 'attn.K'),
      linear('self_attn.v_proj', 'attn.V'),
      ...qkNormModules,
      linear('self_attn.o_proj', 'attn.O'),
      norm('post_attention_layernorm', 'ln1_post'),
      linear('mlp.gate_proj', 'mlp.gate'),
      linear('mlp.up_proj', 'mlp.in'),
      linear('mlp.down_proj', 'mlp.out'),
      norm('post_feedforward_layernorm', 'ln2_post'),
    ],
  },
};
