// What defines a LoRA adapter besides its numbers, in the terms of PEFT's LoraConfig.

export interface LoraSettings {
  /** Rank r of modules without a pattern of their own. */
  readonly rank: number;
  /** The delta is multiplied by alpha / r, or alpha / sqrt(r) with `rslora`. */
  readonly alpha: number;
  /** Probability that an input of A is dropped while training. */
  readonly dropout: number;
  /** Rank-stabilised scaling (Kalajdzievski 2023). */
  readonly rslora: boolean;
  /**
   * Which linear modules carry a delta: last parts of their Hugging Face paths (`q_proj`, `mlp.c_proj`), one
   * regular expression over the whole path, or 'all-linear' for every linear module but the unembedding.
   */
  readonly targets: readonly string[] | string;
  /** Modules to leave out, named in the same ways; wins over `targets`. */
  readonly exclude: readonly string[] | string;
  /** Block numbers that take part; null for all. Only with a list of targets. */
  readonly layers: readonly number[] | null;
  /** Names of the module lists that `layers` counts, when there are several. */
  readonly layersPattern: readonly string[];
  /** Ranks and alphas of some modules, by a regular expression over the end of the path. */
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** `base_model_name_or_path`: what the adapter belongs to; null when unknown. */
  readonly baseModel: string | null;
}

/** PEFT's defaults. */
export const LORA_DEFAULTS: LoraSettings = {
  rank: 8,
  alpha: 8,
  dropout: 0,
  rslora: false,
  targets: 'all-linear',
  exclude: [],
  layers: null,
  layersPattern: [],
  rankPattern: {},
  alphaPattern: {},
  baseModel: null,
};
