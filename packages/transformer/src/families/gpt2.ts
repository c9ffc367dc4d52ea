// GPT-2: learned positions, LayerNorm, plain MLP, biases everywhere, Conv1D weights, tied.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { commonJson, decoder, sameLayers } from './decoder.ts';
import { type Family, type ModuleRule, norm, type Projection } from './family.ts';
import { gptAliases, gptSizesJson, readSizes } from './sizes.ts';

export const gpt2: Family = {
  name: 'gpt2',
  modelTypes: ['gpt2'],
  architectures: ['GPT2LMHeadModel'],
  readConfig(file: ConfigReader): ModelConfig {
    const read = file.withAliases(gptAliases);
    const sizes = readSizes(read, {
      vocabSize: 50_257,
      dModel: 768,
      dMlp: null,
      nLayers: 12,
      nHeads: 12,
      nKvHeads: null,
      dHead: null,
      maxPositions: 1024,
    });
    if (sizes.nKvHeads !== sizes.nHeads || sizes.dHead * sizes.nHeads !== sizes.dModel) {
      read.fail('num_attention_heads', 'must split the width evenly in this family');
    }
    const scaled = read.flag('scale_attn_weights', true);
    const byLayer = read.flag('scale_attn_by_inverse_layer_idx', false);
    return decoder(read, sizes, {
      family: 'gpt2',
      norm: { kind: 'layer', eps: read.positive('layer_norm_epsilon', 1e-5) },
      attention: {
        scale: Array.from(
          { length: sizes.nLayers },
          (_, layer) => (scaled ? sizes.dHead ** -0.5 : 1) / (byLayer ? layer + 1 : 1),
        ),
      },
      mlp: { gated: false, activation: readActivation(read, 'activation_function', 'gelu_new') },
      biases: { qkv: true, attnOut: true, mlp: true },
      layers: sameLayers(sizes.nLayers, null),
      tied: true,
      bos: 50_256,
      eos: 50_256,
    });
  },
  writeConfig(config) {
    const [first = 1, second] = config.attention.scale;
    return {
      ...gptSizesJson(config),
      ...commonJson(config),
      layer_norm_epsilon: config.norm.eps,
      activation_function: gptActivationName(config),
      scale_attn_weights: first !== 1,
      scale_attn_by_inverse_layer_idx: second !== undefined && second !== first,
    };
  },
  modules: {
    roots: ['transformer.', ''],
    embed: 'wte',
    posEmbed: 'wpe',
    blocks: 'h',
    finalNorm: 'ln_f',
    heads: ['lm_head'],
    block: [
      norm('ln_1', 'ln1'),
      conv1d('attn.c_attn', 'attn.Q', 'attn.K', 'attn.V'),
      conv1d('attn.c_proj', 'attn.O'),
      norm('ln_2', 'ln2'),
      conv1d('mlp.c_fc', 'mlp.in'),
      conv1d('mlp.c_proj', 'mlp.out'),
    ],
    // Causal masks that old files carry as buffers.
    ignored: [/\.attn\.(bias|masked_bias)$/],
  },
};

function conv1d(module: string, ...holds: readonly Projection[]): ModuleRule {
  return { kind: 'linear', module, holds, stored: 'in-out', fused: 'blocks' };
}

/** GPT families write the tanh form under its old name. */
export function gptActivationName(config: ModelConfig): string {
  const { activation } = config.mlp;
  return activation === 'gelu_tanh' ? 'gelu_new' : activationName[activation];
}
