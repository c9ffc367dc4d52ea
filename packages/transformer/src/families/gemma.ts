// Gemma 1: gains stored as w with gain 1 + w, embeddings scaled by sqrt(width), tanh GELU, tied.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { Activation, ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson } from '../config/rotary-config.ts';
import { commonJson, decoder, llamaModules, sameLayers } from './decoder.ts';
import type { Family } from './family.ts';
import { firstRotary } from './llama.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const gemma: Family = {
  name: 'gemma',
  modelTypes: ['gemma'],
  architectures: ['GemmaForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 256_000,
      dModel: 3072,
      dMlp: 24_576,
      nLayers: 28,
      nHeads: 16,
      nKvHeads: 16,
      dHead: 256,
      maxPositions: 8192,
    });
    return decoder(read, sizes, {
      ...gemmaTraits(read, sizes.dModel),
      family: 'gemma',
      mlp: { gated: true, activation: gemma1Activation(read) },
      layers: sameLayers(sizes.nLayers, readRotary(read, sizes)),
    });
  },
  writeConfig: (config) => ({
    ...gemmaJson(config),
    ...rotaryJson(firstRotary(config)),
    hidden_act: activationName[config.mlp.activation],
  }),
  modules: llamaModules,
};

/** The first releases say "gelu" and mean the tanh form (Hugging Face rewrites the value). */
function gemma1Activation(read: ConfigReader): Activation {
  const activation = readActivation(read, 'hidden_act', 'gelu_pytorch_tanh');
  return read.raw('hidden_act') === 'gelu' ? 'gelu_tanh' : activation;
}

/** What all three generations share. */
export function gemmaTraits(
  read: ConfigReader,
  dModel: number,
): {
  readonly norm: Partial<ModelConfig['norm']>;
  readonly biases: Partial<ModelConfig['biases']>;
  readonly embedScale: number;
  readonly tied: boolean;
  readonly bos: number;
  readonly eos: number;
} {
  const attentionBias = read.flag('attention_bias', false);
  return {
    norm: { eps: read.positive('rms_norm_eps', 1e-6), gainOffset: 1 },
    biases: { qkv: attentionBias, attnOut: attentionBias },
    embedScale: Math.sqrt(dModel),
    tied: true,
    bos: 2,
    eos: 1,
  };
}

export function gemmaJson(config: ModelConfig): Record<string, unknown> {
  return {
    ...sizesJson(config),
    ...commonJson(config),
    rms_norm_eps: config.norm.eps,
    attention_bias: config.biases.qkv,
  };
}
