// Writes a LoRA adapter as a directory that PEFT loads.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTensor } from '@safeinfer/backend';
import { type TensorToWrite, writeAtomically, writeSafetensors } from '@safeinfer/transformer';
import { wrappingIo } from '../training/io-error.ts';
import type { LoraAdapter, LoraFactors } from './lora-adapter.ts';
import { writePeftConfig } from './peft-config.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, tensorName } from './read-adapter.ts';

export interface WriteAdapterOptions {
  readonly adapter: LoraAdapter;
  /** Directory to write into; made when it is not there. */
  readonly path: string;
  /** How the numbers are stored; default F32, which loses nothing. */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
  /** Overrides `adapter.settings.baseModel`: a hub name or a path, for PEFT's `from_pretrained`. */
  readonly baseModel?: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes `adapter_config.json` and `adapter_model.safetensors`. Each file appears complete or not at all.
 *
 * @throws SafeInferError `IO` (a full or unwritable disk), `BAD_WEIGHTS` (a value that overflows the dtype),
 *   `ABORTED`
 */
export async function writeAdapter(options: WriteAdapterOptions): Promise<void> {
  const { adapter, path, dtype = 'F32', baseModel, signal } = options;
  const tensors = adapter.factors.flatMap((factors): TensorToWrite[] => {
    const { module } = factors;
    return [
      {
        name: tensorName(module, 'A'),
        dtype,
        shape: [module.rank, module.inputs],
        data: async () => transposed(await readTensor(factors.A), module.inputs),
      },
      {
        name: tensorName(module, 'B'),
        dtype,
        shape: [module.outputs, module.rank],
        data: () => joinedOutputs(factors),
      },
    ];
  });
  const settings = baseModel === undefined ? adapter.settings : { ...adapter.settings, baseModel };
  const config = writePeftConfig(
    settings,
    adapter.factors.map(({ module }) => module),
  );
  await wrappingIo(`the adapter at ${path}`, async () => {
    await mkdir(path, { recursive: true });
    await writeSafetensors(join(path, ADAPTER_WEIGHTS), tensors, signal && { signal });
    await writeAtomically(join(path, ADAPTER_CONFIG), (file) =>
      file.writeFile(`${JSON.stringify(config, null, 2)}\n`),
    );
  });
}

/** [rows, n] row-major -> [n, rows] row-major. */
function transposed(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j] as number;
  }
  return out;
}

/** The parts' B [r, n] as the module's lora_B [out, r]. */
async function joinedOutputs({ module, B }: LoraFactors): Promise<Float32Array> {
  const { rank } = module;
  const out = new Float32Array(module.outputs * rank);
  for (const [i, { outputs }] of module.parts.entries()) {
    const part = await readTensor(B[i] as NonNullable<(typeof B)[number]>);
    outputs.forEach((output, j) => {
      for (let k = 0; k < rank; k++) {
        out[output * rank + k] = part[k * outputs.length + j] as number;
      }
    });
  }
  return out;
}
