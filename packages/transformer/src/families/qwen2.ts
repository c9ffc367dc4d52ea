// Qwen2 and Qwen2.5: Llama with q, k, v biases and, when switched on, a window in the later layers.
import { activationName, readActivation } from '../config/activation.ts';
import type { ConfigReader } from '../config/config-reader.ts';
import { type LayerType, readLayerTypes, windowsOf } from '../config/layer-types.ts';
import type { LayerConfig, ModelConfig } from '../config/model-config.ts';
import { readRotary, rotaryJson } from '../config/rotary-config.ts';
import { commonJson, decoder, llamaModules } from './decoder.ts';
import type { Family } from './family.ts';
import { firstRotary } from './llama.ts';
import { readSizes, type Sizes, sizesJson } from './sizes.ts';

export const qwen2: Family = {
  name: 'qwen2',
  modelTypes: ['qwen2'],
  architectures: ['Qwen2ForCausalLM'],
  readConfig(read: ConfigReader): ModelConfig {
    const sizes = readSizes(read, {
      vocabSize: 151_936,
      dModel: 4096,
      dMlp: 22_016,
      nLayers: 32,
      nHeads: 32,
      nKvHeads: 32,
      dHead: null,
      maxPositions: 32_768,
    });
    return decoder(read, sizes, {
      family: 'qwen2',
      norm: { eps: read.positive('rms_norm_eps', 1e-6) },
      mlp: { gated: true, activation: readActivation(read, 'hidden_act', 'silu') },
      biases: { qkv: true },
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
  }),
  modules: llamaModules,
};

/** `sliding_window` counts only when `use_sliding_window` is on, and from layer `max_window_layers` on. */
export function qwenLayers(read: ConfigReader, sizes: Sizes): LayerConfig[] {
  const stated = read.sizeOrNull('sliding_window', 4096);
  const window = read.flag('use_sliding_window', false) ? stated : null;
  const from = read.raw('max_window_layers') === 0 ? 0 : read.size('max_window_layers', 28);
  const types = readLayerTypes(read, sizes.nLayers, (layer) =>
    window !== null && layer >= from ? 'sliding_attention' : 'full_attention',
  );
  const windows = windowsOf(read, types, window);
  return types.map((type, layer) => ({
    window: windows[layer] ?? null,
    rotary: readRotary(read, sizes, type),
  }));
}

export function qwenWindowJson(config: ModelConfig): Record<string, unknown> {
  const window = config.layers.find((layer) => layer.window !== null)?.window ?? null;
  return {
    use_sliding_window: window !== null,
    sliding_window: window,
    layer_types: config.layers.map(
      (layer): LayerType => (layer.window === null ? 'full_attention' : 'sliding_attention'),
    ),
  };
}
