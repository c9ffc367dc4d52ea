// A computed edit as JSON for the store, its float64 numbers bit for bit.
import type { StoredEdit, WeightDelta } from '@safeinfer/editing';

/** Float64 numbers as base64: a tenth of a fine-tuned matrix's decimal digits, and exact. */
type Numbers = string;

type DeltaJson = { readonly weight: WeightDelta['weight'] } & (
  | { readonly left: Numbers; readonly right: Numbers }
  | { readonly lefts: readonly Numbers[]; readonly rights: readonly Numbers[] }
  | { readonly dense: Numbers; readonly shape: readonly [number, number] }
);

export interface EditJson {
  readonly record: StoredEdit['record'];
  readonly deltas: readonly DeltaJson[];
  readonly keys?: readonly (readonly [layer: number, keys: readonly Numbers[]])[];
}

export function editToJson({ record, deltas, keys }: StoredEdit): EditJson {
  return {
    record,
    deltas: deltas.map((delta): DeltaJson => {
      const { weight } = delta;
      if ('dense' in delta) return { weight, dense: encode(delta.dense), shape: delta.shape };
      return 'lefts' in delta
        ? { weight, lefts: delta.lefts.map(encode), rights: delta.rights.map(encode) }
        : { weight, left: encode(delta.left), right: encode(delta.right) };
    }),
    ...(keys === undefined
      ? {}
      : { keys: [...keys].map(([layer, list]) => [layer, list.map(encode)] as const) }),
  };
}

export function editFromJson({ record, deltas, keys }: EditJson): StoredEdit {
  return {
    record,
    deltas: deltas.map((delta): WeightDelta => {
      const { weight } = delta;
      if ('dense' in delta) return { weight, dense: decode(delta.dense), shape: delta.shape };
      return 'lefts' in delta
        ? { weight, lefts: delta.lefts.map(decode), rights: delta.rights.map(decode) }
        : { weight, left: decode(delta.left), right: decode(delta.right) };
    }),
    ...(keys === undefined
      ? {}
      : { keys: new Map(keys.map(([layer, list]) => [layer, list.map(decode)])) }),
  };
}

function encode(values: Float64Array): Numbers {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

function decode(text: Numbers): Float64Array {
  return new Float64Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}
