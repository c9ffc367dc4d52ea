// The synchronous native session of onnxruntime-node, under its promise API.
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { type ElementType, FIRST_OUTPUT } from '../onnx/model.ts';

/** What the binding reads of a tensor; a plain object does, and skips the class's checks. */
export interface OrtValue {
  readonly type: ElementType;
  readonly data: Float32Array | Int32Array | Uint8Array | BigInt64Array;
  readonly dims: readonly number[];
  readonly location: 'cpu';
}

export interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  /** Runs now, on this thread; outputs given as values are written in place. */
  run(feeds: Record<string, OrtValue>, fetches: Record<string, OrtValue | null>): unknown;
  dispose(): void;
}

type TensorConstructor = new (type: string, data: unknown, dims: readonly number[]) => object;

interface Binding {
  readonly InferenceSession: new () => NativeSession;
  initOrtOnce(logLevel: number, tensor: TensorConstructor, mainThread: boolean): void;
}

/** ONNX Runtime's log level for errors; its warnings are about models that users did not write. */
const LOG_ERRORS = 3;

/**
 * From so many bytes of outputs on, the binding is stopped before it copies them: throwing takes 13 microseconds,
 * copying so much into a new array as long (tools/bench/output-copies.ts).
 */
const WORTH_STOPPING = 2 ** 16;
/** Made once: an error's stack trace would cost more than the rest. */
const WRITTEN = new Error('the outputs are written');

let loaded: Binding | undefined;
/** What becomes of an output that the binding wraps: ours are written in place, nobody needs them wrapped. */
let wrapping: 'tensor' | 'nothing' | 'stop' = 'tensor';

/** Loads the native library once; throws the loader's own error where there is none for this platform. */
export function loadBinding(): void {
  if (loaded !== undefined) return;
  const require = createRequire(import.meta.url);
  // The dependency's own dependency, from the place where it finds it.
  const inner = createRequire(realpathSync(require.resolve('onnxruntime-node')));
  const { binding } = require('onnxruntime-node/dist/binding.js') as { binding: Binding };
  const { Tensor } = inner('onnxruntime-common') as { Tensor: TensorConstructor };
  // The binding makes one of these for every output of every run: 18 microseconds a call in a decoding
  // step (measured), for nothing. Other users of the library in this process get real ones.
  function OutputTensor(type: string, data: unknown, dims: readonly number[]): object | undefined {
    if (wrapping === 'stop') throw WRITTEN;
    return wrapping === 'nothing' ? undefined : new Tensor(type, data, dims);
  }
  binding.initOrtOnce(LOG_ERRORS, OutputTensor as unknown as TensorConstructor, isMainThread);
  loaded = binding;
}

/**
 * Runs a session made here; outputs are written into the values of `fetches`.
 *
 * When they are, the binding goes on to copy each into an array of its own for a result that nobody reads: two
 * thirds of the time of an operation on a megabyte, and as much garbage. So where the outputs are large, the model's
 * first one is asked for, too: a single byte, whose wrapping throws and so ends the call before the others are copied.
 */
export function runSession(
  session: NativeSession,
  feeds: Record<string, OrtValue>,
  fetches: Record<string, OrtValue>,
): void {
  let bytes = 0;
  for (const name in fetches) bytes += fetches[name]!.data.byteLength;
  const stops = bytes >= WORTH_STOPPING;
  wrapping = stops ? 'stop' : 'nothing';
  try {
    session.run(feeds, stops ? { ...fetches, [FIRST_OUTPUT]: null } : fetches);
  } catch (error) {
    if (error !== WRITTEN) throw error;
  } finally {
    wrapping = 'tensor';
  }
}

export function ortVersion(): string {
  const require = createRequire(import.meta.url);
  return (require('onnxruntime-node/package.json') as { readonly version: string }).version;
}

export interface SessionOptions {
  readonly threads: number;
  /** Keep scratch memory between runs: for graphs with large intermediate values, of which there are few. */
  readonly arena?: boolean;
  /** Pool threads wait busily between the nodes of a run, and sleep when it ends: for graphs of many nodes. */
  readonly spin?: boolean;
  /** True for the nodes as they stand: what ONNX Runtime merges it may round differently. */
  readonly asWritten?: boolean;
  /** Folder of the files that initializers name. */
  readonly externalFolder?: string;
}

/** A session of a serialised model. */
export function createSession(model: Uint8Array, options: SessionOptions): NativeSession {
  loadBinding();
  const session = new (loaded as Binding).InferenceSession();
  session.loadModel(model.buffer, model.byteOffset, model.byteLength, {
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    // The arena grows by doubling and keeps what it has: with one session per weight that is a copy more.
    enableCpuMemArena: options.arena ?? false,
    enableMemPattern: false,
    graphOptimizationLevel: options.asWritten === true ? 'disabled' : 'all',
    logSeverityLevel: 3,
    extra: {
      session: {
        // Each session has its own pool. Spinning threads of idle sessions would take the cores from
        // the one that works: 20 times slower when 36 sessions run in turn (measured).
        ...(options.spin === true
          ? { 'intra_op.allow_spinning': '1', force_spinning_stop: '1' }
          : { 'intra_op.allow_spinning': '0' }),
        ...(options.externalFolder === undefined
          ? {}
          : { model_external_initializers_file_folder_path: options.externalFolder }),
      },
    },
  });
  return session;
}

export function ortValue(
  type: ElementType,
  data: OrtValue['data'],
  dims: readonly number[],
): OrtValue {
  return { type, data, dims, location: 'cpu' };
}
