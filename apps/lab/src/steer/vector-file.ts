// A file of steering, whatever its kind: a whole plan, or directions of this or another tool.
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import {
  type DirectionSet,
  loadDirections,
  loadPlan,
  type SteeringPlan,
  saveDirections,
  savePlan,
} from '@safeinfer/steering';
import { openSafetensors, type Transformer } from '@safeinfer/transformer';

export type VectorFile =
  | { readonly kind: 'plan'; readonly plan: SteeringPlan }
  | { readonly kind: 'directions'; readonly set: DirectionSet; readonly layerUnknown?: true };

/**
 * Plans are checked against the model only when one is given. A single vector whose file does not say its layer is
 * read as layer 0 and marked, unless `layer` is given.
 */
export async function readVectorFile(
  path: string,
  options: {
    readonly model?: Transformer;
    readonly force?: boolean;
    readonly layer?: number | undefined;
  } = {},
): Promise<VectorFile> {
  if (!existsSync(path)) {
    throw new SafeInferError(`${path} does not exist`, {
      code: 'NOT_FOUND',
      hint: 'make one with `safeinfer steer extract`',
    });
  }
  const { layer, ...checks } = options;
  if (await isPlan(path)) return { kind: 'plan', plan: await loadPlan(path, checks) };
  try {
    const own = layer === undefined ? checks : { ...checks, layer };
    return { kind: 'directions', set: await loadDirections(path, own) };
  } catch (error) {
    const noLayer = SafeInferError.isInstance(error) && /for which layer/.test(error.message);
    if (!noLayer || layer !== undefined) throw error;
    const set = await loadDirections(path, { ...checks, layer: 0 });
    return { kind: 'directions', set, layerUnknown: true };
  }
}

async function isPlan(path: string): Promise<boolean> {
  if (extname(path) !== '.safetensors') return false;
  const file = await openSafetensors(path);
  try {
    return file.metadata.has('safeinfer.plan');
  } finally {
    await file.close();
  }
}

/**
 * The plan of a file: a stored plan with its strengths times `strength`, or one direction added at the last token of
 * every pass. Throws BAD_ARGUMENT when directions of several layers leave open which one is meant.
 */
export function planOfFile(
  file: VectorFile,
  options: { readonly layer?: number | undefined; readonly strength?: number | undefined },
): SteeringPlan {
  const { strength = 1 } = options;
  if (file.kind === 'plan') {
    return {
      ...file.plan,
      operations: file.plan.operations.map((operation) => ({
        ...operation,
        ...(options.layer === undefined ? {} : { layer: options.layer }),
        strength: (operation.strength ?? 1) * strength,
      })),
    };
  }
  const { directions, point, model, recipe } = file.set;
  const layers = [...directions.keys()];
  const layer =
    options.layer ?? (layers.length === 1 && !file.layerUnknown ? layers[0] : undefined);
  const vector = file.layerUnknown ? directions.get(0) : directions.get(layer ?? -1);
  if (layer === undefined || vector === undefined) {
    throw new SafeInferError(
      layer === undefined
        ? 'the file leaves open which layer is meant'
        : `the file has no direction for layer ${layer}, only for ${layers.join(', ')}`,
      { code: 'BAD_ARGUMENT', hint: 'name one with --layer' },
    );
  }
  return {
    operations: [{ op: 'add', layer, point, vector, strength, positions: 'last' }],
    ...(model === undefined ? {} : { model }),
    recipe,
  };
}

const ENDINGS = ['.safetensors', '.gguf', '.npz'];

/** Refuses what could not be written, before any work. */
export function checkOutputs(paths: readonly string[], hasDirections: boolean): void {
  for (const path of paths) {
    const ending = extname(path);
    if (!ENDINGS.includes(ending)) {
      throw new SafeInferError(`${path} does not end in ${ENDINGS.join(', ')}`, {
        code: 'BAD_ARGUMENT',
        hint: 'the ending names the format',
      });
    }
    if (hasDirections || ending === '.safetensors') continue;
    throw new SafeInferError(`${ending} holds directions, and this method makes more than that`, {
      code: 'UNSUPPORTED',
      hint: 'write .safetensors, which keeps a whole plan',
    });
  }
}

/** A plan goes into safetensors whole; the other formats, and sets of directions, hold the directions. */
export async function writeVectorFile(options: {
  readonly path: string;
  readonly plan: SteeringPlan;
  readonly directions?: DirectionSet | undefined;
  /** Whether safetensors gets the directions rather than the plan. */
  readonly asDirections: boolean;
  readonly modelHint: string;
}): Promise<void> {
  const { path, plan, directions, asDirections, modelHint } = options;
  if (directions && (asDirections || extname(path) !== '.safetensors')) {
    await saveDirections(path, directions, { modelHint });
  } else {
    await savePlan(path, plan);
  }
}
