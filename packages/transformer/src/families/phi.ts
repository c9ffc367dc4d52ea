// Phi-1, 1.5 and 2: parallel block with one LayerNorm, partial rotary, biases everywhere, the head too.
import { readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson, rotaryShare } from '../config/rotary-config.ts';
import { commonJson, decoder, rotaryBuffers, sameLayers } from './decoder.ts';
import { type Family, linear, norm } from './family.ts';
import { gptActivationName } from './gpt2.ts';
import { firstRotary } from './llama.ts';
import { readSizes, sizesJson } from './sizes.ts';

export const phi: Family = {
  name: 'phi',
  modelTypes: ['phi'],
  architectures: ['PhiForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 51_200,
      dModel: 2048,
      dMlp: 8192,
      nLayers: 24,
      nHeads: 32,
      nKvHeads: null,
      dHead: null,
      maxPositions: 2048,
    });
    const rotary = readRotary(read, {
      ...sizes,
      partialKey: 'partial_rotary_factor',
      partial: 0.5,
    });
    return decoder(read, sizes, {
      family: 'phi',
      norm: { kind: 'layer', eps: read.positive('layer_norm_eps', 1e-5) },
      block: { layout: 'parallel', sharedNorm: true },
      attention: {
        qkNorm: read.flag('qk_layernorm', false) ? 'head' : 'none',
        qkNormKind: 'layer',
      },
      mlp: { gated: false, activation: readActivation(read, 'hidden_act', 'gelu_new') },
      biases: { qkv: true, attnOut: true, mlp: true, unembed: true },
      layers: sameLayers(sizes.nLayers, rotary),
      tied: false,
      bos: 1,
      eos: 2,
    });
  },
  writeConfig(config) {
    const rotary = firstRotary(config);
    return {
      ...sizesJson(config),
      ...commonJson(config),
      ...rotaryJson(rotary),
      partial_rotary_factor: rotaryShare(rotary.dim, config.dHead),
      layer_norm_eps: config.norm.eps,
      hidden_act: gptActivationName(config),
      qk_layernorm: config.attention.qkNorm !== 'none',
    };
  },
  modules: {
    roots: ['model.', ''],
    embed: 'embed_tokens',
    blocks: 'layers',
    finalNorm: 'final_layernorm',
    heads: ['lm_head'],
    block: [
      norm('input_layernorm', 'ln1'),
      linear('self_attn.q_proj', 'attn.Q'),
      linear('self_attn.k_proj', 'attn.K'),
      linear('self_attn.v_proj', 'attn.V'),
      norm('self_attn.q_layernorm', 'attn.q_norm'),
      norm('self_attn.k_layernorm', 'attn.k_norm'),
      linear('self_attn.dense', 'attn.O'),
      linear('mlp.fc1', 'mlp.in'),
      linear('mlp.fc2', 'mlp.out'),
    ],
    ignored: [rotaryBuffers],
  },
};
