// Known porting bugs put into our models on purpose, one for each negative control of the fixtures.
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig, RotaryConfig } from '../../src/config/model-config.ts';
import type { WeightName } from '../../src/config/weight-name.ts';
import type { CanonicalWeight } from '../../src/families/read-weights.ts';
import type { FunctionIntervention } from '../../src/hooks/intervention.ts';
import type { Fixture } from './fixture.ts';

type Weights = ReadonlyMap<WeightName, CanonicalWeight>;

/** A model with the bug, and edits where weights and config cannot express it. */
export interface Bugged {
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly interventions?: readonly FunctionIntervention[];
  /** Tokens to use in place of the long prompt. */
  readonly length?: number;
}

type Bug = (fixture: Fixture) => Bugged;

/** Every bug by the name the fixtures record it under. */
export const bugs: Readonly<Record<string, Bug>> = {
  wrong_gelu: configured(({ mlp }) => ({
    mlp: { ...mlp, activation: mlp.activation === 'gelu' ? 'gelu_tanh' : 'gelu' },
  })),
  wrong_norm_eps: configured(({ norm }) => ({
    norm: { ...norm, eps: norm.eps < 5e-6 ? 1e-5 : 1e-6 },
  })),
  gqa_tiled: ({ config, weights }) => tiled(config, weights),
  rope_interleaved: rotated((rotary) => ({ ...rotary, interleaved: true })),
  rope_half: rotated((rotary) => ({ ...rotary, interleaved: false })),
  wrong_rope_theta: rotated((rotary) => ({ ...rotary, theta: rotary.theta > 1e4 ? 1e4 : 5e5 })),
  rope_scaling_ignored: rotated((rotary) => ({ ...rotary, scaling: { kind: 'none' } })),
  yarn_attention_factor_ignored: rotated(withoutAttentionFactor),
  longrope_attention_factor_ignored: rotated(withoutAttentionFactor),
  longrope_short_for_long: rotated((rotary) =>
    rotary.scaling.kind === 'longrope'
      ? { ...rotary, scaling: { ...rotary.scaling, longFactor: rotary.scaling.shortFactor } }
      : rotary,
  ),
  rotary_pct_1: fullRotary,
  rotary_full_width: fullRotary,
  window_off_by_one: windowed((window) => (window === null ? null : window + 1)),
  window_ignored: windowed(() => null),
  window_in_all_layers: ({ config, ...rest }) => {
    const window = config.layers.find((layer) => layer.window !== null)?.window ?? null;
    return windowed(() => window)({ config, ...rest });
  },
  layer_types_reversed: configured(({ layers }) => ({ layers: [...layers].reverse() })),
  layer_types_shifted: configured(({ layers }) => ({
    layers: [...layers.slice(-1), ...layers.slice(0, -1)],
  })),
  local_theta_everywhere: configured(({ layers }) => {
    const local = layers.find(({ window }) => window !== null)?.rotary ?? null;
    return { layers: layers.map((layer) => ({ ...layer, rotary: local })) };
  }),
  global_scaling_ignored: rotated((rotary) => ({ ...rotary, scaling: { kind: 'none' } })),
  attention_scale_dropped: scaledBy(() => 1),
  scale_from_width_over_heads: scaledBy(({ dModel, nHeads }) => (dModel / nHeads) ** -0.5),
  scale_from_head_dim: scaledBy(({ dHead }) => dHead ** -0.5),
  attention_cap_removed: configured(({ attention }) => ({
    attention: { ...attention, softcap: null },
  })),
  final_cap_removed: configured(() => ({ finalSoftcap: null })),
  embedding_unscaled: configured(() => ({ embedScale: 1 })),
  gain_without_one: configured(({ norm }) => ({ norm: { ...norm, gainOffset: 0 } })),
  parallel_flag_flipped: configured(({ block }) => ({
    block: { ...block, layout: block.layout === 'parallel' ? 'sequential' : 'parallel' },
  })),
  lm_head_bias_dropped: zeroed(/^unembed\.b_U$/),
  k_bias_dropped: zeroed(/attn\.b_K$/),
  qkv_biases_dropped: zeroed(/attn\.b_[QKV]$/),
  qk_norm_omitted: ({ config, weights }) => ({
    config: { ...config, attention: { ...config.attention, qkNorm: 'none' } },
    weights: new Map([...weights].filter(([name]) => !/[qk]_norm/.test(name))),
  }),
  qk_norm_per_head: perHeadNorm,
  gate_up_swapped: ({ config, weights }) => ({
    config,
    weights: new Map(
      [...weights].map(([name, weight]) => {
        const other = name.includes('W_gate')
          ? name.replace('W_gate', 'W_in')
          : name.replace('W_in', 'W_gate');
        return [name, weights.get(other as WeightName) ?? weight];
      }),
    ),
  }),
  qkv_read_by_kind: ({ config, weights }) => ({ config, weights: readByKind(config, weights) }),
  arange_positions_under_left_pad: shiftedPositions,
};

function configured(change: (config: ModelConfig) => Partial<ModelConfig>): Bug {
  return ({ config, weights }) => ({ config: { ...config, ...change(config) }, weights });
}

function rotated(change: (rotary: RotaryConfig) => RotaryConfig): Bug {
  return configured(({ layers }) => ({
    layers: layers.map((layer) => ({
      ...layer,
      rotary: layer.rotary === null ? null : change(layer.rotary),
    })),
  }));
}

function windowed(change: (window: number | null) => number | null): Bug {
  return configured(({ layers }) => ({
    layers: layers.map((layer) => ({ ...layer, window: change(layer.window) })),
  }));
}

function scaledBy(scale: (config: ModelConfig) => number): Bug {
  return configured((config) => ({
    attention: { ...config.attention, scale: config.attention.scale.map(() => scale(config)) },
  }));
}

function fullRotary(fixture: Fixture): Bugged {
  return rotated((rotary) => ({ ...rotary, dim: fixture.config.dHead }))(fixture);
}

function withoutAttentionFactor(rotary: RotaryConfig): RotaryConfig {
  return 'attentionFactor' in rotary.scaling
    ? { ...rotary, scaling: { ...rotary.scaling, attentionFactor: 1 } }
    : rotary;
}

function zeroed(names: RegExp): Bug {
  return ({ config, weights }) => ({
    config,
    weights: new Map(
      [...weights].map(([name, weight]) => [
        name,
        names.test(name) ? { ...weight, data: new Float32Array(weight.data.length) } : weight,
      ]),
    ),
  });
}

/** Query head h reads key head h mod kv, as `repeat` in place of `repeat_interleave` has it. */
function tiled(config: ModelConfig, weights: Weights): Bugged {
  const { nHeads, nKvHeads, dHead } = config;
  const source = Array.from({ length: nHeads * dHead }, (_, column) => {
    const head = Math.floor(column / dHead) % nKvHeads;
    return head * dHead + (column % dHead);
  });
  const full = config.attention.qkNorm === 'full';
  const widened = full ? /attn\.([Wb]_[KV]|k_norm\.[wb])$/ : /attn\.[Wb]_[KV]$/;
  return {
    config: { ...config, nKvHeads: nHeads },
    weights: new Map(
      [...weights].map(([name, weight]) => [
        name,
        widened.test(name) ? columns(weight, source) : weight,
      ]),
    ),
  };
}

/** The columns of a matrix (or numbers of a vector) in another order, possibly repeated. */
function columns({ shape, data }: CanonicalWeight, source: readonly number[]): CanonicalWeight {
  const width = shape[shape.length - 1] as number;
  const rows = data.length / width;
  const moved = new Float32Array(rows * source.length);
  for (let row = 0; row < rows; row++) {
    for (const [column, from] of source.entries()) {
      moved[row * source.length + column] = data[row * width + from] as number;
    }
  }
  return { shape: [...shape.slice(0, -1), source.length], data: moved };
}

/** NeoX rows [head][q, k, v][dim] taken for [q, k, v][head][dim]. */
function readByKind(config: ModelConfig, weights: Weights): Weights {
  const { nHeads, dHead } = config;
  const letters = ['Q', 'K', 'V'] as const;
  const changed = new Map(weights);
  for (let layer = 0; layer < config.nLayers; layer++) {
    for (const kind of ['W', 'b'] as const) {
      const parts = letters.map((letter) => weights.get(`blocks.${layer}.attn.${kind}_${letter}`));
      const [q, k, v] = parts;
      if (q === undefined || k === undefined || v === undefined) continue;
      const fused = joined([q, k, v]);
      for (const [which, letter] of letters.entries()) {
        const source = Array.from({ length: nHeads * dHead }, (_, j) => {
          const row = which * nHeads * dHead + j;
          const head = Math.floor(row / (3 * dHead));
          const part = Math.floor(row / dHead) % 3;
          return part * nHeads * dHead + head * dHead + (row % dHead);
        });
        changed.set(`blocks.${layer}.attn.${kind}_${letter}`, columns(fused, source));
      }
    }
  }
  return changed;
}

/** Matrices side by side. */
function joined(parts: readonly CanonicalWeight[]): CanonicalWeight {
  const widths = parts.map(({ shape }) => shape[shape.length - 1] as number);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const rows = (parts[0] as CanonicalWeight).data.length / (widths[0] as number);
  const data = new Float32Array(rows * total);
  let start = 0;
  for (const [i, part] of parts.entries()) {
    const width = widths[i] as number;
    for (let row = 0; row < rows; row++) {
      data.set(part.data.subarray(row * width, (row + 1) * width), row * total + start);
    }
    start += width;
  }
  return { shape: rows === 1 ? [total] : [rows, total], data };
}

/** OLMo-2's q/k norm over all heads taken for one over each head, same gains. */
function perHeadNorm({ config, weights }: Fixture): Bugged {
  const interventions: FunctionIntervention[] = [];
  for (let layer = 0; layer < config.nLayers; layer++) {
    for (const which of ['q_norm', 'k_norm'] as const) {
      const gain = weights.get(`blocks.${layer}.attn.${which}.w`) as CanonicalWeight;
      interventions.push({
        at: `blocks.${layer}.attn.${which}.hook_out`,
        apply: (out) => {
          const w = tf.tensor(gain.data, [gain.data.length / config.dHead, config.dHead]);
          const plain = tf.div(out, w);
          const size = tf.sqrt(tf.mean(tf.square(plain), -1, true));
          return tf.mul(tf.div(plain, size), w);
        },
      });
    }
  }
  return { config, weights, interventions };
}

/** Positions counted from the padded start: with seven pads every token sits seven further on. */
function shiftedPositions({ config, weights }: Fixture): Bugged {
  const table = weights.get('pos_embed.W_pos') as CanonicalWeight;
  const shift = 7 * config.dModel;
  const data = new Float32Array(table.data.length);
  data.set(table.data.subarray(shift));
  return {
    config,
    weights: new Map(weights).set('pos_embed.W_pos', { ...table, data }),
    length: 16,
  };
}
