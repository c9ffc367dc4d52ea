// The facts behind `safeinfer doctor`: what runs here, on what, and the command that adds what does not.
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_ORDER, type BackendName } from './backend-name.ts';
import { prepareTfjs } from './prepare-tfjs.ts';
import { asRefusal, startBackend } from './start-backend.ts';

/** What is known about one backend on this machine. */
export interface BackendFacts {
  readonly name: BackendName;
  readonly available: boolean;
  readonly versions: Readonly<Record<string, string>>;
  /** Threads of its kernels; 0 when it does not start. */
  readonly threads: number;
  /** What bounds a tensor or a model here, in words. */
  readonly limit: string;
  /** Why it does not start, and what would help; empty when it does. */
  readonly reason: string;
  readonly remedy: string;
}

export interface MachineFacts {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly freeMemoryBytes: number;
  readonly backends: readonly BackendFacts[];
}

const LIMITS: Readonly<Record<BackendName, string>> = {
  'tfjs-node-gpu': 'the memory of the GPU',
  webgpu:
    'the memory of the GPU, and its largest binding for one tensor (embeddings may be larger: they are read in parts)',
  ort: 'the memory of this machine; 4,294,967,295 values in one tensor',
  'tfjs-node': 'the memory of this machine',
  wasm: '4 GB in all: the address space of WebAssembly',
  cpu: 'the memory of this machine; 4,294,967,295 values in one tensor',
};

/**
 * Starts every backend in turn to find out. The backend that was active is active again afterwards; none
 * is when none was.
 */
export async function describeBackends(): Promise<MachineFacts> {
  const before = tf.engine().backendName;
  await prepareTfjs();
  const backends: BackendFacts[] = [];
  for (const name of BACKEND_ORDER) backends.push(await factsOf(name));
  if (before) await tf.setBackend(before);
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    backends,
  };
}

async function factsOf(name: BackendName): Promise<BackendFacts> {
  const limit = LIMITS[name];
  try {
    const { versions, threads, largestTensor } = await startBackend(name, {});
    const here =
      largestTensor === undefined
        ? limit
        : `${limit}; here ${largestTensor.toLocaleString('en-US')} bytes`;
    return { name, available: true, versions, threads, limit: here, reason: '', remedy: '' };
  } catch (error) {
    const { message, remedy } = asRefusal(name, error);
    return { name, available: false, versions: {}, threads: 0, limit, reason: message, remedy };
  }
}
