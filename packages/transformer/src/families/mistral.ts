// Mistral: Llama with a sliding window in every layer (v0.1) or none (later ones say null).
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson } from '../config/rotary-config.ts';
import { commonJson, decoder, llamaModules, sameLayers } from './decoder.ts';
import type { Family } from './family.ts';
import { firstRotary } from './llama.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const mistral: Family = {
  name: 'mistral',
  modelTypes: ['mistral'],
  architectures: ['MistralForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 32_000,
      dModel: 4096,
      dMlp: 14_336,
      nLayers: 32,
      nHeads: 32,
      nKvHeads: 8,
      dHead: null,
      maxPositions: 131_072,
    });
    const window = read.sizeOrNull('sliding_window', 4096);
    return decoder(read, sizes, {
      family: 'mistral',
      norm: { eps: read.positive('rms_norm_eps', 1e-6) },
      mlp: { gated: true, activation: readActivation(read, 'hidden_act', 'silu') },
      layers: sameLayers(sizes.nLayers, readRotary(read, sizes), window),
      tied: false,
      bos: 1,
      eos: 2,
    });
  },
  writeConfig: (config) => ({
    ...sizesJson(config),
    ...commonJson(config),
    ...rotaryJson(firstRotary(config)),
    rms_norm_eps: config.norm.eps,
    hidden_act: activationName[config.mlp.activation],
    sliding_window: config.layers[0]?.window ?? null,
  }),
  modules: llamaModules,
};
