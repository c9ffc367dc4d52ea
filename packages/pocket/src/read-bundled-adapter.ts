// A bundled LoRA adapter as deltas of canonical weights. Files: PEFT's, as Python reads them.
import { readFile } from 'node:fs/promises';
import { SafeInferError } from '@safeinfer/backend';
import {
  type Adapter,
  type Delta,
  type ModelConfig,
  openSafetensors,
  peftModules,
  type SafetensorsFile,
  type WeightName,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';

function damaged(directory: string, what: string): SafeInferError {
  return new SafeInferError(`${directory}: ${what}`, {
    code: 'BAD_FILE',
    hint: 'install @safeinfer/pocket again; its adapter files are damaged',
  });
}

async function readScale(directory: string): Promise<number> {
  const config = JSON.parse(await readFile(`${directory}/adapter_config.json`, 'utf8')) as {
    readonly peft_type?: unknown;
    readonly r?: unknown;
    readonly lora_alpha?: unknown;
  };
  const { peft_type: type, r, lora_alpha: alpha } = config;
  if (type !== 'LORA' || typeof r !== 'number' || typeof alpha !== 'number' || !(r > 0)) {
    throw damaged(directory, 'adapter_config.json is not that of a LoRA adapter');
  }
  return alpha / r;
}

interface LoraMatrices {
  /** [r, in] */
  readonly a: tf.Tensor2D;
  /** [out, r] */
  readonly b: tf.Tensor2D;
}

async function readMatrices(file: SafetensorsFile, module: string): Promise<LoraMatrices> {
  const [a, b] = [
    await file.read(`base_model.model.${module}.lora_A.weight`),
    await file.read(`base_model.model.${module}.lora_B.weight`),
  ];
  return {
    a: tf.tensor2d(a.data, [...a.shape] as [number, number], 'float32'),
    b: tf.tensor2d(b.data, [...b.shape] as [number, number], 'float32'),
  };
}

function deltaOf({ a, b }: LoraMatrices, outputs: Int32Array, scale: number): Delta {
  const rows = (): tf.Tensor2D => tf.gather(b, tf.tensor1d(outputs, 'int32'));
  const A = tf.keep(tf.tidy(() => tf.transpose(a)));
  const B = tf.keep(tf.tidy(() => tf.transpose(rows())));
  return { A, B, scale };
}

/**
 * Reads one of the package's own adapters. PEFT keeps A as [r, in] and B as [out, r] per module; a module may hold
 * several canonical weights, whose rows of B are told apart by `peftModules`.
 * @returns deltas whose tensors the caller disposes; nothing is leaked when it throws
 */
export async function readBundledAdapter(directory: string, config: ModelConfig): Promise<Adapter> {
  const scale = await readScale(directory);
  await using file = await openSafetensors(`${directory}/adapter_model.safetensors`);
  const deltas = new Map<WeightName, Delta>();
  try {
    for (const { module, parts } of peftModules(config)) {
      if (!file.tensors.has(`base_model.model.${module}.lora_A.weight`)) continue;
      const matrices = await readMatrices(file, module);
      try {
        for (const { name, outputs } of parts) deltas.set(name, deltaOf(matrices, outputs, scale));
      } finally {
        matrices.a.dispose();
        matrices.b.dispose();
      }
    }
    if (2 * deltas.size !== file.tensors.size) {
      throw damaged(
        directory,
        `${file.tensors.size} tensors, of which ${2 * deltas.size} fit the model`,
      );
    }
  } catch (error) {
    disposeAdapter({ deltas });
    throw error;
  }
  return { deltas };
}

/** Frees an adapter's tensors. */
export function disposeAdapter(adapter: Adapter): void {
  for (const { A, B } of adapter.deltas.values()) {
    A.dispose();
    B.dispose();
  }
}
