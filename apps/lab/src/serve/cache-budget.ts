// How many tokens of keys and values fit in a given amount of memory.
import type { Transformer } from '@safeinfer/transformer';

/** Bytes of one token's keys and values over all layers; fp32. */
export function bytesPerToken({ config }: Transformer): number {
  return config.nLayers * 2 * config.nKvHeads * config.dHead * 4;
}

/** At least one context, so that the longest request always fits. */
export function tokensIn(megabytes: number, models: readonly Transformer[]): number {
  const widest = Math.max(...models.map(bytesPerToken));
  return Math.floor((megabytes * 1e6) / widest);
}
