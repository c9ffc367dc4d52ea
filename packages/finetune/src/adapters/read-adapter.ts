// Reads a PEFT LoRA adapter directory for a given model.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeInferError, throwIfAborted } from '@safeinfer/backend';
import {
  type ModelConfig,
  openSafetensors,
  type SafetensorsFile,
  type Transformer,
} from '@safeinfer/transformer';
import * as tf from '@tensorflow/tfjs-core';
import { LoraAdapter, type LoraFactors } from './lora-adapter.ts';
import { type MatchedModule, matchModules } from './match-modules.ts';
import { readPeftConfig } from './peft-config.ts';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** What PEFT puts before the paths of the base model. */
const PREFIX = 'base_model.model.';

export interface ReadAdapterOptions {
  /** Directory with adapter_config.json and adapter_model.safetensors. */
  readonly path: string;
  /** The model that the adapter is for. */
  readonly model: { readonly config: ModelConfig };
  readonly signal?: AbortSignal;
}

/**
 * A LoRA adapter as PEFT saved it: any rank and alpha patterns, rsLoRA, layer selections, and fused modules
 * (GPT-2's `c_attn`, Phi-3's `qkv_proj`) split among canonical weights. The caller owns the result.
 *
 * @throws SafeInferError `NOT_FOUND`, `BAD_CONFIG`, `UNSUPPORTED` (DoRA and other kinds), `BAD_ARGUMENT` (targets
 *   that this model lacks), `BAD_WEIGHTS` (tensors missing, unexpected or of another shape), `BAD_FILE`, `ABORTED`
 */
export async function readAdapter(options: ReadAdapterOptions): Promise<LoraAdapter> {
  const { path, model, signal } = options;
  throwIfAborted(signal);
  const settings = readPeftConfig(await readConfig(path), join(path, ADAPTER_CONFIG));
  const modules = matchModules(settings, model.config);
  await using file = await openSafetensors(join(path, ADAPTER_WEIGHTS));
  checkTensors(file, modules);
  const factors: LoraFactors[] = [];
  const made: tf.Tensor[] = [];
  try {
    for (const module of modules) {
      throwIfAborted(signal);
      const [a, b] = await Promise.all(
        (['A', 'B'] as const).map((factor) => file.read(tensorName(module, factor))),
      );
      const A = tf.tidy(() => tf.keep(transposed(a?.data as Float32Array, module.rank)));
      made.push(A);
      const B = splitOutputs(b?.data as Float32Array, module);
      made.push(...B);
      factors.push({ module, A, B });
    }
    return new LoraAdapter(settings, factors);
  } catch (error) {
    tf.dispose(made);
    throw error;
  }
}

/**
 * Reads an adapter and makes it available to the model's rows under `name`.
 *
 * @returns the adapter, which the caller disposes after `model.removeAdapter(name)`
 * @throws what `readAdapter` and `model.addAdapter` throw; nothing is leaked
 */
export async function loadAdapter(
  options: Omit<ReadAdapterOptions, 'model'> & {
    readonly model: Transformer;
    readonly name: string;
  },
): Promise<LoraAdapter> {
  const adapter = await readAdapter(options);
  try {
    options.model.addAdapter(options.name, adapter);
    return adapter;
  } catch (error) {
    adapter.dispose();
    throw error;
  }
}

/** The tensor of a factor as PEFT names it in the file. */
export function tensorName(module: MatchedModule, factor: 'A' | 'B'): string {
  return `${PREFIX}${module.module}.lora_${factor}.weight`;
}

async function readConfig(directory: string): Promise<unknown> {
  const path = join(directory, ADAPTER_CONFIG);
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new SafeInferError(`cannot read ${path}: ${cause.code ?? cause.message}`, {
      code: 'NOT_FOUND',
      hint: 'give the directory of a PEFT adapter: adapter_config.json and adapter_model.safetensors',
      cause,
    });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SafeInferError(`${path} is not JSON`, {
      code: 'BAD_FILE',
      hint: 'the file is damaged: copy the adapter again',
      cause,
    });
  }
}

function checkTensors(file: SafetensorsFile, modules: readonly MatchedModule[]): void {
  const wanted = new Map<string, readonly [number, number]>();
  for (const module of modules) {
    wanted.set(tensorName(module, 'A'), [module.rank, module.inputs]);
    wanted.set(tensorName(module, 'B'), [module.outputs, module.rank]);
  }
  const missing = [...wanted.keys()].filter((name) => !file.tensors.has(name));
  const unexpected = [...file.tensors.keys()].filter((name) => !wanted.has(name));
  if (missing.length + unexpected.length > 0) {
    const some = (list: readonly string[]): string =>
      `${list.length} (${list.slice(0, 3).join(', ')}${list.length > 3 ? ', ...' : ''})`;
    throw new SafeInferError(
      `${file.path} does not fit its configuration and this model: missing ${some(missing)}, ` +
        `unexpected ${some(unexpected)}`,
      { code: 'BAD_WEIGHTS', hint: 'use the adapter with the model that it was trained on' },
    );
  }
  for (const [name, shape] of wanted) {
    const found = file.tensors.get(name)?.shape ?? [];
    if (found.length === 2 && found[0] === shape[0] && found[1] === shape[1]) continue;
    throw new SafeInferError(`${file.path}: ${name} is [${found}], not [${shape}]`, {
      code: 'BAD_WEIGHTS',
      hint: 'use the adapter with the model that it was trained on, and with its own configuration',
    });
  }
}

/** [rows, n] row-major -> tensor [n, rows]. */
function transposed(values: Float32Array, rows: number): tf.Tensor2D {
  return tf.transpose(tf.tensor2d(values, [rows, values.length / rows]));
}

/** lora_B [out, r] -> one [r, outputs of the part] per canonical weight. */
function splitOutputs(values: Float32Array, module: MatchedModule): tf.Tensor2D[] {
  const { rank, parts } = module;
  return parts.map(({ outputs }) => {
    const part = new Float32Array(rank * outputs.length);
    outputs.forEach((output, j) => {
      for (let k = 0; k < rank; k++) {
        part[k * outputs.length + j] = values[output * rank + k] as number;
      }
    });
    return tf.keep(tf.tensor2d(part, [rank, outputs.length]));
  });
}
