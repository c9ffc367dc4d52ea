// Sessions on disk: deltas as float64 safetensors, records as JSON in the header.
import { SafeInferError } from '@safeinfer/backend';
import {
  openSafetensors,
  type SafetensorsFile,
  type TensorToWrite,
  type WeightName,
  writeSafetensors,
} from '@safeinfer/transformer';
import { factorsOf, type WeightDelta } from '../delta/weight-delta.ts';
import type { EditRecord } from './edit-record.ts';

export interface StoredEdit {
  readonly record: EditRecord;
  readonly deltas: readonly WeightDelta[];
  readonly keys?: ReadonlyMap<number, readonly Float64Array[]> | undefined;
}

const FORMAT = 'safeinfer-edits-1';

/** Layout of one edit beside its tensors, which cannot tell a vector of rank one from a matrix. */
interface Index {
  readonly record: EditRecord;
  readonly deltas: readonly { readonly weight: WeightName; readonly kind: DeltaKind }[];
  readonly keyLayers: readonly number[];
}

type DeltaKind = 'rankOne' | 'lowRank' | 'dense';

const KINDS: readonly DeltaKind[] = ['rankOne', 'lowRank', 'dense'];

/** Float64, so that a loaded session has the very bits of the saved one. */
export async function writeSession(path: string, edits: readonly StoredEdit[]): Promise<void> {
  const tensors: TensorToWrite[] = [];
  const add = (name: string, shape: readonly number[], data: Float64Array): void => {
    tensors.push({ name, dtype: 'F64', shape, data });
  };
  const index = edits.map(({ record, deltas, keys }, e): Index => {
    for (const [d, delta] of deltas.entries()) {
      const prefix = `edit.${e}.delta.${d}`;
      if ('dense' in delta) {
        add(`${prefix}.dense`, delta.shape, delta.dense);
        continue;
      }
      const { lefts, rights } = factorsOf(delta)!;
      // One factor pair a row.
      add(`${prefix}.left`, [lefts.length, lefts[0]!.length], joined(lefts));
      add(`${prefix}.right`, [rights.length, rights[0]!.length], joined(rights));
    }
    for (const [layer, vectors] of keys ?? [])
      add(`edit.${e}.keys.${layer}`, [vectors.length, vectors[0]!.length], joined(vectors));
    return {
      record,
      deltas: deltas.map((delta) => ({ weight: delta.weight, kind: kindOf(delta) })),
      keyLayers: [...(keys?.keys() ?? [])],
    };
  });
  await writeSafetensors(path, tensors, {
    metadata: { format: FORMAT, edits: JSON.stringify(index) },
  });
}

/** @throws BAD_FILE, NOT_FOUND, BAD_WEIGHTS */
export async function readSession(path: string): Promise<StoredEdit[]> {
  await using file = await openSafetensors(path);
  const stored: StoredEdit[] = [];
  for (const [e, { record, deltas, keyLayers }] of readIndex(file, path).entries()) {
    const read: WeightDelta[] = [];
    for (const [d, { weight, kind }] of deltas.entries()) {
      const prefix = `edit.${e}.delta.${d}`;
      if (kind === 'dense') {
        const shape = file.tensors.get(`${prefix}.dense`)?.shape as [number, number];
        read.push({ weight, shape, dense: await file.readFloat64(`${prefix}.dense`) });
        continue;
      }
      const lefts = await vectorsOf(file, `${prefix}.left`);
      const rights = await vectorsOf(file, `${prefix}.right`);
      read.push(
        kind === 'rankOne'
          ? { weight, left: lefts[0]!, right: rights[0]! }
          : { weight, lefts, rights },
      );
    }
    const keys = new Map<number, Float64Array[]>();
    for (const layer of keyLayers)
      keys.set(layer, await vectorsOf(file, `edit.${e}.keys.${layer}`));
    stored.push({ record, deltas: read, ...(keys.size > 0 ? { keys } : {}) });
  }
  return stored;
}

function readIndex(file: SafetensorsFile, path: string): readonly Index[] {
  let index: unknown;
  try {
    index = JSON.parse(file.metadata.get('edits') ?? '');
  } catch {
    index = undefined;
  }
  const whole = Array.isArray(index) && index.every(isIndex);
  if (file.metadata.get('format') === FORMAT && whole) return index as readonly Index[];
  throw new SafeInferError(`${path} holds no edits`, {
    code: 'BAD_FILE',
    hint: 'give a file that EditSession.save wrote',
  });
}

/** Also that every changed weight has the hash by which `load` knows the model. */
function isIndex(entry: unknown): boolean {
  const { record, deltas, keyLayers } = (entry ?? {}) as Partial<Index>;
  const known = new Set(
    Array.isArray(record?.weights)
      ? record.weights.flatMap((weight) => (isHashed(weight) ? [weight.name] : []))
      : [],
  );
  return (
    typeof record?.id === 'string' &&
    Array.isArray(deltas) &&
    deltas.every((delta) => known.has(delta?.weight) && KINDS.includes(delta.kind)) &&
    Array.isArray(keyLayers) &&
    keyLayers.every(Number.isSafeInteger)
  );
}

function isHashed(weight: unknown): boolean {
  const { name, sha256 } = (weight ?? {}) as Record<string, unknown>;
  return typeof name === 'string' && typeof sha256 === 'string';
}

function kindOf(delta: WeightDelta): DeltaKind {
  if ('dense' in delta) return 'dense';
  return 'lefts' in delta ? 'lowRank' : 'rankOne';
}

function joined(vectors: readonly Float64Array[]): Float64Array {
  const width = vectors[0]!.length;
  const all = new Float64Array(vectors.length * width);
  for (const [i, vector] of vectors.entries()) all.set(vector, i * width);
  return all;
}

async function vectorsOf(file: SafetensorsFile, name: string): Promise<Float64Array[]> {
  const all = await file.readFloat64(name);
  const [count = 0, width = 0] = file.tensors.get(name)?.shape ?? [];
  return Array.from({ length: count }, (_, i) => all.slice(i * width, (i + 1) * width));
}
