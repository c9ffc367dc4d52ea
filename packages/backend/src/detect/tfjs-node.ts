// TensorFlow's C library through tfjs-node, on the CPU or on a GPU that it lists.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { roundNodeProducts } from '../kernels/tfjs-node-bf16.ts';
import { addNodeFusedKernels } from '../kernels/tfjs-node-fused.ts';
import { chooseNodeProducts } from '../kernels/tfjs-node-product.ts';
import { BackendRefusal, type Candidate, type Started, type StartOptions } from './candidate.ts';
import { importOptional, resolveOptional } from './import-optional.ts';
import { repairNodeUtil } from './repair-node-util.ts';

const CPU_PACKAGE = '@tensorflow/tfjs-node';
const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';

export const tfjsNode: Candidate = { start: (options) => start(CPU_PACKAGE, options) };

export const tfjsNodeGpu: Candidate = {
  async start(options): Promise<Started> {
    const started = await start(GPU_PACKAGE, options);
    const backend = tf.findBackend('tensorflow') as { readonly isUsingGpuDevice?: boolean } | null;
    if (backend?.isUsingGpuDevice !== true) {
      throw new BackendRefusal(
        'TensorFlow lists no GPU',
        'check CUDA_VISIBLE_DEVICES and the CUDA libraries that this TensorFlow needs',
      );
    }
    return started;
  },
};

async function start(name: string, options: StartOptions): Promise<Started> {
  checkAddon(name);
  repairNodeUtil();
  // TensorFlow reads these once, while its library loads.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  if (options.threads !== undefined) {
    process.env['TF_NUM_INTRAOP_THREADS'] ??= String(options.threads);
  }
  // Loading the package makes itself the active backend; the choice is ours to make.
  const before = tf.engine().backendName;
  const module = (await importOptional(name, remedy(name))) as {
    readonly version?: Readonly<Record<string, string>>;
  };
  if (before) await tf.setBackend(before);
  const backend = tf.findBackend('tensorflow') as {
    readonly binding?: { readonly TF_Version?: string };
    readonly isUsingGpuDevice?: boolean;
  } | null;
  // Values would have to come from a GPU for every loop.
  if (backend?.isUsingGpuDevice !== true) {
    chooseNodeProducts();
    addNodeFusedKernels();
  }
  roundNodeProducts(options.weights === 'bf16');
  return {
    versions: {
      [name]: module.version?.['tfjs-node'] ?? 'unknown',
      tensorflow: backend?.binding?.TF_Version ?? 'unknown',
    },
    threads: Number(process.env['TF_NUM_INTRAOP_THREADS']) || availableParallelism(),
  };
}

/** Importing a tfjs-node without its addon throws too, but only after it has registered its kernels. */
function checkAddon(name: string): void {
  const entry = resolveOptional(name);
  if (entry === undefined)
    throw new BackendRefusal(`the package ${name} is not installed`, remedy(name));
  const addon = join(dirname(entry), '..', 'lib', 'napi-v8', 'tfjs_binding.node');
  if (!existsSync(addon)) {
    throw new BackendRefusal(
      `${name} is installed, but its install script did not run or failed: there is no native addon`,
      remedy(name, 'rebuild'),
    );
  }
}

/** npm runs install scripts by itself; pnpm asks first, hence the second command. */
function remedy(name: string, command: 'install' | 'rebuild' = 'install'): string {
  const run = command === 'install' ? `npm install ${name}` : `npm rebuild ${name}`;
  const approve = command === 'install' ? '' : ' (pnpm: pnpm approve-builds)';
  const needs =
    name === GPU_PACKAGE
      ? 'it downloads a TensorFlow for CUDA 11.2 with cuDNN 8.1, which must be there too'
      : "it downloads TensorFlow's library; where that is blocked, build the addon against the " +
        'tensorflow-cpu Python wheel, as tools/native-tf of this project does';
  return `${run}${approve}: ${needs}`;
}
