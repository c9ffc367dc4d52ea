// AlphaEdit: MEMIT confined to the null space of preserved keys, for long sequences of batches (Fang et al. 2025).
import { SafeInferError } from '@safeinfer/backend';
import { Matrix } from 'ml-matrix';
import { combine, gram, solveSmall } from '../linear-algebra/small-system.ts';
import { type NullSpace, project } from '../second-moment/null-space.ts';
import { type BatchEdit, type BatchEditOptions, forLayer, prepareBatch } from './batch-options.ts';
import { averagedKeys, spreadEdit } from './spread-edit.ts';

export interface AlphaEditOptions extends BatchEditOptions {
  readonly nullSpaces: ReadonlyMap<number, NullSpace>;
  /** Ridge of the solve: 10 as published, 1 in EasyEdit's Llama-3 and Qwen presets. */
  readonly l2: number;
  /** `pastKeys` of the batch before this one; the model must carry that batch's deltas. */
  readonly pastKeys?: ReadonlyMap<number, readonly Float64Array[]>;
}

export interface AlphaEditResult extends BatchEdit {
  /** Keys of every edit so far, those of this batch read on the edited model: give them to the next batch. */
  readonly pastKeys: ReadonlyMap<number, readonly Float64Array[]>;
}

/**
 * Computes an edit; the model is left as it was. With P the projector and Q = [K K_past], X = P Q (QT P Q + l2 I)^-1
 * restricted to K's columns, which equals (P (K KT + K_past K_pastT) + l2 I)^-1 P K; dW = X RT.
 * State lives in the result, never in the module: two sequences cannot leak into each other.
 * @throws BAD_ARGUMENT, BAD_TOKENIZER, NOT_FOUND, SINGULAR, NON_FINITE, ABORTED
 */
export async function alphaEdit(options: AlphaEditOptions): Promise<AlphaEditResult> {
  const { nullSpaces, l2, layers, pastKeys = new Map<number, readonly Float64Array[]>() } = options;
  if (!(l2 > 0) || !Number.isFinite(l2)) {
    throw new SafeInferError(`l2 is ${l2}`, {
      code: 'BAD_ARGUMENT',
      hint: 'give a positive number; published are 10 and 1',
    });
  }
  for (const layer of layers) forLayer(nullSpaces, layer, 'null space');
  const prepared = prepareBatch(options);
  const after = new Map<number, readonly Float64Array[]>();
  const edit = await spreadEdit({
    ...options,
    ...prepared,
    divisor: (left) => left,
    solve: (layer, keys) =>
      alphaSolve({
        space: forLayer(nullSpaces, layer, 'null space'),
        keys,
        past: pastKeys.get(layer) ?? [],
        l2,
      }),
    after: async (edited) => {
      for (const layer of layers) {
        const keys = await averagedKeys(edited, layer, prepared.edits);
        after.set(layer, [...(pastKeys.get(layer) ?? []), ...keys]);
      }
    },
  });
  return { ...edit, pastKeys: after };
}

/** (P (K KT + K_past K_pastT) + l2 I)^-1 P K, through a system of as many rows as there are keys. */
export function alphaSolve(options: {
  readonly space: NullSpace;
  readonly keys: readonly Float64Array[];
  readonly past: readonly Float64Array[];
  readonly l2: number;
}): Float64Array[] {
  const { space, keys, past, l2 } = options;
  const all = [...keys, ...past];
  const projected = all.map((key) => project(space, key));
  const choose = Matrix.zeros(all.length, keys.length);
  for (const i of keys.keys()) choose.set(i, i, 1);
  return combine(projected, solveSmall(gram(all, projected, l2), choose));
}
