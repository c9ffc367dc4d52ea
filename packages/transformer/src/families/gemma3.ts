// Gemma 3, text: five sliding layers then a full one, a rotary base for each kind, q and k norms, no caps.
import { readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import { type LayerType, readLayerTypes, windowsOf } from '../config/layer-types.ts';
import type { ModelConfig, RotaryConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson } from '../config/rotary-config.ts';
import { decoder, llamaModules, qkNormModules, rotaryBuffers, sameScale } from './decoder.ts';
import type { Family } from './family.ts';
import { gemmaJson, gemmaTraits } from './gemma.ts';
import { sandwichBlock, sandwichJson } from './gemma2.ts';
import { readSizes, type Sizes } from './sizes.ts';

export const gemma3: Family = {
  name: 'gemma3',
  modelTypes: ['gemma3_text', 'gemma3'],
  architectures: ['Gemma3ForCausalLM', 'Gemma3ForConditionalGeneration'],
  readConfig(outer: ConfigReader): ModelConfig {
    // Multimodal files wrap the text model; the tokens and the tie then stand outside.
    const inner = outer.object('text_config');
    const read = inner ?? outer;
    const sizes = readSizes(read, {
      vocabSize: 262_208,
      dModel: 2304,
      dMlp: 9216,
      nLayers: 26,
      nHeads: 8,
      nKvHeads: 4,
      dHead: 256,
      maxPositions: 131_072,
    });
    const pattern = read.size('sliding_window_pattern', 6);
    const types = readLayerTypes(read, sizes.nLayers, (layer) =>
      (layer + 1) % pattern === 0 ? 'full_attention' : 'sliding_attention',
    );
    const windows = windowsOf(read, types, read.sizeOrNull('sliding_window', 4096));
    const rotary = {
      full_attention: globalRotary(read, sizes),
      sliding_attention: localRotary(read, sizes),
    };
    const config = decoder(read, sizes, {
      ...gemmaTraits(read, sizes.dModel),
      family: 'gemma3',
      block: { postNorm: true },
      attention: {
        qkNorm: 'head',
        // `attn_logit_softcapping` is read by the reference but never applied.
        scale: sameScale(sizes.nLayers, read.positive('query_pre_attn_scalar', 256)),
      },
      finalSoftcap: read.positiveOrNull('final_logit_softcapping', null),
      mlp: {
        gated: true,
        activation: readActivation(read, 'hidden_activation', 'gelu_pytorch_tanh'),
      },
      layers: types.map((type, layer) => ({
        window: windows[layer] ?? null,
        rotary: rotary[type],
      })),
    });
    if (inner === undefined) return config;
    outer.mustBeOff('quantization_config', 'a quantised checkpoint');
    return {
      ...config,
      tiedEmbeddings: outer.flag('tie_word_embeddings', true),
      bosTokenId: outer.tokenId('bos_token_id', config.bosTokenId),
      eosTokenIds: outer.tokenIds('eos_token_id', config.eosTokenIds),
    };
  },
  writeConfig: (config) => ({
    ...gemmaJson(config),
    ...rotaryJson(rotaryOf(config, 'full_attention')),
    rope_local_base_freq: rotaryOf(config, 'sliding_attention').theta,
    ...sandwichJson(config),
  }),
  modules: {
    ...llamaModules,
    roots: ['model.', '', 'model.language_model.', 'language_model.model.'],
    heads: ['lm_head', 'language_model.lm_head'],
    block: [...sandwichBlock, ...qkNormModules],
    ignored: [rotaryBuffers, /^(model\.)?(vision_tower|multi_modal_projector)\./],
  },
};

/** Full layers: `rope_theta` (1e6) and the scaling. */
function globalRotary(read: ConfigReader, sizes: Sizes): RotaryConfig {
  return readRotary(nestedOnly(read), { ...sizes, theta: 1_000_000 }, 'full_attention');
}

/** Sliding layers: their own base (1e4), never scaled in old files. */
function localRotary(read: ConfigReader, sizes: Sizes): RotaryConfig {
  const local = { ...sizes, thetaKey: 'rope_local_base_freq', theta: 10_000 };
  return readRotary(nestedOnly(read, 'rope_scaling'), local, 'sliding_attention');
}

/** Hides what the reference does not read for this kind of layer, and refuses flat new parameters. */
function nestedOnly(read: ConfigReader, hidden?: string): ConfigReader {
  const parameters = read.object('rope_parameters');
  if (parameters?.has('rope_type') || parameters?.has('rope_theta')) {
    read.fail('rope_parameters', 'must hold one object per layer type in this family');
  }
  return hidden === undefined ? read : read.without(hidden);
}

function rotaryOf(config: ModelConfig, type: LayerType): RotaryConfig {
  const full = type === 'full_attention';
  const layer = config.layers.find(({ window }) => (window === null) === full);
  return (
    layer?.rotary ?? {
      dim: config.dHead,
      theta: full ? 1_000_000 : 10_000,
      interleaved: false,
      scaling: { kind: 'none' },
    }
  );
}
