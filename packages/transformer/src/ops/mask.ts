// The additive attention mask, from positions: causal, windowed, blind to padding.

/** What hidden scores get: the least finite fp32. Infinity would make rows without any key NaN. */
export const HIDDEN = -3.4028234663852886e38;

/**
 * Mask [S, 1, T, K] as numbers, or undefined when every key is visible. Query or key positions of -1 are
 * padding; padded queries see everything (their output is dropped, and must stay finite).
 */
export function attentionMask(options: {
  /** Per stream, the positions of its T queries. */
  readonly queries: readonly Int32Array[];
  /** Per stream, the positions of its K keys. */
  readonly keys: readonly Int32Array[];
  readonly window: number | null;
  /** Further keys to hide, by stream and positions. */
  readonly visible?: ((stream: number, query: number, key: number) => boolean) | undefined;
}): Float32Array | undefined {
  const { queries, keys, window, visible } = options;
  const T = queries[0]?.length ?? 0;
  const K = keys[0]?.length ?? 0;
  let mask: Float32Array | undefined;
  for (let s = 0; s < queries.length; s++) {
    const query = queries[s] as Int32Array;
    const key = keys[s] as Int32Array;
    for (let t = 0; t < T; t++) {
      const at = query[t] as number;
      if (at < 0) continue;
      const oldest = window === null ? 0 : Math.max(0, at - window + 1);
      const offset = (s * T + t) * K;
      for (let i = 0; i < K; i++) {
        const position = key[i] as number;
        if (position >= oldest && position <= at) {
          if (position === at || visible === undefined || visible(s, at, position)) continue;
        }
        mask ??= new Float32Array(queries.length * T * K);
        mask[offset + i] = HIDDEN;
      }
    }
  }
  return mask;
}
