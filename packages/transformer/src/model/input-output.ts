// Before the first block and after the last: embeddings, final norm, unembedding.
import * as tf from '@tensorflow/tfjs-core';
import { softcap } from '../ops/attention.ts';
import { linear } from '../ops/linear.ts';
import { normAt } from './norm-at.ts';
import type { Pass } from './pass.ts';

/** The residual stream before block 0, [N, D]. */
export function embed(pass: Pass): tf.Tensor2D {
  const { config, layout } = pass;
  const tokens = pass.memo('tokens', () =>
    tf.tensor1d(
      layout.streams.flatMap(({ rows }) => [...(pass.rows[rows[0] as number]?.tokens ?? [])]),
      'int32',
    ),
  );
  let looked: tf.Tensor2D = tf.gather(pass.weight<tf.Tensor2D>('embed.W_E'), tokens);
  for (const { A, B, scale } of pass.deltas('embed.W_E')) {
    looked = tf.add(looked, tf.matMul(tf.mul(tf.gather(A, tokens), scale) as tf.Tensor2D, B));
  }
  const scaled = config.embedScale === 1 ? looked : tf.mul<tf.Tensor2D>(looked, config.embedScale);
  const embedded = pass.at('hook_embed', scaled);
  if (config.positions === 'rotary') return embedded;
  const positions = tf.tensor1d(
    layout.streams.flatMap(({ first, length }) => Array.from({ length }, (_, i) => first + i)),
    'int32',
  );
  const table = pass.weight<tf.Tensor2D>('pos_embed.W_pos');
  return tf.add(embedded, pass.at('hook_pos_embed', tf.gather(table, positions)));
}

/** Logits of the last token of each stream [S, V] or of all tokens [N, V]; undefined when not asked for. */
export function output(pass: Pass, x: tf.Tensor2D): tf.Tensor2D | undefined {
  const { plan } = pass;
  const last = plan.logits === 'last';
  // All tokens, also for 'last': kernels round differently by size, and a hook that only looks must not show.
  const input = pass.at('unembed.hook_in', normAt(pass, 'ln_final', x));
  const take = last ? lastTokens : chosenTokens;
  if (pass.touches('unembed.hook_out')) {
    const logits = unembed(pass, input, allTokens);
    const passed = pass.at('unembed.hook_out', logits);
    if (passed !== logits || plan.logits === 'none') return take(pass, passed);
  }
  if (plan.logits === 'none') return undefined;
  return unembed(pass, take(pass, input), take);
}

/** `take` picked the lines of `x` from those of all tokens. */
function unembed(pass: Pass, x: tf.Tensor2D, take: typeof lastTokens): tf.Tensor2D {
  const { tiedEmbeddings, finalSoftcap } = pass.config;
  const logits = linear({
    x,
    w: pass.weight(tiedEmbeddings ? 'embed.W_E' : 'unembed.W_U'),
    bias: pass.optional('unembed.b_U'),
    deltas: pass
      .deltas('unembed.W_U')
      .map((delta) =>
        typeof delta.scale === 'number' ? delta : { ...delta, scale: take(pass, delta.scale) },
      ),
    transposed: tiedEmbeddings,
  });
  return softcap(logits, finalSoftcap);
}

/** [N, width] -> [S, width]. */
function lastTokens(pass: Pass, x: tf.Tensor2D): tf.Tensor2D {
  const { streams, tokens } = pass.layout;
  if (streams.length === tokens) return x;
  const index = pass.memo('last', () =>
    tf.tensor1d(
      streams.map(({ start, length }) => start + length - 1),
      'int32',
    ),
  );
  return tf.gather(x, index);
}

function allTokens(_pass: Pass, x: tf.Tensor2D): tf.Tensor2D {
  return x;
}

/** [N, width] -> the lines whose logits were asked for. */
function chosenTokens(pass: Pass, x: tf.Tensor2D): tf.Tensor2D {
  const { logitTokens } = pass;
  if (logitTokens === undefined) return x;
  return tf.gather(
    x,
    pass.memo('chosen', () => tf.tensor1d(logitTokens, 'int32')),
  );
}
