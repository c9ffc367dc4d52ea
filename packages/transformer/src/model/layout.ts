// How the tokens of a pass lie in memory: streams one after another, without padding.

/** Rows whose computation is identical so far share one stream. */
export interface Stream {
  /** Indices of the rows that read this stream. */
  readonly rows: readonly number[];
  /** Offset of its first token among all tokens of the pass. */
  readonly start: number;
  readonly length: number;
  /** Absolute position of its first token: the number of cached tokens before it. */
  readonly first: number;
  /** True when nothing follows: the rows carry no cache. */
  readonly complete: boolean;
}

/** Token-wise tensors are [tokens, ...]; attention packs them to [streams, heads, longest, ...]. */
export interface Layout {
  readonly streams: readonly Stream[];
  /** Stream of each row. */
  readonly streamOf: readonly number[];
  readonly tokens: number;
  readonly longest: number;
  /** True when every stream has the same length, so packing is a reshape. */
  readonly uniform: boolean;
}

/** A layout from streams given by their rows, length and first position. */
export function layoutOf(parts: readonly Omit<Stream, 'start'>[], rowCount: number): Layout {
  const streamOf = new Array<number>(rowCount).fill(-1);
  let tokens = 0;
  let longest = 0;
  const streams = parts.map(({ rows, length, first, complete }, index) => {
    for (const row of rows) streamOf[row] = index;
    const stream = { rows, length, first, complete, start: tokens };
    tokens += length;
    longest = Math.max(longest, length);
    return stream;
  });
  return {
    streams,
    streamOf,
    tokens,
    longest,
    uniform: streams.every((stream) => stream.length === longest),
  };
}

/**
 * Splits streams whose rows no longer agree: rows of one stream stay together while `keyOf` gives them
 * equal keys. Returns the same layout when nothing splits, else the new one and where each of its tokens
 * lay before.
 */
export function refine(
  layout: Layout,
  keyOf: (row: number) => string,
): { readonly layout: Layout; readonly from: Int32Array | undefined } {
  if (layout.streams.length === layout.streamOf.length) return { layout, from: undefined };
  const parts: Stream[] = [];
  for (const stream of layout.streams) {
    const groups = new Map<string, number[]>();
    for (const row of stream.rows) {
      const key = stream.rows.length === 1 ? '' : keyOf(row);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [row]);
      else group.push(row);
    }
    for (const rows of groups.values()) {
      parts.push({ ...stream, rows });
    }
  }
  if (parts.length === layout.streams.length) return { layout, from: undefined };
  // Row order, so that a later call with the same rows finds its keys in place.
  parts.sort((a, b) => (a.rows[0] as number) - (b.rows[0] as number));
  const next = layoutOf(parts, layout.streamOf.length);
  const from = new Int32Array(next.tokens);
  next.streams.forEach((stream, index) => {
    const old = (parts[index] as Stream).start;
    for (let i = 0; i < stream.length; i++) from[stream.start + i] = old + i;
  });
  return { layout: next, from };
}

/** Token index of each packed slot [streams * longest]; padding repeats the stream's own first token. */
export function packIndex(layout: Layout, side: 'left' | 'right'): Int32Array {
  const { streams, longest } = layout;
  const index = new Int32Array(streams.length * longest);
  streams.forEach((stream, s) => {
    const pad = side === 'left' ? longest - stream.length : 0;
    for (let t = 0; t < longest; t++) {
      const token = t - pad;
      index[s * longest + t] = stream.start + (token >= 0 && token < stream.length ? token : 0);
    }
  });
  return index;
}

/** Packed slot of each token [tokens]. */
export function unpackIndex(layout: Layout, side: 'left' | 'right'): Int32Array {
  const index = new Int32Array(layout.tokens);
  layout.streams.forEach((stream, s) => {
    const pad = side === 'left' ? layout.longest - stream.length : 0;
    for (let t = 0; t < stream.length; t++) {
      index[stream.start + t] = s * layout.longest + pad + t;
    }
  });
  return index;
}

/** Absolute positions of each stream's packed slots; -1 is padding. */
export function packedPositions(layout: Layout, side: 'left' | 'right'): Int32Array[] {
  return layout.streams.map((stream) => {
    const positions = new Int32Array(layout.longest).fill(-1);
    const pad = side === 'left' ? layout.longest - stream.length : 0;
    for (let t = 0; t < stream.length; t++) positions[pad + t] = stream.first + t;
    return positions;
  });
}
