// The architecture of a model as plain data, after a family file has read it from Hugging Face's config.json.

export type Activation = 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'silu' | 'relu';

export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  | { readonly kind: 'dynamic'; readonly factor: number; readonly originalMaxPositions: number }
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    }
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly attentionFactor: number;
      readonly originalMaxPositions: number;
      readonly truncate: boolean;
    }
  | {
      readonly kind: 'longrope';
      readonly shortFactor: readonly number[];
      readonly longFactor: readonly number[];
      readonly attentionFactor: number;
      readonly originalMaxPositions: number;
    };

export interface RotaryConfig {
  /** Number of leading dims of each head that rotate. */
  readonly dim: number;
  readonly theta: number;
  /** GPT-J rotates neighbouring pairs; everyone else rotates halves. */
  readonly interleaved: boolean;
  readonly scaling: RopeScaling;
}

export interface LayerConfig {
  /** Keys at distance >= window are invisible (the window counts the query itself); null = full attention. */
  readonly window: number | null;
  /** Null for learned absolute positions. */
  readonly rotary: RotaryConfig | null;
}

export interface ModelConfig {
  readonly family: string;
  readonly vocabSize: number;
  readonly dModel: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly dHead: number;
  readonly dMlp: number;
  readonly maxPositions: number;
  readonly norm: {
    readonly kind: 'layer' | 'rms';
    readonly eps: number;
    /** Gemma stores gains as w with gain 1 + w. */
    readonly gainOffset: 0 | 1;
  };
  readonly block: {
    readonly layout: 'sequential' | 'parallel';
    /** Parallel blocks: one norm feeds both modules (GPT-J, Phi) or each has its own (NeoX). */
    readonly sharedNorm: boolean;
    /** A norm before each module (all but OLMo-2) and/or after it (Gemma 2/3, OLMo-2). */
    readonly preNorm: boolean;
    readonly postNorm: boolean;
  };
  readonly positions: 'learned' | 'rotary';
  readonly attention: {
    /** Multiplies q.k, per layer (GPT-2 can scale by the layer index). */
    readonly scale: readonly number[];
    readonly softcap: number | null;
    /** Norm of q and k: none, per head over dHead (Qwen3, Gemma 3), or over all heads at once (OLMo-2). */
    readonly qkNorm: 'none' | 'head' | 'full';
    /** The q/k norm is a LayerNorm in Phi's qk_layernorm, else the model's own norm. */
    readonly qkNormKind: 'layer' | 'rms';
  };
  readonly mlp: { readonly gated: boolean; readonly activation: Activation };
  /** Which linear layers carry a bias. Norms carry one exactly when they are LayerNorms. */
  readonly biases: {
    readonly qkv: boolean;
    readonly attnOut: boolean;
    readonly mlp: boolean;
    readonly unembed: boolean;
  };
  readonly layers: readonly LayerConfig[];
  /** Multiplies the token embedding (Gemma: sqrt(dModel)). */
  readonly embedScale: number;
  readonly finalSoftcap: number | null;
  readonly tiedEmbeddings: boolean;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
}
