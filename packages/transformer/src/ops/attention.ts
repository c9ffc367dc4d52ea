// Scaled dot-product attention over blocks of keys: grouped heads, prefixes that forks share without a copy.
import { hasFusedKernel, runFused } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { tapedAttention } from './attention-gradient.ts';
import { isTaped } from './is-taped.ts';

/**
 * Keys and values that some streams read: [R, kv, n, e]. Stream s of S reads chunk row floor(s / (S / R)),
 * so R = S is one row each and R = 1 a prefix that every stream shares without a copy.
 */
export interface KeyBlock {
  readonly k: tf.Tensor4D;
  readonly v: tf.Tensor4D;
}

/**
 * Unmasked scores q.k [S, h, T, n] of one block, `q` [S, h, T, e] already scaled. Query heads are grouped
 * consecutively on key heads, as Hugging Face's repeat_interleave does.
 */
function blockScores(q: tf.Tensor4D, k: tf.Tensor4D): tf.Tensor4D {
  const [streams, heads, length, width] = q.shape;
  const [rows, kvHeads, keys] = k.shape;
  const folded = foldQueries(q, rows, kvHeads);
  const scores: tf.Tensor3D = tf.matMul(
    folded,
    tf.reshape(k, [rows * kvHeads, keys, width]),
    false,
    true,
  );
  return unfoldQueries(scores, { streams, heads, length, rows, kvHeads });
}

/** Weighted values [S, h, T, e] of one block; `pattern` [S, h, T, n]. */
function blockValues(pattern: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor4D {
  const [streams, heads, length] = pattern.shape;
  const [rows, kvHeads, keys, width] = v.shape;
  const folded = foldQueries(pattern, rows, kvHeads);
  const values: tf.Tensor3D = tf.matMul(folded, tf.reshape(v, [rows * kvHeads, keys, width]));
  return unfoldQueries(values, { streams, heads, length, rows, kvHeads });
}

/** [S, h, T, w] -> [R * kv, (S / R) * (h / kv) * T, w]: everything that reads the same keys, side by side. */
function foldQueries(x: tf.Tensor4D, rows: number, kvHeads: number): tf.Tensor3D {
  const [streams, heads, length, width] = x.shape;
  const share = streams / rows;
  const perKey = (heads / kvHeads) * length;
  if (share === 1) return tf.reshape(x, [rows * kvHeads, perKey, width]);
  const split = tf.reshape(x, [rows, share, kvHeads, perKey, width]);
  const moved = tf.transpose(split, [0, 2, 1, 3, 4]);
  return tf.reshape(moved, [rows * kvHeads, share * perKey, width]);
}

function unfoldQueries(
  x: tf.Tensor3D,
  sizes: {
    readonly streams: number;
    readonly heads: number;
    readonly length: number;
    readonly rows: number;
    readonly kvHeads: number;
  },
): tf.Tensor4D {
  const { streams, heads, length, rows, kvHeads } = sizes;
  const width = x.shape[2];
  const share = streams / rows;
  if (share === 1) return tf.reshape(x, [streams, heads, length, width]);
  const split = tf.reshape(x, [rows, kvHeads, share, (heads / kvHeads) * length, width]);
  return tf.reshape(tf.transpose(split, [0, 2, 1, 3, 4]), [streams, heads, length, width]);
}

export interface AttentionInputs {
  /** [S, h, T, e], scaled. */
  readonly q: tf.Tensor4D;
  readonly blocks: readonly KeyBlock[];
  /** [S or 1, 1, T, keys of all blocks], added to the scores. */
  readonly mask: tf.Tensor4D | undefined;
  readonly softcap: number | null;
}

/** Masked scores [S, h, T, K] over the keys of all blocks. */
export function attentionScores({ q, blocks, mask, softcap: cap }: AttentionInputs): tf.Tensor4D {
  const parts = blocks.map(({ k }) => blockScores(q, k));
  const scores = softcap(
    parts.length === 1 ? (parts[0] as tf.Tensor4D) : tf.concat<tf.Tensor4D>(parts, 3),
    cap,
  );
  return mask === undefined ? scores : tf.add(scores, mask);
}

/** Weighted values [S, h, T, e]; `pattern` [S, h, T, K] over the keys of all blocks. */
export function attentionValues(pattern: tf.Tensor4D, blocks: readonly KeyBlock[]): tf.Tensor4D {
  const sizes = blocks.map(({ k }) => k.shape[2]);
  const parts = blocks.length === 1 ? [pattern] : tf.split(pattern, sizes, 3);
  const values = blocks.map(({ v }, i) => blockValues(parts[i] as tf.Tensor4D, v));
  return values.length === 1 ? (values[0] as tf.Tensor4D) : (tf.addN(values) as tf.Tensor4D);
}

// Longer runs of queries are cut: scores of 256 queries at a time bound the memory, and later keys, which the
// causal mask hides anyway, are left out of earlier pieces (nearly half of the work of a long prompt).
const QUERIES = 256;

/**
 * softmax(scores + mask) v, [S, h, T, e]: by the backend's kernel where it has one. The last T keys of the
 * last block are the queries' own tokens, in order; with `causal` keys after a query are known to be masked.
 */
export function attention(
  inputs: AttentionInputs,
  causal: boolean,
  piece: number = QUERIES,
): tf.Tensor4D {
  const { q, blocks, mask } = inputs;
  const length = q.shape[2];
  if (!causal || length <= piece || mask === undefined) return attentionPiece(inputs);
  const last = blocks.at(-1) as KeyBlock;
  const others = blocks.slice(0, -1);
  const before = others.reduce((sum, { k }) => sum + k.shape[2], 0);
  const pieces: tf.Tensor4D[] = [];
  for (let start = 0; start < length; start += piece) {
    const size = Math.min(piece, length - start);
    const keys = last.k.shape[2] - length + start + size;
    const cut = (x: tf.Tensor4D): tf.Tensor4D => tf.slice(x, [0, 0, 0, 0], [-1, -1, keys, -1]);
    pieces.push(
      attentionPiece({
        ...inputs,
        q: tf.slice(q, [0, 0, start, 0], [-1, -1, size, -1]),
        blocks: [...others, { k: cut(last.k), v: cut(last.v) }],
        mask: tf.slice(mask, [0, 0, start, 0], [-1, -1, size, before + keys]),
      }),
    );
  }
  return tf.concat(pieces, 2);
}

function attentionPiece(inputs: AttentionInputs): tf.Tensor4D {
  const { q, blocks, mask, softcap: cap } = inputs;
  const [only] = blocks;
  if (isTaped() && cap === null && blocks.length === 1 && only?.k.shape[0] === q.shape[0]) {
    return tapedAttention({ q, k: only.k, v: only.v, mask });
  }
  const fused = fusedAttention(inputs);
  if (fused !== undefined) return fused;
  return attentionValues(tf.softmax(attentionScores(inputs)), inputs.blocks);
}

/** Attention in one kernel, or undefined where the backend has none, forks share a block, or a gradient is recorded. */
function fusedAttention(inputs: AttentionInputs): tf.Tensor4D | undefined {
  const { q, blocks, mask, softcap: cap } = inputs;
  const streams = q.shape[0];
  if (!hasFusedKernel('SafeInferAttention') || blocks.some(({ k }) => k.shape[0] !== streams)) {
    return undefined;
  }
  const named: Record<string, tf.Tensor> = {};
  blocks.forEach(({ k, v }, i) => {
    named[`k${i}`] = k;
    named[`v${i}`] = v;
  });
  if (mask !== undefined) named['mask'] = mask;
  return runFused(
    'SafeInferAttention',
    { q, ...named },
    { blocks: blocks.length, softcap: cap ?? 0 },
  ) as tf.Tensor4D | undefined;
}

/** cap * tanh(x / cap), Gemma 2's soft cap. */
export function softcap<T extends tf.Tensor>(x: T, cap: number | null): T {
  return cap === null ? x : tf.mul(tf.tanh(tf.div(x, cap)), cap);
}
