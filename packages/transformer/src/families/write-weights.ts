// Brings canonical weights back into the tensors of a Hugging Face checkpoint, fused as the family fuses them.
import { SafeInferError } from '@safeinfer/backend';
import type { ModelConfig } from '../config/model-config.ts';
import type { WeightName } from '../config/weight-name.ts';
import { familyOf } from './registry.ts';
import { encodePart } from './tensor-layout.ts';
import { checkpointNames, type TableEntry, weightTable } from './weight-table.ts';

export interface CheckpointTensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Names and shapes of the checkpoint of a config, in the order `encodeWeights` yields them. */
export function checkpointLayout(config: ModelConfig): CheckpointTensorSpec[] {
  return weightTable(config).map((entry) => ({
    name: writtenName(config, entry),
    shape: entry.shape,
  }));
}

interface WeightSource {
  readonly config: ModelConfig;
  /** A canonical weight's values, row-major. */
  readonly read: (name: WeightName) => Promise<Float32Array> | Float32Array;
}

/**
 * The tensors of the checkpoint, each made when its `data` is called: a writer holds one at a time.
 * @throws SafeInferError `UNSUPPORTED` when the family has no place for a weight; `data` throws `BAD_WEIGHTS` when a
 *   weight has another size than the config says
 */
export function checkpointTensors(
  options: WeightSource,
): (CheckpointTensorSpec & { readonly data: () => Promise<Float32Array> })[] {
  return weightTable(options.config).map((entry) => ({
    name: writtenName(options.config, entry),
    shape: entry.shape,
    data: () => encode(entry, options.read),
  }));
}

/** Yields the tensors of the checkpoint one by one; throws as `checkpointTensors`. */
export async function* encodeWeights(
  options: WeightSource,
): AsyncGenerator<CheckpointTensorSpec & { readonly data: Float32Array }, void, undefined> {
  for (const tensor of checkpointTensors(options)) yield { ...tensor, data: await tensor.data() };
}

async function encode(entry: TableEntry, read: WeightSource['read']): Promise<Float32Array> {
  const stored = new Float32Array(entry.shape.reduce((product, size) => product * size, 1));
  for (const part of entry.parts) {
    const values = await read(part.name);
    const expected = part.shape.reduce((product, size) => product * size, 1);
    if (values.length !== expected) {
      throw new SafeInferError(
        `${part.name} holds ${values.length} values, [${part.shape.join(', ')}] needs ${expected}`,
        { code: 'BAD_WEIGHTS', hint: 'replace weights only by tensors of the same shape' },
      );
    }
    encodePart({ entry, part, values, stored });
  }
  return stored;
}

function writtenName(config: ModelConfig, entry: TableEntry): string {
  return checkpointNames(entry, familyOf(config).modules)[0] as string;
}
