// The differentiable pass: part of the caller's tape, nothing kept, nothing read.
import { SafeInferError } from '@safeinfer/backend';
import type * as tf from '@tensorflow/tfjs-core';
import type { Adapter } from '../adapters/adapter.ts';
import { checkAdapter } from '../adapters/check-adapter.ts';
import type { WeightName } from '../config/weight-name.ts';
import type { CapturedTensor, HookName } from '../hooks/hook-name.ts';
import { planPass } from '../hooks/plan.ts';
import { type CapturedPoint, rowPart } from './captured-point.ts';
import type { ForwardSources } from './forward.ts';
import { Pass } from './pass.ts';
import { prepareRows } from './prepared-row.ts';
import type { Row } from './row.ts';
import { runPass } from './run-pass.ts';

export interface TraceOptions {
  readonly rows: readonly Row[];
  /** 'all' (default): logits of every token; 'last': of each row's last one; 'none'. */
  readonly logits?: 'all' | 'last' | 'none';
  /**
   * With logits 'all': only those of the tokens at these lines, counted over all rows in order; the
   * unembedding of the others is not computed.
   */
  readonly logitTokens?: Int32Array;
  /** Weights to use in place of the model's, for example trained variables. */
  readonly weights?: ReadonlyMap<WeightName, tf.Tensor>;
  /** Adapters of this call, beside the model's own, for example trained variables. */
  readonly adapters?: ReadonlyMap<string, Adapter>;
  readonly capture?: readonly HookName[];
}

/** Tensors of the caller's scope: they end with the tidy or gradient call that `trace` runs in. */
export interface Trace {
  /** [tokens of all rows or `logitTokens`, V] in row order, or [rows, V] for logits 'last'. Throws for 'none'. */
  readonly logits: tf.Tensor2D;
  /** First line of each row in `logits` 'all', and the total at the end. */
  readonly rowOffsets: readonly number[];
  /** A differentiable activation of one row. */
  captured<N extends HookName>(row: number, name: N): CapturedTensor<N>;
}

/** See `Transformer.trace`. */
export function trace(sources: ForwardSources, options: TraceOptions): Trace {
  return tracePass(sources, { ...options, probes: [] });
}

/** `trace` with probes for gradients. */
export function tracePass(
  sources: ForwardSources,
  options: TraceOptions & {
    readonly probes: readonly HookName[];
    readonly probe?: (name: HookName, x: tf.Tensor) => tf.Tensor;
  },
): Trace & { readonly points: ReadonlyMap<HookName, CapturedPoint> } {
  const { rows, logits = 'all', logitTokens, weights, adapters } = options;
  const { capture = [], probes, probe } = options;
  for (const [name, adapter] of adapters ?? []) checkAdapter(name, adapter, sources.config);
  const all = { ...sources, adapters: new Map([...sources.adapters, ...(adapters ?? [])]) };
  const prepared = prepareRows(rows, all, undefined);
  const plan = planPass({
    config: sources.config,
    rows: prepared,
    capture,
    probes,
    logits,
    startAtLayer: 0,
  });
  const pass = new Pass({
    config: sources.config,
    rows: prepared,
    plan,
    weight: (name) => weights?.get(name) ?? sources.weight(name),
    capturePositions: undefined,
    share: false,
    side: 'right',
    taped: true,
    ...(logitTokens === undefined ? {} : { logitTokens }),
    ...(probe === undefined ? {} : { probe }),
  });
  try {
    const made = runPass(pass, { startAtLayer: 0, signal: undefined });
    const { streams, tokens } = pass.layout;
    return {
      get logits(): tf.Tensor2D {
        if (made !== undefined && logits !== 'none') return made;
        throw new SafeInferError("this trace ran with logits 'none'", {
          code: 'BAD_ARGUMENT',
          hint: "ask for logits 'all' or 'last'",
        });
      },
      rowOffsets: [...streams.map((stream) => stream.start), tokens],
      captured: <N extends HookName>(row: number, name: N): CapturedTensor<N> => {
        const point = pass.captured.get(name);
        if (point !== undefined && row in point.layout.streamOf)
          return rowPart(point, row) as CapturedTensor<N>;
        throw new SafeInferError(
          point === undefined ? `'${name}' was not captured` : `row ${row} does not exist`,
          { code: 'BAD_ARGUMENT', hint: 'name the point in `capture`; rows count from 0' },
        );
      },
      points: pass.captured,
    };
  } finally {
    pass.end({ results: true });
  }
}
