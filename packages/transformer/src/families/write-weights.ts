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

/**
 * Yields the tensors of the checkpoint one by one; `read` gives a canonical weight's values, row-major.
 * @throws SafeInferError `BAD_WEIGHTS` when a weight has another size than the config says,
 *   `UNSUPPORTED` when the family has no place for a weight
 */
export async function* encodeWeights(options: {
  readonly config: ModelConfig;
  readonly read: (name: WeightName) => Promise<Float32Array> | Float32Array;
}): AsyncGenerator<CheckpointTensorSpec & { readonly data: Float32Array }, void, undefined> {
  const { config, read } = options;
  for (const entry of weightTable(config)) {
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
    yield { name: writtenName(config, entry), shape: entry.shape, data: stored };
  }
}

function writtenName(config: ModelConfig, entry: TableEntry): string {
  return checkpointNames(entry, familyOf(config).modules)[0] as string;
}
