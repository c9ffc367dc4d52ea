// The backends SafeInfer knows, in order of preference, and the name each has inside tfjs.

/** A backend as a user names it. */
export type BackendName = 'tfjs-node-gpu' | 'webgpu' | 'ort' | 'tfjs-node' | 'wasm' | 'cpu';

/** Best first: a GPU, then native CPU code, then portable code. */
export const BACKEND_ORDER: readonly BackendName[] = [
  'tfjs-node-gpu',
  'webgpu',
  'ort',
  'tfjs-node',
  'wasm',
  'cpu',
];

/** What `tf.getBackend()` answers for each of them. */
export const TF_BACKEND: Readonly<Record<BackendName, string>> = {
  'tfjs-node-gpu': 'tensorflow',
  webgpu: 'webgpu',
  ort: 'ort',
  'tfjs-node': 'tensorflow',
  wasm: 'wasm',
  cpu: 'cpu',
};
