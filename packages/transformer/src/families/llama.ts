// Llama 1, 2 and 3, SmolLM and other checkpoints of LlamaForCausalLM.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson } from '../config/rotary-config.ts';
import { commonJson, decoder, llamaModules, sameLayers } from './decoder.ts';
import type { Family } from './family.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const llama: Family = {
  name: 'llama',
  modelTypes: ['llama'],
  architectures: ['LlamaForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 32_000,
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
      family: 'llama',
      norm: { eps: read.positive('rms_norm_eps', 1e-6) },
      mlp: { gated: true, activation: readActivation(read, 'hidden_act', 'silu') },
      biases: {
        qkv: attentionBias,
        attnOut: attentionBias,
        mlp: read.flag('mlp_bias', false),
      },
      layers: sameLayers(sizes.nLayers, readRotary(read, sizes)),
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
    attention_bias: config.biases.qkv,
    mlp_bias: config.biases.mlp,
  }),
  modules: llamaModules,
};

/** The rotary settings of layer 0; families whose layers differ write more. */
export function firstRotary(config: ModelConfig): NonNullable<ModelConfig['layers'][0]['rotary']> {
  const rotary = config.layers[0]?.rotary;
  // A config without rotary layers never gets this far: the caller re-reads what is written and compares.
  return (
    rotary ?? { dim: config.dHead, theta: 10_000, interleaved: false, scaling: { kind: 'none' } }
  );
}
