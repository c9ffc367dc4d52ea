// Starting one backend, and the reasons why it does not start.
import * as tf from '@tensorflow/tfjs-core';
import { type BackendName, TF_BACKEND } from './backend-name.ts';
import {
  BackendRefusal,
  type Candidate,
  type Started,
  type StartOptions,
  type WeightPrecision,
} from './detect/candidate.ts';
import { cpu } from './detect/cpu.ts';
import { ort } from './detect/ort.ts';
import { tfjsNode, tfjsNodeGpu } from './detect/tfjs-node.ts';
import { wasm } from './detect/wasm.ts';
import { webgpu } from './detect/webgpu.ts';

const CANDIDATES: Readonly<Record<BackendName, Candidate>> = {
  'tfjs-node-gpu': tfjsNodeGpu,
  webgpu,
  ort,
  'tfjs-node': tfjsNode,
  wasm,
  cpu,
};

/** Backends that can hold rounded weights. */
const ROUNDS: Readonly<Partial<Record<BackendName, readonly WeightPrecision[]>>> = {
  ort: ['int8'],
  'tfjs-node': ['bf16'],
  'tfjs-node-gpu': ['bf16'],
};

/** Loads a backend, makes it the active one and waits until it is ready. Throws BackendRefusal, or SafeInferError. */
export async function startBackend(name: BackendName, options: StartOptions): Promise<Started> {
  const able = ROUNDS[name] ?? [];
  const { weights = 'float32' } = options;
  if (weights !== 'float32' && !able.includes(weights)) {
    throw new BackendRefusal(
      `it cannot hold weights as ${weights}`,
      'ask for ort with int8, or for tfjs-node with bf16',
    );
  }
  const started = await CANDIDATES[name].start(options);
  if (!(await tf.setBackend(TF_BACKEND[name]))) {
    throw new BackendRefusal('tfjs could not initialise it', 'look at the warning above');
  }
  await tf.ready();
  return started;
}

/** Any failure of `startBackend` as a reason and a remedy. */
export function asRefusal(name: BackendName, error: unknown): BackendRefusal {
  if (error instanceof BackendRefusal) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new BackendRefusal(`${name} failed while starting: ${reason}`, 'report this', error);
}
