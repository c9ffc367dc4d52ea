// GPT-J: parallel block with one norm, interleaved rotary of the first dims, biases in the MLP and head only.
import { readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { commonJson, decoder, sameLayers } from './decoder.ts';
import { type Family, linear, norm } from './family.ts';
import { gptActivationName } from './gpt2.ts';
import { firstRotary } from './llama.ts';
import { gptAliases, gptSizesJson, readSizes } from './sizes.ts';

export const gptj: Family = {
  name: 'gptj',
  modelTypes: ['gptj'],
  architectures: ['GPTJForCausalLM'],
  readConfig(file: ConfigReader): ModelConfig {
    const read = file.withAliases(gptAliases);
    const sizes = readSizes(read, {
      vocabSize: 50_400,
      dModel: 4096,
      dMlp: null,
      nLayers: 28,
      nHeads: 16,
      nKvHeads: null,
      dHead: null,
      maxPositions: 2048,
    });
    if (sizes.nKvHeads !== sizes.nHeads || sizes.dHead * sizes.nHeads !== sizes.dModel) {
      read.fail('num_attention_heads', 'must split the width evenly in this family');
    }
    const dim = read.size('rotary_dim', 64);
    if (dim > sizes.dHead || dim % 2 !== 0) {
      read.fail('rotary_dim', `must be even and at most the head width ${sizes.dHead}`);
    }
    return decoder(read, sizes, {
      family: 'gptj',
      norm: { kind: 'layer', eps: read.positive('layer_norm_epsilon', 1e-5) },
      block: { layout: 'parallel', sharedNorm: true },
      mlp: { gated: false, activation: readActivation(read, 'activation_function', 'gelu_new') },
      biases: { mlp: true, unembed: true },
      layers: sameLayers(sizes.nLayers, {
        dim,
        theta: 10_000, // fixed in the reference, whatever the file says
        interleaved: true,
        scaling: { kind: 'none' },
      }),
      tied: false,
      bos: 50_256,
      eos: 50_256,
    });
  },
  writeConfig: (config) => ({
    ...gptSizesJson(config),
    ...commonJson(config),
    layer_norm_epsilon: config.norm.eps,
    activation_function: gptActivationName(config),
    rotary_dim: firstRotary(config).dim,
  }),
  modules: {
    roots: ['transformer.', ''],
    embed: 'wte',
    blocks: 'h',
    finalNorm: 'ln_f',
    heads: ['lm_head'],
    block: [
      norm('ln_1', 'ln1'),
      linear('attn.q_proj', 'attn.Q'),
      linear('attn.k_proj', 'attn.K'),
      linear('attn.v_proj', 'attn.V'),
      linear('attn.out_proj', 'attn.O'),
      linear('mlp.fc_in', 'mlp.in'),
      linear('mlp.fc_out', 'mlp.out'),
    ],
    ignored: [/\.attn\.(bias|masked_bias|embed_positions)$/],
  },
};
