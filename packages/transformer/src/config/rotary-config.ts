// Reads rotary position settings in every spelling Hugging Face has used.
import { type ConfigReader, shown } from './config-reader.ts';
import type { RopeScaling, RotaryConfig } from './model-config.ts';

export interface RotaryDefaults {
  readonly dHead: number;
  readonly maxPositions: number;
  /** Key of the base beside `rope_theta` inside the parameters (NeoX: `rotary_emb_base`). */
  readonly thetaKey?: string;
  readonly theta?: number;
  /** Key of the rotated share of each head; only families that rotate a part give it. */
  readonly partialKey?: string;
  readonly partial?: number;
  /** Names that mean another type in this family (Phi-3: su and yarn mean longrope). */
  readonly typeAliases?: Readonly<Record<string, string>>;
  /** `original_max_position_embeddings` beside the parameters when the key is absent (Phi-3: 4096). */
  readonly originalMaxPositions?: number;
}

/**
 * Old files carry `rope_theta` and `rope_scaling { type | rope_type }` at the top, new ones
 * `rope_parameters`, possibly one object per layer type. What stands inside wins over what stands beside.
 */
export function readRotary(
  read: ConfigReader,
  defaults: RotaryDefaults,
  layerType?: string,
): RotaryConfig {
  const parameters = ropeParameters(read, layerType);
  const theta = thetaOf(read, parameters, defaults);
  const dim = rotatedDims(read, parameters, defaults);
  const scaling =
    parameters === undefined ? none : readScaling(read, parameters, { ...defaults, dim });
  if (scaling.kind === 'dynamic' && dim < 4) {
    return read.fail('rope_scaling', 'of type dynamic needs at least 4 rotated dims');
  }
  return { dim, theta, interleaved: false, scaling };
}

const none: RopeScaling = { kind: 'none' };

function ropeParameters(read: ConfigReader, layerType?: string): ConfigReader | undefined {
  const scaling = read.object('rope_scaling');
  if (scaling !== undefined) return scaling;
  const parameters = read.object('rope_parameters');
  const nested = parameters?.object('full_attention') ?? parameters?.object('sliding_attention');
  if (nested === undefined) return parameters;
  if (layerType === undefined) return parameters?.object('full_attention') ?? nested;
  return parameters?.object(layerType);
}

function thetaOf(
  read: ConfigReader,
  parameters: ConfigReader | undefined,
  { thetaKey = 'rope_theta', theta = 10_000 }: RotaryDefaults,
): number {
  if (parameters !== undefined && (parameters.raw('rope_theta') ?? null) !== null) {
    return checkedTheta(parameters, 'rope_theta', theta);
  }
  return checkedTheta(read, thetaKey, theta);
}

function checkedTheta(read: ConfigReader, key: string, absent: number): number {
  const theta = read.positiveOrNull(key, absent) ?? absent;
  // A base of 1 or less turns no slower with the index; yarn divides by its logarithm.
  if (theta <= 1 || theta > 1e30) return read.fail(key, `must lie above 1, found ${theta}`);
  return theta;
}

function rotatedDims(
  read: ConfigReader,
  parameters: ConfigReader | undefined,
  { dHead, partialKey, partial = 1 }: RotaryDefaults,
): number {
  const inside = parameters?.positiveOrNull('partial_rotary_factor', null) ?? null;
  const beside = read.positiveOrNull(partialKey ?? 'partial_rotary_factor', null);
  const share = inside ?? beside ?? partial;
  if (share > 1) return read.fail('partial_rotary_factor', `must be at most 1, found ${share}`);
  if (share !== 1 && partialKey === undefined) {
    return read.fail('partial_rotary_factor', `is ${share}, but this family rotates whole heads`);
  }
  const dim = Math.trunc(dHead * share);
  if (dim < 2 || dim % 2 !== 0) {
    return read.fail(
      partialKey ?? 'head_dim',
      `gives ${dim} rotated dims; rotary embedding needs an even number`,
    );
  }
  return dim;
}

function readScaling(
  read: ConfigReader,
  parameters: ConfigReader,
  options: RotaryDefaults & { readonly dim: number },
): RopeScaling {
  const named = parameters.raw('rope_type') ?? parameters.raw('type') ?? 'default';
  const type =
    typeof named === 'string' && options.typeAliases && Object.hasOwn(options.typeAliases, named)
      ? options.typeAliases[named]
      : named;
  const factor = (): number => parameters.positive('factor', undefined);
  const trained = (): number => originalMaxPositions(read, parameters, options);
  switch (type) {
    case 'default':
      return none;
    case 'linear':
      return { kind: 'linear', factor: factor() };
    case 'dynamic':
      return { kind: 'dynamic', factor: factor(), originalMaxPositions: options.maxPositions };
    case 'llama3':
      return readLlama3(parameters, { factor: factor(), originalMaxPositions: trained() });
    case 'yarn':
      return readYarn(parameters, { factor: factor(), originalMaxPositions: trained() });
    case 'longrope':
      return readLongrope(parameters, { ...options, originalMaxPositions: trained() });
    default:
      return parameters.fail(
        'rope_type',
        `is ${shown(named)}; known: default, linear, dynamic, llama3, yarn, longrope`,
      );
  }
}

/** Beside the parameters wins (as Phi-3 stores it), then inside, then the model's own maximum. */
function originalMaxPositions(
  read: ConfigReader,
  parameters: ConfigReader,
  { maxPositions, originalMaxPositions: absent }: RotaryDefaults,
): number {
  const key = 'original_max_position_embeddings';
  if (read.has(key)) return read.size(key, maxPositions);
  if (absent !== undefined) return absent;
  return parameters.size(key, maxPositions);
}

function readLlama3(
  parameters: ConfigReader,
  common: { readonly factor: number; readonly originalMaxPositions: number },
): RopeScaling {
  const lowFreqFactor = parameters.positive('low_freq_factor', undefined);
  const highFreqFactor = parameters.positive('high_freq_factor', undefined);
  if (highFreqFactor <= lowFreqFactor) {
    return parameters.fail('high_freq_factor', `must exceed low_freq_factor ${lowFreqFactor}`);
  }
  return { kind: 'llama3', ...common, lowFreqFactor, highFreqFactor };
}

function readYarn(
  parameters: ConfigReader,
  common: { readonly factor: number; readonly originalMaxPositions: number },
): RopeScaling {
  const betaFast = parameters.positiveOrNull('beta_fast', 32) ?? 32;
  const betaSlow = parameters.positiveOrNull('beta_slow', 1) ?? 1;
  if (betaFast < betaSlow) return parameters.fail('beta_fast', `must not be below ${betaSlow}`);
  return {
    kind: 'yarn',
    ...common,
    betaFast,
    betaSlow,
    attentionFactor: yarnAttention(parameters, common.factor),
    truncate: parameters.flag('truncate', true),
  };
}

/** 0.1 ln f + 1 (YaRN paper, eq. 22), or the ratio of two such terms when both mscales are given. */
function yarnAttention(parameters: ConfigReader, factor: number): number {
  const given = parameters.positiveOrNull('attention_factor', null);
  if (given !== null) return given;
  const term = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const mscale = mscaleOf(parameters, 'mscale');
  const mscaleAllDim = mscaleOf(parameters, 'mscale_all_dim');
  return mscale && mscaleAllDim ? term(mscale) / term(mscaleAllDim) : term(1);
}

/** Zero is legal here and means "not given". */
function mscaleOf(parameters: ConfigReader, key: string): number | null {
  return parameters.raw(key) === 0 ? null : parameters.positiveOrNull(key, null);
}

function readLongrope(
  parameters: ConfigReader,
  options: {
    readonly dim: number;
    readonly maxPositions: number;
    readonly originalMaxPositions: number;
  },
): RopeScaling {
  const { dim, maxPositions, originalMaxPositions } = options;
  const factors = (key: string): number[] => {
    const list = parameters.positives(key);
    if (list.length === dim / 2) return list;
    return parameters.fail(key, `must hold ${dim / 2} numbers, found ${list.length}`);
  };
  const factor = parameters.positiveOrNull('factor', null) ?? maxPositions / originalMaxPositions;
  const attentionFactor =
    parameters.positiveOrNull('attention_factor', null) ??
    (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositions)));
  if (!Number.isFinite(attentionFactor)) {
    return parameters.fail('original_max_position_embeddings', 'must be above 1');
  }
  return {
    kind: 'longrope',
    shortFactor: factors('short_factor'),
    longFactor: factors('long_factor'),
    attentionFactor,
    originalMaxPositions,
  };
}

/** The share of each head that rotates, such that reading it back gives exactly `dim`. */
export function rotaryShare(dim: number, dHead: number): number {
  const share = dim / dHead;
  // The product can land just below dim, and the reader truncates.
  return Math.trunc(dHead * share) === dim ? share : (dim + 0.5) / dHead;
}

/** The old spelling, which every version of transformers reads. */
export function rotaryJson(rotary: RotaryConfig): Record<string, unknown> {
  return { rope_theta: rotary.theta, rope_scaling: scalingJson(rotary.scaling) };
}

function scalingJson(scaling: RopeScaling): Record<string, unknown> | null {
  switch (scaling.kind) {
    case 'none':
      return null;
    case 'linear':
    case 'dynamic':
      return { rope_type: scaling.kind, factor: scaling.factor };
    case 'llama3':
      return {
        rope_type: 'llama3',
        factor: scaling.factor,
        low_freq_factor: scaling.lowFreqFactor,
        high_freq_factor: scaling.highFreqFactor,
        original_max_position_embeddings: scaling.originalMaxPositions,
      };
    case 'yarn':
      return {
        rope_type: 'yarn',
        factor: scaling.factor,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        attention_factor: scaling.attentionFactor,
        original_max_position_embeddings: scaling.originalMaxPositions,
        truncate: scaling.truncate,
      };
    case 'longrope':
      return {
        rope_type: 'longrope',
        short_factor: scaling.shortFactor,
        long_factor: scaling.longFactor,
        attention_factor: scaling.attentionFactor,
        original_max_position_embeddings: scaling.originalMaxPositions,
      };
  }
}
