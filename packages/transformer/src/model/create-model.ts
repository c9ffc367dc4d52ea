// Makes models from weights in memory.
import type { TextCodec } from './text-codec.ts';
import { Transformer, type TransformerParts } from './transformer.ts';

/**
 * A model from a configuration and its weights, of which it takes ownership.
 * Throws BAD_WEIGHTS when they do not fit; ownership then stays with the caller.
 */
export function createModel<T extends TextCodec = TextCodec>(
  parts: TransformerParts<T>,
): Transformer<T> {
  return new Transformer(parts);
}
