// Inference-time intervention: the heads whose outputs tell two classes apart, each with a direction and its spread.
import { SafeInferError } from '@safeinfer/backend';
import { type Transformer, uniformAt } from '@safeinfer/transformer';
import { dot, type Matrix, normalised, rowOf } from '../linear-algebra/matrix.ts';
import { dataHash, modelFingerprint } from '../plan/fingerprint.ts';
import type { AddOperation } from '../plan/operation.ts';
import type { SteeringPlan } from '../plan/steering-plan.ts';
import { checkContrast } from './contrast-vector.ts';
import { differenceInMeans } from './directions.ts';
import { fitProbe, probeAccuracy } from './linear-probe.ts';
import { type ReadRow, readActivations } from './read-activations.ts';

export interface RankedHead {
  readonly layer: number;
  readonly head: number;
  /** Mean validation accuracy of its probe over two folds. */
  readonly accuracy: number;
  /** Unit direction [dHead] towards `positive`. */
  readonly direction: Float32Array;
  /** Standard deviation of the projections on it. */
  readonly sigma: number;
}

/**
 * Li et al. 2023: per head a logistic probe on its output at the last token, heads ranked by two-fold accuracy, the
 * best `topHeads` (48) shifted by alpha (15) x sigma x direction at the last token of every step.
 */
export async function truthHeads(options: {
  readonly model: Transformer;
  readonly positive: readonly ReadRow[];
  readonly negative: readonly ReadRow[];
  readonly topHeads?: number;
  readonly alpha?: number;
  /** 'mass-mean' (default) or the probe's own weights. */
  readonly direction?: 'mass-mean' | 'probe';
  readonly seed: number;
  readonly signal?: AbortSignal;
}): Promise<{ readonly heads: readonly RankedHead[]; readonly plan: SteeringPlan }> {
  const { model, positive, negative, topHeads = 48, alpha = 15, seed } = options;
  const { direction = 'mass-mean' } = options;
  const { nLayers, nHeads, dHead } = model.config;
  checkContrast(positive, negative);
  if (topHeads < 1 || topHeads > nLayers * nHeads) {
    throw new SafeInferError(`topHeads ${topHeads}: the model has ${nLayers * nHeads} heads`, {
      code: 'BAD_ARGUMENT',
      hint: 'the paper uses 48 of 1024',
    });
  }
  if (Math.min(positive.length, negative.length) < 2) {
    throw new SafeInferError('two-fold validation needs two texts on each side', {
      code: 'BAD_DATASET',
      hint: 'give more labelled texts',
    });
  }
  const rows = [...positive, ...negative];
  const labels = rows.map((_, i) => i < positive.length);
  const foldOf = balancedFolds(labels, seed);
  const outputs = await readActivations({
    model,
    rows,
    sites: Array.from({ length: nLayers }, (_, layer) => ({
      layer,
      point: 'attn.hook_z' as const,
    })),
    signal: options.signal,
  });
  const heads: RankedHead[] = [];
  for (let layer = 0; layer < nLayers; layer += 1) {
    for (let head = 0; head < nHeads; head += 1) {
      const x = headColumns(outputs[layer]!, head, dHead);
      let accuracy = 0;
      for (const fold of [0, 1]) {
        const train = select(x, (i) => foldOf[i] !== fold);
        const test = select(x, (i) => foldOf[i] === fold);
        const probe = fitProbe(
          train,
          labels.filter((_, i) => foldOf[i] !== fold),
        );
        const own = labels.filter((_, i) => foldOf[i] === fold);
        accuracy += probeAccuracy(probe, test, own) / 2;
      }
      const raw =
        direction === 'probe'
          ? fitProbe(x, labels).weight
          : differenceInMeans(
              select(x, (i) => labels[i]!),
              select(x, (i) => !labels[i]!),
            );
      const unit = normalised(raw);
      const along = Array.from({ length: x.rows }, (_, i) => dot(rowOf(x, i), unit));
      heads.push({
        layer,
        head,
        accuracy,
        direction: Float32Array.from(unit),
        sigma: standardDeviation(along),
      });
    }
  }
  heads.sort((a, b) => b.accuracy - a.accuracy || a.layer - b.layer || a.head - b.head);
  const operations = heads.slice(0, topHeads).map(
    (ranked): AddOperation => ({
      op: 'add',
      point: 'attn.hook_z',
      layer: ranked.layer,
      head: ranked.head,
      vector: ranked.direction.map((value) => value * ranked.sigma),
      strength: alpha,
      positions: 'last',
      label: 'iti',
    }),
  );
  return {
    heads,
    plan: {
      operations,
      model: await modelFingerprint(model),
      recipe: {
        method: 'iti',
        version: 1,
        seed,
        data: dataHash(rows.map(({ tokens }) => tokens)),
        settings: { topHeads, alpha, direction },
      },
    },
  };
}

/** Fold 0 or 1 of every row: each class split in half at random, so that both folds have both classes. */
function balancedFolds(labels: readonly boolean[], seed: number): number[] {
  const folds = labels.map(() => 0);
  for (const label of [true, false]) {
    const own = labels.flatMap((value, i) => (value === label ? [i] : []));
    const keys = new Map(own.map((i) => [i, uniformAt(seed, i)]));
    own.sort((a, b) => keys.get(a)! - keys.get(b)! || a - b);
    own.forEach((i, place) => {
      folds[i] = place % 2;
    });
  }
  return folds;
}

function headColumns(x: Matrix, head: number, dHead: number): Matrix {
  const values = new Float64Array(x.rows * dHead);
  for (let i = 0; i < x.rows; i += 1)
    values.set(rowOf(x, i).subarray(head * dHead, (head + 1) * dHead), i * dHead);
  return { rows: x.rows, width: dHead, values };
}

function select(x: Matrix, keep: (row: number) => boolean): Matrix {
  const lines = Array.from({ length: x.rows }, (_, i) => i).filter(keep);
  const values = new Float64Array(lines.length * x.width);
  for (const [i, line] of lines.entries()) values.set(rowOf(x, line), i * x.width);
  return { rows: lines.length, width: x.width, values };
}

export function standardDeviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
