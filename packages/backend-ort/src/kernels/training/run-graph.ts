// Runs a graph whose inputs are a kernel's tensors and whose outputs are new ones.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type OrtValue, ortValue, runSession } from '../../native/binding.ts';
import { Graph } from '../../onnx/graph.ts';
import type { KernelCall } from '../kernel.ts';

export interface GraphCall {
  readonly call: KernelCall;
  /** Everything that decides the graph. */
  readonly signature: string;
  readonly build: (graph: Graph) => void;
  /** Names of the inputs that the graph reads, and their shapes where they are not the tensor's own. */
  readonly reads: readonly string[];
  /** Shapes given to the graph as int64 vectors. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Outputs in the order of the result, with their shapes. */
  readonly gives: readonly (readonly [name: string, shape: readonly number[]])[];
  /** About how many multiply-adds. */
  readonly work: number;
}

export function runGraph(options: GraphCall): TensorInfo[] {
  const { call, signature, build, reads, shapes = {}, gives, work } = options;
  const { inputs, backend } = call;
  const model = () => {
    const graph = new Graph();
    build(graph);
    return graph.spec();
  };
  const session = backend.sessions.get(signature, work, model, { arena: true });
  const feeds: Record<string, OrtValue> = {};
  for (const name of reads) {
    const info = inputs[name];
    if (info === undefined) continue;
    feeds[name] =
      info.dtype === 'int32'
        ? ortValue('int32', backend.values(info) as Int32Array, info.shape)
        : ortValue('float32', backend.floats(info), info.shape);
  }
  for (const [name, shape] of Object.entries(shapes)) {
    feeds[name] = ortValue('int64', BigInt64Array.from(shape.map(BigInt)), [shape.length]);
  }
  const fetches: Record<string, OrtValue> = {};
  const made = gives.map(([name, shape]) => {
    const out = backend.output(shape);
    fetches[name] = ortValue('float32', out.values, shape);
    return out.info;
  });
  runSession(session, feeds, fetches);
  return made;
}
