// The sizes every decoder has, under the names most families share.
import type { ConfigReader } from '../config/config-reader.ts';

export interface Sizes {
  readonly vocabSize: number;
  readonly dModel: number;
  readonly dMlp: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly dHead: number;
  readonly maxPositions: number;
}

/** What Hugging Face assumes for absent keys; null means "derived" (heads, 4 x width, width / heads). */
export interface SizeDefaults extends Omit<Sizes, 'dMlp' | 'nKvHeads' | 'dHead'> {
  readonly dMlp: number | null;
  readonly nKvHeads: number | null;
  readonly dHead: number | null;
}

/** Spellings of GPT-2 and GPT-J; both spellings are accepted, as in Hugging Face. */
export const gptAliases: Readonly<Record<string, string>> = {
  hidden_size: 'n_embd',
  num_hidden_layers: 'n_layer',
  num_attention_heads: 'n_head',
  max_position_embeddings: 'n_positions',
  intermediate_size: 'n_inner',
};

export function readSizes(read: ConfigReader, absent: SizeDefaults): Sizes {
  const dModel = read.size('hidden_size', absent.dModel);
  const nHeads = read.size('num_attention_heads', absent.nHeads);
  const nKvHeads = read.sizeOrNull('num_key_value_heads', absent.nKvHeads) ?? nHeads;
  if (nHeads % nKvHeads !== 0) {
    read.fail('num_key_value_heads', `is ${nKvHeads}, which does not divide ${nHeads} heads`);
  }
  const dHead = read.sizeOrNull('head_dim', absent.dHead) ?? absent.dHead ?? dModel / nHeads;
  if (!Number.isInteger(dHead)) {
    read.fail('num_attention_heads', `is ${nHeads}, which does not divide the width ${dModel}`);
  }
  return {
    vocabSize: read.size('vocab_size', absent.vocabSize),
    dModel,
    dMlp: read.sizeOrNull('intermediate_size', absent.dMlp) ?? absent.dMlp ?? 4 * dModel,
    nLayers: read.layerCount('num_hidden_layers', absent.nLayers),
    nHeads,
    nKvHeads,
    dHead,
    maxPositions: read.size('max_position_embeddings', absent.maxPositions),
  };
}

/** The inverse, under the shared names. */
export function sizesJson(sizes: Sizes): Record<string, unknown> {
  return {
    vocab_size: sizes.vocabSize,
    hidden_size: sizes.dModel,
    intermediate_size: sizes.dMlp,
    num_hidden_layers: sizes.nLayers,
    num_attention_heads: sizes.nHeads,
    num_key_value_heads: sizes.nKvHeads,
    head_dim: sizes.dHead,
    max_position_embeddings: sizes.maxPositions,
  };
}

/** The inverse, under GPT-2's names. */
export function gptSizesJson(sizes: Sizes): Record<string, unknown> {
  return {
    vocab_size: sizes.vocabSize,
    n_embd: sizes.dModel,
    n_inner: sizes.dMlp,
    n_layer: sizes.nLayers,
    n_head: sizes.nHeads,
    n_positions: sizes.maxPositions,
  };
}
