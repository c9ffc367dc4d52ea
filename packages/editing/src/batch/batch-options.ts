// What MEMIT, EMMET and AlphaEdit share: requests, layers, contexts, and how the values are found.
import { SafeInferError } from '@safeinfer/backend';
import type { Transformer } from '@safeinfer/transformer';
import type { LowRankDelta } from '../delta/weight-delta.ts';
import type { EditRequest, FactToken } from '../request/edit-request.ts';
import { checkLayer, type PreparedEdit, prepareEdit } from '../request/prepare-edit.ts';
import {
  type OptimisedValue,
  VALUE_DEFAULTS,
  type ValueOptions,
  valueSettings,
} from '../value/optimise-value.ts';

export interface BatchEditOptions extends Partial<ValueOptions> {
  readonly model: Transformer;
  readonly requests: readonly EditRequest[];
  /** Ascending; values are optimised at the output of the last. */
  readonly layers: readonly number[];
  /**
   * Default `subjectLast`. `last` (the reference refuses it) edits where the prompt ends: for models that recall a
   * fact only there, with a last layer that is not the model's last.
   */
  readonly factToken?: FactToken;
  /**
   * Texts with one `{}`; the first is `{}`. Keys are averaged as MEMIT does: half the bare prompt, half the mean of
   * the other templates (ROME instead weighs all alike).
   */
  readonly contextTemplates?: readonly string[];
  /** Values of an earlier call with the same requests, last layer and templates. */
  readonly values?: readonly OptimisedValue[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BatchProgress) => void;
}

export interface BatchProgress {
  readonly phase: 'values' | 'layers';
  readonly done: number;
  readonly total: number;
}

export interface BatchEdit {
  readonly requests: readonly EditRequest[];
  /** One for each layer, ascending; factor pair r belongs to request r. */
  readonly deltas: readonly LowRankDelta[];
  readonly values: readonly OptimisedValue[];
  /** Per layer: |z - h| of each request before the layer was changed. */
  readonly residualNorms: readonly (readonly number[])[];
  /** Per layer: the averaged key of each request. */
  readonly keys: readonly (readonly Float64Array[])[];
  /** Indices of requests whose subject opens the prompt. */
  readonly subjectFirst: readonly number[];
}

/** MEMIT's published settings where they differ from ROME's: a tighter clamp. */
export const BATCH_DEFAULTS: ValueOptions = {
  ...VALUE_DEFAULTS,
  weightDecay: 0.5,
  clampFactor: 0.75,
};

/** @throws BAD_ARGUMENT, BAD_TOKENIZER before any work starts */
export function prepareBatch(options: BatchEditOptions): {
  readonly edits: readonly PreparedEdit[];
  readonly settings: ValueOptions;
} {
  const { model, requests, layers, factToken = 'subjectLast', values } = options;
  const { contextTemplates = ['{}'] } = options;
  if (requests.length === 0) throw refuse('there are no requests', 'give at least one fact');
  if (layers.length === 0) throw refuse('no layers are named', 'name at least one layer');
  for (const [i, layer] of layers.entries()) {
    checkLayer(model, layer);
    if (i > 0 && layer <= layers[i - 1]!) {
      throw refuse(`layers ${layers.join(', ')} do not ascend`, 'sort them and drop doubles');
    }
  }
  if (values && values.length !== requests.length) {
    throw refuse(
      `${values.length} values for ${requests.length} requests`,
      'give one value for each request, or none',
    );
  }
  const edits = requests.map((request) =>
    prepareEdit({ model, request, factToken, contextTemplates }),
  );
  return { edits, settings: valueSettings(options, BATCH_DEFAULTS) };
}

function refuse(message: string, hint: string): SafeInferError {
  return new SafeInferError(`batch edit: ${message}`, { code: 'BAD_ARGUMENT', hint });
}

/** The entry of a layer, or an error that names what is missing. */
export function forLayer<T>(entries: ReadonlyMap<number, T>, layer: number, what: string): T {
  const entry = entries.get(layer);
  if (entry !== undefined) return entry;
  throw new SafeInferError(`there is no ${what} for layer ${layer}`, {
    code: 'NOT_FOUND',
    hint: `collect it with collectMoments({ layers: [${layer}] }), or read a file of it`,
  });
}
