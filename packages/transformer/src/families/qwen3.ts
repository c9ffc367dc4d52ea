// Qwen3: Qwen2 without biases, with its own head width and an RMSNorm on every head of q and k.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { rotaryJson } from '../config/rotary-config.ts';
import { commonJson, decoder, llamaBlock, llamaModules, qkNormModules } from './decoder.ts';
import type { Family } from './family.ts';
import { firstRotary } from './llama.ts';
import { qwenLayers, qwenWindowJson } from './qwen2.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const qwen3: Family = {
  name: 'qwen3',
  modelTypes: ['qwen3'],
  architectures: ['Qwen3ForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 151_936,
      dModel: 4096,
      dMlp: 22_016,
      nLayers: 32,
      nHeads: 32,
      nKvHeads: 32,
      dHead: 128,
      maxPositions: 32_768,
    });
    const attentionBias = read.flag('attention_bias', false);
    return decoder(read, sizes, {
      family: 'qwen3',
      norm: { eps: read.positive('rms_norm_eps', 1e-6) },
      attention: { qkNorm: 'head' },
      mlp: { gated: true, activation: readActivation(read, 'hidden_act', 'silu') },
      biases: { qkv: attentionBias, attnOut: attentionBias },
      layers: qwenLayers(read, sizes),
      tied: false,
      bos: null,
      eos: null,
    });
  },
  writeConfig: (config) => ({
    ...sizesJson(config),
    ...commonJson(config),
    ...rotaryJson(firstRotary(config)),
    ...qwenWindowJson(config),
    rms_norm_eps: config.norm.eps,
    hidden_act: activationName[config.mlp.activation],
    attention_bias: config.biases.qkv,
  }),
  modules: { ...llamaModules, block: [...llamaBlock, ...qkNormModules] },
};
