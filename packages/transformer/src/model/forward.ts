// One forward pass over many rows: checks, plans, runs, then hands out results and extends caches.
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import type { WeightName } from '../config/weight-name.ts';
import { planPass } from '../hooks/plan.ts';
import type { ForwardOptions } from './forward-options.ts';
import { PassResult } from './forward-result.ts';
import { Pass } from './pass.ts';
import { prepareRows, type RowSources } from './prepared-row.ts';
import type { Row } from './row.ts';
import { runPass } from './run-pass.ts';

export interface ForwardSources extends RowSources {
  readonly weight: (name: WeightName) => tf.Tensor | undefined;
}

/** Settings of tests only: results must not depend on them. */
export interface ForwardInternals {
  readonly side?: 'left' | 'right';
  readonly share?: boolean;
}

/** See `Transformer.forward`. */
export function forward(
  sources: ForwardSources,
  rows: readonly Row[],
  options: ForwardOptions = {},
  internals: ForwardInternals = {},
): PassResult {
  const { capture = [], logits = 'last', signal, startAtLayer = 0, residuals } = options;
  throwIfAborted(signal);
  checkStart(sources, rows, { startAtLayer, residuals });
  const prepared = prepareRows(rows, sources, startAtLayer > 0 ? residuals : undefined);
  const plan = planPass({
    config: sources.config,
    rows: prepared,
    capture,
    probes: [],
    logits,
    startAtLayer,
  });
  const pass = new Pass({
    config: sources.config,
    rows: prepared,
    plan,
    weight: sources.weight,
    capturePositions: options.capturePositions,
    share: internals.share ?? true,
    side: internals.side ?? 'right',
    taped: false,
  });
  try {
    const made = tf.tidy(() => runPass(pass, { startAtLayer, signal }));
    // Kept, so that a caller's tidy does not take what the result owns.
    const kept = made && tf.keep(made);
    const owned = kept === undefined ? pass.kept : [...pass.kept, kept];
    pass.commit();
    pass.end({ results: false });
    return new PassResult({
      logits: plan.logits === 'none' ? undefined : kept,
      kind: plan.logits,
      layout: pass.layout,
      captured: pass.captured,
      owned,
    });
  } catch (error) {
    pass.end({ results: true });
    throw error;
  }
}

/** @throws BAD_ARGUMENT for a start that does not fit the model, the rows or the residuals */
export function checkStart(
  sources: ForwardSources,
  rows: readonly Row[],
  start: {
    readonly startAtLayer: number;
    readonly residuals: readonly tf.Tensor2D[] | undefined;
  },
): void {
  const { startAtLayer, residuals } = start;
  const { nLayers } = sources.config;
  const refuse = (message: string, hint: string): never => {
    throw new SafeInferError(message, { code: 'BAD_ARGUMENT', hint });
  };
  if (!Number.isInteger(startAtLayer) || startAtLayer < 0 || startAtLayer > nLayers) {
    refuse(`startAtLayer is ${startAtLayer}`, `use a layer from 0 to ${nLayers}`);
  }
  if (startAtLayer > 0 && residuals === undefined) {
    refuse(`startAtLayer ${startAtLayer} needs residuals`, 'pass [tokens, D] for every row');
  }
  if (startAtLayer === 0 && residuals !== undefined) {
    refuse('residuals were given without startAtLayer', 'say which block reads them');
  }
  if (startAtLayer > 0 && rows.some((row) => row.cache !== undefined)) {
    refuse(
      'startAtLayer cannot extend caches: the blocks below would miss keys',
      'leave the caches out; rows that agree below a layer are computed once there anyway',
    );
  }
}
