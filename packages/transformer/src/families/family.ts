// What a family file states: how its config.json reads, and which of its modules hold which weights.
import type { ConfigReader } from '../config/config-reader.ts';
import type { ModelConfig } from '../config/model-config.ts';

/** One linear map of a block, by the suffix of its canonical names: `attn.Q` is attn.W_Q and attn.b_Q. */
export type Projection =
  | 'attn.Q'
  | 'attn.K'
  | 'attn.V'
  | 'attn.O'
  | 'mlp.gate'
  | 'mlp.in'
  | 'mlp.out';

export type NormName = 'ln1' | 'ln2' | 'ln1_post' | 'ln2_post' | 'attn.q_norm' | 'attn.k_norm';

/** A module of a block in the checkpoint, by its path below the block. */
export type ModuleRule =
  | { readonly kind: 'norm'; readonly module: string; readonly holds: NormName }
  | {
      readonly kind: 'linear';
      readonly module: string;
      /** Several when the checkpoint fuses them along its output axis. */
      readonly holds: readonly Projection[];
      /** torch Linear stores [out, in], GPT-2's Conv1D [in, out]. */
      readonly stored: 'out-in' | 'in-out';
      /** Fused outputs lie one block after the other, or interleaved head by head (NeoX). */
      readonly fused: 'blocks' | 'heads';
    };

/** Module paths of one architecture. The first root and head are the ones written on save. */
export interface FamilyModules {
  /** Prefixes of the body that checkpoints of this family use. */
  readonly roots: readonly string[];
  readonly embed: string;
  readonly posEmbed?: string;
  /** Path of block i below the root, without the index: `layers` gives `layers.0.`. */
  readonly blocks: string;
  readonly finalNorm: string;
  /** Full paths of the unembedding. */
  readonly heads: readonly string[];
  readonly block: readonly ModuleRule[];
  /** Tensors that carry no weights of this model: mask buffers, rotary tables, vision towers. */
  readonly ignored: readonly RegExp[];
}

export interface Family {
  /** `ModelConfig.family` of its models. */
  readonly name: string;
  /** Values of `model_type` in config.json; the first is written on save. */
  readonly modelTypes: readonly string[];
  /** Class names in `architectures`, for files without a model_type; the first is written on save. */
  readonly architectures: readonly string[];
  readConfig(read: ConfigReader): ModelConfig;
  /** config.json of a model of this family, without model_type and architectures. */
  writeConfig(config: ModelConfig): Record<string, unknown>;
  readonly modules: FamilyModules;
}

export function norm(module: string, holds: NormName): ModuleRule {
  return { kind: 'norm', module, holds };
}

/** A torch Linear that holds one projection, or several one after the other. */
export function linear(module: string, ...holds: readonly Projection[]): ModuleRule {
  return { kind: 'linear', module, holds, stored: 'out-in', fused: 'blocks' };
}
