// Directions of contrast sets on a model, one a layer, with what they were made of.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import { dataHash, modelFingerprint } from '../plan/fingerprint.ts';
import type { SteeringPoint } from '../plan/operation.ts';
import type { Recipe } from '../plan/steering-plan.ts';
import type { SteeringProgress } from '../progress.ts';
import { type ContrastGeometry, contrastGeometry } from '../report/contrast-geometry.ts';
import { differenceInMeans, pcaDirection, unitDirection } from './directions.ts';
import { type ReadPosition, type ReadRow, readActivations } from './read-activations.ts';

/** One direction a layer, of one model. */
export interface DirectionSet {
  /** dModel numbers a layer. */
  readonly directions: ReadonlyMap<number, Float32Array>;
  /** Where they were read and belong. */
  readonly point: Exclude<SteeringPoint, 'attn.hook_z'>;
  /** Fingerprint of the model; absent in files of other tools. */
  readonly model?: string;
  readonly recipe: Recipe;
  /** What the contrast looked like at each layer; absent in files of other tools. */
  readonly geometry?: ReadonlyMap<number, ContrastGeometry>;
}

/**
 * How the two sides become a direction. 'mean-difference' (default), 'mean-centred' (the negative side is a broad
 * background), 'pca' (pairs, symmetrised), 'pca-centred' (repeng's and RepE's, for reproduction only).
 */
export type ContrastMethod = 'mean-difference' | 'mean-centred' | 'pca' | 'pca-centred';

/**
 * Reads both sides at each layer and reduces them to a direction, pointing to `positive`. Differences in means keep
 * their length, components have length 1. Throws BAD_DATASET for empty or one-sided sets, duplicates within a side,
 * and texts that stand on both sides.
 */
export async function contrastVector(options: {
  readonly model: Transformer;
  readonly positive: readonly ReadRow[];
  readonly negative: readonly ReadRow[];
  readonly method?: ContrastMethod;
  /** Default: every layer. */
  readonly layers?: readonly number[];
  readonly point?: Exclude<SteeringPoint, 'attn.hook_z'>;
  readonly read?: ReadPosition;
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SteeringProgress) => void;
}): Promise<DirectionSet> {
  const { model, positive, negative, method = 'mean-difference', read = -1 } = options;
  const { point = 'hook_resid_post' } = options;
  checkContrast(positive, negative);
  const layers =
    options.layers ?? Array.from({ length: model.config.nLayers }, (_, layer) => layer);
  const sites = layers.map((layer) => ({ layer, point }));
  const shared = { model, sites, read, batchSize: options.batchSize ?? 8, signal: options.signal };
  const report = { onProgress: options.onProgress };
  const plus = await readActivations({ ...shared, ...report, rows: positive });
  const minus = await readActivations({ ...shared, ...report, rows: negative });
  const directions = new Map<number, Float32Array>();
  const geometry = new Map<number, ContrastGeometry>();
  layers.forEach((layer, i) => {
    const [p, n] = [plus[i]!, minus[i]!];
    const direction =
      method === 'pca' || method === 'pca-centred'
        ? unitDirection(
            pcaDirection({
              positive: p,
              negative: n,
              centre: method === 'pca' ? 'symmetrised' : 'centred',
            }),
          )
        : Float32Array.from(differenceInMeans(p, n));
    directions.set(layer, direction);
    geometry.set(layer, contrastGeometry({ positive: p, negative: n, direction }));
  });
  return {
    directions,
    point,
    model: await modelFingerprint(model),
    recipe: {
      method,
      version: 1,
      data: dataHash([positive.map(content), negative.map(content)]),
      settings: {
        read: typeof read === 'object' ? `${read.from}:${read.to ?? ''}` : read,
        positive: positive.length,
        negative: negative.length,
      },
    },
    geometry,
  };
}

/** Throws BAD_DATASET for contrast sets that cannot mean anything. */
export function checkContrast(positive: readonly ReadRow[], negative: readonly ReadRow[]): void {
  if (positive.length === 0 || negative.length === 0) {
    throw new SafeInferError(
      `a contrast needs both sides: ${positive.length} positive and ${negative.length} negative texts`,
      {
        code: 'BAD_DATASET',
        hint: "give both; without a natural opposite use method 'mean-centred' and broad text",
      },
    );
  }
  const seen = new Map<string, string>();
  for (const [side, rows] of [
    ['positive', positive],
    ['negative', negative],
  ] as const) {
    for (const row of rows) {
      const key = content(row);
      const before = seen.get(key);
      if (before !== undefined) {
        throw new SafeInferError(
          before === side
            ? `a text occurs twice on the ${side} side`
            : 'a text stands on both sides of the contrast',
          { code: 'BAD_DATASET', hint: 'remove duplicates: they weigh the mean, or cancel it' },
        );
      }
      seen.set(key, side);
    }
  }
}

function content({ tokens, adapter }: ReadRow): string {
  return JSON.stringify([tokens, adapter ?? null]);
}
