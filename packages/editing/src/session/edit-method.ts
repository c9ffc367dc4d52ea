// Every editor as one value: what a session is told, and what its record keeps.
import { createHash } from 'node:crypto';
import type { Transformer } from '@safeinfer/transformer';
import { type AlphaEditOptions, alphaEdit } from '../batch/alpha-edit.ts';
import type { BatchEdit, BatchEditOptions } from '../batch/batch-options.ts';
import { type EmmetOptions, emmet } from '../batch/emmet.ts';
import { type MemitOptions, memit } from '../batch/memit.ts';
import { type PmetOptions, pmet } from '../batch/pmet.ts';
import type { WeightDelta } from '../delta/weight-delta.ts';
import { type FineTuneOptions, fineTune } from '../fine-tune/fine-tune.ts';
import type { EditRequest } from '../request/edit-request.ts';
import { type RomeOptions, rome } from '../rome/rome.ts';

type Given = 'model' | 'request' | 'requests' | 'signal' | 'onProgress';

/** An editor with its options. ROME and fine-tuning take one request, the others any number. */
export type EditMethod =
  | ({ readonly kind: 'rome' } & Omit<RomeOptions, Given>)
  | ({ readonly kind: 'fineTune' } & Omit<FineTuneOptions, Given>)
  | ({ readonly kind: 'memit' } & Omit<MemitOptions, Given>)
  | ({ readonly kind: 'pmet' } & Omit<PmetOptions, Given>)
  | ({ readonly kind: 'emmet' } & Omit<EmmetOptions, Given>)
  | ({ readonly kind: 'alphaEdit' } & Omit<AlphaEditOptions, Given>);

export interface ComputedEdit {
  readonly deltas: readonly WeightDelta[];
  /** Per request, the loss before each update. */
  readonly losses: readonly (readonly number[])[];
  readonly subjectFirst: number;
  readonly relativeDenominator?: number;
  readonly keyCosine?: number;
  /** AlphaEdit: keys of this batch per layer, for the batches behind it. */
  readonly keys?: ReadonlyMap<number, readonly Float64Array[]>;
}

export async function computeEdit(options: {
  readonly model: Transformer;
  readonly requests: readonly EditRequest[];
  readonly method: EditMethod;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: BatchEditOptions['onProgress'];
}): Promise<ComputedEdit> {
  const { model, requests, method, signal, onProgress } = options;
  const shared = { model, requests, ...(signal ? { signal } : {}) };
  const batch = { ...shared, ...(onProgress ? { onProgress } : {}) };
  switch (method.kind) {
    case 'rome': {
      const edit = await rome({ ...method, ...shared, request: requests[0]! });
      const { relativeDenominator, keyCosine, subjectFirst } = edit.alarms;
      return {
        deltas: [edit.delta],
        losses: [edit.losses],
        subjectFirst: subjectFirst ? 1 : 0,
        relativeDenominator,
        keyCosine,
      };
    }
    case 'fineTune': {
      const edit = await fineTune({ ...method, ...shared, request: requests[0]! });
      return { deltas: [edit.delta], losses: [edit.losses], subjectFirst: 0 };
    }
    case 'memit':
      return fromBatch(await memit({ ...method, ...batch }));
    case 'pmet':
      return fromBatch(await pmet({ ...method, ...batch }));
    case 'emmet':
      return fromBatch(await emmet({ ...method, ...batch }));
    case 'alphaEdit': {
      const edit = await alphaEdit({ ...method, ...batch });
      const keys = new Map(
        [...edit.pastKeys].map(([layer, all]) => [layer, all.slice(-requests.length)]),
      );
      return { ...fromBatch(edit), keys };
    }
  }
}

function fromBatch(edit: BatchEdit): ComputedEdit {
  return {
    deltas: edit.deltas,
    losses: edit.values.map(({ losses }) => losses),
    subjectFirst: edit.subjectFirst.length,
  };
}

/** JSON of a method: large arrays (moments, null spaces, values) become their SHA-256 and length. */
export function describeMethod(method: EditMethod): unknown {
  return JSON.parse(
    JSON.stringify(method, (_, value: unknown) => {
      if (value instanceof Map) return Object.fromEntries(value);
      if (!ArrayBuffer.isView(value)) return value;
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      return {
        sha256: createHash('sha256').update(bytes).digest('hex'),
        numbers: (value as Float64Array).length,
      };
    }),
  );
}
