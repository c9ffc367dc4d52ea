// Activation patching: one activation after another of the clean prompt, put into the corrupted one.
import { throwIfAborted } from '@safeinfer/backend';
import type * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../hooks/hook-name.ts';
import type { DataIntervention } from '../hooks/intervention.ts';
import type { Transformer } from '../model/transformer.ts';
import { checkedGrid, headsOf, type PatchSite, type SweepGrid, siteName } from './patch-site.ts';
import { checkPair, type PromptPair, readActivations, readMetric } from './prompt-pair.ts';
import { axesOf, type SweepResult, sweepResult } from './sweep-result.ts';

export interface SweepOptions extends PromptPair {
  readonly site: PatchSite;
  /** Default all. */
  readonly layers?: readonly number[];
  /** 'each' (default for sites without heads), 'all' at once (default for sites with), or some. */
  readonly positions?: readonly number[] | 'each' | 'all';
  /** Default each; sites with heads only. */
  readonly heads?: readonly number[];
  /** Patches that run together, as rows of one pass. Default 32. */
  readonly rowsPerPass?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

interface Patch {
  readonly position: number | undefined;
  readonly head: number | undefined;
}

/**
 * Runs the corrupted prompt once for every (layer, position, head) of the grid with that activation
 * replaced by the clean prompt's, and measures each. Patches of a layer run as rows of one pass that
 * starts at that layer from the corrupted residual stream; what the rows share is computed once.
 * Source: causal tracing / activation patching (Meng et al. 2022; Wang et al. 2022).
 * Throws `BAD_ARGUMENT`, `UNKNOWN_HOOK` (no such site in this architecture), `ABORTED`.
 */
export async function patchingSweep(options: SweepOptions): Promise<SweepResult> {
  const { model, clean, corrupted, metric, site, rowsPerPass = 32, signal } = options;
  checkPair(options);
  const grid = checkedGrid({ ...options, tokens: clean.length });
  const names = grid.layers.map((layer) => siteName(site, layer));
  const sources = await readActivations(model, clean, names);
  const base = await baselines(options);
  const starts = grid.layers.filter((layer) => layer > 0);
  using residuals = model.forward([{ tokens: corrupted }], {
    capture: starts.map((layer): HookName => `blocks.${layer}.hook_resid_pre`),
    logits: 'none',
  });
  const patches = patchesOf(grid);
  const values = new Float64Array(grid.layers.length * patches.length);
  let done = 0;
  for (const layer of grid.layers) {
    const source = sources.get(siteName(site, layer)) as Float32Array;
    for (let first = 0; first < patches.length; first += rowsPerPass) {
      throwIfAborted(signal);
      const some = patches.slice(first, first + rowsPerPass);
      const rows = some.map((patch) => ({
        tokens: corrupted,
        interventions: [intervention({ model, site, layer, patch, source, tokens: clean.length })],
      }));
      const start =
        layer === 0
          ? {}
          : startAt(layer, rows.length, residuals.captured(0, `blocks.${layer}.hook_resid_pre`));
      using result = model.forward(rows, { ...start, logits: 'last' });
      values.set(await readMetric(metric, result.lastLogits()), done);
      done += rows.length;
      options.onProgress?.(done, values.length);
    }
  }
  return sweepResult({ axes: axesOf(grid), values, ...base });
}

/** The metric of both prompts as they are. */
export async function baselines({
  model,
  clean,
  corrupted,
  metric,
}: PromptPair): Promise<{ readonly clean: number; readonly corrupted: number }> {
  using result = model.forward([{ tokens: clean }, { tokens: corrupted }], { logits: 'last' });
  const [a, b] = await readMetric(metric, result.lastLogits());
  return { clean: a as number, corrupted: b as number };
}

function startAt(
  layer: number,
  rows: number,
  residual: tf.Tensor,
): { readonly startAtLayer: number; readonly residuals: tf.Tensor2D[] } {
  return {
    startAtLayer: layer,
    residuals: new Array<tf.Tensor2D>(rows).fill(residual as tf.Tensor2D),
  };
}

function patchesOf({ positions, heads }: SweepGrid): Patch[] {
  const places: (number | undefined)[] = positions === 'all' ? [undefined] : [...positions];
  return places.flatMap((position) => (heads ?? [undefined]).map((head) => ({ position, head })));
}

function intervention(options: {
  readonly model: Transformer;
  readonly site: PatchSite;
  readonly layer: number;
  readonly patch: Patch;
  readonly source: Float32Array;
  readonly tokens: number;
}): DataIntervention {
  const { model, site, layer, patch, source, tokens } = options;
  const positions =
    patch.position === undefined ? Array.from({ length: tokens }, (_, i) => i) : [patch.position];
  return {
    op: 'patch',
    at: siteName(site, layer),
    positions,
    ...(patch.head === undefined ? {} : { heads: [patch.head] }),
    values: valuesOf({
      source,
      tokens,
      positions,
      head: patch.head,
      heads: headsOf(model, site) ?? 1,
      headFirst: site === 'pattern',
    }),
  };
}

/** The numbers of some positions and one head out of [p, heads, width] or, head first, [heads, p, width]. */
export function valuesOf(options: {
  readonly source: Float32Array;
  readonly tokens: number;
  readonly positions: readonly number[];
  readonly head: number | undefined;
  readonly heads: number;
  readonly headFirst: boolean;
}): Float32Array {
  const { source, tokens, positions, head = 0, heads, headFirst } = options;
  const width = source.length / (tokens * heads);
  const values = new Float32Array(positions.length * width);
  for (const [i, position] of positions.entries()) {
    const unit = headFirst ? head * tokens + position : position * heads + head;
    values.set(source.subarray(unit * width, (unit + 1) * width), i * width);
  }
  return values;
}
