// Gemma 2: norms before and after each module, soft-caps, and a window in every other layer, layer 0 first.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import { type LayerType, readLayerTypes, windowsOf } from '../config/layer-types.ts';
import type { ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson } from '../config/rotary-config.ts';
import { decoder, llamaModules, sameScale } from './decoder.ts';
import { type Family, linear, type ModuleRule, norm } from './family.ts';
import { gemmaJson, gemmaTraits } from './gemma.ts';
import { firstRotary } from './llama.ts';
import { readSizes } from './sizes.ts';

/** `post_attention_layernorm` is a post-norm here; the norm before the MLP has another name. */
export const sandwichBlock: readonly ModuleRule[] = [
  norm('input_layernorm', 'ln1'),
  linear('self_attn.q_proj', 'attn.Q'),
  linear('self_attn.k_proj', 'attn.K'),
  linear('self_attn.v_proj', 'attn.V'),
  linear('self_attn.o_proj', 'attn.O'),
  norm('post_attention_layernorm', 'ln1_post'),
  norm('pre_feedforward_layernorm', 'ln2'),
  linear('mlp.gate_proj', 'mlp.gate'),
  linear('mlp.up_proj', 'mlp.in'),
  linear('mlp.down_proj', 'mlp.out'),
  norm('post_feedforward_layernorm', 'ln2_post'),
];

export const gemma2: Family = {
  name: 'gemma2',
  modelTypes: ['gemma2'],
  architectures: ['Gemma2ForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 256_000,
      dModel: 2304,
      dMlp: 9216,
      nLayers: 26,
      nHeads: 8,
      nKvHeads: 4,
      dHead: 256,
      maxPositions: 8192,
    });
    const types = readLayerTypes(read, sizes.nLayers, (layer) =>
      layer % 2 === 0 ? 'sliding_attention' : 'full_attention',
    );
    const windows = windowsOf(read, types, read.sizeOrNull('sliding_window', 4096));
    return decoder(read, sizes, {
      ...gemmaTraits(read, sizes.dModel),
      family: 'gemma2',
      block: { postNorm: true },
      attention: {
        scale: sameScale(sizes.nLayers, read.positive('query_pre_attn_scalar', 256)),
        softcap: read.positiveOrNull('attn_logit_softcapping', 50),
      },
      finalSoftcap: read.positiveOrNull('final_logit_softcapping', 30),
      mlp: {
        gated: true,
        activation: readActivation(read, 'hidden_activation', 'gelu_pytorch_tanh'),
      },
      layers: types.map((type, layer) => ({
        window: windows[layer] ?? null,
        rotary: readRotary(read, sizes, type),
      })),
    });
  },
  writeConfig: (config) => ({
    ...gemmaJson(config),
    ...rotaryJson(firstRotary(config)),
    ...sandwichJson(config),
    attn_logit_softcapping: config.attention.softcap,
  }),
  modules: { ...llamaModules, block: sandwichBlock },
};

/** Keys of Gemma 2 and 3. */
export function sandwichJson(config: ModelConfig): Record<string, unknown> {
  const window = config.layers.find((layer) => layer.window !== null)?.window;
  return {
    hidden_activation: activationName[config.mlp.activation],
    // scale = scalar^-0.5; the re-read comparison refuses scales that no scalar gives.
    query_pre_attn_scalar: scalarOf(config.attention.scale[0] ?? 1),
    final_logit_softcapping: config.finalSoftcap,
    layer_types: config.layers.map(
      (layer): LayerType => (layer.window === null ? 'full_attention' : 'sliding_attention'),
    ),
    ...(window === undefined || window === null ? {} : { sliding_window: window }),
  };
}

/** The integer scalar whose inverse root is the scale, when there is one. */
function scalarOf(scale: number): number {
  const scalar = scale ** -2;
  const rounded = Math.round(scalar);
  return rounded ** -0.5 === scale ? rounded : scalar;
}
