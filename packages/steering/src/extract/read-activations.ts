// Activations of many texts at chosen points and tokens, as float64 matrices: what every extractor reads from.
import { SafeInferError } from '@safeinfer/backend';
import type { HookName, Row, Transformer } from '@safeinfer/transformer';
import type { Matrix } from '../linear-algebra/matrix.ts';
import { nextTurn } from '../next-turn.ts';
import { pointOf, type SteeringPoint } from '../plan/operation.ts';
import type { SteeringProgress } from '../progress.ts';

/**
 * Which token of a text is read: one position (negative from the end: -1 the last, -2 CAA's answer letter), or the
 * mean over a half-open range ('mean' of all; `{ from, to }`, each negative from the end).
 */
export type ReadPosition = number | 'mean' | { readonly from: number; readonly to?: number };

export interface ReadSite {
  readonly layer: number;
  readonly point?: SteeringPoint;
}

/** A text to read: tokens or text, or a row with its adapter and range of its own. */
export interface ReadRow extends Row {
  /** Overrides the common position for this row, as persona vectors need (response tokens). */
  readonly read?: ReadPosition;
}

/**
 * One matrix a site, one line a row. `attn.hook_z` gives all heads in a line, [heads x dHead]. Sums are float64.
 * Throws BAD_DATASET for no rows or positions outside a row.
 */
export async function readActivations(options: {
  readonly model: Transformer;
  readonly rows: readonly ReadRow[];
  readonly sites: readonly ReadSite[];
  /** Default -1. */
  readonly read?: ReadPosition;
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SteeringProgress) => void) | undefined;
}): Promise<Matrix[]> {
  const { model, rows, sites, read = -1, batchSize = 8, signal, onProgress } = options;
  if (rows.length === 0) {
    throw new SafeInferError('there is no text to read activations from', {
      code: 'BAD_DATASET',
      hint: 'give at least one row on each side of a contrast',
    });
  }
  const names = sites.map((site): HookName => pointOf(site));
  const widths = sites.map(({ point }) =>
    point === 'attn.hook_z' ? model.config.nHeads * model.config.dHead : model.config.dModel,
  );
  const values = widths.map((width) => new Float64Array(width * rows.length));
  const common = rows.every((row) => row.read === undefined) && typeof read === 'number';
  for (let start = 0; start < rows.length; start += batchSize) {
    await nextTurn(signal);
    const batch = rows.slice(start, start + batchSize);
    using result = model.forward(batch, {
      capture: [...new Set(names)],
      logits: 'none',
      ...(common ? { capturePositions: [read] } : {}),
    });
    for (const [i, row] of batch.entries()) {
      for (const [site, name] of names.entries()) {
        const width = widths[site]!;
        const activation = await result.captured(i, name).data();
        const [from, to] = common ? [0, 1] : range(row.read ?? read, activation.length / width);
        const line = values[site]!.subarray((start + i) * width, (start + i + 1) * width);
        for (let token = from; token < to; token += 1)
          for (let j = 0; j < width; j += 1)
            line[j]! += activation[token * width + j]! / (to - from);
      }
    }
    const done = start + batch.length;
    onProgress?.({ phase: 'activations', done, total: rows.length });
  }
  return values.map((own, site) => ({ rows: rows.length, width: widths[site]!, values: own }));
}

function range(read: ReadPosition, tokens: number): [from: number, to: number] {
  const place = (position: number): number => (position < 0 ? tokens + position : position);
  let [from, to] = [0, tokens];
  if (typeof read === 'number') [from, to] = [place(read), place(read) + 1];
  else if (typeof read === 'object') [from, to] = [place(read.from), place(read.to ?? tokens)];
  if (from >= 0 && from < to && to <= tokens) return [from, to];
  throw new SafeInferError(`tokens ${from} to ${to} are read from a row of ${tokens}`, {
    code: 'BAD_DATASET',
    hint: 'give positions inside every row',
  });
}
