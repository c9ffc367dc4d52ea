// Attribution patching: the whole sweep at first order, from one backward pass.
import { readTensor, throwIfAborted } from '@safeinfer/backend';
import * as tf from '@tensorflow/tfjs-core';
import { checkedGrid, headsOf, type SweepGrid, siteName } from './patch-site.ts';
import { baselines, type SweepOptions } from './patching-sweep.ts';
import { checkPair } from './prompt-pair.ts';
import { axesOf, type SweepResult, sweepResult } from './sweep-result.ts';

/**
 * Estimates `patchingSweep` for every cell of the same grid: the gradient of the metric on the corrupted
 * prompt, times (clean - corrupted), summed over the activation. Values are the estimated metric, so they
 * compare with the sweep's directly: corrupted + attribution. Three passes whatever the grid's size.
 * Good where the model is nearly linear between the prompts; poor through saturated softmaxes
 * (Nanda 2023; Syed et al. 2023).
 */
export async function attributionPatching(
  options: Omit<SweepOptions, 'rowsPerPass' | 'onProgress'>,
): Promise<SweepResult> {
  const { model, clean, corrupted, metric, site, signal } = options;
  checkPair(options);
  const grid = checkedGrid({ ...options, tokens: clean.length });
  const names = grid.layers.map((layer) => siteName(site, layer));
  throwIfAborted(signal);
  const base = await baselines(options);
  using sources = model.forward([{ tokens: clean }], { capture: names, logits: 'none' });
  throwIfAborted(signal);
  using backward = model.gradients({
    rows: [{ tokens: corrupted }],
    at: names,
    of: ({ logits }) => tf.reshape(metric(logits(0)), []) as tf.Scalar,
  });
  const heads = headsOf(model, site);
  const values: number[] = [];
  for (const name of names) {
    const products = tf.tidy(() => {
      const difference = tf.sub(sources.captured(0, name), backward.captured(0, name));
      const summed = tf.sum(tf.mul(backward.grad(0, name), difference), -1);
      // Attention maps come head first.
      return site === 'pattern' ? tf.transpose(summed) : summed;
    });
    const table = await readTensor(products);
    products.dispose();
    values.push(...cells(table, { grid, heads: heads ?? 1, tokens: clean.length }));
  }
  const estimates = Float64Array.from(values, (value) => base.corrupted + value);
  return sweepResult({ axes: axesOf(grid), values: estimates, ...base });
}

/** Sums of [p, heads] over what each cell of the grid patches. */
function cells(
  table: Float32Array,
  {
    grid,
    heads,
    tokens,
  }: { readonly grid: SweepGrid; readonly heads: number; readonly tokens: number },
): number[] {
  const all = Array.from({ length: tokens }, (_, i) => i);
  const places = grid.positions === 'all' ? [all] : grid.positions.map((position) => [position]);
  return places.flatMap((positions) =>
    (grid.heads ?? [0]).map((head) =>
      positions.reduce((sum, position) => sum + (table[position * heads + head] as number), 0),
    ),
  );
}
