// The differentiable pass: part of the caller's tape, nothing kept, nothing read.
import { SafeInferError } from '@safeinfer/backend';
import type * as tf from '@tensorflow/tfjs-core';
import type { Adapter } from '../adapters/adapter.ts';
import { checkAdapter } from '../adapters/check-adapter.ts';
import type { WeightName } from '../config/weight-name.ts';
import type { CapturedTensor, HookName } from '../hooks/hook-name.ts';
import { planPass } from '../hooks/plan.ts';
import type { KeyVisibility } from '../ops/key-visibility.ts';
import { type CapturedPoint, rowPart } from './captured-point.ts';
import { checkStart, type ForwardSources } from './forward.ts';
import { Pass } from './pass.ts';
import { type PreparedRow, prepareRows } from './prepared-row.ts';
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
  /** Weights to use in place of the model's, for example trained variables; no other weight gets a gradient. */
  readonly weights?: ReadonlyMap<WeightName, tf.Tensor>;
  /** Adapters of this call, beside the model's own, for example trained variables. */
  readonly adapters?: ReadonlyMap<string, Adapter>;
  readonly capture?: readonly HookName[];
  /** Earlier tokens that some tokens must not attend to, in some layers. */
  readonly visibility?: KeyVisibility;
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
    /** Instead of `logitTokens`: for each row the tokens whose logits are wanted, counted in the row. */
    readonly logitPositions?: readonly (readonly number[])[] | undefined;
    readonly startAtLayer?: number | undefined;
    readonly residuals?: readonly tf.Tensor2D[] | undefined;
  },
): Trace & { readonly points: ReadonlyMap<HookName, CapturedPoint> } {
  const { rows, logits = 'all', weights, adapters, startAtLayer = 0, residuals } = options;
  const { capture = [], probes, probe } = options;
  for (const [name, adapter] of adapters ?? []) checkAdapter(name, adapter, sources.config);
  const all = { ...sources, adapters: new Map([...sources.adapters, ...(adapters ?? [])]) };
  checkStart(sources, rows, { startAtLayer, residuals });
  const prepared = prepareRows(rows, all, startAtLayer > 0 ? residuals : undefined);
  const { logitPositions } = options;
  const logitTokens = logitPositions
    ? linesOf(prepared, logitPositions, logits)
    : options.logitTokens;
  const plan = planPass({
    config: sources.config,
    rows: prepared,
    capture,
    probes,
    logits,
    startAtLayer,
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
    trained: new Set(weights?.keys()),
    ...(options.visibility === undefined ? {} : { visibility: options.visibility }),
    ...(logitTokens === undefined ? {} : { logitTokens }),
    ...(probe === undefined ? {} : { probe }),
  });
  try {
    const made = runPass(pass, { startAtLayer, signal: undefined });
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

/** Positions of rows as lines of the pass: every row has a stream of its own here, in order. */
function linesOf(
  rows: readonly PreparedRow[],
  positions: readonly (readonly number[])[],
  logits: 'all' | 'last' | 'none',
): Int32Array {
  const fits =
    logits === 'all' &&
    positions.length === rows.length &&
    rows.every(({ tokens }, row) =>
      positions[row]?.every((p) => Number.isInteger(p) && p >= 0 && p < tokens.length),
    );
  if (!fits) {
    throw new SafeInferError('logitPositions does not fit the rows', {
      code: 'BAD_ARGUMENT',
      hint: "with logits 'all', give a list of token positions for each row, counted from 0",
    });
  }
  let start = 0;
  const lines: number[] = [];
  for (const [row, { tokens }] of rows.entries()) {
    for (const position of positions[row] ?? []) lines.push(start + position);
    start += tokens.length;
  }
  return Int32Array.from(lines);
}
